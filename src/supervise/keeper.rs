//! When a container that ended is started again. The engine itself restarts what its policy says, at once and then ever more
//! slowly, up to a minute apart; what is decided here is what the engine does not do: a container that it gave up, and one
//! that dies again and again, which is stopped for a while so that it does not wear down the others.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// So many deaths within [`WINDOW_MS`] are a loop.
pub const LOOP: usize = 5;
/// See [`LOOP`], ms.
pub const WINDOW_MS: u64 = 600_000;
/// The first pause, ms.
const FIRST_MS: u64 = 1000;
/// The first pause of a container in a loop, ms.
const FIRST_OF_LOOP_MS: u64 = 60_000;
/// The longest pause, ms.
const LONGEST_MS: u64 = 300_000;

/// How a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// By itself, with status 0: a worker that recycles itself does.
    Clean,
    /// By itself, with another status, or by a signal.
    Died,
    /// The kernel killed it for want of memory.
    Oom,
    /// We killed or stopped it, by the ladder or to break a loop.
    ByUs,
    /// Somebody stopped it through the engine.
    ByHand,
    /// It could not be started.
    NotStarted,
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: the engine starts it again, or somebody wants it stopped.
    Leave,
    /// It is started again after so many ms.
    StartIn(u64),
    /// It is stopped, so that the engine does not start it again, and started after so many ms.
    Break(u64),
}

/// What is remembered of one service.
#[derive(Debug, Clone, Default)]
pub struct Keeper {
    deaths: VecDeque<u64>,
    /// Pauses since it last held out.
    pauses: u32,
    /// When it was last started, ms.
    started: Option<u64>,
    /// Its pause ends then, ms.
    due: Option<u64>,
}

impl Keeper {
    /// It was started, by whomever.
    pub fn started(&mut self, now: u64) {
        self.started = Some(now);
        self.due = None;
    }

    /// It ended. `comes_back`: the engine's policy starts it again.
    pub fn ended(&mut self, now: u64, how: End, comes_back: bool) -> Verdict {
        // Whoever held out as long as a loop's window is none.
        if self.started.is_some_and(|started| now.saturating_sub(started) >= WINDOW_MS) {
            self.pauses = 0;
        }
        while self.deaths.front().is_some_and(|at| now.saturating_sub(*at) > WINDOW_MS) {
            self.deaths.pop_front();
        }
        match how {
            End::ByHand => {
                *self = Self::default();
                Verdict::Leave
            }
            End::Clean => Verdict::Leave,
            // A pause that has begun goes on.
            End::ByUs if self.due.is_some() => Verdict::Leave,
            End::ByUs => self.pause(now, FIRST_MS, Verdict::StartIn),
            // Who must not come back by its policy is a program that runs once.
            End::Died | End::Oom if !comes_back => Verdict::Leave,
            End::Died | End::Oom | End::NotStarted => {
                self.deaths.push_back(now);
                if self.deaths.len() >= LOOP {
                    self.deaths.clear();
                    return self.pause(now, FIRST_OF_LOOP_MS, Verdict::Break);
                }
                if how != End::NotStarted {
                    return Verdict::Leave;
                }
                self.pause(now, FIRST_MS, Verdict::StartIn)
            }
        }
    }

    /// It is to be looked at again then, and started if it is down.
    pub const fn look_again(&mut self, at: u64) {
        self.due = Some(at);
    }

    /// Is its pause over?
    pub fn is_due(&mut self, now: u64) -> bool {
        let due = self.due.is_some_and(|due| now >= due);
        if due {
            self.due = None;
        }
        due
    }

    /// When its pause ends, ms.
    pub const fn due(&self) -> Option<u64> {
        self.due
    }

    fn pause(&mut self, now: u64, first: u64, verdict: fn(u64) -> Verdict) -> Verdict {
        let pause = first.saturating_mul(1 << self.pauses.min(10)).min(LONGEST_MS);
        self.pauses = self.pauses.saturating_add(1);
        self.due = Some(now.saturating_add(pause));
        verdict(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recycling_worker_is_no_loop() {
        let mut keeper = Keeper::default();
        for at in 0..100 {
            keeper.started(at * 1000);
            assert_eq!(keeper.ended(at * 1000 + 900, End::Clean, true), Verdict::Leave);
        }
    }

    #[test]
    fn a_loop_is_broken_and_pauses_grow() {
        let mut keeper = Keeper::default();
        let mut breaks = Vec::new();
        let mut now = 0;
        for _ in 0..25 {
            keeper.started(now);
            now += 1000;
            if let Verdict::Break(pause) = keeper.ended(now, End::Died, true) {
                breaks.push(pause);
                assert!(!keeper.is_due(now + pause - 1));
                assert!(keeper.is_due(now + pause));
                now += pause;
            }
        }
        assert_eq!(breaks, [60_000, 120_000, 240_000, 300_000, 300_000]);
    }

    #[test]
    fn slow_deaths_are_no_loop_and_forget_the_pauses() {
        let mut keeper = Keeper::default();
        for at in 1..20 {
            keeper.started(at * 400_000 - 399_000);
            assert_eq!(keeper.ended(at * 400_000, End::Oom, true), Verdict::Leave, "{at}");
        }
        let mut now = 0;
        let mut keeper = Keeper::default();
        for wanted in [1000, 2000, 4000, 8000] {
            assert_eq!(keeper.ended(now, End::NotStarted, true), Verdict::StartIn(wanted));
            now += wanted;
            keeper.started(now);
        }
        now += WINDOW_MS;
        assert_eq!(keeper.ended(now, End::NotStarted, true), Verdict::StartIn(1000));
    }

    #[test]
    fn what_runs_once_runs_once() {
        let mut keeper = Keeper::default();
        assert_eq!(keeper.ended(5, End::Clean, false), Verdict::Leave);
        assert_eq!(keeper.ended(6, End::Died, false), Verdict::Leave);
        assert_eq!(keeper.due(), None);
        assert_eq!(keeper.ended(7, End::ByUs, false), Verdict::StartIn(1000), "we owe it that");
    }

    #[test]
    fn whom_somebody_stopped_stays_down() {
        let mut keeper = Keeper::default();
        assert_eq!(keeper.ended(5, End::ByHand, true), Verdict::Leave);
        assert_eq!(keeper.due(), None);
    }
}
