#!/bin/bash
# root.sh SUITE [PACKAGE…]: makes a minimal root file system of Debian, with these packages in it, and prints its tar. Made once
# for each set; mirror and certificates are the system's own. Needs root.
# shellcheck disable=SC2016  # what stands in single quotes is for apt
set -euo pipefail
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
  mirror=$(apt-get indextargets --format '$(SITE)' | sort -u | grep -m1 -E '/debian/?$')
  security=$(apt-get indextargets --format '$(SITE)' | sort -u | grep -m1 -E '/debian-security/?$' || true)
  sources=("deb $mirror $suite main")
  if [ -n "$security" ]; then sources+=("deb $security $suite-security main"); fi
  include=()
  if [ $# -gt 0 ]; then include=("--include=$(IFS=, && echo "$*")" '--aptopt=APT::Install-Recommends "false"'); fi
  mmdebstrap --quiet --variant=minbase --mode=root "${include[@]}" "$suite" "$cache/new.tar" "${sources[@]}" >&2
  mv "$cache/new.tar" "$cache/root.tar"
fi
echo "$cache/root.tar"
