//! The memory arithmetic: what the services may take, and what the host has.

use super::account::swap;
use super::finding::{Code, Finding};
use super::settings::Settings;
use super::source::Place;
use super::target::{Origin, Target};
use super::{Profile, bundled};
use crate::container::role::Role;
use crate::t;
use crate::units::{Bytes, MIB};

/// All of it.
pub(super) fn check(profile: &Profile, settings: &Settings, target: &Target<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let fits = sum(profile, settings, target, &mut findings);
    if fits {
        reading(profile, settings, target, &mut findings);
    }
    services(profile, settings, &mut findings);
    if fits {
        reservations(profile, settings, target, &mut findings);
        swap_limits(profile, settings, target, &mut findings);
    }
    at_least(profile, target, &mut findings);
    findings
}

/// What can be said where a value may be missing: whatever it comes to, the limits that are known are too much already.
pub(super) fn least(profile: &Profile, settings: &Settings, target: &Target<'_>) -> Option<Finding> {
    if target.origin == Origin::Guess || !profile.broken.says_the_least("memory") {
        return None;
    }
    let is_known = |name: &str| !profile.broken.may_hold(&["services", name, "memory"]);
    let limits = limits(settings, is_known);
    let is_whole = profile.broken.has_parents() && settings.services.keys().all(|name| is_known(name));
    too_much(profile, &limits, is_whole, settings.memory.reserve.0, target)
}

const fn mib(bytes: u64) -> u64 {
    bytes / MIB
}

/// Limits and reserve fit the RAM.
fn sum(profile: &Profile, settings: &Settings, target: &Target<'_>, findings: &mut Vec<Finding>) -> bool {
    let limits = limits(settings, |_| true);
    let reserve = settings.memory.reserve.0;
    if limits.is_empty() {
        return reserve_alone(profile, reserve, target.numbers.ram_bytes, findings);
    }
    let Some(place) = yours(profile, &limits) else { return true };
    if profile.place(&["memory", "reserve"]).is_none() {
        let message = t!("the services have memory limits, but nothing is kept for the system");
        findings.push(
            Finding::warning(Code::MemoryBudget, place, message)
                .help(t!("set memory.reserve; 1.5 GiB is a good start for a small server")),
        );
    }
    let too_much = too_much(profile, &limits, true, reserve, target);
    let fits = too_much.is_none();
    findings.extend(too_much);
    fits
}

/// The limits of these services, the largest first.
fn limits(settings: &Settings, counts: impl Fn(&str) -> bool) -> Vec<(&str, u64)> {
    let services = settings.services.iter().filter(|(name, _)| counts(name));
    let mut limits: Vec<(&str, u64)> =
        services.filter_map(|(name, service)| Some((name.as_str(), service.memory?.0))).collect();
    limits.sort_by_key(|(name, bytes)| (std::cmp::Reverse(*bytes), *name));
    limits
}

/// The limits and the reserve are more than the RAM. Where not all limits are known, the figures are the least that it comes to.
fn too_much(
    profile: &Profile,
    limits: &[(&str, u64)],
    is_whole: bool,
    reserve: u64,
    target: &Target<'_>,
) -> Option<Finding> {
    let (largest, _) = limits.first()?;
    let place = yours(profile, limits)?;
    let together = limits.iter().fold(0_u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
    let wanted = together.saturating_add(reserve);
    let ram = target.numbers.ram_bytes;
    if ram == 0 || wanted <= ram {
        return None;
    }
    let parts: Vec<String> = limits.iter().map(|(name, bytes)| format!("{name} {}", mib(*bytes))).collect();
    let (limits, parts, reserve) = (mib(together), parts.join(", "), mib(reserve));
    let message = if is_whole {
        t!(
            "the limits come to {limits} MiB ({parts}) and {reserve} MiB are kept for the system: {sum} MiB together, but there are {ram} MiB of RAM",
            limits = limits,
            parts = parts,
            reserve = reserve,
            sum = mib(wanted),
            ram = mib(ram)
        )
    } else {
        t!(
            "the limits that can be read come to {limits} MiB already ({parts}) and {reserve} MiB are kept for the system: {sum} MiB at least, but there are {ram} MiB of RAM",
            limits = limits,
            parts = parts,
            reserve = reserve,
            sum = mib(wanted),
            ram = mib(ram)
        )
    };
    // Rounded up: with so much less it fits.
    let short = (wanted - ram).div_ceil(MIB);
    let fitting = bundled::best_for(ram);
    let help = if target.origin == Origin::Guess {
        t!("say what RAM the profile is made for: memory.at_least = \"…\"")
    } else if bundled::find(&profile.name).is_some() {
        t!("the bundled profile for this host is {name}", name = fitting)
    } else if !is_whole {
        t!(
            "take {short} MiB off at least, from {largest} for example; the bundled profile of this size is {name}",
            short = short,
            largest = largest,
            name = fitting
        )
    } else {
        t!(
            "take {short} MiB off, from {largest} for example; the bundled profile of this size is {name}",
            short = short,
            largest = largest,
            name = fitting
        )
    };
    Some(Finding::error(Code::MemoryBudget, place, message).help(help))
}

/// Where the largest of the limits stands that somebody wrote himself: a bundled profile can't be opened and edited.
fn yours<'p>(profile: &'p Profile, limits: &[(&str, u64)]) -> Option<&'p Place> {
    let places = || limits.iter().filter_map(|(name, _)| profile.place(&["services", name, "memory"]));
    places().find(|place| bundled::find(place.source.name()).is_none()).or_else(|| places().next())
}

