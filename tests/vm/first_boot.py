#!/usr/bin/env python3
"""first_boot.py DEB IMAGE: a new server that was given templates/cloud-init/user-data.yaml tunes itself, though one thing that its
profile asks for is not possible there, and though the power goes twice before it is done; and what the package does where systemd
runs.

IMAGE is what tests/vm/cloud-image.sh makes. The package comes over HTTP from this machine's loopback, which QEMU's network shows
the guest as 10.0.2.2."""

import functools
import hashlib
import http.server
import re
import subprocess
import sys
import threading
from pathlib import Path

from host import PROFILE, zswap
from vm import Checks, Vm, say

deb, image = Path(sys.argv[1]), sys.argv[2]
checks = Checks()
vm = Vm(image, memory=1024, name="first-boot")


fetched = threading.Event()


class Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """What was fetched is told by the guest's own log."""

    def copyfile(self, source, outputfile):
        super().copyfile(source, outputfile)
        fetched.set()


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=deb.parent))
threading.Thread(target=server.serve_forever, daemon=True).start()

text = (Path(__file__).parents[2] / "templates/cloud-init/user-data.yaml").read_text(encoding="utf-8")
values = {
    "url": f"http://10.0.2.2:{server.server_port}/{deb.name}",
    "sha256": hashlib.sha256(deb.read_bytes()).hexdigest(),
    "profile": "/root/vm.toml",
}
# The bundled profile that fits so small a machine leaves its boot line alone; this one does not, and has a service to be supervised.
own = PROFILE + f"""
[memory]
reserve = "512MiB"
[services.llm]
role = "plain"
image = "none.example/such@sha256:{"0" * 64}"
command = ["sleep", "1000000"]
memory = "64MiB"
memory_swap = "64MiB"
"""
# A file that wins over ours: what the profile asks for is not possible while it is there.
files = {"/root/vm.toml": own, "/etc/sysctl.d/zzz-late.conf": "vm.page-cluster = 3\n"}
written = ""
for path, content in files.items():
    written += f"  - path: {path}\n    content: |\n" + "".join(f"      {line}\n" for line in content.splitlines())
text = text.replace("write_files:\n", f"write_files:\n{written}", 1)
for name, value in values.items():
    text = re.sub(rf"^( *){name}='.*'$", rf"\g<1>{name}='{value}'", text, count=1, flags=re.MULTILINE)
seed = vm.folder / "seed"
seed.mkdir()
(seed / "user-data").write_text(text, encoding="utf-8")
(seed / "meta-data").write_text("instance-id: first\nlocal-hostname: vps\n", encoding="utf-8")
drive = vm.folder / "seed.img"
subprocess.run(["truncate", "-s", "2M", drive], check=True)
subprocess.run(["mkfs.vfat", "-n", "CIDATA", drive], check=True, stdout=subprocess.DEVNULL)
subprocess.run(["mcopy", "-i", drive, seed / "user-data", seed / "meta-data", "::"], check=True)
vm.more = ["-drive", f"file={drive},if=virtio,format=raw,readonly=on"]

vm.start()
say("the power goes when the package is fetched")
checks.equal("the first boot fetches the package", fetched.wait(timeout=3600), True)
vm.power_cut()
vm.boot()
say("and again in the middle of its apply")
journal = "/var/lib/civicum-tune/generations/0001/journal"
vm.output(f"until test -s {journal}; do sleep 0.2; done", timeout=3600)
vm.power_cut()

# From here on nobody touches it. It restarts by itself, and QEMU ends with the restart.
vm.start()
say("the third boot finishes what the others began")
try:
    vm.qemu.wait(timeout=3600)
except subprocess.TimeoutExpired:
    vm.wait()
    print(vm.run("cloud-init status --long; tail -n 40 /var/log/civicum-tune-first-boot.log /var/log/cloud-init-output.log")[1])
    raise
checks.equal("it restarted by itself", vm.qemu.returncode, 0)
vm.boot()
print("\n".join("      " + line for line in vm.output("cat /var/log/civicum-tune-first-boot.log").splitlines()), flush=True)
log = vm.output("cat /var/log/civicum-tune-first-boot.log")
checks.equal("what was cut off was finished, or taken back, before anything else", '"recovered": {' in log, True)
checks.has("cloud-init says that not all is well", vm.run("cloud-init status --wait --long", timeout=600)[1], "status: error")
checks.equal("and so does its unit", vm.output("systemctl --failed --no-legend --plain").split()[:1], ["cloud-final.service"])
checks.has("the reason is told", vm.output("tail -n 60 /var/log/cloud-init-output.log"), "zzz-late.conf:1")
checks.has("the package is there", vm.output("dpkg-query -W -f '${db:Status-Status}' civicum-tune"), "installed")
checks.equal("nothing is cut off any more", '"state": "cut' in vm.output("civicum-tune --format json history"), False)
checks.equal("the kernel has it: zswap", zswap(vm)[0], "Y")
checks.has("the kernel was booted with it", vm.output("cat /proc/cmdline"), "zswap.enabled=1")
checks.has("swap is in use", vm.output("cat /proc/swaps"), "/swapfile")

