//! zram: out of use where the profile says so, and not coming back.

use super::shared::APPLY;
use super::{Check, Evidence, Outcome, Remedy, Scene, Severity};
use crate::t;
use crate::tunable::zram::owners;
use crate::units::{Bytes, MIB};

const ZRAM: &str = "Linux Documentation/admin-guide/blockdev/zram.rst";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CT-ZRAM-001",
        title: "no zram is in use as swap",
        severity: Severity::High,
        why: "zram holds cold pages in RAM for ever. When it is full, fresh pages go to the disk while stale ones keep the \
              memory.",
        remedy: Remedy::Tunable("zram"),
        source: ZRAM,
        look: in_use,
    },
    Check {
        id: "CT-ZRAM-002",
        title: "nothing sets zram up at the next boot",
        severity: Severity::Medium,
        why: "A package that is not masked brings zram back with the next boot, or with its next update.",
        remedy: Remedy::Tunable("zram"),
        source: "zram-generator.conf(5); zramswap.service of zram-tools",
        look: coming_back,
    },
    Check {
        id: "CT-ZRAM-003",
        title: "no zram that nobody uses holds memory",
        severity: Severity::Low,
        why: "A device that was taken out of use but not reset keeps what it holds.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "What a device holds is lost when it is reset; make sure that nothing is mounted from it.",
            undo: "None: what it held is gone.",
        },
        source: ZRAM,
        look: left_over,
    },
];

/// What speaks against looking.
fn out_of_place(scene: &Scene<'_>) -> Option<Outcome> {
    if let Some(engine) = scene.container() {
        return Some(Outcome::not_applicable(t!(
            "this is a {engine} container: zram belongs to the host below",
            engine = engine
        )));
    }
    (!scene.wish().zram.retire).then(|| Outcome::not_applicable(t!("the profile lets zram be")))
}

fn in_use(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = out_of_place(scene) {
        return outcome.into();
    }
    if !scene.host().exists("/proc/swaps") {
        return Outcome::not_here("/proc/swaps").into();
    }
    let found: Vec<Outcome> = scene
        .facts()
        .swap
        .iter()
        .filter(|area| area.kind == "zram")
        .map(|area| {
            let actual = t!(
                "{used} of {size} in use, priority {priority}",
                used = Bytes(area.used_bytes / MIB * MIB),
                size = Bytes(area.size_bytes / MIB * MIB),
                priority = area.priority
            );
            Outcome::fail(actual, APPLY).of(&area.path).seen(Evidence::path("/proc/swaps")).target(&area.path)
        })
        .collect();
    if found.is_empty() {
        return Outcome::pass(t!("none")).seen(Evidence::path("/proc/swaps")).into();
    }
    found
}

fn coming_back(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = out_of_place(scene) {
        return outcome.into();
    }
    let owners = owners(&scene.cx);
    if owners.is_empty() {
        let is_on = scene.facts().swap.iter().any(|area| area.kind == "zram");
        return if is_on {
            Outcome::could_not_tell(t!("zram is in use, and nothing tells who sets it up")).into()
        } else {
            Outcome::pass(t!("no package that sets zram up is installed")).into()
        };
    }
    let masks = owners.iter().flat_map(|owner| &owner.mask);
    let judged = masks.map(|path| {
        if scene.host().read_link(path).as_deref() == Some("/dev/null") {
            return Outcome::pass(t!("it is masked"))
                .of(path)
                .seen(Evidence::file(path, "-> /dev/null"))
                .target(path);
        }
        let actual = if scene.host().exists(path) { t!("it is not masked") } else { t!("there is no mask") };
        Outcome::fail(actual, APPLY)
            .of(path)
            .expected(t!("a link to /dev/null"))
            .seen(Evidence::path(path))
            .target(path)
    });
    judged.collect()
}

fn left_over(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = out_of_place(scene) {
        return outcome.into();
    }
    if scene.facts().zram.is_empty() {
        return Outcome::not_applicable(t!("there is no zram device")).into();
    }
    let is_mounted = |name: &str| scene.facts().mounts.iter().any(|m| m.source == format!("/dev/{name}"));
    let idle = scene.facts().zram.iter().filter(|zram| !zram.active && !is_mounted(&zram.name));
    let found: Vec<Outcome> = idle
        .filter(|zram| zram.data_bytes >= MIB)
        .map(|zram| {
            let path = format!("/sys/block/{}/mm_stat", zram.name);
            let actual = t!("it holds {size}", size = Bytes(zram.data_bytes / MIB * MIB));
            let seen = Evidence::file(&path, scene.host().value(&path).unwrap_or_default());
            Outcome::warn(actual, format!("zramctl --reset /dev/{}", zram.name)).of(&zram.name).seen(seen)
        })
        .collect();
    if found.is_empty() { Outcome::pass(t!("none does")).into() } else { found }
}
