//! The pool at work: does it take pages, do they shrink, and has it turned any away?

use super::{SWAPS, not_running};
use crate::check::{Evidence, Outcome, Scene};
use crate::t;
use crate::tunable::zswap::PARAMETERS;
use crate::units::{Bytes, MIB};

/// `Zswap` and `Zswapped` of `/proc/meminfo`, bytes: what the pool takes, and what it holds.
fn pool(scene: &Scene<'_>) -> Result<(u64, u64), Vec<Outcome>> {
    if let Some(outcome) = not_running(scene) {
        return Err(outcome.into());
    }
    match (scene.meminfo("Zswap"), scene.meminfo("Zswapped")) {
        (Some(takes), Some(holds)) => Ok((takes, holds)),
        _ => Err(Outcome::could_not_tell(t!("/proc/meminfo tells of zswap from Linux 5.19 on")).into()),
    }
}

fn pool_evidence(takes: u64, holds: u64) -> [Evidence; 2] {
    let kib = |name: &str, bytes: u64| Evidence::file("/proc/meminfo", format!("{name}: {} kB", bytes >> 10));
    [kib("Zswap", takes), kib("Zswapped", holds)]
}

pub(super) fn compressing(scene: &Scene<'_>) -> Vec<Outcome> {
    let (takes, holds) = match pool(scene) {
        Ok(pool) => pool,
        Err(outcome) => return outcome,
    };
    if !scene.host().exists(SWAPS) {
        return Outcome::not_here(SWAPS).into();
    }
    let used: u64 =
        scene.facts().swap.iter().filter(|area| area.kind != "zram").map(|area| area.used_bytes).sum();
    if used < 16 * MIB {
        return Outcome::not_applicable(t!("hardly any swap is in use ({used})", used = Bytes(used))).into();
    }
    let actual = t!("{holds} of {used} in swap are in the pool", holds = Bytes(holds), used = Bytes(used));
    let outcome = if holds < used / 20 {
        let fix = t!("look at {path} and at reject_* in /sys/kernel/debug/zswap", path = PARAMETERS);
        Outcome::warn(actual, fix)
    } else {
        Outcome::pass(actual)
    };
    outcome.seen_all(pool_evidence(takes, holds)).into()
}

pub(super) fn ratio(scene: &Scene<'_>) -> Vec<Outcome> {
    let (takes, holds) = match pool(scene) {
        Ok(pool) => pool,
        Err(outcome) => return outcome,
    };
    if takes < 16 * MIB {
        return Outcome::not_applicable(t!("the pool is nearly empty ({takes})", takes = Bytes(takes)))
            .into();
    }
    let hundredths = holds.saturating_mul(100) / takes;
    let shown = format!("{}.{:02}:1", hundredths / 100, hundredths % 100);
    let outcome = if hundredths < 120 {
        Outcome::warn(
            shown,
            t!("set zswap.compressor = \"zstd\" in the profile, or zsmalloc first in zswap.zpool"),
        )
    } else {
        Outcome::pass(shown)
    };
    outcome.expected("1.20:1").seen_all(pool_evidence(takes, holds)).into()
}

/// A counter of debugfs, or why it can't be read.
fn counter(scene: &Scene<'_>, name: &str) -> Result<u64, Vec<Outcome>> {
    if let Some(outcome) = not_running(scene) {
        return Err(outcome.into());
    }
    scene.zswap_counter(name).ok_or_else(|| {
        Outcome::could_not_tell(t!(
            "/sys/kernel/debug/zswap/{name} can't be read; run it as root, where debugfs is mounted",
            name = name
        ))
        .into()
    })
}

pub(super) fn limit_hit(scene: &Scene<'_>) -> Vec<Outcome> {
    let hits = match counter(scene, "pool_limit_hit") {
        Ok(hits) => hits,
        Err(outcome) => return outcome,
    };
    let actual = t!("{hits} times since the boot", hits = hits);
    let evidence = Evidence::file("/sys/kernel/debug/zswap/pool_limit_hit", hits.to_string());
    let outcome = if hits > 0 {
        Outcome::warn(
            actual,
            t!("raise zswap.max_pool_percent in the profile, or give the worker less memory"),
        )
    } else {
        Outcome::pass(actual)
    };
    outcome.expected("0").seen(evidence).into()
}

pub(super) fn rejects(scene: &Scene<'_>) -> Vec<Outcome> {
    const REASONS: [&str; 5] = [
        "reject_alloc_fail",
        "reject_compress_fail",
        "reject_compress_poor",
        "reject_kmemcache_fail",
        "reject_reclaim_fail",
    ];
    if let Err(outcome) = counter(scene, "reject_alloc_fail") {
        return outcome;
    }
    let counts: Vec<(&str, u64)> =
        REASONS.iter().filter_map(|name| Some((*name, scene.zswap_counter(name)?))).collect();
    let rejected: u64 = counts.iter().map(|(_, count)| count).sum();
    let stored = scene.vmstat("zswpout").unwrap_or(0);
    let evidence = counts
        .iter()
        .map(|(name, n)| Evidence::file(format!("/sys/kernel/debug/zswap/{name}"), n.to_string()));
    let actual =
        t!("{rejected} rejected, {stored} stored since the boot", rejected = rejected, stored = stored);
    let outcome = if rejected > 1000 && rejected > stored / 10 {
        Outcome::warn(
            actual,
            t!("compress_poor: the pages don't shrink; alloc_fail: memory is too short for the pool"),
        )
    } else {
        Outcome::pass(actual)
    };
    outcome.seen_all(evidence).into()
}
