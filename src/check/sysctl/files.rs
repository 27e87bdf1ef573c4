//! The files themselves: read at boot, readable, well formed, of one mind.

use std::collections::BTreeMap;

use super::shared::{below, line, sysctl_files};
use super::values::is_known;
use super::{Outcome, Scene};
use crate::check::Evidence;
use crate::facts::sysctl::{Assignment, CONF, Line, SysctlFiles, parse};
use crate::profile::suggest;
use crate::profile::sysctl::KNOWN;
use crate::t;
use crate::tunable::sysctl::FILE;
use crate::tunable::tidy;

/// More lines than this are not shown; nobody reads them.
const SHOWN: usize = 20;

/// Names that a module, a device or a network brings: they may come later.
const COME_LATER: [&str; 16] = [
    "net.netfilter.",
    "net.nf_conntrack",
    "net.bridge.",
    "net.ipv6.",
    "net.ipv4.vs.",
    "net.sctp.",
    "net.mptcp.",
    "net.mpls.",
    "fs.nfs.",
    "fs.lease",
    "fs.quota.",
    "fs.xfs.",
    "sunrpc.",
    "dev.",
    "abi.",
    "user.",
];

/// The files, where it makes sense to ask for them.
fn asked<'s>(scene: &'s Scene<'_>) -> Result<&'s SysctlFiles, Vec<Outcome>> {
    match below(scene) {
        Some(outcome) => Err(outcome.into()),
        None => sysctl_files(scene),
    }
}

fn assignment_line(file: &str, line: &Line) -> Evidence {
    let value = line.value.as_deref().unwrap_or_default();
    Evidence::line(file, line.number, format!("{} = {value}", line.key))
}

pub(super) fn conf(scene: &Scene<'_>) -> Vec<Outcome> {
    let files = match asked(scene) {
        Ok(files) => files,
        Err(outcome) => return outcome,
    };
    let text = match scene.host().read_text(CONF) {
        Ok(Some(text)) => text,
        Ok(None) => return Outcome::not_applicable(t!("there is no {path}", path = CONF)).into(),
        Err(e) => return Outcome::could_not_tell(e.to_string()).into(),
    };
    let parsed = parse(&text);
    let sets: Vec<&Line> = parsed.lines.iter().filter(|line| line.value.is_some()).collect();
    if sets.is_empty() {
        return Outcome::not_applicable(t!("{path} sets nothing", path = CONF)).into();
    }
    if let Some(through) = &files.conf_through {
        let how = if through == CONF {
            t!("it is read last at boot: systemd does not run this host, and sysctl --system does")
        } else {
            t!("it is read at boot as {path}, in the order of that name", path = through)
        };
        return Outcome::pass(how).seen(Evidence::path(through)).into();
    }
    // What another file sets to the same value does take effect.
    let set: BTreeMap<&str, &Line> = files.lines().map(|(_, line)| (line.key.as_str(), line)).collect();
    let value = |line: &Line| line.value.as_deref().map(tidy);
    let lost = |line: &&Line| set.get(line.key.as_str()).is_none_or(|other| value(other) != value(line));
    let lost: Vec<&Line> = sets.into_iter().filter(lost).collect();
    if lost.is_empty() {
        return Outcome::pass(t!("nothing reads it at boot, but other files set the same values")).into();
    }
    Outcome::warn(
        t!("nothing reads it at boot; lines without effect: {count}", count = lost.len()),
        t!("move the lines that are still wanted to /etc/sysctl.d/60-local.conf, and remove them here"),
    )
    .expected(t!("a link in /etc/sysctl.d that leads to it, or no line"))
    .seen_all(lost.into_iter().take(SHOWN).map(|line| assignment_line(CONF, line)))
    .into()
}

pub(super) fn readable(scene: &Scene<'_>) -> Vec<Outcome> {
    let files = match asked(scene) {
        Ok(files) => files,
        Err(outcome) => return outcome,
    };
    if files.problems.is_empty() {
        return Outcome::pass(t!("all of them")).into();
    }
    let one = |problem: &crate::facts::sysctl::Problem| {
        let outcome = if problem.denied && !scene.host().may_change() {
            Outcome::could_not_tell(problem.to_string())
        } else {
            Outcome::fail(problem.reason.clone(), t!("look at {path}, and remove it", path = problem.path))
        };
        outcome.of(&problem.path).seen(Evidence::path(&problem.path))
    };
    files.problems.iter().map(one).collect()
}

