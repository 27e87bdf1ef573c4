//! Limits: are there any, do they fit, and does the kernel have them?

use super::super::shared::mib;
use super::{DEPLOY, Evidence, Live, Outcome, Scene, all, each, fix, told};
use crate::facts::{Cgroup, cgroup};
use crate::t;

pub(super) fn limited(scene: &Scene<'_>) -> Vec<Outcome> {
    each(scene, &t!("each has a limit"), |container| {
        (container.memory == 0).then(|| {
            let by_hand = t!(
                "docker update --memory 512m --memory-swap 1g {name}, with what it needs",
                name = container.name
            );
            let ours = t!("give it a `memory` in the profile, and run: civicum-tune deploy");
            Outcome::fail(t!("no limit"), fix(container, ours, by_hand))
                .seen(told(container, "HostConfig.Memory: 0"))
        })
    })
}

pub(super) fn fits(scene: &Scene<'_>) -> Vec<Outcome> {
    let containers = match all(scene) {
        Ok(containers) => containers,
        Err(outcome) => return outcome,
    };
    let limited: Vec<&Live> = containers.live.iter().filter(|c| c.runs() && c.memory > 0).collect();
    let (ram, reserve) = (scene.facts().memory.total_bytes, scene.wish().memory.reserve.0);
    if limited.is_empty() || ram == 0 {
        return Outcome::not_applicable(t!("no container with a limit runs")).into();
    }
    let sum = limited.iter().fold(0_u64, |sum, container| sum.saturating_add(container.memory));
    let parts: Vec<String> = limited.iter().map(|c| format!("{} {}", c.name, mib(c.memory))).collect();
    let actual = t!(
        "limits {sum} MiB, reserve {reserve} MiB, RAM {ram} MiB",
        sum = mib(sum),
        reserve = mib(reserve),
        ram = mib(ram)
    );
    let seen = Evidence::file("HostConfig.Memory, MiB", parts.join(", "));
    if sum.saturating_add(reserve) <= ram {
        return Outcome::pass(actual).seen(seen).into();
    }
    let short = mib(sum.saturating_add(reserve).saturating_sub(ram)) + 1;
    Outcome::fail(
        actual,
        t!("take {short} MiB off the limits; `civicum-tune validate` shows the arithmetic", short = short),
    )
    .seen(seen)
    .into()
}

fn group(scene: &Scene<'_>, container: &Live) -> Option<String> {
    cgroup::of_container(scene.host(), scene.facts().cgroup == Cgroup::V2, container.pid, &container.id)
}

/// How often the kernel killed in a container for want of memory since it was started, and where that is written.
pub(super) fn kills(scene: &Scene<'_>, container: &Live) -> Option<(u64, String)> {
    cgroup::oom_kills(scene.host(), scene.facts().cgroup == Cgroup::V2, container.pid, &container.id)
}

pub(super) fn held(scene: &Scene<'_>) -> Vec<Outcome> {
    let v2 = scene.facts().cgroup == Cgroup::V2;
    each(scene, &t!("each has them in its control group"), |container| {
        let Some(folder) = group(scene, container) else {
            return Some(Outcome::could_not_tell(t!("its control group can't be found")));
        };
        let swap = container.memory_swap.saturating_sub(container.memory);
        let files = if v2 {
            vec![("memory.max", container.memory), ("memory.swap.max", swap), ("pids.max", container.pids)]
        } else {
            vec![("memory.limit_in_bytes", container.memory)]
        };
        let mut wrong = Vec::new();
        for (file, wanted) in files {
            let path = format!("{folder}/{file}");
            let is_limited = wanted > 0
                || (file == "memory.swap.max" && container.memory > 0 && container.memory_swap > 0);
            let Some(found) = scene.host().value(&path) else {
                // On cgroup v1, and where swap accounting is off, the file is not there.
                if file == "memory.swap.max" || !is_limited {
                    continue;
                }
                return Some(Outcome::could_not_tell(t!("{path} can't be read", path = path)));
            };
            let number: Option<u64> = found.parse().ok();
            let page = scene.facts().memory.page_bytes.max(4096);
            let is_right = match number {
                _ if !is_limited => true,
                Some(number) if file.starts_with("memory") => number.abs_diff(wanted) < page,
                Some(number) => number == wanted,
                None => false,
            };
            if !is_right {
                wrong.push((path, found, wanted));
            }
        }
        let (_, found, wanted) = wrong.first()?.clone();
        let evidence = wrong.into_iter().map(|(path, found, _)| Evidence::file(path, found));
        let again = fix(container, DEPLOY.to_owned(), t!("docker restart {name}", name = container.name));
        Some(Outcome::fail(found, again).expected(wanted.to_string()).seen_all(evidence))
    })
}

pub(super) fn scores(scene: &Scene<'_>) -> Vec<Outcome> {
    each(scene, &t!("each first process has it"), |container| {
        let path = format!("/proc/{}/oom_score_adj", container.pid);
        let Some(found) = scene.host().value(&path) else {
            return Some(Outcome::could_not_tell(t!("{path} can't be read", path = path)));
        };
        let wanted = container.oom_score_adj.to_string();
        (found != wanted).then(|| {
            let again = fix(container, DEPLOY.to_owned(), t!("docker restart {name}", name = container.name));
            Outcome::fail(found.clone(), again).expected(wanted).seen(Evidence::file(path, found))
        })
    })
}
