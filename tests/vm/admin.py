#!/usr/bin/env python3
"""admin.py BINARY IMAGE: a host whose administrator has a swap file and sysctl files of his own, which stay as they are to
the byte; and who later takes our modules out of the initramfs, which shows what they are there for."""

import sys
from functools import partial

import host
from host import compare, install, stock, zswap
from vm import Checks, Vm

binary, image = sys.argv[1:3]
checks = Checks()
vm = Vm(image, name="admin").boot()
tune = partial(host.tune, vm, checks)
install(vm, binary)
vm.output("""set -e
[ -e /swap.img ] || { fallocate -l 128M /swap.img; chmod 600 /swap.img; mkswap -q -L mine /swap.img; }
grep -q swap.img /etc/fstab || echo '/swap.img none swap sw 0 0 # mine' >>/etc/fstab
swapon -a
printf '# mine, and it loses\\nvm.swappiness = 10\\n' >/etc/sysctl.d/60-mine.conf
printf '# mine, and it wins\\n\\nvm.page-cluster=1\\n' >/etc/sysctl.d/zz-mine.conf
sysctl -q -p /etc/sysctl.d/60-mine.conf -p /etc/sysctl.d/zz-mine.conf""")
MINE = "stat -c '%a %u:%g %s %Y' /swap.img; { head -c 4096 /swap.img; cat /etc/fstab /etc/sysctl.d/*mine.conf; } | sha256sum"
# The kernel does not count the first page of his; what is missing is rounded up to a MiB.
BOTH = ["/swap.img 131068", "/swapfile 132092"]
WINNER = "/etc/sysctl.d/zz-mine.conf:3"
before, mine = stock(vm), vm.output(MINE)


def untouched(when):
    checks.equal(f"{when}: the administrator's files", vm.output(MINE), mine)


def active():
    return sorted(vm.output("tail -n +2 /proc/swaps | awk '{ print $1, $3 }'").splitlines())


text = tune("plan --profile /root/vm.toml", 1)
checks.has("the plan names who wins at boot", text, WINNER)
checks.equal("and nobody who loses", "60-mine" in text, False)
# Status 2: his own last word at boot is his, and stays in the way.
text = tune("apply --yes --profile /root/vm.toml", 2)
untouched("applied")
checks.equal("his swap file counts: ours is the rest", active(), BOTH)
checks.equal("both keys at once", vm.output("sysctl -n vm.swappiness vm.page-cluster").split(), ["70", "0"])

# Somebody makes the initramfs without the modules, and the unit that mends it at run time is kept from starting.
vm.output("sed -i '/civicum-tune: begin/,/civicum-tune: end/d' /etc/initramfs-tools/modules && update-initramfs -u", 1200)
vm.output("mkdir -p /etc/systemd/system/civicum-tune-zswap.service.d && "
          "printf '[Unit]\\nConditionPathExists=/nowhere\\n' >/etc/systemd/system/civicum-tune-zswap.service.d/off.conf")
vm.reboot()
checks.has("drop-in alone: the command line says lz4 and z3fold", vm.output("cat /proc/cmdline"),
           "zswap.enabled=1 zswap.compressor=lz4 zswap.zpool=z3fold")
checks.equal("drop-in alone: the kernel runs something else", zswap(vm), ["Y", "lzo", "zbud", "20"])
checks.has("drop-in alone: kernel log", vm.output("dmesg | grep zswap"), "loaded using pool lzo/zbud")
vm.output("rm -rf /etc/systemd/system/civicum-tune-zswap.service.d && systemctl daemon-reload && "
          "systemctl start civicum-tune-zswap.service")
checks.equal("the unit mends it at run time", zswap(vm), ["Y", "lz4", "z3fold", "20"])
untouched("after the reboot")
checks.equal("both swap files after the reboot", active(), BOTH)
checks.equal("his last word wins at boot, ours against the other",
             vm.output("sysctl -n vm.swappiness vm.page-cluster").split(), ["70", "1"])
text = tune("plan", 1)
checks.has("the plan names who won", text, WINNER)
checks.has("and misses the modules", text, "/etc/initramfs-tools/modules")
tune("apply --yes", 2)
vm.reboot()
checks.has("with the modules: kernel log", vm.output("dmesg | grep zswap"), "loaded using pool lz4/z3fold")
untouched("after the second reboot")

tune("rollback 1 --yes", 0)
untouched("rolled back")
checks.equal("his swap file is still in use", active(), ["/swap.img 131068"])
vm.reboot()
compare(checks, "as he had it", stock(vm), before)
vm.close()
checks.end()
