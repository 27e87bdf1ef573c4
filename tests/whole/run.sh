#!/bin/bash
# shellcheck disable=SC2317  # `end` is called by the trap
# run.sh BINARY [SCENARIO…]: makes the images on an engine of the tests' own, then lives through scenarios (whole.py, supervise.py, and guides.py:
# what the guides do with a deployment; modes.py, a measurement, is asked for; "supervise 50 10000" gives it more to do) with the same engine in a network namespace of its own, so that its firewall rules are nobody else's.
# CIVICUM_TUNE_STAGE names a folder where the engine's images stay, and are taken as they are the next time. Status 77: it can't be done on this machine.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binary=$(realpath "$1")
shift
[ $# -gt 0 ] || set -- whole supervise guides
engine=$here/../engine/start.sh
[ "$(id -u)" -eq 0 ] || exit 77
# Its status is this one's: 77 where no registry can be reached.
model=$("$here/../llm/fetch-model.sh")
work=$(mktemp -d /tmp/ct-whole-XXXXXX)
at=${CIVICUM_TUNE_STAGE:-$work/engine}
space=ct-whole-$$
socket=
end() {
  # What is kept is the folder, not the engine.
  [ -z "$socket" ] || "$engine" --stop ${CIVICUM_TUNE_STAGE:+--keep} "$at" || true
  ip netns del "$space" 2>/dev/null || true
  rm -rf "$work"
}
trap end EXIT
trap 'exit 143' TERM INT

/usr/bin/python3 "$here/../ocr/documents.py" "$work/documents"
# Images are made with the machine's own way to its package mirror.
socket=$("$engine" "$at")
export DOCKER_HOST=unix://$socket
if [ -z "${CIVICUM_TUNE_STAGE:-}" ] || ! docker image inspect civicum/worker >/dev/null 2>&1; then
  begin=$SECONDS
  "$binary" images build --ocr "${CIVICUM_TUNE_OCR_MODELS:-/usr/lib/civicum-tune/ocr}"
  echo "      the images are made after $((SECONDS - begin)) s"
fi
"$engine" --stop --keep "$at"
ip netns add "$space"
inside=(nsenter "--net=/run/netns/$space")
"${inside[@]}" ip link set lo up
"${inside[@]}" "$engine" "$at" --bridge=none >/dev/null
export CIVICUM_TUNE_ENGINE="'$engine' --stop --keep '$at' && '$engine' '$at' --bridge=none"
export CIVICUM_TUNE_ENGINE_CRASH="'$engine' --crash '$at' && '$engine' '$at' --bridge=none"
failed=0
for scenario in "$@"; do
  read -ra words <<<"$scenario"
  more=("$model")
  [ "${words[0]}" = supervise ] || more+=("$work/documents")
  begin=$SECONDS
  "${inside[@]}" python3 "$here/${words[0]}.py" "$binary" "${more[@]}" "${words[@]:1}" || failed=1
  echo "==> $scenario, $((SECONDS - begin)) s"
done
exit $failed
