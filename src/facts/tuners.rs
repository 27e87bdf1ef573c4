//! Other programs that set the knobs that we set.

use super::Tuner;
use super::sysctl::SysctlFiles;
use crate::host::Host;

/// A program that is known by a file of its.
struct Known {
    name: &'static str,
    evidence: &'static [&'static str],
    touches: &'static str,
    active: fn(&Host) -> bool,
}

const KNOWN: [Known; 9] = [
    Known {
        name: "tuned",
        evidence: &["/usr/sbin/tuned", "/etc/tuned/tuned-main.conf"],
        touches: "sysctl, transparent huge pages, the kernel command line",
        active: |host| host.value("/etc/tuned/active_profile").is_some_and(|name| !name.is_empty()),
    },
    Known {
        name: "zram-tools",
        evidence: &[
            "/usr/lib/systemd/system/zramswap.service",
            "/lib/systemd/system/zramswap.service",
            "/etc/default/zramswap",
        ],
        touches: "swap",
        active: |host| !is_masked(host, "zramswap.service") && is_wanted(host, "zramswap.service"),
    },
    Known {
        name: "zram-config",
        evidence: &["/usr/lib/systemd/system/zram-config.service", "/lib/systemd/system/zram-config.service"],
        touches: "swap",
        active: |host| !is_masked(host, "zram-config.service"),
    },
    Known {
        name: "zram-generator",
        evidence: &[
            "/usr/lib/systemd/system-generators/zram-generator",
            "/lib/systemd/system-generators/zram-generator",
        ],
        touches: "swap",
        active: |host| {
            let configured = ["/etc/systemd/zram-generator.conf", "/usr/lib/systemd/zram-generator.conf"];
            let masked = host.read_link(configured[0]).as_deref() == Some("/dev/null");
            !masked && configured.iter().any(|path| host.exists(path))
        },
    },
    Known {
        name: "earlyoom",
        evidence: &["/usr/bin/earlyoom"],
        touches: "who is killed when memory runs short",
        active: |host| is_wanted(host, "earlyoom.service"),
    },
    Known {
        name: "systemd-oomd",
        evidence: &["/usr/lib/systemd/systemd-oomd", "/lib/systemd/systemd-oomd"],
        touches: "who is killed when memory runs short",
        active: |host| is_wanted(host, "systemd-oomd.service"),
    },
    Known {
        name: "dphys-swapfile",
        evidence: &["/sbin/dphys-swapfile", "/usr/sbin/dphys-swapfile"],
        touches: "swap",
        active: |host| is_wanted(host, "dphys-swapfile.service"),
    },
    Known {
        name: "swapspace",
        evidence: &["/usr/sbin/swapspace"],
        touches: "swap",
        active: |host| is_wanted(host, "swapspace.service"),
    },
    Known {
        name: "laptop-mode",
        evidence: &["/usr/sbin/laptop_mode"],
        touches: "sysctl (vm.dirty_*)",
        active: |host| is_wanted(host, "laptop-mode.service"),
    },
];

pub(super) fn read(host: &Host) -> Vec<Tuner> {
    let mut found: Vec<Tuner> = KNOWN
        .iter()
        .filter_map(|known| {
            let evidence = known.evidence.iter().find(|path| host.exists(path))?;
            Some(Tuner {
                name: known.name.to_owned(),
                evidence: (*evidence).to_owned(),
                touches: known.touches.to_owned(),
                active: (known.active)(host),
            })
        })
        .collect();
    found.extend(cloud_init_swap(host));
    found.extend(sysctl_files(host));
    found
}

fn is_wanted(host: &Host, unit: &str) -> bool {
    ["multi-user.target", "swap.target", "sysinit.target", "basic.target"]
        .iter()
        .any(|target| host.read_link(&format!("/etc/systemd/system/{target}.wants/{unit}")).is_some())
}

fn is_masked(host: &Host, unit: &str) -> bool {
    host.read_link(&format!("/etc/systemd/system/{unit}")).as_deref() == Some("/dev/null")
}

/// A top-level `swap:` in cloud-init's configuration.
fn cloud_init_swap(host: &Host) -> Option<Tuner> {
    let folder = "/etc/cloud/cloud.cfg.d";
    let mut files = vec!["/etc/cloud/cloud.cfg".to_owned()];
    files.extend(host.list(folder).unwrap_or_default().iter().map(|name| format!("{folder}/{name}")));
    files.into_iter().find_map(|file| {
        let text = host.read_text(&file).ok().flatten()?;
        let line = text.lines().position(|line| line.starts_with("swap:"))?;
        Some(Tuner {
            name: "cloud-init-swap".to_owned(),
            evidence: format!("{file}:{}", line + 1),
            touches: "swap".to_owned(),
            active: true,
        })
    })
}

/// Files in `/etc/sysctl.d` that are not ours and set memory keys: a provider's, or an administrator's.
fn sysctl_files(host: &Host) -> Vec<Tuner> {
    let Ok(files) = SysctlFiles::read(host) else { return Vec::new() };
    let mut found: Vec<Tuner> = Vec::new();
    for (file, line) in files.lines() {
        let foreign = file.starts_with("/etc/") && !file.ends_with("civicum-tune.conf");
        if !foreign || !line.key.starts_with("vm.") {
            continue;
        }
        match found.iter_mut().find(|tuner| tuner.evidence.split(':').next() == Some(file)) {
            Some(tuner) => tuner.touches += &format!(", {}", line.key),
            None => found.push(Tuner {
                name: "sysctl-file".to_owned(),
                evidence: format!("{file}:{}", line.number),
                touches: line.key.clone(),
                active: true,
            }),
        }
    }
    found
}
