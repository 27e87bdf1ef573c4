#!/bin/bash
# run.sh BINARY: builds the image (once) and lives through everything on it, two scenarios at a time. Each one's log is
# printed whole when it is done. CIVICUM_TUNE_CUTS: how many power cuts (4). CIVICUM_TUNE_KERNELS=1 takes in the newer
# kernels, which take the longest.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binary=$1
image=$("$here/build-image.sh")
names=(cuts supervise containers life admin boot zram)
if [ "${CIVICUM_TUNE_KERNELS:-0}" = 0 ]; then
  echo "newer kernels: left out; CIVICUM_TUNE_KERNELS=1 takes them in"
else
  status=0
  kernels=$("$here/fetch-kernels.sh") || status=$?
  case $status in
    0) names=(kernels "${names[@]}") ;;
    77) echo "newer kernels: left out; their mirror can't be reached" ;;
    *) exit 1 ;;
  esac
fi
logs=$(mktemp -d)
# A polite kill ends the scenarios, and they their machines.
trap '{ cat "$logs"/*.pid 2>/dev/null | xargs -r kill 2>/dev/null; } || true; rm -rf "$logs"' EXIT
trap 'exit 143' TERM INT
# Two scenarios run beside each other, so this one boots its machines one after the other, and each machine has one CPU: two
# with two CPUs each on a host of two cores take 289 s for the zram scenario, with one each 225 s.
export CIVICUM_TUNE_AT_ONCE=1 CIVICUM_TUNE_VCPUS=1

# scenario NAME ARGUMENT…
scenario() {
  local name=$1 begin=$SECONDS
  shift
  python3 "$here/$name.py" "$binary" "$image" "$@" >"$logs/$name" 2>&1 &
  echo $! >"$logs/$name.pid"
  wait $! || true
  rm "$logs/$name.pid"
  {
    flock 9
    echo "==> $name, $((SECONDS - begin)) s"
    cat "$logs/$name"
  } 9>"$logs/lock"
}

# Two at a time, the longest first.
for name in "${names[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n || true; done
  case $name in
    cuts) scenario cuts "${CIVICUM_TUNE_CUTS:-4}" & ;;
    kernels) scenario kernels "$kernels" & ;;
    *) scenario "$name" & ;;
  esac
done
wait

passed=0 failed=0
for name in "${names[@]}"; do
  # A scenario that broke off has no last line.
  if [[ $(tail -n 1 "$logs/$name") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    [ "${BASH_REMATCH[2]}" -eq 0 ] || echo "$name: FAILED"
  else
    failed=$((failed + 1))
    echo "$name: broke off"
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
