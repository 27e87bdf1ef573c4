#!/bin/bash
# fetch-newer.sh: Compose v2 and a Docker Engine that knows isolated networks, which this Debian release has not, from the
# packages of newer ones; prints the folder with docker-compose and dockerd in it. They are unpacked and not installed, and
# the system's apt is only read.
set -euo pipefail
# shellcheck source=tests/fetch.sh
. "$(dirname "${BASH_SOURCE[0]}")/../fetch.sh"

folder=${CIVICUM_TUNE_CACHE:-$HOME/.cache/civicum-tune}/engine
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
if [ -x "$folder/bin/dockerd" ] && [ -x "$folder/bin/docker-compose" ]; then echo "$folder/bin"; exit 0; fi

mirror=$(debian_mirror)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{sources.list,preferences,apt.conf}.d "$work"/lists/partial "$work"/archives/partial "$work"/deb
for suite in trixie sid; do
  echo "deb [signed-by=$keyring arch=amd64] $mirror $suite main"
done >"$work/sources.list"
options=(-qq -o Dir::Etc="$work" -o Dir::State::lists="$work/lists" -o Dir::State::status=/dev/null
  -o Dir::Cache="$work" -o APT::Sandbox::User=root)
outside apt-get "${options[@]}" update
# Compose of sid wants a newer C library.
(cd "$work/deb" && outside apt-get "${options[@]}" download docker-compose/trixie docker.io/sid)
for deb in "$work"/deb/*.deb; do dpkg-deb -x "$deb" "$work/tree"; done
programs=("$work/tree/usr/libexec/docker/cli-plugins/docker-compose" "$work"/tree/usr/sbin/{dockerd,docker-proxy})
# One that does not run here is none.
for program in "${programs[@]:0:2}"; do "$program" --version >&2 || cant "${program##*/} of the next release does not run here"; done
rm -rf "${folder:?}/bin"
mkdir "$folder/bin"
cp "${programs[@]}" "$folder/bin"
echo "$folder/bin"
