#!/bin/bash
# Runs every test of civicum-tune, and installs what they need first.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=.ci/lib.sh
. "$top/.ci/lib.sh"

usage() {
  cat <<'U'
Usage: ./test.sh [--no-vm] [--quick] [--help]

  --no-vm  leave out the virtual machine (a real kernel, real reboots, real power cuts)
  --quick  only what cargo runs: no virtual machine, no clean Debian to install on, no pre-commit, no language server
U
}

vm=true clean=true
for option in "$@"; do
  case $option in
    --no-vm) vm=false ;;
    --quick) vm=false clean=false ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; fail "unknown option: $option" ;;
  esac
done

cd "$top"
rows=() failed=0

# suite NAME COMMAND…: runs it, and notes how it went.
suite() {
  local name=$1 begin=$SECONDS result=passed
  shift
  say "$name"
  "$@" || { result=FAILED; failed=1; }
  rows+=("$(printf '%-28s %-8s %5d s' "$name" "$result" $((SECONDS - begin)))")
}

left_out() {
  rows+=("$(printf '%-28s left out: %s' "$1" "$2")")
}

# A real Docker engine: the one that answers here, else one of the tests' own.
engine=
stop_engine() {
  if [ -z "$engine" ]; then return; fi
  tests/engine/start.sh --stop "$engine"
  unset DOCKER_HOST
  engine=
}
need_engine() {
  local socket=${DOCKER_HOST:-unix:///run/docker.sock}
  if [ -S "${socket#unix://}" ]; then return; fi
  if [ "$(id -u)" -ne 0 ]; then
    left_out "a real Docker engine" "none answers here, and to start one needs root"
    return
  fi
  command -v dockerd >/dev/null || packages docker.io
  if [ -S "${socket#unix://}" ]; then return; fi
  engine=$(mktemp -d /tmp/ct-engine-XXXXXX)
  trap stop_engine EXIT
  if socket=$(tests/engine/start.sh "$engine"); then
    export DOCKER_HOST=unix://$socket
  else
    engine=
    left_out "a real Docker engine" "it does not start on this machine"
  fi
}

need_linker
need_rust
command -v strace >/dev/null || packages strace
command -v xmllint >/dev/null || packages libxml2-utils
need_engine
suite "cargo test" "$CARGO" test --locked --quiet
stop_engine

hook() {
  "$CARGO" build --locked --quiet && tests/formats/pre-commit.sh "${CARGO_TARGET_DIR:-$top/target}/debug/civicum-tune"
}
if ! $clean; then
  left_out "pre-commit hook" "--quick"
else
  status=0 begin=$SECONDS
  say "pre-commit hook"
  hook || status=$?
  case $status in
    0) rows+=("$(printf '%-28s %-8s %5d s' "pre-commit hook" passed $((SECONDS - begin)))") ;;
    77) left_out "pre-commit hook" "pip can't reach a registry" ;;
    *) failed=1 rows+=("$(printf '%-28s %-8s %5d s' "pre-commit hook" FAILED $((SECONDS - begin)))") ;;
  esac
fi

if ! $clean; then
  left_out "editor" "--quick"
elif ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  left_out "editor" "it needs node and npm (the language server of TOML editors)"
else
  suite "editor" tests/editor/run.sh "${CARGO_TARGET_DIR:-$top/target}/debug/civicum-tune"
fi

if ! $clean; then
  left_out "install on a clean Debian" "--quick"
elif [ "$(id -u)" -ne 0 ]; then
  left_out "install on a clean Debian" "it needs root (a chroot in a mount namespace)"
else
  suite "install on a clean Debian" tests/install/clean-host.sh
fi

if ! $vm; then
  left_out "virtual machine" "--no-vm or --quick"
elif [ "$(id -u)" -ne 0 ]; then
  left_out "virtual machine" "its image is built as root"
else
  "$CARGO" build --locked --release --quiet
  suite "virtual machine" tests/vm/run.sh "${CARGO_TARGET_DIR:-$top/target}/release/civicum-tune"
fi

printf '\n'
printf '%s\n' "${rows[@]}"
exit $failed
