#!/bin/bash
# run.sh: what a release consists of, made of the program in target/release, and hosts on which it comes, is upgraded and goes. The
# tools that make it are built once. Needs root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
cd "$top"
target=${CARGO_TARGET_DIR:-$top/target}
dist=$target/dist

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
logged=$(sed -n '1s/.*(\(.*\)).*/\1/p' templates/debian/changelog)
[ "$logged" = "$version-1" ] || { echo "FAIL  templates/debian/changelog is of $logged, and Cargo.toml of $version"; exit 1; }

./package.sh --no-build deb
first=$(sha256sum "$dist"/*.deb)
./package.sh --no-build deb sbom
[ "$first" = "$(sha256sum "$dist"/*.deb)" ] || { echo "FAIL  two packages of one program differ"; exit 1; }
echo "ok    made twice, the package has the same bytes"
(cd "$dist" && sha256sum --check --quiet SHA256SUMS)
echo "ok    the checksums are those of the files"
python3 "$here/sbom.py" "$dist/civicum-tune-$version.cdx.json"
"$here/debian.sh" "$dist"/*.deb
"$here/first_steps.sh" "$dist"/*.deb
