#!/bin/bash
# run.sh BINARY: makes the images on an engine of the tests' own, then lives through whole.py with the same engine in a network
# namespace of its own, so that its firewall rules are nobody else's; then through supervise.py. Status 77: it can't be done on this machine.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binary=$(realpath "$1")
engine=$here/../engine/start.sh
[ "$(id -u)" -eq 0 ] || exit 77
model=$("$here/../llm/fetch-model.sh") || exit 77
work=$(mktemp -d /tmp/ct-whole-XXXXXX)
space=ct-whole-$$
socket=
end() {
  [ -z "$socket" ] || "$engine" --stop "$work/engine" || true
  ip netns del "$space" 2>/dev/null || true
  rm -rf "$work"
}
trap end EXIT
trap 'exit 143' TERM INT

/usr/bin/python3 "$here/../ocr/documents.py" "$work/documents"
# Images are made with the machine's own way to its package mirror.
socket=$("$engine" "$work/engine")
export DOCKER_HOST=unix://$socket
begin=$SECONDS
"$binary" images build --ocr "${CIVICUM_TUNE_OCR_MODELS:-/usr/lib/civicum-tune/ocr}"
echo "      the images are made after $((SECONDS - begin)) s"
"$engine" --stop --keep "$work/engine"
ip netns add "$space"
inside=(nsenter "--net=/run/netns/$space")
"${inside[@]}" ip link set lo up
"${inside[@]}" "$engine" "$work/engine" --bridge=none >/dev/null
"${inside[@]}" python3 "$here/whole.py" "$binary" "$model" "$work/documents"
CIVICUM_TUNE_ENGINE="'$engine' --stop --keep '$work/engine' && '$engine' '$work/engine' --bridge=none" \
  "${inside[@]}" python3 "$here/supervise.py" "$binary" "$model"
