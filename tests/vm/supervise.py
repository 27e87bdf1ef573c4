#!/usr/bin/env python3
"""supervise.py BINARY IMAGE [TRACE]: the supervisor as systemd runs it, on a kernel of its own with cgroup v2 and PSI: a real PostgreSQL, a
real worker, memory that runs short on the whole host, a clock that is set back, a supervisor that is killed.

TRACE is where every look at the host while memory was short is written, with what was decided then: tests/ladder.rs decides again."""

import json
import sys
import time
from pathlib import Path

from host import tune
from vm import Checks, Vm

binary, image = sys.argv[1:3]

PROFILE = """
name = "squeeze"
[deployment]
name = "vm"
deadline = "5min"
[memory]
reserve = "512MiB"
[services.postgres]
image = "ID"
command = ["serve"]
memory = "256MiB"
memory_swap = "256MiB"
oom_score_adj = -500
pids = 64
volumes = ["data:/data"]
health = ["/usr/lib/postgresql/15/bin/pg_isready", "-q", "-h", "127.0.0.1", "-U", "civicum"]
[services.llm]
role = "plain"
image = "ID"
command = ["sleep", "1000000"]
memory = "64MiB"
memory_swap = "64MiB"
oom_score_adj = -500
pids = 16
[services.worker]
image = "ID"
memory = "128MiB"
memory_swap = "128MiB"
oom_score_adj = 500
pids = 64
needs = ["postgres"]
health = ["civicum-tune", "--version"]
"""

PREPARE = r"""
set -e
root=$(mktemp -d)
mkdir -p "$root"/{bin,etc,tmp,data,usr/bin,var/lib/civicum/documents}
chmod 755 "$root"; chmod 1777 "$root/tmp"; chown 999:999 "$root/data"; chown 65534:65534 "$root/var/lib/civicum/documents"
cp /bin/busybox "$root/bin/"; for one in sh sleep cat head tail; do ln -s busybox "$root/bin/$one"; done
cp /usr/local/bin/civicum-tune "$root/usr/bin/"
cat >"$root/bin/serve" <<'F'
#!/bin/sh
PATH=/usr/lib/postgresql/15/bin:/bin
[ -e /data/main/PG_VERSION ] || { initdb -D /data/main -U civicum -A trust -E UTF8 --no-locale >/dev/null &&
  echo "host all all all trust" >>/data/main/pg_hba.conf && echo "create database civicum" | postgres --single -D /data/main postgres >/dev/null; }
exec postgres -D /data/main -k /tmp -c "listen_addresses=*" -c dynamic_shared_memory_type=mmap
F
chmod 755 "$root/bin/serve"
printf 'root:x:0:0:root:/root:/bin/sh\npostgres:x:999:999::/data:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\npostgres:x:999:\nnogroup:x:65534:\n' >"$root/etc/group"
programs="/usr/local/bin/civicum-tune $(echo /usr/lib/postgresql/15/bin/{postgres,initdb,pg_isready})"
{
  printf '%s\n' $programs /usr/lib/postgresql/15/lib /usr/share/postgresql/15 /usr/share/zoneinfo/UTC /usr/share/zoneinfo/Etc \
    /usr/lib/x86_64-linux-gnu/libnss_files.so.2
  ldd $programs /usr/lib/postgresql/15/lib/{plpgsql,dict_snowball}.so | grep -oE '/[^ :]+ \(0x' | sed 's/ (0x//'
} | sort -u | while read -r path; do [ ! -e "$path" ] || echo "${path#/}"; done >/tmp/list
tar -C "$root" -cf /tmp/image.tar .
tar -C / -h --hard-dereference --exclude='*/bitcode' --exclude='*llvmjit*' -rf /tmp/image.tar -T /tmp/list
docker import /tmp/image.tar
rm -rf "$root" /tmp/image.tar /tmp/list
"""

# Holds so much memory that the share of the RAM that is available falls below what it reads on its standard input, in per cent.
HOG = """
import sys, time
def share():
    found = dict(line.split(":") for line in open("/proc/meminfo"))
    kib = lambda name: int(found[name].split()[0])
    return 100 * kib("MemAvailable") / kib("MemTotal")
held = []
for line in sys.stdin:
    while share() > float(line):
        held.append(bytearray(b"x" * (4 << 20)))
    print(share(), flush=True)
"""

