//! Values that contradict or undo each other.

use std::collections::BTreeMap;

use super::account::swap;
use super::container::{Protocol, Publish};
use super::finding::{Code, Finding, part};
use super::kernels::PAGES_HELD;
use super::settings::Settings;
use super::target::{Origin, Target};
use super::{Profile, sysctl};
use crate::container::role::Role;
use crate::t;
use crate::units::{KIB, MIB};

/// All of it, but for what a value that could not be understood may be the cause of.
pub(super) fn check(
    profile: &Profile,
    settings: &Settings,
    target: &Target<'_>,
    findings: &mut Vec<Finding>,
) {
    let broken = &profile.broken;
    if broken.spares(&["zswap", "swap", "memory"]) {
        pool(profile, settings, target, findings);
    }
    if broken.inherits_no_more() {
        parameters(profile, settings, findings);
        boot(profile, settings, findings);
    }
    if broken.spares(&["memory"]) {
        kept_free(profile, settings, target, findings);
    }
    if broken.spares(&["services"]) {
        victims(profile, settings, findings);
    }
    // Where an address is missing, the one that stands for all counts.
    if broken.spares(&["sovereignty"]) {
        ports(profile, settings, findings);
    }
}

/// Each page in the pool holds a slot of the swap, so the swap is the most that zswap can hold.
fn pool(profile: &Profile, settings: &Settings, target: &Target<'_>, findings: &mut Vec<Finding>) {
    let zswap = &settings.zswap;
    // In a container there is more to say than that.
    let in_container = target.host.is_some_and(|host| host.container().is_some());
    if !zswap.manage || !zswap.enabled || in_container {
        return;
    }
    let (held, by) = PAGES_HELD;
    let ram = target.numbers.ram_bytes;
    let full = u128::from(ram) * u128::from(zswap.max_pool_percent) / 100 * u128::from(held) / u128::from(by);
    let full = u64::try_from(full).unwrap_or(u64::MAX);
    let written = profile.place(&["swap", "size"]);
    let zswap_place = || {
        profile.place(&["zswap", "enabled"]).or_else(|| profile.first_place(&["zswap"])).filter(|_| {
            // Nothing is written about swap: whether there is any, only the host can tell.
            written.is_some() || target.host.is_some()
        })
    };
    match swap(settings, target) {
        // What is asked for is no more than a twentieth short: people round, and the ratio is an estimate.
        Some(there) if there > 0 => {
            let Some(place) = written.or_else(zswap_place) else { return };
            if target.origin == Origin::Guess || full <= there.saturating_add(there / 20) {
                return;
            }
            let message = t!(
                "a full zswap pool ({percent} % of {ram} MiB) holds pages worth {full} MiB at 1.5 to 1, each with a slot in the swap, and there are {swap} MiB of swap",
                percent = zswap.max_pool_percent,
                ram = ram / MIB,
                full = full / MIB,
                swap = there / MIB
            );
            // As much as the swap there is can back.
            let percent =
                u128::from(there) * 100 * u128::from(by) / u128::from(held) / u128::from(ram.max(1));
            let help = t!(
                "raise swap.size to {full}MiB, or lower zswap.max_pool_percent to {percent}",
                full = full.div_ceil(MIB),
                percent = percent.clamp(1, 100)
            );
            findings.push(Finding::warning(Code::Conflict, place, message).help(help));
        }
        _ => {
            let Some(place) = zswap_place() else { return };
            let message = if target.host.is_some() {
                zswap_without_swap()
            } else {
                t!("swap.size is 0, so zswap works only where the host has swap of its own")
            };
            let help = t!("set swap.size, for example \"min(ram / 3, 4GiB)\"");
            findings.push(Finding::warning(Code::Conflict, place, message).help(help));
        }
    }
}

/// What a plan says as well, of the host that it is for.
pub fn zswap_without_swap() -> String {
    t!("zswap has nothing to work with: the host has no swap on disk, and the profile makes none")
}

fn parameters(profile: &Profile, settings: &Settings, findings: &mut Vec<Finding>) {
    let place = |name: &str| profile.place(&["sysctl", name]);
    for (kept, lost) in sysctl::EXCLUSIVE {
        if let (Some(_), Some(place)) = (place(kept), place(lost)) {
            let message = t!(
                "{kept} and {lost} undo each other: the kernel sets one to 0 when the other is written",
                kept = kept,
                lost = lost
            );
            findings.push(Finding::error(Code::Conflict, place, message).help(t!("keep one of the two")));
        }
    }
    for (name, value, why) in sysctl::DOUBTFUL {
        if settings.sysctl.get(name).is_some_and(|own| own == value) {
            if let Some(place) = place(name) {
                findings.push(Finding::warning(
                    Code::Conflict,
                    place,
                    format!("{name} = {value}: {}", why()),
                ));
            }
        }
    }
    let number = |name: &str| settings.sysctl.get(name).and_then(|value| value.parse::<u64>().ok());
    for (start, limit) in
        [("vm.dirty_background_bytes", "vm.dirty_bytes"), ("vm.dirty_background_ratio", "vm.dirty_ratio")]
    {
        if let (Some(a), Some(b), Some(place)) = (number(start), number(limit), place(start)) {
            if a >= b && b > 0 {
                let message = t!(
                    "{start} ({a}) must be below {limit} ({b}), or the kernel takes half of it",
                    start = start,
                    a = a,
                    limit = limit,
                    b = b
                );
                findings.push(Finding::warning(Code::Conflict, place, message));
            }
        }
    }
}

