#!/bin/bash
# Makes what a release consists of, in target/dist: the Debian package, the static binary, the list of what is inside (SBOM),
# and the checksums of them all.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=.ci/lib.sh
. "$top/.ci/lib.sh"

usage() {
  cat <<'U'
Usage: ./package.sh [--no-build] [deb] [static] [sbom]

Makes in target/dist, without a name all three:
  deb     civicum-tune_VERSION-1_amd64.deb, for Debian 12, Ubuntu 22.04 and later
  static  civicum-tune-VERSION-x86_64-linux-musl, which needs no C library (and has no PP-OCR)
  sbom    civicum-tune-VERSION.cdx.json: every library in the program, as CycloneDX 1.5
and SHA256SUMS over what is there.

  --no-build  package the programs that target/release and target/x86_64-unknown-linux-musl/release hold
  --help      this text

The same commit, compiler and folder give the same bytes: times are those of SOURCE_DATE_EPOCH (default: of the last commit).
U
}

build=true parts=()
for word in "$@"; do
  case $word in
    --no-build) build=false ;;
    --help | -h) usage; exit 0 ;;
    deb | static | sbom) parts+=("$word") ;;
    *) usage >&2; fail "unknown: $word" ;;
  esac
done
if [ ${#parts[@]} -eq 0 ]; then parts=(deb static sbom); fi
wanted() { [[ " ${parts[*]} " == *" $1 "* ]]; }

cd "$top"
target=${CARGO_TARGET_DIR:-$top/target}
dist=$target/dist
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
musl=x86_64-unknown-linux-musl
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
export LC_ALL=C.UTF-8

# tool NAME VERSION: a program that cargo installs, once; its path.
tools=${CIVICUM_TUNE_CACHE:-$HOME/.cache/civicum-tune}/tools
tool() {
  local root=$tools/$1-$2
  if [ ! -x "$root/bin/$1" ]; then
    say "building $1 $2 (once)"
    # Not for the crate's own toolchain and flags: a tool is a tool.
    (cd / && "$CARGO" install --quiet --locked --root "$root" "$1@$2") >&2 || fail "cargo could not install $1 $2"
  fi
  echo "$root/bin/$1"
}

# What people read of the program, made by the program itself.
pages() {
  local own=$target/release/civicum-tune made=$target/release/package
  rm -rf "$made"
  mkdir -p "$made/completions" "$made/man"
  "$own" completions bash >"$made/completions/civicum-tune"
  "$own" completions zsh >"$made/completions/_civicum-tune"
  "$own" completions fish >"$made/completions/civicum-tune.fish"
  "$own" man --out "$made/man"
  gzip -9n "$made"/man/*
  "$CARGO" metadata --format-version 1 --locked --filter-platform x86_64-unknown-linux-gnu |
    python3 templates/debian/third-party.py | gzip -9n >"$made/third-party.txt.gz"
  gzip -9n <docs/CHANGELOG.md >"$made/changelog.gz"
}

make_deb() {
  local cargo_deb
  command -v dpkg-shlibdeps >/dev/null || packages dpkg-dev
  cargo_deb=$(tool cargo-deb 3.8.0)
  if $build; then "$CARGO" build --release --locked --quiet; fi
  pages
  rm -f "$dist"/civicum-tune_*.deb
  PATH="$(dirname "$CARGO"):$PATH" "$cargo_deb" --no-build --no-strip --quiet --output "$dist/" >/dev/null
}

make_static() {
  local made
  if [ -z "$(find "$("$RUSTC" --print sysroot)/lib/rustlib/$musl/lib" -name 'libstd-*.rlib' 2>/dev/null)" ]; then
    command -v rustup >/dev/null || fail "the static program needs Rust's own library for $musl; rustup brings it: rustup target add $musl"
    rustup --quiet target add "$musl" || fail "rustup could not bring Rust's library for $musl"
  fi
  if $build; then "$CARGO" build --release --locked --quiet --target "$musl"; fi
  made=$dist/civicum-tune-$version-x86_64-linux-musl
  install -m 755 "$target/$musl/release/civicum-tune" "$made"
}

# No part of it changes from one run to the next, nor with the folder: no serial number, the time of the commit.
make_sbom() {
  local cyclonedx made=$dist/civicum-tune-$version.cdx.json
  cyclonedx=$(tool cargo-cyclonedx 0.5.9)
  PATH="$(dirname "$CARGO"):$PATH" "$cyclonedx" cyclonedx --quiet --format json --spec-version 1.5 --no-build-deps \
    --target x86_64-unknown-linux-gnu --override-filename civicum-tune.cdx
  sed "s|path+file://$top#|path+file:///civicum-tune#|g" civicum-tune.cdx.json >"$made"
  rm civicum-tune.cdx.json
}

need_linker
need_rust
mkdir -p "$dist"
for part in "${parts[@]}"; do
  say "making the $part"
  "make_$part"
done
sums=$(cd "$dist" && sha256sum -- civicum-tune*)
echo "$sums" >"$dist/SHA256SUMS"
say "made in $dist:"
(cd "$dist" && ls -l -- *)
