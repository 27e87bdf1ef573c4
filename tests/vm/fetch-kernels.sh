#!/bin/bash
# fetch-kernels.sh: newer kernels from the backports of Debian's stable releases, kept beside the images; prints the folder.
# Below it is one folder for each kernel, named after its release, with the packages to install, in order of age. They are
# the real ones with their real scripts, but for drivers that no virtual machine has: unpacking those takes it minutes.
set -euo pipefail
# shellcheck source=tests/fetch.sh
. "$(dirname "${BASH_SOURCE[0]}")/../fetch.sh"

folder=${CIVICUM_TUNE_CACHE:-$HOME/.cache/civicum-tune}/vm/kernels
series=(6.12 6.17 7)

say() { echo "fetch-kernels: $*" >&2; }

mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
# Asked anew once a day.
script=$(sha256sum "$0" | cut -c1-16)
if [ -n "$(find "$folder/ready-$script" -mtime -1 2>/dev/null)" ]; then echo "$folder"; exit 0; fi
# What an older version of this script made is not ours.
[ -e "$folder/ready-$script" ] || find "$folder" -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} +

mirror=$(debian_mirror)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{sources.list,preferences,apt.conf}.d "$work"/lists/partial "$work"/archives/partial "$work"/deb
for suite in bookworm-backports trixie-backports; do
  echo "deb [signed-by=$keyring arch=amd64] $mirror $suite main"
done >"$work/sources.list"
# A world of its own: nothing of the system's apt is read but its proxy, nothing is changed.
options=(-qq -o Dir::Etc="$work" -o Dir::State::lists="$work/lists" -o Dir::State::status=/dev/null
  -o Dir::Cache="$work" -o APT::Sandbox::User=root)
outside apt-get "${options[@]}" update

# slim DEB TARGET: the same package without what only hardware needs.
slim() {
  rm -rf "$work/tree"
  dpkg-deb -R "$1" "$work/tree"
  find "$work/tree" -path '*/kernel/*' -type d \( -path '*/drivers/[a-mo-uw-z]*' -o -path '*/drivers/n[a-df-z]*' \
    -o -path '*/drivers/v[a-hj-z]*' -o -path '*/kernel/sound' -o -path '*/kernel/arch/x86/kvm' \) \
    -not -path '*/drivers/block*' -prune -exec rm -rf {} +
  # virtio's network card, and what it stands on, is all that stays of the network's modules.
  find "$work/tree" \( -path '*/kernel/drivers/net/*' -o -path '*/kernel/net/*' \) -name '*.ko*' \
    -not -name 'virtio_net.ko*' -not -name 'net_failover.ko*' -not -path '*/net/core/*' -not -path '*/net/packet/*' -delete
  rm -f "$work/tree/DEBIAN/md5sums"
  dpkg-deb -Zgzip -z1 --root-owner-group -b "$work/tree" "$2" >/dev/null
}

for wanted in "${series[@]}"; do
  release=$(apt-cache "${options[@]}" search --names-only "^linux-image-${wanted//./\\.}\\.[0-9.]+\\+deb[0-9.]+-amd64\$" |
    sed 's/^linux-image-//; s/ .*//' | sort -V | tail -n 1)
  if [ -z "$release" ]; then say "the mirror has no Linux $wanted any more"; continue; fi
  here=$folder/$release
  if [ ! -e "$here/ready" ]; then
    say "fetching Linux $release"
    rm -rf "$here" "$work"/deb/*
    mkdir -p "$here"
    names=$(apt-cache "${options[@]}" search --names-only "^linux-(base|binary|image|modules)-${release//[.+]/.}\$" | cut -d' ' -f1)
    # shellcheck disable=SC2086  # names of packages
    (cd "$work/deb" && outside apt-get "${options[@]}" download $names)
    for deb in "$work"/deb/*.deb; do slim "$deb" "$here/$(basename "$deb" | cut -d_ -f1).deb"; done
    touch "$here/ready"
  fi
  echo "$release"
done >"$work/releases"
[ -s "$work/releases" ] || { say "no kernel at all"; exit 1; }
mv "$work/releases" "$folder/releases"
touch "$folder/ready-$script"
echo "$folder"
