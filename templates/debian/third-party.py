#!/usr/bin/env python3
"""third-party.py [--musl] <METADATA >NOTICES: the licences of the program itself, the libraries whose code is in it, and the words of
all their licences, each once.

METADATA is what `cargo metadata --format-version 1 --locked --filter-platform TARGET` prints; --musl says that the C library is
in the program as well. Free licences ask that their words go with the program: a library without any gets the standard ones of
the licence that it names, and one for which there are none ends this with an error."""

import json
import re
import sys
from pathlib import Path

from bundled import OF_MUSL, carried, linked

OWN = Path(__file__).parents[2] / "docs/licenses"
WORDS = re.compile(r"^(LICEN[CS]E|COPYING|NOTICE|COPYRIGHT|UNLICENSE)([-._].*)?$", re.IGNORECASE)


def read(file):
    return file.read_text(encoding="utf-8", errors="replace").strip()


def words(package):
    folder = Path(package["manifest_path"]).parent
    files = sorted(file for file in folder.iterdir() if file.is_file() and WORDS.match(file.name))
    if package.get("license_file"):
        files.append(folder / package["license_file"])
    return [read(file) for file in dict.fromkeys(files)]


def expat():
    """The standard words of the MIT licence: those that our own copyright file has."""
    paragraph = re.search(r"^License: Expat\n((?: .*\n)+)", read(Path(__file__).with_name("copyright")), re.MULTILINE)[1]
    return "\n".join("" if line == " ." else line[1:] for line in paragraph.splitlines())


def apache(texts):
    """The words of the Apache licence have no name in them: those that another library came with."""
    whole = [text for text in texts if re.match(r"\s*Apache License\s+Version 2\.0, January 2004", text)]
    return min(whole, key=len, default=None)


def standard(name, licence, holder, texts):
    if "MIT" in licence.split():
        return f"MIT License\n\nCopyright (c) {holder}\n\n{expat()}"
    text = apache(texts) if "Apache-2.0" in licence.split() else None
    return text or sys.exit(f"{name} comes without the words of its licence, {licence}, and there are none here")


def main():
    metadata = json.load(sys.stdin)
    found = linked(metadata)
    own = next(package for package in metadata["packages"] if package["id"] == metadata["resolve"]["root"])
    texts = {}

    def number(text):
        return texts.setdefault(text, len(texts) + 1)

    # (what it is, its words or nothing, licence, who holds the rights)
    parts = []
    for package in found:
        title = f"{package['name']} {package['version']}, {package['license']}, {package['repository'] or 'no address'}"
        holder = ", ".join(package["authors"]) or f"the authors of {package['name']} ({package['repository'] or 'no address'})"
        parts.append((title, words(package), package["license"], holder))
        c = carried(package["name"], package["version"])
        if c:
            name, version, licence, file, repository = c
            text = read(Path(package["manifest_path"]).parent / file)
            parts.append((f"{name} {version} (in C, in {package['name']}), {licence}, https://github.com/{repository}", [text], licence, ""))
    parts.append(("Rust's standard library, MIT OR Apache-2.0, https://github.com/rust-lang/rust", [], "MIT", "The Rust Project contributors"))
    if "--musl" in sys.argv[1:]:
        parts += [(f"{title}, {licence}, {address}", [], licence, holder) for _, title, licence, holder, address in OF_MUSL]
    ours = [number(read(OWN / name)) for name in ("LICENSE-MIT", "LICENSE-APACHE")]
    for _, of_it, _, _ in parts:
        for text in of_it:
            number(text)
    print(f"civicum-tune {own['version']}, {own['license']}, at your option  {ours}\n")
    print(f"The code of these {len(parts)} libraries is in it. A number says which of the texts below goes with each; where one came")
    print("without any words, it is the standard text of the licence that it names.\n")
    for title, of_it, licence, holder in parts:
        numbers = [number(text) for text in of_it] or [number(standard(title, licence, holder, list(texts)))]
        print(f"{title}  {numbers}")
        if holder:
            print(f"    by {holder}")
    for text, which in texts.items():
        print(f"\n{'=' * 40} [{which}]\n{text}")


main()
