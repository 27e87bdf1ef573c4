//! Values that do harm whatever the profile says. Looked at twice: what the kernel has, and what the next boot makes of it.

use super::shared::{below, line, lines, sysctl_files};
use super::values::{default_of, is_known};
use super::{Outcome, Scene};
use crate::check::{Evidence, Status};
use crate::facts::sysctl::Assignment;
use crate::sysctl_name;
use crate::t;
use crate::units::{Bytes, KIB};

/// Its own value is 65530 or more, by distribution.
const MAP_COUNT: &str = "vm.max_map_count";

/// What is known of a key here.
struct Seen {
    /// The kernel's value.
    live: Option<String>,
    /// Every line that sets it.
    found: Vec<Assignment>,
}

impl Seen {
    fn winner(&self) -> Option<&Assignment> {
        self.found.iter().find(|a| a.wins)
    }
}

/// Looks at a key, or says why not.
fn seen(scene: &Scene<'_>, key: &str) -> Result<Seen, Vec<Outcome>> {
    if let Some(outcome) = below(scene) {
        return Err(outcome.into());
    }
    if is_known(scene, key) == Some(false) {
        let release = &scene.facts().kernel.release;
        return Err(Outcome::not_applicable(t!(
            "kernel {release} has no {key}",
            release = release,
            key = key
        ))
        .into());
    }
    let path = sysctl_name::path(key);
    let live = scene.host().value(&path);
    if live.is_none() && scene.is_live() {
        return Err(Outcome::could_not_tell(t!("{path} can't be read", path = path)).into());
    }
    Ok(Seen { live, found: sysctl_files(scene)?.assignments(key) })
}

/// One key whose value must not be bad; `good` is one that is not. The value that the kernel starts with by itself is
/// harmless for all of them but `kernel.panic`.
fn judge(scene: &Scene<'_>, key: &str, good: &str, is_bad: impl Fn(i64) -> bool) -> Vec<Outcome> {
    let seen = match seen(scene, key) {
        Ok(seen) => seen,
        Err(outcome) => return outcome,
    };
    let bad = |value: &str| value.trim().parse().is_ok_and(&is_bad);
    let live_is_bad = seen.live.as_deref().is_some_and(bad);
    let winner = seen.winner();
    let boot_is_bad = winner.is_some_and(|winner| bad(&winner.value));
    let asked_for = scene.wish().sysctl.get(key).is_some_and(|value| bad(value));
    let path = sysctl_name::path(key);
    let outcome = match (&seen.live, winner) {
        (Some(value), _) if live_is_bad => Outcome::fail(value.clone(), String::new()),
        (_, Some(winner)) if boot_is_bad => Outcome::fail(
            t!(
                "{file}:{line} sets {value} at boot",
                file = winner.file,
                line = winner.line,
                value = winner.value
            ),
            String::new(),
        ),
        (Some(value), _) => Outcome::pass(value.clone()),
        (None, Some(winner)) => Outcome::pass(winner.value.clone()),
        (None, None) => match sysctl_files(scene).map(|files| files.problems.first()) {
            Ok(Some(problem)) => Outcome::could_not_tell(problem.to_string()),
            // Without a running kernel the next boot is what counts, and the kernel's own values do no harm.
            _ if !bad("0") || default_of(key).is_some_and(|value| !bad(value)) || key == MAP_COUNT => {
                Outcome::pass(t!("no file sets it, and the kernel's own value does no harm"))
            }
            _ => Outcome::not_here(&path),
        },
    };
    let mut outcome = outcome;
    if outcome.is_finding() {
        outcome.fix = match winner {
            _ if asked_for => {
                t!("set sysctl.\"{key}\" = {good} in the profile, and apply", key = key, good = good)
            }
            Some(winner) if boot_is_bad => t!(
                "remove {file}:{line}, then sysctl -w {key}={good}",
                file = winner.file,
                line = winner.line,
                key = key,
                good = good
            ),
            _ => t!("sysctl -w {key}={good}", key = key, good = good),
        };
        good.clone_into(&mut outcome.expected);
    }
    let live = seen.live.as_ref().map(|value| Evidence::file(&path, value));
    outcome.seen_all(live).seen_all(lines(key, &seen.found)).target(path).into()
}

pub(super) fn overcommit(scene: &Scene<'_>) -> Vec<Outcome> {
    judge(scene, "vm.overcommit_memory", "0", |value| value == 2)
}

pub(super) fn swappiness(scene: &Scene<'_>) -> Vec<Outcome> {
    if !scene.facts().zswap.enabled && !scene.wish().zswap.enabled && below(scene).is_none() {
        return Outcome::not_applicable(t!("zswap is off")).into();
    }
    judge(scene, "vm.swappiness", "60", |value| value < 2)
}

