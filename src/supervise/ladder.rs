//! What is done when memory runs short: a ladder, climbed at once and left slowly. A pure function over samples; the traces
//! that it is tested on were recorded from real machines.
//!
//! Step by step, what can be done again later gives way before what is lost for good: the worker first takes no new document,
//! then gives back those it has in work, and at last is killed as a whole. The database and the model never are.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::sample::{Sample, Threshold};

/// How far up we are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rung {
    /// Nothing to fear.
    #[default]
    Calm,
    /// No new document is taken.
    Hold,
    /// Documents in work are given back; a model that nobody asks is unloaded.
    GiveBack,
    /// The worker is killed as a whole.
    Kill,
}

/// When to climb, and when to come down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Some task waited so long within a second: take nothing new, µs.
    pub hold_some_us: u64,
    /// All tasks waited so long within a second: give back, µs.
    pub give_back_full_us: u64,
    /// All tasks waited so long within a second: kill, µs.
    pub kill_full_us: u64,
    /// So little is available: give back, thousandths of the RAM.
    pub give_back_available: u64,
    /// So little is available: kill, thousandths of the RAM.
    pub kill_available: u64,
    /// So much more must be available before we come down, thousandths of the RAM.
    pub margin_available: u64,
    /// So long must it be calm before we come down, ms.
    pub calm_ms: u64,
    /// So long after an act it is not repeated: what it freed must first be felt, ms.
    pub cool_down_ms: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            hold_some_us: 150_000,
            give_back_full_us: 100_000,
            kill_full_us: 300_000,
            give_back_available: 100,
            kill_available: 50,
            margin_available: 20,
            calm_ms: 10_000,
            cool_down_ms: 15_000,
        }
    }
}

/// Why a rung is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Cause {
    /// Some task of the host waited for memory so long within a second, ms.
    Some {
        /// Milliseconds in a second.
        ms: u64,
    },
    /// All tasks of the host did.
    Full {
        /// Milliseconds in a second.
        ms: u64,
    },
    /// The worker waited so at its own limit.
    Worker {
        /// Milliseconds in a second.
        ms: u64,
    },
    /// So little is available, bytes.
    Available {
        /// Bytes.
        bytes: u64,
    },
    /// It has been calm for long enough.
    Calm,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// The worker claims no new document.
    Hold,
    /// The worker gives back what it has in work; a model that nobody asks is unloaded.
    GiveBack,
    /// The worker's container is killed, with all that runs in it.
    Kill,
    /// The worker claims again.
    Resume,
}

impl Act {
    /// As files and metrics have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::GiveBack => "give-back",
            Self::Kill => "kill",
            Self::Resume => "resume",
        }
    }
}

/// An act, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What.
    pub act: Act,
    /// Why.
    pub cause: Cause,
}

/// Where stall counters stood at one time.
#[derive(Debug, Clone)]
struct Mark {
    at_ms: u64,
    some_us: u64,
    full_us: u64,
    worker_us: Option<u64>,
    /// What the services waited by themselves: some of their tasks, and all of them.
    others: BTreeMap<String, (u64, u64)>,
}

/// What was waited within about the last second, in µs of a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waited {
    /// Some task of the host.
    pub some_us: u64,
    /// All tasks of the host.
    pub full_us: u64,
    /// Some task of the worker.
    pub worker_us: u64,
    /// Beside that, what one service waited by itself: at its own limit, where nothing that the worker gives up helps it.
    pub elsewhere_us: u64,
}

/// The ladder, and what it remembers.
#[derive(Debug, Clone, Default)]
pub struct Ladder {
    rules: Rules,
    /// The service that gives way.
    worker: String,
    rung: Rung,
    marks: VecDeque<Mark>,
    /// Since when nothing has spoken for this rung, ms.
    calm_since: Option<u64>,
    gave_back: Option<u64>,
    killed: Option<u64>,
}

