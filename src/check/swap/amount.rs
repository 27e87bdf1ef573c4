//! How much swap there is, and how much of it is used.

use super::super::{Evidence, Outcome, Scene};
use super::{SWAPS, areas, line_of, out_of_place};
use crate::check::shared::APPLY;
use crate::host::swap::{LABEL, PAGE};
use crate::t;
use crate::tunable::swapfile;
use crate::units::{Bytes, MIB};

/// Above this an area counts as nearly full, in percent.
const FULL: u64 = 80;
/// An average of more than this, in bytes a second, is a disk that is always swapping.
const BUSY: u64 = MIB;
/// A younger boot's average says nothing, in seconds.
const YOUNG: u64 = 3600;

pub(super) fn some(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = out_of_place(scene) {
        return outcome.into();
    }
    let areas: Vec<_> = swapfile::disk_swap(&scene.cx).collect();
    if areas.is_empty() {
        if let Some(file) = swapfile::ours(&scene.cx).first().filter(|_| !scene.is_live()) {
            let why = t!("a tree does not tell whether {path} is put to use", path = file.path);
            return Outcome::could_not_tell(why).into();
        }
        let zswap = scene.facts().zswap.enabled;
        let actual = if zswap && scene.facts().swap.is_empty() {
            t!("none; zswap is on, and does nothing without it")
        } else {
            t!("none")
        };
        let asked = scene.wish().swap.size.0 > 0;
        let fix = if asked { APPLY.to_owned() } else { t!("set swap.size in the profile, and apply") };
        let outcome = if asked || zswap { Outcome::fail(actual, fix) } else { Outcome::warn(actual, fix) };
        return outcome.seen(Evidence::path(SWAPS)).into();
    }
    let size = areas.iter().map(|area| area.size_bytes).fold(0, u64::saturating_add);
    Outcome::pass(t!("{size} in {count} areas", size = Bytes(size), count = areas.len()))
        .seen_all(areas.into_iter().map(line_of))
        .into()
}

pub(super) fn size(scene: &Scene<'_>) -> Vec<Outcome> {
    let wanted = scene.wish().swap.size.0 / PAGE * PAGE;
    if wanted == 0 {
        return Outcome::not_applicable(t!("the profile asks for no size")).into();
    }
    if let Some(outcome) = out_of_place(scene) {
        return outcome.into();
    }
    let ours = swapfile::ours(&scene.cx);
    let have = swapfile::amount(&scene.cx, &ours);
    let actual = Bytes(have / MIB * MIB).to_string();
    let outcome = if have == 0 && !waiting(scene) {
        return Outcome::not_applicable(t!("there is no swap at all: see {id}", id = "CT-SWAP-001")).into();
    } else if swapfile::is_enough(have, wanted) {
        Outcome::pass(actual)
    } else if !scene.host().may_change() && waiting(scene) {
        Outcome::could_not_tell(t!("a swap file that is not in use can be read by root only"))
    } else {
        Outcome::fail(actual, APPLY)
    };
    let idle = ours.iter().filter(|file| file.active.is_none()).map(|file| Evidence::path(&file.path));
    outcome
        .expected(t!("{size} (swap.size, a twentieth less will do)", size = Bytes(wanted)))
        .seen_all(swapfile::disk_swap(&scene.cx).map(line_of))
        .seen_all(idle)
        .into()
}

/// Is there a file under one of our names that is not in use?
fn waiting(scene: &Scene<'_>) -> bool {
    let is_active = |path: &str| scene.facts().swap.iter().any(|area| area.path == path);
    swapfile::names(&scene.wish().swap.path).any(|path| !is_active(&path) && scene.host().exists(&path))
}

