#!/usr/bin/env python3
"""sbom.py FOLDER <CYCLONEDX >SBOM: what cargo-cyclonedx writes of the crate in FOLDER, with the C that some crates carry, and
without the folder's name."""

import json
import sys

from bundled import carried

sbom = json.loads(sys.stdin.read().replace(f"path+file://{sys.argv[1]}#", "path+file:///civicum-tune#"))
for crate in list(sbom["components"]):
    c = carried(crate["name"], crate["version"])
    if not c:
        continue
    name, version, licence, _, repository = c
    purl = f"pkg:github/{repository}@v{version}"
    sbom["components"].append({
        "type": "library", "bom-ref": purl, "name": name, "version": version,
        "description": f"In C, compiled into the program by {crate['name']}", "scope": "required",
        "licenses": [{"license": {"id": licence}}], "purl": purl,
        "externalReferences": [{"type": "vcs", "url": f"https://github.com/{repository}"}],
    })
    edges = next(one for one in sbom["dependencies"] if one["ref"] == crate["bom-ref"])
    edges["dependsOn"] = [*edges.get("dependsOn", []), purl]
    sbom["dependencies"].append({"ref": purl})
json.dump(sbom, sys.stdout, indent=2)
print()
