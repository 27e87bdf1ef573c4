#!/bin/bash
# round.sh NAME KIND SECONDS READ-MIB JOB-MIB: one round, detached from whoever started it. What it finds is in out/NAME; the file
# "done" there comes last. Whatever measures cannot be killed for memory.
cd /srv/evidence || exit
echo -1000 >/proc/self/oom_score_adj
name=$1 kind=$2 seconds=$3 rate=$4 job=$5
PATH=/usr/lib/postgresql/15/bin:$PATH
out=/srv/evidence/out/$name
mkdir -p "$out"
ln -sfn "out/$name" now
trap 'kill $(jobs -p) 2>/dev/null' EXIT
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
for one in llm db worker; do echo "$one $(docker inspect -f '{{.Id}}' "$kind-$one")"; done >"$out/ids"
sync
echo 3 >/proc/sys/vm/drop_caches
dmesg --clear
dmesg --follow >"$out/kernel" &
docker events --filter type=container \
  --format '{{.TimeNano}} {{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}' >"$out/events" &

rm -f data/main/postmaster.pid
docker start "$kind-db" >/dev/null
docker start "$kind-llm" >/dev/null
until psql -h /srv/evidence/socket -U postgres -qc 'select 1' >/dev/null 2>&1; do sleep 0.5; done
until grep -qs loaded "$out/llm"; do sleep 0.5; done
sleep 5
grep -H . /sys/module/zswap/parameters/* /proc/swaps /proc/sys/vm/{swappiness,page-cluster,watermark_scale_factor} \
  /sys/kernel/mm/lru_gen/* >"$out/kernel-says" 2>/dev/null
for one in llm db worker; do
  docker inspect -f "$one pid={{.State.Pid}} memory={{.HostConfig.Memory}} swap={{.HostConfig.MemorySwap}} cpus={{.HostConfig.NanoCpus}} score={{.HostConfig.OomScoreAdj}} restart={{.HostConfig.RestartPolicy.Name}}" "$kind-$one"
done >"$out/before"

python3 sampler.py "$out/ids" "$out/samples" &
docker start "$kind-worker" >/dev/null
begin=$(date +%s.%N)
echo "$begin" >"$out/begin"
python3 reader.py file "$rate" &
# In the second third the system itself wants memory, with the score that a process has by default.
(
  sleep $((seconds / 3))
  echo 0 >/proc/self/oom_score_adj
  exec python3 job.py corpus "$job" $((seconds / 3)) "$out/job"
) &
# A database that went away is tried again at once, by one client a time, 5 transactions a second in all.
(
  cd "$out" || exit
  while true; do
    left=$(echo "$seconds ${begin%.*} $(date +%s)" | awk '{print int($1 + $2 - $3)}')
    [ "$left" -gt 0 ] || break
    # shellcheck disable=SC2094  # `pgbench` is the program, and a log of its
    pgbench -h /srv/evidence/socket -U postgres -n -c 2 -R 5 -T "$left" -l --log-prefix=db postgres >>pgbench 2>&1
    sleep 0.5
  done
) &
while [ "$(date +%s)" -lt $((${begin%.*} + seconds)) ]; do sleep 1; done
date +%s.%N >"$out/end"
docker inspect -f '{{.Name}} pid={{.State.Pid}} exit={{.State.ExitCode}} oomkilled={{.State.OOMKilled}} restarts={{.RestartCount}}' \
  "$kind-llm" "$kind-db" "$kind-worker" >"$out/after"
docker kill "$kind-worker" "$kind-llm" >/dev/null 2>&1
docker stop -t 30 "$kind-db" >/dev/null
sleep 1
touch "$out/done"
