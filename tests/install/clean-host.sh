#!/bin/bash
# clean-host.sh [--keep FILE] [SUITE]: carries out the two commands of the README on a clean Debian made for the purpose: a
# minimal root file system, in a mount, process and host name namespace of its own. /proc and /sys are read-only there, so that
# nothing in it can change the machine below. Mirror, certificates and name servers are the system's own. --keep copies the
# program that was installed there.
# shellcheck disable=SC2016  # what stands in single quotes is for other programs
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
keep=
if [ "${1:-}" = --keep ]; then keep=$2; shift 2; fi
suite=${1:-bookworm}

if [ "$(id -u)" -ne 0 ]; then
  echo "skipped: a chroot in a mount namespace needs root"
  exit 0
fi
tar=$("$top/tests/install/root.sh" "$suite")

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
tar -xpf "$tar" -C "$root"
mkdir -p "$root/root/civicum-tune" "$root/run/outside"
(cd "$top" && git ls-files -z | tar --null -cf - -T -) | tar -xf - -C "$root/root/civicum-tune"
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
[ ! -e /etc/ssl/certs/ca-certificates.crt ] || cp -L /etc/ssl/certs/ca-certificates.crt "$root/run/outside/ca.crt"
# What was fetched once need not be fetched again; the clean host has its own copy all the same.
for part in registry/index registry/cache; do
  if [ -d "${CARGO_HOME:-$HOME/.cargo}/$part" ]; then
    mkdir -p "$root/root/.cargo/$part"
    cp -a "${CARGO_HOME:-$HOME/.cargo}/$part/." "$root/root/.cargo/$part/"
  fi
done
cp "$top/tests/install/inside.sh" "$root/root/inside.sh"

unshare --mount --pid --uts --fork --kill-child bash -euc '
  root=$1
  hostname clean
  # A root that is a mount of its own, as on any host: the tests make further namespaces on it.
  mount --bind "$root" "$root"
  mount -t proc -o ro proc "$root/proc"
  mount --bind /sys "$root/sys" && mount -o remount,ro,bind "$root/sys"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  mkdir "$root/dev/shm" "$root/dev/pts"
  mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  for device in null zero full random urandom tty; do
    touch "$root/dev/$device" && mount --bind "/dev/$device" "$root/dev/$device"
  done
  ln -s /proc/self/fd "$root/dev/fd"
  ln -s fd/0 "$root/dev/stdin"
  certificates=()
  if [ -e "$root/run/outside/ca.crt" ]; then
    certificates=(SSL_CERT_FILE=/run/outside/ca.crt CARGO_HTTP_CAINFO=/run/outside/ca.crt CURL_CA_BUNDLE=/run/outside/ca.crt)
  fi
  # What is tested is the way there: a program that is optimised to the last takes twice as long to make, and so do tests
  # with all that a debugger wants.
  quicker=(CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0)
  chroot "$root" env -i HOME=/root TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    "${certificates[@]}" "${quicker[@]}" bash /root/inside.sh
' bash "$root"
[ -z "$keep" ] || install -D -m 755 "$root/usr/local/bin/civicum-tune" "$keep"
