#!/bin/bash
# On a clean Debian: the program of the user data, boot after boot, with all that can come between: no package, a wrong one, a power
# cut in the middle of its installation and of its apply. /root/user-data, civicum-tune.deb and tree are there. What is tuned is a
# tree, and the restart is noted down, since this host shares its kernel.
set -euo pipefail
cd /root
program=/var/lib/cloud/scripts/per-boot/civicum-tune
mkdir -p "$(dirname "$program")" /var/lib/cloud/instance stubs

# As cloud-init writes it, with a package that is found without a network.
python3 - <<'P'
import os, re, yaml
(file,) = yaml.safe_load(open("/root/user-data", encoding="utf-8"))["write_files"]
text = re.sub("(?m)^url='.*'$", "url='file:///root/offered.deb'", file["content"])
text = re.sub("(?m)^profile='.*'$", "profile=''", text)
with open(file["path"], "w", encoding="utf-8") as out:
    out.write(text)
os.chmod(file["path"], int(file["permissions"], 8))
P
dpkg-divert --quiet --local --divert /usr/bin/civicum-tune.program --rename --add /usr/bin/civicum-tune
cat >/usr/bin/civicum-tune <<'W'
#!/bin/sh
case "$* " in
  *' apply '*) if [ -e /root/killed ]; then rm /root/killed; exit 137; fi ;;
esac
status=0
/usr/bin/civicum-tune.program --root /root/tree "$@" || status=$?
case "$* " in
  *' apply '*)
    if [ -e /root/cut ]; then
      # The power goes before the journal's last line.
      rm /root/cut
      sed -i '$d' /root/tree/var/lib/civicum-tune/generations/0001/journal
      kill -9 "$PPID"
    fi
    ;;
esac
exit "$status"
W
printf '#!/bin/sh\necho "$*" >>/root/restarts\n' >stubs/systemd-run
printf '#!/bin/sh\n' >stubs/sleep
chmod 755 /usr/bin/civicum-tune stubs/*
log=/var/log/civicum-tune-first-boot.log

# boot STATUS WHAT: what cloud-init does at each.
boot() {
  local status=0
  rm -f /run/civicum-tune-* "$log"
  if [ -e "$program" ]; then PATH=/root/stubs:$PATH "$program" >/tmp/said 2>&1 || status=$?; fi
  if [ "$status" -ne "$1" ]; then
    echo "FAIL  cloud-init: $2: status $status"
    cat /tmp/said "$log"
    exit 1
  fi
  echo "ok    cloud-init: $2"
}
expect() { "${@:2}" || { echo "FAIL  cloud-init: $1"; cat /tmp/said "$log"; exit 1; }; }

boot 1 "a boot without the package fails"
expect "it says so" grep -q "can't be fetched from file:///root/offered.deb; the next boot tries again" "$log"
echo none >offered.deb
boot 1 "and so does the next, with a wrong one"
expect "it says so" grep -q 'civicum-tune.deb: FAILED' "$log"
expect "nothing is installed" [ ! -e /usr/bin/civicum-tune.program ]
cp civicum-tune.deb offered.deb
dpkg --unpack offered.deb >/dev/null
dpkg-query --status civicum-tune >/var/lib/dpkg/updates/0000
touch cut
boot 137 "after a cut in the middle of the installation it goes on, to a cut in the middle of the apply"
expect "the package is installed" [ "$(dpkg-query -W -f '${db:Status-Status}' civicum-tune)" = installed ]
expect "nothing restarts yet" [ ! -e restarts ]
rm offered.deb
touch killed
boot 137 "the next apply is killed before it does anything, and does not count"
boot 2 "the next boot finishes what was cut, without a second package, and says that not all was possible"
expect "what was cut is told" grep -q '"recovered": {' "$log"
expect "it restarts when cloud-init is done" grep -q 'After=cloud-final.service shutdown -r now' restarts
boot 1 "the boot after that one tells it"
expect "with the reason" grep -q 'has no zswap' /tmp/said
printf '\n[zswap]\nenabled = false\n' >>tree/etc/civicum-tune/profile.toml
boot 0 "with a profile that asks for no more the next is content"
expect "and was the last" [ ! -e "$program" ]
expect "one restart in all" [ "$(wc -l <restarts)" -eq 1 ]
