//! What was applied: is it still so, and is it complete?

use super::{Check, Evidence, Outcome, Remedy, Scene, Severity};
use crate::t;

const JOURNAL: &str = "/var/lib/civicum-tune/generations";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CT-DRIFT-001",
        title: "files are as they were applied",
        severity: Severity::High,
        why: "A file that was changed after it was applied sets something else at the next boot than the profile says.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "`apply` writes the file anew; an administrator's own lines in it are lost, and stay in the journal.",
            undo: "`civicum-tune rollback`.",
        },
        source: "docs/journal.md",
        look: files,
    },
    Check {
        id: "CT-DRIFT-002",
        title: "swap areas and kernel values are as they were applied",
        severity: Severity::Medium,
        why: "Something on the host set it anew: another tuner, a script, a person.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "Whoever changed it may change it again; find out who.",
            undo: "`civicum-tune rollback`.",
        },
        source: "docs/journal.md",
        look: values,
    },
    Check {
        id: "CT-DRIFT-003",
        title: "no apply or rollback was cut off",
        severity: Severity::High,
        why: "After a crash or a power cut some steps are done and others are not, until the next run ends it.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "None: the next `apply` finishes or undoes it, and says which.",
            undo: "`civicum-tune rollback`.",
        },
        source: "docs/journal.md",
        look: cut,
    },
    Check {
        id: "CT-DRIFT-004",
        title: "what was applied needs no reboot any more",
        severity: Severity::Medium,
        why: "Kernel arguments and early modules take effect at the next boot; until then only the live values hold.",
        remedy: Remedy::ByHand {
            cost: "The time of a reboot.",
            risk: "Whatever does not start by itself stays down.",
            undo: "None is needed.",
        },
        source: "docs/journal.md; /proc/sys/kernel/random/boot_id",
        look: reboot,
    },
    Check {
        id: "CT-DRIFT-005",
        title: "the journal can be read",
        severity: Severity::High,
        why: "Without the journal nothing can be taken back, and drift can't be told from advice.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "A damaged generation can't be rolled back.",
            undo: "None is needed.",
        },
        source: "docs/journal.md",
        look: journal,
    },
];

fn untold(scene: &Scene<'_>) -> Option<Outcome> {
    if let Some(trouble) = &scene.applied.trouble {
        return Some(Outcome::could_not_tell(trouble.clone()));
    }
    if scene.applied.generation.is_none() {
        return Some(Outcome::not_applicable(t!("nothing was applied here yet")));
    }
    None
}

/// The targets of these kinds that are not as they were applied.
fn drifted(scene: &Scene<'_>, wanted: impl Fn(&str, &str) -> bool) -> Vec<Outcome> {
    if let Some(outcome) = untold(scene) {
        return outcome.into();
    }
    let touched: Vec<_> =
        scene.applied.touched.iter().filter(|(path, touched)| wanted(path, touched.kind)).collect();
    if touched.is_empty() {
        return Outcome::not_applicable(t!("nothing of that kind was applied")).into();
    }
    let mut found: Vec<Outcome> = touched
        .iter()
        .filter_map(|(path, touched)| {
            let changed = touched.changed.as_ref()?;
            Some(
                Outcome::fail(
                    changed.clone(),
                    t!(
                        "civicum-tune apply sets it right; civicum-tune history {id} shows what was applied",
                        id = touched.generation
                    ),
                )
                .of(*path)
                .expected(touched.after.clone())
                .seen(Evidence::path(*path))
                .seen(Evidence::path(format!("{JOURNAL}/{:04}/generation.json", touched.generation)))
                .target(*path),
            )
        })
        .collect();
    if found.is_empty() {
        found.push(Outcome::pass(t!("{count} as applied", count = touched.len())));
    }
    found
}

fn files(scene: &Scene<'_>) -> Vec<Outcome> {
    // The host's own profile is there to be edited.
    let is_theirs = |path: &str| path == crate::tunable::OWN_PROFILE;
    drifted(scene, |path, kind| {
        !is_theirs(path) && matches!(kind, "file" | "remove-file" | "link" | "folder" | "swap-file")
    })
}

/// Those that no check of another area looks at.
fn values(scene: &Scene<'_>) -> Vec<Outcome> {
    let elsewhere = |path: &str| {
        path.starts_with("/sys/module/zswap/")
            || path.starts_with("/sys/kernel/mm/lru_gen/")
            || crate::sysctl_name::of_path(path).is_some_and(|key| scene.wish().sysctl.contains_key(&key))
    };
    drifted(scene, |path, kind| {
        matches!(kind, "sysctl" | "runtime" | "swap-on" | "swap-off") && !elsewhere(path)
    })
}

fn cut(scene: &Scene<'_>) -> Vec<Outcome> {
    let applied = scene.applied;
    if let Some(trouble) = &applied.trouble {
        return Outcome::could_not_tell(trouble.clone()).into();
    }
    let evidence = |id: u32| Evidence::path(format!("{JOURNAL}/{id:04}/journal"));
    match (applied.cut, applied.partly) {
        (Some(id), _) => Outcome::fail(
            t!("generation {id} was cut off", id = id),
            t!("civicum-tune apply finishes or undoes it"),
        )
        .seen(evidence(id)),
        (None, Some(id)) => Outcome::warn(
            t!("generation {id} was taken back only in part", id = id),
            t!("civicum-tune rollback tries again; civicum-tune rollback --keep accepts it as it is"),
        )
        .seen(evidence(id)),
        (None, None) => Outcome::pass(t!("no generation is half done")),
    }
    .into()
}

fn reboot(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = untold(scene) {
        return outcome.into();
    }
    let applied = scene.applied;
    let Some(id) = applied.needs_reboot else {
        return Outcome::not_applicable(t!("nothing that was applied needs a reboot")).into();
    };
    match applied.rebooted {
        Some(true) => Outcome::pass(t!("booted since generation {id}", id = id)),
        Some(false) => Outcome::warn(t!("not booted since generation {id}", id = id), "systemctl reboot"),
        None => Outcome::not_applicable(t!("this tree has no boot of its own")),
    }
    .seen(Evidence::path("/proc/sys/kernel/random/boot_id"))
    .into()
}

fn journal(scene: &Scene<'_>) -> Vec<Outcome> {
    match &scene.applied.trouble {
        Some(trouble) if !scene.host().may_change() => Outcome::could_not_tell(trouble.clone()),
        Some(trouble) => Outcome::fail(trouble.clone(), t!("restore {path} from a backup", path = JOURNAL))
            .seen(Evidence::path(JOURNAL)),
        None => Outcome::pass(t!("every generation can be read")),
    }
    .into()
}
