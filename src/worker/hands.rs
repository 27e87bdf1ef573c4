//! How many documents at a time, and how much memory for each.

use super::{Shared, Stage};
use crate::facts::cgroup;

/// Room for one document: the most that reading one takes, bytes.
pub const EACH: u64 = 700 << 20;
/// Room for the worker itself, bytes.
const OWN: u64 = 64 << 20;
/// With less no document can be read, and with more none is, bytes.
const LEAST: u64 = 256 << 20;
const MOST: u64 = 1 << 30;

/// So many documents at a time fit a memory limit; where it is none, as many as is asked for.
fn fitting(jobs: usize, most: usize, limit: Option<u64>) -> usize {
    let room = limit.map_or(0, |limit| limit.saturating_sub(OWN) / EACH);
    if jobs == 0 { 0 } else { jobs.max(most.min(usize::try_from(room).unwrap_or(usize::MAX))) }
}

/// The most that one of so many documents may take, bytes: its process, and the one tool that it runs at a time. All of them fit the
/// limit together, so that one that takes more ends as `out_of_memory`, and not its neighbour.
fn share(hands: usize, limit: u64) -> u64 {
    let hands = u64::try_from(hands.max(1)).unwrap_or(u64::MAX);
    (limit.saturating_sub(OWN) / hands.saturating_mul(2)).clamp(LEAST, MOST)
}

impl Shared {
    /// What the next document is told of memory, as an option of `civicum-tune ocr`.
    pub(super) fn reading_memory(&self) -> Option<String> {
        let ocr = &self.worker.ocr;
        if ocr.options.iter().any(|option| option == "--memory" || option.starts_with("--memory=")) {
            return None;
        }
        let hands = self.hands(Stage::Ocr);
        // One document alone may take what it is given, whatever comes of it.
        let limit = cgroup::own_memory_limit(&self.host).filter(|_| hands > 1 || ocr.memory.is_none());
        let most = [ocr.memory, limit.map(|limit| share(hands, limit))].into_iter().flatten().min()?;
        Some(format!("--memory={most}"))
    }

    /// How many jobs of the stage at a time. Whoever changes the container's limit changes that too, at once.
    pub(super) fn hands(&self, stage: Stage) -> usize {
        let ocr = &self.worker.ocr;
        match stage {
            Stage::Ocr if ocr.most > ocr.jobs => {
                fitting(ocr.jobs, ocr.most, cgroup::own_memory_limit(&self.host))
            }
            Stage::Ocr => ocr.jobs,
            Stage::Extract => self.worker.extract.jobs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hands_by_the_limit() {
        let mib = |mib: u64| Some(mib << 20);
        for (jobs, most, limit, wanted) in [
            (1, 4, None, 1),
            (1, 4, mib(700), 1),
            (1, 4, mib(1750), 2),
            (1, 4, mib(6000), 4),
            (2, 4, mib(700), 2),
            (0, 4, mib(6000), 0),
        ] {
            assert_eq!(fitting(jobs, most, limit), wanted, "{jobs} to {most} in {limit:?}");
        }
    }

    #[test]
    fn all_that_is_read_at_a_time_fits_the_limit() {
        for (hands, limit_mib) in [(1, 1750), (2, 1750), (4, 6714), (9, 6714)] {
            let all = 2 * hands as u64 * share(hands, limit_mib << 20) + OWN;
            assert!(all <= limit_mib << 20, "{hands} in {limit_mib} MiB");
        }
        // More than fits is asked for: each has what it needs.
        assert_eq!(share(4, 700 << 20), LEAST);
    }
}
