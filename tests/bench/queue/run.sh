#!/bin/bash
# Measures the queue beside pgbench with the same SQL, and beside procrastinate, on a PostgreSQL server of its own.
# usage: run.sh [BINARY]
# Needs postgresql with pgbench, and python3-venv.
set -euo pipefail
binary=${1:+$(realpath "$1")}
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
cache=${CIVICUM_TUNE_CACHE:-$HOME/.cache/civicum-tune}/bench
folder=$(mktemp -d /tmp/ct-speed-XXXXXX)
trap '"$top/tests/postgres/start.sh" --stop "$folder"; rm -rf "$folder"' EXIT
CIVICUM_TUNE_TEST_DATABASE=$("$top/tests/postgres/start.sh" "$folder")
export CIVICUM_TUNE_TEST_DATABASE
cd "$top"
if [ -z "$binary" ]; then
  cargo build --release --locked --quiet
  binary=$(realpath "${CARGO_TARGET_DIR:-target}/release/civicum-tune")
fi
cargo test --release --locked --quiet --test queue_speed -- --ignored --nocapture
python3 tests/bench/queue/worker.py "$binary" "$CIVICUM_TUNE_TEST_DATABASE"
if [ ! -x "$cache/procrastinate/bin/procrastinate" ]; then
  mkdir -p "$cache"
  python3 -m venv "$cache/procrastinate"
  "$cache/procrastinate/bin/pip" install --quiet procrastinate "psycopg[binary]"
fi
"$cache/procrastinate/bin/python" tests/bench/queue/procrastinate_claims.py "$CIVICUM_TUNE_TEST_DATABASE"
