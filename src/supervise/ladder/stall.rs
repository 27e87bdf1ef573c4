//! What was waited within the last second, and by whom.

use std::collections::{BTreeMap, VecDeque};

use crate::supervise::sample::{Sample, Service};

const SECOND_MS: u64 = 1000;
/// Without cgroup v2 nobody knows whose wait it was. With so much available it was somebody's own limit; thousandths of the RAM.
const ROOMY: u64 = 500;

/// Where stall counters stood at one time.
#[derive(Debug, Clone)]
struct Mark {
    at_ms: u64,
    some_us: u64,
    full_us: u64,
    worker_us: Option<u64>,
    /// What the services at their own limits waited: some of their tasks, and all of them.
    others: BTreeMap<String, (u64, u64)>,
}

/// What was waited within about the last second, in µs of a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Waited {
    /// Some task of the host.
    pub some: u64,
    /// All tasks of the host.
    pub full: u64,
    /// Some task of the worker.
    pub worker: u64,
    /// Beside that, what one service waited by itself: at its own limit, where nothing that the worker gives up helps it.
    pub elsewhere: u64,
}

/// The counters as they were within the last second.
#[derive(Debug, Clone, Default)]
pub(super) struct Stalls {
    /// The service that gives way.
    worker: String,
    marks: VecDeque<Mark>,
}

/// Whoever is not waits for the memory of the host, as all do.
const fn is_at_its_limit(service: &Service) -> bool {
    service.limit > 0 && service.memory >= service.limit / 100 * 95
}

impl Stalls {
    /// None yet.
    pub(super) fn new(worker: &str) -> Self {
        Self { worker: worker.to_owned(), marks: VecDeque::new() }
    }

    /// Takes in where the counters stand now, and says what was waited within the last second.
    pub(super) fn take(&mut self, sample: &Sample) -> Waited {
        let worker = sample.services.get(&self.worker).and_then(|service| service.stall);
        let stall = sample.host.unwrap_or_default();
        let mark = Mark {
            at_ms: sample.at_ms,
            some_us: stall.some_us,
            full_us: stall.full_us,
            worker_us: worker.map(|stall| stall.some_us),
            others: sample
                .services
                .iter()
                .filter(|(_, service)| is_at_its_limit(service))
                .filter_map(|(name, service)| {
                    let stall = service.stall?;
                    Some((name.clone(), (stall.some_us, stall.full_us)))
                })
                .collect(),
        };
        // The oldest that is kept is the last one that is at least a second old.
        while self.marks.get(1).is_some_and(|next| next.at_ms + SECOND_MS <= mark.at_ms) {
            self.marks.pop_front();
        }
        let waited = self.marks.front().map_or_else(Waited::default, |before| {
            let passed = mark.at_ms.saturating_sub(before.at_ms).max(SECOND_MS);
            // Counters only grow, but for those of a container that was made anew.
            let of = |now: u64, before: u64| now.saturating_sub(before).saturating_mul(SECOND_MS) / passed;
            let worker = mark.worker_us.zip(before.worker_us);
            let own = |name: &String, now: &(u64, u64)| {
                let before = before.others.get(name)?;
                Some((of(now.0, before.0), of(now.1, before.1)))
            };
            let others: Vec<(u64, u64)> =
                mark.others.iter().filter_map(|(name, now)| own(name, now)).collect();
            let some = others.iter().map(|(some, _)| *some).max().unwrap_or(0);
            let full = others.iter().map(|(_, full)| *full).max().unwrap_or(0);
            Waited {
                some: of(mark.some_us, before.some_us).saturating_sub(some),
                full: of(mark.full_us, before.full_us).saturating_sub(full),
                elsewhere: some,
                worker: worker.map_or(0, |(now, before)| of(now, before)),
            }
        });
        self.marks.push_back(mark);
        let untold = sample.services.values().all(|one| one.stall.is_none());
        if untold && sample.memory.available_permille() >= ROOMY {
            return Waited { elsewhere: u64::MAX, ..Waited::default() };
        }
        waited
    }
}
