#!/bin/bash
# Builds the disk of a fresh virtual server, without mounts or loop devices, and prints the folder that holds it:
#   disk.img  Debian with GRUB, systemd, initramfs-tools, a generic kernel (the cloud flavour has no zswap), Docker Engine
#             and PostgreSQL, both asleep
#   key       the ssh key that opens it
# The folder is named after all that goes in, so that an image is built once. The package mirror is the system's own.
# shellcheck disable=SC2016  # what stands in single quotes is for other programs
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/fetch.sh
. "$here/../fetch.sh"
suite=bookworm
packages=systemd,systemd-sysv,udev,dbus,kmod,procps,iproute2,util-linux,e2fsprogs,openssh-server,grub-pc,initramfs-tools,zstd,zram-tools,busybox-static,docker.io,apparmor,iptables,postgresql,python3-minimal,linux-image-amd64
hash=$(cat "$here/build-image.sh" "$here/customize.sh" "$here/first-boot.sh" | sha256sum | cut -c1-16)
folder=${CIVICUM_TUNE_CACHE:-$HOME/.cache/civicum-tune}/vm/$suite-$hash

say() { echo "build-image: $*" >&2; }

missing=false
for program in mmdebstrap qemu-system-x86_64 qemu-img mke2fs sfdisk ssh python3; do
  command -v "$program" >/dev/null || missing=true
done
if $missing; then
  say "installing what makes and runs the image"
  apt-get update -qq
  # QEMU's two packages break each other unless they are of one version: a qemu-utils from elsewhere gives way.
  version=$(apt-cache policy qemu-system-x86 | sed -n 's/^ *Candidate: //p')
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o DPkg::Lock::Timeout=600 \
    --no-install-recommends --allow-downgrades \
    "qemu-system-x86=$version" "qemu-utils=$version" mmdebstrap e2fsprogs fdisk openssh-client python3-minimal >/dev/null
fi

if [ -e "$folder/ready" ]; then
  echo "$folder"
  exit 0
fi

mirror=$(debian_mirror)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$folder"
rm -f "$folder/key" "$folder/key.pub"
ssh-keygen -q -t ed25519 -N '' -C civicum-tune-test -f "$folder/key"

say "installing the packages of $suite"
mmdebstrap --quiet --variant=minbase --mode=root --aptopt='APT::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --essential-hook='echo "grub-pc grub-pc/install_devices multiselect" | chroot "$1" debconf-set-selections' \
  --essential-hook='echo "grub-pc grub-pc/install_devices_empty boolean true" | chroot "$1" debconf-set-selections' \
  --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"; echo MODULES=list >"$1/etc/initramfs-tools/conf.d/zz-test"; printf "virtio_pci\nvirtio_blk\next4\n" >"$1/etc/initramfs-tools/modules"' \
  --include="$packages" --customize-hook="bash '$here/customize.sh' \"\$1\" '$folder/key.pub'" \
  "$suite" "$work/root.tar" "deb $mirror $suite main" >&2

say "laying out the disk"
mkdir "$work/root"
tar --numeric-owner --xattrs --xattrs-include='*' -xpf "$work/root.tar" -C "$work/root"
rm "$work/root.tar"
disk=$folder/disk.img mib=8192
rm -f "$disk"
truncate -s ${mib}M "$disk"
sfdisk -q "$disk" <<'P'
label: gpt
start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, name=bios
start=4096, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name=root
P
mke2fs -q -t ext4 -L root -E offset=$((4096 * 512)),lazy_itable_init=1,lazy_journal_init=1 -d "$work/root" \
  "$disk" $(((mib - 3) * 1024))k
cp "$work"/root/boot/vmlinuz-* "$folder/vmlinuz"
cp "$work"/root/boot/initrd.img-* "$folder/initrd"

say "first boot: GRUB installs itself"
timeout 600 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 1024 -smp 2 -display none -nodefaults -no-reboot \
  -chardev file,id=s0,path="$folder/first-boot.log" -serial chardev:s0 \
  -drive file="$disk",if=virtio,format=raw,cache=unsafe,discard=unmap -device virtio-rng-pci \
  -kernel "$folder/vmlinuz" -initrd "$folder/initrd" \
  -append "root=LABEL=root ro console=ttyS0 mitigations=off systemd.unit=first-boot.service"
grep -q 'first boot: done' "$folder/first-boot.log" || { say "GRUB was not installed; see $folder/first-boot.log"; exit 1; }
touch "$folder/ready"
echo "$folder"
