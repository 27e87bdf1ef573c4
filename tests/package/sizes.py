#!/usr/bin/env python3
"""sizes.py DEB: the sizes that docs/packages.md names are those of the package, within a tenth, and so is the C library it asks for."""

import re
import subprocess
import sys
from pathlib import Path

deb = Path(sys.argv[1])
installed = subprocess.run(["dpkg-deb", "-f", deb, "Installed-Size"], check=True, capture_output=True, text=True).stdout
listed = subprocess.run(["dpkg-deb", "-c", deb], check=True, capture_output=True, text=True).stdout
program = next(line.split()[2] for line in listed.splitlines() if line.endswith(" ./usr/bin/civicum-tune"))
real = [deb.stat().st_size / 2**20, int(installed) / 2**10, int(program) / 2**20]
page = " ".join(Path("docs/packages.md").read_text(encoding="utf-8").split())
told = re.search(r"It has ([\d.]+) MiB and takes ([\d.]+) MiB on the disk.*?, ([\d.]+) of them the program", page)
assert told, "the page does not tell the sizes any more"
for name, have, says in zip(("the package", "on the disk", "the program"), real, map(float, told.groups())):
    assert abs(have - says) <= have / 10, f"{name}: {have:.1f} MiB, and docs/packages.md says {says}"
    print(f"{name}: {have:.1f} MiB, told as {says}")
needs = subprocess.run(["dpkg-deb", "-f", deb, "Depends"], check=True, capture_output=True, text=True).stdout
libc, promised = re.search(r"libc6 \(>= ([\d.]+)\)", needs), re.search(r"on the C library \(([\d.]+) or later\)", page)
assert libc and promised, f"no C library in {needs!r}, or none on the page"
as_numbers = [[int(part) for part in one[1].split(".")] for one in (libc, promised)]
assert as_numbers[0] <= as_numbers[1], f"it asks for libc6 {libc[1]}, and docs/packages.md says {promised[1]}"
print(f"the C library: {libc[1]}")
