#!/bin/bash
# run.sh [FOLDER]: what a release consists of, but for the static program, made into FOLDER, and hosts on which it comes, is upgraded
# and goes. The tools that make it are built once. Needs root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
cd "$top"
target=${CARGO_TARGET_DIR:-$top/target}
made=$(realpath -m "${1:-$target/tested/made/deb}")
export LC_ALL=C.UTF-8
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# expect WHAT COMMAND…
expect() {
  local what=$1
  shift
  if "$@" >"$work/out" 2>&1; then
    echo "ok    $what"
  else
    echo "FAIL  $what"
    cat "$work/out"
    exit 1
  fi
}
# ends STATUS COMMAND…
ends() {
  local status=0
  "${@:2}" || status=$?
  [ "$status" -eq "$1" ]
}
here_is() { [ "$(cd "$made" && echo *)" = "$*" ]; }
nowhere() { ! grep -aqF -e "$1" "$2"; }

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
logged=$(sed -n '1s/.*(\(.*\)).*/\1/p' templates/debian/changelog)
[ "$logged" = "$version-1" ] || { echo "FAIL  templates/debian/changelog is of $logged, and Cargo.toml of $version"; exit 1; }
deb=civicum-tune_$version-1_amd64.deb sbom=civicum-tune-$version.cdx.json

./package.sh --into "$made" deb
expect "no folder of this machine's stands in the program: cargo's" nowhere "${CARGO_HOME:-$HOME/.cargo}/" "$target/release/civicum-tune"
expect "nor that of the sources" nowhere "$top/" "$target/release/civicum-tune"
first=$(sha256sum "$made/$deb")
# What an earlier release left, and a file of somebody's.
touch "$made/civicum-tune_0.0.1-1_amd64.deb" "$made/civicum-tune-0.0.1-x86_64-linux-musl" "$made/notes"
./package.sh --no-build --into "$made" deb sbom
expect "what lies there is of this run, but for what is none of ours" here_is SHA256SUMS "$sbom" "$deb" notes
rm "$made/notes"
expect "made twice, the package has the same bytes" [ "$first" = "$(sha256sum "$made/$deb")" ]
sums() { (cd "$made" && sha256sum --check --strict --quiet SHA256SUMS) && [ "$(wc -l <"$made/SHA256SUMS")" -eq "$1" ]; }
expect "the checksums are those of the files, and of each" sums 2
mkdir "$work/none"
expect "a part that can't be made is told of" ends 2 env CARGO_TARGET_DIR="$work/none" ./package.sh --no-build --into "$work/part" static sbom
cp "$work/out" "$work/said"
expect "by name" grep -q 'could not be made, see above: static' "$work/said"
expect "and the others are made, with their checksums" grep -q "  $sbom\$" "$work/part/SHA256SUMS"
expect "and nothing of it stays" [ "$(cd "$work/part" && echo *)" = "SHA256SUMS $sbom" ]
expect "the licences of what is inside go with it" python3 "$here/notices.py" <(dpkg-deb --fsys-tarfile "$made/$deb" | tar -xO ./usr/share/doc/civicum-tune/third-party.txt.gz | gunzip)
python3 "$here/sbom.py" "$made/$sbom"
expect "docs/packages.md tells its size" python3 "$here/sizes.py" "$made/$deb"
"$here/debian.sh" "$made/$deb" bookworm
"$here/debian.sh" "$made/$deb" trixie
"$here/first_steps.sh" "$made/$deb"
