"""corpus.py OUT MIB RANDOM: memory as programs have it. RANDOM per cent of the pages are random bytes (quantised weights,
images: they don't compress), the others are taken evenly from the programs, libraries and texts of this machine."""

import os
import sys

pages = int(sys.argv[2]) * 256
share = int(sys.argv[3])
files = []
for top in ("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/share"):
    for folder, _, names in os.walk(top):
        for name in sorted(names):
            path = f"{folder}/{name}"
            if not os.path.islink(path) and os.path.isfile(path) and os.path.getsize(path) >= 4096:
                files.append((path, os.path.getsize(path) // 4096))
files.sort()
total = sum(count for _, count in files)
wanted = pages * (100 - share) // 100
taken, seen = [], 0
for path, count in files:
    with open(path, "rb") as file:
        # The page at each multiple of total / wanted.
        first = -(-seen * wanted // total)
        while first < (seen + count) * wanted / total:
            file.seek((first * total // wanted - seen) * 4096)
            page = file.read(4096)
            if len(page) == 4096:
                taken.append(page)
            first += 1
    seen += count
with open(sys.argv[1], "wb") as out:
    given = 0
    for index in range(pages):
        # A stride prime to the number of pages, so that neighbours come from different files.
        if (index * share) % 100 < share or not taken:
            out.write(os.urandom(4096))
        else:
            out.write(taken[given * 7919 % len(taken)])
            given += 1
