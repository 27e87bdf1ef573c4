#!/usr/bin/env python3
"""cuts.py BINARY IMAGE [N]: the power goes in the middle of an apply, N times at different moments. Each time the
machine must boot, the next apply must end well, and a rollback must give the stock host back."""

import random
import subprocess
import sys
import time

from host import compare, install, stock
from vm import Checks, Vm, say

binary, image = sys.argv[1:3]
count = int(sys.argv[3]) if len(sys.argv) > 3 else 6
checks = Checks()

# One prepared disk, the base of every other: the program is on it, and it was shut down in order.
prepared = Vm(image, name="prepared").boot()
install(prepared, binary)
before = stock(prepared)
begin = time.monotonic()
checks.equal("an apply without a cut", prepared.run("civicum-tune apply --yes --profile /root/vm.toml", 900)[0], 0)
whole = time.monotonic() - begin
checks.equal("and its rollback", prepared.run("civicum-tune rollback --yes", 900)[0], 0)
prepared.output("rm -rf /var/lib/civicum-tune; sync")
before = stock(prepared)
prepared.shutdown()
say(f"an apply takes {whole:.1f} s")

seed = 20260222
chance = random.Random(seed)
for number in range(count):
    # Spread over the whole apply, each in its own part of it; half of them in the first two seconds, where the files are.
    share = (number + chance.random()) / count
    moment = share * 2 * 2.0 if share < 0.5 else 2.0 + (share - 0.5) * 2 * (whole - 2.0)
    vm = Vm(image, base=prepared.disk, cache="writethrough", name=f"cut-{number + 1}")
    vm.boot()
    apply = subprocess.Popen(vm.ssh() + ["civicum-tune apply --yes --profile /root/vm.toml"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    time.sleep(moment)
    vm.power_cut()
    apply.kill()
    said = apply.communicate()[0].decode(errors="replace").strip().splitlines()
    say(f"{vm.name}: power cut after {moment:.2f} s; last word: {said[-1] if said else '-'}")
    vm.boot()
    history = vm.run("civicum-tune history")[1].strip().splitlines()[-1]
    say(f"{vm.name}: {history}")
    status, text = vm.run("civicum-tune apply --yes --profile /root/vm.toml", 900)
    checks.equal(f"{vm.name}: apply afterwards", status, 0)
    if status:
        print(text)
    for word in ("cut off; finishing it", "cut off; undoing it"):
        if word in text:
            say(f"{vm.name}: {word}")
    status, text = vm.run("civicum-tune rollback 1 --yes", 900)
    checks.equal(f"{vm.name}: rollback", status, 0)
    if status:
        print(text)
    compare(checks, vm.name, stock(vm), {**before, "zswap": before["zswap"]})
    vm.close()
prepared.close()
checks.end()
