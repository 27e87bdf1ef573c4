//! Other programs that set the same knobs: who they are, and whether they would win.

use super::shared::{APPLY, below, line, lines, sysctl_files};
use super::{Check, Evidence, Outcome, Remedy, Scene, Severity};
use crate::facts::apt;
use crate::facts::tuned::{Setting, Tuned};
use crate::host::HostError;
use crate::profile::sysctl::EXCLUSIVE;
use crate::t;
use crate::tunable::sysctl::FILE;
use crate::tunable::tidy;

const fn disable(risk: &'static str) -> Remedy {
    Remedy::ByHand {
        cost: "What the other program did is not done any more.",
        risk,
        undo: "systemctl enable --now the same unit.",
    }
}

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CT-TUNER-001",
        title: "TuneD leaves the profile's parameters alone",
        severity: Severity::Medium,
        why: "TuneD sets its own values whenever it starts, after the sysctl files were read. By default it reads those of /etc \
              again afterwards, and they win; with reapply_sysctl = 0 they do not.",
        remedy: disable("Its profile may set more than kernel parameters: look at it first."),
        source: "tuned-main.conf: reapply_sysctl; tuned.conf(5)",
        look: tuned,
    },
    Check {
        id: "CT-TUNER-002",
        title: "nothing else makes swap",
        severity: Severity::Medium,
        why: "Two programs that each make a swap file fill the disk, and each undoes what the other decided.",
        remedy: disable("Swap in use must fit the memory before it is taken away."),
        source: "cloud-init's swap module; dphys-swapfile(8); swapspace(8)",
        look: swap_makers,
    },
    Check {
        id: "CT-TUNER-003",
        title: "only the kernel decides who is killed when memory runs out",
        severity: Severity::Low,
        why: "earlyoom kills the process with the highest oom_score, wherever it runs; systemd-oomd kills whole control groups, and \
              a container is one. Both act before the kernel would, and write nothing into its log.",
        remedy: disable("Without it the kernel's own OOM killer decides, later."),
        source: "earlyoom(1); systemd-oomd.service(8)",
        look: killers,
    },
    Check {
        id: "CT-TUNER-004",
        title: "one package at most sets up zram",
        severity: Severity::Medium,
        why: "Two of them make two devices, or fight for one.",
        remedy: disable("What is in zram must fit the memory before it is taken away."),
        source: "zram-tools, zram-config, systemd-zram-generator",
        look: zram_packages,
    },
    Check {
        id: "CT-TUNER-005",
        title: "no other file in /etc sets the profile's parameters to something else",
        severity: Severity::Low,
        why: "Such a line has no effect today, since ours is read later. It misleads whoever reads it, and takes over the day ours \
              is rolled back.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "Whoever wrote the line may have had a reason; ask first.",
            undo: "Put the line back.",
        },
        source: "sysctl.d(5)",
        look: losers,
    },
    Check {
        id: "CT-TUNER-006",
        title: "laptop-mode is off",
        severity: Severity::Low,
        why: "It collects unwritten data in memory for minutes to let a disk sleep, and sets vm.dirty_* for that.",
        remedy: disable("None on a server."),
        source: "laptop_mode(8)",
        look: laptop_mode,
    },
    Check {
        id: "CT-TUNER-007",
        title: "the host does not restart by itself",
        severity: Severity::Low,
        why: "With Automatic-Reboot unattended-upgrades restarts the host after an update of the kernel, whatever is running then.",
        remedy: Remedy::Know,
        source: "/etc/apt/apt.conf.d/50unattended-upgrades",
        look: reboots,
    },
];

/// The evidence of a tuner that is active, by name.
fn active<'s>(scene: &'s Scene<'_>, names: &[&str]) -> Vec<(&'s str, &'s str)> {
    let tuners = scene.facts().tuners.iter();
    tuners
        .filter(|tuner| tuner.active && names.contains(&tuner.name.as_str()))
        .map(|tuner| (tuner.name.as_str(), tuner.evidence.as_str()))
        .collect()
}