/// They fit it while the model sleeps, too.
fn reading(profile: &Profile, settings: &Settings, target: &Target<'_>, findings: &mut Vec<Finding>) {
    let changed = settings.services.iter().filter_map(|(name, s)| Some((name, s.memory_reading?.0)));
    let Some((largest, _)) = changed.max_by_key(|(_, bytes)| *bytes) else { return };
    let Some(place) = profile.place(&["services", largest, "memory_reading"]) else { return };
    let together = settings.limits_while_reading();
    let (reserve, ram) = (settings.memory.reserve.0, target.numbers.ram_bytes);
    let wanted = together.saturating_add(reserve);
    if ram > 0 && wanted > ram {
        let message = t!(
            "while the model sleeps the limits come to {limits} MiB and {reserve} MiB are kept for the system: {sum} MiB together, but there are {ram} MiB of RAM",
            limits = mib(together),
            reserve = mib(reserve),
            sum = mib(wanted),
            ram = mib(ram)
        );
        let help = t!(
            "take {short} MiB off, from {largest} for example",
            short = (wanted - ram).div_ceil(MIB),
            largest = largest
        );
        findings.push(Finding::error(Code::MemoryBudget, place, message).help(help));
    }
    let is = |role: Role| {
        settings
            .services
            .iter()
            .any(|(name, s)| s.memory_reading.is_some() && Role::of(name, s.role.as_deref()) == role)
    };
    if !is(Role::Worker) || !(is(Role::Ollama) || is(Role::LlamaServer)) {
        let message = t!("`memory_reading` is for a worker and for a model, and only one of them has it");
        let help = t!("what the model gives up is what the worker gets: write it for both, or for none");
        findings.push(Finding::warning(Code::Conflict, place, message).help(help));
    }
}

fn reserve_alone(profile: &Profile, reserve: u64, ram: u64, findings: &mut Vec<Finding>) -> bool {
    let Some(place) = profile.place(&["memory", "reserve"]).filter(|_| ram > 0 && reserve > ram) else {
        return true;
    };
    let message = t!(
        "{reserve} MiB are kept for the system, but there are {ram} MiB of RAM",
        reserve = mib(reserve),
        ram = mib(ram)
    );
    findings.push(Finding::error(Code::MemoryBudget, place, message));
    false
}

