#!/usr/bin/env python3
"""page.py PAGE SECTION FILE LOAD SECONDS: puts what a section measured into the page, and leaves the other sections as they are.

Each section names the machine that it was measured on: processor, memory, kernel, and how busy it was before. Names of hosts, folders and
users stay out of it."""

import datetime
import os
import platform
import re
import sys
from pathlib import Path

SECTIONS = {
    "start": ("The command line", "tests/bench/start.sh"),
    "bench": ("One machine, by `civicum-tune bench`", "civicum-tune bench --quick"),
    "queue": ("The queue", "tests/bench/queue/run.sh"),
    "chaos": ("The queue, while everything is killed", "tests/bench/queue/chaos.py"),
    "ocr": ("Reading", "tests/bench/ocr/run.sh"),
    "supervise": ("The supervisor", "tests/whole/run.sh"),
    "deploy": ("Containers", "tests/bench/deploy.sh"),
    "audits": ("Audits", "tests/vm/audits.py"),
    "evidence": ("Who survives", "tests/vm/evidence.py"),
}
HEAD = """# How long it takes

Written by `tests/bench/all.sh`, which measures all of it again, or the sections that it is told. Each says on which machine and
how busy that was: figures of different sections are not for comparing.
"""
MARK = re.compile(r"<!-- section (\w+) -->\n(.*?)<!-- end \1 -->\n", re.S)


def machine(load):
    info = Path("/proc/cpuinfo").read_text()
    cpu = re.search(r"^model name\s*: (.*)$", info, re.M)
    memory = int(re.search(r"^MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text(), re.M)[1]) / 2**20
    kernel = re.match(r"[\d.]+", platform.release())[0]
    return f"{cpu[1] if cpu else platform.machine()}, {len(os.sched_getaffinity(0))} processors, {memory:.1f} GiB, Linux {kernel}; load before: {load}"


def clean(text):
    """Without folders of this machine."""
    top = str(Path(__file__).resolve().parents[2])
    return text.replace(top, "…").replace(str(Path.home()), "~")


def main():
    page, section, file, load, seconds = Path(sys.argv[1]), *sys.argv[2:6]
    old = page.read_text() if page.exists() else ""
    found = dict(MARK.findall(old))
    title, script = SECTIONS[section]
    text = clean(Path(file).read_text()).strip()
    if not text:
        sys.exit(f"{section} printed nothing")
    day = datetime.date.today().isoformat()
    found[section] = f"\n## {title}\n\n`{script}`, {day}, {seconds} s: {machine(load)}.\n\n{text}\n\n"
    body = "".join(f"<!-- section {name} -->\n{found[name]}<!-- end {name} -->\n" for name in SECTIONS if name in found)
    new = page.with_suffix(".new")
    new.write_text(f"{HEAD}\n{body}")
    new.replace(page)


if __name__ == "__main__":
    main()