/// `path` or `path:line`, as the tuners' evidence is written.
fn place(evidence: &str) -> Evidence {
    match evidence.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?))) {
        Some((file, line)) => Evidence { file: file.to_owned(), line: Some(line), content: None },
        None => Evidence::path(evidence),
    }
}

fn tuned(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = below(scene) {
        return outcome.into();
    }
    if !scene.facts().tuners.iter().any(|tuner| tuner.name == "tuned") {
        return Outcome::not_applicable(t!("TuneD is not installed")).into();
    }
    let Some(tuned) = Tuned::read(scene.host()) else {
        return Outcome::not_applicable(t!("TuneD has no active profile")).into();
    };
    let wanted = "/etc/systemd/system/multi-user.target.wants/tuned.service";
    if scene.host().read_link(wanted).is_none() && !scene.host().exists("/run/tuned/tuned.pid") {
        return Outcome::not_applicable(t!("TuneD is not started at boot")).into();
    }
    let active = Evidence::file("/etc/tuned/active_profile", &tuned.profiles);
    // With reapply_sysctl it reads /etc/sysctl.d again, in order, and ours is the last but for those that win anyway.
    if tuned.reapplies && scene.host().exists(FILE) {
        return Outcome::pass(t!(
            "TuneD sets {profile}, and then what {ours} says",
            profile = tuned.profiles,
            ours = FILE
        ))
        .seen(active)
        .into();
    }
    let wish = &scene.wish().sysctl;
    let other_name = |key: &str| {
        EXCLUSIVE
            .iter()
            .any(|(a, b)| (key == *a && wish.contains_key(*b)) || (key == *b && wish.contains_key(*a)))
    };
    let fights = |setting: &&Setting| match wish.get(&setting.key) {
        Some(value) => tidy(value) != tidy(&setting.value),
        None => other_name(&setting.key),
    };
    let fighting: Vec<&Setting> = tuned.settings.values().filter(fights).collect();
    let mut outcomes = Vec::new();
    if !fighting.is_empty() {
        let fix = if tuned.reapplies {
            t!("{apply}: TuneD then ends with what {ours} says", apply = APPLY, ours = FILE)
        } else {
            t!("reapply_sysctl = 1 in /etc/tuned/tuned-main.conf, or systemctl disable --now tuned")
        };
        let line = |setting: &&Setting| format!("{} = {}", setting.key, setting.value);
        let sets = fighting.iter().map(line).collect::<Vec<_>>().join(", ");
        let wanted = fighting.iter().filter_map(|setting| wish.get_key_value(&setting.key));
        let wanted: Vec<String> = wanted.map(|(key, value)| format!("{key} = {value}")).collect();
        let seen = fighting.iter().map(|setting| Evidence::line(&setting.file, setting.line, line(setting)));
        let outcome = Outcome::warn(t!("TuneD sets {settings}", settings = sets), fix)
            .of(&tuned.profiles)
            .expected(wanted.join(", "))
            .seen_all(seen)
            .seen(active.clone());
        outcomes.push(outcome);
    }
    if !tuned.missing.is_empty() {
        let names = tuned.missing.join(", ");
        let why = t!("the text of TuneD's profile {names} is not here", names = names);
        outcomes.push(Outcome::could_not_tell(why).seen(active));
    } else if outcomes.is_empty() {
        let actual = t!("TuneD's profile {profile} sets none of them", profile = tuned.profiles);
        outcomes.push(Outcome::pass(actual).seen(active));
    }
    outcomes
}

