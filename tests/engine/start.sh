#!/bin/bash
# A Docker engine of the tests' own, apart from the host's.
#
#   start.sh FOLDER [OPTION…]   starts dockerd with all that it keeps below FOLDER, and prints its socket
#   start.sh --stop FOLDER      ends it, and removes FOLDER
#   start.sh --crash FOLDER     kills it; its containers go on
#   start.sh --stop --keep FOLDER   ends it; started again there, it has its images
#
# It has no network of its own and leaves the host's firewall alone; give options to have it otherwise.
set -euo pipefail

fail() { printf 'error: %s\n' "$*" >&2; exit 2; }

# dockerd mounts its data folder over itself, and network namespaces into another one; it may leave both behind.
unmount() {
  local mounted
  while read -r _ mounted _; do
    case $mounted in "$1"/*) umount -l "$mounted" 2>/dev/null || true ;; esac
  done </proc/self/mounts
}

if [ "${1:-}" = --stop ]; then
  keep=false
  if [ "${2:-}" = --keep ]; then keep=true; shift; fi
  folder=${2:?which folder?}
  pid=$(cat "$folder/docker.pid" 2>/dev/null || true)
  if [ -n "$pid" ] && kill -TERM "$pid" 2>/dev/null; then
    for _ in $(seq 900); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
  fi
  if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; then
    fail "the engine (process $pid) did not end"
  fi
  unmount "$folder"
  $keep || rm -rf "$folder"
  exit 0
fi

if [ "${1:-}" = --crash ]; then
  folder=${2:?which folder?}
  # Its containerd, the one that is its own, ends with it.
  kill -KILL "$(cat "$folder/docker.pid")"
  sleep 1
  # Where nobody asks how they ended, dead ones keep their numbers, and the next engine takes them for alive.
  rm -f "$folder/docker.pid" "$folder/exec/containerd/containerd.pid"
  exit 0
fi

folder=${1:?in which folder?}
shift
[ $# -gt 0 ] || set -- --bridge=none --iptables=false --ip-forward=false
[ "$(id -u)" -eq 0 ] || fail "an engine of the tests' own needs root"
command -v dockerd >/dev/null || fail "there is no dockerd"
mkdir -p "$folder"
# What is in it keeps its own permissions; the group of the socket may reach that.
chmod 711 "$folder"
socket=$folder/docker.sock
# A file of no host: its daemon.json is not for this engine.
echo '{}' >"$folder/daemon.json"
setsid dockerd --config-file "$folder/daemon.json" --data-root "$folder/data" --exec-root "$folder/exec" \
  -H "unix://$socket" -p "$folder/docker.pid" "$@" >"$folder/log" 2>&1 </dev/null &
started=$!
for _ in $(seq 600); do
  if grep -q 'API listen on' "$folder/log" && [ -S "$socket" ]; then
    echo "$socket"
    exit 0
  fi
  kill -0 "$started" 2>/dev/null || break
  sleep 0.1
done
tail -n 20 "$folder/log" >&2
kill -TERM "$started" 2>/dev/null || true
wait "$started" 2>/dev/null || true
unmount "$folder"
rm -rf "$folder"
fail "the engine did not start; its last words are above"
