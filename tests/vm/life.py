#!/usr/bin/env python3
"""life.py BINARY IMAGE: the whole life of a host. Every step ends in the kernel's own answers, not in the program's."""

import sys
from functools import partial

import host
from host import compare, empty_memory, fill_memory, install, memory_is_whole, stock, sysctls, zswap
from vm import Checks, Vm, say

binary, image = sys.argv[1:3]
checks = Checks()
# Less memory is filled sooner.
vm = Vm(image, memory=768, name="life").boot()
install(vm, binary)
before = stock(vm)
say(f"stock: zswap {before['zswap']}, swaps {before['swaps']!r}, sysctls {before['sysctls']}")


tune = partial(host.tune, vm, checks)


def tuned(when):
    checks.equal(f"{when}: zswap", zswap(vm), ["Y", "lz4", "z3fold", "20"])
    checks.has(f"{when}: /proc/swaps", vm.output("cat /proc/swaps"), "/swapfile")
    checks.equal(f"{when}: sysctl", sysctls(vm), ["70", "0", "67108864", "0", "100"])
    checks.equal(f"{when}: MGLRU", vm.output("cat /sys/kernel/mm/lru_gen/min_ttl_ms"), "1000")


def active():
    return sorted(vm.output("tail -n +2 /proc/swaps | cut -d' ' -f1").split())


tune("detect", 0)
tune("plan --profile /root/vm.toml", 1)
tune("apply --yes --profile /root/vm.toml", 0)
tuned("at once")
checks.equal("swapfile mode", vm.output("stat -c '%a %U %s' /swapfile"), f"600 root {256 << 20}")
checks.has("blkid knows it", vm.output("blkid -p /swapfile"), 'TYPE="swap"')
tune("plan", 0)

# More in memory than there is: pages are really compressed, by lz4 into z3fold, with the swap file behind.
swapped = fill_memory(vm, "awk '/^zswpout/ {print $2}' /proc/vmstat", 4000)
checks.equal("thousands of pages went through zswap", swapped >= 4000, True)
checks.equal("and came back as they were", memory_is_whole(vm), (0, ""))
empty_memory(vm)

tune("apply --yes", 0)
checks.equal("no second generation", vm.output("ls /var/lib/civicum-tune/generations"), "0001")

# What the kernel refuses is taken back whole.
vm.output("sed 's/\"vm.swappiness\" = 70/\"vm.swappiness\" = 60\\n\"vm.stat_interval\" = \"99999999999\"/' /root/vm.toml >/root/bad.toml")
text = tune("apply --yes --profile /root/bad.toml", 2)
checks.has("the kernel's refusal is told", text, "EINVAL")
checks.equal("and nothing is half-changed", sysctls(vm), ["70", "0", "67108864", "0", "100"])
tune("plan", 0)

# A profile that asks for more swap: a second file beside the first, which stays in use.
vm.output("sed 's/256MiB/512MiB/' /root/vm.toml >/root/more.toml")
tune("apply --yes --profile /root/more.toml", 0)
checks.equal("a second swap file at once", active(), ["/swapfile", "/swapfile-2"])

vm.reboot()
checks.has("after the reboot: command line", vm.output("cat /proc/cmdline"),
           "mitigations=off zswap.enabled=1 zswap.compressor=lz4 zswap.zpool=z3fold zswap.max_pool_percent=20")
checks.has("after the reboot: kernel log", vm.output("dmesg | grep zswap"), "loaded using pool lz4/z3fold")
tuned("after the reboot")
checks.equal("both swap files after the reboot", active(), ["/swapfile", "/swapfile-2"])
checks.equal("512 MiB in all", vm.output("stat -c %s /swapfile /swapfile-2").split(), [str(256 << 20)] * 2)
checks.has("the plan proves the boot line", tune("plan", 0), "Generation 1 is proved")
checks.equal("no failed unit", vm.output("systemctl --failed --no-legend"), "")
checks.equal("the unit ran", vm.output("systemctl is-active civicum-tune-zswap.service swapfile.swap"), "active\nactive")
tune("doctor", 0)

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
