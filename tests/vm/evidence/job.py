"""job.py CORPUS MIB SECONDS LOG: a job of the system (an upgrade, a backup) that takes MIB of memory for some seconds."""

import sys
import time

corpus = open(sys.argv[1], "rb").read()
log = open(sys.argv[4], "a", buffering=1)
begin = time.monotonic()
print(f"start {time.time():.3f}", file=log)
taken = []
while len(taken) * 4 < int(sys.argv[2]):
    place = len(taken) * (4 << 20) % len(corpus)
    taken.append(bytearray(corpus[place:place + (4 << 20)]))
print(f"filled {time.time():.3f}", file=log)
while time.monotonic() < begin + int(sys.argv[3]):
    for one in taken:
        one[::4096]
    time.sleep(0.5)
print(f"end {time.time():.3f}", file=log)
