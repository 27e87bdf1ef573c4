#!/usr/bin/env python3
"""third-party.py <METADATA >NOTICES: the libraries whose code is in the program, and the words of their licences, each once.

METADATA is what `cargo metadata --format-version 1 --locked --filter-platform TARGET` prints. Free licences ask that their words
go with the program."""

import json
import re
import sys
from pathlib import Path

WORDS = re.compile(r"^(LICEN[CS]E|COPYING|NOTICE|COPYRIGHT|UNLICENSE)([-._].*)?$", re.IGNORECASE)


def linked(metadata):
    """What ends in the program: reached over normal dependencies alone, and no macro that only the compiler runs."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    packages = {package["id"]: package for package in metadata["packages"]}
    own = metadata["resolve"]["root"]
    seen, left = set(), [own]
    while left:
        here = left.pop()
        macro = any("proc-macro" in target["kind"] for target in packages[here]["targets"])
        if here in seen or macro:
            continue
        seen.add(here)
        left += [dep["pkg"] for dep in nodes[here]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
    return sorted((packages[one] for one in seen - {own}), key=lambda package: (package["name"], package["version"]))


def words(package):
    folder = Path(package["manifest_path"]).parent
    files = sorted(file for file in folder.iterdir() if file.is_file() and WORDS.match(file.name))
    if package.get("license_file"):
        files.append(folder / package["license_file"])
    return [file.read_text(encoding="utf-8", errors="replace").strip() for file in dict.fromkeys(files)]


def main():
    found = linked(json.load(sys.stdin))
    texts = {}
    print(f"The code of these {len(found)} libraries is in civicum-tune. A number says which of the texts below came with it.\n")
    for package in found:
        numbers = [texts.setdefault(text, len(texts) + 1) for text in words(package)]
        print(f"{package['name']} {package['version']}, {package['license']}, {package['repository'] or 'no address'}"
              f"  {numbers or ''}")
        if package["authors"]:
            print(f"    by {', '.join(package['authors'])}")
    for text, number in texts.items():
        print(f"\n{'=' * 40} [{number}]\n{text}")


main()
