#!/bin/bash
# fetch-server.sh: llama.cpp's server as Debian sid packs it (the one that the bundled image `civicum/llm` gets), with the
# libraries of sid that it wants; prints a program that runs it here. The packages are unpacked and not installed, and the
# system's apt is only read.
set -euo pipefail
# shellcheck source=tests/fetch.sh
. "$(dirname "${BASH_SOURCE[0]}")/../fetch.sh"

folder=${CIVICUM_TUNE_CACHE:-$HOME/.cache/civicum-tune}/llm
mkdir -p "$folder"
exec 9>"$folder/server.lock"
flock 9
if [ -x "$folder/llama-server" ]; then echo "$folder/llama-server"; exit 0; fi

mirror=$(debian_mirror)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
work=$(mktemp -d -p "$folder")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{sources.list,preferences,apt.conf}.d "$work"/lists/partial "$work"/archives/partial
echo "deb [signed-by=$keyring arch=amd64] $mirror sid main" >"$work/sources.list"
: >"$work/status"
options=(-qq -o Dir::Etc="$work" -o Dir::State::lists="$work/lists" -o Dir::State::status="$work/status"
  -o Dir::Cache="$work" -o APT::Sandbox::User=root)
outside apt-get "${options[@]}" update
# Nothing counts as installed, so this is everything that it needs, the C library too.
outside apt-get "${options[@]}" install --no-install-recommends --download-only --yes llama.cpp-tools
for deb in "$work"/archives/*.deb; do dpkg-deb -x "$deb" "$work/tree"; done
rm -rf "${folder:?}/tree"
mv "$work/tree" "$folder/tree"

libraries=usr/lib/x86_64-linux-gnu
# What the processor can do comes as plug-ins, which are looked for beside the program: here that is the loader.
(cd "$folder/tree/$libraries" && ln -sf ggml/backends0/libggml-cpu-*.so .)
cat >"$work/llama-server" <<W
#!/bin/sh
tree=$folder/tree
exec "\$tree/$libraries/ld-linux-x86-64.so.2" --library-path "\$tree/$libraries/llama:\$tree/$libraries" "\$tree/usr/bin/llama-server" "\$@"
W
chmod +x "$work/llama-server"
# One that does not run here is none.
"$work/llama-server" --version >&2 || cant "llama.cpp's server of Debian sid does not run here"
mv "$work/llama-server" "$folder/llama-server"
echo "$folder/llama-server"
