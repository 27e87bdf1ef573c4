#!/bin/bash
# msrv.sh: builds the program with the Rust that Cargo.toml asks for and no newer one: the packages of Debian 13. Needs root.
# shellcheck disable=SC2016  # for the shell inside
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$top/Cargo.toml")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/root"
tar -xpf "$("$here/../install/root.sh" trixie rustc cargo gcc libc6-dev)" -C "$work/root"
mkdir -p "$work/root/root/civicum-tune"
(cd "$top" && git ls-files -z | tar --null -cf - -T -) | tar -xf - -C "$work/root/root/civicum-tune"
# Without a network: what cargo fetched on this machine.
"${CARGO:-cargo}" fetch --locked --quiet --manifest-path "$top/Cargo.toml"
mkdir -p "$work/root/root/.cargo/registry"
for part in index cache; do cp -a "${CARGO_HOME:-$HOME/.cargo}/registry/$part" "$work/root/root/.cargo/registry/"; done
"$here/enter.sh" "$work/root" bash -euc '
  case $(rustc --version) in
    "rustc $0."*) ;;
    *) echo "this Debian has $(rustc --version), and Cargo.toml asks for $0"; exit 1 ;;
  esac
  cd /root/civicum-tune
  CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 cargo build --locked --offline --quiet
  target/debug/civicum-tune validate profiles/civicum-12g.toml
  echo "ok    $(rustc --version) builds it, and it runs"
' "$wanted"
