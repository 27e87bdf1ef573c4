#!/usr/bin/env python3
"""zram.py BINARY IMAGE: a host whose swap is zram (Debian's zram-tools), with pages in it. It is taken out of use, does
not come back with the next boot, and does come back with a rollback."""

import sys

from host import install
from vm import Checks, Vm, say

binary, image = sys.argv[1:3]
checks = Checks()
vm = Vm(image, name="zram").boot()
install(vm, binary)
vm.output("printf 'ALGO=lz4\\nPERCENT=50\\n' >/etc/default/zramswap && systemctl enable --now zramswap.service")
vm.output("printf '[zram]\\nretire = true\\n[swap]\\nsize = \"256MiB\"\\npath = \"/swapfile\"\\n' >/root/zram.toml && sed -i '1i name = \"zram\"' /root/zram.toml")
zram = "awk '/zram/ {print $1}' /proc/swaps"
checks.equal("zram is the swap of this host", vm.output(zram), "/dev/zram0")

# Pages in it: they must be back in memory, unharmed, before zram may go.
vm.output("mkdir /t && mount -t tmpfs -o size=1100m t /t")
vm.run("cp -a /usr/bin /t/1; for i in 2 3 4 5 6; do cp -a /usr/lib /t/$i && [ $(awk '/zram/ {print $4}' /proc/swaps) -lt 60000 ] || break; done", timeout=400)
used = int(vm.output("awk '/zram/ {print $4}' /proc/swaps"))
checks.equal("pages are in zram", used > 1000, True)
say(f"zram holds {used} KiB; " + vm.output("grep MemAvailable /proc/meminfo"))
status, text = vm.run("civicum-tune apply --yes --profile /root/zram.toml", 600)
print(text)
if status == 2 and "zram holds" in text:
    checks.has("zram that does not fit in memory is left alone, and that is said", vm.output(zram), "/dev/zram0")
    vm.output("rm -rf /t/[2-6]")
    status, text = vm.run("civicum-tune apply --yes --profile /root/zram.toml", 600)
    print(text)
checks.equal("apply", status, 0)
checks.equal("no zram in /proc/swaps", vm.output(zram), "")
checks.equal("and nothing was lost", vm.run("diff -r --no-dereference /usr/bin /t/1", timeout=300), (0, ""))
vm.output("umount /t && rmdir /t")
checks.equal("its service is stopped", vm.run("systemctl is-active zramswap.service")[1].strip(), "inactive")
checks.equal("plan", vm.run("civicum-tune plan")[0], 0)
vm.reboot()
checks.equal("after the reboot: no zram", vm.output(zram), "")
checks.has("after the reboot: the swap file", vm.output("cat /proc/swaps"), "/swapfile")
checks.equal("plan", vm.run("civicum-tune plan")[0], 0)
status, text = vm.run("civicum-tune rollback 1 --yes", 600)
print(text)
checks.equal("rollback", status, 0)
checks.equal("zram is back at once", vm.output(zram), "/dev/zram0")
checks.equal("and the swap file gone", vm.run("test -e /swapfile")[0], 1)
vm.reboot()
checks.equal("zram is back after the next boot too", vm.output(zram), "/dev/zram0")
vm.close()
checks.end()
