//! Whether a profile suits a host: its processors and its disk, and what a saved `detect` tells of its kernel.

use super::Profile;
use super::finding::{Code, Finding};
use super::kernels::{OLD_ALLOCATORS_GONE, ZPOOL_PARAMETER_GONE, ZSMALLOC_WRITES_BACK};
use super::saved_host::SavedHost;
use super::settings::{Persist, Settings};
use super::source::Place;
use super::target::Target;
use crate::t;
use crate::units::Bytes;

/// All of it.
pub(super) fn check(
    profile: &Profile,
    settings: &Settings,
    target: &Target<'_>,
    findings: &mut Vec<Finding>,
) {
    processors(profile, settings, target, findings);
    let Some(host) = target.host else { return };
    let mut fit = Fit { profile, settings, host, findings };
    if fit.is_container() {
        return;
    }
    fit.kernel();
    fit.swap(target.numbers.disk_bytes);
    fit.rest();
}

fn processors(profile: &Profile, settings: &Settings, target: &Target<'_>, findings: &mut Vec<Finding>) {
    // A host has fewer than 2^32 CPUs.
    let cores = f64::from(u32::try_from(target.numbers.cores).unwrap_or(u32::MAX));
    for (name, service) in &settings.services {
        let (Some(cpus), Some(place)) = (service.cpus, profile.place(&["services", name, "cpus"])) else {
            continue;
        };
        if target.numbers.cores > 0 && cpus > cores {
            let message = t!(
                "{name} may use {cpus} CPUs, but there are {cores}",
                name = name,
                cpus = cpus,
                cores = cores
            );
            let help = t!("the engine refuses that; write \"min({cpus}, cores)\"", cpus = cpus);
            findings.push(Finding::warning(Code::Host, place, message).help(help));
        }
    }
}

struct Fit<'f> {
    profile: &'f Profile,
    settings: &'f Settings,
    host: &'f SavedHost,
    findings: &'f mut Vec<Finding>,
}

impl<'f> Fit<'f> {
    fn warn(&mut self, place: Option<&Place>, message: &str, help: &str) {
        if let Some(place) = place {
            self.findings.push(Finding::warning(Code::Host, place, message).help(help));
        }
    }

