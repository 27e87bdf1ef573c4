#!/bin/bash
# Measures again every figure that the documentation states, and writes it into docs/benchmarks.md with the machine named.
#
# usage: all.sh [--binary FILE] [SECTION…]
#   start     a few minutes   plan, detect, doctor and apply, beside pyinfra and Ansible
#   bench     3 minutes       civicum-tune bench --quick on this machine, with a model where one can be fetched
#   queue     5 minutes       claims beside pgbench and procrastinate, on a PostgreSQL server of its own
#   ocr       15 minutes      reading beside RapidOCR
#   supervise 15 minutes      reading and the model as the supervisor shares the host out, beside static limits; its drills
#   deploy    5 minutes       a deploy that has nothing to do, beside docker compose
#   audits    half an hour    doctor beside Lynis and tuned-adm, in a virtual machine
#   chaos     5 minutes       documents while workers are killed and the database is restarted
#   evidence  hours           who survives, in a virtual machine; writes docs/evidence.md
# Without a section: all but evidence, which takes hours. A section that can't be measured here says why, and keeps what it said before; so does
# one that is not named. The status is 1 where one failed.
# shellcheck disable=SC2016,SC2317  # Markdown has backticks; sections are called by their names
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$top/tests/bench
page=${CIVICUM_TUNE_BENCHMARKS:-$top/docs/benchmarks.md}
binary='' sections=()
while [ $# -gt 0 ]; do
  case $1 in
    --binary) binary=$(realpath "$2"); shift ;;
    --help | -h) sed -n '2,/^set /p' "$0" | sed 's/^# \{0,1\}//; /^set /d'; exit 0 ;;
    start | bench | queue | ocr | supervise | deploy | audits | chaos | evidence) sections+=("$1") ;;
    *) echo "all.sh: no section $1; --help lists them" >&2; exit 2 ;;
  esac
  shift
done
[ ${#sections[@]} -gt 0 ] || sections=(start bench queue ocr supervise deploy audits chaos)

cd "$top" || exit 2
if [ -z "$binary" ]; then
  cargo build --release --locked --quiet || exit 2
  binary=$(realpath "${CARGO_TARGET_DIR:-target}/release/civicum-tune")
fi
work=$(mktemp -d)
database='' engine=''
end() {
  [ -z "$database" ] || { "$top/tests/postgres/start.sh" --stop "$database"; rm -rf "$database"; database=''; }
  [ -z "$engine" ] || { "$top/tests/engine/start.sh" --stop "$engine"; engine=''; }
}
trap 'end; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# fenced COMMAND…: what it prints, as it prints it.
fenced() {
  local status=0
  "$@" >"$work/out" || status=$?
  printf '```text\n%s\n```\n' "$(cat "$work/out")"
  return "$status"
}

start() { "$here/start.sh" "$binary"; }
queue() { fenced "$here/queue/run.sh" "$binary"; }
ocr() { "$here/ocr/run.sh" "$binary"; }
chaos() { fenced python3 "$here/queue/chaos.py" "$binary"; }

supervise() {
  CIVICUM_TUNE_OCR_MODELS=$("$top/tests/ocr/fetch-models.sh") || return 77
  export CIVICUM_TUNE_OCR_MODELS
  local status=0
  "$top/tests/whole/run.sh" "$binary" "modes 2" "supervise 50 10000" >"$work/told" || status=$?
  printf '```text\n%s\n```\n' "$(grep -v 'civicum/\|the images are made' "$work/told")"
  return "$status"
}

bench() { # The database and the model of its own; what can't be had here the command itself says.
  local url='' server='' model='' options=()
  database=$(mktemp -d /tmp/ct-bench-XXXXXX)
  if url=$("$top/tests/postgres/start.sh" "$database" 2>/dev/null); then options+=(--database "$url"); fi
  if server=$("$top/tests/llm/fetch-server.sh" 2>/dev/null) && model=$("$top/tests/llm/fetch-model.sh" 2>/dev/null); then
    options+=(--server-program "$server" --models "$model")
  fi
  CIVICUM_TUNE_OCR_MODELS=$("$top/tests/ocr/fetch-models.sh" 2>/dev/null || true)
  [ -z "$CIVICUM_TUNE_OCR_MODELS" ] || export CIVICUM_TUNE_OCR_MODELS
  local status=0
  fenced "$binary" bench --quick --force-under-load --color never --disk-folder "$top" "${options[@]}" || status=$?
  end
  return "$status"
}

deploy() {
  local newer status=0
  [ "$(id -u)" -eq 0 ] || { echo "an engine of its own needs root" >&2; return 77; }
  newer=$("$top/tests/engine/fetch-newer.sh" 2>/dev/null) || return 77
  engine=$(mktemp -d /tmp/ct-engine-XXXXXX)
  local socket
  socket=$(PATH=$newer:$PATH "$top/tests/engine/start.sh" "$engine") || { rm -rf "$engine"; engine=''; return 77; }
  DOCKER_HOST=unix://$socket "$here/deploy.sh" "$binary" "$newer/docker-compose" || status=$?
  end
  return "$status"
}

audits() {
  local image
  image=$("$top/tests/vm/build-image.sh") || return 77
  python3 "$top/tests/vm/audits.py" "$binary" "$image" | grep -v "^\["
}

evidence() {
  local image
  image=$("$top/tests/vm/build-image.sh") || return 77
  python3 "$top/tests/vm/evidence.py" "$binary" "$image" --rounds 5 --seconds 45 --write "$top/docs/evidence.md" >&2
  echo "Written anew: [evidence.md](evidence.md)."
}

failed=0
for section in "${sections[@]}"; do
  echo "== $section" >&2
  begun=$SECONDS status=0
  load=$(cut -d' ' -f1 /proc/loadavg)
  "$section" >"$work/$section.md" || status=$?
  case $status in
    0) python3 "$here/page.py" "$page" "$section" "$work/$section.md" "$load" $((SECONDS - begun)) || failed=1 ;;
    77) echo "== $section can't be measured here; what it said before stays" >&2 ;;
    *) echo "== $section failed ($status); what it said before stays" >&2; failed=1 ;;
  esac
done
exit $failed
