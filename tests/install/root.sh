#!/bin/bash
# root.sh SUITE [PACKAGE…]: makes a minimal root file system of Debian, with these packages in it, and prints its tar. Made once
# for each set; mirror and certificates are the system's own. Needs root.
set -euo pipefail
# shellcheck source=tests/fetch.sh
. "$(dirname "${BASH_SOURCE[0]}")/../fetch.sh"
suite=$1
shift
name=clean-$suite
if [ $# -gt 0 ]; then name+=-$(printf '%s\n' "$@" | sha256sum | cut -c1-12); fi
cache=${CIVICUM_TUNE_CACHE:-$HOME/.cache/civicum-tune}/$name

if ! command -v mmdebstrap >/dev/null; then
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap qemu-utils >/dev/null
fi
mkdir -p "$cache"
if [ ! -e "$cache/root.tar" ]; then
  mirror=$(debian_mirror)
  security=$(apt_mirror debian-security)
  sources=("deb $mirror $suite main")
  if [ -n "$security" ]; then sources+=("deb $security $suite-security main"); fi
  include=()
  if [ $# -gt 0 ]; then include=("--include=$(IFS=, && echo "$*")" '--aptopt=APT::Install-Recommends "false"'); fi
  mmdebstrap --quiet --variant=minbase --mode=root "${include[@]}" "$suite" "$cache/new.tar" "${sources[@]}" >&2
  mv "$cache/new.tar" "$cache/root.tar"
fi
echo "$cache/root.tar"