pub(super) fn known(scene: &Scene<'_>) -> Vec<Outcome> {
    let files = match asked(scene) {
        Ok(files) => files,
        Err(outcome) => return outcome,
    };
    if !scene.is_live() {
        return Outcome::not_applicable(t!("only a running kernel tells which parameters it has")).into();
    }
    let later = |key: &str| {
        COME_LATER.iter().any(|start| key.starts_with(start))
            || (key.starts_with("net.") && [".conf.", ".neigh."].iter().any(|part| key.contains(part)))
    };
    let mut outcomes = Vec::new();
    for (file, line) in files.lines() {
        let pattern = line.key.contains(['*', '?', '[']);
        if !file.starts_with("/etc/") || line.may_fail || pattern || later(&line.key) {
            continue;
        }
        if is_known(scene, &line.key) == Some(false) {
            let fix = match suggest::nearest(&line.key, KNOWN.iter().map(|known| known.name)) {
                Some(name) => t!(
                    "in {file}:{line} write {name}, if that is meant; else remove it",
                    file = file,
                    line = line.number,
                    name = name
                ),
                None => t!("remove {file}:{line}", file = file, line = line.number),
            };
            let release = &scene.facts().kernel.release;
            let actual = t!("kernel {release} has no {key}", release = release, key = line.key);
            outcomes.push(Outcome::warn(actual, fix).of(&line.key).seen(assignment_line(file, line)));
        }
    }
    outcomes.truncate(SHOWN);
    if outcomes.is_empty() {
        outcomes.push(Outcome::pass(t!("all of them do")));
    }
    outcomes
}

pub(super) fn well_formed(scene: &Scene<'_>) -> Vec<Outcome> {
    let files = match asked(scene) {
        Ok(files) => files,
        Err(outcome) => return outcome,
    };
    let mut by_file: BTreeMap<&str, Vec<Evidence>> = BTreeMap::new();
    for (file, number, text) in files.ignored().filter(|(file, ..)| file.starts_with("/etc/")) {
        let text: String = text.chars().take(80).collect();
        by_file.entry(file).or_default().push(Evidence::line(file, number, text));
    }
    if by_file.is_empty() {
        return Outcome::pass(t!("every line can be read")).into();
    }
    let one = |(file, mut lines): (&str, Vec<Evidence>)| {
        let actual = t!("lines that set nothing: {count}", count = lines.len());
        lines.truncate(SHOWN);
        Outcome::warn(actual, t!("write key = value, or put # in front"))
            .of(file)
            .expected(t!("key = value"))
            .seen_all(lines)
    };
    by_file.into_iter().map(one).collect()
}

pub(super) fn agree(scene: &Scene<'_>) -> Vec<Outcome> {
    let files = match asked(scene) {
        Ok(files) => files,
        Err(outcome) => return outcome,
    };
    let mut by_key: BTreeMap<&str, Vec<(&str, &Line)>> = BTreeMap::new();
    for (file, line) in files.lines() {
        if file.starts_with("/etc/") && !line.key.contains('*') {
            by_key.entry(&line.key).or_default().push((file, line));
        }
    }
    let value = |line: &Line| line.value.as_deref().map(tidy);
    // Where our own file sets the key it is plain who is meant.
    let differ = |lines: &[(&str, &Line)]| {
        lines.windows(2).any(|pair| value(pair[0].1) != value(pair[1].1))
            && !lines.iter().any(|(file, _)| *file == FILE)
    };
    let mut outcomes = Vec::new();
    for (key, _) in by_key.iter().filter(|(_, lines)| differ(lines)).take(SHOWN) {
        let found: Vec<Assignment> =
            files.assignments(key).into_iter().filter(|a| a.file.starts_with("/etc/")).collect();
        let Some(winner) = found.iter().find(|a| a.wins) else { continue };
        let losers: Vec<&Assignment> =
            found.iter().filter(|a| !a.wins && tidy(&a.value) != tidy(&winner.value)).collect();
        if losers.is_empty() {
            continue;
        }
        let Assignment { file, line: number, value, .. } = winner;
        outcomes.push(
            Outcome::warn(
                t!("{file}:{line} wins and sets {value}", file = file, line = number, value = value),
                t!("remove the lines that lose"),
            )
            .of(*key)
            .seen(line(key, winner))
            .seen_all(losers.into_iter().rev().take(SHOWN).map(|loser| line(key, loser))),
        );
    }
    if outcomes.is_empty() {
        outcomes.push(Outcome::pass(t!("no key is set to two values")));
    }
    outcomes
}