const SECOND_MS: u64 = 1000;
/// Without cgroup v2 nobody knows whose wait it was. With so much available it was somebody's own limit; thousandths of the RAM.
const ROOMY: u64 = 500;

impl Ladder {
    /// A ladder for the service `worker`, at its foot.
    pub fn new(worker: &str, rules: Rules) -> Self {
        Self { rules, worker: worker.to_owned(), ..Self::default() }
    }

    /// Where we are.
    pub const fn rung(&self) -> Rung {
        self.rung
    }

    /// Takes one look into account, and says what is to be done.
    pub fn step(&mut self, sample: &Sample) -> Vec<Decision> {
        let waited = self.waited(sample);
        let (wanted, cause) = self.wanted(sample, waited);
        let now = sample.at_ms;
        let mut decisions = Vec::new();
        if wanted > self.rung {
            if self.rung == Rung::Calm {
                decisions.push(Decision { act: Act::Hold, cause });
            }
            self.rung = wanted;
            self.calm_since = None;
        } else if wanted == Rung::Calm && self.is_quiet(sample, waited) {
            let since = *self.calm_since.get_or_insert(now);
            if self.rung > Rung::Calm && now.saturating_sub(since) >= self.rules.calm_ms {
                self.rung = Rung::Calm;
                decisions.push(Decision { act: Act::Resume, cause: Cause::Calm });
            }
        } else {
            self.calm_since = None;
        }
        // What was done is done again only when it had time to help, and did not.
        let is_due =
            |last: Option<u64>| last.is_none_or(|last| now.saturating_sub(last) >= self.rules.cool_down_ms);
        if wanted == Rung::Kill && is_due(self.killed) {
            self.killed = Some(now);
            self.gave_back = Some(now);
            decisions.push(Decision { act: Act::Kill, cause });
        } else if wanted == Rung::GiveBack && is_due(self.gave_back) {
            self.gave_back = Some(now);
            decisions.push(Decision { act: Act::GiveBack, cause });
        }
        decisions
    }

    /// The highest rung that something speaks for.
    fn wanted(&self, sample: &Sample, waited: Waited) -> (Rung, Cause) {
        let rules = &self.rules;
        let available = sample.memory.available_permille();
        // What the kernel tells of the host is somebody's own limit where most of it was waited there.
        let is_elsewhere = waited.elsewhere_us > waited.some_us;
        let told = |threshold: Threshold| {
            sample.told.contains(&threshold) && (threshold == Threshold::Worker || !is_elsewhere)
        };
        let ms = |us: u64, at_least_us: u64| us.max(at_least_us) / 1000;
        let short = Cause::Available { bytes: sample.memory.available };
        if told(Threshold::FullLong) || waited.full_us >= rules.kill_full_us {
            return (Rung::Kill, Cause::Full { ms: ms(waited.full_us, rules.kill_full_us) });
        }
        if available < rules.kill_available {
            return (Rung::Kill, short);
        }
        if told(Threshold::Full) || waited.full_us >= rules.give_back_full_us {
            return (Rung::GiveBack, Cause::Full { ms: ms(waited.full_us, rules.give_back_full_us) });
        }
        if available < rules.give_back_available {
            return (Rung::GiveBack, short);
        }
        if told(Threshold::Some) || waited.some_us >= rules.hold_some_us {
            return (Rung::Hold, Cause::Some { ms: ms(waited.some_us, rules.hold_some_us) });
        }
        if told(Threshold::Worker) || waited.worker_us >= rules.hold_some_us {
            return (Rung::Hold, Cause::Worker { ms: ms(waited.worker_us, rules.hold_some_us) });
        }
        (Rung::Calm, Cause::Calm)
    }

    /// Is it so calm that we may come down? Less than what made us climb: at its edge we would go up and down for ever.
    fn is_quiet(&self, sample: &Sample, waited: Waited) -> bool {
        let rules = &self.rules;
        waited.some_us < rules.hold_some_us / 2
            && waited.full_us < rules.give_back_full_us / 2
            && waited.worker_us < rules.hold_some_us / 2
            && sample.memory.available_permille() >= rules.give_back_available + rules.margin_available
    }

