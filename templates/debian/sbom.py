#!/usr/bin/env python3
"""sbom.py FOLDER RUST <CYCLONEDX >SBOM: what cargo-cyclonedx writes of the crate in FOLDER, with what cargo does not tell of (the C
that some crates carry, Rust's own library of version RUST, what musl's build has inside), and without the folder's name."""

import json
import sys

from bundled import OF_MUSL, carried

MUSL = "x86_64-unknown-linux-musl"
folder, rust = sys.argv[1:]
sbom = json.loads(sys.stdin.read().replace(f"path+file://{folder}#", "path+file:///civicum-tune#"))
program = sbom["metadata"]["component"]
edges = {edge["ref"]: edge for edge in sbom["dependencies"]}


def add(name, version, licence, description, purl, address, whose, target=None):
    """One library, and that it is in `whose`; for one target alone where that is named."""
    one = {"type": "library", "bom-ref": purl, "name": name, "description": description, "scope": "required",
           "licenses": [licence], "purl": purl, "externalReferences": [{"type": "vcs", "url": address}]}
    if version:
        one["version"] = version
    if target:
        one["properties"] = [{"name": "civicum-tune:only-in", "value": target}]
    sbom["components"].append(one)
    edges[whose]["dependsOn"] = [*edges[whose].get("dependsOn", []), purl]
    edges[purl] = {"ref": purl}


for crate in list(sbom["components"]):
    c = carried(crate["name"], crate["version"])
    if c:
        name, version, licence, _, repository = c
        add(name, version, {"license": {"id": licence}}, f"In C, compiled into the program by {crate['name']}",
            f"pkg:github/{repository}@v{version}", f"https://github.com/{repository}", crate["bom-ref"])
add("rust-std", rust, {"expression": "MIT OR Apache-2.0"}, "Rust's standard library, as it came with the compiler",
    f"pkg:github/rust-lang/rust@{rust}", "https://github.com/rust-lang/rust", program["bom-ref"])
for name, _, licence, _, address in OF_MUSL:
    # No file of it tells its version, which that of Rust's library decides.
    add(name, None, {"expression": licence}, f"In Rust's own library {rust} for musl",
        f"pkg:generic/{name}", address, program["bom-ref"], MUSL)
sbom["dependencies"] = list(edges.values())
# Beside the target that cargo-cyclonedx was asked for.
sbom["metadata"]["properties"] += [{"name": "cdx:rustc:sbom:target:triple", "value": MUSL}]
json.dump(sbom, sys.stdout, indent=2)
print()
