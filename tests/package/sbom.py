#!/usr/bin/env python3
"""sbom.py FILE: the list of what is inside is one of CycloneDX's, names each library that the program is built of, with its
licence and its version in Cargo.lock, and holds nothing that changes from one run to the next."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

sbom = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
lock = tomllib.loads(Path("Cargo.lock").read_text(encoding="utf-8"))
assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.5"), sbom["specVersion"]
assert "serialNumber" not in sbom, "a serial number changes from run to run"
found = {(one["name"], one["version"]) for one in sbom["components"]}
locked = {(one["name"], one["version"]) for one in lock["package"]}
assert found <= locked, f"not in Cargo.lock: {found - locked}"
tree = subprocess.run(
    ["cargo", "tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--target", "x86_64-unknown-linux-gnu",
     "--format", "{p}"], check=True, capture_output=True, text=True).stdout
linked = {(words[0], words[1].removeprefix("v")) for words in map(str.split, tree.splitlines()) if words}
linked = {one for one in linked if one[0] != "civicum-tune"}
assert linked <= found, f"not listed: {linked - found}"
without = [one["name"] for one in sbom["components"] if not one.get("licenses") or not one.get("purl")]
assert not without, f"without a licence or an address: {without}"
print(f"ok    the SBOM lists {len(found)} libraries, all {len(linked)} that the program is built of among them")
