//! What the kernel does with the memory: huge pages, the guard of the working set, a crash kernel.

use super::shared::{APPLY, below, mib};
use super::{Evidence, MEMINFO, Outcome, Scene, limits, promised, ram};
use crate::t;
use crate::tunable::mglru;
use crate::units::MIB;

const LRU_GEN: &str = "/sys/kernel/mm/lru_gen/enabled";
const THP: &str = "/sys/kernel/mm/transparent_hugepage";

pub(super) fn huge_pages(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = below(scene) {
        return outcome.into();
    }
    let ram = match ram(scene) {
        Ok(ram) => ram,
        Err(outcome) => return outcome,
    };
    // All sizes together; a kernel without them has none of these lines.
    let pages = scene.meminfo("HugePages_Total").zip(scene.meminfo("Hugepagesize"));
    let Some(taken) = scene.meminfo("Hugetlb").or(pages.map(|(n, size)| n.saturating_mul(size))) else {
        return Outcome::not_applicable(t!("/proc/meminfo does not tell of huge pages")).into();
    };
    let free = scene.meminfo("HugePages_Free").unwrap_or(0);
    let all = scene.meminfo("HugePages_Total").unwrap_or(0);
    let evidence = [
        Evidence::file(MEMINFO, format!("Hugetlb: {} kB", taken >> 10)),
        Evidence::file(MEMINFO, format!("HugePages_Total: {all}")),
        Evidence::file(MEMINFO, format!("HugePages_Free: {free}")),
    ];
    if taken == 0 {
        return Outcome::pass(t!("none are reserved")).seen_all(evidence).into();
    }
    let fix = t!("sysctl -w vm.nr_hugepages=0, and remove the line or kernel argument that reserves them");
    let sum = promised(scene).saturating_add(taken);
    let outcome = if sum > ram && !limits(scene).is_empty() {
        Outcome::fail(
            t!(
                "{taken} MiB are reserved; with the limits and the reserve that is {sum} of {ram} MiB",
                taken = mib(taken),
                sum = mib(sum),
                ram = mib(ram)
            ),
            fix,
        )
    } else if all > 0 && free == all && taken >= 64 * MIB {
        Outcome::warn(t!("{taken} MiB are reserved and nobody uses any of it", taken = mib(taken)), fix)
    } else {
        Outcome::pass(t!("{taken} MiB are reserved, and there is room for them", taken = mib(taken)))
    };
    outcome.seen_all(evidence).into()
}

pub(super) fn transparent_huge_pages(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = below(scene) {
        return outcome.into();
    }
    let Some(enabled) = &scene.facts().thp else {
        let path = format!("{THP}/enabled");
        return if scene.is_live() {
            Outcome::not_applicable(t!("this kernel has no transparent huge pages"))
        } else {
            Outcome::not_here(path)
        }
        .into();
    };
    let path = format!("{THP}/defrag");
    let value = scene.host().value(&path);
    let outcome = match &value {
        // With never and madvise nobody waits who did not ask for it.
        _ if enabled != "always" => Outcome::pass(enabled),
        None => Outcome::not_here(&path),
        Some(defrag) if defrag.contains("[always]") => Outcome::warn(
            t!("enabled is always, and defrag is always"),
            t!("echo madvise >{path}", path = path),
        )
        .expected("defrag: madvise"),
        Some(_) => Outcome::pass(enabled),
    };
    let enabled = Evidence::file(format!("{THP}/enabled"), format!("[{enabled}]"));
    outcome.seen(enabled).seen_all(value.map(|value| Evidence::file(path, value))).into()
}

/// What the profile wants of the guard, and that this kernel can have it.
fn guard_wanted(scene: &Scene<'_>) -> Result<u64, Vec<Outcome>> {
    if let Some(outcome) = below(scene) {
        return Err(outcome.into());
    }
    let Some(ttl) = scene.wish().mglru.min_ttl_ms else {
        return Err(Outcome::not_applicable(t!("the profile does not set mglru.min_ttl")).into());
    };
    // It came with Linux 6.1.
    let version = scene.facts().kernel.version;
    let too_old = version > (0, 0) && version < (6, 1);
    if (scene.is_live() || too_old) && scene.facts().mglru.is_none() {
        return Err(Outcome::not_applicable(t!("this kernel has no multi-generational LRU")).into());
    }
    Ok(ttl)
}

/// Built in, and switched off, as on Debian 12.
fn is_off(scene: &Scene<'_>) -> bool {
    scene.facts().mglru.as_ref().is_some_and(|mglru| mglru.enabled & 1 == 0)
}

