#!/bin/bash
# On a clean Debian: the package comes, is upgraded, goes, and is purged, on a host that was never tuned, on one that is, and on
# one that was taken back.
set -euo pipefail
cd /root

expect() {
  local what=$1
  shift
  if "$@" >/tmp/out 2>&1; then
    echo "ok    $what"
  else
    echo "FAIL  $what"
    cat /tmp/out /tmp/said
    exit 1
  fi
}
says() { grep -qF -- "$1" /tmp/said; }
hushed() { ! says "$1"; }
is() { [ "$(dpkg-query -W -f '${db:Status-Abbrev}${Version}' civicum-tune 2>/dev/null)" = "$1" ]; }
apt() { apt-get -qq -y "$@" >/tmp/said 2>&1 || { cat /tmp/said; return 1; }; }
# All that is there, but for what dpkg and apt keep of themselves.
everything() {
  find / -xdev \( -path /proc -o -path /dev -o -path /tmp -o -path /root -o -path /var/lib/dpkg -o -path /var/lib/apt -o \
    -path /var/cache -o -path /var/log \) -prune -o -printf '%p %y %m %u %l\n' | sort
}
nothing_tuned() {
  [ ! -e /var/lib/civicum-tune ] && [ ! -e /etc/civicum-tune/profile.toml ] && [ ! -e /etc/sysctl.d/99-zz-civicum-tune.conf ] &&
    [ ! -e /swapfile ] && [ -z "$(find /etc/systemd -name '*civicum-tune*')" ]
}
# The state of a host that is tuned: made by the program itself, on a tree, since this clean Debian shares its kernel.
tune() {
  rm -rf /root/host
  cp -r /root/tree /root/host
  civicum-tune --root /root/host --profile minimal --yes -q apply >/tmp/said 2>&1 || { cat /tmp/said; return 1; }
  mkdir -p /var/lib
  cp -a /root/host/var/lib/civicum-tune /var/lib/
  cp /root/host/etc/civicum-tune/profile.toml /etc/civicum-tune/
}

everything >/tmp/before
apt install ./older.deb
expect "an earlier version installs, and nothing else is needed" is "ii 0.0.9-1"
expect "the program runs" civicum-tune --version
expect "installing tunes nothing" nothing_tuned
expect "it asks for nothing and says nothing of this host" hushed "civicum-tune:"
expect "the profile that fits the memory is still what counts" sh -c 'civicum-tune profile list | grep -q "^\* "'
apt install ./package.deb
expect "it is upgraded" is "ii $(dpkg-deb -f package.deb Version)"
expect "a configuration file that nobody touched follows" grep -q '^OPTIONS="--quiet"' /etc/civicum-tune/doctor.conf
expect "upgrading tunes nothing" nothing_tuned
expect "what dpkg put there is as it was packed" sh -c '! dpkg --verify civicum-tune | grep -v "/usr/share/\(doc\|man\)"'
expect "bash can read its completions" bash -n /usr/share/bash-completion/completions/civicum-tune
expect "there is a page for each command" test -s /usr/share/man/man1/civicum-tune-apply.1.gz
expect "and each in Spanish" sh -c 'zcat /usr/share/man/es/man1/civicum-tune-apply.1.gz | grep -q EJEMPLOS'
expect "each bundled profile is an example that is valid" sh -c 'civicum-tune validate /usr/share/doc/civicum-tune/examples/profiles/*.toml'
there() {
  local path paths
  paths=$(grep -rhoE '/usr/share/doc/civicum-tune/[A-Za-z0-9_./-]*[A-Za-z0-9/]' /usr/share/doc/civicum-tune/docs | sort -u)
  [ -n "$paths" ] || return 1
  for path in $paths; do [ -e "$path" ] || { echo "$path"; return 1; }; done
}
expect "what its pages name of its examples is there" there

apt purge civicum-tune
apt install ./older.deb
sed -i 's/^OPTIONS=.*/OPTIONS="--quiet --severity high"/' /etc/civicum-tune/doctor.conf
apt -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install ./package.deb
expect "an administrator's own configuration stays through an upgrade" grep -q 'severity high' /etc/civicum-tune/doctor.conf
expect "and the new one lies beside it" test -e /etc/civicum-tune/doctor.conf.dpkg-dist
apt remove civicum-tune
expect "removed, it leaves the configuration" is "rc $(dpkg-deb -f package.deb Version)"
expect "a host that was never tuned is told nothing" hushed "civicum-tune:"
apt purge civicum-tune
rm -f /tmp/after && everything >/tmp/after
expect "purged, it leaves nothing at all" diff /tmp/before /tmp/after

apt install ./package.deb
tune
apt remove civicum-tune
expect "removed from a tuned host, it says that the host stays tuned" says "this host stays as it was tuned"
expect "and how to take that back" says "civicum-tune rollback 1"
expect "the profile stays" test -e /etc/civicum-tune/profile.toml
apt purge civicum-tune
expect "purged from a tuned host, it keeps the way back" test -e /var/lib/civicum-tune/generations/0001/generation.json
expect "and the profile" test -e /etc/civicum-tune/profile.toml
expect "and says so" says "/var/lib/civicum-tune was kept"
apt install ./package.deb
expect "installed again, it knows what was applied" sh -c 'civicum-tune history --format json | grep -q "\"state\": \"applied\""'

