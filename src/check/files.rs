//! The files that we own: nobody else may write what root will read.

use std::collections::BTreeSet;

use super::{Check, Evidence, Outcome, Remedy, Scene, Severity};
use crate::host::{HostError, STATE, Stat};
use crate::t;
use crate::tunable::zswap::UNIT;
use crate::tunable::{GRUB_DROP_IN, OWN_PROFILE, SYSCTL_FILE, TMPFILES};

const NO_HARM: Remedy = Remedy::ByHand { cost: "None.", risk: "None.", undo: "None is needed." };

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CT-FILE-001",
        title: "only root can look into the journal",
        severity: Severity::High,
        why: "The journal holds files as they were before, and a rollback writes them back: who can write there can write \
              anywhere.",
        remedy: NO_HARM,
        source: "docs/journal.md",
        look: state,
    },
    Check {
        id: "CT-FILE-002",
        title: "only root can write the host's profile",
        severity: Severity::High,
        why: "The next `apply` does what it says, as root.",
        remedy: NO_HARM,
        source: "docs/profile-reference.md",
        look: profile,
    },
    Check {
        id: "CT-FILE-003",
        title: "only root can write the files that we put in /etc",
        severity: Severity::High,
        why: "They are read by root at the boot: units, kernel parameters, a piece of shell for GRUB.",
        remedy: NO_HARM,
        source: "docs/tunables.md",
        look: own_files,
    },
    Check {
        id: "CT-FILE-004",
        title: "only root can write the program itself",
        severity: Severity::High,
        why: "Who can change the program that root runs is root.",
        remedy: Remedy::ByHand { cost: "None.", risk: "None.", undo: "Remove /usr/local/bin/civicum-tune." },
        source: "docs/packages.md",
        look: program,
    },
    Check {
        id: "CT-FILE-005",
        title: "nothing half-written of ours lies about",
        severity: Severity::Low,
        why: "A power cut can leave a temporary file; it does no harm, but it may be as large as a swap file.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "Make sure that no civicum-tune is running.",
            undo: "None is needed.",
        },
        source: "docs/journal.md",
        look: leftovers,
    },
];

/// Whose everything should be: root's. In a tree, of whoever made it.
fn owner(scene: &Scene<'_>) -> u32 {
    scene.host().stat("/").ok().flatten().map_or(0, |stat| stat.uid)
}

fn shown(stat: &Stat) -> String {
    format!("{:04o} {}:{}", stat.mode, stat.uid, stat.gid)
}

/// One path against the owner and the bits that must not be set.
fn judge(scene: &Scene<'_>, path: &str, forbidden: u32, wanted: &str) -> Option<Outcome> {
    let stat = match scene.host().stat(path) {
        Ok(Some(stat)) => stat,
        Ok(None) => return None,
        Err(error) => return Some(untold(&error)),
    };
    let owner = owner(scene);
    let seen = Evidence::file(path, shown(&stat));
    let actual = t!("mode {mode}, owner {uid}", mode = format!("{:04o}", stat.mode), uid = stat.uid);
    // A link's own bits mean nothing.
    let is_open = !stat.is_link && stat.mode & forbidden != 0;
    let outcome = if is_open || stat.uid != owner {
        Outcome::fail(actual, format!("chown root: {path}; chmod {wanted} {path}"))
    } else {
        Outcome::pass(actual)
    };
    Some(outcome.expected(t!("mode {mode}, owner {uid}", mode = wanted, uid = owner)).seen(seen))
}

fn untold(error: &HostError) -> Outcome {
    Outcome::could_not_tell(error.to_string())
}

fn state(scene: &Scene<'_>) -> Vec<Outcome> {
    let outcome = judge(scene, STATE, 0o077, "0700");
    outcome.map_or_else(
        || Outcome::not_applicable(t!("{path} is not there", path = STATE)).into(),
        |outcome| outcome.target(STATE).into(),
    )
}

fn profile(scene: &Scene<'_>) -> Vec<Outcome> {
    let Some(file) = judge(scene, OWN_PROFILE, 0o022, "0644") else {
        return Outcome::not_applicable(t!("{path} is not there", path = OWN_PROFILE)).into();
    };
    let folder = OWN_PROFILE.rsplit_once('/').map_or("/etc", |(folder, _)| folder);
    let folder = judge(scene, folder, 0o022, "0755").filter(|folder| !is_pass(folder)).map(|o| o.of(folder));
    std::iter::once(file.of(OWN_PROFILE).target(OWN_PROFILE)).chain(folder).collect()
}

fn is_pass(outcome: &Outcome) -> bool {
    !outcome.is_finding() && !outcome.is_untold()
}

