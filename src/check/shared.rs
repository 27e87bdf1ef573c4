//! What the checks of several areas say in the same words.

use super::{Evidence, Outcome, Scene};
use crate::facts::sysctl::{Assignment, SysctlFiles};
use crate::t;

/// The way out that is ours.
pub(super) const APPLY: &str = "civicum-tune apply";

/// In a container the kernel, its memory and its log are somebody else's.
pub(super) fn below(scene: &Scene<'_>) -> Option<Outcome> {
    let engine = scene.container()?;
    Some(Outcome::not_applicable(t!(
        "this is a {engine} container: that belongs to the host below",
        engine = engine
    )))
}

/// The sysctl files, or that they can't be read.
pub(super) fn sysctl_files<'s>(scene: &'s Scene<'_>) -> Result<&'s SysctlFiles, Vec<Outcome>> {
    scene.sysctl_files().map_err(|e| Outcome::could_not_tell(e.to_string()).into())
}

/// The line of a sysctl file.
pub(super) fn line(key: &str, assignment: &Assignment) -> Evidence {
    let Assignment { file, line, value, .. } = assignment;
    Evidence::line(file, *line, format!("{key} = {value}"))
}

/// The winner's line first, then every loser's, the nearest first.
pub(super) fn lines(key: &str, found: &[Assignment]) -> Vec<Evidence> {
    let (winners, losers): (Vec<&Assignment>, Vec<&Assignment>) = found.iter().partition(|a| a.wins);
    winners.into_iter().chain(losers.into_iter().rev()).map(|a| line(key, a)).collect()
}

/// What has no name in a path: whole MiB, as a person reads them in a table.
pub(super) fn mib(bytes: u64) -> u64 {
    bytes / crate::units::MIB
}