fn swap_makers(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = below(scene) {
        return outcome.into();
    }
    if scene.wish().swap.size.0 == 0 {
        return Outcome::not_applicable(t!("the profile leaves swap as it is")).into();
    }
    let found = active(scene, &["cloud-init-swap", "dphys-swapfile", "swapspace"]);
    let one = |(name, evidence): &(&str, &str)| {
        let fix = match *name {
            "cloud-init-swap" => t!("remove the section swap: from {place}", place = evidence),
            _ => t!("systemctl disable --now {unit}", unit = name),
        };
        Outcome::warn(t!("{name} makes swap as well", name = name), fix).of(*name).seen(place(evidence))
    };
    if found.is_empty() {
        return Outcome::pass(t!("nothing else does")).into();
    }
    found.iter().map(one).collect()
}

/// Does earlyoom's command line spare a database? `--avoid` takes a pattern of names.
fn spares(options: &str) -> bool {
    options
        .lines()
        .filter(|line| line.trim_start().starts_with("EARLYOOM_ARGS="))
        .any(|line| line.contains("--avoid") && line.contains("postgres"))
}

fn killers(scene: &Scene<'_>) -> Vec<Outcome> {
    const OPTIONS: &str = "/etc/default/earlyoom";
    if let Some(outcome) = below(scene) {
        return outcome.into();
    }
    let mut outcomes = Vec::new();
    for (name, evidence) in active(scene, &["earlyoom", "systemd-oomd"]) {
        let outcome = if name == "earlyoom" {
            let options = scene.host().value(OPTIONS);
            if options.as_deref().is_some_and(spares) {
                Outcome::pass(t!("earlyoom is active, and told to spare the database"))
            } else {
                Outcome::warn(
                    t!("earlyoom is active: below a tenth of free memory and swap it kills the largest process, in a container or not"),
                    t!(
                        "in {path}: EARLYOOM_ARGS=\"--avoid '^(postgres|ollama|llama-server|dockerd|containerd)$'\"; or systemctl disable --now earlyoom",
                        path = OPTIONS
                    ),
                )
            }
            .seen_all(options.map(|_| Evidence::path(OPTIONS)))
        } else {
            Outcome::warn(
                t!(
                    "systemd-oomd is active: it kills whole control groups, a container with all in it, where a unit has ManagedOOM*= set"
                ),
                t!("oomctl shows what it watches; systemctl disable --now systemd-oomd"),
            )
        };
        outcomes.push(outcome.of(name).seen(Evidence::path(evidence)));
    }
    if outcomes.is_empty() {
        outcomes.push(Outcome::pass(t!("neither earlyoom nor systemd-oomd is active")));
    }
    outcomes
}

fn zram_packages(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = below(scene) {
        return outcome.into();
    }
    let found = active(scene, &["zram-tools", "zram-config", "zram-generator"]);
    let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
    let evidence = found.iter().map(|(_, evidence)| Evidence::path(*evidence));
    match names.len() {
        0 => Outcome::not_applicable(t!("no package sets up zram")),
        1 => Outcome::pass(names[0]),
        _ => Outcome::warn(
            t!("{names} are active together", names = names.join(", ")),
            t!("set zram.retire = true in the profile, and apply; or remove all but one of the packages"),
        ),
    }
    .seen_all(evidence)
    .into()
}

fn losers(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = below(scene) {
        return outcome.into();
    }
    let wish = &scene.wish().sysctl;
    if wish.is_empty() {
        return Outcome::not_applicable(t!("the profile sets no kernel parameter")).into();
    }
    let files = match sysctl_files(scene) {
        Ok(files) => files,
        Err(outcome) => return outcome,
    };
    let mut outcomes = Vec::new();
    for (key, wanted) in wish {
        let found = files.assignments(key);
        // Who wins over us is CT-SYSCTL-002's; here it is about the lines that ours makes pointless.
        if !found.iter().any(|a| a.wins && a.file == FILE) {
            continue;
        }
        let foreign: Vec<_> = found
            .iter()
            .filter(|a| !a.wins && a.file != FILE && a.file.starts_with("/etc/"))
            .filter(|a| tidy(&a.value) != tidy(wanted))
            .collect();
        if let Some(last) = foreign.last() {
            outcomes.push(
                Outcome::warn(
                    t!(
                        "{file}:{line} sets {value}, and loses",
                        file = last.file,
                        line = last.line,
                        value = last.value
                    ),
                    t!("remove {file}:{line}", file = last.file, line = last.line),
                )
                .of(key)
                .expected(wanted)
                .seen_all(foreign.iter().rev().map(|a| line(key, a)))
                .seen_all(lines(key, &found).into_iter().take(1)),
            );
        }
    }
    if outcomes.is_empty() {
        outcomes.push(Outcome::pass(t!("no other file does")));
    }
    outcomes
}

