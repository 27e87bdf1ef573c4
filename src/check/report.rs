//! Running the checks, and what came of it.

use serde::Serialize;

use super::outcome::{Because, Evidence, Outcome, Status};
use super::{Check, Scene, Severity, all};
use crate::t;

/// Which checks are run.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Ids, or areas as `ZSWAP` or `CT-ZSWAP`; empty means all.
    pub only: Vec<String>,
    /// The same, to be left out.
    pub skip: Vec<String>,
    /// The least severity.
    pub severity: Option<Severity>,
}

impl Selection {
    /// Is this check run?
    pub fn takes(&self, check: &Check) -> bool {
        let named = |names: &[String]| names.iter().any(|name| names_check(name, check));
        (self.only.is_empty() || named(&self.only))
            && !named(&self.skip)
            && self.severity.is_none_or(|least| check.severity >= least)
    }

    /// The first name that names nothing.
    pub fn unknown(&self) -> Option<&str> {
        let known = |name: &&String| all().any(|check| names_check(name, check));
        self.only.iter().chain(&self.skip).find(|name| !known(name)).map(String::as_str)
    }
}

fn names_check(name: &str, check: &Check) -> bool {
    let name = name.to_ascii_uppercase();
    let name = name.strip_prefix("CT-").unwrap_or(&name);
    let id = check.id.strip_prefix("CT-").unwrap_or(check.id);
    name == id || name == check.area()
}

/// A check and one of its answers.
pub struct Audited {
    /// Which check.
    pub check: &'static Check,
    /// What it found.
    pub outcome: Outcome,
    /// What it is about was applied by this generation, and is not so any more.
    pub drift: Option<u32>,
    /// What was found before a waiver took it back.
    pub found: Option<Status>,
}

/// All answers.
pub struct Report {
    /// In the order of the catalogue.
    pub results: Vec<Audited>,
}

/// How many of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// As they should be.
    pub pass: usize,
    /// Someone should look.
    pub warn: usize,
    /// Wrong.
    pub fail: usize,
    /// No answer, for whatever reason.
    pub skip: usize,
    /// Of those: could not be found out.
    pub could_not_tell: usize,
    /// Of those: found, and accepted by the profile.
    pub waived: usize,
}

/// The way out of most findings.
const APPLY: &str = "civicum-tune apply";

/// In a tree: what a copy of /proc and /sys shows is what ran when it was made.
fn ran_once(evidence: &Evidence) -> bool {
    ["/proc/", "/sys/"].iter().any(|of| evidence.file.starts_with(of))
}

/// What a tree does not have at all, an image that is mounted for one: what only a running host has is no question there.
fn dark(scene: &Scene<'_>) -> Vec<&'static str> {
    let is_dark = |folder: &&str| !scene.is_live() && scene.host().list(folder).is_ok_and(|n| n.is_empty());
    ["/proc/", "/sys/"].into_iter().filter(is_dark).collect()
}

/// Runs the chosen checks. With `strict`, what could not be told is a failure.
pub fn audit(scene: &Scene<'_>, selection: &Selection, strict: bool) -> Report {
    let dark = dark(scene);
    let mut results = Vec::new();
    for check in all().filter(|check| selection.takes(check)) {
        for mut outcome in (check.look)(scene) {
            let in_the_dark = |path: &String| dark.iter().find(|folder| path.starts_with(**folder)).copied();
            if let Some((folder, path)) = outcome.missing.as_ref().and_then(|p| Some((in_the_dark(p)?, p))) {
                outcome.evidence.push(Evidence::path(path));
                let folder = folder.trim_end_matches('/');
                let why = t!("this tree has nothing in {folder}: it does not run", folder = folder);
                outcome.because = Some((Because::NotApplicable, why));
            }
            if scene.waits_for_its_boot
                && outcome.fix == APPLY
                && outcome.evidence.first().is_some_and(ran_once)
            {
                let why = t!(
                    "the files of this tree are as the profile says, and what its {file} shows ran before that: the next boot sets it",
                    file = outcome.evidence[0].file
                );
                outcome = Outcome {
                    subject: outcome.subject,
                    target: outcome.target,
                    evidence: outcome.evidence,
                    ..Outcome::could_not_tell(why)
                };
            }
            let touched = outcome.target.as_ref().and_then(|target| scene.applied.touched.get(target));
            let drift = touched.filter(|touched| touched.changed.is_some()).map(|touched| touched.generation);
            if strict && outcome.is_untold() {
                if let Some((_, why)) = outcome.because.take() {
                    outcome.status = Status::Fail;
                    outcome.actual = why;
                }
            }
            let drift = drift.filter(|_| outcome.is_finding());
            results.push(Audited { check, outcome, drift, found: None });
        }
    }
    super::waiver::grant(scene, &mut results);
    Report { results }
}

impl Report {
    /// How many of each.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for Audited { outcome, .. } in &self.results {
            match outcome.status {
                Status::Pass => summary.pass += 1,
                Status::Warn => summary.warn += 1,
                Status::Fail => summary.fail += 1,
                Status::Skip => summary.skip += 1,
            }
            match outcome.because {
                Some((Because::CouldNotTell, _)) => summary.could_not_tell += 1,
                Some((Because::Waived, _)) => summary.waived += 1,
                _ => {}
            }
        }
        summary
    }

    /// Our own commands as they are to be typed for this host and this profile: without `--root` they would change the
    /// machine on which they are typed, without `--profile` they would want something else. `again` makes a command line.
    pub fn aim(&mut self, is_tree: bool, again: &dyn Fn(&str) -> String) {
        for Audited { outcome, .. } in &mut self.results {
            // No file of the tree changes that.
            if is_tree && outcome.fix == APPLY && outcome.evidence.first().is_some_and(ran_once) {
                outcome.fix = t!("civicum-tune apply, and the next boot of this tree sets it");
            }
            if is_tree && outcome.fix == "update-grub" {
                outcome.fix = t!("inside the image, run: update-grub");
            }
            for verb in ["apply", "deploy", "logs", "rollback", "history"] {
                let command = format!("civicum-tune {verb}");
                if outcome.fix.contains(&command) {
                    outcome.fix = outcome.fix.replace(&command, &again(verb));
                }
            }
        }
    }

    /// Did no check fail?
    pub fn is_sound(&self) -> bool {
        self.results.iter().all(|audited| audited.outcome.status != Status::Fail)
    }
}
