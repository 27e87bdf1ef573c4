#!/bin/bash
# Runs every test of civicum-tune, and installs what they need first.
# shellcheck disable=SC2317  # `suite` and `optional` call functions by their names
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=.ci/lib.sh
. "$top/.ci/lib.sh"

usage() {
  cat <<'U'
Usage: ./test.sh [--no-vm] [--quick] [--no-engine] [--help]

  --no-vm      leave out the virtual machine (a real kernel, real reboots, real power cuts)
  --quick      only what cargo runs: no virtual machine, no clean Debian to install on, no pre-commit, no language
               server, no language model
  --no-engine  start no Docker engine, and install none: where none can start anyway

Debian's packages come from the mirror that this system's apt has; where it has none, from CIVICUM_TUNE_MIRROR=URL.
U
}

vm=true clean=true with_engine=true
for option in "$@"; do
  case $option in
    --no-vm) vm=false ;;
    --quick) vm=false clean=false ;;
    --no-engine) with_engine=false ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; fail "unknown option: $option" ;;
  esac
done

cd "$top"
rows=() failed=0 logs_of_failed=()
logs=$(mktemp -d /tmp/ct-test-XXXXXX)

# aside COMMAND…: runs it; what it says goes to the file `log` too, but on a terminal, where all of it can be read above.
log=
aside() {
  local status=0 to tee
  if [ -t 1 ]; then "$@"; return; fi
  log=$logs/${#rows[@]}
  # Not a pipe: the command is one of this shell's functions, and what it sets stays.
  exec {to}> >(tee "$log")
  tee=$!
  "$@" >&"$to" 2>&1 {to}>&- || status=$?
  exec {to}>&-
  # A daemon that was left behind may hold it open.
  for _ in $(seq 50); do
    kill -0 "$tee" 2>/dev/null || break
    sleep 0.1
  done
  return "$status"
}

# went_wrong NAME SECONDS
went_wrong() {
  failed=1
  rows+=("$(printf '%-28s %-8s %5d s' "$1" FAILED "$2")")
  if [ -n "$log" ]; then logs_of_failed+=("$1" "$log"); fi
}

# What was told of failures, once more at the end, where it is not buried under what the others said.
failures() {
  [ $# -gt 0 ] || return 0
  printf '==> %s: what failed, and its last words\n' "$1"
  { grep -anE -A4 '^FAIL|^\[[ 0-9.]+s\] FAIL|panicked at|^error|^Traceback' "$2" | cut -c 1-400 | head -n 40; } || true
  printf '%s\n' --
  { tail -n 15 "$2" | cut -c 1-400; } || true
  printf '\n'
  failures "${@:3}"
}

# suite NAME COMMAND…: runs it, and notes how it went.
suite() {
  local name=$1 begin=$SECONDS
  shift
  say "$name"
  if aside "$@"; then
    rows+=("$(printf '%-28s %-8s %5d s' "$name" passed $((SECONDS - begin)))")
  else
    went_wrong "$name" $((SECONDS - begin))
  fi
}

# optional NAME WHY COMMAND…: the same, but status 77 says that it can't be done here, and WHY.
optional() {
  local name=$1 why=$2 begin=$SECONDS status=0
  shift 2
  say "$name"
  aside "$@" || status=$?
  case $status in
    0) rows+=("$(printf '%-28s %-8s %5d s' "$name" passed $((SECONDS - begin)))") ;;
    77) left_out "$name" "$why" ;;
    *) went_wrong "$name" $((SECONDS - begin)) ;;
  esac
}

# fetched NAME WHY COMMAND…: fetches it, and where it is is in `found`; status 77 leaves NAME out, any other is a failure.
found=
fetched() {
  local status=0
  found=$("${@:3}") || status=$?
  case $status in
    0) return 0 ;;
    77) left_out "$1" "$2" ;;
    *) failed=1 rows+=("$(printf '%-28s %-8s (%s)' "$1" FAILED "$3")") ;;
  esac
  return 1
}

left_out() {
  rows+=("$(printf '%-28s left out: %s' "$1" "$2")")
}

