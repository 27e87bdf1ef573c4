#!/bin/bash
# Runs on the clean host: the README's two commands, and what they must leave behind.
set -euo pipefail
cd /root/civicum-tune

expect() {
  local what=$1
  shift
  if "$@" >/tmp/out 2>&1; then
    echo "ok    $what"
  else
    echo "FAIL  $what"
    cat /tmp/out
    exit 1
  fi
}

says() { grep -qF -- "$1" /tmp/said; }

begin=$SECONDS
./install.sh --yes >/tmp/said 2>&1 || { cat /tmp/said; exit 1; }
cat /tmp/said
echo "install.sh took $((SECONDS - begin)) s"
expect "the program runs" civicum-tune --version
expect "its man pages are there" test -s /usr/local/share/man/man1/civicum-tune-apply.1
expect "in Spanish, too" grep -q EJEMPLOS /usr/local/share/man/es/man1/civicum-tune-apply.1
expect "bash completes it" grep -q rollback /usr/local/share/bash-completion/completions/civicum-tune
expect "the plan is shown" says "Profile "
expect "with the reason why this host is not changed" says "This host can't be changed"
expect "and the reason is the right one" says "process 1 is"
expect "the end is told" says "this host was not changed"
expect "nothing was changed" test ! -e /var/lib/civicum-tune -a ! -e /etc/sysctl.d/99-zz-civicum-tune.conf

begin=$SECONDS
./install.sh --yes >/tmp/said 2>&1
expect "a second time takes less than 30 s ($((SECONDS - begin)) s)" test $((SECONDS - begin)) -lt 30

# A supervisor that runs what was replaced: the unit is the host's, systemd is none here and only noted down.
mkdir -p /run/systemd/system /etc/systemd/system
printf '#!/bin/sh\necho "$*" >>/tmp/asked\n' >/usr/local/bin/systemctl
chmod 755 /usr/local/bin/systemctl
unit=civicum-tune-supervise.service
printf '[Service]\nExecStart=/usr/bin/civicum-tune supervise\n' >/etc/systemd/system/$unit
./install.sh --no-apply >/tmp/said 2>&1
expect "another program's supervisor is left alone" test ! -e /tmp/asked
printf '[Service]\nExecStart=/usr/local/bin/civicum-tune supervise\n' >/etc/systemd/system/$unit
./install.sh --no-apply >/tmp/said 2>&1
expect "the supervisor of the program that was replaced is restarted" grep -qx "try-restart $unit" /tmp/asked
expect "and that is told" says "the supervisor was restarted"
rm -r /run/systemd/system /usr/local/bin/systemctl /etc/systemd/system/$unit

./install.sh --nonsense >/tmp/said 2>&1 && exit 1
expect "an unknown option is told" says "unknown option"
chmod 755 /root
setpriv --reuid 65534 --clear-groups ./install.sh >/tmp/said 2>&1 && exit 1
expect "without root it says how" says "sudo ./install.sh"

begin=$SECONDS
# No engine starts here: /proc and /sys are read-only.
./test.sh --quick --no-engine
echo "test.sh --quick took $((SECONDS - begin)) s"
