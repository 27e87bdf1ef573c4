//! Measurements of this host: how far its memory compresses, how fast its model, its OCR, its queue and its disk are, and
//! which values of the profile that speaks for.
//!
//! Each section ends by itself within its share of the time, gives the spread over its repeats beside each median, and says
//! why where it could not tell. Nothing of the host is changed: what a section needs (a database, a file without a name, a
//! server on loopback) is its own, and gone when it ends.

pub mod advice;
pub mod disk;
pub mod llm;
pub mod load;
pub mod ocr;
mod page;
pub mod queue;
mod report;
mod room;
mod spread;
pub mod zswap;

use std::time::{Duration, Instant};

pub use page::pdf;
pub use report::{Cell, Column, Report, Section, Table};
pub use spread::{Spread, Verdict, quantile};

use crate::host::terminal;
use crate::t;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Kind {
    /// How far memory and model compress, how fast, and what each allocator makes of it
    Zswap,
    /// Tokens a second by model and threads, with a busy neighbour and without
    Llm,
    /// Pages a minute and peak memory by engine and threads
    Ocr,
    /// Latency and rate of claims in PostgreSQL
    Queue,
    /// Random reads and writes of 4 KiB, as swap makes them
    Disk,
}

impl Kind {
    /// All, in the order in which they are measured: the model last, since it takes whatever time is left.
    pub const ALL: [Self; 5] = [Self::Zswap, Self::Disk, Self::Queue, Self::Ocr, Self::Llm];

    /// Its word on the command line and in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Zswap => "zswap",
            Self::Llm => "llm",
            Self::Ocr => "ocr",
            Self::Queue => "queue",
            Self::Disk => "disk",
        }
    }

    /// Its share of the time, beside those of the others.
    const fn weight(self) -> u32 {
        match self {
            Self::Zswap => 3,
            Self::Disk | Self::Queue => 2,
            Self::Ocr => 5,
            Self::Llm => 8,
        }
    }
}

/// The share of what is left of the whole time that belongs to the first of these sections.
pub fn share(left: Duration, sections: &[Kind]) -> Duration {
    let all: u32 = sections.iter().map(|kind| kind.weight()).sum();
    sections.first().map_or(left, |first| left * first.weight() / all.max(1))
}

/// Why a section could not tell, in words.
pub type Told<T> = Result<T, String>;

/// The time of one section, and whoever follows its progress.
pub struct Pace<'a> {
    until: Instant,
    /// Little time: fewer repeats.
    pub quick: bool,
    said: &'a dyn Fn(&str),
}

impl<'a> Pace<'a> {
    /// Ends at `until`.
    pub fn new(until: Instant, quick: bool, said: &'a dyn Fn(&str)) -> Self {
        Self { until, quick, said }
    }

    /// When it has to be done.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// What is left.
    pub fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Is the time up, or did somebody ask us to stop?
    pub fn is_over(&self) -> bool {
        terminal::interrupted() || self.left().is_zero()
    }

    /// Tells what is being done.
    pub fn say(&self, text: &str) {
        (self.said)(text);
    }

    /// Waits for something, but no longer than there is time, and not when somebody asked us to stop.
    pub async fn bounded<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let stopped = async {
            while !self.is_over() {
                tokio::time::sleep(self.left().min(Duration::from_millis(50))).await;
            }
        };
        tokio::select! {
            done = work => Some(done),
            () = stopped => None,
        }
    }
}

/// Runs what needs an event loop.
pub(crate) fn run<T>(work: impl Future<Output = Told<T>>) -> Told<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| why.to_string())?;
    let done = tokio::task::LocalSet::new().block_on(&runtime, work);
    // A name that is still being looked up is nothing to wait for.
    runtime.shutdown_background();
    done
}

/// What a section says when its time was up before it had measured anything.
pub(crate) fn too_short() -> String {
    if terminal::interrupted() {
        return t!("it was stopped before the first measurement");
    }
    t!("the time was up before the first measurement; give it more with --time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_use_up_the_time() {
        let mut left = Duration::from_secs(120);
        for at in 0..Kind::ALL.len() {
            let part = share(left, &Kind::ALL[at..]);
            assert!(part <= left && part >= Duration::from_secs(10), "{part:?}");
            left -= part;
        }
        assert!(left.is_zero());
        // What one section leaves is the next ones'.
        assert_eq!(share(Duration::from_secs(60), &[Kind::Llm]), Duration::from_secs(60));
    }
}
