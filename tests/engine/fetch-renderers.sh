#!/bin/bash
# fetch-renderers.sh: what reads the files that `render` makes, and is not in this Debian release: Podman's quadlet from the
# packages of the next one, and kubernetes-validate (the published schemas) from PyPI. Prints the folder with both. Nothing is
# installed, and the system's apt is only read.
set -euo pipefail
# shellcheck source=tests/fetch.sh
. "$(dirname "${BASH_SOURCE[0]}")/../fetch.sh"

folder=${CIVICUM_TUNE_CACHE:-$HOME/.cache/civicum-tune}/renderers
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
if [ -x "$folder/bin/quadlet" ] && [ -x "$folder/bin/kubernetes-validate" ]; then echo "$folder/bin"; exit 0; fi

mirror=$(debian_mirror)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{sources.list,preferences,apt.conf}.d "$work"/lists/partial "$work"/archives/partial "$work"/deb
echo "deb [signed-by=$keyring arch=amd64] $mirror trixie main" >"$work/sources.list"
options=(-qq -o Dir::Etc="$work" -o Dir::State::lists="$work/lists" -o Dir::State::status=/dev/null
  -o Dir::Cache="$work" -o APT::Sandbox::User=root)
outside apt-get "${options[@]}" update
(cd "$work/deb" && outside apt-get "${options[@]}" download podman)
dpkg-deb -x "$work"/deb/podman_*.deb "$work/tree"
python3 -m venv "$folder/python" >&2
outside "$folder/python/bin/pip" install -q kubernetes-validate==1.37.0
# One that does not run here is none.
"$work/tree/usr/libexec/podman/quadlet" --version >&2 || cant "the next release's quadlet does not run here"
"$folder/python/bin/kubernetes-validate" --version >&2
rm -rf "${folder:?}/bin"
mkdir "$folder/bin"
cp "$work/tree/usr/libexec/podman/quadlet" "$folder/bin"
ln -s ../python/bin/kubernetes-validate "$folder/bin/kubernetes-validate"
echo "$folder/bin"
