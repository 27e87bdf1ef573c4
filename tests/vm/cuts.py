#!/usr/bin/env python3
"""cuts.py BINARY IMAGE [N]: the power goes in the middle, N times at different moments: of an apply, of its rollback, and of
the recovery from an earlier cut. Each runs once, while the disk is copied after every line that it prints and every second
or so in between; each copy is what a power cut at that moment leaves. Then N of the copies are booted. Each must boot; half of
them must then come to a good end by `apply`, half by `rollback`."""

import os
import queue
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from host import as_grub_reads, compare, install, stock
from vm import Checks, Vm, say

binary, image = sys.argv[1:3]
count = int(sys.argv[3]) if len(sys.argv) > 3 else 4
checks = Checks()
APPLY = "civicum-tune --verbose apply --yes --profile /root/vm.toml"
JOURNAL = "cat /var/lib/civicum-tune/generations/*/journal"


def record(vm, command, what):
    """Runs it, and copies the disk again and again meanwhile."""
    run = subprocess.Popen(vm.ssh() + [command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = queue.Queue()

    def read():
        for line in run.stdout:
            lines.put(line.decode(errors="replace").rstrip())
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    copies, last, text, begun = [], "before the first step", [], False
    until = time.monotonic() + 3600
    while time.monotonic() < until:
        try:
            # Rarer as it goes on: a slow machine is not to fill the disk with copies.
            line = lines.get(timeout=1.0 + len(copies) / 50)
            if line is None:
                break
            text.append(line)
            # The plan comes first, in one piece; nothing happens yet.
            begun = begun or re.match(r"(✓ )?\[ *\d+/", line)
            if not begun:
                continue
            last = line.strip()
        except queue.Empty:
            pass
        copy = vm.folder / f"{what}-{len(copies) + 1}.qcow2"
        vm.copy_disk(copy)
        copies.append((f"{what} {len(copies) + 1}", copy, last))
    checks.equal(f"{what} itself ends well", run.wait(timeout=60), 0)
    if run.returncode:
        print("\n".join(text))
    say(f"{what}: {len(copies)} copies of the disk, each {copies[-1][1].stat().st_size >> 20} MiB")
    return copies


def spread(copies, number):
    """So many of them, from the first to the last; the others are removed."""
    number = min(number, len(copies))
    chosen = [copies[int((at + 0.5) * len(copies) / number)] for at in range(number)]
    for other in set(copies) - set(chosen):
        other[1].unlink()
    return chosen


def live_on(name, copy, last, by, again):
    """Boots what the power cut left, and brings it to a good end."""
    vm = Vm(image, base=copy, name=name.replace(" ", "-"))
    try:
        vm.boot()
        journal = vm.run(JOURNAL)[1].strip().splitlines()[-1:]
        say(f"{vm.name}: cut at {last!r}; journal: {journal}")
        begun = vm.run("ls /var/lib/civicum-tune/generations/*/generation.json")[0] == 0
        if by == "rollback" and begun:
            status, text = vm.run("civicum-tune rollback --yes", 1800)
        elif by == "apply":
            status, text = vm.run(APPLY, 1800)
        else:
            status, text = 0, "nothing had begun"
        words = [w for w in ("cut off; finishing it", "cut off; undoing it", "nothing had begun") if w in text]
        checks.equal(f"{vm.name}: booted, and {by} afterwards ({', '.join(words) or 'no word of a cut'})", status, 0)
        if status:
            print(text)
        if again:
            vm.reboot()
        if by == "apply":
            checks.equal(f"{vm.name}: plan", vm.run("civicum-tune plan")[0], 0)
        else:
            compare(checks, vm.name, stock(vm), before)
    except Exception as error:  # the others are to be told about too
        checks.equal(f"{vm.name}: {by}", str(error), "")
    finally:
        vm.close()


vm = Vm(image, cache="writeback", name="recorder").boot()
install(vm, binary)
before = stock(vm)
# The program and its profile are on the disk before the first cut.
vm.output("sync")
rollbacks = recoveries = max(1, count // 5)
chosen = spread(record(vm, APPLY, "apply"), max(1, count - rollbacks - recoveries))
boot = ["/boot/grub/grub.cfg", "/boot/initrd.img-" + vm.output("uname -r")]
checks.equal("GRUB finds on the disk what the kernel has", as_grub_reads(vm, boot),
             vm.output("sha256sum " + " ".join(boot)).split()[::2])
cut = chosen.pop(len(chosen) // 3)
chosen += spread(record(vm, "civicum-tune --verbose rollback --yes", "rollback"), rollbacks)
vm.power_cut()
# What is cut a second time is, where it is not, how the first one ends.
second = Vm(image, base=cut[1], cache="writeback", name="recovery").boot()
say(f"recovery: from a cut at {cut[2]!r}")
chosen += spread(record(second, APPLY, "recovery"), recoveries)
checks.equal("recovery: plan", second.run("civicum-tune plan")[0], 0)
second.power_cut()
with ThreadPoolExecutor(int(os.environ.get("CIVICUM_TUNE_AT_ONCE", 2))) as pool:
    for at, (name, copy, last) in enumerate(chosen, start=1):
        pool.submit(live_on, name, copy, last, ("apply", "rollback")[at % 2], at % 4 >= 2)
say(f"{len(chosen) + 1} power cuts")
checks.end()