pub(super) fn min_free(scene: &Scene<'_>) -> Vec<Outcome> {
    let ram = scene.facts().memory.total_bytes;
    if ram == 0 {
        return below(scene).unwrap_or_else(|| Outcome::not_here("/proc/meminfo")).into();
    }
    let most = ram / 20;
    let outcomes = judge(scene, "vm.min_free_kbytes", &(ram / 100 / KIB).to_string(), |value| {
        u64::try_from(value).is_ok_and(|kib| kib.saturating_mul(KIB) > most)
    });
    let with_limit = |mut outcome: Outcome| {
        if outcome.is_finding() {
            outcome.expected =
                t!("at most {most} kB, a twentieth of {ram}", most = most / KIB, ram = Bytes(ram));
        }
        outcome
    };
    outcomes.into_iter().map(with_limit).collect()
}

pub(super) fn panic_on_oom(scene: &Scene<'_>) -> Vec<Outcome> {
    judge(scene, "vm.panic_on_oom", "0", |value| value != 0)
}

pub(super) fn allocating_task(scene: &Scene<'_>) -> Vec<Outcome> {
    judge(scene, "vm.oom_kill_allocating_task", "0", |value| value != 0)
}

pub(super) fn zone_reclaim(scene: &Scene<'_>) -> Vec<Outcome> {
    let nodes = scene.facts().cpu.numa_nodes;
    if nodes > 1 && below(scene).is_none() {
        return Outcome::not_applicable(t!("with {nodes} memory nodes it may help", nodes = nodes)).into();
    }
    judge(scene, "vm.zone_reclaim_mode", "0", |value| value != 0)
}

pub(super) fn map_count(scene: &Scene<'_>) -> Vec<Outcome> {
    judge(scene, MAP_COUNT, "1048576", |value| value < 65530)
}

pub(super) fn panic(scene: &Scene<'_>) -> Vec<Outcome> {
    let outcomes = judge(scene, "kernel.panic", "10", |value| value == 0);
    let advice = |mut outcome: Outcome| {
        if outcome.is_finding() {
            outcome.status = Status::Warn;
            outcome.expected = t!("10, the seconds until it starts again");
            outcome.fix = t!(
                "set sysctl.\"{key}\" = {good} in the profile, and apply",
                key = "kernel.panic",
                good = 10
            );
        }
        outcome
    };
    outcomes.into_iter().map(advice).collect()
}

pub(super) fn forwarding(scene: &Scene<'_>) -> Vec<Outcome> {
    const KEY: &str = "net.ipv4.ip_forward";
    let state = scene.facts().docker.state.as_str();
    if state == "absent" && below(scene).is_none() {
        return Outcome::not_applicable(t!("Docker is not installed")).into();
    }
    let seen = match seen(scene, KEY) {
        Ok(seen) => seen,
        Err(outcome) => return outcome,
    };
    let path = sysctl_name::path(KEY);
    let live = seen.live.as_ref().map(|value| Evidence::file(&path, value));
    let outcome = match (seen.winner(), seen.live.as_deref()) {
        (Some(winner), _) if winner.value == "0" => Outcome::warn(
            t!("{file}:{line} sets {value} at boot", file = winner.file, line = winner.line, value = 0),
            t!("remove {file}:{line}", file = winner.file, line = winner.line),
        )
        .expected("1")
        .seen(line(KEY, winner)),
        (_, Some("0")) if state == "running" => {
            Outcome::warn("0", t!("sysctl -w {key}={good}", key = KEY, good = 1)).expected("1")
        }
        (Some(winner), _) => Outcome::pass(winner.value.clone()).seen(line(KEY, winner)),
        (None, _) => Outcome::pass(t!("no file sets it")),
    };
    outcome.seen_all(live).into()
}

pub(super) fn dirty(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = below(scene) {
        return outcome.into();
    }
    let read = |name: &str| {
        let path = sysctl_name::path(name);
        let value = scene.host().value(&path)?;
        Some((value.parse::<u64>().ok()?, Evidence::file(path, value)))
    };
    let names =
        ["vm.dirty_background_bytes", "vm.dirty_bytes", "vm.dirty_background_ratio", "vm.dirty_ratio"];
    let [Some(soft), Some(hard), Some(soft_share), Some(hard_share)] = names.map(read) else {
        return Outcome::not_here("/proc/sys/vm/dirty_*").into();
    };
    let (soft, hard, names) = match (soft.0, hard.0) {
        (0, 0) => (soft_share, hard_share, [names[2], names[3]]),
        (0, _) | (_, 0) => {
            let why = t!("one limit is in bytes and the other a share of the memory");
            return Outcome::not_applicable(why).into();
        }
        _ => (soft, hard, [names[0], names[1]]),
    };
    let actual = t!("{soft} in the background, {hard} at most", soft = soft.0, hard = hard.0);
    let outcome = if soft.0 >= hard.0 {
        Outcome::warn(
            actual,
            t!("set {soft} in the profile to less than {hard}, and apply", soft = names[0], hard = names[1]),
        )
    } else {
        Outcome::pass(actual)
    };
    outcome.seen(soft.1).seen(hard.1).into()
}