# A real Docker engine: the one that answers here, else one of the tests' own.
engine=
# `return 0`, since at an exit that is no success a bare `return` would be none either, and end the trap.
stop_engine() {
  if [ -z "$engine" ]; then return 0; fi
  tests/engine/start.sh --stop "$engine"
  unset DOCKER_HOST
  engine=
}
# must WHAT: it is here now, and a test that leaves it out all the same fails.
must() { export CIVICUM_TUNE_MUST=${CIVICUM_TUNE_MUST:+$CIVICUM_TUNE_MUST,}$1; }
# From Debian 13 on the client is a package of its own, which docker.io only recommends.
need_client() {
  if command -v docker >/dev/null; then return; fi
  if apt-cache show docker-cli >/dev/null 2>&1; then packages docker-cli; else packages docker.io; fi
}
# Images are made with mmdebstrap, from the mirror that apt has.
can_make_images() {
  command -v mmdebstrap >/dev/null || packages mmdebstrap
  as_root apt-get update --error-on=any >/dev/null 2>&1
}
need_engine() {
  local socket=${DOCKER_HOST:-unix:///run/docker.sock}
  if [ -S "${socket#unix://}" ]; then
    if [ "$(id -u)" -ne 0 ]; then return; fi
    need_client
    if docker version >/dev/null 2>&1; then must docker; else left_out "a real Docker engine" "nothing answers on $socket"; fi
    return
  fi
  if ! $with_engine; then
    left_out "a real Docker engine" "--no-engine"
    return
  fi
  if [ "$(id -u)" -ne 0 ]; then
    left_out "a real Docker engine" "none answers here, and to start one needs root"
    return
  fi
  command -v dockerd >/dev/null || packages docker.io
  need_client
  if [ -S "${socket#unix://}" ]; then must docker; return; fi
  engine=$(mktemp -d /tmp/ct-engine-XXXXXX)
  if socket=$(tests/engine/start.sh "$engine"); then
    export DOCKER_HOST=unix://$socket
    must docker
    if can_make_images; then must images; else left_out "PostgreSQL in a container" "no mirror can be reached"; fi
  else
    engine=
    left_out "a real Docker engine" "it does not start on this machine"
  fi
}

# A real PostgreSQL server of the tests' own, on a free port of 127.0.0.1.
database=
stop_database() {
  if [ -z "$database" ]; then return 0; fi
  tests/postgres/start.sh --stop "$database"
  rm -rf "$database"
  database=
}
trap 'stop_engine || true; stop_database || true; rm -rf "$logs"' EXIT
need_database() {
  if [ -n "${CIVICUM_TUNE_TEST_DATABASE:-}" ]; then return; fi
  if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    # Its package would start a server of its own.
    if [ "$(id -u)" -eq 0 ] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
      mkdir -p /etc/postgresql-common
      echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    fi
    packages postgresql
  fi
  database=$(mktemp -d /tmp/ct-postgres-XXXXXX)
  CIVICUM_TUNE_TEST_DATABASE=$(tests/postgres/start.sh "$database")
  export CIVICUM_TUNE_TEST_DATABASE
  must database
}

# Containers on a newer engine than this release has, with the Compose that reads what `render compose` writes.
newer_engine() {
  local newer socket status=0 must=docker
  newer=$(tests/engine/fetch-newer.sh) || return
  # Its runtime and its client are this release's.
  command -v containerd >/dev/null || packages docker.io
  need_client
  if can_make_images; then must+=,images; fi
  engine=$(mktemp -d /tmp/ct-engine-XXXXXX)
  socket=$(PATH=$newer:$PATH tests/engine/start.sh "$engine") || { engine=; return 77; }
  DOCKER_HOST=unix://$socket CIVICUM_TUNE_MUST=$must CIVICUM_TUNE_COMPOSE=$newer/docker-compose "$CARGO" test --locked --quiet --test deploy || status=1
  stop_engine
  return "$status"
}

# What a model on this host makes of a text: the server that the bundled image has, and the smallest model that there is.
language_model() {
  local server model
  server=$(tests/llm/fetch-server.sh) || return
  model=$(tests/llm/fetch-model.sh) || return
  CIVICUM_TUNE_LLM_SERVER=$server CIVICUM_TUNE_MODEL=$model "$CARGO" test --locked --quiet --test llm --test bench_llm
}

need_linker
need_rust
command -v strace >/dev/null || packages strace
[ -x /bin/busybox ] || packages busybox-static
command -v xmllint >/dev/null || packages libxml2-utils
if $clean; then
  if ! python3 -m pip --version >/dev/null 2>&1 || ! python3 -c 'import ensurepip' 2>/dev/null; then packages python3-pip python3-venv; fi
  # Podman's quadlet and the schemas of Kubernetes, for what `render` makes; without them those tests say that they are skipped.
  fetched "readers of what render makes" "a package mirror can't be reached" tests/engine/fetch-renderers.sh || true
fi
for tool in pdftoppm:poppler-utils tesseract:tesseract-ocr qpdf:qpdf; do
  command -v "${tool%%:*}" >/dev/null || packages "${tool#*:}"
done
tesseract --list-langs 2>/dev/null | grep -qx spa || packages tesseract-ocr-spa
/usr/bin/python3 -c 'import PIL, reportlab' 2>/dev/null || packages python3-pil python3-reportlab
[ -d /usr/share/fonts/truetype/liberation ] || packages fonts-liberation
if ! $clean && ! python3 -m pip --version >/dev/null 2>&1; then
  left_out "PP-OCR" "--quick, and there is no pip to get its models with"
elif fetched "PP-OCR" "pip can't get its models" tests/ocr/fetch-models.sh; then
  export CIVICUM_TUNE_OCR_MODELS=$found
fi
need_engine
need_database
suite "cargo test" "$CARGO" test --locked --quiet --no-fail-fast
stop_engine

if ! $clean || ! $with_engine || [ "$(id -u)" -ne 0 ]; then
  left_out "a newer Docker engine" "--quick, --no-engine, or no root"
else
  optional "a newer Docker engine" "the package mirror has none that runs here" newer_engine
fi

if ! $clean; then
  left_out "language model" "--quick"
else
  optional "language model" "the package mirrors have no llama.cpp that runs here, or no model" language_model
fi

hook() {
  "$CARGO" build --locked --quiet && tests/formats/pre-commit.sh "${CARGO_TARGET_DIR:-$top/target}/debug/civicum-tune"
}
if ! $clean; then
  left_out "pre-commit hook" "--quick"
else
  optional "pre-commit hook" "pip can't reach a registry" hook
fi

if ! $clean; then
  left_out "editor" "--quick"
elif ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  left_out "editor" "it needs node and npm (the language server of TOML editors)"
else
  suite "editor" tests/editor/run.sh "${CARGO_TARGET_DIR:-$top/target}/debug/civicum-tune"
fi

release=${CARGO_TARGET_DIR:-$top/target}/tested/civicum-tune
rm -f "$release"
if ! $clean; then
  left_out "install on a clean Debian" "--quick"
elif [ "$(id -u)" -ne 0 ]; then
  left_out "install on a clean Debian" "it needs root (a chroot in a mount namespace)"
else
  optional "install on a clean Debian" "no mirror of Debian is known" tests/install/clean-host.sh --keep "$release"
fi

# What is built only to be tried out, not to be released: in half the time.
quicker() { CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 "$@"; }

# The program that the rest is tested with: the one that was built and installed on the clean Debian, where there was one and
# it runs here; else one of this system's. Not optimised to the last: what is tested is what it does.
need_release() {
  if "$release" --version >/dev/null 2>&1; then return; fi
  quicker "$CARGO" build --locked --release --quiet &&
    install -D -m 755 "${CARGO_TARGET_DIR:-$top/target}/release/civicum-tune" "$release"
}

# What a release consists of, and hosts on which it comes and goes. Each stage makes what it needs, in a folder of the tests'.
made=${CARGO_TARGET_DIR:-$top/target}/tested/made
rm -rf "$made"
packages_made() { tests/package/run.sh "$made/deb"; }
static_made() {
  need_release && quicker ./package.sh --into "$made/static" static &&
    tests/package/static.sh "$made"/static/*-linux-musl "$release"
}
if ! $clean; then
  left_out "packages" "--quick"
elif [ "${CIVICUM_TUNE_PACKAGES:-0}" != 1 ]; then
  left_out "packages" "CIVICUM_TUNE_PACKAGES=1 asks for them (a program that is optimised to the last, and two tools, are built)"
elif [ "$(id -u)" -ne 0 ]; then
  left_out "packages" "they are installed in a root file system of their own, which needs root"
else
  optional "packages" "no mirror of Debian is known" packages_made
fi

if ! $clean; then
  left_out "static program" "--quick"
elif [ "${CIVICUM_TUNE_STATIC:-0}" != 1 ]; then
  left_out "static program" "CIVICUM_TUNE_STATIC=1 asks for it (a second build, for musl)"
elif [ "$(id -u)" -ne 0 ]; then
  left_out "static program" "it runs in a root file system of its own, which needs root"
else
  suite "static program" static_made
fi

whole() {
  local tool
  for tool in dockerd:docker.io mmdebstrap:mmdebstrap ip:iproute2; do
    command -v "${tool%%:*}" >/dev/null || packages "${tool#*:}"
  done
  need_client
  need_release
  tests/whole/run.sh "$release"
}
if ! $clean || ! $with_engine; then
  left_out "the whole on an engine" "--quick or --no-engine"
elif [ "$(id -u)" -ne 0 ]; then
  left_out "the whole on an engine" "it needs root (an engine of its own)"
else
  optional "the whole on an engine" "there is no model, or no engine starts" whole
fi

if ! $vm; then
  left_out "virtual machine" "--no-vm or --quick"
elif [ "$(id -u)" -ne 0 ]; then
  left_out "virtual machine" "its image is built as root"
else
  need_release
  optional "virtual machine" "no mirror of Debian is known" tests/vm/run.sh "$release"
fi

first_boot() {
  local tool image
  for tool in mkfs.vfat:dosfstools mcopy:mtools; do
    command -v "${tool%%:*}" >/dev/null || packages "${tool#*:}"
  done
  if ! compgen -G "$made/deb/*.deb" >/dev/null; then quicker ./package.sh --into "$made/deb" deb || return; fi
  image=$(tests/vm/cloud-image.sh) && python3 tests/vm/first_boot.py "$made"/deb/*.deb "$image"
}
if ! $vm; then
  left_out "first boot by cloud-init" "--no-vm or --quick"
elif [ "${CIVICUM_TUNE_CLOUD_INIT:-0}" != 1 ]; then
  left_out "first boot by cloud-init" "CIVICUM_TUNE_CLOUD_INIT=1 asks for it (a package, a virtual machine, an image of its own)"
elif [ "$(id -u)" -ne 0 ]; then
  left_out "first boot by cloud-init" "its image is built as root"
else
  optional "first boot by cloud-init" "no mirror of Debian is known" first_boot
fi

printf '\n'
failures "${logs_of_failed[@]}"
printf '%s\n' "${rows[@]}"
exit $failed
