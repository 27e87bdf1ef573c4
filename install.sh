#!/bin/bash
# Installs civicum-tune from this clone, then shows what it would change on this host and asks.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=.ci/lib.sh
. "$top/.ci/lib.sh"

usage() {
  cat <<'U'
Usage: sudo ./install.sh [--yes] [--no-apply] [--prefix DIR]

Installs what is missing (a C linker, a Rust toolchain), builds civicum-tune, installs it with completions and man
pages, shows the changes that the profile for this host asks for, and carries them out if you say yes.

  --yes         carry the changes out without asking
  --no-apply    only install the program
  --prefix DIR  install below DIR instead of /usr/local
  --help        this text
U
}

yes=false apply=true prefix=/usr/local asked=$*
while [ $# -gt 0 ]; do
  case $1 in
    --yes | -y) yes=true ;;
    --no-apply) apply=false ;;
    --prefix) [ $# -ge 2 ] || fail "--prefix wants a folder"; prefix=$2; shift ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; fail "unknown option: $1" ;;
  esac
  shift
done

[ "$(uname -s)" = Linux ] || fail "civicum-tune is for Linux"
if [ "$(id -u)" -ne 0 ] && { $apply || [ ! -w "$(dirname "$prefix")" ]; }; then
  fail "installing below $prefix and tuning the host need root; run: sudo ./install.sh${asked:+ $asked}"
fi

build() {
  local jobs=() ram
  ram=$(awk '/^MemTotal:/ {print int($2 / 1024)}' /proc/meminfo 2>/dev/null || echo 4096)
  # Two compilers side by side do not fit in a small server's memory.
  if [ "$ram" -lt 2048 ]; then jobs=(-j1); fi
  say "building (a few minutes the first time)"
  (cd "$top" && as_caller env RUSTC="$RUSTC" "$CARGO" build --release --locked --quiet "${jobs[@]}") ||
    fail "the build failed; its words are above"
  built=${CARGO_TARGET_DIR:-$top/target}/release/civicum-tune
}

# put SOURCE TARGET MODE: in place in one step, so that a running program is never half a file.
put() {
  install -D -m "$3" "$1" "$2.new"
  mv -f "$2.new" "$2"
}

install_program() {
  local work
  work=$(mktemp -d)
  put "$built" "$prefix/bin/civicum-tune" 755
  for pair in bash:share/bash-completion/completions/civicum-tune zsh:share/zsh/site-functions/_civicum-tune \
    fish:share/fish/vendor_completions.d/civicum-tune.fish; do
    "$built" completions "${pair%%:*}" >"$work/completions"
    put "$work/completions" "$prefix/${pair#*:}" 644
  done
  for pair in en:share/man/man1 es:share/man/es/man1; do
    mkdir -p "$work/${pair%%:*}"
    "$built" man --out "$work/${pair%%:*}" --lang "${pair%%:*}"
    for page in "$work/${pair%%:*}"/*; do put "$page" "$prefix/${pair#*:}/$(basename "$page")" 644; done
  done
  rm -rf "$work"
  say "installed $prefix/bin/civicum-tune, its completions and man pages"
}

# One that runs the program which was replaced goes on with the old one until somebody restarts it.
restart_supervisor() {
  local unit=civicum-tune-supervise.service
  if [ ! -d /run/systemd/system ] || ! grep -qsF "ExecStart=$(realpath -m "$prefix/bin/civicum-tune") " "/etc/systemd/system/$unit" ||
    ! systemctl is-active --quiet "$unit"; then return 0; fi
  if systemctl try-restart "$unit"; then
    say "the supervisor was restarted, and is the new program"
  else
    say "the supervisor is still the program that was there before; run: systemctl restart $unit"
  fi
}

# A plan with changes ends with status 1, which must not pass for a failure of the whole line.
can_change() {
  local plan
  plan=$("$prefix/bin/civicum-tune" plan --format json) || [ $? -eq 1 ] || return 1
  [[ $plan == *'"obstacles": []'* ]]
}

tune() {
  local program=$prefix/bin/civicum-tune status=0
  if ! can_change; then
    "$program" plan || status=$?
    [ "$status" -le 1 ] || fail "civicum-tune could not look at this host; its words are above"
    say "installed; this host was not changed, for the reason above"
  elif $yes; then
    "$program" apply --yes
  elif [ -t 0 ] && [ -t 2 ]; then
    "$program" apply || { status=$?; [ "$status" -eq 1 ] || exit "$status"; say "installed; nothing was changed"; }
  else
    "$program" plan || status=$?
    [ "$status" -le 1 ] || fail "civicum-tune could not look at this host; its words are above"
    say "installed; there is nobody to ask, so nothing was changed. Next: sudo civicum-tune apply"
  fi
}

need_linker
need_rust
build
install_program
restart_supervisor
if $apply; then tune; else say "next: sudo civicum-tune plan"; fi
