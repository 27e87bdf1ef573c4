#!/bin/bash
# prepare.sh RANDOM: once, inside the machine: an image for the containers from the programs that are installed (no
# registry), a database with something in it, the pages that the loads fill their memory with, a file to read.
set -euo pipefail
cd /srv/evidence
PATH=/usr/lib/postgresql/15/bin:$PATH
systemctl start docker.service

say() { echo "$(cut -d' ' -f1 /proc/uptime) $*"; }

say image
root=$(mktemp -d)
chmod 755 "$root"
mkdir -p "$root"/{bin,etc,tmp,run/postgresql,proc,sys,dev,usr,srv,var/lib/postgresql}
chmod 1777 "$root/tmp" "$root/run/postgresql"
cp /bin/busybox "$root/bin/"
ln -s busybox "$root/bin/sh"
printf 'root:x:0:0:root:/root:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\npostgres:x:999:\n' >"$root/etc/group"
programs=(/usr/bin/python3.11 /usr/lib/postgresql/15/bin/{postgres,initdb})
{
  printf '%s\n' "${programs[@]}" /usr/lib/python3.11 /usr/lib/postgresql/15/lib /usr/share/postgresql/15 \
    /usr/share/zoneinfo/UTC /usr/share/zoneinfo/Etc /usr/lib/x86_64-linux-gnu/libnss_files.so.2
  ldd "${programs[@]}" /usr/lib/postgresql/15/lib/{plpgsql,dict_snowball}.so | grep -oE '/[^ :]+ \(0x' | sed 's/ (0x//'
} | sort -u | while read -r path; do [ ! -e "$path" ] || echo "${path#/}"; done >/tmp/list
tar -C "$root" -cf /tmp/image.tar .
tar -C / -h --hard-dereference --exclude='*/bitcode' --exclude='*llvmjit*' -rf /tmp/image.tar -T /tmp/list
docker import /tmp/image.tar evidence:1 >/dev/null
rm -rf "$root" /tmp/image.tar /tmp/list

say corpus
python3 corpus.py corpus 32 "$1"
# How far it compresses, page by page, by the kernel's own compressors.
modprobe zram num_devices=1
for name in lz4 zstd; do
  # Whoever looks at a new disk must have seen it first.
  udevadm settle
  echo 1 >/sys/block/zram0/reset
  echo "$name" >/sys/block/zram0/comp_algorithm
  echo 64M >/sys/block/zram0/disksize
  dd if=corpus of=/dev/zram0 bs=1M oflag=direct status=none
  read -r data compressed used _ </sys/block/zram0/mm_stat
  echo "$name $data $compressed $used" >>corpus.ratio
done
udevadm settle
echo 1 >/sys/block/zram0/reset
rmmod zram
for _ in 1 2 3 4 5 6 7 8 9 10; do cat corpus; done >file

say database
mkdir -p data socket out
chown 999:999 data socket
docker run --rm --user 999:999 --network none --security-opt apparmor=unconfined -v /srv/evidence/data:/var/lib/postgresql --entrypoint /usr/lib/postgresql/15/bin/initdb \
  evidence:1 -D /var/lib/postgresql/main -A trust --no-locale -E UTF8 >/dev/null
docker run -d --name prepare --user 999:999 --network none --security-opt apparmor=unconfined -v /srv/evidence/data:/var/lib/postgresql -v /srv/evidence/socket:/run/postgresql \
  evidence:1 /usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/main -k /run/postgresql -c listen_addresses= >/dev/null
until psql -h /srv/evidence/socket -U postgres -qc 'select 1' >/dev/null 2>&1; do sleep 1; done
pgbench -h /srv/evidence/socket -U postgres -i -s 5 -q postgres >/dev/null 2>&1
docker stop -t 60 prepare >/dev/null
docker rm prepare >/dev/null
systemctl stop docker.service docker.socket
sync
say "done"
