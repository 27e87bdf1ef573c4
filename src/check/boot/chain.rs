//! The four links between a wish and a kernel that does it. The first that is broken is the finding; those behind it
//! refer to it.

use super::super::{Evidence, Outcome, Scene};
use super::{booted_evidence, booted_words, lacking, name, wanted, wanted_of_grub};
use crate::check::shared::APPLY;
use crate::facts::grub::{self, KernelLine};
use crate::facts::{Cgroup, Loader, Psi};
use crate::t;
use crate::tunable::GRUB_DROP_IN;

/// How many lines of `grub.cfg` are shown at most.
const SHOWN: usize = 4;

/// Both variables that a normal entry's line is made of, followed through all files.
fn made_of(files: &grub::Files) -> Vec<(Vec<grub::Assignment>, grub::Effect)> {
    let follow = |name| {
        let assignments = files.assignments(name);
        let effect = grub::effect(&assignments);
        (assignments, effect)
    };
    vec![follow(grub::ALWAYS), follow(grub::DEFAULT)]
}

fn line_of(assignment: &grub::Assignment) -> Evidence {
    Evidence::line(&assignment.file, assignment.line, &assignment.text)
}

/// Link 1. `None` where it holds.
fn broken_files(scene: &Scene<'_>, args: &[String]) -> Option<Outcome> {
    let files = match scene.grub_files() {
        Ok(files) => files,
        Err(why) => return Some(Outcome::could_not_tell(why)),
    };
    let made_of = made_of(files);
    let words: Vec<&str> =
        made_of.iter().flat_map(|(_, effect)| &effect.words).map(|word| word.word.as_str()).collect();
    let missing = lacking(&words, args);
    if missing.is_empty() {
        return None;
    }
    if made_of.iter().any(|(_, effect)| effect.unsure) {
        return Some(Outcome::could_not_tell(t!(
            "only a shell could tell what the files in /etc/default/grub.d come to; not seen: {args}",
            args = missing.join(" ")
        )));
    }
    let ours = made_of[1].0.iter().filter(|assignment| assignment.file == GRUB_DROP_IN).map(line_of);
    let mut evidence: Vec<Evidence> = ours.collect();
    let actual = if evidence.is_empty() {
        evidence.push(Evidence::path(GRUB_DROP_IN));
        t!("{path} is not there; missing: {args}", path = GRUB_DROP_IN, args = missing.join(" "))
    } else {
        t!("missing: {args}", args = missing.join(" "))
    };
    // A file behind ours that sets the variable anew has a check of its own; it is named here all the same.
    let winner = made_of[1].0.iter().rev().find(|assignment| !assignment.keeps);
    evidence.extend(winner.filter(|assignment| assignment.file != GRUB_DROP_IN).map(line_of));
    Some(Outcome::fail(actual, APPLY).expected(args.join(" ")).seen_all(evidence).target(GRUB_DROP_IN))
}

pub(super) fn files(scene: &Scene<'_>) -> Vec<Outcome> {
    let args = match wanted_of_grub(scene) {
        Ok(args) => args,
        Err(outcome) => return outcome.into(),
    };
    if let Some(outcome) = broken_files(scene, &args) {
        return outcome.into();
    }
    let files = scene.grub_files().map(made_of).unwrap_or_default();
    let mut from: Vec<Evidence> = Vec::new();
    for (assignments, effect) in &files {
        for word in effect.words.iter().filter(|word| args.contains(&word.word)) {
            let line = line_of(&assignments[word.from]);
            if !from.contains(&line) {
                from.push(line);
            }
        }
    }
    Outcome::pass(args.join(" ")).expected(args.join(" ")).seen_all(from).target(GRUB_DROP_IN).into()
}

/// The path of `grub.cfg` and its text.
pub(super) fn text<'a>(scene: &'a Scene<'a>) -> Result<(&'a str, &'a str), Outcome> {
    let path = scene.facts().boot.grub_cfg.as_deref();
    match (path, scene.grub_cfg()) {
        (Some(path), Ok(Some(text))) => Ok((path, text)),
        (_, Err(why)) => Err(Outcome::could_not_tell(why)),
        (Some(path), Ok(None)) => Err(Outcome::not_here(path)),
        (None, Ok(_)) => Err(Outcome::not_applicable(t!("there is no grub.cfg"))),
    }
}

/// The normal entries' lines.
pub(super) fn normal_lines(text: &str) -> Result<Vec<KernelLine<'_>>, Outcome> {
    let lines: Vec<_> = grub::kernel_lines(text).into_iter().filter(|line| !line.is_recovery).collect();
    if !lines.is_empty() {
        return Ok(lines);
    }
    Err(Outcome::could_not_tell(if text.contains("blscfg") {
        t!("grub.cfg takes its entries from /boot/loader/entries, which is not looked at")
    } else {
        t!("grub.cfg loads no kernel that we know as one")
    }))
}

