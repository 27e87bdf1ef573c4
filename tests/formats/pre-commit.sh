#!/bin/bash
# The pre-commit hook, as a repository with profiles uses it. Usage: pre-commit.sh PROGRAM
# Status 77: there is no pre-commit to be had here.
set -euo pipefail
# shellcheck source=tests/fetch.sh
. "$(dirname "${BASH_SOURCE[0]}")/../fetch.sh"

program=$(realpath "$1")
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT

# Fetched once for each version, not for each clone.
version=4.7.0
cache=${CIVICUM_TUNE_CACHE:-$HOME/.cache/civicum-tune}
tools=$cache/tools/pre-commit-$version
mkdir -p "$cache/tools"
exec 9>"$tools.lock"
flock 9
if [ ! -e "$tools/ready" ]; then
  # One that was cut off is made anew, where it stands: a venv can't be moved.
  rm -rf "$tools"
  python3 -m venv "$tools" >&2
  outside "$tools/bin/pip" install --quiet --disable-pip-version-check pre-commit==$version
  touch "$tools/ready"
fi
exec 9>&-

# Nothing of this machine's own git and pre-commit settings.
export HOME=$room/home PRE_COMMIT_HOME=$room/cache GIT_CONFIG_NOSYSTEM=1
mkdir -p "$HOME" "$room/bin" "$room/hooks" "$room/repo/profiles"
git config --global user.name test
git config --global user.email test@localhost
git config --global init.defaultBranch main
ln -s "$program" "$room/bin/civicum-tune"
PATH=$room/bin:$tools/bin:$PATH

# A repository with the hook's definition, and one that uses it.
cp "$top/.pre-commit-hooks.yaml" "$room/hooks/"
git -C "$room/hooks" init -q
git -C "$room/hooks" add .
git -C "$room/hooks" commit -qm hooks
cd "$room/repo"
git init -q
cat >.pre-commit-config.yaml <<Y
repos:
  - repo: $room/hooks
    rev: $(git -C "$room/hooks" rev-parse HEAD)
    hooks: [{id: civicum-tune-validate-system}]
Y
printf 'extends = "minimal"\n' >profiles/good.toml
printf 'not = "a profile"\n' >other.toml
git add .

expect() { # WANTED COMMAND…
  local wanted=$1 status=0
  shift
  "$@" >"$room/said" 2>&1 || status=$?
  if [ "$status" -ne "$wanted" ]; then
    printf 'status %s, not %s: %s\n' "$status" "$wanted" "$*" >&2
    cat "$room/said" >&2
    exit 1
  fi
}
expect 0 pre-commit validate-manifest "$top/.pre-commit-hooks.yaml"
expect 0 pre-commit run --all-files --verbose
grep -q 'profiles/good.toml: valid' "$room/said"
if grep -q other.toml "$room/said"; then echo "a file that is no profile was checked" >&2; exit 1; fi

printf '[zswap]\nenabeld = true\n' >profiles/bad.toml
git add .
expect 1 pre-commit run --all-files
grep -q 'profiles/bad.toml:2:1: error\[profile/unknown-key\]' "$room/said"
expect 1 pre-commit try-repo "$room/hooks" civicum-tune-validate-system --files profiles/bad.toml
expect 0 pre-commit try-repo "$room/hooks" civicum-tune-validate-system --files profiles/good.toml
pre-commit install >/dev/null
expect 1 git commit -qm bad
git rm -qf profiles/bad.toml
expect 0 git commit -qm good
echo "the hook stops a bad profile, and lets a good one pass"
