#!/usr/bin/env python3
"""zram.py BINARY IMAGE: a host whose swap is zram (Debian's zram-tools), with pages in it. It is taken out of use, does
not come back with the next boot, and does come back with a rollback."""

import sys

from host import empty_memory, fill_memory, install, memory_is_whole
from vm import Checks, Vm, say

binary, image = sys.argv[1:3]
checks = Checks()
vm = Vm(image, memory=768, name="zram").boot()
install(vm, binary)
vm.output("printf 'ALGO=lz4\\nPERCENT=50\\n' >/etc/default/zramswap && systemctl enable --now zramswap.service")
vm.output("printf '[zram]\\nretire = true\\n[swap]\\nsize = \"256MiB\"\\npath = \"/swapfile\"\\n' >/root/zram.toml && sed -i '1i name = \"zram\"' /root/zram.toml")
zram = "awk '/zram/ {print $1}' /proc/swaps"
checks.equal("zram is the swap of this host", vm.output(zram), "/dev/zram0")

# Pages in it: they must be back in memory, unharmed, before zram may go. First so many that they do not fit with the
# 256 MiB that must stay available.
low = "awk '/^MemAvailable/ { low = $2 < 200000 } /zram/ { print low ? $4 / 4 : 0 }' /proc/meminfo /proc/swaps"
used = fill_memory(vm, low, 4000)
checks.equal("pages are in zram", used >= 4000, True)
status, text = vm.run("civicum-tune apply --yes --profile /root/zram.toml", 1800)
print(text)
checks.equal("zram that does not fit in memory is not touched", status, 2)
checks.has("that is said", text, "zram holds")
checks.has("and it is still there", vm.output(zram), "/dev/zram0")
vm.output("rm -f /t/xaaa[n-z] /t/xaa[b-z]?")
status, text = vm.run("civicum-tune apply --yes --profile /root/zram.toml", 1800)
print(text)
checks.equal("apply", status, 0)
checks.equal("no zram in /proc/swaps", vm.output(zram), "")
checks.equal("and nothing was lost", memory_is_whole(vm), (0, ""))
empty_memory(vm)
checks.equal("its service is stopped", vm.run("systemctl is-active zramswap.service")[1].strip(), "inactive")
checks.equal("plan", vm.run("civicum-tune plan")[0], 0)
vm.reboot()
checks.equal("after the reboot: no zram", vm.output(zram), "")
checks.has("after the reboot: the swap file", vm.output("cat /proc/swaps"), "/swapfile")
checks.equal("plan", vm.run("civicum-tune plan")[0], 0)
status, text = vm.run("civicum-tune rollback 1 --yes", 1800)
print(text)
checks.equal("rollback", status, 0)
checks.equal("zram is back at once", vm.output(zram), "/dev/zram0")
checks.equal("and the swap file gone", vm.run("test -e /swapfile")[0], 1)
vm.reboot()
checks.equal("zram is back after the next boot too", vm.output(zram), "/dev/zram0")
vm.close()
checks.end()
