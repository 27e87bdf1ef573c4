"""sampler.py IDS LOG: once a second what the kernel counts, as name=value; IDS has a line "name id" for each container."""

import os
import sys
import time

ZSWAP = "/sys/kernel/debug/zswap"
FILES = ["current", "swap.current", "zswap.current"]
containers = [line.split() for line in open(sys.argv[1])]
log = open(sys.argv[2], "a", buffering=1)


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


while True:
    found = [f"time={time.time():.3f}"]
    for line in read("/proc/vmstat").splitlines():
        name, value = line.split()
        if name.startswith(("pswp", "zsw", "pgmajfault", "oom_kill", "workingset_refault", "pgsteal_direct", "allocstall_normal")):
            found.append(f"{name}={value}")
    for line in read("/proc/meminfo").splitlines():
        name, value = line.split()[:2]
        if name in ("MemTotal:", "MemAvailable:", "MemFree:", "SwapTotal:", "SwapFree:", "Zswap:", "Zswapped:", "Cached:"):
            found.append(f"{name[:-1]}={value}")
    for line in read("/proc/pressure/memory").splitlines():
        found.append(f"psi_{line.split()[0]}={line.rsplit('=', 1)[1]}")
    if os.path.isdir(ZSWAP):
        for name in os.listdir(ZSWAP):
            found.append(f"zswap_{name}={read(f'{ZSWAP}/{name}').strip()}")
    for name, container in containers:
        for file in FILES:
            value = read(f"/sys/fs/cgroup/system.slice/docker-{container}.scope/memory.{file}").strip()
            if value:
                found.append(f"{name}_{file}={value}")
    print(*found, file=log)
    time.sleep(1)
