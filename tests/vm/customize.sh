#!/bin/bash
# customize.sh ROOT PUBLIC-KEY: what makes a tree of packages the small cloud server that the tests boot.
set -euo pipefail
root=$1 key=$2

echo vps >"$root/etc/hostname"
echo '127.0.0.1 localhost vps' >"$root/etc/hosts"
echo 'LABEL=root / ext4 rw,discard,errors=remount-ro 0 1' >"$root/etc/fstab"
mkdir -p "$root/etc/systemd/network"
printf '[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n' >"$root/etc/systemd/network/10-dhcp.network"
chroot "$root" systemctl enable systemd-networkd >/dev/null 2>&1

install -d -m700 "$root/root/.ssh"
install -m600 "$key" "$root/root/.ssh/authorized_keys"
printf 'UseDNS no\nPermitRootLogin prohibit-password\nHostKey /etc/ssh/ssh_host_ed25519_key\n' >"$root/etc/ssh/sshd_config.d/test.conf"
rm -f "$root"/etc/ssh/ssh_host_rsa_key* "$root"/etc/ssh/ssh_host_ecdsa_key*
chroot "$root" passwd -d root >/dev/null

# As on a cloud image: its own file sets the command line anew, whatever /etc/default/grub says.
cat >"$root/etc/default/grub" <<'F'
GRUB_DEFAULT=0
GRUB_TIMEOUT=0
GRUB_DISTRIBUTOR=Debian
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX=""
GRUB_DISABLE_OS_PROBER=true
F
mkdir -p "$root/etc/default/grub.d"
cat >"$root/etc/default/grub.d/50-cloudimg-settings.cfg" <<'F'
# Cloud Image specific Grub settings for Generic Cloud Images
GRUB_RECORDFAIL_TIMEOUT=0
GRUB_TIMEOUT=0
GRUB_CMDLINE_LINUX_DEFAULT="console=tty1 console=ttyS0 mitigations=off"
GRUB_TERMINAL=console
F

# Nothing that wakes up by itself in the middle of a test.
for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
  dpkg-db-backup.timer man-db.timer getty@tty1.service systemd-timesyncd.service; do
  chroot "$root" systemctl mask "$unit" >/dev/null 2>&1 || true
done

# Nor anything that only hardware needs, or a person at a console: emulated, each of these costs seconds at every boot.
cat >"$root/etc/modprobe.d/no-such-hardware.conf" <<'F'
blacklist ata_generic
blacklist ata_piix
blacklist ccp
blacklist cfg80211
blacklist floppy
blacklist i2c_piix4
blacklist kvm
blacklist kvm_amd
blacklist kvm_intel
blacklist pcspkr
blacklist psmouse
blacklist serio_raw
F
for unit in apparmor.service modprobe@drm.service modprobe@efi_pstore.service modprobe@loop.service \
  proc-sys-fs-binfmt_misc.automount serial-getty@ttyS0.service systemd-binfmt.service systemd-initctl.socket \
  systemd-logind.service systemd-network-generator.service systemd-rfkill.socket systemd-update-utmp.service \
  systemd-update-utmp-runlevel.service; do
  chroot "$root" systemctl mask "$unit" >/dev/null 2>&1
done
# GRUB's own look-out for other systems, for Xen and for firmware menus.
chmod -x "$root"/etc/grub.d/{05_debian_theme,20_linux_xen,30_os-prober,30_uefi-firmware}

# Started only by the scenarios that want them.
chroot "$root" systemctl disable docker.service docker.socket containerd.service postgresql.service >/dev/null 2>&1 || true
rm -rf "$root"/var/lib/postgresql/*/main "$root"/etc/postgresql/*/main

# For the scenario that retires zram; the others want a host without it.
chroot "$root" systemctl disable zramswap.service >/dev/null 2>&1
rm -f "$root/etc/systemd/system/multi-user.target.wants/zramswap.service"

install -m755 "$(dirname "$0")/first-boot.sh" "$root/usr/local/sbin/first-boot"
cat >"$root/etc/systemd/system/first-boot.service" <<'F'
[Unit]
Description=Install GRUB on the disk
Requires=systemd-remount-fs.service systemd-udevd.service
After=systemd-remount-fs.service systemd-udevd.service systemd-udev-trigger.service
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/first-boot
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
F
: >"$root/etc/machine-id"
rm -f "$root"/var/cache/apt/archives/*.deb
