//! Control groups and pressure: can limits be set, and does anything wait for memory, disk or CPU?

use procfs::{FromRead as _, MemoryPressure};

use super::shared::{APPLY, below};
use super::{Check, Evidence, Outcome, Remedy, Scene, Severity};
use crate::facts::{Cgroup, Psi};
use crate::t;

const ROOT: &str = "/sys/fs/cgroup";
const V2_DOC: &str = "Linux Documentation/admin-guide/cgroup-v2.rst";
const PSI_DOC: &str = "Linux Documentation/accounting/psi.rst";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CT-CGROUP-001",
        title: "control groups are version 2",
        severity: Severity::High,
        why: "Only version 2 counts a container's memory, page cache and swap together, protects it, and tells pressure and OOM \
              kills per container.",
        remedy: Remedy::Tunable("cgroup"),
        source: V2_DOC,
        look: version,
    },
    Check {
        id: "CT-CGROUP-002",
        title: "the kernel can limit memory, CPU and processes",
        severity: Severity::High,
        why: "Without a controller the engine starts containers all the same, and their limit is not there.",
        remedy: Remedy::ByHand {
            cost: "A reboot.",
            risk: "None known.",
            undo: "Put the earlier argument back on the boot line.",
        },
        source: V2_DOC,
        look: controllers,
    },
    Check {
        id: "CT-CGROUP-003",
        title: "the controllers reach the containers",
        severity: Severity::High,
        why: "A controller that the root does not hand down limits nothing below it.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "systemd owns the tree; what is written by hand it may take back.",
            undo: "Write the name with - to the same file.",
        },
        source: V2_DOC,
        look: handed_down,
    },
    Check {
        id: "CT-CGROUP-004",
        title: "the kernel tells pressure",
        severity: Severity::Medium,
        why: "Pressure stall information is the earliest honest sign that a host runs short; without it the first sign is an OOM \
              kill.",
        remedy: Remedy::Tunable("psi"),
        source: PSI_DOC,
        look: told,
    },
    Check {
        id: "CT-CGROUP-005",
        title: "nothing has been waiting for memory",
        severity: Severity::High,
        why: "Programs that wait for memory for minutes are a host that is too small for its work, or a limit that is too tight.",
        remedy: Remedy::Know,
        source: PSI_DOC,
        look: |scene| pressure(scene, "memory", (10, 5)),
    },
    Check {
        id: "CT-CGROUP-006",
        title: "not everything has been waiting for the disk",
        severity: Severity::Medium,
        why: "When all programs wait for the disk for minutes, swapping, logs or a backup take more than it gives.",
        remedy: Remedy::Know,
        source: PSI_DOC,
        look: |scene| pressure(scene, "io", (101, 20)),
    },
    Check {
        id: "CT-CGROUP-007",
        title: "programs get the CPU when they want it",
        severity: Severity::Low,
        why: "A model's threads wait for one another: when something else takes one CPU, all of them stand still.",
        remedy: Remedy::Know,
        source: PSI_DOC,
        look: |scene| pressure(scene, "cpu", (80, 101)),
    },
];

fn version(scene: &Scene<'_>) -> Vec<Outcome> {
    let evidence = Evidence::path(format!("{ROOT}/cgroup.controllers"));
    let found = match scene.facts().cgroup {
        Cgroup::V2 => return Outcome::pass("2").seen(evidence).into(),
        Cgroup::Unknown => {
            return Outcome::not_here(ROOT).into();
        }
        Cgroup::Hybrid => t!("1, with a tree of version 2 for systemd beside it"),
        Cgroup::V1 => "1".to_owned(),
    };
    if let Some(outcome) = below(scene) {
        return outcome.into();
    }
    let outcome = if scene.wish().boot.cgroup_v2 {
        Outcome::fail(found, APPLY)
    } else {
        Outcome::warn(found, t!("{apply}, with boot.cgroup_v2 = true in the profile", apply = APPLY))
    };
    outcome.expected("2").seen(Evidence::path(format!("{ROOT}/memory"))).into()
}