/// `vm.min_free_kbytes`: "setting this too high will OOM your machine instantly" (admin-guide/sysctl/vm.rst).
fn kept_free(profile: &Profile, settings: &Settings, target: &Target<'_>, findings: &mut Vec<Finding>) {
    const NAME: &str = "vm.min_free_kbytes";
    let Some(place) = profile.place(&["sysctl", NAME]) else { return };
    let Some(kib) = settings.sysctl.get(NAME).and_then(|value| value.parse::<u64>().ok()) else { return };
    let free = kib.saturating_mul(KIB);
    let ram = target.numbers.ram_bytes;
    if kib < 1024 {
        let message =
            t!("{name} is {kib} KiB: below 1024 the kernel can lock up under load", name = NAME, kib = kib);
        let help = t!("1 % of the RAM is a good value: \"min(1% of ram, 128MiB)\"");
        findings.push(Finding::warning(Code::Conflict, place, message).help(help));
    }
    if ram == 0 || free <= ram / 20 {
        return;
    }
    let message = t!(
        "{name} keeps {free} MiB of {ram} MiB free, and nobody may ever use them",
        name = NAME,
        free = free / MIB,
        ram = ram / MIB
    );
    let help = t!("1 % of the RAM is a good value: \"min(1% of ram, 128MiB)\"");
    // With half of the RAM taken away, the kernel begins to kill at once.
    let finding = if free >= ram / 2 && target.origin != Origin::Guess {
        Finding::error(Code::Conflict, place, message)
    } else {
        Finding::warning(Code::Conflict, place, message)
    };
    findings.push(finding.help(help));
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
            let message = t!("`{argument}` is written by {owner}", argument = argument, owner = owner);
            findings.push(
                Finding::error(Code::Conflict, &part(place, argument), message).help(t!("set it there")),
            );
        }
    }
}

/// Who dies when the whole host runs out of memory.
fn victims(profile: &Profile, settings: &Settings, findings: &mut Vec<Finding>) {
    const DATABASES: [&str; 8] =
        ["postgres", "postgresql", "database", "db", "mysql", "mariadb", "redis", "valkey"];
    let score = |name: &str| settings.services.get(name).and_then(|s| s.oom_score_adj).unwrap_or(0);
    let others = settings.services.keys().filter(|name| !DATABASES.contains(&name.as_str()));
    let Some(highest) = others.max_by_key(|other| score(other)) else { return };
    for (name, service) in &settings.services {
        let place = || {
            profile
                .place(&["services", name, "oom_score_adj"])
                .or_else(|| profile.name_place(&["services", name]))
        };
        if DATABASES.contains(&name.as_str()) && score(name) > score(highest) {
            let Some(place) = place() else { continue };
            let message = t!(
                "when the host runs out of memory, {name} ({own}) dies before {other} ({theirs}), and with it the data in its hands",
                name = name,
                own = score(name),
                other = highest,
                theirs = score(highest)
            );
            let help = t!(
                "the highest oom_score_adj belongs to whoever loses least, as {other} may: 500 for it, -500 for {name}",
                other = highest,
                name = name
            );
            findings.push(Finding::warning(Code::Conflict, place, message).help(help));
        }
        if service.oom_score_adj == Some(-1000) {
            let Some(place) = place() else { continue };
            let message = t!(
                "-1000 forbids the kernel to kill {name}, even at its own limit: there it would hang instead",
                name = name
            );
            findings.push(
                Finding::warning(Code::Conflict, place, message)
                    .help(t!("-900 protects it from all but its own limit")),
            );
        }
    }
}

/// A port of the container's on which nothing of its role listens. Who writes a command or an image of his own knows better.
fn nobody_there(
    profile: &Profile,
    settings: &Settings,
    name: &str,
    at: usize,
    publish: &Publish,
    findings: &mut Vec<Finding>,
) {
    let service = &settings.services[name];
    let is_ours = service.image.as_ref().is_none_or(|image| image.starts_with("civicum/"));
    let role = Role::of(name, service.role.as_deref());
    let other = |port: &u16| *port != publish.port && service.command.is_none() && is_ours;
    let Some(port) = role.port().filter(other) else { return };
    let Some(place) = profile.item(&["services", name, "publish"], at) else { return };
    let message = t!(
        "nothing listens on port {port} in {name}: what it runs listens on {own}",
        port = publish.port,
        name = name,
        own = port
    );
    let help =
        t!("the container's port stands last, as in \"{host}:{own}\"", host = publish.host_port, own = port);
    findings.push(Finding::warning(Code::Conflict, &place, message).help(help));
}

/// The engine gives a port of the host to one container only.
fn ports(profile: &Profile, settings: &Settings, findings: &mut Vec<Finding>) {
    let mut taken: BTreeMap<(u16, Protocol), Vec<(&String, &Publish)>> = BTreeMap::new();
    let all = settings.services.iter().flat_map(|(name, service)| {
        service.publish.iter().enumerate().map(move |(at, publish)| (name, at, publish))
    });
    for (name, at, publish) in all {
        nobody_there(profile, settings, name, at, publish, findings);
        let before = taken.entry((publish.host_port, publish.protocol)).or_default();
        let Some((other, _)) = before.iter().find(|(_, earlier)| earlier.collides(publish)) else {
            before.push((name, publish));
            continue;
        };
        let Some(place) = profile.item(&["services", name, "publish"], at) else { continue };
        let message = t!(
            "{name} wants port {port} of the host, and so does {other}",
            name = name,
            port = publish.host_port,
            other = other
        );
        findings.push(Finding::error(Code::Conflict, &place, message));
    }
}
