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
[ ! -e /var/lib/civicum-tune ]
echo 'nonsense = 1' >bad.toml
play 2 "a profile that is not valid is not put in place" --extra-vars civicum_tune_profile=/root/bad.toml
recap 'nonsense'
[ ! -e /etc/civicum-tune/profile.toml ]
