#!/bin/bash
# Measures civicum-tune beside others that do comparable work, and prints it as Markdown. Nothing of this machine is
# changed: the program works on a tree, the others in their dry-run modes.
# usage: start.sh [BINARY]
# Needs root only to install what is missing (hyperfine, strace, a C compiler, python3-venv).
# shellcheck disable=SC2016  # what stands in single quotes is for other programs
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$top/tests/bench
cache=${CIVICUM_TUNE_CACHE:-$HOME/.cache/civicum-tune}/bench
program=${1:-$top/target/release/civicum-tune}
[ -x "$program" ] || (cd "$top" && cargo build --release --locked --quiet) >&2

missing=()
for pair in hyperfine:hyperfine strace:strace cc:gcc; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
mkdir -p "$cache"
if [ ! -x "$cache/venv/bin/pyinfra" ] || [ ! -x "$cache/venv/bin/ansible-playbook" ]; then
  python3 -m venv "$cache/venv"
  "$cache/venv/bin/pip" install --quiet pyinfra ansible-core
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo 'int main(void) { return 0; }' >"$work/nothing.c"
cc -O2 -static -o "$work/nothing" "$work/nothing.c"

# The tree: what `cargo test` uses as its small cloud server, tuned already, so that a plan finds nothing to do.
(cd "$top" && CIVICUM_TUNE_BENCH_TREE="$work/tree" cargo test --quiet --locked --test tree_for_bench -- --ignored >/dev/null)
"$program" apply --yes --quiet --root "$work/tree" --profile minimal

measure() { # NAME STATUS[,STATUS] COMMAND…: the median and the spread in ms; nothing where it ended with another status
  local name=$1 statuses=$2
  shift 2
  hyperfine -N --warmup 5 --min-runs "${runs:-50}" --ignore-failure --export-json "$work/$name.json" "$*" >/dev/null 2>&1
  python3 -c '
import json, sys
run = json.load(open(sys.argv[1]))["results"][0]
other = set(run["exit_codes"]) - set(map(int, sys.argv[2].split(",")))
if other:
    sys.exit("start.sh: %s ended with status %s: that is no measurement" % (run["command"], *other))
print(*("%.2f" % (run[key] * 1000) for key in ("median", "min", "max")))' "$work/$name.json" "$statuses"
}

read -r nothing nothing_min nothing_max < <(measure nothing 0 "$work/nothing")
read -r plan plan_min plan_max < <(measure plan 0 "$program" plan --root "$work/tree" --quiet)
read -r live live_min live_max < <(measure live 0,1 "$program" plan --quiet)
read -r detect detect_min detect_max < <(measure detect 0 "$program" detect --format json)
read -r doctor doctor_min doctor_max < <(measure doctor 0,1 "$program" doctor --root "$work/tree" --quiet)
read -r audit audit_min audit_max < <(measure audit 0,1 "$program" doctor --quiet)
cp "$here"/deploy.py "$here"/playbook.yml "$work/"
export ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_INVENTORY_UNPARSED_WARNING=false
cd "$work"
"$cache/venv/bin/pyinfra" --dry @local deploy.py </dev/null >/dev/null 2>&1 || { echo "pyinfra does not work here" >&2; exit 1; }
"$cache/venv/bin/ansible-playbook" --check -c local -i localhost, -e ansible_python_interpreter=/usr/bin/python3 playbook.yml \
  >/dev/null 2>&1 || { echo "Ansible does not work here" >&2; exit 1; }
read -r pyinfra pyinfra_min pyinfra_max < <(runs=5 measure pyinfra 0 "$cache/venv/bin/pyinfra" --dry @local deploy.py)
read -r ansible ansible_min ansible_max < <(runs=5 measure ansible 0 "$cache/venv/bin/ansible-playbook" --check -c local -i localhost, -e ansible_python_interpreter=/usr/bin/python3 playbook.yml)
cd "$top"

applies=()
for _ in 1 2 3 4 5 6 7; do
  rm -rf "$work/fresh" && (cd "$top" && CIVICUM_TUNE_BENCH_TREE="$work/fresh" cargo test --quiet --locked --test tree_for_bench -- --ignored >/dev/null)
  begin=$(date +%s%N)
  "$program" apply --yes --quiet --root "$work/fresh" --profile minimal
  applies+=($((($(date +%s%N) - begin) / 10000)))
done
apply=$(printf '%s\n' "${applies[@]}" | sort -n | sed -n 4p)
rm -rf "$work/fresh" && CIVICUM_TUNE_BENCH_TREE="$work/fresh" cargo test --quiet --locked --test tree_for_bench -- --ignored >/dev/null
strace -f -c -w -e trace=fsync,fdatasync -o "$work/fsyncs" "$program" apply --yes --quiet --root "$work/fresh" --profile minimal
fsyncs=$(awk '$NF ~ /^f(data)?sync$/ {n += $4} END {print n}' "$work/fsyncs")
fsync_ms=$(awk '$NF ~ /^f(data)?sync$/ {n += $2} END {printf "%.1f", n * 1000}' "$work/fsyncs")
size=$(stat -c %s "$program")

ratio() { python3 -c "print(f'{$1 / $2:.0f}')"; }
{
  echo "Medians of whole processes (hyperfine), in ms, with the shortest and the longest run. civicum-tune $("$program" --version | cut -d' ' -f2), $(python3 -c "print(f'{$size / 1048576:.1f}')") MiB stripped."
  echo
  echo '| what | median | shortest | longest |'
  echo '| --- | --- | --- | --- |'
  echo "| a static program that does nothing | $nothing | $nothing_min | $nothing_max |"
  echo "| \`civicum-tune plan --root\` on a tuned tree: nothing differs | $plan | $plan_min | $plan_max |"
  echo "| \`civicum-tune plan\` on this live machine | $live | $live_min | $live_max |"
  echo "| \`civicum-tune detect --format json\` on this live machine | $detect | $detect_min | $detect_max |"
  echo "| \`civicum-tune doctor --root\` on the same tree | $doctor | $doctor_min | $doctor_max |"
  echo "| \`civicum-tune doctor\` on this live machine | $audit | $audit_min | $audit_max |"
  echo "| \`pyinfra --dry @local\`, the same parameters and files | $pyinfra | $pyinfra_min | $pyinfra_max |"
  echo "| \`ansible-playbook --check -c local\`, the same parameters and files | $ansible | $ansible_min | $ansible_max |"
  echo
  echo "A plan that finds nothing costs $(python3 -c "print(f'{$plan - $nothing:.2f}')") ms more than the start of a program; pyinfra takes $(ratio "$pyinfra" "$plan") times as long, Ansible $(ratio "$ansible" "$plan") times."
  echo "An audit of a tree costs $(python3 -c "print(f'{$doctor - $nothing:.2f}')") ms more than that start. Beside Lynis and \`tuned-adm verify\`: \`tests/vm/audits.py\`."
  echo "The others compare the same kernel parameters and the same file; they know nothing of the boot chain, of who overrides whom,"
  echo 'or of a way back.'
  echo
  echo "A first \`apply --root\` of the profile \`minimal\` takes $(python3 -c "print(f'{$apply / 100:.1f}')") ms (median of 7). It waits for the disk $fsyncs times (\`strace -c\`), $fsync_ms ms of waiting in all, under strace."
}
