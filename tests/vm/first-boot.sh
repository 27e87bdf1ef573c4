#!/bin/bash
# Runs once inside the machine, started by its kernel directly: from here on GRUB boots it.
set -eu
udevadm trigger --subsystem-match=block
udevadm settle
mount -o remount,rw /
grub-install --target=i386-pc /dev/vda
update-grub
rm -f /etc/systemd/system/first-boot.service /usr/local/sbin/first-boot
sync
echo 'first boot: done'
systemctl --force poweroff
