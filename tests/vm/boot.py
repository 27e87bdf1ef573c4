#!/usr/bin/env python3
"""boot.py BINARY IMAGE: /boot is a small file system of its own, and it is full. The boot part is refused, with words and
whole; the rest is done; the host boots. With room again, the boot part follows."""

import sys
from functools import partial

import host
from host import install, zswap
from vm import Checks, Vm

binary, image = sys.argv[1:3]
checks = Checks()
vm = Vm(image, name="boot", second_disk="96M").boot()
tune = partial(host.tune, vm, checks)
install(vm, binary)
vm.output("""set -e
if ! mountpoint -q /boot; then
  mkfs.ext4 -q -m 0 -L boot /dev/vdb
  mount /dev/vdb /mnt
  cp -a /boot/. /mnt
  umount /mnt
  echo 'LABEL=boot /boot ext4 defaults 0 2' >>/etc/fstab
  mount /boot
fi
grub-install --target=i386-pc /dev/vda
update-grub""", 900)
checks.has("/boot is a file system of its own", vm.output("findmnt -n /boot"), "/dev/vdb")
# All but half a MiB.
vm.output("rm -f /boot/filler; fallocate -l $(( $(df --output=avail -B1 /boot | tail -n 1) - 524288 )) /boot/filler; sync")
BOOT = "cd / && find etc/default/grub.d etc/initramfs-tools boot -type f ! -name filler -print0 | sort -z | xargs -0 sha256sum"
before = vm.output(BOOT)

text = tune("apply --yes --profile /root/vm.toml", 2)
checks.has("why there is no new initramfs", text, "/boot has ")
checks.has("why there is no new grub.cfg", text, "the file system of /boot/grub/grub.cfg has ")
checks.equal("nothing of the boot part was touched", vm.output(BOOT), before)
checks.equal("the rest is in place: zswap", zswap(vm), ["Y", "lz4", "z3fold", "20"])
checks.has("the rest is in place: swap", vm.output("cat /proc/swaps"), "/swapfile")
vm.reboot()
checks.has("it boots from there", vm.output("findmnt -n /boot"), "/dev/vdb")
checks.equal("it boots: nothing of ours on the command line", "zswap" in vm.output("cat /proc/cmdline"), False)
checks.equal("it boots: the unit sets zswap", zswap(vm), ["Y", "lz4", "z3fold", "20"])
checks.equal("no failed unit", vm.output("systemctl --failed --no-legend"), "")

# Room again.
vm.output("rm -f /boot/filler")
tune("apply --yes", 0)
vm.reboot()
checks.has("with room: kernel log", vm.output("dmesg | grep zswap"), "loaded using pool lz4/z3fold")
tune("plan", 0)
tune("rollback 1 --yes", 0)
checks.equal("rolled back: the boot part's files", vm.run(f"diff <({BOOT} | grep -v boot/initrd) - <<'E'\n" + "\n".join(
    line for line in before.splitlines() if "boot/initrd" not in line) + "\nE")[1], "")
vm.reboot()
checks.equal("it boots without us", "zswap" in vm.output("cat /proc/cmdline"), False)
vm.close()
checks.end()
