"""llm.py CORPUS MIB LOG: stands for the language model. All of its memory is read once for each token, as a model on the
CPU reads all its weights; a sixteenth of it (the context) is written too. A line for each token: when, how long it took in
milliseconds, and the longest of its touches (64 pages each)."""

import sys
import time

corpus = open(sys.argv[1], "rb").read()
size = int(sys.argv[2]) << 20
log = open(sys.argv[3], "a", buffering=1)
print(f"start {time.time():.3f}", file=log)

memory = bytearray(size)
for place in range(0, size, len(corpus)):
    piece = min(len(corpus), size - place)
    memory[place:place + piece] = memory[:piece] if piece < len(corpus) else corpus
del corpus
print(f"loaded {time.time():.3f}", file=log)

TOUCH = 64 * 4096
ones = bytes(64)
clock = time.perf_counter
while True:
    longest = 0.0
    begin = last = clock()
    for place in range(0, size, TOUCH):
        end = place + TOUCH
        memory[place:end:4096]
        if place < size >> 4:
            memory[place:end:4096] = ones
        now = clock()
        if now - last > longest:
            longest = now - last
        last = now
    print(f"token {time.time():.3f} {(last - begin) * 1000:.1f} {longest * 1000:.1f}", file=log)
    time.sleep(0.2)
