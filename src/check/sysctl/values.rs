//! The profile's keys: what the kernel has, and what the files make of it at the next boot.

use super::shared::{APPLY, below, line, lines, sysctl_files};
use super::{Outcome, Scene};
use crate::check::Evidence;
use crate::facts::sysctl::{Assignment, Problem, SysctlFiles};
use crate::profile::sysctl::EXCLUSIVE;
use crate::sysctl_name;
use crate::t;
use crate::tunable::sysctl::FILE;
use crate::tunable::tidy;

/// What the kernel starts with, where that is the same in every kernel that we know.
const DEFAULTS: [(&str, &str); 10] = [
    ("vm.swappiness", "60"),
    ("vm.vfs_cache_pressure", "100"),
    ("vm.page-cluster", "3"),
    ("vm.watermark_scale_factor", "10"),
    ("vm.overcommit_memory", "0"),
    ("vm.panic_on_oom", "0"),
    ("vm.oom_kill_allocating_task", "0"),
    ("vm.zone_reclaim_mode", "0"),
    ("vm.dirty_ratio", "20"),
    ("vm.dirty_background_ratio", "10"),
];

/// The value that the kernel starts with.
pub(super) fn default_of(key: &str) -> Option<&'static str> {
    DEFAULTS.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
}

/// The other name of the same knob.
fn twin(key: &str) -> Option<&'static str> {
    EXCLUSIVE.iter().find_map(|(a, b)| match key {
        _ if key == *a => Some(*b),
        _ if key == *b => Some(*a),
        _ => None,
    })
}

/// What speaks against asking at all.
fn out_of_place(scene: &Scene<'_>) -> Option<Outcome> {
    below(scene).or_else(|| {
        let asks = !scene.wish().sysctl.is_empty();
        (!asks).then(|| Outcome::not_applicable(t!("the profile sets no kernel parameter")))
    })
}

/// Does this kernel have the key? A tree may be without `/proc`, and then it does not tell.
pub(super) fn is_known(scene: &Scene<'_>, key: &str) -> Option<bool> {
    if scene.host().exists(&sysctl_name::path(key)) {
        return Some(true);
    }
    scene.is_live().then_some(false)
}

pub(super) fn live(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = out_of_place(scene) {
        return outcome.into();
    }
    if !scene.host().exists("/proc/sys/vm") {
        return Outcome::not_here("/proc/sys/vm").into();
    }
    let (mut outcomes, mut unset) = (Vec::new(), Vec::new());
    for (key, wanted) in &scene.wish().sysctl {
        let outcome = live_one(scene, key, wanted).of(key);
        if outcome.is_finding() && nobody_sets(scene, key) {
            unset.push(outcome);
        } else {
            outcomes.push(outcome);
        }
    }
    outcomes.extend(together(unset));
    outcomes
}

/// No file and no generation of ours ever set it: the value is the kernel's own.
fn nobody_sets(scene: &Scene<'_>, key: &str) -> bool {
    let by_no_file = |files: &SysctlFiles| files.problems.is_empty() && files.assignments(key).is_empty();
    scene.sysctl_files().is_ok_and(by_no_file)
        && !scene.was_applied(&sysctl_name::path(key))
        && !scene.was_applied(FILE)
}

/// What nobody has set yet is one finding, however many parameters it is.
fn together(mut unset: Vec<Outcome>) -> Option<Outcome> {
    if unset.len() < 2 {
        return unset.pop();
    }
    let line = |value: fn(&Outcome) -> &str| {
        let one = |o: &Outcome| format!("{} = {}", o.subject.as_deref().unwrap_or_default(), value(o));
        unset.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let outcome = Outcome::fail(line(|o| &o.actual), APPLY).expected(line(|o| &o.expected));
    Some(outcome.seen_all(unset.into_iter().flat_map(|o| o.evidence)))
}

fn live_one(scene: &Scene<'_>, key: &str, wanted: &str) -> Outcome {
    let path = sysctl_name::path(key);
    match is_known(scene, key) {
        Some(true) => {}
        Some(false) => {
            let release = &scene.facts().kernel.release;
            return Outcome::not_applicable(t!(
                "kernel {release} has no {key}",
                release = release,
                key = key
            ));
        }
        None => return Outcome::not_here(path),
    }
    let Some(value) = scene.host().value(&path) else {
        return Outcome::could_not_tell(t!("{path} can't be read", path = path));
    };
    let found = scene.sysctl_files().map(|files| files.assignments(key)).unwrap_or_default();
    let shown = tidy(&value);
    let outcome = if shown == tidy(wanted) { Outcome::pass(shown) } else { Outcome::fail(shown, APPLY) };
    outcome.expected(wanted).seen(Evidence::file(&path, value)).seen_all(lines(key, &found)).target(path)
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// A file that can't be read and would come after this one: who knows what it sets.
fn hidden_behind<'f>(files: &'f SysctlFiles, winner: Option<&Assignment>) -> Option<&'f Problem> {
    files.problems.iter().find(|problem| {
        let folder = !problem.path.ends_with(".conf");
        folder || winner.is_none_or(|winner| base(&problem.path) > base(&winner.file))
    })
}