fn laptop_mode(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = below(scene) {
        return outcome.into();
    }
    match active(scene, &["laptop-mode"]).first() {
        Some((_, evidence)) => {
            Outcome::warn(t!("laptop-mode is active"), "systemctl disable --now laptop-mode")
                .seen(Evidence::path(*evidence))
        }
        None => Outcome::pass(t!("it is not active")),
    }
    .into()
}

fn reboots(scene: &Scene<'_>) -> Vec<Outcome> {
    const FOLDER: &str = "/etc/apt/apt.conf.d";
    if !scene.host().exists(FOLDER) {
        return Outcome::not_applicable(t!("there is no apt here")).into();
    }
    if !scene.host().exists("/usr/bin/unattended-upgrade") {
        return Outcome::not_applicable(t!("unattended-upgrades is not installed")).into();
    }
    let values = match apt_values(scene, FOLDER) {
        Ok(values) => values,
        Err(e) => return Outcome::could_not_tell(e.to_string()).into(),
    };
    let last = |name: &str| values.iter().rev().find(|(_, value)| value.name == name);
    let Some((file, value)) = last("unattended-upgrade::automatic-reboot") else {
        return Outcome::pass(t!("Automatic-Reboot is not set")).into();
    };
    let on = ["true", "1", "yes", "on"].contains(&value.value.to_ascii_lowercase().as_str());
    let evidence = Evidence::line(file, value.line, format!("Automatic-Reboot \"{}\"", value.value));
    if !on {
        return Outcome::pass(value.value.clone()).seen(evidence).into();
    }
    let time = last("unattended-upgrade::automatic-reboot-time");
    let when = time.map_or("now", |(_, value)| value.value.as_str());
    Outcome::warn(
        t!("it restarts after updates that need it, at: {when}", when = when),
        t!("Unattended-Upgrade::Automatic-Reboot \"false\"; in {file}; or choose an hour in which nobody works", file = file),
    )
    .seen(evidence)
    .seen_all(time.map(|(file, value)| {
        Evidence::line(file, value.line, format!("Automatic-Reboot-Time \"{}\"", value.value))
    }))
    .into()
}

/// Every value of apt's configuration files, in the order in which apt reads them.
fn apt_values(scene: &Scene<'_>, folder: &str) -> Result<Vec<(String, apt::Value)>, HostError> {
    let mut values = Vec::new();
    // Names without an ending, or with .conf, as apt.conf(5) has it.
    let is_read = |name: &String| !name.contains('.') || name.ends_with(".conf");
    for name in scene.host().list(folder)?.into_iter().filter(is_read) {
        let file = format!("{folder}/{name}");
        let text = scene.host().read_text(&file)?.unwrap_or_default();
        values.extend(apt::parse(&text).into_iter().map(|value| (file.clone(), value)));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_earlyoom() {
        assert!(spares("# x\nEARLYOOM_ARGS=\"-r 60 --avoid '^(postgres|sshd)$'\"\n"));
        assert!(!spares("EARLYOOM_ARGS=\"-r 3600\"\n# EARLYOOM_ARGS=\"--avoid 'postgres'\"\n"));
    }

    #[test]
    fn places() {
        assert_eq!(place("/etc/x.cfg:3").line, Some(3));
        assert_eq!(place("/usr/bin/earlyoom").line, None);
    }
}
