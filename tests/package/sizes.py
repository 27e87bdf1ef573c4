#!/usr/bin/env python3
"""sizes.py DEB: the sizes that docs/packages.md names are those of the package, within a tenth."""

import re
import subprocess
import sys
from pathlib import Path

deb = Path(sys.argv[1])
installed = subprocess.run(["dpkg-deb", "-f", deb, "Installed-Size"], check=True, capture_output=True, text=True).stdout
listed = subprocess.run(["dpkg-deb", "-c", deb], check=True, capture_output=True, text=True).stdout
program = next(line.split()[2] for line in listed.splitlines() if line.endswith(" ./usr/bin/civicum-tune"))
real = [deb.stat().st_size / 2**20, int(installed) / 2**10, int(program) / 2**20]
page = Path("docs/packages.md").read_text(encoding="utf-8")
told = re.search(r"It has ([\d.]+) MiB and takes ([\d.]+) MiB on the disk.*?, ([\d.]+) of them the program", page, re.DOTALL)
assert told, "the page does not tell the sizes any more"
for name, have, says in zip(("the package", "on the disk", "the program"), real, map(float, told.groups())):
    assert abs(have - says) <= have / 10, f"{name}: {have:.1f} MiB, and docs/packages.md says {says}"
    print(f"{name}: {have:.1f} MiB, told as {says}")