/// Only version 2 has these files.
fn is_v2(scene: &Scene<'_>) -> Result<(), Vec<Outcome>> {
    if let Some(outcome) = below(scene) {
        return Err(outcome.into());
    }
    match scene.facts().cgroup {
        Cgroup::V2 => Ok(()),
        Cgroup::Unknown => Err(Outcome::not_here(ROOT).into()),
        Cgroup::V1 | Cgroup::Hybrid => {
            Err(Outcome::not_applicable(t!("control groups are version 1 here; see CT-CGROUP-001")).into())
        }
    }
}

const NEEDED: [&str; 3] = ["memory", "cpu", "pids"];

/// Those of the needed that the file does not name.
fn missing(text: &str) -> Vec<&'static str> {
    let has = |name: &str| text.split_whitespace().any(|word| word == name);
    NEEDED.into_iter().filter(|name| !has(name)).collect()
}

fn controllers(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Err(outcome) = is_v2(scene) {
        return outcome;
    }
    let path = format!("{ROOT}/cgroup.controllers");
    let Some(text) = scene.host().value(&path) else {
        return Outcome::could_not_tell(t!("{path} can't be read", path = path)).into();
    };
    let missing = missing(&text);
    let cmdline = &scene.facts().boot.cmdline;
    let disabled = cmdline.split_whitespace().filter(|word| word.starts_with("cgroup_disable="));
    let evidence: Vec<Evidence> = std::iter::once(Evidence::file(&path, &text))
        .chain(disabled.map(|word| Evidence::file("/proc/cmdline", word)))
        .collect();
    let outcome = if missing.is_empty() {
        Outcome::pass(text)
    } else {
        Outcome::fail(
            t!("there is no {names}", names = missing.join(", ")),
            t!("take cgroup_disable= off the boot line (or add cgroup_enable=memory), and reboot"),
        )
    };
    outcome.expected(NEEDED.join(" ")).seen_all(evidence).into()
}

fn handed_down(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Err(outcome) = is_v2(scene) {
        return outcome;
    }
    let root = format!("{ROOT}/cgroup.subtree_control");
    let Some(text) = scene.host().value(&root) else {
        return Outcome::not_here(root).into();
    };
    let mut files = vec![(root, text)];
    // The engine's containers are scopes in this slice; while there are none, systemd need not hand anything down.
    let slice = format!("{ROOT}/system.slice");
    let containers = scene.host().list(&slice).unwrap_or_default();
    if containers.iter().any(|name| name.starts_with("docker-") && name.ends_with(".scope")) {
        let path = format!("{slice}/cgroup.subtree_control");
        files.extend(scene.host().value(&path).map(|text| (path, text)));
    }
    // A controller that the kernel does not have is CT-CGROUP-002's.
    let have = scene.host().value(&format!("{ROOT}/cgroup.controllers")).unwrap_or_default();
    let lacking: Vec<Outcome> = files
        .iter()
        .filter_map(|(path, text)| {
            let mut missing = missing(text);
            // systemd counts memory and tasks of every unit, and hands `cpu` down only when a unit first asks for a share:
            // a host without it has lost nothing (seen on Debian 12).
            missing.retain(|name| *name != "cpu" && have.split_whitespace().any(|word| word == *name));
            let first = missing.first()?;
            Some(
                Outcome::fail(
                    t!("{names} stay above", names = missing.join(", ")),
                    t!("echo +{name} >{path}; find out who took it away", name = first, path = path),
                )
                .of(path)
                .expected("memory pids")
                .seen(Evidence::file(path, text)),
            )
        })
        .collect();
    if !lacking.is_empty() {
        return lacking;
    }
    let evidence = files.iter().map(|(path, text)| Evidence::file(path, text));
    Outcome::pass("memory pids").seen_all(evidence).into()
}

