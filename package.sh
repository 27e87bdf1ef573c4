#!/bin/bash
# Makes what a release consists of, in target/dist: the Debian package, the static binary, the list of what is inside (SBOM),
# and the checksums of them all.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=.ci/lib.sh
. "$top/.ci/lib.sh"

usage() {
  cat <<'U'
Usage: ./package.sh [--no-build] [--into FOLDER] [deb] [static] [sbom]

Makes, without a name all three:
  deb     civicum-tune_VERSION-1_amd64.deb, for Debian 12, Ubuntu 22.04 and later
  static  civicum-tune-VERSION-x86_64-linux-musl, which needs no C library (and has no PP-OCR), and beside it
          civicum-tune-VERSION-x86_64-linux-musl.third-party.txt, the licences of what is in it
  sbom    civicum-tune-VERSION.cdx.json: every library in both programs, as CycloneDX 1.5
and SHA256SUMS over what it made.

  --no-build     package the programs that target/release and target/x86_64-unknown-linux-musl/release hold
  --into FOLDER  where it goes (default: target/dist). What an earlier run left there is deleted first, whichever parts it
                 made: what lies there afterwards is of this run
  --help         this text

A part that can't be made does not keep the others from it; the exit status is 2 then, and the last words name it.
Of one program, the same commit gives the same package, byte for byte: times are those of SOURCE_DATE_EPOCH (default: of the
last commit).
U
}

target=${CARGO_TARGET_DIR:-$top/target}
dist=$target/dist
build=true parts=()
while [ $# -gt 0 ]; do
  case $1 in
    --no-build) build=false ;;
    --into) [ -n "${2:-}" ] || fail "--into needs a folder"; dist=$(realpath -m -- "$2"); shift ;;
    --help | -h) usage; exit 0 ;;
    deb | static | sbom) parts+=("$1") ;;
    *) usage >&2; fail "unknown: $1" ;;
  esac
  shift
