//! The worker: claims a document, has a child read it, stores what came out. It holds no transaction and no document in its own
//! memory; a document that kills, kills the child.

mod claims;
mod counts;
mod extract;
mod health;
mod job;
mod link;
mod log;
mod read;
mod running;

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::llm::{Limits, Server};
use crate::queue::{Database, QueueError, Store};

use counts::Counts;
use link::Link;
use log::event;
use running::{Running, Stop};

/// What a worker does, and with what.
pub struct Worker {
    /// Where the queue is.
    pub database: Database,
    /// Where the documents are.
    pub store: Store,
    /// What it is called in the database.
    pub name: String,
    /// Reading documents.
    pub ocr: Ocr,
    /// Extracting from what was read.
    pub extract: Extract,
    /// Where `/health` and `/metrics` are served.
    pub listen: Option<SocketAddr>,
    /// How long jobs in work may go on after SIGTERM.
    pub grace: Duration,
    /// How long the archive is kept, days.
    pub keep_days: i32,
    /// End when the queue is empty.
    pub until_empty: bool,
}

/// How documents are read.
#[derive(Debug, Clone)]
pub struct Ocr {
    /// Documents at a time; 0 reads none.
    pub jobs: usize,
    /// The options of `civicum-tune ocr`.
    pub options: Vec<String>,
    /// The longest that one document may take.
    pub deadline: Duration,
}

/// How what a schema asks is extracted.
#[derive(Debug, Clone)]
pub struct Extract {
    /// Documents at a time; 0 extracts from none.
    pub jobs: usize,
    /// The model's server.
    pub server: Option<Server>,
    /// What one answer may take.
    pub limits: Limits,
    /// What to look for, in words, besides what a schema says.
    pub instruction: String,
    /// The folder that holds schemas of one's own, `NAME.json` each.
    pub schemas: Option<String>,
    /// The longest that one document may take.
    pub deadline: Duration,
}

/// What is done with a document, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Ocr,
    Extract,
}

impl Stage {
    /// The queue's name.
    const fn name(self) -> &'static str {
        match self {
            Self::Ocr => "ocr",
            Self::Extract => "extract",
        }
    }
}

/// How often leases are renewed.
const BEAT: Duration = Duration::from_secs(15);
/// How often lost jobs are looked for.
const REAP: Duration = Duration::from_secs(1);
/// After the database was away, its other workers have so much time to renew their leases before anybody takes them for lost.
const AWAY: Duration = Duration::from_secs(20);
/// How often the archive is put in order.
const KEEP: Duration = Duration::from_secs(3600);

/// What all tasks of a worker share.
struct Shared {
    worker: Worker,
    link: Link,
    running: Running,
    counts: Counts,
    /// Somebody enqueued for the stage, or may have; or a hand is free.
    wake: [Notify; 2],
    /// A job has ended.
    ended: Notify,
    /// Somebody wants a job cancelled: beat now.
    beat: Notify,
    paused: std::cell::Cell<bool>,
    draining: std::cell::Cell<bool>,
}

impl Worker {
    /// Works until SIGTERM or SIGINT, then finishes what is in work, or gives it back.
    pub fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let tasks = LocalSet::new();
        tasks.block_on(&runtime, self.work())
    }

    async fn work(self) -> anyhow::Result<()> {
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (mut pause, mut resume) =
            (signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?);
        let link = tokio::select! {
            link = Link::open(self.database.clone(), &self.name) => link?,
            _ = term.recv() => return Ok(()),
            _ = int.recv() => return Ok(()),
        };
        event(
            "info",
            "started",
            &[
                ("worker", &link.worker),
                ("database", &self.database.shown()),
                ("ocr_jobs", &self.ocr.jobs),
                ("extract_jobs", &self.extract.jobs),
            ],
        );
        let shared = Rc::new(Shared {
            worker: self,
            link,
            running: Running::default(),
            counts: Counts::default(),
            wake: [Notify::new(), Notify::new()],
            ended: Notify::new(),
            beat: Notify::new(),
            paused: false.into(),
            draining: false.into(),
        });
        if let Some(address) = shared.worker.listen {
            health::serve(address, Rc::clone(&shared)).await?;
        }
        tokio::task::spawn_local(keep_link(Rc::clone(&shared)));
        tokio::task::spawn_local(beats(Rc::clone(&shared)));
        tokio::task::spawn_local(reaps(Rc::clone(&shared)));
        let ocr = tokio::task::spawn_local(claims::run(Rc::clone(&shared), Stage::Ocr));
        let extract = tokio::task::spawn_local(claims::run(Rc::clone(&shared), Stage::Extract));
        let claims = async { tokio::join!(ocr, extract) };
        tokio::pin!(claims);
        let mut claiming = true;
        while claiming {
            tokio::select! {
                _ = term.recv() => break,
                _ = int.recv() => break,
                _ = pause.recv() => shared.pause(true),
                _ = resume.recv() => shared.pause(false),
                _ = &mut claims, if shared.worker.until_empty => claiming = false,
            }
        }
        shared.draining.set(true);
        shared.wake_all();
        if claiming {
            // A claim that is on its way is a job of ours: it is given back with the others.
            let _ = tokio::time::timeout(Duration::from_secs(3), claims).await;
        }
        shared.drain().await;
        event(
            "info",
            "stopped",
            &[("done", &shared.counts.done.get()), ("failed", &shared.counts.failed.get())],
        );
        Ok(())
    }
}