fn told(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = below(scene) {
        return outcome.into();
    }
    let path = "/proc/pressure/memory";
    let release = &scene.facts().kernel.release;
    match scene.facts().psi {
        Psi::On => Outcome::pass(t!("it does")),
        Psi::Unknown => Outcome::not_here(path),
        Psi::Off if scene.wish().boot.psi => Outcome::fail(t!("it is built in, and switched off"), APPLY),
        Psi::Off => Outcome::warn(
            t!("it is built in, and switched off"),
            t!("{apply}, with boot.psi = true in the profile", apply = APPLY),
        ),
        Psi::Absent => Outcome::warn(
            t!("kernel {release} was built without it", release = release),
            t!("a distribution's generic kernel has it"),
        ),
    }
    .seen(Evidence::path(path))
    .into()
}

/// The share of the last five minutes, in hundredths of a per cent, for `some` and `full`.
fn shares(text: &str) -> Option<(u64, u64)> {
    // Before Linux 5.13 the CPU's file has no `full`.
    let full = if text.contains("full ") { "" } else { "\nfull avg10=0 avg60=0 avg300=0 total=0" };
    let pressure = MemoryPressure::from_read(format!("{}{full}", text.trim_end()).as_bytes()).ok()?;
    // The range is checked first, so the cast keeps the number.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let hundredths =
        |share: f32| (0.0..=100.0).contains(&share).then(|| (f64::from(share) * 100.0).round() as u64);
    Some((hundredths(pressure.some.avg300)?, hundredths(pressure.full.avg300)?))
}

/// One resource against per cents of the last five minutes in which some, or all, programs waited.
fn pressure(scene: &Scene<'_>, what: &str, (some_most, full_most): (u64, u64)) -> Vec<Outcome> {
    if let Some(outcome) = below(scene) {
        return outcome.into();
    }
    let path = format!("/proc/pressure/{what}");
    let text = match (scene.facts().psi, scene.host().value(&path)) {
        (Psi::Off | Psi::Absent, _) => {
            return Outcome::not_applicable(t!("the kernel does not tell pressure; see CT-CGROUP-004"))
                .into();
        }
        (_, Some(text)) => text,
        (_, None) => return Outcome::not_here(path).into(),
    };
    let Some((some, full)) = shares(&text) else {
        return Outcome::could_not_tell(t!("{path} can't be understood", path = path))
            .seen(Evidence::file(path, text))
            .into();
    };
    let shown = |hundredths: u64| format!("{}.{:02} %", hundredths / 100, hundredths % 100);
    let actual = t!(
        "in the last five minutes some programs waited {some} of the time, all of them {full}",
        some = shown(some),
        full = shown(full)
    );
    let outcome = if some > some_most * 100 || full > full_most * 100 {
        let fix = match what {
            "memory" => {
                t!("see who holds it: civicum-tune detect names the largest; give it a limit, or less to do")
            }
            "io" => t!(
                "see who reads and writes: iotop, or the io.pressure files below /sys/fs/cgroup/system.slice"
            ),
            _ => t!("see who runs: top; give it fewer CPUs or less weight (services.*.cpus, cpu_weight)"),
        };
        Outcome::warn(actual, fix)
    } else {
        Outcome::pass(actual)
    };
    let lines = text.lines().map(|line| Evidence::file(&path, line));
    outcome.seen_all(lines.take(2)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_five_minutes() {
        let text = "some avg10=0.00 avg60=1.20 avg300=12.34 total=5\nfull avg10=0.00 avg60=0.00 avg300=0.05 total=1\n";
        assert_eq!(shares(text), Some((1234, 5)));
        assert_eq!(shares("some avg10=0.00 avg60=0.00 avg300=7.50 total=1"), Some((750, 0)));
        let wrong = |avg300: &str| text.replace("12.34", avg300);
        for bad in [
            "",
            "some avg300=7",
            &wrong("x"),
            &wrong("-1"),
            &wrong("NaN"),
            &wrong("inf"),
            &wrong("1e30"),
            &wrong("1.é"),
        ] {
            assert_eq!(shares(bad), None, "{bad}");
        }
    }
}
