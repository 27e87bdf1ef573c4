#!/bin/bash
# Measures the queue beside pgbench with the same SQL, and beside procrastinate, on a PostgreSQL server of its own.
# Needs postgresql with pgbench, and python3-venv.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
cache=${CIVICUM_TUNE_CACHE:-$HOME/.cache/civicum-tune}/bench
folder=$(mktemp -d /tmp/ct-speed-XXXXXX)
trap '"$top/tests/postgres/start.sh" --stop "$folder"; rm -rf "$folder"' EXIT
CIVICUM_TUNE_TEST_DATABASE=$("$top/tests/postgres/start.sh" "$folder")
export CIVICUM_TUNE_TEST_DATABASE
cd "$top"
cargo build --release --locked --quiet
cargo test --release --locked --quiet --test queue_speed -- --ignored --nocapture
python3 tests/bench/queue/worker.py "${CARGO_TARGET_DIR:-target}/release/civicum-tune" "$CIVICUM_TUNE_TEST_DATABASE"
if [ ! -x "$cache/procrastinate/bin/procrastinate" ]; then
  mkdir -p "$cache"
  python3 -m venv "$cache/procrastinate"
  "$cache/procrastinate/bin/pip" install --quiet procrastinate "psycopg[binary]"
fi
"$cache/procrastinate/bin/python" tests/bench/queue/procrastinate_claims.py "$CIVICUM_TUNE_TEST_DATABASE"
