//! What a profile's values say together: the memory arithmetic, pairs that undo each other, what could leave the host.

use super::Profile;
use super::finding::{Code, Finding, part};
use super::numbers::Numbers;
use super::settings::Settings;
use super::{bundled, sovereignty, sysctl};
use crate::units::{Bytes, MIB};

/// All of it.
pub(super) fn check(profile: &Profile, settings: &Settings, numbers: &Numbers) -> Vec<Finding> {
    let mut findings = Vec::new();
    sum(profile, settings, numbers, &mut findings);
    services(profile, settings, numbers, &mut findings);
    parameters(profile, settings, &mut findings);
    boot(profile, settings, &mut findings);
    sovereignty::check(profile, settings, &mut findings);
    findings
}

/// Limits and reserve fit the RAM.
fn sum(profile: &Profile, settings: &Settings, numbers: &Numbers, findings: &mut Vec<Finding>) {
    let mut limits: Vec<(&str, u64)> =
        settings.services.iter().filter_map(|(name, s)| Some((name.as_str(), s.memory?.0))).collect();
    limits.sort_by_key(|(name, bytes)| (std::cmp::Reverse(*bytes), *name));
    let Some((largest, _)) = limits.first() else { return };
    let Some(place) = profile.place(&["services", largest, "memory"]) else { return };
    let reserve = settings.memory.reserve.0;
    if profile.place(&["memory", "reserve"]).is_none() {
        let message = "the services have memory limits, but nothing is kept for the system";
        findings.push(
            Finding::warning(Code::MemoryBudget, place, message)
                .help("set memory.reserve; 1.5 GiB is a good start for a small server"),
        );
    }
    let together = limits.iter().fold(0_u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
    let wanted = together.saturating_add(reserve);
    let ram = numbers.ram_bytes;
    if ram == 0 || wanted <= ram {
        return;
    }
    let mib = |bytes: u64| bytes / MIB;
    let parts: Vec<String> = limits.iter().map(|(name, bytes)| format!("{name} {}", mib(*bytes))).collect();
    let message = format!(
        "the limits come to {} MiB ({}) and {} MiB are kept for the system: {} MiB together, but there are {} MiB of RAM",
        mib(together),
        parts.join(", "),
        mib(reserve),
        mib(wanted),
        mib(ram)
    );
    // Rounded up: with so much less it fits.
    let short = (wanted - ram).div_ceil(MIB);
    let fitting = bundled::best_for(ram);
    let help = if profile.at_least().is_none() {
        "say what RAM the profile is made for: memory.at_least = \"…\"".to_owned()
    } else if bundled::find(&profile.name).is_some() {
        format!("the bundled profile for this host is {fitting}")
    } else {
        format!(
            "take {short} MiB off, from {largest} for example; the bundled profile of this size is {fitting}"
        )
    };
    findings.push(Finding::error(Code::MemoryBudget, place, message).help(help));
}

fn services(profile: &Profile, settings: &Settings, numbers: &Numbers, findings: &mut Vec<Finding>) {
    for (name, service) in &settings.services {
        let place = |key: &str| profile.place(&["services", name, key]);
        if let (Some(memory), Some(reservation), Some(place)) =
            (service.memory, service.memory_reservation, place("memory_reservation"))
        {
            if reservation > memory {
                let message = format!("{name} is promised {reservation}, more than its limit of {memory}");
                findings.push(Finding::error(Code::Conflict, place, message));
            }
        }
        if let (Some(swap), Some(place)) = (service.memory_swap, place("memory_swap")) {
            match service.memory {
                None => findings.push(
                    Finding::error(Code::Conflict, place, "memory_swap needs memory beside it")
                        .help("memory_swap is memory and swap together"),
                ),
                Some(memory) if swap < memory => {
                    let message = format!("memory_swap is {swap}, less than memory, which is {memory}");
                    let help = "it is memory and swap together: write \"memory + 1GiB\"";
                    findings.push(Finding::error(Code::Conflict, place, message).help(help));
                }
                Some(_) => {}
            }
        }
        if let (Some(cpus), Some(place)) = (service.cpus, place("cpus")) {
            // A host has fewer than 2^32 CPUs.
            let cores = f64::from(u32::try_from(numbers.cores).unwrap_or(u32::MAX));
            if numbers.cores > 0 && cpus > cores {
                let message = format!("{name} may use {cpus} CPUs, but there are {cores}");
                let help = format!("the engine refuses that; write \"min({cpus}, cores)\"");
                findings.push(Finding::warning(Code::Host, place, message).help(help));
            }
        }
        if service.memory.is_none() {
            if let Some(place) = profile.first_place(&["services", name]) {
                let message =
                    format!("{name} has no memory limit, so the arithmetic of the others proves nothing");
                findings
                    .push(Finding::warning(Code::MemoryBudget, place, message).help("give it a `memory`"));
            }
        }
    }
    if let (Some(least), Some(place)) = (profile.at_least(), profile.place(&["memory", "at_least"])) {
        if numbers.ram_bytes > 0 && numbers.ram_bytes < least.0 {
            let ram = Bytes(numbers.ram_bytes);
            let message = format!("the profile is made for at least {least} of RAM, and the host has {ram}");
            let help = format!("the bundled profile for this host is {}", bundled::best_for(ram.0));
            findings.push(Finding::warning(Code::Host, place, message).help(help));
        }
    }
}

fn parameters(profile: &Profile, settings: &Settings, findings: &mut Vec<Finding>) {
    let place = |name: &str| profile.place(&["sysctl", name]);
    for (kept, lost) in sysctl::EXCLUSIVE {
        if let (Some(_), Some(place)) = (place(kept), place(lost)) {
            let message = format!(
                "{kept} and {lost} undo each other: the kernel sets one to 0 when the other is written"
            );
            findings.push(Finding::error(Code::Conflict, place, message).help("keep one of the two"));
        }
    }
    for (name, value, why) in sysctl::DOUBTFUL {
        if settings.sysctl.get(name).is_some_and(|own| own == value) {
            if let Some(place) = place(name) {
                findings.push(Finding::warning(Code::Conflict, place, format!("{name} = {value}: {why}")));
            }
        }
    }
    let number = |name: &str| settings.sysctl.get(name).and_then(|value| value.parse::<u64>().ok());
    for (start, limit) in
        [("vm.dirty_background_bytes", "vm.dirty_bytes"), ("vm.dirty_background_ratio", "vm.dirty_ratio")]
    {
        if let (Some(a), Some(b), Some(place)) = (number(start), number(limit), place(start)) {
            if a >= b && b > 0 {
                let message =
                    format!("{start} ({a}) must be below {limit} ({b}), or the kernel takes half of it");
                findings.push(Finding::warning(Code::Conflict, place, message));
            }
        }
    }
}

/// Sections own their kernel arguments: two sources for one thing come apart sooner or later.
fn boot(profile: &Profile, settings: &Settings, findings: &mut Vec<Finding>) {
    const OWNED: [(&str, &str); 4] = [
        ("zswap.", "[zswap]"),
        ("psi=", "boot.psi"),
        ("systemd.unified_cgroup_hierarchy=", "boot.cgroup_v2"),
        ("cgroup_no_v1=", "boot.cgroup_v2"),
    ];
    let Some(place) = profile.place(&["boot", "kernel_args"]) else { return };
    for argument in &settings.boot.kernel_args {
        if let Some((_, owner)) = OWNED.iter().find(|(start, _)| argument.starts_with(start)) {
            let message = format!("`{argument}` is written by {owner}");
            findings
                .push(Finding::error(Code::Conflict, &part(place, argument), message).help("set it there"));
        }
    }
}
