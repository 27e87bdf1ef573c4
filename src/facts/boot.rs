//! The boot chain: who loads the kernel, with which words, and what makes the initramfs.

use super::{Boot, Initramfs, Loader, Virtualization};
use crate::host::Host;

const GRUB_CFG: [&str; 3] = ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/etc/grub2.cfg"];

pub(super) fn read(host: &Host, below: &Virtualization) -> Boot {
    let any = |paths: &[&str]| paths.iter().any(|path| host.exists(path));
    let grub_cfg = GRUB_CFG.iter().find(|path| host.exists(path)).map(|path| (*path).to_owned());
    let mkconfig = any(&["/usr/sbin/grub-mkconfig", "/usr/bin/grub-mkconfig", "/usr/sbin/grub2-mkconfig"]);
    let loader = if below.container.is_some() {
        Loader::None
    } else if grub_cfg.is_some() && mkconfig {
        Loader::Grub
    } else if any(&[
        "/boot/efi/loader/loader.conf",
        "/boot/loader/loader.conf",
        "/efi/loader/loader.conf",
        "/etc/kernel/cmdline",
    ]) {
        Loader::SystemdBoot
    } else if any(&["/usr/sbin/flash-kernel"]) {
        Loader::FlashKernel
    } else {
        Loader::Unknown
    };
    // Ubuntu 25.10 and later ship dracut, and an update-initramfs that calls it.
    let dracut = any(&["/usr/bin/dracut", "/usr/sbin/dracut"]);
    // initramfs-tools-core may stay behind beside dracut; what the kernel packages call decides.
    let initramfs = if dracut
        && (host.exists("/etc/kernel/postinst.d/dracut") || !any(&["/usr/sbin/update-initramfs"]))
    {
        Initramfs::Dracut
    } else if any(&["/usr/sbin/mkinitramfs"]) && host.exists("/etc/initramfs-tools") {
        Initramfs::InitramfsTools
    } else if dracut {
        Initramfs::Dracut
    } else {
        Initramfs::None
    };
    Boot {
        loader,
        cmdline: host.value("/proc/cmdline").unwrap_or_default(),
        initramfs,
        uefi: host.exists("/sys/firmware/efi"),
        grub_cfg: grub_cfg.filter(|_| loader == Loader::Grub),
    }
}
