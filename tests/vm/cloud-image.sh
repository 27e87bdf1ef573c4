#!/bin/bash
# cloud-image.sh: the disk of build-image.sh with cloud-init on it; prints its folder. What the other scenarios boot is not
# touched, nor built anew for it: the scripts that make it are copied, and two things are added to the copy.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/vm"
cp "$here/../fetch.sh" "$work/"
cp "$here/build-image.sh" "$here/customize.sh" "$here/first-boot.sh" "$work/vm/"
sed -i '/^packages=/s/$/,cloud-init/' "$work/vm/build-image.sh"
grep -q ',cloud-init$' "$work/vm/build-image.sh"
# cloud-init reads what a drive tells it, and leaves the network and the test's key alone.
cat >>"$work/vm/customize.sh" <<'E'
cat >"$root/etc/cloud/cloud.cfg.d/99-test.cfg" <<'F'
datasource_list: [NoCloud]
network: {config: disabled}
disable_root: false
ssh_deletekeys: false
F
E
"$work/vm/build-image.sh"
