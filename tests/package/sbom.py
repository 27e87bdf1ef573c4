#!/usr/bin/env python3
"""sbom.py FILE: the list of what is inside is one of CycloneDX's, names each library that the program is built of, with its
licence and its version in Cargo.lock, the C that some carry, Rust's own library and what musl's build has inside, and holds nothing that changes from one run to the next."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

sbom = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
lock = tomllib.loads(Path("Cargo.lock").read_text(encoding="utf-8"))
assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.5"), sbom["specVersion"]
assert "serialNumber" not in sbom, "a serial number changes from run to run"
compiler = subprocess.run([os.environ.get("RUSTC", "rustc"), "--version"], check=True, capture_output=True, text=True).stdout.split()[1]
besides = {("rust-std", compiler), ("musl", None), ("libunwind", None)}
found = {(one["name"], one.get("version")) for one in sbom["components"]}
assert besides <= found, f"not listed: {besides - found}"
musl = "x86_64-unknown-linux-musl"
only = {one["name"] for one in sbom["components"] if {"name": "civicum-tune:only-in", "value": musl} in one.get("properties", [])}
assert only == {"musl", "libunwind"}, only
found -= besides
targets = [one["value"] for one in sbom["metadata"]["properties"] if one["name"] == "cdx:rustc:sbom:target:triple"]
assert targets == ["x86_64-unknown-linux-gnu", musl], targets
locked = {(one["name"], one["version"]) for one in lock["package"]}
# 1.11.1+lz4-1.10.0, 2.1.3+zstd.1.5.7: what a crate carries beside its own code.
carried = {(of[1], of[2]) for name, version in found & locked if name.endswith("-sys")
           and (of := re.match(r"[^+]*\+([a-z0-9]+)[-.](\d.*)$", version))}
assert carried and carried <= found, f"C that is not listed: {carried - found}"
assert found - carried <= locked, f"not in Cargo.lock: {found - carried - locked}"
edges = {edge["ref"]: edge.get("dependsOn", []) for edge in sbom["dependencies"]}
refs = {one["bom-ref"] for one in sbom["components"]} | {sbom["metadata"]["component"]["bom-ref"]}
assert edges.keys() <= refs and all(set(to) <= refs for to in edges.values()), "a dependency that is no component"


def linked_for(target):
    tree = subprocess.run(
        ["cargo", "tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--target", target, "--format", "{p}"],
        check=True, capture_output=True, text=True).stdout
    names = {(words[0], words[1].removeprefix("v")) for words in map(str.split, tree.splitlines()) if words}
    return {one for one in names if one[0] != "civicum-tune"}


linked = linked_for("x86_64-unknown-linux-gnu")
assert linked == linked_for(musl), "the two programs are not made of the same libraries any more: one list can't speak for both"
assert linked <= found, f"not listed: {linked - found}"
without = [one["name"] for one in sbom["components"] if not one.get("licenses") or not one.get("purl")]
assert not without, f"without a licence or an address: {without}"
print(f"ok    the SBOM lists {len(found)} libraries, {sorted(carried)} and all {len(linked)} that the program is built of among them")
