#!/bin/bash
# enter.sh ROOT COMMAND…: runs a command in a root file system, in a mount, process and network namespace of its own: no way out,
# /proc read-only, no /sys.
set -euo pipefail
# shellcheck disable=SC2016  # for the inner shell
exec unshare --mount --pid --net --uts --fork --kill-child bash -euc '
  root=$1
  shift
  hostname clean
  mount --bind "$root" "$root"
  mkdir -p "$root/proc" "$root/dev" "$root/tmp"
  mount -t proc -o ro proc "$root/proc"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  mkdir "$root/dev/shm" "$root/dev/pts"
  mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  for device in null zero full random urandom tty; do
    touch "$root/dev/$device" && mount --bind "/dev/$device" "$root/dev/$device"
  done
  ln -s /proc/self/fd "$root/dev/fd"
  exec chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 TERM=dumb DEBIAN_FRONTEND=noninteractive \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
' bash "$@" </dev/null
