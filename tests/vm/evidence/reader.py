"""reader.py FILE RATE: reads a file again and again, RATE MiB a second: documents and logs that want to be page cache."""

import sys
import time

rate = int(sys.argv[2])
while True:
    with open(sys.argv[1], "rb", buffering=0) as file:
        begin, done = time.monotonic(), 0
        while file.read(1 << 20):
            done += 1
            time.sleep(max(0.0, begin + done / rate - time.monotonic()))
