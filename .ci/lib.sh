# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034  # `top` comes from the script that reads this, `CARGO` goes to it
# What install.sh and test.sh share: short words, packages, a Rust toolchain that is new enough.

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
fail() { printf '\033[1;31merror:\033[0m %s\n' "$*" >&2; exit 2; }
if [ ! -t 2 ]; then
  say() { printf '==> %s\n' "$*" >&2; }
  fail() { printf 'error: %s\n' "$*" >&2; exit 2; }
fi

# As root: the command itself. As anyone else: through sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# As the person who called sudo, so that the clone does not fill with files of root's.
as_caller() {
  if [ "$(id -u)" -eq 0 ] && [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
    local home
    home=$(getent passwd "$SUDO_USER" | cut -d: -f6)
    runuser -u "$SUDO_USER" -- env HOME="$home" PATH="$PATH" "$@"
  else
    "$@"
  fi
}

apt_updated=false

# packages NAME…: installs them; what apt says is shown only when it fails.
packages() {
  local log
  command -v apt-get >/dev/null || fail "this needs $*, and there is no apt-get here to install them; install them and run this again"
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
    fail "this needs $*; install them as root and run this again"
  fi
  log=$(mktemp)
  say "installing $*"
  if ! {
    { $apt_updated || as_root apt-get update; } &&
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
  } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    fail "apt-get could not install $*; its last words are above (is there a network?)"
  fi
  apt_updated=true
  rm -f "$log"
}

# at_least HAVE WANTED: compares versions.
at_least() {
  [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

rust_wanted() {
  sed -n 's/^rust-version = "\(.*\)"/\1/p' "$top/Cargo.toml"
}

# Is the cargo in that folder (or on the PATH) new enough, and has it a rustc beside it?
new_enough() {
  local cargo=$1 rustc=$2 version
  version=$("$rustc" --version 2>/dev/null | cut -d' ' -f2) || return 1
  [ -n "$version" ] && "$cargo" --version >/dev/null 2>&1 && at_least "$version" "$(rust_wanted)"
}

use_rust() {
  CARGO=$1
  export RUSTC=$2
  say "Rust $("$RUSTC" --version | cut -d' ' -f2)"
}

# Sets CARGO and RUSTC: what is there, else the distribution's packages, else rustup.
find_rust() {
  local home name version
  home=$(getent passwd "${SUDO_USER:-$(id -un)}" | cut -d: -f6)
  for folder in "" "$home/.cargo/bin/" "/usr/local/cargo/bin/"; do
    if [ -n "$folder" ] && [ -d "$folder" ]; then PATH=${folder%/}:$PATH; fi
    if new_enough cargo rustc; then use_rust "$(command -v cargo)" "$(command -v rustc)"; return; fi
  done
  # Ubuntu's packages carry the version in the names of their programs too.
  for name in $(compgen -c cargo- | grep -xE 'cargo-1\.[0-9]+' | sort -rV | uniq); do
    version=${name#cargo-}
    if new_enough "$name" "rustc-$version"; then use_rust "$(command -v "$name")" "$(command -v "rustc-$version")"; return; fi
  done
  return 1
}

need_rust() {
  local name
  if find_rust; then return; fi
  if command -v apt-get >/dev/null; then
    if ! $apt_updated; then as_root apt-get update -qq >/dev/null 2>&1 || true; fi
    name=$(rust_package)
    if [ -n "$name" ]; then
      # shellcheck disable=SC2086  # two packages in one word, on purpose
      packages $name
      if find_rust; then return; fi
    fi
  fi
  say "this distribution has no Rust $(rust_wanted) or later: installing it with rustup, from https://rustup.rs"
  command -v curl >/dev/null || packages curl ca-certificates
  as_caller sh -c 'curl --proto "=https" --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --no-modify-path' >/dev/null 2>&1 ||
    fail "rustup could not be installed; install Rust $(rust_wanted) or later by hand (https://rustup.rs) and run this again"
  find_rust || fail "no Rust $(rust_wanted) or later was found after installing it"
}

# The packages of this distribution that bring a new enough Rust, or nothing.
rust_package() {
  local pair version name
  for pair in rustc:cargo rustc-web:cargo-web; do
    version=$(candidate "${pair%%:*}")
    if [ -n "$version" ] && at_least "$version" "$(rust_wanted)"; then echo "${pair/:/ }"; return; fi
  done
  for name in $(apt-cache search --names-only '^rustc-1\.[0-9]+$' 2>/dev/null | cut -d' ' -f1 | sort -rV); do
    if at_least "${name#rustc-}" "$(rust_wanted)"; then echo "$name cargo-${name#rustc-}"; return; fi
  done
}

candidate() {
  apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: \([0-9.]*\).*/\1/p'
}

need_linker() {
  if ! command -v cc >/dev/null || [ ! -e /usr/include/stdio.h ]; then packages gcc libc6-dev; fi
}
