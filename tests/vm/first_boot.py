#!/usr/bin/env python3
"""first_boot.py DEB IMAGE: a new server that was given templates/cloud-init/user-data.yaml tunes itself at its first boot.

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


class Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """What was fetched is told by the guest's own log."""


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=deb.parent))
threading.Thread(target=server.serve_forever, daemon=True).start()

text = (Path(__file__).parents[2] / "templates/cloud-init/user-data.yaml").read_text(encoding="utf-8")
values = {
    "url": f"http://10.0.2.2:{server.server_port}/{deb.name}",
    "sha256": hashlib.sha256(deb.read_bytes()).hexdigest(),
    "profile": "/root/vm.toml",
}
# The bundled profile that fits so small a machine leaves its boot line alone; this one does not.
own = "".join(f"      {line}\n" for line in PROFILE.splitlines())
text = text.replace("write_files:\n", f"write_files:\n  - path: /root/vm.toml\n    content: |\n{own}", 1)
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

# It restarts by itself, and QEMU ends with the restart; nobody touches it before.
vm.start()
say("first boot: cloud-init works")
try:
    vm.qemu.wait(timeout=3600)
except subprocess.TimeoutExpired:
    vm.wait()
    print(vm.run("cloud-init status --long; tail -n 40 /var/log/civicum-tune-first-boot.log /var/log/cloud-init-output.log")[1])
    raise
checks.equal("it restarted by itself", vm.qemu.returncode, 0)
vm.boot()
print("\n".join("      " + line for line in vm.output("cat /var/log/civicum-tune-first-boot.log").splitlines()), flush=True)
checks.has("cloud-init is content", vm.run("cloud-init status --wait --long", timeout=600)[1], "status: done")
checks.has("the package is there", vm.output("dpkg-query -W -f '${db:Status-Status}' civicum-tune"), "installed")
checks.equal("one generation", vm.output("ls /var/lib/civicum-tune/generations"), "0001")
checks.equal("the kernel has it: zswap", zswap(vm)[0], "Y")
checks.has("the kernel was booted with it", vm.output("cat /proc/cmdline"), "zswap.enabled=1")
checks.has("swap is in use", vm.output("cat /proc/swaps"), "/swapfile")
checks.equal("nothing differs", vm.run("civicum-tune plan")[0], 0)
checks.equal("no failed unit", vm.output("systemctl --failed --no-legend"), "")
checks.equal("the units that came are well formed", vm.output("systemd-analyze verify civicum-tune-doctor.timer 2>&1"), "")
checks.equal("the audit is off until it is turned on",
             vm.run("systemctl is-enabled civicum-tune-doctor.timer")[1].strip(), "disabled")
vm.run("systemctl start civicum-tune-doctor.service")
checks.has("the audit runs as a unit", vm.output("journalctl --no-pager -u civicum-tune-doctor.service"), "civicum-tune")
vm.output("systemctl enable --now civicum-tune-doctor.timer")
checks.has("apt removes it, and says that the host stays tuned",
           vm.output("DEBIAN_FRONTEND=noninteractive apt-get -qq purge -y civicum-tune 2>&1"), "this host stays as it was tuned")
checks.equal("its timer is gone with it", vm.output("find /etc/systemd /run/systemd -name 'civicum-tune-doctor*'"), "")
checks.equal("the way back is kept", vm.run("test -e /var/lib/civicum-tune/generations/0001/generation.json")[0], 0)
vm.reboot()
checks.equal("without the program, the next boot is a tuned one all the same", zswap(vm)[0], "Y")
checks.equal("and has no failed unit", vm.output("systemctl --failed --no-legend"), "")
checks.equal("it is no first boot any more", vm.run("dpkg-query -W -f '${db:Status-Status}' civicum-tune")[1].strip() == "installed", False)
vm.close()
checks.end()
