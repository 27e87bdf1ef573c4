//! The thread that asks what runs in the containers: the worker, what it has in work; the model, whether somebody calls it.
//! A container that is short of memory answers late, and nobody else waits for that.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::inside::Place;
use super::news::{News, Teller};
use crate::container::role::Role;
use crate::host::Host;
use crate::t;

/// How often is asked when nothing presses, and when something does.
const EVERY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_millis(500));

/// How long a worker may keep silent before that is told.
const SILENCE: Duration = Duration::from_secs(30);

/// See [`Look::Now`].
const MOMENT: Duration = Duration::from_millis(150);

/// What the eyes are told.
#[derive(Debug)]
pub(super) enum Look {
    /// Whom to look at.
    At(Ask),
    /// At once, after a moment in which what has happened is noticed.
    Now,
    /// Have the model unloaded, if nobody calls it.
    Unload,
}

/// Whom to look at, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ask {
    /// Workers and models.
    pub places: Vec<Place>,
    /// It presses.
    pub presses: bool,
    /// Whether somebody calls the models bears on something. The kernel takes milliseconds to tell: it walks all of its sockets.
    pub callers: bool,
}

/// Begins to look.
pub(super) fn begin(teller: Teller) -> std::io::Result<(Sender<Look>, JoinHandle<()>)> {
    let (sender, told) = channel();
    let thread = thread::Builder::new()
        .name("eyes".to_owned())
        .stack_size(256 << 10)
        .spawn(move || look(&told, &teller))?;
    Ok((sender, thread))
}

fn look(told: &Receiver<Look>, teller: &Teller) {
    let Ok(host) = Host::live() else { return };
    let mut ask = Ask::default();
    let mut silent: BTreeMap<String, Silence> = BTreeMap::new();
    let mut called: BTreeMap<String, usize> = BTreeMap::new();
    loop {
        let first = match told.recv_timeout(if ask.presses { EVERY.1 } else { EVERY.0 }) {
            Ok(first) => Some(first),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if matches!(first, Some(Look::Now)) {
            thread::sleep(MOMENT);
        }
        // However often it was asked to look while somebody was slow to answer, it looks once.
        for one in first.into_iter().chain(told.try_iter()) {
            match one {
                Look::At(new) => ask = new,
                Look::Unload => unload(&host, &ask.places, teller),
                Look::Now => {}
            }
        }
        silent.retain(|id, _| ask.places.iter().any(|place| place.id == *id));
        let mut seen = Vec::new();
        for place in ask.places.iter().filter(|place| place.role == Role::Worker) {
            match place.worker(&host) {
                Ok(state) => {
                    silent.remove(&place.id);
                    seen.push(News::Worker(place.id.clone(), state));
                }
                Err(error) => {
                    seen.extend(silent.entry(place.id.clone()).or_default().note(place, &error.to_string()));
                }
            }
        }
        // The worker is one of the model's callers, and may have begun to ask since it was asked what it does: who calls is who
        // called the last time too.
        let mut calling = BTreeMap::new();
        for place in ask.places.iter().filter(|place| place.role != Role::Worker && ask.callers) {
            let Some(callers) = place.callers(&host) else { continue };
            let before = called.get(&place.id).copied().unwrap_or(0);
            seen.push(News::Callers(place.id.clone(), callers.min(before)));
            calling.insert(place.id.clone(), callers);
        }
        called = calling;
        if !seen.is_empty() && !teller.tell(News::Together(seen)) {
            return;
        }
    }
}

/// A worker that does not answer.
#[derive(Debug)]
struct Silence {
    since: Instant,
    told: bool,
}

impl Default for Silence {
    fn default() -> Self {
        Self { since: Instant::now(), told: false }
    }
}

impl Silence {
    /// A moment of it is common: it begins, or is short of memory. What lasts is told, once.
    fn note(&mut self, place: &Place, why: &str) -> Option<News> {
        if self.told || self.since.elapsed() < SILENCE {
            return None;
        }
        self.told = true;
        let why = t!("it does not say what it does, so it can't be told to wait: {error}", error = why);
        Some(News::Silent(place.id.clone(), why))
    }
}

fn unload(host: &Host, places: &[Place], teller: &Teller) {
    for place in places.iter().filter(|place| place.role == Role::Ollama) {
        if place.callers(host) != Some(0) {
            continue;
        }
        match place.unload(host) {
            Ok(names) if names.is_empty() => {}
            Ok(names) => {
                teller.tell(News::Unloaded(names));
            }
            Err(error) => {
                teller.tell(News::Failed(place.service.clone(), error.to_string()));
            }
        }
    }
}