pub(super) fn ours(scene: &Scene<'_>) -> Vec<Outcome> {
    let wish = &scene.wish().swap;
    if wish.size.0 == 0 {
        return Outcome::not_applicable(t!("the profile asks for no size")).into();
    }
    if let Some(outcome) = out_of_place(scene) {
        return outcome.into();
    }
    let ours = swapfile::ours(&scene.cx);
    if ours.is_empty() {
        if !scene.host().may_change() && scene.host().exists(&wish.path) {
            return Outcome::could_not_tell(t!("only root can read the label of {path}", path = wish.path))
                .into();
        }
        return Outcome::not_applicable(t!("no swap file carries the label {label}", label = LABEL)).into();
    }
    let judged = ours.into_iter().map(|file| {
        let area = scene.facts().swap.iter().find(|area| area.path == file.path);
        let outcome = match area {
            None if !scene.is_live() => {
                return Outcome::not_applicable(t!("a tree does not tell whether it is put to use"))
                    .of(file.path);
            }
            None => Outcome::fail(t!("it is not in use"), APPLY).seen(Evidence::path(&file.path)),
            Some(area) if wish.priority >= 0 && area.priority != wish.priority => {
                let command = format!("swapoff {0}; swapon -p {1} {0}", file.path, wish.priority);
                let actual = t!("priority {priority}", priority = area.priority);
                Outcome::warn(actual, command)
                    .expected(t!("priority {priority}", priority = wish.priority))
                    .seen(line_of(area))
            }
            Some(area) => {
                Outcome::pass(t!("{size} in use", size = Bytes(area.size_bytes))).seen(line_of(area))
            }
        };
        outcome.target(&file.path).of(file.path)
    });
    judged.collect()
}

pub(super) fn fullness(scene: &Scene<'_>) -> Vec<Outcome> {
    let areas = match areas(scene) {
        Ok(areas) => areas,
        Err(outcome) => return outcome.into(),
    };
    let sum = |of: fn(&crate::facts::SwapArea) -> u64| {
        areas.iter().map(|area| of(area)).fold(0, u64::saturating_add)
    };
    let (size, used) = (sum(|area| area.size_bytes), sum(|area| area.used_bytes));
    let percent = used.saturating_mul(100) / size.max(1);
    let actual = t!(
        "{used} of {size} are in use ({percent} %)",
        used = Bytes(used / MIB * MIB),
        size = Bytes(size / MIB * MIB),
        percent = percent
    );
    let outcome = if percent >= FULL {
        Outcome::warn(
            actual,
            t!("find out what holds it: grep VmSwap /proc/*/status; or raise swap.size in the profile"),
        )
    } else {
        Outcome::pass(actual)
    };
    outcome
        .expected(t!("less than {percent} %", percent = FULL))
        .seen_all(areas.into_iter().map(line_of))
        .into()
}

pub(super) fn traffic(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Err(outcome) = areas(scene) {
        return outcome.into();
    }
    if scene.facts().swap.iter().any(|area| area.kind == "zram") {
        return Outcome::not_applicable(t!("zram's pages are in the same counters")).into();
    }
    let uptime = scene.host().value("/proc/uptime").unwrap_or_default();
    let uptime: Option<u64> = uptime.split(['.', ' ']).next().and_then(|seconds| seconds.parse().ok());
    let (Some(read), Some(written), Some(uptime)) = (scene.vmstat("pswpin"), scene.vmstat("pswpout"), uptime)
    else {
        return Outcome::not_here("/proc/vmstat").into();
    };
    if uptime < YOUNG {
        return Outcome::not_applicable(t!("booted less than an hour ago")).into();
    }
    let page = scene.facts().memory.page_bytes.max(1);
    let rate = read.saturating_add(written).saturating_mul(page) / uptime;
    let actual = t!("{rate} a second since the boot", rate = Bytes(rate));
    let outcome = if rate > BUSY {
        Outcome::warn(actual, t!("give the worker less memory in the profile, or the host more"))
    } else {
        Outcome::pass(actual)
    };
    outcome
        .expected(t!("{rate} a second at most, on average", rate = Bytes(BUSY)))
        .seen(Evidence::file("/proc/vmstat", format!("pswpin {read}")))
        .seen(Evidence::file("/proc/vmstat", format!("pswpout {written}")))
        .into()
}
