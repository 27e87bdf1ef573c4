#!/usr/bin/env python3
"""containers.py BINARY IMAGE: what only a kernel of its own can show of the containers: limits and protection in cgroup v2, a
negative oom_score_adj, locked memory, a container killed at its limit, and all of them back after a reboot."""

import io
import json
import sys
import tarfile
import tempfile
from pathlib import Path

from host import tune
from vm import Checks, Vm

binary, image = sys.argv[1:3]
APPLETS = ["sh", "sleep", "cat", "nc", "tail", "httpd", "ip", "nslookup", "touch"]

PROFILE = """
name = "containers"
[deployment]
name = "vm"
[memory]
reserve = "512MiB"
[services.db]
image = "ID"
command = ["sleep", "100000"]
memory = "64MiB"
memory_reservation = "32MiB"
memory_swap = "96MiB"
cpus = 0.5
cpu_weight = 300
pids = 32
oom_score_adj = -500
memlock = true
secrets = ["db-password"]
volumes = ["data:/data"]
user = "999:999"
health = ["cat", "/run/secrets/db-password"]
stop_timeout = "1s"
[services.ocr]
image = "ID"
command = ["httpd", "-f", "-p", "8080", "-h", "/tmp"]
memory = "48MiB"
memory_swap = "48MiB"
oom_score_adj = 500
needs = ["db"]
publish = ["18080:8080"]
stop_timeout = "1s"
"""


def root_file_system(path):
    """busybox and nothing else; /data is the database's."""
    with tarfile.open(path, "w") as tar:
        tar.add("/bin/busybox", "bin/busybox")
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link, io.BytesIO())
        data = tarfile.TarInfo("data")
        data.type, data.mode, data.uid, data.gid = tarfile.DIRTYPE, 0o700, 999, 999
        tar.addfile(data)


def profile(**changes):
    text = PROFILE.replace("ID", loaded)
    for old, new in changes.items():
        text = text.replace(old, new)
    vm.output("cat >/root/c.toml <<'E'\n" + text + "E")


def pid(service):
    return vm.output(f"docker inspect --format '{{{{.State.Pid}}}}' vm-{service}").strip()


def group(service, *names):
    """Files of a container's control group."""
    folder = vm.output(f"cut -d: -f3 /proc/{pid(service)}/cgroup").strip()
    return vm.output("cd /sys/fs/cgroup" + folder + " && cat " + " ".join(names)).split("\n")


checks = Checks()
vm = Vm(image, name="containers", memory=1536).boot()
vm.push(binary, "/usr/local/bin/civicum-tune")
with tempfile.TemporaryDirectory() as folder:
    tar = Path(folder) / "root.tar"
    root_file_system(tar)
    vm.push(tar, "/root/root.tar", "644")
vm.output("systemctl enable --now docker", timeout=600)
engine = vm.output("docker version --format '{{.Server.Version}}'").strip()

# A host that reaches no registry gets its images from a file.
loaded = vm.output("docker import /root/root.tar").strip()
vm.output(f"docker save -o /root/image.tar {loaded} && docker rmi {loaded}")
text = tune(vm, checks, "images load /root/image.tar", 0, timeout=600)
checks.has("the image is there again", text, loaded)

profile()
tune(vm, checks, "--profile /root/c.toml deploy --dry-run", 1)
tune(vm, checks, "--profile /root/c.toml deploy --yes", 0)
checks.equal(f"Engine {engine}: the kernel's scores", [vm.output(f"cat /proc/{pid(s)}/oom_score_adj").strip() for s in ("db", "ocr")],
             ["-500", "500"])
checks.equal("memory: max, low, swap, and the processes", group("db", "memory.max", "memory.low", "memory.swap.max", "pids.max"),
             [str(64 << 20), str(32 << 20), str(32 << 20), "32"])
