"""llm.py CORPUS MIB LOG: stands for the language model. All of its memory is read once for each token, as a model on the
CPU reads all its weights; a sixteenth of it (the context) is written too. A line for each token: when, how long it took in
milliseconds, and the longest of its touches (64 pages each)."""

import sys
import time

size = int(sys.argv[2]) << 20
log = open(sys.argv[3], "a", buffering=1)
print(f"start {time.time():.3f}", file=log)

# Read in place: a copy on the side would count against the container's limit too.
memory = bytearray(size)
view = memoryview(memory)
with open(sys.argv[1], "rb", buffering=0) as corpus:
    place = 0
    while place < size:
        done = corpus.readinto(view[place:place + (1 << 20)])
        if not done:
            corpus.seek(0)
        place += done
view.release()
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
