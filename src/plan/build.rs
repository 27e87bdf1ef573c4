//! From a profile and the facts to a plan.

use super::{Act, Change, Plan, Risk};
use crate::facts::{Facts, Initramfs, Loader};
use crate::host::{Host, HostError};
use crate::profile::Settings;
use crate::t;
use crate::tunable::{ALL, Context, Gap};

/// Asks every tunable and puts their changes in order: what others are made from comes first, what is made from it last.
///
/// `remember` is the text for the host's own profile, where it is not the host's own profile that is asked for.
pub fn build(wish: &Settings, facts: &Facts, host: &Host, remember: Option<&str>) -> Result<Plan, HostError> {
    let context = Context { wish, facts, host, remember };
    let mut gap = Gap::default();
    for tunable in ALL {
        gap.of(tunable.doc().id);
        tunable.gap(&context, &mut gap)?;
    }
    if host.is_live() && gap.changes.iter().any(|change| touches_units(&change.act)) {
        gap.changes.push(Change {
            id: "systemd:reload".to_owned(),
            tunable: "systemd".to_owned(),
            summary: t!("let systemd read its unit files again"),
            reason: t!("units were added or masked"),
            reboot: false,
            risk: Risk::Low,
            act: Act::ReloadSystemd,
        });
    }
    let mut changes = gap.changes;
    changes.sort_by_key(|change| change.act.rank());
    debug_assert!(host.is_live() || changes.iter().all(|change| !change.act.is_runtime()));
    Ok(Plan {
        profile: wish.name.clone(),
        host: describe(facts),
        changes,
        notes: gap.notes,
        blocked: gap.blocked,
        inside: gap.inside,
        obstacles: obstacles(facts, host),
    })
}

fn touches_units(act: &Act) -> bool {
    matches!(act, Act::PutFile { path, .. } if path.starts_with("/etc/systemd/"))
}

/// Why nothing can be changed on this host at all.
pub fn obstacles(facts: &Facts, host: &Host) -> Vec<String> {
    const INITS: [&str; 7] = ["systemd", "init", "openrc-init", "runit", "s6-svscan", "dinit", "procd"];
    let mut found = Vec::new();
    if let Some(container) = &facts.virtualization.container {
        found.push(t!("this is a {engine} container: its kernel, swap and boot belong to the host below; run civicum-tune there", engine = container));
    } else if let (true, Some(init)) = (host.is_live(), &facts.init) {
        if !INITS.contains(&init.as_str()) {
            found.push(t!("process 1 is `{init}`, which is no init system: this looks like a container or a rescue shell; \
                 run civicum-tune on the host itself, or on its files with --root", init = init));
        }
    }
    found
}

/// The host in a line.
pub fn describe(facts: &Facts) -> String {
    let mut parts = Vec::new();
    if !facts.os.name.is_empty() {
        parts.push(facts.os.name.clone());
    }
    if !facts.kernel.release.is_empty() {
        parts.push(format!("Linux {}", facts.kernel.release));
    }
    if facts.memory.total_bytes > 0 {
        parts.push(t!("{mib} MiB RAM", mib = facts.memory.total_bytes >> 20));
    }
    match facts.cpu.threads {
        0 => {}
        1 => parts.push(t!("1 CPU")),
        threads => parts.push(t!("{threads} CPUs", threads = threads)),
    }
    let boot = match (facts.boot.loader, facts.boot.initramfs) {
        (Loader::Grub, Initramfs::InitramfsTools) => "GRUB, initramfs-tools".to_owned(),
        (Loader::Grub, Initramfs::Dracut) => "GRUB, dracut".to_owned(),
        (Loader::Grub, Initramfs::None) => "GRUB".to_owned(),
        (Loader::SystemdBoot, _) => "systemd-boot".to_owned(),
        (Loader::FlashKernel, _) => "flash-kernel".to_owned(),
        (Loader::None | Loader::Unknown, _) => t!("no boot loader of its own"),
    };
    parts.push(boot);
    parts.join(", ")
}
