#!/usr/bin/env python3
"""life.py BINARY IMAGE: the whole life of a host. Every step ends in the kernel's own answers, not in the program's."""

import sys

from host import compare, install, stock, sysctls, zswap
from vm import Checks, Vm, say

binary, image = sys.argv[1:3]
checks = Checks()
vm = Vm(image, name="life").boot()
install(vm, binary)
before = stock(vm)
say(f"stock: zswap {before['zswap']}, swaps {before['swaps']!r}, sysctls {before['sysctls']}")


def tune(command, wanted, timeout=900):
    status, text = vm.run(f"civicum-tune {command}", timeout)
    checks.equal(f"civicum-tune {command}", status, wanted)
    print("\n".join("      " + line for line in text.splitlines()[-40:]), flush=True)
    return text


def tuned(when):
    checks.equal(f"{when}: zswap", zswap(vm), ["Y", "lz4", "z3fold", "20"])
    checks.has(f"{when}: /proc/swaps", vm.output("cat /proc/swaps"), "/swapfile")
    checks.equal(f"{when}: sysctl", sysctls(vm), ["70", "0", "67108864", "0", "100"])
    checks.equal(f"{when}: MGLRU", vm.output("cat /sys/kernel/mm/lru_gen/min_ttl_ms"), "1000")


tune("detect", 0)
tune("plan --profile /root/vm.toml", 1)
tune("apply --yes --profile /root/vm.toml", 0)
tuned("at once")
checks.equal("swapfile mode", vm.output("stat -c '%a %U %s' /swapfile"), f"600 root {256 << 20}")
checks.has("blkid knows it", vm.output("blkid -p /swapfile"), 'TYPE="swap"')
tune("plan", 0)

# More in memory than there is: pages are really compressed, by lz4 into z3fold, with the swap file behind.
vm.output("mkdir /t && mount -t tmpfs -o size=1100m t /t")
vm.run("for i in 1 2 3 4 5 6; do cp -a /usr/lib /t/$i && [ $(awk '/^zswpout/ {print $2}' /proc/vmstat) -lt 5000 ] || break; done", timeout=400)
swapped = int(vm.output("awk '/^zswpout/ {print $2}' /proc/vmstat"))
checks.equal("thousands of pages went through zswap", swapped >= 1000, True)
say(f"zswpout {swapped}; " + vm.output("grep -i -E '^zswap' /proc/meminfo | tr -s ' ' | tr '\\n' ' '"))
checks.equal("and came back as they were", vm.run("diff -r --no-dereference /usr/lib /t/1", timeout=300), (0, ""))
vm.output("umount /t && rmdir /t")

vm.reboot()
checks.has("after the reboot: command line", vm.output("cat /proc/cmdline"),
           "mitigations=off zswap.enabled=1 zswap.compressor=lz4 zswap.zpool=z3fold zswap.max_pool_percent=20")
checks.has("after the reboot: kernel log", vm.output("dmesg | grep zswap"), "loaded using pool lz4/z3fold")
tuned("after the reboot")
checks.has("the plan proves the boot line", tune("plan", 0), "Generation 1 is proved")
checks.equal("no failed unit", vm.output("systemctl --failed --no-legend"), "")
checks.equal("the unit ran", vm.output("systemctl is-active civicum-tune-zswap.service swapfile.swap"), "active\nactive")
tune("plan", 0)
tune("apply --yes", 0)
checks.equal("no second generation", vm.output("ls /var/lib/civicum-tune/generations"), "0001")

# What the kernel refuses is taken back whole.
vm.output("sed 's/\"vm.swappiness\" = 70/\"vm.swappiness\" = 60\\n\"vm.stat_interval\" = \"99999999999\"/' /root/vm.toml >/root/bad.toml")
text = tune("apply --yes --profile /root/bad.toml", 2)
checks.has("the kernel's refusal is told", text, "EINVAL")
checks.equal("and nothing is half-changed", sysctls(vm), ["70", "0", "67108864", "0", "100"])
tune("plan", 0)

tune("rollback 1 --yes", 0)
live = stock(vm)
checks.equal("rolled back at once: swaps", live["swaps"], "")
checks.equal("rolled back at once: sysctl", live["sysctls"], before["sysctls"])
checks.equal("rolled back at once: zswap off", live["zswap"][0], "N")
vm.reboot()
compare(checks, "stock again", stock(vm), before)
checks.equal("stock command line", "zswap" in vm.output("cat /proc/cmdline"), False)
vm.close()
checks.end()