checks.equal("no swap where there shall be none", group("ocr", "memory.max", "memory.swap.max"), [str(48 << 20), "0"])
checks.equal("half a CPU at most", group("db", "cpu.max"), ["50000 100000"])
checks.equal("the weight that was asked for, and the default", [group(s, "cpu.weight")[0] for s in ("db", "ocr")], ["300", "100"])
checks.has("memory may be locked", vm.output(f"grep locked /proc/{pid('db')}/limits"), "unlimited")
tune(vm, checks, "--profile /root/c.toml doctor --only CONT --strict", 0)
tune(vm, checks, "--profile /root/c.toml status", 0)

# In place: the same process, another limit.
before = pid("db")
profile(**{'memory = "64MiB"': 'memory = "80MiB"'})
tune(vm, checks, "--profile /root/c.toml deploy --yes", 0)
checks.equal("a larger limit at once, for the same process", (pid("db"), group("db", "memory.max")[0]), (before, str(80 << 20)))

# From inside nobody outside is reached: not the host's addresses, not beyond.
vm.output("busybox httpd -p 9999 -h /root")
addresses = [a["local"] + ("%eth0" if a["local"].startswith("fe80") else "")
             for link in json.loads(vm.output("ip -j addr")) for a in link["addr_info"] if not a["local"].startswith(("127.", "::1"))]
gateway = vm.output("docker network inspect --format '{{(index .IPAM.Config 0).Gateway}}' vm-inner").strip()
checks.has("the host itself reaches its server", vm.run("busybox wget -O- http://10.0.2.15:9999/ 2>&1")[1], "404")
reached = [a for a in [*addresses, gateway, "10.0.2.2"] if vm.run(f"docker exec vm-db nc -w 2 {a} 9999 </dev/null")[0] == 0]
checks.equal(f"a sealed container reaches 0 of {len(addresses) + 2} addresses", reached, [])
# A name that nobody has: only a name server outside would say so.
said = vm.run("docker exec vm-db nslookup ct-test.invalid 127.0.0.11")[1]
checks.equal("no name server outside answers", "NXDOMAIN" in said, False)
checks.has("the door lets in", vm.run("busybox wget -O- http://127.0.0.1:18080/ 2>&1")[1], "404")

# The worker's own limit kills inside the ocr, and nobody else notices.
vm.run("docker exec vm-ocr tail /dev/zero", timeout=600)
checks.has("the kernel killed within the worker's limit", vm.output("dmesg | grep -c CONSTRAINT_MEMCG"), "1")
checks.equal("the database runs on", pid("db"), before)

vm.reboot()
vm.output("until docker ps -q | wc -l | grep -qx 2; do sleep 2; done", timeout=600)
vm.output("until docker inspect --format '{{.State.Health.Status}}' vm-db | grep -qx healthy; do sleep 2; done", timeout=600)
tune(vm, checks, "--profile /root/c.toml deploy --yes", 0)
checks.equal("after the reboot: the scores", [vm.output(f"cat /proc/{pid(s)}/oom_score_adj").strip() for s in ("db", "ocr")],
             ["-500", "500"])
tune(vm, checks, "--profile /root/c.toml doctor --only CONT", 0)

# The power goes in the middle of a replacement: the next deploy ends it.
profile(**{'memory = "64MiB"': 'memory = "80MiB"', '"100000"': '"100001"'})
vm.output("(civicum-tune --profile /root/c.toml deploy --yes >/root/deploy.log 2>&1 &) ; until docker ps -a --format '{{.Names}}'"
          " | grep -qx vm-db.previous; do :; done", timeout=600)
vm.power_cut()
vm.start()
vm.wait()
vm.output("systemctl is-active --wait docker >/dev/null; until docker version >/dev/null 2>&1; do sleep 1; done", timeout=600)
tune(vm, checks, "--profile /root/c.toml deploy --yes", 0)
checks.equal("the two and nothing else", sorted(vm.output("docker ps -a --format '{{.Names}}'").split()), ["vm-db", "vm-ocr"])
checks.has("with what was asked for", vm.output("docker inspect --format '{{.Config.Cmd}}' vm-db"), "100001")

tune(vm, checks, "--profile /root/c.toml down --data --yes", 0)
left = vm.output("docker ps -aq; docker volume ls -q; docker network ls -q --filter label=civicum-tune.deployment")
checks.equal("nothing is left", left.strip(), "")
vm.close()
checks.end()
