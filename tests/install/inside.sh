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

./install.sh --nonsense >/tmp/said 2>&1 && exit 1
expect "an unknown option is told" says "unknown option"
chmod 755 /root
setpriv --reuid 65534 --clear-groups ./install.sh >/tmp/said 2>&1 && exit 1
expect "without root it says how" says "sudo ./install.sh"

begin=$SECONDS
./test.sh --quick
echo "test.sh --quick took $((SECONDS - begin)) s"
