#!/bin/bash
# debian.sh DEB: what lintian says of the package, and its whole life on a clean Debian. Needs root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
deb=$(realpath "$1")
suite=${2:-bookworm}

begin=$SECONDS
if ! command -v lintian >/dev/null; then
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends lintian >/dev/null
fi
# As root lintian says that it should not be; it reads, and no more.
lintian --allow-root --tag-display-limit 0 --fail-on error --fail-on warning --pedantic "$deb"
echo "ok    lintian has nothing to say ($((SECONDS - begin)) s)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/root" "$work/older"
tar -xpf "$("$here/../install/root.sh" "$suite")" -C "$work/root"

# An earlier version, of the same files: with another default in its configuration file, and without a page that is new.
dpkg-deb -R "$deb" "$work/older"
sed -i 's/^Version: .*/Version: 0.0.9-1/' "$work/older/DEBIAN/control"
sed -i 's/^OPTIONS=.*/OPTIONS="--strict"/' "$work/older/etc/civicum-tune/doctor.conf"
rm "$work/older/usr/share/man/man1/civicum-tune-explain.1.gz"
(cd "$work/older" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
dpkg-deb -Zgzip -z1 -b --root-owner-group "$work/older" "$work/root/root/older.deb" >/dev/null
cp "$deb" "$work/root/root/package.deb"
cp -r "$here/../hosts/ubuntu-24.04-cloud/tree" "$work/root/root/tree"
cp "$here/life.sh" "$work/root/root/"
"$here/enter.sh" "$work/root" bash /root/life.sh
