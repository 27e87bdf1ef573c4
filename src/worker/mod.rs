//! The worker: claims a document, has a child read it, stores what came out. It holds no transaction and looks into no document
//! itself; a document that kills, kills the child.

mod claims;
mod counts;
mod extract;
mod hands;
mod health;
mod job;
mod link;
mod log;
mod postponed;
mod read;
mod retention;
mod running;
mod state;
mod upkeep;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::LocalSet;

use crate::host::Host;
use crate::llm::{Limits, Server};
use crate::queue::{Database, Keep, Store};

use counts::Counts;
use link::Link;
use log::event;
use postponed::Postponed;
use running::{Running, Stop};

pub use hands::EACH;
pub use state::{Crash, InWork, State};

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
    /// How long documents are kept.
    pub keep: Keep,
    /// End when the queue is empty.
    pub until_empty: bool,
}

/// How documents are read.
#[derive(Debug, Clone)]
pub struct Ocr {
    /// Documents at a time; 0 reads none.
    pub jobs: usize,
    /// So many where the container's memory limit has room for them, [`EACH`] for one.
    pub most: usize,
    /// The most that reading one may take, bytes: the process, and each tool that it runs.
    pub memory: Option<u64>,
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

/// What all tasks of a worker share.
struct Shared {
    worker: Worker,
    host: Host,
    link: Link,
    running: Running,
    counts: Counts,
    postponed: Postponed,
    /// Jobs whose reader was killed: when, the document, the stage.
    crashed: RefCell<VecDeque<(Instant, i64, Stage)>>,
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
        log::panics();
        tasks.block_on(&runtime, self.work())
    }

    async fn work(self) -> anyhow::Result<()> {
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (mut pause, mut resume) =
            (signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?);
        // Whoever is not asked for this ignores it: it can be sent to a worker that has only begun.
        let mut give_back = signal(SignalKind::from_raw(nix::libc::SIGURG))?;
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
            host: Host::live()?,
            link,
            running: Running::default(),
            counts: Counts::default(),
            postponed: Postponed::default(),
            crashed: RefCell::default(),
            wake: [Notify::new(), Notify::new()],
            ended: Notify::new(),
            beat: Notify::new(),
            paused: false.into(),
            draining: false.into(),
        });
        if let Some(address) = shared.worker.listen {
            health::serve(address, Rc::clone(&shared)).await?;
        }
        tokio::task::spawn_local(upkeep::keep_link(Rc::clone(&shared)));
        tokio::task::spawn_local(upkeep::keep_queue(Rc::clone(&shared)));
        tokio::task::spawn_local(upkeep::beats(Rc::clone(&shared)));
        tokio::task::spawn_local(upkeep::reaps(Rc::clone(&shared)));
        tokio::task::spawn_local(retention::run(Rc::clone(&shared)));
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
                _ = give_back.recv() => shared.give_back(),
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

impl Shared {
    /// The longest that one job may take.
    const fn deadline(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Ocr => self.worker.ocr.deadline,
            Stage::Extract => self.worker.extract.deadline,
        }
    }

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

    /// A reader was killed over a document. Some are remembered, for whoever asks why.
    fn remember_crash(&self, document: i64, stage: Stage) {
        let mut crashed = self.crashed.borrow_mut();
        crashed.push_back((Instant::now(), document, stage));
        while crashed.len() > 16 {
            crashed.pop_front();
        }
    }

    /// Memory is needed elsewhere: what is in work goes back to the queue at once, and nothing new is claimed.
    fn give_back(&self) {
        self.pause(true);
        event("warn", "memory is short: all is given back", &[("in_work", &self.running.len())]);
        self.running.stop_all(Stop::Release);
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