/// Link 2. `None` where it holds.
fn broken_grub_cfg(
    scene: &Scene<'_>,
    path: &str,
    lines: &[KernelLine<'_>],
    args: &[String],
) -> Option<Outcome> {
    let lacks: Vec<(&KernelLine<'_>, Vec<String>)> = lines
        .iter()
        .map(|line| (line, lacking(&line.text.split_whitespace().collect::<Vec<_>>(), args)))
        .filter(|(_, missing)| !missing.is_empty())
        .collect();
    if lacks.is_empty() {
        return None;
    }
    let is_missing = |arg: &&String| lacks.iter().any(|(_, missing)| missing.contains(arg));
    let missing: Vec<&str> = args.iter().filter(is_missing).map(String::as_str).collect();
    let actual = t!(
        "{without} of {count} entries lack {args}",
        without = lacks.len(),
        count = lines.len(),
        args = missing.join(" ")
    );
    let evidence = lacks.iter().take(SHOWN).map(|(line, _)| Evidence::line(path, line.number, line.text));
    // Under --root nothing is run, so that `apply` leaves this to whoever starts the image.
    let fix = if scene.is_live() { APPLY.to_owned() } else { t!("inside the image, run: update-grub") };
    Some(Outcome::fail(actual, fix).expected(args.join(" ")).seen_all(evidence))
}

pub(super) fn grub_cfg(scene: &Scene<'_>) -> Vec<Outcome> {
    let looked = || -> Result<Outcome, Outcome> {
        let args = wanted_of_grub(scene)?;
        let (path, text) = text(scene)?;
        let lines = normal_lines(text)?;
        let Some(broken) = broken_grub_cfg(scene, path, &lines, &args) else {
            let evidence = lines.iter().take(SHOWN).map(|line| Evidence::line(path, line.number, line.text));
            return Ok(Outcome::pass(t!("all {count} entries carry them", count = lines.len()))
                .expected(args.join(" "))
                .seen_all(evidence));
        };
        match broken_files(scene, &args) {
            Some(before) if before.is_finding() => Err(behind("CT-BOOT-002")),
            _ => Ok(broken),
        }
    };
    looked().unwrap_or_else(|outcome| outcome).into()
}

fn behind(link: &str) -> Outcome {
    Outcome::not_applicable(t!("the chain is broken before this link: see {id}", id = link))
}

/// Nothing in the files puts zswap on the boot line yet: then it needs no module early either.
pub(super) fn before_zswap(scene: &Scene<'_>) -> Option<Outcome> {
    let args = wanted_of_grub(scene).ok()?;
    let ours: Vec<String> = args.into_iter().filter(|arg| arg.starts_with("zswap.")).collect();
    let files = made_of(scene.grub_files().ok()?);
    let words: Vec<&str> =
        files.iter().flat_map(|(_, effect)| &effect.words).map(|word| word.word.as_str()).collect();
    let is_broken = !ours.is_empty()
        && lacking(&words, &ours).len() == ours.len()
        && broken_files(scene, &ours).is_some_and(|outcome| outcome.is_finding());
    is_broken.then(|| behind("CT-BOOT-002"))
}

pub(super) fn booted(scene: &Scene<'_>) -> Vec<Outcome> {
    let looked = || -> Result<Outcome, Outcome> {
        let args = wanted(scene)?;
        let words = booted_words(scene)?;
        let missing = lacking(&words, &args);
        if missing.is_empty() {
            return Ok(Outcome::pass(args.join(" ")).expected(args.join(" ")).seen(booted_evidence(scene)));
        }
        if scene.facts().boot.loader != Loader::Grub {
            return Err(behind("CT-BOOT-001"));
        }
        let (path, text) = text(scene)?;
        let lines = normal_lines(text)?;
        if broken_grub_cfg(scene, path, &lines, &args).is_some() {
            let files = broken_files(scene, &args).is_some_and(|outcome| outcome.is_finding());
            return Err(behind(if files { "CT-BOOT-002" } else { "CT-BOOT-003" }));
        }
        not_yet(scene, path)?;
        let actual = t!("booted without {args}", args = missing.join(" "));
        let fix = t!(
            "find out what boots this host: another entry of grub.cfg (GRUB_DEFAULT), another disk, or a kernel of the provider's"
        );
        let line = lines.first().map(|line| Evidence::line(path, line.number, line.text));
        Ok(Outcome::fail(actual, fix).expected(args.join(" ")).seen(booted_evidence(scene)).seen_all(line))
    };
    looked().unwrap_or_else(|outcome| outcome).into()
}

/// The host was not booted since `grub.cfg` was made: no proof can be had yet.
fn not_yet(scene: &Scene<'_>, grub_cfg: &str) -> Result<(), Outcome> {
    let applied = scene.applied;
    match (applied.needs_reboot, applied.rebooted) {
        (Some(id), Some(false)) => {
            return Err(Outcome::not_applicable(t!("not yet: not booted since generation {id}", id = id)));
        }
        (Some(_), Some(true)) => return Ok(()),
        _ => {}
    }
    let stat = scene.host().value("/proc/stat").unwrap_or_default();
    let boot = stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<i64>().ok());
    match (boot, scene.host().mtime(grub_cfg)) {
        (Some(boot), Some(made)) if made > boot => {
            Err(Outcome::not_applicable(t!("not yet: not booted since {path} was made", path = grub_cfg)))
        }
        (Some(_), Some(_)) => Ok(()),
        _ => Err(Outcome::could_not_tell(t!("nothing tells when this host was booted"))),
    }
}

pub(super) fn values(scene: &Scene<'_>) -> Vec<Outcome> {
    let (args, words) = match wanted(scene).and_then(|args| Ok((args, booted_words(scene)?))) {
        Ok(both) => both,
        Err(outcome) => return outcome.into(),
    };
    let lacking = lacking(&words, &args);
    let booted: Vec<&String> = args.iter().filter(|arg| !lacking.contains(arg)).collect();
    if booted.is_empty() {
        return behind("CT-BOOT-004").into();
    }
    booted.into_iter().map(|arg| value(scene, arg).of(arg)).collect()
}

/// Whether the kernel made of this argument what it says.
fn value(scene: &Scene<'_>, arg: &str) -> Outcome {
    let said = arg.split_once('=').map_or("", |(_, value)| value);
    let facts = scene.facts();
    let judge = |is_so: bool, actual: String, seen: Evidence| {
        if is_so {
            Outcome::pass(actual).expected(said).seen(seen)
        } else {
            Outcome::fail(actual, t!("look for the argument's name in the kernel's log: dmesg"))
                .expected(said)
                .seen(seen)
        }
    };
    match name(arg).as_str() {
        "psi" => match facts.psi {
            Psi::On => judge(said == "1", t!("pressure is told"), Evidence::path("/proc/pressure/memory")),
            Psi::Off | Psi::Absent => {
                judge(said == "0", t!("pressure is not told"), Evidence::path("/proc/pressure/memory"))
            }
            Psi::Unknown => Outcome::not_here("/proc/pressure/memory"),
        },
        "systemd.unified_cgroup_hierarchy" if facts.cgroup == Cgroup::Unknown => {
            Outcome::not_here("/sys/fs/cgroup")
        }
        "systemd.unified_cgroup_hierarchy" => {
            let is_v2 = facts.cgroup == Cgroup::V2;
            let actual = if is_v2 { t!("cgroup v2 is mounted") } else { t!("cgroup v1 is mounted") };
            judge(is_v2 == (said == "1"), actual, Evidence::path("/sys/fs/cgroup"))
        }
        "transparent_hugepage" if facts.thp.is_some() => {
            let path = "/sys/kernel/mm/transparent_hugepage/enabled";
            let now = facts.thp.clone().unwrap_or_default();
            judge(now == said, now.clone(), Evidence::file(path, now.clone()))
        }
        parameter => module_value(scene, parameter, said),
    }
}

fn module_value(scene: &Scene<'_>, parameter: &str, said: &str) -> Outcome {
    let Some((module, parameter)) =
        parameter.split_once('.').filter(|(m, p)| !m.contains('/') && !p.contains('/'))
    else {
        return Outcome::not_applicable(t!("the kernel shows no value for this one"));
    };
    let path = format!("/sys/module/{module}/parameters/{parameter}");
    let Some(now) = scene.host().value(&path) else {
        return if scene.host().exists(&path) || !scene.host().exists(&format!("/sys/module/{module}")) {
            Outcome::could_not_tell(t!("{path} can't be read", path = path))
        } else {
            Outcome::not_applicable(t!("the kernel shows no value for this one"))
        };
    };
    let seen = Evidence::file(&path, &now);
    if same(&now, said) {
        return Outcome::pass(now).expected(said).seen(seen).target(path);
    }
    let early = crate::tunable::initramfs::modules(&scene.cx);
    let fix = if early.iter().any(|module| module == said) {
        t!(
            "{apply} sets it now; the module {module} was not in the initramfs: see CT-BOOT-011 to CT-BOOT-013",
            apply = APPLY,
            module = said
        )
    } else {
        t!("{apply} sets it now; find out who changed it after the boot", apply = APPLY)
    };
    Outcome::fail(now, fix).expected(said).seen(booted_evidence(scene)).seen(seen).target(path)
}

/// The kernel shows a switch as Y or N, whatever it was written as.
fn same(now: &str, said: &str) -> bool {
    let switch = |value: &str| match value {
        "Y" | "y" | "1" | "on" => Some(true),
        "N" | "n" | "0" | "off" => Some(false),
        _ => None,
    };
    now == said || switch(now).is_some() && switch(now) == switch(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches() {
        assert!(same("Y", "1") && same("N", "off") && same("lz4", "lz4"));
        assert!(!same("Y", "0") && !same("lzo", "lz4") && !same("20", "25") && !same("x", "y"));
    }
}
