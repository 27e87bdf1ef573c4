//! Out-of-memory kills: how many, whom, and why.

use std::collections::BTreeMap;
use std::time::Duration;

use super::shared::below;
use super::{Check, Evidence, Outcome, Remedy, Scene, Severity};
use crate::facts::oom::OomKill;
use crate::supervise::attribute::Short;
use crate::supervise::event::{Event, What};
use crate::supervise::history;
use crate::t;
use crate::units::{Bytes, MIB};

const SOURCE: &str = "mm/oom_kill.c; /dev/kmsg";
const VMSTAT: &str = "/proc/vmstat";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CT-OOM-001",
        title: "nothing was killed for want of memory since the boot",
        severity: Severity::High,
        why: "Each kill is work that was lost, and a sign that limits and memory do not fit.",
        remedy: Remedy::Know,
        source: "/proc/vmstat: oom_kill",
        look: counted,
    },
    Check {
        id: "CT-OOM-002",
        title: "no other program was taken by the OOM killer",
        severity: Severity::Medium,
        why: "A worker is the right one to go, and its job comes back; but a worker that goes again and again gets nothing done.",
        remedy: Remedy::Know,
        source: SOURCE,
        look: |scene| taken(scene, false),
    },
    Check {
        id: "CT-OOM-003",
        title: "nothing that others depend on was taken by the OOM killer",
        severity: Severity::Critical,
        why: "With the database, the model, the container engine, sshd or systemd gone, everything behind them is gone as well.",
        remedy: Remedy::Know,
        source: SOURCE,
        look: |scene| taken(scene, true),
    },
    Check {
        id: "CT-OOM-004",
        title: "the OOM killer spares the container engine",
        severity: Severity::Medium,
        why: "The scores of containers only decide among those with like scores: an engine at 0 can be taken in place of a model \
              at -500.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "None: the packages of Docker ship these scores.",
            undo: "systemctl revert docker.service containerd.service",
        },
        source: "OOMScoreAdjust= in docker.service (-500) and containerd.service (-999)",
        look: engine,
    },
    Check {
        id: "CT-OOM-005",
        title: "no service was short of memory within the last day",
        severity: Severity::Medium,
        why: "A service that is killed again and again at the same limit has too little memory for its work, or too much work for \
              its memory; only the supervisor's own history goes back further than the kernel's log.",
        remedy: Remedy::Know,
        source: "/var/lib/civicum-tune/events: what the supervisor saw",
        look: lately,
    },
];

/// Programs that others depend on, by how their names start.
const PROTECTED: [&str; 9] = [
    "postgres",
    "postmaster",
    "ollama",
    "llama-server",
    "dockerd",
    "containerd",
    "sshd",
    "systemd",
    "mariadbd",
];

fn is_protected(task: &str) -> bool {
    // A session of sshd is a person's, and nobody depends on it.
    task != "sshd-session" && PROTECTED.iter().any(|start| task.starts_with(start))
}

fn counter(scene: &Scene<'_>) -> Option<u64> {
    scene.vmstat("oom_kill")
}

fn counted(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = below(scene) {
        return outcome.into();
    }
    let Some(kills) = counter(scene) else {
        return if scene.host().exists(VMSTAT) {
            Outcome::could_not_tell(t!("{path} does not tell", path = VMSTAT))
        } else {
            Outcome::not_here(VMSTAT)
        }
        .into();
    };
    let actual = t!("{kills} killed since the boot", kills = kills);
    let outcome = if kills > 0 {
        Outcome::warn(actual, t!("see CT-OOM-002 and CT-OOM-003 for who it was, and mend that"))
    } else {
        Outcome::pass(actual)
    };
    outcome.expected("0").seen(Evidence::file(VMSTAT, format!("oom_kill {kills}"))).into()
}

/// Kills of one task by one limit.
struct Group<'k> {
    count: usize,
    last: &'k OomKill,
    most: u64,
}

fn taken(scene: &Scene<'_>, protected: bool) -> Vec<Outcome> {
    if let Some(outcome) = below(scene) {
        return outcome.into();
    }
    let count = counter(scene);
    if count == Some(0) {
        return Outcome::pass(t!("nobody was")).into();
    }
    let kills = match scene.oom_kills() {
        Ok(kills) => kills,
        Err(e) if e.is_absent() => {
            let why = t!("no log of the kernel was kept here");
            return if scene.is_live() || count.is_some() {
                Outcome::could_not_tell(why)
            } else {
                Outcome::not_applicable(why)
            }
            .into();
        }
        Err(e) => return Outcome::could_not_tell(e.to_string()).into(),
    };
    let mut groups: BTreeMap<(&str, Option<&str>), Group<'_>> = BTreeMap::new();
    for kill in kills.iter().filter(|kill| is_protected(&kill.task) == protected) {
        let group = groups.entry((&kill.task, kill.memcg.as_deref())).or_insert_with(|| Group {
            count: 0,
            last: kill,
            most: 0,
        });
        group.count += 1;
        group.last = kill;
        group.most = group.most.max(kill.rss_bytes);
    }
    let log = if scene.is_live() { "/dev/kmsg" } else { "/var/log" };
    let mut outcomes: Vec<Outcome> = groups.values().map(|group| one(group, protected, log)).collect();
    let told = u64::try_from(kills.len()).unwrap_or(u64::MAX);
    match count {
        Some(count) if count > told => outcomes.push(Outcome::could_not_tell(t!(
            "the kernel counts {count} kills, and its log still tells of {told}; journalctl -k -b may have the rest",
            count = count,
            told = told
        ))),
        None if outcomes.is_empty() => outcomes.push(Outcome::could_not_tell(t!(
            "the log that was kept tells of none, and there is no counter to compare it with"
        ))),
        _ if outcomes.is_empty() => outcomes.push(Outcome::pass(t!("none of those who were"))),
        _ => {}
    }
    outcomes
}