impl Worker {
    /// How many jobs of the stage at a time, and the longest that one may take.
    fn hands(&self, stage: Stage) -> (usize, Duration) {
        match stage {
            Stage::Ocr => (self.ocr.jobs, self.ocr.deadline),
            Stage::Extract => (self.extract.jobs, self.extract.deadline),
        }
    }
}

impl Shared {
    const fn wake(&self, stage: Stage) -> &Notify {
        &self.wake[stage as usize]
    }

    fn wake_all(&self) {
        for wake in &self.wake {
            wake.notify_one();
        }
    }

    fn pause(&self, paused: bool) {
        if self.paused.replace(paused) != paused {
            event("info", if paused { "paused" } else { "resumed" }, &[("in_work", &self.running.len())]);
        }
        self.wake_all();
    }

    /// Lets end what is in work; what does not end within the grace is stopped and given back.
    async fn drain(&self) {
        if self.running.len() > 0 {
            event(
                "info",
                "draining",
                &[("in_work", &self.running.len()), ("seconds", &self.worker.grace.as_secs())],
            );
        }
        let ended = async {
            while self.running.len() > 0 {
                self.ended.notified().await;
            }
        };
        if tokio::time::timeout(self.worker.grace, ended).await.is_err() {
            self.running.stop_all(Stop::Release);
            let _ = tokio::time::timeout(Duration::from_secs(3), async {
                while self.running.len() > 0 {
                    self.ended.notified().await;
                }
            })
            .await;
        }
    }
}

/// Hears what is told, and opens the sessions anew when they break.
async fn keep_link(shared: Rc<Shared>) {
    loop {
        let mut session = shared.link.listen().await;
        // What was told while nobody listened.
        shared.wake_all();
        shared.beat.notify_one();
        while let Some(channel) = session.notices.recv().await {
            if channel == "civicum_cancel" { shared.beat.notify_one() } else { shared.wake_all() }
        }
        event("warn", "the database's session ended", &[]);
        shared.link.broken();
    }
}

/// Renews the leases; what is not ours any more is stopped.
async fn beats(shared: Rc<Shared>) {
    loop {
        tokio::select! {
            () = sleep(BEAT) => {}
            () = shared.beat.notified() => {}
        }
        let held = shared.running.held();
        if held.is_empty() {
            continue;
        }
        let queue = shared.link.queue().await;
        match queue.beat(&held).await {
            Ok(ours) => {
                for one in &held {
                    match ours.iter().find(|(job, _)| *job == one.job) {
                        None => shared.running.stop(one.job, one.fence, Stop::Lost),
                        Some((_, true)) => shared.running.stop(one.job, one.fence, Stop::Cancel),
                        Some((_, false)) => {}
                    }
                }
            }
            Err(error) => shared.trouble(&error).await,
        }
    }
}

/// Gives back what others lost, and keeps the archive in order.
async fn reaps(shared: Rc<Shared>) {
    let mut kept: Option<tokio::time::Instant> = None;
    loop {
        sleep(REAP).await;
        let queue = shared.link.queue().await;
        if shared.link.was_away(AWAY) {
            continue;
        }
        match queue.reap().await {
            Ok(lost) => {
                for (job, became) in lost {
                    shared.counts.reaped.set(shared.counts.reaped.get() + 1);
                    event(
                        "warn",
                        "a lost job was given back",
                        &[("job", &job), ("became", &format!("{became:?}").to_lowercase())],
                    );
                }
            }
            Err(error) => shared.trouble(&error).await,
        }
        if kept.is_none_or(|kept| kept.elapsed() > KEEP) {
            if let Err(error) = queue.keep_archive(shared.worker.keep_days).await {
                shared.trouble(&error).await;
            }
            kept = Some(tokio::time::Instant::now());
        }
    }
}

impl Shared {
    /// What the database said is logged; its sessions are opened anew where they are gone.
    async fn trouble(&self, error: &QueueError) {
        event("warn", "the database did not do it", &[("error", &error.to_string())]);
        self.link.mend().await;
        sleep(Duration::from_millis(200)).await;
    }
}
