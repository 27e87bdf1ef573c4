//! What is done when memory runs short: a ladder, climbed at once and left slowly. A pure function over samples; the traces
//! that it is tested on were recorded from real machines.
//!
//! Step by step, what can be done again later gives way before what is lost for good: the worker first takes no new document,
//! then gives back those it has in work, and at last is killed as a whole. The database and the model never are.

mod stall;
mod words;

use super::sample::{Sample, Service, Threshold};
use stall::{Stalls, Waited};
pub use words::{Act, Cause, Decision, Rung};

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
    /// A worker that holds less than this idles, and has nothing to give: it is not killed, bytes.
    pub worth_killing: u64,
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
            worth_killing: 64 << 20,
        }
    }
}

/// The ladder, and what it remembers.
#[derive(Debug, Clone, Default)]
pub struct Ladder {
    rules: Rules,
    /// The service that gives way.
    worker: String,
    stalls: Stalls,
    rung: Rung,
    /// Since when nothing has spoken for this rung, ms.
    calm_since: Option<u64>,
    gave_back: Option<u64>,
    killed: Option<u64>,
}

impl Ladder {
    /// A ladder for the service `worker`, at its foot.
    pub fn new(worker: &str, rules: Rules) -> Self {
        Self { rules, worker: worker.to_owned(), stalls: Stalls::new(worker), ..Self::default() }
    }

    /// Where we are.
    pub const fn rung(&self) -> Rung {
        self.rung
    }

    /// Takes one look into account, and says what is to be done.
    pub fn step(&mut self, sample: &Sample) -> Vec<Decision> {
        let waited = self.stalls.take(sample);
        let (wanted, cause) = self.wanted(sample, waited);
        let now = sample.at_ms;
        let before = self.rung;
        // One that is not there has nothing, unless nothing is known of any.
        let holds = |service: &Service| service.memory >= self.rules.worth_killing;
        let has_something = sample.services.get(&self.worker).map_or(sample.services.is_empty(), holds);
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
        if wanted == Rung::Kill && has_something && is_due(self.killed) {
            self.killed = Some(now);
            self.gave_back = Some(now);
            decisions.push(Decision { act: Act::Kill, cause });
        } else if wanted >= Rung::GiveBack
            && (has_something || before < Rung::GiveBack)
            && is_due(self.gave_back)
        {
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
        let is_elsewhere = waited.elsewhere > waited.some;
        let told = |threshold: Threshold| {
            sample.told.contains(&threshold) && (threshold == Threshold::Worker || !is_elsewhere)
        };
        let ms = |us: u64, at_least_us: u64| us.max(at_least_us) / 1000;
        let short = Cause::Available { bytes: sample.memory.available };
        if told(Threshold::FullLong) || waited.full >= rules.kill_full_us {
            return (Rung::Kill, Cause::Full { ms: ms(waited.full, rules.kill_full_us) });
        }
        if available < rules.kill_available {
            return (Rung::Kill, short);
        }
        if told(Threshold::Full) || waited.full >= rules.give_back_full_us {
            return (Rung::GiveBack, Cause::Full { ms: ms(waited.full, rules.give_back_full_us) });
        }
        if available < rules.give_back_available {
            return (Rung::GiveBack, short);
        }
        if told(Threshold::Some) || waited.some >= rules.hold_some_us {
            return (Rung::Hold, Cause::Some { ms: ms(waited.some, rules.hold_some_us) });
        }
        if told(Threshold::Worker) || waited.worker >= rules.hold_some_us {
            return (Rung::Hold, Cause::Worker { ms: ms(waited.worker, rules.hold_some_us) });
        }
        (Rung::Calm, Cause::Calm)
    }

    /// Is it so calm that we may come down? Less than what made us climb: at its edge we would go up and down for ever.
    fn is_quiet(&self, sample: &Sample, waited: Waited) -> bool {
        let rules = &self.rules;
        waited.some < rules.hold_some_us / 2
            && waited.full < rules.give_back_full_us / 2
            && waited.worker < rules.hold_some_us / 2
            && sample.memory.available_permille() >= rules.give_back_available + rules.margin_available
    }
}

#[cfg(test)]
mod tests;