/// The line that undoes this one: it sets the other name, later.
fn undone<'a>(winner: &Assignment, others: &'a [Assignment]) -> Option<&'a Assignment> {
    others.iter().find(|other| other.wins && other.order > winner.order && other.value != "0")
}

pub(super) fn boot(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = out_of_place(scene) {
        return outcome.into();
    }
    let files = match sysctl_files(scene) {
        Ok(files) => files,
        Err(outcome) => return outcome,
    };
    let mut outcomes = Vec::new();
    let (mut unset, mut told) = (Vec::new(), Vec::new());
    let is_told =
        |key: &str, wanted: &str| nobody_sets(scene, key) && live_one(scene, key, wanted).is_finding();
    let known = |key: &str| is_known(scene, key) != Some(false);
    for (key, wanted) in scene.wish().sysctl.iter().filter(|(key, _)| known(key)) {
        let found = files.assignments(key);
        match found.iter().find(|a| a.wins) {
            Some(winner) => outcomes.push(boot_one(files, key, wanted, winner, &found).of(key)),
            None if default_of(key).is_some_and(|own| own == tidy(wanted)) => {
                let outcome = match hidden_behind(files, None) {
                    Some(problem) => Outcome::could_not_tell(problem.to_string()),
                    None => Outcome::pass(t!("no file sets it; {value} is the kernel's own", value = wanted)),
                };
                outcomes.push(outcome.expected(wanted).of(key));
            }
            None if is_told(key, wanted) => told.push(key.as_str()),
            None => unset.push(key.as_str()),
        }
    }
    if !told.is_empty() {
        let what = t!("no file sets {keys}", keys = told.join(", "));
        outcomes.push(Outcome::behind(what, "CT-SYSCTL-001").seen(Evidence::path(FILE)));
    }
    if !unset.is_empty() {
        let outcome = match hidden_behind(files, None) {
            Some(problem) => Outcome::could_not_tell(problem.to_string()),
            None => Outcome::fail(t!("no file sets {keys}", keys = unset.join(", ")), APPLY),
        };
        outcomes.push(outcome.seen(Evidence::path(FILE)).target(FILE));
    }
    outcomes
}

fn boot_one(
    files: &SysctlFiles,
    key: &str,
    wanted: &str,
    winner: &Assignment,
    found: &[Assignment],
) -> Outcome {
    let Assignment { file, line: number, value, .. } = winner;
    let others = twin(key).map(|twin| (twin, files.assignments(twin))).unwrap_or_default();
    let outcome = if tidy(value) != tidy(wanted) {
        let fix = if base(file) > base(FILE) {
            t!(
                "remove {file}:{line}, which is read after {ours}; or set sysctl.\"{key}\" = {value} in the profile",
                file = file,
                line = number,
                ours = FILE,
                key = key,
                value = value
            )
        } else {
            APPLY.to_owned()
        };
        Outcome::fail(
            t!("{file}:{line} wins and sets {value}", file = file, line = number, value = value),
            fix,
        )
    } else if let Some(other) = undone(winner, &others.1) {
        let fix = t!("remove {file}:{line}", file = other.file, line = other.line);
        Outcome::fail(
            t!(
                "{file}:{line} sets {key} afterwards, and the kernel drops this one",
                file = other.file,
                line = other.line,
                key = others.0
            ),
            fix,
        )
        .seen(line(others.0, other))
    } else if let Some(problem) = hidden_behind(files, Some(winner)) {
        Outcome::could_not_tell(problem.to_string())
    } else {
        Outcome::pass(value.clone())
    };
    outcome.expected(wanted).seen_all(lines(key, found)).target(FILE)
}

pub(super) fn twins(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = below(scene) {
        return outcome.into();
    }
    let files = match sysctl_files(scene) {
        Ok(files) => files,
        Err(outcome) => return outcome,
    };
    let mut outcomes = Vec::new();
    for (a, b) in EXCLUSIVE {
        let (first, second) = (files.assignments(a), files.assignments(b));
        let winner = |found: &[Assignment]| found.iter().find(|f| f.wins && f.value != "0").cloned();
        let (Some(one), Some(two)) = (winner(&first), winner(&second)) else { continue };
        let (lost, kept) = if one.order < two.order { ((a, one), (b, two)) } else { ((b, two), (a, one)) };
        // Where the profile wants the one that is lost, CT-SYSCTL-002 says it already. Where it wants the other, all is
        // as it should be.
        if [lost.0, kept.0].iter().any(|key| scene.wish().sysctl.contains_key(*key)) {
            continue;
        }
        outcomes.push(
            Outcome::warn(
                t!("{kept} is set after {lost}, and the kernel drops {lost}", kept = kept.0, lost = lost.0),
                t!("remove one of the two lines"),
            )
            .of(lost.0)
            .seen(line(kept.0, &kept.1))
            .seen(line(lost.0, &lost.1)),
        );
    }
    if outcomes.is_empty() {
        outcomes.push(Outcome::pass(t!("no two lines undo each other")));
    }
    outcomes
}