    /// What was waited within the last second, as the counters have it.
    fn waited(&mut self, sample: &Sample) -> Waited {
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
                some_us: of(mark.some_us, before.some_us).saturating_sub(some),
                full_us: of(mark.full_us, before.full_us).saturating_sub(full),
                elsewhere_us: some,
                worker_us: worker.map_or(0, |(now, before)| of(now, before)),
            }
        });
        self.marks.push_back(mark);
        let untold = sample.services.values().all(|one| one.stall.is_none());
        if untold && sample.memory.available_permille() >= ROOMY {
            return Waited { elsewhere_us: u64::MAX, ..Waited::default() };
        }
        waited
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Memory, Service, Stall};
    use super::*;

    const GIB: u64 = 1 << 30;

    fn sample(at_ms: u64, some_ms: u64, full_ms: u64, available_percent: u64) -> Sample {
        let memory =
            Memory { total: 12 * GIB, available: 12 * GIB * available_percent / 100, ..Memory::default() };
        let host = Some(Stall { some_us: some_ms * 1000, full_us: full_ms * 1000 });
        Sample { at_ms, memory, host, ..Sample::default() }
    }

    fn acts(ladder: &mut Ladder, sample: &Sample) -> Vec<Act> {
        ladder.step(sample).into_iter().map(|decision| decision.act).collect()
    }

    fn ladder() -> Ladder {
        Ladder::new("worker", Rules::default())
    }

    #[test]
    fn a_calm_host_is_left_alone() {
        let mut ladder = ladder();
        for at in 0..100 {
            // 5 ms in 2 s: what a busy host always has.
            assert_eq!(acts(&mut ladder, &sample(at * 2000, at * 5, at, 40)), []);
        }
        assert_eq!(ladder.rung(), Rung::Calm);
    }

    #[test]
    fn up_at_once_and_down_slowly() {
        let mut ladder = ladder();
        assert_eq!(acts(&mut ladder, &sample(0, 0, 0, 40)), []);
        assert_eq!(acts(&mut ladder, &sample(1000, 160, 0, 40)), [Act::Hold]);
        assert_eq!(acts(&mut ladder, &sample(2000, 320, 110, 40)), [Act::GiveBack]);
        // It had no time to help yet.
        assert_eq!(acts(&mut ladder, &sample(3000, 500, 230, 40)), []);
        assert_eq!(acts(&mut ladder, &sample(4000, 900, 560, 40)), [Act::Kill]);
        for at in 5..14 {
            assert_eq!(acts(&mut ladder, &sample(at * 1000, 900, 560, 40)), [], "at {at} s");
            assert_eq!(ladder.rung(), Rung::Kill);
        }
        // Calm from the 5th second on.
        assert_eq!(acts(&mut ladder, &sample(15_000, 900, 560, 40)), [Act::Resume]);
        assert_eq!(acts(&mut ladder, &sample(16_000, 900, 560, 40)), []);
    }

    #[test]
    fn nothing_is_killed_twice_within_the_cool_down() {
        let mut ladder = ladder();
        let mut kills = Vec::new();
        for at in 0..61_u64 {
            if acts(&mut ladder, &sample(at * 500, at * 400, at * 400, 3)).contains(&Act::Kill) {
                kills.push(at * 500);
            }
        }
        assert_eq!(kills, [0, 15_000, 30_000]);
    }

    #[test]
    fn the_floor_works_without_psi() {
        let mut ladder = ladder();
        let mut one = sample(0, 0, 0, 9);
        one.host = None;
        assert_eq!(acts(&mut ladder, &one), [Act::Hold, Act::GiveBack]);
        one.at_ms = 1000;
        one.memory = sample(0, 0, 0, 4).memory;
        assert_eq!(acts(&mut ladder, &one), [Act::Kill]);
        // Just above the floor is not calm.
        one.memory = sample(0, 0, 0, 11).memory;
        for at in 2..60 {
            one.at_ms = at * 1000;
            assert_eq!(acts(&mut ladder, &one), []);
        }
        one.memory = sample(0, 0, 0, 13).memory;
        one.at_ms = 60_000;
        assert_eq!(acts(&mut ladder, &one), []);
        one.at_ms = 70_000;
        assert_eq!(acts(&mut ladder, &one), [Act::Resume]);
    }

    #[test]
    fn what_the_kernel_tells_counts_though_the_second_is_not_over() {
        let mut ladder = ladder();
        assert_eq!(acts(&mut ladder, &sample(0, 0, 0, 40)), []);
        let mut one = sample(2000, 20, 0, 40);
        one.told = vec![Threshold::Some];
        let decisions = ladder.step(&one);
        assert_eq!(decisions, [Decision { act: Act::Hold, cause: Cause::Some { ms: 150 } }]);
    }

    /// A model at its own limit reads its weights from the disk again and again; killing the worker gives it nothing.
    #[test]
    fn what_waits_at_another_limit_is_not_the_workers() {
        let mut ladder = ladder();
        let with = |at: u64, waited_ms: u64| {
            let mut one = sample(at * 1000, waited_ms, waited_ms, 40);
            let stall = Some(Stall { some_us: waited_ms * 990, full_us: waited_ms * 990 });
            one.services.insert("llm".to_owned(), Service { stall, ..Service::default() });
            one.told = vec![Threshold::Some, Threshold::Full, Threshold::FullLong];
            one
        };
        let mut first = with(0, 0);
        first.told.clear();
        assert_eq!(acts(&mut ladder, &first), []);
        for at in 1..20 {
            assert_eq!(acts(&mut ladder, &with(at, at * 600)), [], "at {at} s");
        }
        // Where the host itself runs short meanwhile, it is everybody's.
        let mut short = with(20, 12_000);
        short.memory = sample(0, 0, 0, 4).memory;
        assert_eq!(acts(&mut ladder, &short), [Act::Hold, Act::Kill]);
    }

    /// cgroup v1: the services' own waits are not known.
    #[test]
    fn with_half_of_the_memory_available_a_wait_is_somebodys_own() {
        let (mut roomy, mut short) = (ladder(), ladder());
        for at in 0..5 {
            let mut one = sample(at * 1000, at * 500, at * 500, 60);
            one.services.insert("worker".to_owned(), Service::default());
            assert_eq!(acts(&mut roomy, &one), []);
            one.memory = sample(0, 0, 0, 30).memory;
            let found = acts(&mut short, &one);
            assert_eq!(found.contains(&Act::Kill), at == 1, "{found:?} at {at} s");
        }
    }

    #[test]
    fn the_workers_own_limit_only_holds_it() {
        let mut ladder = ladder();
        let with = |at: u64, waited_ms: u64| {
            // The host's own counters see it too.
            let mut one = sample(at, waited_ms, waited_ms, 40);
            let stall = Some(Stall { some_us: waited_ms * 1000, full_us: waited_ms * 1000 });
            one.services.insert("worker".to_owned(), Service { stall, ..Service::default() });
            one
        };
        assert_eq!(acts(&mut ladder, &with(0, 100_000)), []);
        assert_eq!(acts(&mut ladder, &with(1000, 100_900)), [Act::Hold]);
        assert_eq!(acts(&mut ladder, &with(2000, 101_900)), []);
        // Made anew, its counter begins at nought: that is no wait.
        for at in 3..13 {
            assert_eq!(acts(&mut ladder, &with(at * 1000, 0)), []);
        }
        assert_eq!(acts(&mut ladder, &with(13_000, 0)), [Act::Resume]);
    }
}
