#!/bin/bash
# start.sh FOLDER: a PostgreSQL server of the tests' own on a free port of 127.0.0.1, its data in FOLDER; prints its URL.
# start.sh --stop FOLDER: ends it. Its data is the tests': no fsync is left out, since crashes are among them.
set -euo pipefail

# PostgreSQL refuses to run as root.
as_postgres() {
  if [ "$(id -u)" -eq 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi
}

bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
[ -x "$bin/initdb" ] || { echo "no PostgreSQL server is installed (Debian's package postgresql)" >&2; exit 77; }

if [ "$1" = --stop ]; then
  # It may not be allowed into the folder that we are in.
  cd /
  as_postgres "$bin/pg_ctl" -D "$2/data" -m immediate -w stop >/dev/null
  exit
fi

folder=$1
mkdir -p "$folder"
[ "$(id -u)" -ne 0 ] || chown postgres "$folder"
chmod 755 "$folder"
cd "$folder"
# Not a port of those that connections get by themselves: while the server restarts, one of its clients could have it.
while :; do
  port=$((20000 + RANDOM % 10000))
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
done
as_postgres "$bin/initdb" -D "$folder/data" -U civicum --auth=trust --encoding=UTF8 --locale=C.UTF-8 >initdb.log
cat >>data/postgresql.conf <<C
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$folder'
max_connections = 200
shared_buffers = 128MB
C
as_postgres "$bin/pg_ctl" -D "$folder/data" -w -l "$folder/server.log" start >/dev/null
echo "postgresql://civicum@127.0.0.1:$port/postgres"