/// What a generation put in /etc, and what we know by name: the journal can be read by root only.
fn put_by_us(scene: &Scene<'_>) -> BTreeSet<String> {
    let touched = scene.applied.touched.iter();
    let files = touched.filter(|(path, touched)| touched.kind == "file" && path.starts_with("/etc/"));
    let mut paths: BTreeSet<String> = files.map(|(path, _)| path.clone()).collect();
    let by_name = [GRUB_DROP_IN, SYSCTL_FILE, TMPFILES, UNIT, "/etc/dracut.conf.d/zz-civicum-tune.conf"];
    paths.extend(by_name.map(str::to_owned));
    paths.remove(OWN_PROFILE);
    paths
}

fn own_files(scene: &Scene<'_>) -> Vec<Outcome> {
    let (mut found, mut passed, mut evidence) = (Vec::new(), 0_usize, Vec::new());
    let mut folders = BTreeSet::new();
    for path in put_by_us(scene) {
        let Some(outcome) = judge(scene, &path, 0o022, "0644") else { continue };
        folders.extend(path.rsplit_once('/').map(|(folder, _)| folder.to_owned()));
        if is_pass(&outcome) {
            passed += 1;
            evidence.extend(outcome.evidence);
        } else {
            found.push(outcome.target(&path).of(path));
        }
    }
    if passed == 0 && found.is_empty() {
        return Outcome::not_applicable(t!("no file of ours is in /etc")).into();
    }
    // Who can write a folder can replace the files in it.
    let open = folders.into_iter().filter_map(|folder| {
        let outcome = judge(scene, &folder, 0o022, "0755")?;
        outcome.is_finding().then(|| outcome.of(folder))
    });
    found.extend(open);
    if found.is_empty() {
        found.push(Outcome::pass(t!("{count} files", count = passed)).seen_all(evidence));
    }
    found
}

fn program(scene: &Scene<'_>) -> Vec<Outcome> {
    let Some(path) = scene.host().own_program() else {
        return Outcome::not_applicable(t!("a tree is looked at by another machine's program")).into();
    };
    if !scene.host().may_change() {
        return Outcome::not_applicable(t!("root does not run it now")).into();
    }
    let Some(file) = judge(scene, &path, 0o022, "0755") else {
        return Outcome::not_here(path).into();
    };
    let mut found = vec![file];
    let mut folder = path.as_str();
    while let Some((above, _)) = folder.rsplit_once('/').filter(|(above, _)| !above.is_empty()) {
        folder = above;
        // Under a sticky folder nobody can rename what is another's.
        let sticky = scene.host().stat(folder).ok().flatten().is_some_and(|stat| stat.mode & 0o1000 != 0);
        let forbidden = if sticky { 0 } else { 0o022 };
        found.extend(
            judge(scene, folder, forbidden, "0755").filter(Outcome::is_finding).map(|o| o.of(folder)),
        );
    }
    let install = t!("install -o root -g root -m 0755 {path} /usr/local/bin/civicum-tune", path = path);
    for outcome in found.iter_mut().filter(|outcome| outcome.is_finding()) {
        outcome.fix.clone_from(&install);
    }
    if found.len() > 1 && is_pass(&found[0]) {
        found.remove(0);
    }
    found
}

fn leftovers(scene: &Scene<'_>) -> Vec<Outcome> {
    let mut folders: BTreeSet<String> = put_by_us(scene)
        .iter()
        .chain(
            scene
                .applied
                .touched
                .keys()
                .filter(|path| !path.starts_with("/proc/") && !path.starts_with("/sys/")),
        )
        .chain([&scene.wish().swap.path, &OWN_PROFILE.to_owned()])
        .chain(&scene.facts().boot.grub_cfg)
        .filter_map(|path| path.rsplit_once('/').map(|(folder, _)| folder.to_owned()))
        .collect();
    folders.insert(STATE.to_owned());
    let (mut found, mut untold_of) = (Vec::new(), None);
    for folder in folders {
        let folder = if folder.is_empty() { "/" } else { &folder };
        let names = match scene.host().list(folder) {
            Ok(names) => names,
            Err(error) => {
                untold_of = Some(error);
                continue;
            }
        };
        let ours = |name: &&String| {
            name.starts_with('.') && name.ends_with(".civicum-tune-new")
                || name.ends_with(".civicum-tune-check")
        };
        for name in names.iter().filter(ours) {
            let path = format!("{}/{name}", folder.trim_end_matches('/'));
            let fix = format!("rm '{path}'");
            found.push(
                Outcome::warn(t!("a write that was cut off"), fix).of(&path).seen(Evidence::path(path)),
            );
        }
    }
    match (found.is_empty(), untold_of) {
        (true, Some(error)) => untold(&error).into(),
        (true, None) => Outcome::pass(t!("nothing does")).into(),
        (false, _) => found,
    }
}