say("the obstacle goes")
each_boot = "/var/lib/cloud/scripts/per-boot/civicum-tune"
checks.equal("until then each boot tells it", vm.run(each_boot)[0], 1)
vm.output("rm /etc/sysctl.d/zzz-late.conf && civicum-tune --yes apply && systemctl reset-failed")
checks.equal("nothing differs", vm.run("civicum-tune plan")[0], 0)
checks.equal("and the next boot is content", vm.run(f"{each_boot} && ! test -e {each_boot}")[0], 0)
checks.equal("no failed unit", vm.output("systemctl --failed --no-legend"), "")

checks.equal("the units that came are well formed", vm.output("systemd-analyze verify civicum-tune-doctor.timer 2>&1"), "")
checks.equal("the audit is off until it is turned on",
             vm.run("systemctl is-enabled civicum-tune-doctor.timer")[1].strip(), "disabled")
status, said = vm.run("civicum-tune --color never doctor --quiet", timeout=600)
vm.run("systemctl start civicum-tune-doctor.service", timeout=600)
checks.equal("the audit as a unit ends as it does by hand", vm.output("systemctl show -P ExecMainStatus civicum-tune-doctor.service"), str(status))
checks.equal("which is no trouble", status in (0, 1), True)
ids = sorted(set(re.findall(r"CT-[A-Z]+-\d+", vm.output("journalctl --no-pager -u civicum-tune-doctor.service"))))
checks.equal("and tells the same", ids, sorted(set(re.findall(r"CT-[A-Z]+-\d+", said))))
checks.equal("which is something", bool(ids), True)
vm.run("systemctl reset-failed civicum-tune-doctor.service")


def states():
    """The supervisor's and the audit's timer's."""
    return vm.run("systemctl is-active civicum-tune-supervise.service civicum-tune-doctor.timer")[1].split()


def supervisor():
    return vm.output("systemctl show -P MainPID civicum-tune-supervise.service")


def apt(words):
    return vm.output(f"DEBIAN_FRONTEND=noninteractive apt-get -qq -y {words} 2>&1", timeout=600)


say("an upgrade, a removal and a return, with a supervisor and a timer that run")
newer = vm.folder / "newer"
subprocess.run(["dpkg-deb", "-R", deb, newer], check=True)
control = newer / "DEBIAN/control"
control.write_text(re.sub(r"(?m)^Version: .*", "Version: 99.0-1", control.read_text(encoding="utf-8")), encoding="utf-8")
subprocess.run(["dpkg-deb", "-Zgzip", "-z1", "--root-owner-group", "-b", newer, vm.folder / "newer.deb"], check=True, stdout=subprocess.DEVNULL)
vm.push(vm.folder / "newer.deb", "/root/newer.deb", mode="644")
vm.output("systemctl enable --now civicum-tune-doctor.timer")
checks.equal("the supervisor runs, as the unit of the first apply has it", states(), ["active", "active"])
before = supervisor()
apt("install /root/newer.deb")
checks.equal("upgraded", vm.output("dpkg-query -W -f '${Version}' civicum-tune"), "99.0-1")
checks.equal("after it both run", states(), ["active", "active"])
checks.equal("and the supervisor is the new program", supervisor() not in (before, "0"), True)
vm.output("systemctl stop civicum-tune-supervise.service")
apt("install --reinstall /root/newer.deb")
checks.equal("one that somebody stopped stays stopped", states(), ["inactive", "active"])
vm.output("systemctl start civicum-tune-supervise.service")
apt("remove civicum-tune")
checks.equal("removed, it leaves neither running", "active" in states(), False)
apt("install /root/newer.deb")
checks.equal("installed again, both run", states(), ["active", "active"])
checks.has("apt removes it, and says that the host stays tuned",
           vm.output("DEBIAN_FRONTEND=noninteractive apt-get -qq purge -y civicum-tune 2>&1"), "this host stays as it was tuned")
checks.equal("its timer is gone with it", vm.output("find /etc/systemd /run/systemd -name 'civicum-tune-doctor*'"), "")
checks.equal("the way back is kept", vm.run("test -e /var/lib/civicum-tune/generations/0001/generation.json")[0], 0)
vm.reboot()
checks.equal("without the program, the next boot is a tuned one all the same", zswap(vm)[0], "Y")
checks.equal("and has no failed unit", vm.output("systemctl --failed --no-legend"), "")
checks.has("and cloud-init is content", vm.run("cloud-init status --wait --long", timeout=600)[1], "status: done")
checks.equal("it is no first boot any more", vm.run("dpkg-query -W -f '${db:Status-Status}' civicum-tune")[1].strip() == "installed", False)
vm.close()
checks.end()