# Says when memory was first seen to be short: the kernel's own threshold for the first rung, or the share of the RAM for the second one.
WITNESS = """
import datetime, os, select
threshold = os.open("/proc/pressure/memory", os.O_RDWR | os.O_NONBLOCK)
os.write(threshold, b"some 150000 1000000\\0")
poll = select.poll()
poll.register(threshold, select.POLLPRI)
def short():
    found = dict(line.split(":") for line in open("/proc/meminfo"))
    kib = lambda name: int(found[name].split()[0])
    return 10 * kib("MemAvailable") < kib("MemTotal")
print("looks", flush=True)
while not poll.poll(10) and not short():
    pass
print(datetime.datetime.utcnow().isoformat(timespec="milliseconds"), flush=True)
"""


def events():
    return json.loads(vm.output("civicum-tune history --events -n 1000 --format json"))["events"]


def of(kind, after, **what):
    return [e for e in events()[after:] if e["what"]["kind"] == kind and what.items() <= e["what"].items()]


def until(what, good, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            found = good()
        except KeyError:
            # It has only begun.
            found = None
        if found:
            return found
        time.sleep(1)
    checks.equal(what, "not so", f"within {seconds} s")
    return None


def pid(service):
    return vm.output(f"docker inspect --format '{{{{.State.Pid}}}}' vm-{service}").strip()


def state():
    return json.loads(vm.output("busybox wget -qO- http://127.0.0.1:9465/state"))


checks = Checks()
vm = Vm(image, name="supervise", memory=1536).boot()
vm.push(binary, "/usr/local/bin/civicum-tune")
vm.output("systemctl enable --now docker", timeout=600)
vm.output("cat >/root/prepare.sh <<'E'\n" + PREPARE + "E")
loaded = vm.output("bash /root/prepare.sh", timeout=900).strip().splitlines()[-1]
vm.output("cat >/root/s.toml <<'E'\n" + PROFILE.replace("ID", loaded) + "E")
vm.output("cat >/root/hog.py <<'E'\n" + HOG + "E")
vm.output("cat >/root/witness.py <<'E'\n" + WITNESS + "E")
tune(vm, checks, "--profile /root/s.toml apply --yes", 0, timeout=900)
tune(vm, checks, "deploy --yes", 0, timeout=900)
vm.output("mkdir -p /etc/systemd/system/civicum-tune-supervise.service.d; printf '[Service]\nExecStart=\nExecStart=%s supervise --record %s\n' "
          "/usr/local/bin/civicum-tune /var/lib/civicum-tune/trace.jsonl >/etc/systemd/system/civicum-tune-supervise.service.d/record.conf")
vm.output("systemctl daemon-reload && systemctl start civicum-tune-supervise", timeout=300)
checks.equal("the service runs, and systemd was told so", vm.output("systemctl is-active civicum-tune-supervise").strip(), "active")
until("it sees the worker", lambda: state()["services"]["worker"]["runs"] and state()["waiting"] is not None)
began = of("began", 0)[-1]["what"]
checks.equal("nothing is missing to it here", began["without"], [])
kept = vm.output("systemctl show -p MemoryMin,OOMScoreAdjust civicum-tune-supervise; cat /sys/fs/cgroup/civicum.slice/memory.min").split()
checks.equal("its memory is its own", kept, ["MemoryMin=25165824", "OOMScoreAdjust=-950", "25165824"])
others = {service: pid(service) for service in ("postgres", "llm")}

# Memory runs short on the whole host, while the worker holds some.
vm.output("docker exec -d vm-worker sh -c '(head -c 80m /dev/zero; sleep 100000) | tail'")
until("the worker holds memory", lambda: int(vm.output("docker stats --no-stream --format '{{.MemUsage}}' vm-worker").split(".")[0].split("MiB")[0]) > 70)
# A slow machine may climb to the last rung at once.
before = pid("worker")
mark = len(events())
looks = int(vm.output("wc -l </var/lib/civicum-tune/trace.jsonl"))
vm.output("setsid choom -n -900 -- python3 /root/witness.py >/root/witness.log 2>&1 & echo $! >/root/witness.pid")
until("somebody else looks, too", lambda: "looks" in vm.output("cat /root/witness.log"))
# Whoever holds the memory must not hold the connection too.
vm.output("mkfifo /root/more; setsid sleep 100000 <>/root/more >/dev/null 2>&1 & echo $! >/root/holder.pid; "
          "setsid choom -n -900 -- python3 /root/hog.py </root/more >/root/hog.log 2>&1 & echo $! >/root/hog.pid; echo 8 >/root/more")
held = until("no document is taken", lambda: of("decided", mark, act="hold"))
given = until("what is in work is given back", lambda: of("decided", mark, act="give-back"))
until("the worker says that it is paused", lambda: "memory is short" in vm.output("docker logs vm-worker 2>&1 | tail -n 50"))
log = [json.loads(line) for line in vm.output("docker logs vm-worker 2>&1").splitlines() if line.startswith("{")]
paused = [line["time"] for line in log if line["event"] == "paused"]


def seconds(text):
    return sum(float(part) * unit for part, unit in zip(text[11:23].split(":"), (3600, 60, 1), strict=True))


if held and paused:
    seen = vm.output("cat /root/witness.log").split()[-1]
    at = seconds(paused[-1])
    decided = max(seconds(one["at"]) for one in of("decided", mark, act="hold") if seconds(one["at"]) <= at)
    checks.equal(f"from the pressure, as somebody else saw it, to the pause: {1000 * (at - seconds(seen)):.0f} ms", at - seconds(seen) < 0.5, True)
    checks.equal(f"from the decision to the pause: {1000 * (at - decided):.0f} ms", at - decided < 0.5, True)
vm.output("echo 4 >/root/more")
until("the worker is killed whole", lambda: of("stopped", mark, how="by-us"))
until("and is back", lambda: pid("worker") not in ("0", before))
mark_killed = len(events())
time.sleep(20)
checks.equal("what holds nothing is not killed again", [e["what"] for e in of("stopped", mark_killed)], [])
checks.equal("it claims nothing while memory is short", bool(until("held", lambda: state()["hold"])), True)
checks.equal("the database and the model did not notice", {service: pid(service) for service in others}, others)
vm.output("kill $(cat /root/hog.pid) $(cat /root/holder.pid)")
until("documents are taken again", lambda: of("decided", mark, act="resume"))
checks.equal("nothing was killed by the kernel", of("killed", mark), [])
if sys.argv[3:]:
    samples = vm.output(f"tail -n +{looks + 1} /var/lib/civicum-tune/trace.jsonl")
    decided = [json.dumps({"decided": e["what"]["act"]}) for e in of("decided", mark)]
    Path(sys.argv[3]).write_text(samples.rstrip() + "\n" + "\n".join(decided) + "\n")

# It is killed, and the clock is set back: it goes on, and touches nothing.
all_pids = {service: pid(service) for service in ("postgres", "llm", "worker")}
vm.output("date -s '-1 hour' >/dev/null; kill -9 $(systemctl show -p MainPID --value civicum-tune-supervise)")
until("systemd starts it again", lambda: vm.run("systemctl is-active civicum-tune-supervise")[0] == 0)
until("it sees the worker", lambda: state()["services"]["worker"]["runs"])
time.sleep(10)
checks.equal("a new supervisor touches no container", {service: pid(service) for service in all_pids}, all_pids)
mark = len(events())
vm.output("kill -9 $(cat /proc/" + all_pids["worker"] + "/task/" + all_pids["worker"] + "/children)")
until("a death is told", lambda: of("stopped", mark, how="died"))
until("and is mended", lambda: of("started", mark))
rss = int(vm.output("awk '/VmHWM/ {print $2}' /proc/$(systemctl show -p MainPID --value civicum-tune-supervise)/status"))
checks.equal(f"it takes {rss / 1024:.1f} MiB", rss < 20 << 10, True)
vm.output("systemctl stop civicum-tune-supervise", timeout=300)
checks.equal("its end leaves all of them", {service: pid(service) for service in others}, others)
vm.close()
checks.end()
