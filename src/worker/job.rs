//! One job, from its claim to what the queue is told of its end.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

use super::counts::add;
use super::log::event;
use super::running::Stop;
use super::{Shared, Stage, extract, read};
use crate::queue::{Became, Claim, Made, Queue, QueueError};

/// How long a job is left alone that could not begin.
const LATER: Duration = Duration::from_secs(20);

/// How an attempt ended.
pub(super) enum End {
    /// With a result, of so many pages or parts.
    Made(Made, usize),
    /// Without one. `again`: another attempt may succeed; `crash`: it killed what read it.
    Failed { why: String, again: bool, crash: bool },
    /// It could not begin, by no fault of the document: it is due again after a while, and the attempt does not count.
    Postponed { why: String, wait: Duration },
    /// It was told to stop.
    Stopped(Stop),
}

impl End {
    pub(super) fn failed(why: impl Into<String>, again: bool) -> Self {
        Self::Failed { why: why.into(), again, crash: false }
    }

    /// It is the host that is at fault: a full disk, a program that is not there. Every document would fail on it.
    pub(super) fn postponed(why: impl Into<String>) -> Self {
        Self::Postponed { why: why.into(), wait: LATER }
    }
}

/// Does one job, and tells the queue how it ended.
pub(super) async fn run(shared: Rc<Shared>, stage: Stage, claim: Claim, mut told: watch::Receiver<Stop>) {
    let begun = Instant::now();
    event(
        "info",
        "claimed",
        &[
            ("stage", &stage.name()),
            ("document", &claim.document),
            ("job", &claim.job),
            ("attempt", &claim.attempt),
        ],
    );
    let end = tokio::select! {
        end = attempt(&shared, stage, &claim) => end,
        stop = stopped(&mut told) => End::Stopped(stop),
    };
    let tale = Tale { shared: &shared, stage, claim: &claim, begun };
    tale.tell(&end).await;
    add(&shared.counts.busy_ms, u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
    shared.running.end(&claim);
    shared.ended.notify_waiters();
    shared.wake_all();
}

async fn stopped(told: &mut watch::Receiver<Stop>) -> Stop {
    // Whoever could tell is the registry, which outlives the job.
    told.wait_for(|stop| *stop != Stop::No).await.map_or(Stop::Lost, |stop| *stop)
}

async fn attempt(shared: &Shared, stage: Stage, claim: &Claim) -> End {
    let (sha256, schema) = loop {
        match shared.link.queue().await.document(claim.document).await {
            Ok(found) => break found,
            Err(error) if error.passing => shared.trouble(&error).await,
            Err(error) => return End::failed(error.to_string(), true),
        }
    };
    let deadline = shared.deadline(stage);
    let work = async {
        match stage {
            Stage::Ocr => read::document(shared, claim, &sha256, schema.is_some()).await,
            Stage::Extract => extract::document(shared, claim, schema.as_deref()).await,
        }
    };
    // A host that was busy may have time the next time; twice is enough.
    let late =
        |_| End::failed(format!("timeout: it took longer than {} s", deadline.as_secs()), claim.attempt < 2);
    timeout(deadline, work).await.unwrap_or_else(late)
}

struct Tale<'a> {
    shared: &'a Shared,
    stage: Stage,
    claim: &'a Claim,
    begun: Instant,
}

impl Tale<'_> {
    /// Tells the queue, as long as it takes. After a lost connection nobody knows whether it was done: the fence makes a second
    /// time harmless.
    async fn tell(&self, end: &End) {
        loop {
            let queue = self.shared.link.queue().await;
            match self.once(&queue, end).await {
                Ok(()) => return,
                Err(error) if error.passing => self.shared.trouble(&error).await,
                Err(error) => {
                    event(
                        "error",
                        "the queue did not take it",
                        &[("job", &self.claim.job), ("error", &error.to_string())],
                    );
                    return;
                }
            }
        }
    }

    async fn once(&self, queue: &Queue, end: &End) -> Result<(), QueueError> {
        let (counts, claim) = (&self.shared.counts, self.claim);
        match end {
            End::Made(made, parts) => {
                let stored = queue.finish(claim, made).await?;
                add(if stored { &counts.done } else { &counts.stale }, 1);
                if self.stage == Stage::Ocr {
                    add(&counts.pages, *parts as u64);
                }
                let what = if stored { "done" } else { "stored before, or not ours any more" };
                self.event("info", what, &[("parts", parts), ("findings", &made.findings)]);
            }
            End::Failed { why, again, crash } => {
                if *crash {
                    self.shared.remember_crash(claim.document, self.stage);
                }
                let became = queue.give_back(claim, why, *again, *crash).await?;
                add(&counts.failed, 1);
                // Only what stands before the colon is ours alone.
                let code = why.split(':').next().unwrap_or("");
                self.event(
                    "warn",
                    "failed",
                    &[("why", &code), ("became", &format!("{became:?}").to_lowercase())],
                );
            }
            End::Postponed { why, wait } => {
                queue.release(std::slice::from_ref(claim), *wait, Some(why.as_str())).await?;
                let code = why.split(':').next().unwrap_or("");
                self.event("warn", "postponed", &[("why", &code), ("wait_seconds", &wait.as_secs())]);
            }
            End::Stopped(Stop::Cancel) => {
                if queue.give_back(claim, "it was cancelled", false, false).await? == Became::Cancelled {
                    self.event("info", "cancelled", &[]);
                }
            }
            End::Stopped(Stop::Release) => {
                queue.release(std::slice::from_ref(claim), Duration::ZERO, None).await?;
                self.event("info", "given back unfinished", &[]);
            }
            End::Stopped(_) => {
                add(&counts.stale, 1);
                self.event("warn", "not ours any more", &[]);
            }
        }
        Ok(())
    }

    fn event(&self, level: &str, what: &str, more: &[(&str, &dyn std::fmt::Display)]) {
        let seconds = format!("{:.2}", self.begun.elapsed().as_secs_f64());
        let name = self.stage.name();
        let mut of: Vec<(&str, &dyn std::fmt::Display)> =
            vec![("stage", &name), ("document", &self.claim.document), ("job", &self.claim.job)];
        of.extend_from_slice(more);
        of.push(("seconds", &seconds));
        event(level, what, &of);
    }
}
