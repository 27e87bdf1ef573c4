#!/bin/bash
# Measures `civicum-tune ocr` beside Python's RapidOCR with the same models, on the same pages and the same threads. The runs
# take turns, so that a busy machine is busy for all; medians are told.
#
# usage: tests/bench/ocr/run.sh [--rounds N] [--threads N] [PROGRAM]
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
rounds=3 threads=1 program=
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=$2; shift ;;
    --threads) threads=$2; shift ;;
    *) program=$1 ;;
  esac
  shift
done
program=${program:-${CARGO_TARGET_DIR:-$top/target}/release/civicum-tune}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
models=$("$top/tests/ocr/fetch-models.sh")
/usr/bin/python3 "$top/tests/ocr/documents.py" "$work/pages" --bench
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check rapidocr==3.10.0 onnxruntime==1.32.0 rapidfuzz
"$work/venv/bin/python" "$top/tests/bench/ocr/measure.py" "$program" "$models" "$work/pages" "$rounds" "$threads"
