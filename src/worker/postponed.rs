//! What was postponed: how long its stage rests, and when a job that is always the one has to answer for it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Stage;

/// How long a stage rests when one of its jobs could not begin, and how long that job is left alone.
pub(super) const LATER: Duration = Duration::from_secs(20);
/// The longest that a job is left alone.
const LONGEST: Duration = Duration::from_secs(600);
/// So often a job may be the only one. After that each time costs an attempt.
const FREE: u32 = 5;
/// So often a job may be suspect, whatever became of the others: two that break the server down would excuse each other for ever.
const OFTEN: u32 = 50;
/// Jobs that are remembered.
const MOST: usize = 10_000;

/// Of both stages.
#[derive(Default)]
pub(super) struct Postponed([RefCell<Of>; 2]);

#[derive(Default)]
struct Of {
    /// Until then nothing begins; after it one job tries.
    rest: Option<Instant>,
    /// Jobs that were done, and that were postponed, since the worker's start.
    made: u64,
    postponed: u64,
    jobs: HashMap<i64, Job>,
}

/// A job, as it was when it was postponed last.
#[derive(Clone, Copy)]
struct Job {
    alone: u32,
    suspect: u32,
    made: u64,
    postponed: u64,
}

impl Postponed {
    /// A job is postponed: how long it is left alone, or `None` where that costs it an attempt, since it was the only one too
    /// often. It is the only one where others were done meanwhile; and where it is `suspect`, also where nobody else was
    /// postponed, or where it has been suspect all too often.
    pub(super) fn once_more(&self, stage: Stage, job: i64, suspect: bool) -> Option<Duration> {
        let mut of = self.0[stage as usize].borrow_mut();
        of.rest = Some(Instant::now() + LATER);
        of.postponed += 1;
        let (made, postponed) = (of.made, of.postponed);
        let before = of.jobs.get(&job).copied();
        let suspect_before = before.map_or(0, |before| before.suspect);
        let is_alone = before.is_some_and(|before| {
            let is_only_one = postponed == before.postponed + 1 || before.suspect >= OFTEN;
            made > before.made || suspect && is_only_one
        });
        let alone = before.map_or(0, |before| before.alone) + u32::from(is_alone);
        if of.jobs.len() >= MOST {
            of.jobs.clear();
        }
        of.jobs.insert(job, Job { alone, suspect: suspect_before + u32::from(suspect), made, postponed });
        let longer = LATER * 2_u32.pow(alone.min(10));
        (!is_alone || alone <= FREE).then_some(longer.min(LONGEST))
    }

    /// A job is done: what others were postponed for is over.
    pub(super) fn made(&self, stage: Stage, job: i64) {
        let mut of = self.0[stage as usize].borrow_mut();
        of.rest = None;
        of.made += 1;
        of.jobs.remove(&job);
    }

    /// How long the stage still rests. Nothing left of it: one job may try; `None`: all may.
    pub(super) fn rest(&self, stage: Stage) -> Option<Duration> {
        let rest = self.0[stage as usize].borrow().rest?;
        Some(rest.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGE: Stage = Stage::Extract;

    #[test]
    fn an_outage_costs_nobody_an_attempt() {
        let postponed = Postponed::default();
        for _ in 0..50 {
            for job in 1..=3 {
                assert_eq!(postponed.once_more(STAGE, job, true), Some(LATER));
            }
        }
        // Those that break it down together are found out after all.
        let mut charged = |_| (1..=3).filter(|job| postponed.once_more(STAGE, *job, true).is_none()).count();
        assert_eq!((0..7).map(&mut charged).collect::<Vec<_>>(), [0, 0, 0, 0, 0, 3, 3]);
        // Nor one that waits alone, as long as nothing says that it is the document's.
        let postponed = Postponed::default();
        assert!((0..100).all(|_| postponed.once_more(STAGE, 1, false) == Some(LATER)));
    }

    #[test]
    fn who_is_always_the_only_one_answers_for_it() {
        // Others are done, and this one never.
        let postponed = Postponed::default();
        let waits: Vec<_> = (0..9)
            .map(|other| {
                postponed.made(STAGE, 100 + other);
                postponed.once_more(STAGE, 1, false).map(|wait| wait.as_secs())
            })
            .collect();
        let first = [20, 40, 80, 160, 320, 600].map(Some);
        assert_eq!(waits, [&first[..], &[None; 3]].concat());
        // The server breaks down over it each time, and nobody else waits.
        let postponed = Postponed::default();
        let waits: Vec<_> = (0..7).map(|_| postponed.once_more(STAGE, 1, true).is_some()).collect();
        assert_eq!(waits, [true, true, true, true, true, true, false]);
        postponed.made(STAGE, 1);
        assert_eq!(postponed.once_more(STAGE, 1, true), Some(LATER));
    }

    #[test]
    fn a_stage_rests_until_one_is_done() {
        let postponed = Postponed::default();
        assert_eq!(postponed.rest(STAGE), None);
        postponed.once_more(STAGE, 1, false);
        assert!(postponed.rest(STAGE).is_some_and(|rest| rest > LATER / 2));
        assert_eq!(postponed.rest(Stage::Ocr), None);
        postponed.made(STAGE, 2);
        assert_eq!(postponed.rest(STAGE), None);
    }
}
