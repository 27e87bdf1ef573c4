#!/bin/bash
# Tries our JSON Schema with taplo, the language server of TOML editors: its checker on every profile, and a session as an
# editor has one. Usage: tests/editor/run.sh BINARY; needs node and npm. What npm fetches for package.json is kept below
# CIVICUM_TUNE_CACHE; nothing is installed elsewhere.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
[ $# -eq 1 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
binary=$(realpath "$1")
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT

cache=${CIVICUM_TUNE_CACHE:-$HOME/.cache/civicum-tune}/tools
modules=$cache/editor-$(sha256sum "$here/package.json" | cut -c1-16)
mkdir -p "$cache"
exec 9>"$modules.lock"
flock 9
if [ ! -e "$modules/ready" ]; then
  rm -rf "$modules"
  mkdir "$modules"
  cp "$here/package.json" "$modules"
  (cd "$modules" && npm install --no-audit --no-fund --no-package-lock --silent)
  touch "$modules/ready"
fi
exec 9>&-
taplo=$modules/node_modules/.bin/taplo
"$binary" profile schema >"$room/schema.json"
failed=0

# lint FILE…: taplo's own check, with nothing but our schema.
lint() {
  (cd "$room" && "$taplo" lint --no-auto-config --schema "file://$room/schema.json" "$@") >"$room/said" 2>&1
}

"$binary" profile init "$room/init.toml" >/dev/null 2>&1
if lint "$top"/profiles/*.toml "$room/init.toml"; then
  echo "ok    taplo check finds nothing in the bundled profiles and in a new one"
else
  echo "FAIL  taplo check:"
  cat "$room/said"
  failed=1
fi
if lint "$top/tests/profiles/bad/unknown-keys.toml"; then
  echo "FAIL  taplo check finds nothing in unknown-keys.toml"
  failed=1
else
  echo "ok    taplo check refuses unknown-keys.toml"
fi

node "$here/session.mjs" "$modules" "$room/schema.json" "$top/profiles" "$top/tests/profiles/bad" "$binary" || failed=1
exit $failed