# What the program made of the tree is what it would have made of this host.
taken_over() {
  rm -rf /var/lib/civicum-tune
  cp -a /root/host/var/lib/civicum-tune /var/lib/
}
# In part: somebody changed a file since, and a rollback leaves it. Then in full, since the file is back.
sysctl=/root/host/etc/sysctl.d/99-zz-civicum-tune.conf
cp "$sysctl" /root/sysctl
echo '# mine' >>"$sysctl"
civicum-tune --root /root/host --yes -q rollback 1 >/tmp/said 2>&1 || true
expect "a rollback left what was changed" grep -q '"kept"' /root/host/var/lib/civicum-tune/generations/0001/journal
taken_over
apt purge civicum-tune
expect "taken back in part, it keeps the way back" test -e /var/lib/civicum-tune/generations/0001/generation.json
expect "and says which generation" says "still in force on this host is generation 1"
expect "and no reason that is none" hushed "secrets"
apt install ./package.deb
cp /root/sysctl "$sysctl"
civicum-tune --root /root/host --yes -q rollback 1 >/tmp/said 2>&1
taken_over
mkdir -m 700 /var/lib/civicum-tune/secrets
echo secret >/var/lib/civicum-tune/secrets/api-token
apt purge civicum-tune
expect "secrets of containers are never deleted" test -e /var/lib/civicum-tune/secrets/api-token
expect "and are told" says "that are no records: secrets"
expect "and what was taken back in full is no reason" hushed "in force"
rm -r /var/lib/civicum-tune/secrets
apt install ./package.deb
# What the supervisor leaves is a record, and a line that a power cut tore says nothing.
mkdir /var/lib/civicum-tune/events
echo '{"at":"2026-11-26T12:00:00Z"}' >/var/lib/civicum-tune/events/events.jsonl
printf '{"at":"2026-11-26T12:00:00Z","event":"undo' >>/var/lib/civicum-tune/generations/0001/journal
expect "to the program it is taken back" sh -c 'civicum-tune history --format json | grep -q "\"state\": \"rolled-back\""'
echo 'extends = "minimal"' >/etc/civicum-tune/profile.toml
apt remove civicum-tune
expect "a host that was taken back is told nothing" hushed "stays as it was tuned"
apt purge civicum-tune
expect "with nothing in force a purge is a purge" hushed "was kept"
everything >/tmp/after
expect "and leaves nothing, not even what a supervisor saw" diff /tmp/before /tmp/after

apt install ./package.deb
tune
sed -i 's/"format": *1/"format": 99/' /var/lib/civicum-tune/generations/0001/generation.json
mkdir -p /usr/local/bin
cp /bin/true /usr/local/bin/civicum-tune
apt remove civicum-tune
expect "a journal that it can't read is told of, whatever comes first on the PATH" says "could not find out whether anything is in force"
expect "with the program's own words" says "99"
rm -rf /var/lib/civicum-tune /usr/local/bin/civicum-tune

mkdir -p /usr/local/bin
cp /bin/true /usr/local/bin/civicum-tune
apt install ./package.deb
expect "a program of install.sh's that comes before it on the PATH is told" says "comes before this package's on the PATH"
expect "and nothing of a supervisor that is not there" hushed "supervisor"
mkdir -p /etc/systemd/system
printf '[Service]\nExecStart=/usr/local/bin/civicum-tune supervise\n' >/etc/systemd/system/civicum-tune-supervise.service
apt install --reinstall ./package.deb
expect "that the supervisor's unit starts it is told too" says "\`civicum-tune apply\`: it writes the unit anew"

rm -r /usr/local/bin/civicum-tune /etc/systemd/system/civicum-tune-supervise.service
# State on another disk: as a link, and as a mount point.
mkdir -p /srv/state/secrets
ln -s /srv/state /var/lib/civicum-tune
echo secret >/srv/state/secrets/one
apt purge civicum-tune
expect "a purge sees secrets behind a link" says "other files that are no records: secrets"
expect "keeps them" test -e /srv/state/secrets/one
expect "and says how they go" says "rm -r /srv/state /etc/civicum-tune"
apt install ./package.deb
rm -r /srv/state/secrets
mkdir /srv/state/events
echo '{}' >/srv/state/events/events.jsonl
apt purge civicum-tune
expect "what is a mere record goes behind a link, too" [ -z "$(ls -A /srv/state)" ]
rm /var/lib/civicum-tune
apt install ./package.deb
mkdir /var/lib/civicum-tune
mount -t tmpfs tmpfs /var/lib/civicum-tune
mkdir /var/lib/civicum-tune/events
echo '{}' >/var/lib/civicum-tune/events/events.jsonl
apt purge civicum-tune
expect "a purge comes to an end where the state is a mount point" [ -z "$(dpkg-query -W -f '${db:Status-Abbrev}' civicum-tune 2>/dev/null)" ]
expect "which is empty then" [ -z "$(ls -A /var/lib/civicum-tune)" ]
umount /var/lib/civicum-tune
rmdir /var/lib/civicum-tune
apt install ./package.deb

# With a systemd, which is none here: what the package's scripts ask of it is noted down. apt gives them a PATH of its own.
mkdir -p /run/systemd/system
printf '#!/bin/sh\necho "$*" >>/tmp/asked\n' >/usr/bin/systemctl
chmod 755 /usr/bin/systemctl
printf '[Service]\nExecStart=/usr/local/bin/civicum-tune supervise\n' >/etc/systemd/system/civicum-tune-supervise.service
apt install --reinstall ./package.deb
expect "a supervisor that runs another program is not restarted" sh -c 'grep -q daemon-reload /tmp/asked && ! grep -q try-restart /tmp/asked'
sed -i 's|=/usr/local/bin/|=/usr/bin/|' /etc/systemd/system/civicum-tune-supervise.service
apt install --reinstall ./package.deb
expect "one that runs the package's is" grep -q 'try-restart.* civicum-tune-supervise.service' /tmp/asked
