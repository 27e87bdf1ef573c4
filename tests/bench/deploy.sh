#!/bin/bash
# deploy.sh BINARY COMPOSE [ROUNDS]: what a deploy costs that has nothing to do, for five services: beside the same questions
# asked by curl, and beside `docker compose up -d` of the same file, on the engine that DOCKER_HOST names. Each round runs
# the four one after the other; it is printed as Markdown.
# shellcheck disable=SC2016  # Markdown has backticks
set -euo pipefail
binary=$(realpath "$1") compose=$2 rounds=${3:-21}
socket=${DOCKER_HOST:-unix:///run/docker.sock}
socket=${socket#unix://}
work=$(mktemp -d)
ours=ctbench$$ theirs=ctbenchc$$

down() {
  "$binary" --profile "$work/ours.toml" down --data --yes -q >/dev/null 2>&1 || true
  [ ! -e "$work/compose.yml" ] || "$compose" -f "$work/compose.yml" down -v >/dev/null 2>&1 || true
  docker rmi -f "$image" >/dev/null 2>&1 || true
  rm -rf "$work" "/run/civicum-tune.$ours.lock"
}

mkdir -p "$work/tree/bin"
cp /bin/busybox "$work/tree/bin/"
for applet in sleep true; do ln -s busybox "$work/tree/bin/$applet"; done
image=$(tar -C "$work/tree" -c . | docker import -)
trap down EXIT

# profile NAME: five services that need one another in a row.
profile() {
  echo "name = \"bench\""
  echo "[deployment]"
  echo "name = \"$1\""
  local before=
  for service in a b c d e; do
    echo "[services.$service]"
    echo "image = \"$image\""
    echo 'command = ["sleep", "100000"]'
    echo 'memory = "32MiB"'
    echo 'memory_swap = "32MiB"'
    echo 'health = ["true"]'
    echo "needs = [${before:+\"$before\"}]"
    before=$service
  done
}
profile "$ours" >"$work/ours.toml"
profile "$theirs" >"$work/theirs.toml"
"$binary" --profile "$work/theirs.toml" render compose >"$work/compose.yml"

# now: ms since some moment.
now() { date +%s%N | cut -c1-16; }
# measure FILE COMMAND…: appends how long it took, in µs.
measure() {
  local file=$1 begin
  shift
  begin=$(now)
  "$@" >/dev/null 2>&1
  echo $(($(now) - begin)) >>"$work/$file"
}
cold=$(now)
"$binary" --profile "$work/ours.toml" deploy --yes -q >/dev/null
cold_ours=$((($(now) - cold) / 1000))
cold=$(now)
"$compose" -f "$work/compose.yml" up -d --wait >/dev/null 2>&1
cold_theirs=$((($(now) - cold) / 1000))

questions=("http://d/_ping" "http://d/containers/json?all=true" "http://d/networks" "http://d/volumes" "http://d/images/$image/json")
for service in a b c d e; do questions+=("http://d/containers/$ours-$service/json"); done
for _ in $(seq "$rounds"); do
  measure deploy "$binary" --profile "$work/ours.toml" deploy --yes -q
  measure curl curl -s --unix-socket "$socket" "${questions[@]}"
  measure compose "$compose" -f "$work/compose.yml" up -d
  measure doctor "$binary" --profile "$work/ours.toml" doctor -q --only CONT
done
# row WHAT FILE
row() {
  sort -n "$work/$2" | awk -v what="$1" '{ t[NR] = $1 / 1000 }
    END { printf "| %s | %.1f | %.1f | %.1f |\n", what, t[int((NR + 1) / 2)], t[1], t[NR] }'
}
cat <<M
Docker Engine $(docker version --format '{{.Server.Version}}'), Compose $("$compose" version --short); five services that need one another in a row. Whole processes in ms, of $rounds rounds in turns.

| what | median | shortest | longest |
| --- | --- | --- | --- |
$(row '`civicum-tune deploy` with nothing to do' deploy)
$(row 'the same questions by curl, one process' curl)
$(row '`docker compose up -d` with nothing to do' compose)
$(row '`civicum-tune doctor --only CONT`' doctor)

From nothing to all five healthy, once each: \`civicum-tune deploy\` $cold_ours ms, \`docker compose up -d --wait\` $cold_theirs ms.
M
