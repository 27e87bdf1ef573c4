#!/usr/bin/env python3
"""notices.py FILE: each library that the program is built of stands in the list of licences, with words that are there; the C that
some carry as well."""

import re
import subprocess
import sys
from pathlib import Path

text = Path(sys.argv[1]).read_text(encoding="utf-8")
listed = dict(re.findall(r"^(\S+ \S+?)(?:,| \(in C).*  \[([\d, ]+)\]$", text, re.MULTILINE))
headings = re.findall(r"^={40} \[(\d+)\]\n(.*)", text, re.MULTILINE)
tree = subprocess.run(
    ["cargo", "tree", "--locked", "--offline", "--edges", "normal,no-proc-macro", "--prefix", "none",
     "--target", "x86_64-unknown-linux-gnu", "--format", "{p}"], check=True, capture_output=True, text=True).stdout
linked = {f"{words[0]} {words[1].removeprefix('v')}" for words in map(str.split, tree.splitlines()) if words}
linked = {one for one in linked if not one.startswith("civicum-tune ")}
own = Path("docs/licenses")
assert re.match(r"civicum-tune \S+, MIT OR Apache-2\.0, at your option  \[1, 2\]\n", text), f"not its own licence first: {text[:80]}"
for name in ("LICENSE-MIT", "LICENSE-APACHE"):
    assert (own / name).read_text(encoding="utf-8").strip() in text, f"{name} is missing"
assert len(linked) > 100, f"cargo names {len(linked)} libraries"
assert not linked - listed.keys(), f"without words: {linked - listed.keys()}"
texts = {number for number, _ in headings}
pointed = {number for numbers in listed.values() for number in numbers.split(", ")}
assert pointed <= texts, f"not there: {pointed - texts}"
carried = {}
for package in linked:
    name, _, version = package.partition(" ")
    of = re.match(r"[^+]*\+([a-z0-9]+)[-.](\d.*)$", version) if name.endswith("-sys") else None
    if of:
        carried[f"{of[1]} {of[2]}"] = name
assert carried, "no crate carries C: is this still so?"
for c, crate in carried.items():
    assert f"{c} (in C, in {crate})" in text, f"{c} of {crate} is not named"
for holder in ("Yann Collet", "Meta Platforms"):
    assert holder in text, f"the words of {holder}'s are missing"
print(f"{len(linked)} libraries and {sorted(carried)}, {len(texts)} texts")
