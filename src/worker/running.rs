//! The jobs in work.

use std::cell::RefCell;
use std::collections::HashMap;

use tokio::sync::watch;

use super::{InWork, Stage};
use crate::queue::{Claim, Held};

/// Why a job is stopped before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Go on.
    No,
    /// Somebody wants it cancelled.
    Cancel,
    /// It is not ours any more: nothing is to be told of it.
    Lost,
    /// The worker ends: another one shall have it.
    Release,
}

struct Job {
    document: i64,
    stage: Stage,
    fence: i32,
    progress: (i32, i32),
    stop: watch::Sender<Stop>,
}

/// All of them, by their number.
#[derive(Default)]
pub(super) struct Running(RefCell<HashMap<i64, Job>>);

impl Running {
    /// A job begins. What is received tells when to stop.
    pub(super) fn begin(&self, stage: Stage, claim: &Claim) -> watch::Receiver<Stop> {
        let (stop, told) = watch::channel(Stop::No);
        let of = Job { document: claim.document, stage, fence: claim.fence, progress: (0, 0), stop };
        self.0.borrow_mut().insert(claim.job, of);
        told
    }

    /// It has ended.
    pub(super) fn end(&self, claim: &Claim) {
        // The same job may be in work anew.
        self.0.borrow_mut().retain(|job, of| *job != claim.job || of.fence != claim.fence);
    }

    /// How far it is.
    pub(super) fn progress(&self, claim: &Claim, done: i32, total: i32) {
        if let Some(job) = self.0.borrow_mut().get_mut(&claim.job).filter(|job| job.fence == claim.fence) {
            job.progress = (done, total);
        }
    }

    /// For a heartbeat.
    pub(super) fn held(&self) -> Vec<Held> {
        let all = self.0.borrow();
        let held = |(job, of): (&i64, &Job)| Held {
            job: *job,
            fence: of.fence,
            done: of.progress.0,
            total: of.progress.1,
        };
        all.iter().map(held).collect()
    }

    /// For whoever asks what is in work.
    pub(super) fn told(&self) -> Vec<InWork> {
        let all = self.0.borrow();
        let mut told: Vec<InWork> = all
            .iter()
            .map(|(job, of)| InWork {
                job: *job,
                document: of.document,
                stage: of.stage.name().to_owned(),
                done: of.progress.0,
                total: of.progress.1,
            })
            .collect();
        told.sort_by_key(|one| one.job);
        told
    }

    /// Stops one.
    pub(super) fn stop(&self, job: i64, fence: i32, why: Stop) {
        if let Some(of) = self.0.borrow().get(&job).filter(|of| of.fence == fence) {
            of.stop.send_replace(why);
        }
    }

    /// Stops all.
    pub(super) fn stop_all(&self, why: Stop) {
        for of in self.0.borrow().values() {
            of.stop.send_replace(why);
        }
    }

    /// How many of one stage.
    pub(super) fn of(&self, stage: Stage) -> usize {
        self.0.borrow().values().filter(|of| of.stage == stage).count()
    }

    pub(super) fn len(&self) -> usize {
        self.0.borrow().len()
    }
}
