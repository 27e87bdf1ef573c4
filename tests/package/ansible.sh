#!/bin/bash
# On a clean Debian with Ansible and cloud-init: the examples, as far as they go where the kernel is not the host's own.
set -euo pipefail
cd /root
cloud-init schema --config-file user-data >/tmp/said 2>&1 || { cat /tmp/said; exit 1; }
echo "ok    cloud-init knows every key of the user data"

cat >play.yml <<'P'
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.import_tasks: civicum-tune.yml
      vars:
        civicum_tune_deb: /root/civicum-tune.deb
P
export ANSIBLE_NOCOLOR=1 ANSIBLE_LOCALHOST_WARNING=0
# play WANTED WHAT ARGUMENT…: ends with that status; what it said is in /tmp/said.
play() {
  local wanted=$1 what=$2 status=0
  shift 2
  ansible-playbook --inventory localhost, --connection local play.yml "$@" >/tmp/said 2>&1 || status=$?
  if [ "$status" -ne "$wanted" ]; then
    echo "FAIL  $what: status $status"
    cat /tmp/said
    exit 1
  fi
  echo "ok    ansible: $what"
}
has() { grep -qE "$1" /tmp/said; }
recap() { grep -qE "$1" /tmp/said || { echo "FAIL  no $1 in:"; cat /tmp/said; exit 1; }; }

play 0 "the tasks are well formed" --syntax-check
play 0 "in check mode, on a host without the program" --check
[ ! -e /usr/bin/civicum-tune ] && [ ! -e /var/cache/civicum-tune.deb ]
# This host shares its kernel: `apply` refuses, and the play stops there, as it must.
play 2 "the package is installed, and a host that can't be changed stops the play"
recap 'changed: \[localhost\]'
recap "This host can't be changed|process 1 is"
dpkg-query -W civicum-tune >/dev/null
[ ! -e /var/lib/civicum-tune ]
play 0 "in check mode, with the program there: the plan is shown, nothing is done" --check
recap 'changed=1 '
# The plan itself, not only that there is one.
recap '/etc/sysctl.d/99-zz-civicum-tune.conf'
recap '"    \+vm\.swappiness = '
[ ! -e /var/lib/civicum-tune ]
echo 'nonsense = 1' >bad.toml
play 2 "a profile that is not valid is not put in place" --extra-vars civicum_tune_profile=/root/bad.toml
recap 'nonsense'
[ ! -e /etc/civicum-tune/profile.toml ]

# A host whose kernel has no zswap, as a tree: the program that was installed changes that instead of this host.
mv /usr/bin/civicum-tune /usr/bin/civicum-tune.program
printf '#!/bin/sh\nexec /usr/bin/civicum-tune.program --root /root/tree "$@"\n' >/usr/bin/civicum-tune
chmod 755 /usr/bin/civicum-tune
mkdir -p tree/etc/civicum-tune
cp own.toml tree/etc/civicum-tune/profile.toml
cp -a tree untouched
again() { rm -rf tree && cp -a untouched tree; }
# Ansible does not restart the machine that it runs on, and says so: it had come to the restart, in spite of status 2.
play 2 "what is not possible does not keep it from the restart that the rest waits for"
recap 'TASK \[Restart, where'
recap 'would reboot the control node'
again
play 2 "a play without the restart fails at its end, and says what is not possible" --extra-vars '{"civicum_tune_reboot": false}'
recap 'TASK \[Prove that'
recap 'Not all of the profile is in force. Not possible here: .*has no zswap'
[ -e tree/etc/sysctl.d/99-zz-civicum-tune.conf ]
play 2 "and so does the next, which has nothing to apply" --extra-vars '{"civicum_tune_reboot": false}'
recap 'Not possible here: .*has no zswap'
recap 'changed=0 '
printf '\n[zswap]\nenabled = false\n' >>tree/etc/civicum-tune/profile.toml
play 0 "with a profile that asks for no zswap all is well" --extra-vars '{"civicum_tune_reboot": false}'
# A generation that waits for a restart, and nothing else to do. A tree has no boots: what a plan of a host says then is put in.
cp /usr/bin/civicum-tune /root/wrapper
cat >/usr/bin/civicum-tune <<'W'
#!/bin/sh
case "$* " in
  *' plan '*)
    status=0
    /usr/bin/civicum-tune.program --root /root/tree "$@" >/root/plan || status=$?
    sed 's/"reboot_pending": *[a-z]*/"reboot_pending": true/' /root/plan
    exit "$status"
    ;;
  *) exec /usr/bin/civicum-tune.program --root /root/tree "$@" ;;
esac
W
civicum-tune --format json plan | grep -q '"reboot_pending": true' || { echo "FAIL  the plan has no reboot_pending"; exit 1; }
play 2 "a restart that was lost comes with the next run"
recap 'would reboot the control node'
recap 'changed=0 '
cp /root/wrapper /usr/bin/civicum-tune
# What can't be carried out at all stops it before anything restarts.
again
rm -r tree/etc/sysctl.d && touch tree/etc/sysctl.d
play 2 "an apply that is taken back stops the play before the restart"
recap 'TASK \[Apply it'
if has 'TASK \[Restart'; then echo "FAIL  it went on:" && cat /tmp/said && exit 1; fi