    /// Where a key is written, or else the section's first.
    fn place(&self, section: &str, key: &str) -> Option<&'f Place> {
        self.profile.place(&[section, key]).or_else(|| self.profile.first_place(&[section]))
    }

    /// In a container the kernel is another's, and the sections about it say nothing.
    fn is_container(&mut self) -> bool {
        const OF_THE_KERNEL: [&str; 6] = ["zswap", "swap", "sysctl", "zram", "boot", "mglru"];
        let Some(container) = self.host.container() else { return false };
        let place = OF_THE_KERNEL.iter().find_map(|section| self.profile.first_place(&[section]));
        let message = t!(
            "the host is a container ({container}): its kernel is not its own, and nothing here can change it",
            container = container
        );
        self.warn(place, &message, &t!("check the profile for the machine that the container runs on"));
        true
    }

    /// zswap as this kernel has it.
    fn kernel(&mut self) {
        let zswap = &self.settings.zswap;
        if !zswap.manage || !zswap.enabled {
            return;
        }
        let kernel = self.host.release();
        if self.host.has_zswap() == Some(false) {
            let message = t!("kernel {kernel} has no zswap", kernel = kernel);
            let help = t!("nothing of [zswap] can take effect there: boot a kernel with CONFIG_ZSWAP");
            return self.warn(self.place("zswap", "enabled"), &message, &help);
        }
        if self.host.has_module(&zswap.compressor) == Some(false) {
            let others: Vec<&str> = ["lz4", "zstd", "lzo-rle", "lzo"]
                .into_iter()
                .filter(|name| self.host.has_module(name) == Some(true))
                .collect();
            let message =
                t!("kernel {kernel} has no compressor {name}", kernel = kernel, name = zswap.compressor);
            let help = if others.is_empty() {
                t!("leave zswap.compressor out, and the kernel's default stays")
            } else {
                t!("it has: {names}", names = others.join(", "))
            };
            self.warn(self.place("zswap", "compressor"), &message, &help);
        }
        self.allocator(&kernel);
    }

    /// At least one of the allocators that the profile names must be there, and be of use.
    fn allocator(&mut self, kernel: &str) {
        let names = &self.settings.zswap.zpool;
        let version = self.host.version().unwrap_or((0, 0));
        if names.is_empty()
            || version == (0, 0)
            || names.iter().all(|name| name == "zsmalloc") && version >= ZPOOL_PARAMETER_GONE
        {
            return;
        }
        let place = self.place("zswap", "zpool");
        let list = names.join(", ");
        if version >= ZPOOL_PARAMETER_GONE && !names.iter().any(|name| name == "zsmalloc") {
            let message = t!(
                "kernel {kernel} always uses zsmalloc, and the profile wants {list}",
                kernel = kernel,
                list = list
            );
            return self.warn(place, &message, &t!("write zpool = \"auto\""));
        }
        let usable = |name: &&String| {
            let gone = version >= OLD_ALLOCATORS_GONE && ["z3fold", "zbud"].contains(&name.as_str());
            !gone && self.host.has_module(name) != Some(false)
        };
        let there: Vec<&String> = names.iter().filter(usable).collect();
        if version < ZPOOL_PARAMETER_GONE && there.is_empty() {
            let message = if version >= OLD_ALLOCATORS_GONE {
                t!(
                    "kernel {kernel} has none of {list}: z3fold and zbud went in Linux 6.15",
                    kernel = kernel,
                    list = list
                )
            } else {
                t!("kernel {kernel} has none of {list}", kernel = kernel, list = list)
            };
            let help = t!(
                "write zpool = \"auto\", or a list with another: zpool = [\"z3fold\", \"zsmalloc\", \"zbud\"]"
            );
            return self.warn(place, &message, &help);
        }
        if version < ZSMALLOC_WRITES_BACK && there.iter().all(|name| *name == "zsmalloc") {
            let message = t!(
                "on kernel {kernel} a full zsmalloc pool can't write pages back to disk (Linux 6.3 and later can)",
                kernel = kernel
            );
            let help = t!("name z3fold or zbud before it: zpool = [\"z3fold\", \"zbud\", \"zsmalloc\"]");
            self.warn(place, &message, &help);
        }
    }

    /// The swap file and what it would lie on.
    fn swap(&mut self, disk: u64) {
        let swap = &self.settings.swap;
        if swap.size.0 == 0 || self.host.disk_swap() >= swap.size.0 {
            return;
        }
        let path = swap.path.as_str();
        if let Some((fstype, target, read_only)) = self.host.mount(path) {
            let place = self.place("swap", "path");
            let (fs, at) = (super::finding::printable(fstype), super::finding::printable(target));
            if read_only {
                let message =
                    t!("{path} would lie on {at}, which is mounted read-only", path = path, at = at);
                self.warn(place, &message, &t!("give swap.path another place"));
            } else if !["ext2", "ext3", "ext4", "xfs", "f2fs", "btrfs"].contains(&fs.as_str()) {
                let message = t!(
                    "{path} would lie on {fs} ({at}), which can't hold a swap file",
                    path = path,
                    fs = fs,
                    at = at
                );
                self.warn(place, &message, &t!("give swap.path a place on ext4, XFS or btrfs"));
            }
        }
        if swap.size.0 > disk {
            let message = t!(
                "swap.size comes to {size}, and the file system has {disk}",
                size = swap.size,
                disk = Bytes(disk)
            );
            self.warn(self.place("swap", "size"), &message, &t!("write \"min(…, 10% of disk)\""));
        }
    }

    fn rest(&mut self) {
        if self.settings.swap.persist == Persist::Unit && self.host.has_systemd() == Some(false) {
            let message = t!("systemd does not run this host, so nothing would start a swap unit");
            self.warn(self.profile.place(&["swap", "persist"]), &message, &t!("write persist = \"auto\""));
        }
        let unified = self.host.cgroup == "v2" || self.settings.boot.cgroup_v2;
        if ["v1", "hybrid"].contains(&self.host.cgroup.as_str()) && !unified {
            let name = self.settings.services.iter().find(|(_, s)| s.memory_reservation.is_some());
            if let Some((name, _)) = name {
                let message = t!(
                    "the host has control groups of version 1, which know no memory_reservation that holds under pressure"
                );
                let place = self.profile.place(&["services", name, "memory_reservation"]);
                self.warn(place, &message, &t!("set boot.cgroup_v2 = true"));
            }
        }
    }
}
