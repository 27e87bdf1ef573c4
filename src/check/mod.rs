//! The checks of `doctor`: a catalogue, and one file for each area.
//!
//! A check is a constant descriptor and a function that looks at a [`Scene`] and answers with [`Outcome`]s. It has four
//! answers: it passes, it found something, it does not apply here, or it could not tell. The last is never a pass.
//!
//! Adding one is adding a descriptor to its area's list; a test compares the whole registry with the documentation.

mod outcome;
mod report;
mod scene;
mod shared;

mod boot;
mod cgroup;
mod containers;
mod cpu;
mod disk;
mod docker;
mod drift;
mod files;
mod memory;
mod network;
mod oom;
mod swap;
mod sysctl;
mod time;
mod tuners;
mod waiver;
mod zram;
mod zswap;

use serde::Serialize;

pub use outcome::{Because, Evidence, Outcome, Status};
pub use report::{Audited, Report, Selection, Summary, audit};
pub use scene::{Applied, AskContainers, Scene, Touched};

/// How much hangs on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// A little better otherwise.
    Low,
    /// It shows under load.
    Medium,
    /// A program that matters can die of it, or a boot go wrong.
    High,
    /// Data can leave the host or be lost.
    Critical,
}

impl Severity {
    /// As JSON and people name it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// One check, and all about it. `explain` and the reference pages are made from it.
pub struct Check {
    /// Stable, for example `CT-ZSWAP-003`. The middle part names the area.
    pub id: &'static str,
    /// What is so when it passes, in a few words: "zswap is enabled".
    pub title: &'static str,
    /// How much hangs on it.
    pub severity: Severity,
    /// What goes wrong otherwise.
    pub why: &'static str,
    /// What the way out costs, what could go wrong with it, how it is undone.
    pub remedy: Remedy,
    /// Where that is known from.
    pub source: &'static str,
    /// Looks.
    pub look: fn(&Scene<'_>) -> Vec<Outcome>,
}

/// The way out of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// `civicum-tune apply`: this tunable sets it right, and says the rest.
    Tunable(&'static str),
    /// By hand.
    ByHand {
        /// What it costs.
        cost: &'static str,
        /// What could go wrong.
        risk: &'static str,
        /// How it is taken back.
        undo: &'static str,
    },
    /// There is nothing to do on the host; it is good to know.
    Know,
}

impl Check {
    /// The area: `ZSWAP` of `CT-ZSWAP-003`.
    pub fn area(&self) -> &'static str {
        self.id.split('-').nth(1).unwrap_or(self.id)
    }
}

/// The areas in the order of a report: what was applied first, then from the processor outwards.
pub const AREAS: [(&str, &str, &[Check]); 18] = [
    ("DRIFT", "What was applied", drift::CHECKS),
    ("WAIVER", "Waivers", waiver::CHECKS),
    ("CPU", "Processor", cpu::CHECKS),
    ("BOOT", "Boot chain", boot::CHECKS),
    ("MEM", "Memory", memory::CHECKS),
    ("ZSWAP", "Compressed swap cache", zswap::CHECKS),
    ("SWAP", "Swap", swap::CHECKS),
    ("ZRAM", "zram", zram::CHECKS),
    ("SYSCTL", "Kernel parameters", sysctl::CHECKS),
    ("TUNER", "Other tuners", tuners::CHECKS),
    ("CGROUP", "Control groups and pressure", cgroup::CHECKS),
    ("OOM", "Out-of-memory kills", oom::CHECKS),
    ("DOCKER", "Docker Engine", docker::CHECKS),
    ("CONT", "Containers", containers::CHECKS),
    ("NET", "Open to the outside", network::CHECKS),
    ("TIME", "Time", time::CHECKS),
    ("DISK", "Disks", disk::CHECKS),
    ("FILE", "Files of ours", files::CHECKS),
];

/// Every check, in the order of a report.
pub fn all() -> impl Iterator<Item = &'static Check> {
    AREAS.iter().flat_map(|(_, _, checks)| checks.iter())
}

/// The check of that id.
pub fn find(id: &str) -> Option<&'static Check> {
    all().find(|check| check.id.eq_ignore_ascii_case(id))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_registry_is_whole() {
        let mut ids = BTreeSet::new();
        for (area, _, checks) in &AREAS {
            for (number, check) in checks.iter().enumerate() {
                assert!(ids.insert(check.id), "{} is there twice", check.id);
                assert_eq!(check.id, format!("CT-{area}-{:03}", number + 1));
                for text in [check.title, check.why, check.source] {
                    assert!(!text.is_empty() && !text.contains("  "), "{}: `{text}`", check.id);
                }
                assert!(!check.title.ends_with('.') && check.why.ends_with('.'), "{}", check.id);
                if let Remedy::Tunable(id) = check.remedy {
                    assert!(crate::tunable::ALL.iter().any(|t| t.doc().id == id), "{}: {id}", check.id);
                }
            }
        }
    }
}