fn one(group: &Group<'_>, protected: bool, log: &str) -> Outcome {
    let kill = group.last;
    let when = kill.at_s.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let when = when.map_or_else(
        || "?".to_owned(),
        |when| humantime::format_duration(Duration::from_secs(when.as_secs())).to_string(),
    );
    let score = kill.oom_score_adj.map_or_else(|| "?".to_owned(), |score| score.to_string());
    let most = Bytes(group.most / MIB * MIB);
    let (actual, fix) = match kill.memcg.as_deref() {
        Some(group_name) => (
            t!(
                "{count} × by the limit of {group}; it held up to {most}, oom_score_adj {score}; the last time {when} after the boot",
                count = group.count,
                group = if group_name.is_empty() { "?" } else { group_name },
                most = most,
                score = score,
                when = when
            ),
            t!(
                "raise services.NAME.memory in the profile for that container, or give it less to do at a time"
            ),
        ),
        None => (
            t!(
                "{count} × because the whole host ran out; it held up to {most}, oom_score_adj {score}; the last time {when} after the boot",
                count = group.count,
                most = most,
                score = score,
                when = when
            ),
            t!(
                "give every container a limit, so that all of them and memory.reserve fit the RAM (CT-MEM-002)"
            ),
        ),
    };
    let outcome = if protected { Outcome::fail(actual, fix) } else { Outcome::warn(actual, fix) };
    outcome.of(&kill.task).seen(Evidence::file(log, &kill.line))
}

/// Kills and loops of the last day, as the supervisor wrote them down.
fn lately(scene: &Scene<'_>) -> Vec<Outcome> {
    let events = match history::read(scene.host(), &scene.cx.wish.deployment.name, usize::MAX) {
        Ok(events) => events,
        Err(error) => return Outcome::could_not_tell(error.to_string()).into(),
    };
    if events.is_empty() {
        return Outcome::not_applicable(t!("no supervisor has written anything down here")).into();
    }
    let day = Duration::from_secs(86_400);
    let now = humantime::parse_rfc3339(&scene.now).ok();
    let is_late = |event: &&Event| {
        let at = humantime::parse_rfc3339(&event.at).ok();
        // What seems to come from the future was written before the clock was set.
        now.zip(at).is_some_and(|(now, at)| now.duration_since(at).map_or(true, |ago| ago <= day))
    };
    let mut kills: BTreeMap<(String, u64), (usize, usize, String)> = BTreeMap::new();
    for event in events.iter().filter(is_late) {
        let (What::Killed { killed, documents }, Some(service)) = (&event.what, &event.service) else {
            continue;
        };
        let limit = match killed.short {
            Short::Container { limit } => limit,
            Short::Host | Short::Group { .. } => 0,
        };
        let of = kills.entry((service.clone(), limit)).or_default();
        of.0 += 1;
        of.1 += usize::from(!documents.is_empty());
        of.2 = format!("{}  {service}  {}", event.at, event.what.words());
    }
    if kills.is_empty() {
        return Outcome::pass(t!("none was")).into();
    }
    let one = |((service, limit), (count, at_work, last)): ((String, u64), (usize, usize, String))| {
        let (actual, fix) = if limit == 0 {
            let actual = t!(
                "{count} × within a day, because the host, or what holds more than one container, ran out",
                count = count
            );
            (
                actual,
                t!(
                    "lower the limits of others, or raise memory.reserve; `civicum-tune validate` adds them up"
                ),
            )
        } else {
            let actual = t!(
                "{count} × within a day, all at its limit of {limit}; {at_work} × with a document in work",
                count = count,
                limit = Bytes(limit),
                at_work = at_work
            );
            let fix = t!(
                "raise services.{service}.memory, or let it read smaller pages: services.{service}.reading.max_pixels",
                service = service
            );
            (actual, fix)
        };
        Outcome::warn(actual, fix).of(&service).seen(Evidence::file(history::FOLDER, last))
    };
    kills.into_iter().map(one).collect()
}

fn engine(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = below(scene) {
        return outcome.into();
    }
    if scene.facts().docker.state != "running" {
        return Outcome::not_applicable(t!("Docker does not run here")).into();
    }
    let Some(processes) = scene.processes() else {
        return Outcome::not_applicable(t!("only a running host has processes")).into();
    };
    let mut outcomes = Vec::new();
    for process in processes.iter().filter(|p| ["dockerd", "containerd"].contains(&p.name.as_str())) {
        let path = format!("/proc/{}/oom_score_adj", process.pid);
        let Some(score) = scene.host().value(&path) else { continue };
        let evidence = Evidence::file(&path, &score);
        let spared = score.parse::<i32>().is_ok_and(|score| score < 0);
        let outcome = if spared {
            Outcome::pass(score)
        } else {
            let unit = if process.name == "dockerd" { "docker.service" } else { "containerd.service" };
            Outcome::warn(
                score,
                t!(
                    "systemctl edit {unit}, with OOMScoreAdjust=-500 under [Service], and restart it",
                    unit = unit
                ),
            )
        };
        outcomes.push(outcome.of(&process.name).expected(t!("below 0")).seen(evidence));
    }
    if outcomes.is_empty() {
        outcomes.push(Outcome::could_not_tell(t!("neither dockerd nor containerd is among the processes")));
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_protected() {
        for name in ["postgres", "ollama", "ollama_llama_se", "containerd-shim", "sshd", "systemd-journal"] {
            assert!(is_protected(name), "{name}");
        }
        for name in ["python3", "sshd-session", "nginx", ""] {
            assert!(!is_protected(name), "{name}");
        }
    }
}
