#!/bin/bash
# create.sh KIND LLM-MIB LEAK-MIB: creates the three containers with the engine's options in KIND-{llm,db,worker}.options, once.
set -euo pipefail
cd /srv/evidence
kind=$1
# shellcheck disable=SC2046  # words are what is wanted
run() { docker create --name "$kind-$1" --network none --security-opt apparmor=unconfined -v /srv/evidence:/srv/evidence $(cat "$kind-$1.options") "${@:2}" >/dev/null; }
run llm evidence:1 /usr/bin/python3.11 /srv/evidence/llm.py /srv/evidence/corpus "$2" /srv/evidence/now/llm
run db --user 999:999 --stop-signal INT -v /srv/evidence/data:/var/lib/postgresql -v /srv/evidence/socket:/run/postgresql evidence:1 \
  /usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/main -k /run/postgresql -c listen_addresses= \
  -c jit=off -c shared_buffers=22MB -c max_connections=20
run worker evidence:1 /usr/bin/python3.11 /srv/evidence/worker.py /srv/evidence/corpus 64 "$3" /srv/evidence/now/worker
