//! What was promised, against what there is.

use super::shared::{APPLY, below, mib};
use super::{Evidence, MEMINFO, Outcome, Scene, limits, promised, ram, total};
use crate::profile::best_for;
use crate::t;
use crate::tunable::swapfile;
use crate::units::{Bytes, MIB};

pub(super) fn at_least(scene: &Scene<'_>) -> Vec<Outcome> {
    let Some(least) = scene.wish().memory.at_least else {
        return Outcome::not_applicable(t!("the profile does not say how much it needs")).into();
    };
    let ram = match ram(scene) {
        Ok(ram) => ram,
        Err(outcome) => return outcome,
    };
    let actual = t!("{ram} MiB", ram = mib(ram));
    let outcome = if ram < least.0 {
        Outcome::fail(actual, t!("choose the profile for this size: {name}", name = best_for(ram)))
    } else {
        Outcome::pass(actual)
    };
    outcome.expected(t!("at least {least} MiB", least = least.as_mib())).seen(total(ram)).into()
}

pub(super) fn fits(scene: &Scene<'_>) -> Vec<Outcome> {
    let limits = limits(scene);
    if limits.is_empty() {
        return Outcome::not_applicable(t!("the profile gives no service a limit")).into();
    }
    let ram = match ram(scene) {
        Ok(ram) => ram,
        Err(outcome) => return outcome,
    };
    let sum = promised(scene);
    let table: Vec<String> = limits.iter().map(|(name, bytes)| format!("{name} {}", mib(*bytes))).collect();
    let actual = t!(
        "{table} + system {reserve} = {sum} of {ram} MiB",
        table = table.join(" + "),
        reserve = mib(scene.wish().memory.reserve.0),
        sum = mib(sum),
        ram = mib(ram)
    );
    let outcome = if sum > ram {
        let short = (sum - ram).div_ceil(MIB);
        Outcome::fail(
            actual,
            t!(
                "take {short} MiB off services.{name}.memory in the profile",
                short = short,
                name = limits[0].0
            ),
        )
    } else {
        Outcome::pass(actual)
    };
    outcome.expected(t!("at most {ram} MiB", ram = mib(ram))).seen(total(ram)).into()
}

pub(super) fn swap_allowances(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = below(scene) {
        return outcome.into();
    }
    let services = &scene.wish().services;
    let allowed: Vec<(&str, u64)> = services
        .iter()
        .filter_map(|(name, s)| Some((name.as_str(), s.memory_swap?.0.saturating_sub(s.memory?.0))))
        .filter(|(_, bytes)| *bytes > 0)
        .collect();
    if allowed.is_empty() {
        return Outcome::not_applicable(t!("the profile lets no service swap")).into();
    }
    if let Err(outcome) = ram(scene) {
        return outcome;
    }
    let sum = allowed.iter().fold(0_u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
    let swap = scene.facts().memory.swap_total_bytes;
    let table: Vec<String> = allowed.iter().map(|(name, bytes)| format!("{name} {}", mib(*bytes))).collect();
    let actual =
        t!("{table} = {sum} of {swap} MiB", table = table.join(" + "), sum = mib(sum), swap = mib(swap));
    if let Some(id) = short_of_swap(scene).filter(|_| sum > swap && scene.wish().swap.size.0 >= sum) {
        return Outcome::behind(t!("there is less swap than the profile asks for"), id).into();
    }
    let outcome = if sum <= swap {
        Outcome::pass(actual)
    } else if scene.wish().swap.size.0 >= sum {
        Outcome::warn(actual, APPLY)
    } else {
        Outcome::warn(
            actual,
            t!("set swap.size in the profile to {sum}MiB or more, and apply", sum = sum.div_ceil(MIB)),
        )
    };
    let evidence = Evidence::file(MEMINFO, format!("SwapTotal: {} kB", swap >> 10));
    outcome.expected(t!("at least {sum} MiB of swap", sum = mib(sum))).seen(evidence).into()
}

/// The check that tells of too little swap, where there is too little of it for the profile.
fn short_of_swap(scene: &Scene<'_>) -> Option<&'static str> {
    if !scene.host().exists("/proc/swaps") {
        return None;
    }
    let have = swapfile::amount(&scene.cx, &swapfile::ours(&scene.cx));
    let enough = swapfile::is_enough(have, scene.wish().swap.size.0);
    let none = swapfile::disk_swap(&scene.cx).next().is_none();
    (!enough).then_some(if none { "CT-SWAP-001" } else { "CT-SWAP-002" })
}

pub(super) fn available(scene: &Scene<'_>) -> Vec<Outcome> {
    let ram = match ram(scene) {
        Ok(ram) => ram,
        Err(outcome) => return outcome,
    };
    let available = scene.facts().memory.available_bytes;
    let reserve = scene.wish().memory.reserve.0;
    // A quarter of the reserve is what the kernel itself can't do without.
    let least = if reserve > 0 { reserve / 4 } else { ram / 20 };
    let actual = t!("{available} MiB of {ram} MiB", available = mib(available), ram = mib(ram));
    let outcome = if available < least {
        Outcome::warn(
            actual,
            t!(
                "see who holds it: civicum-tune detect names the largest; then lower a limit or end a program"
            ),
        )
    } else {
        Outcome::pass(actual)
    };
    let evidence = Evidence::file(MEMINFO, format!("MemAvailable: {} kB", available >> 10));
    outcome.expected(t!("at least {least} MiB", least = mib(least))).seen(evidence).into()
}

pub(super) fn outside(scene: &Scene<'_>) -> Vec<Outcome> {
    let reserve = scene.wish().memory.reserve.0;
    if reserve == 0 || limits(scene).is_empty() {
        return Outcome::not_applicable(t!("the profile gives no service a limit")).into();
    }
    if let Some(outcome) = below(scene) {
        return outcome.into();
    }
    let Some(processes) = scene.processes() else {
        return if scene.is_live() {
            Outcome::could_not_tell(t!("there are too many processes to look at"))
        } else {
            Outcome::not_applicable(t!("only a running host has processes"))
        }
        .into();
    };
    let mut own: Vec<_> = processes.iter().filter(|p| !p.in_container && p.own_bytes > 0).collect();
    own.sort_by_key(|process| (std::cmp::Reverse(process.own_bytes), process.pid));
    let sum = own.iter().fold(0_u64, |sum, process| sum.saturating_add(process.own_bytes));
    let actual = t!("they hold {sum} MiB of their own", sum = mib(sum));
    let outcome = if sum > reserve {
        Outcome::warn(
            actual,
            t!(
                "move the largest into a container with a limit, end it, or raise memory.reserve in the profile"
            ),
        )
    } else {
        Outcome::pass(actual)
    };
    let largest = own.iter().take(3).map(|process| {
        let held = Bytes(process.own_bytes / MIB * MIB);
        Evidence::file(format!("/proc/{}/statm", process.pid), format!("{}: {held}", process.name))
    });
    outcome.expected(t!("at most {reserve} MiB", reserve = mib(reserve))).seen_all(largest).into()
}