/// One service's numbers among themselves.
fn services(profile: &Profile, settings: &Settings, findings: &mut Vec<Finding>) {
    for (name, service) in &settings.services {
        let place = |key: &str| profile.place(&["services", name, key]);
        if let (Some(memory), Some(reservation), Some(place)) =
            (service.memory, service.memory_reservation, place("memory_reservation"))
        {
            if reservation > memory {
                let message = t!(
                    "{name} is promised {reservation}, more than its limit of {memory}",
                    name = name,
                    reservation = reservation,
                    memory = memory
                );
                findings.push(Finding::error(Code::Conflict, place, message));
            }
        }
        // A rule for it that gives nothing has its own finding.
        let unlimited = service.memory.is_none() && place("memory").is_none();
        if let (Some(swap), Some(place)) = (service.memory_swap, place("memory_swap")) {
            match service.memory {
                None if unlimited => findings.push(
                    Finding::error(Code::Conflict, place, t!("memory_swap needs memory beside it"))
                        .help(t!("memory_swap is memory and swap together")),
                ),
                Some(memory) if swap < memory => {
                    let message = t!(
                        "memory_swap is {swap}, less than memory, which is {memory}",
                        swap = swap,
                        memory = memory
                    );
                    let help = t!("it is memory and swap together: write \"memory + 1GiB\"");
                    findings.push(Finding::error(Code::Conflict, place, message).help(help));
                }
                _ => {}
            }
        }
        if unlimited {
            if let Some(place) = profile.first_place(&["services", name]) {
                let message = t!(
                    "{name} has no memory limit, so the arithmetic of the others proves nothing",
                    name = name
                );
                findings.push(
                    Finding::warning(Code::MemoryBudget, place, message).help(t!("give it a `memory`")),
                );
            }
        }
    }
}

/// What is reserved is at most what there is. With a limit above each reservation the sum of the limits has proved it.
fn reservations(profile: &Profile, settings: &Settings, target: &Target<'_>, findings: &mut Vec<Finding>) {
    let reserved: Vec<(&str, u64)> = settings
        .services
        .iter()
        .filter_map(|(name, service)| Some((name.as_str(), service.memory_reservation?.0)))
        .collect();
    let together = reserved.iter().fold(0_u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
    let ram = target.numbers.ram_bytes;
    let Some((largest, _)) = reserved.iter().max_by_key(|(_, bytes)| *bytes) else { return };
    let Some(place) = profile.place(&["services", largest, "memory_reservation"]) else { return };
    if ram > 0 && together > ram {
        let message = t!(
            "the services are promised {sum} MiB in all, but there are {ram} MiB of RAM",
            sum = mib(together),
            ram = mib(ram)
        );
        let help = t!("a promise to more than there is protects nobody: lower memory_reservation");
        findings.push(Finding::warning(Code::MemoryBudget, place, message).help(help));
    }
}

/// Beyond its limit a service goes on in swap; when that is full, the kernel kills before any limit is reached.
fn swap_limits(profile: &Profile, settings: &Settings, target: &Target<'_>, findings: &mut Vec<Finding>) {
    let Some(there) = swap(settings, target).filter(|_| target.origin != Origin::Guess) else { return };
    let limits: Vec<(&str, u64)> = settings
        .services
        .iter()
        .filter_map(|(name, service)| Some((name.as_str(), service.swap_limit()?.0)))
        .collect();
    let together = limits.iter().fold(0_u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
    let Some((largest, _)) = limits.iter().max_by_key(|(_, bytes)| *bytes) else { return };
    let own = profile.place(&["services", largest, "memory_swap"]);
    let Some(place) = own.or_else(|| profile.place(&["services", largest, "memory"])) else { return };
    if together > there {
        let message = t!(
            "the services may have {sum} MiB in swap together, but there are {swap} MiB",
            sum = mib(together),
            swap = mib(there)
        );
        let help = if own.is_some() {
            t!("lower memory_swap, or raise swap.size")
        } else {
            t!(
                "without memory_swap the engine allows as much swap as memory: set it, as in \"memory + 1GiB\""
            )
        };
        findings.push(Finding::warning(Code::MemoryBudget, place, message).help(help));
    }
}

/// The host has what the profile is made for.
fn at_least(profile: &Profile, target: &Target<'_>, findings: &mut Vec<Finding>) {
    let (Some(least), Some(place)) = (profile.at_least(), profile.place(&["memory", "at_least"])) else {
        return;
    };
    let ram = Bytes(target.numbers.ram_bytes);
    if ram.0 > 0 && ram < least {
        let message = t!(
            "the profile is made for at least {least} of RAM, and the host has {ram}",
            least = least,
            ram = ram
        );
        let help = t!("the bundled profile for this host is {name}", name = bundled::best_for(ram.0));
        findings.push(Finding::warning(Code::Host, place, message).help(help));
    }
}