done
if [ ${#parts[@]} -eq 0 ]; then parts=(deb static sbom); fi

cd "$top"
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

# Messages of a panic name source files: by names that are the same on each machine, not by this one's folders.
compile() {
  local flags=${CARGO_ENCODED_RUSTFLAGS:-} pair
  if [ -z "$flags" ]; then flags=$(tr -s ' ' '\037' <<<"${RUSTFLAGS:-}" | tr -d '\n'); fi
  for pair in "$top=/civicum-tune" "$target=/civicum-tune/target" "${CARGO_HOME:-$HOME/.cargo}=/cargo"; do
    flags+=${flags:+$'\037'}--remap-path-prefix=$pair
  done
  CARGO_ENCODED_RUSTFLAGS=$flags "$CARGO" build --release --locked --quiet "$@"
}

# notices TARGET [OPTION]: the licences of what is in the program for that target.
notices() {
  "$CARGO" metadata --format-version 1 --locked --filter-platform "$1" | python3 -B templates/debian/third-party.py "${@:2}"
}

# What people read of the program, made by the program itself.
pages() {
  local own=$target/release/civicum-tune made=$target/release/package
  rm -rf "$made"
  mkdir -p "$made/completions" "$made/man/es"
  "$own" completions bash >"$made/completions/civicum-tune"
  "$own" completions zsh >"$made/completions/_civicum-tune"
  "$own" completions fish >"$made/completions/civicum-tune.fish"
  "$own" man --out "$made/man" --lang en
  "$own" man --out "$made/man/es" --lang es
  gzip -9n "$made"/man/*.1 "$made"/man/es/*.1
  notices x86_64-unknown-linux-gnu | gzip -9n >"$made/third-party.txt.gz"
  gzip -9n <docs/CHANGELOG.md >"$made/changelog.gz"
}

# The C library that Ubuntu 22.04 has; Debian 12 has a newer one. What a program asks for depends on where it was linked.
oldest_libc=2.35
# fits DEB: can the systems that we name install it?
fits() {
  local asked
  asked=$(dpkg-deb -f "$1" Depends | sed -n 's/.*libc6 (>= \([0-9.]*\)).*/\1/p')
  at_least "$oldest_libc" "${asked:-0}" || fail "$(basename "$1") asks for libc6 $asked, which Ubuntu 22.04 does not have ($oldest_libc), and" \
    "maybe not Debian 12: it was linked with this system's own. Make it on one of them"
}

make_deb() {
  local cargo_deb
  command -v dpkg-shlibdeps >/dev/null || packages dpkg-dev
  cargo_deb=$(tool cargo-deb 3.8.0)
  if $build; then compile; fi
  pages
  PATH="$(dirname "$CARGO"):$PATH" "$cargo_deb" --no-build --no-strip --quiet --output "$dist/" >/dev/null
  fits "$dist"/civicum-tune_*.deb
}

make_static() {
  local made=$dist/civicum-tune-$version-x86_64-linux-musl
  if $build; then
    if [ -z "$(find "$("$RUSTC" --print sysroot)/lib/rustlib/$musl/lib" -name 'libstd-*.rlib' 2>/dev/null)" ]; then
      command -v rustup >/dev/null || fail "the static program needs Rust's own library for $musl; rustup brings it: rustup target add $musl"
      rustup --quiet target add "$musl" || fail "rustup could not bring Rust's library for $musl"
    fi
    # lz4 and zstd are in C: their compiler has to know musl's headers, not those of this system's C library.
    command -v "${CC_x86_64_unknown_linux_musl:-musl-gcc}" >/dev/null || packages musl-tools
    CC_x86_64_unknown_linux_musl=${CC_x86_64_unknown_linux_musl:-musl-gcc} compile --target "$musl"
  fi
  install -m 755 "$target/$musl/release/civicum-tune" "$made"
  notices "$musl" --musl >"$made.third-party.txt"
}

# No part of it changes from one run to the next, nor with the folder: no serial number, the time of the commit.
make_sbom() {
  local cyclonedx made=$dist/civicum-tune-$version.cdx.json
  cyclonedx=$(tool cargo-cyclonedx 0.5.9)
  PATH="$(dirname "$CARGO"):$PATH" "$cyclonedx" cyclonedx --quiet --format json --spec-version 1.5 --no-build-deps \
    --target x86_64-unknown-linux-gnu --override-filename civicum-tune.cdx
  local status=0
  python3 -B templates/debian/sbom.py "$top" "$("$RUSTC" --version | cut -d' ' -f2)" <civicum-tune.cdx.json >"$made" || status=$?
  rm civicum-tune.cdx.json
  return "$status"
}

# files PART: what it makes, of any version.
files() {
  local pattern
  case $1 in
    deb) pattern='civicum-tune_*.deb' ;;
    static) pattern='civicum-tune-*-linux-musl*' ;;
    sbom) pattern='civicum-tune-*.cdx.json' ;;
  esac
  find "$dist" -maxdepth 1 -type f -name "$pattern"
}
clear_out() { files "$1" | while IFS= read -r file; do rm -- "$file"; done; }

need_linker
need_rust
command -v python3 >/dev/null || packages python3
mkdir -p "$dist"
rm -f "$dist/SHA256SUMS"
for part in deb static sbom; do clear_out "$part"; done
missing=()
for part in "${parts[@]}"; do
  say "making the $part"
  # Not `( … ) || …`: there a command that fails would not end it.
  set +e
  (set -e; "make_$part")
  status=$?
  set -e
  if [ "$status" -ne 0 ]; then missing+=("$part"); clear_out "$part"; fi
done
cd "$dist"
sums=$(for part in deb static sbom; do files "$part"; done | sed 's|.*/||' | sort | xargs -r -d '\n' sha256sum --)
if [ -n "$sums" ]; then echo "$sums" >SHA256SUMS; fi
say "made in $dist:"
ls -l
if [ ${#missing[@]} -gt 0 ]; then
  fail "could not be made, see above: ${missing[*]}. SHA256SUMS is over the rest; this is no whole release"
fi