pub(super) fn guard(scene: &Scene<'_>) -> Vec<Outcome> {
    let wanted = match guard_wanted(scene) {
        Ok(ttl) => ttl.to_string(),
        Err(outcome) => return outcome,
    };
    let Some(value) = scene.host().value(mglru::KNOB) else {
        return Outcome::not_here(mglru::KNOB).into();
    };
    if value != wanted && wanted != "0" && is_off(scene) && !scene.was_applied(mglru::KNOB) {
        return Outcome::behind(t!("the multi-generational LRU is off"), "CT-MEM-007").into();
    }
    let evidence = Evidence::file(mglru::KNOB, &value);
    let outcome = if value == wanted { Outcome::pass(value) } else { Outcome::fail(value, APPLY) };
    outcome.expected(wanted).seen(evidence).target(mglru::KNOB).into()
}

pub(super) fn lru_gen(scene: &Scene<'_>) -> Vec<Outcome> {
    match guard_wanted(scene) {
        Ok(0) => return Outcome::not_applicable(t!("the profile wants no guard")).into(),
        Ok(_) => {}
        Err(outcome) => return outcome,
    }
    let Some(value) = scene.host().value(LRU_GEN) else {
        return Outcome::not_here(LRU_GEN).into();
    };
    let outcome = if is_off(scene) {
        Outcome::fail(t!("{value}: it is off, and min_ttl_ms does nothing", value = value), APPLY)
    } else {
        Outcome::pass(value.clone())
    };
    outcome.expected("0x0007").seen(Evidence::file(LRU_GEN, value)).target(LRU_GEN).into()
}

pub(super) fn guard_at_boot(scene: &Scene<'_>) -> Vec<Outcome> {
    let wanted = match guard_wanted(scene) {
        Ok(ttl) => ttl.to_string(),
        Err(outcome) => return outcome,
    };
    if !scene.cx.has_systemd() {
        return Outcome::not_applicable(t!("systemd does not run this host")).into();
    }
    let text = match scene.host().read_text(mglru::FILE) {
        Ok(text) => text.unwrap_or_default(),
        Err(e) => return Outcome::could_not_tell(e.to_string()).into(),
    };
    // tmpfiles.d(5): type, path, mode, user, group, age, argument.
    let set = text.lines().enumerate().find_map(|(at, line)| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ours = words.len() == 7 && words[0].starts_with('w') && words[1] == mglru::KNOB;
        ours.then(|| (Evidence::line(mglru::FILE, at + 1, line), words[6].to_owned()))
    });
    // Nobody has set it yet, neither now nor for the next boot: that is one finding.
    let now = scene.host().value(mglru::KNOB).filter(|value| *value != wanted);
    if let (None, Some(now), false) = (&set, now, scene.was_applied(mglru::FILE)) {
        let id = if is_off(scene) && wanted != "0" { "CT-MEM-007" } else { "CT-MEM-006" };
        return Outcome::behind(t!("it is {value} now", value = now), id).into();
    }
    match set {
        Some((evidence, value)) if value == wanted => Outcome::pass(value).seen(evidence),
        Some((evidence, value)) => Outcome::fail(value, APPLY).seen(evidence),
        None => Outcome::fail(t!("no line sets it"), APPLY).seen(Evidence::path(mglru::FILE)),
    }
    .expected(wanted)
    .target(mglru::FILE)
    .into()
}

pub(super) fn crash_kernel(scene: &Scene<'_>) -> Vec<Outcome> {
    const SIZE: &str = "/sys/kernel/kexec_crash_size";
    if let Some(outcome) = below(scene) {
        return outcome.into();
    }
    let ram = match ram(scene) {
        Ok(ram) => ram,
        Err(outcome) => return outcome,
    };
    let cmdline = &scene.facts().boot.cmdline;
    let Some(argument) = cmdline.split_whitespace().find(|word| word.starts_with("crashkernel=")) else {
        return if cmdline.is_empty() {
            Outcome::not_here("/proc/cmdline")
        } else {
            Outcome::not_applicable(t!("the boot line has no crashkernel="))
        }
        .into();
    };
    let evidence = Evidence::file("/proc/cmdline", argument);
    let size = scene.host().value(SIZE).and_then(|value| value.parse::<u64>().ok());
    let Some(size) = size else {
        return Outcome::not_here(SIZE).seen(evidence).into();
    };
    let all = ram.saturating_add(size);
    let actual = t!("{size} MiB of {all} MiB", size = mib(size), all = mib(all));
    let outcome = if size > all / 20 {
        Outcome::warn(
            actual,
            t!("a smaller crashkernel= on the boot line, or none (Debian and Ubuntu: remove kdump-tools)"),
        )
    } else {
        Outcome::pass(actual)
    };
    outcome.seen(evidence).seen(Evidence::file(SIZE, size.to_string())).into()
}
