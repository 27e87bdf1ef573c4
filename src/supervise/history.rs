//! The supervisor's own history: lines of JSON on disk, of bounded size. The engine forgets all but its last 256 events.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::event::Event;
use crate::host::{Host, HostError, Result};

/// Where it is.
pub const FOLDER: &str = "/var/lib/civicum-tune/events";
/// The newest file; older ones have a number behind their name.
const NEWEST: &str = "/var/lib/civicum-tune/events/events.jsonl";
/// A file of this size is put aside, bytes.
const FULL: u64 = 1 << 20;
/// So many files are kept beside the newest.
const KEPT: u32 = 3;
/// How soon what could not be written is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// A thread that writes it. While memory is short and the disk swaps an fsync may take seconds, and the ladder never waits.
/// Whoever drops it waits until all is on disk.
#[derive(Debug)]
pub struct Pen {
    events: Option<Sender<Event>>,
    thread: Option<JoinHandle<()>>,
}

impl Pen {
    /// Begins to wait for events.
    pub fn begin() -> std::io::Result<Self> {
        let (events, told) = channel();
        let thread =
            thread::Builder::new().name("pen".to_owned()).stack_size(256 << 10).spawn(move || {
                if let Ok(host) = Host::live() {
                    note(&host, &told);
                }
            })?;
        Ok(Self { events: Some(events), thread: Some(thread) })
    }

    /// Has an event written soon.
    pub fn write(&self, event: Event) {
        // Where nobody listens any more, `is_broken` says so.
        let _ = self.events.as_ref().map(|events| events.send(event));
    }

    /// It ended, though nobody asked it to.
    pub fn is_broken(&self) -> bool {
        self.thread.as_ref().is_some_and(JoinHandle::is_finished)
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        drop(self.events.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn note(host: &Host, told: &Receiver<Event>) {
    let mut history = History::default();
    loop {
        let next = if history.waiting.is_empty() {
            told.recv().map_err(RecvTimeoutError::from)
        } else {
            told.recv_timeout(AGAIN)
        };
        let is_over = next == Err(RecvTimeoutError::Disconnected);
        for event in next.into_iter().chain(told.try_iter()) {
            history.add(&event);
        }
        // A full disk ends nothing: what could not be written waits.
        let _ = history.flush(host);
        if is_over {
            return;
        }
    }
}

/// What waits to be written.
#[derive(Debug, Default)]
pub struct History {
    waiting: String,
    /// The first line of ours was begun: a power cut may have left half a line before it.
    begun: bool,
}

impl History {
    /// Takes an event in; it is on disk after the next [`Self::flush`]. On a disk that stays full no more is kept than a file holds.
    pub fn add(&mut self, event: &Event) {
        if u64::try_from(self.waiting.len()).is_ok_and(|length| length >= FULL) {
            return;
        }
        // It has only texts, numbers and lists: nothing in it can't be written as JSON.
        if let Ok(line) = serde_json::to_string(event) {
            if !std::mem::replace(&mut self.begun, true) {
                self.waiting.push('\n');
            }
            self.waiting.push_str(&line);
            self.waiting.push('\n');
        }
    }

    /// Writes what waits, all of it with one fsync.
    pub fn flush(&mut self, host: &Host) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        host.make_state_folder()?;
        host.make_folders(NEWEST)?;
        if host.size(NEWEST).is_some_and(|size| size >= FULL) {
            for number in (0..KEPT).rev() {
                let from = aside(number);
                if host.exists(&from) {
                    host.rename(&from, &aside(number + 1))?;
                }
            }
        }
        if let Err(error) = host.append(NEWEST, self.waiting.as_bytes()) {
            // A full disk may have taken half of it.
            if !self.waiting.starts_with('\n') {
                self.waiting.insert(0, '\n');
            }
            return Err(error);
        }
        self.waiting.clear();
        Ok(())
    }
}

fn aside(number: u32) -> String {
    if number == 0 { NEWEST.to_owned() } else { format!("{FOLDER}/events.{number}.jsonl") }
}

/// Goes through all of it that is of this deployment, from the oldest event to the newest, and holds one file of it at a time.
pub fn each(host: &Host, deployment: &str, mut see: impl FnMut(Event)) -> std::result::Result<(), HostError> {
    for number in (0..=KEPT).rev() {
        let text = host.read_text(&aside(number))?.unwrap_or_default();
        events(&text, deployment).for_each(&mut see);
    }
    Ok(())
}

/// A line that a power cut left half is passed over.
fn events(text: &str, deployment: &str) -> impl DoubleEndedIterator<Item = Event> {
    let is_of_it =
        move |event: &Event| deployment.is_empty() || ["", deployment].contains(&event.deployment.as_str());
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(is_of_it)
}

/// Reads it: the last `most` events of a deployment, or of all where it is empty; the newest last.
pub fn read(host: &Host, deployment: &str, most: usize) -> std::result::Result<Vec<Event>, HostError> {
    let mut found = Vec::new();
    for number in 0..=KEPT {
        let Some(text) = host.read_text(&aside(number))? else { continue };
        found.extend(events(&text, deployment).rev());
        if found.len() >= most {
            break;
        }
    }
    found.truncate(most);
    found.reverse();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::event::What;
    use super::*;

    fn event(number: usize) -> Event {
        Event {
            at: format!("{number:08}"),
            deployment: "a".to_owned(),
            service: None,
            what: What::NotDone { why: "x".repeat(1000) },
        }
    }

    #[test]
    fn it_is_bounded_and_keeps_the_newest() {
        let tree = tempfile::tempdir().expect("a folder");
        let host = Host::at(tree.path()).expect("the tree");
        let mut history = History::default();
        for number in 0..8000 {
            history.add(&event(number));
            if number % 100 == 99 {
                history.flush(&host).expect("written");
            }
        }
        let state = host.stat(crate::host::STATE).expect("looked at").expect("made");
        assert_eq!(state.mode & 0o777, 0o700);
        let sizes: Vec<u64> = (0..=KEPT + 1).filter_map(|n| host.size(&aside(n))).collect();
        assert_eq!(sizes.len(), 4);
        assert!(sizes.iter().sum::<u64>() < 5 << 20, "{sizes:?}");
        let found = read(&host, "a", 1500).expect("read");
        assert_eq!(found.len(), 1500);
        assert_eq!((found[0].at.as_str(), found[1499].at.as_str()), ("00006500", "00007999"));
        let (mut before, mut count) = (String::new(), 0);
        each(&host, "a", |event| {
            assert!(event.at > before, "{} after {before}", event.at);
            (before, count) = (event.at, count + 1);
        })
        .expect("read");
        assert!(before == "00007999" && count > 1500);
    }

    #[test]
    fn a_half_line_harms_nothing() {
        let tree = tempfile::tempdir().expect("a folder");
        let host = Host::at(tree.path()).expect("the tree");
        let mut history = History::default();
        history.add(&event(1));
        history.flush(&host).expect("written");
        host.append(NEWEST, b"{\"at\":\"2026").expect("written");
        let mut history = History::default();
        history.add(&event(2));
        history.flush(&host).expect("written");
        assert_eq!(read(&host, "a", 10).expect("read").len(), 2);
        assert_eq!(read(&host, "b", 10).expect("read").len(), 0, "another deployment's");
    }
}
