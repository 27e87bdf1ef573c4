#!/bin/bash
# static.sh STATIC DYNAMIC: the static program in a root with nothing else in it, and beside the dynamic one. Needs root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
static=$(realpath "$1") dynamic=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

expect() {
  local what=$1 wanted=$2 status=0
  shift 2
  "$@" >"$work/out" 2>&1 || status=$?
  if [ "$status" -eq "$wanted" ]; then
    echo "ok    $what"
  else
    echo "FAIL  $what: status $status instead of $wanted"
    cat "$work/out"
    exit 1
  fi
}

expect "it asks for no loader and no library" 1 grep -qE 'INTERP|NEEDED' <(readelf -ld "$static")
expect "the licences of what is in it lie beside it, its C library's among them" 0 grep -qE '^musl, MIT.*\[[0-9]+\]$' "$static.third-party.txt"
root=$work/root
mkdir "$root"
cp "$static" "$root/civicum-tune"
cp "$dynamic" "$root/dynamic"
cp -r "$here/../hosts/ubuntu-24.04-cloud/tree" "$root/tree"
expect "the dynamic one does not start in an empty root" 127 chroot "$root" /dynamic --version
rm "$root/dynamic"
for words in --version "profile list" "validate civicum-12g" "explain zswap" "completions bash" man \
  "profile show civicum-12g"; do
  # shellcheck disable=SC2086  # words of a command line
  expect "in an empty root: civicum-tune $words" 0 chroot "$root" /civicum-tune $words
done
# Its model's server is named by whoever deploys it.
expect "in an empty root: files for other engines, of which one service has no image yet" 2 \
  chroot "$root" /civicum-tune render compose --profile civicum-12g --root /tree
expect "in an empty root: a plan for a tree" 1 chroot "$root" /civicum-tune plan --root /tree --profile minimal
expect "in an empty root: apply" 0 chroot "$root" /civicum-tune apply --root /tree --profile minimal --yes
expect "in an empty root: nothing differs" 0 chroot "$root" /civicum-tune plan --root /tree
expect "in an empty root: rollback" 0 chroot "$root" /civicum-tune rollback --root /tree --yes
cp "$here/../hosts/ubuntu-24.04-cloud/tree/etc/fstab" "$root/document.png"
expect "PP-OCR is refused before the document is touched" 2 chroot "$root" /civicum-tune ocr --policy pp-ocr /document.png
cp "$work/out" "$work/said"
expect "with the reason" 0 grep -q "this is the static civicum-tune, which can't load ONNX Runtime" "$work/said"

# Figures that move from one moment to the next on a machine that works count for nothing.
still() { grep -vE 'available|^ *Held by' | sed -E 's/[0-9]+ MiB of/… MiB of/'; }
for words in "plan --format json --root $here/../hosts/debian-13/tree" "detect --format json --root $here/../hosts/debian-13/tree" \
  "doctor --format json --root $here/../hosts/debian-13/tree" "profile show civicum-12g" "detect"; do
  # shellcheck disable=SC2086
  "$static" $words 2>&1 | still >"$work/static" || true
  # shellcheck disable=SC2086
  "$dynamic" $words 2>&1 | still >"$work/dynamic" || true
  expect "it says what the dynamic one says: $words" 0 cmp "$work/static" "$work/dynamic"
done
