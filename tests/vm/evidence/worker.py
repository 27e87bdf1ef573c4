"""worker.py CORPUS BASE RATE LOG: stands for an OCR worker with a leak. BASE MiB are in use all the time; RATE MiB a second
are allocated, filled and never looked at again, until something ends it. A line for each 16 MiB."""

import sys
import time

corpus = open(sys.argv[1], "rb").read()
base, rate = int(sys.argv[2]), int(sys.argv[3])
log = open(sys.argv[4], "a", buffering=1)
print(f"start {time.time():.3f}", file=log)

in_use = bytearray((corpus * (base // (len(corpus) >> 20) + 1))[:base << 20])
leaked = []
step, begin = 2 << 20, time.monotonic()
while True:
    place = len(leaked) * step % (len(corpus) - step)
    leaked.append(bytearray(corpus[place:place + step]))
    in_use[::4096]
    if len(leaked) % 8 == 0:
        print(f"leaked {time.time():.3f} {len(leaked) * step >> 20}", file=log)
    # Behind its time it does not hurry: a stall makes it leak less.
    time.sleep(max(0.0, begin + 1 / (rate / 2) - time.monotonic()))
    begin = time.monotonic()
