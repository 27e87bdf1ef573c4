//! One job, from its claim to what the queue is told of its end.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::time::timeout;

use super::counts::add;
use super::log::event;
use super::postponed::LATER;
use super::running::Stop;
use super::{Shared, Stage, extract, read};
use crate::queue::{Became, Claim, Made, Queue, QueueError};

/// How an attempt ended.
pub(super) enum End {
    /// With a result, of so many pages or parts.
    Made(Made, usize),
    /// Without one. `again`: another attempt may succeed; `crash`: it killed what read it.
    Failed { why: String, again: bool, crash: bool },
    /// It could not begin, by no fault of the document: it is due again after a while, and the attempt does not count.
    /// `suspect`: the document may be at fault all the same.
    Postponed { why: String, wait: Duration, suspect: bool },
    /// It was told to stop.
    Stopped(Stop),
}

impl End {
    pub(super) fn failed(why: impl Into<String>, again: bool) -> Self {
        Self::Failed { why: why.into(), again, crash: false }
    }

    /// It is the host that is at fault: a full disk, a program that is not there. Every document would fail on it.
    pub(super) fn postponed(why: impl Into<String>) -> Self {
        Self::Postponed { why: why.into(), wait: LATER, suspect: false }
    }

    /// What it needs broke down over it: by itself, or because of the document.
    pub(super) fn suspect(why: impl Into<String>) -> Self {
        Self::Postponed { why: why.into(), wait: LATER, suspect: true }
    }
}

/// Does one job, and tells the queue how it ended.
pub(super) async fn run(shared: Rc<Shared>, stage: Stage, claim: Claim, mut told: watch::Receiver<Stop>) {
    let begun = Instant::now();
    let _hand = Hand { shared: &shared, claim: &claim, begun };
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
        end = guarded(attempt(&shared, stage, &claim), &claim) => end,
        stop = stopped(&mut told) => End::Stopped(stop),
    };
    let end = match end {
        End::Made(..) => {
            shared.postponed.made(stage, claim.job);
            end
        }
        // Where it is always this one, it is not the host.
        End::Postponed { why, suspect, .. } => match shared.postponed.once_more(stage, claim.job, suspect) {
            Some(wait) => End::Postponed { why, wait, suspect },
            None => End::failed(why, true),
        },
        other => other,
    };
    let tale = Tale { shared: &shared, stage, claim: &claim, begun };
    tale.tell(&end).await;
}

/// However a job ends, its hand is free again, and those who wait for that are told.
struct Hand<'a> {
    shared: &'a Shared,
    claim: &'a Claim,
    begun: Instant,
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        let ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        add(&self.shared.counts.busy_ms, ms);
        self.shared.running.end(self.claim);
        self.shared.ended.notify_waiters();
        self.shared.wake_all();
    }
}

/// A fault of this program's that a document brings to light is that document's end, not the worker's.
async fn guarded(attempt: impl Future<Output = End>, claim: &Claim) -> End {
    let caught = AssertUnwindSafe(attempt).catch_unwind().await;
    caught.unwrap_or_else(|_| {
        End::failed("fault: the program has a fault that this document brought to light", claim.attempt < 2)
    })
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
            End::Postponed { why, wait, .. } => {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_the_end_of_its_job_alone() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ends = |attempt| {
            let claim = Claim { job: 1, fence: 1, document: 1, attempt, crashes: 0 };
            let End::Failed { why, again, crash } =
                runtime.block_on(guarded(async { panic!("Ana") }, &claim))
            else {
                panic!("it did not fail")
            };
            assert!(why.starts_with("fault:") && !crash, "{why}");
            again
        };
        assert_eq!((ends(1), ends(2)), (true, false));
    }
}
