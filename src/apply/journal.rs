//! The journal of one generation: a line of JSON for each event, on the disk before we go on.

use serde::{Deserialize, Serialize};

use crate::host::{Host, Result};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A step that can't be recognised by looking (a command) is about to run.
    Begun {
        /// Which, from 0.
        step: usize,
    },
    /// A step is done.
    Done {
        /// Which, from 0.
        step: usize,
    },
    /// A step failed; undoing follows.
    Failed {
        /// Which, from 0.
        step: usize,
        /// Why.
        error: String,
    },
    /// All steps are done.
    Finished {
        /// In which boot of the host: after a cut it may be another one than that in which it was begun. Not told by programs
        /// before this field, nor in a tree.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        boot_id: Option<String>,
    },
    /// From here on steps are undone.
    Undoing {
        /// Why: `rollback`, or what failed.
        why: String,
    },
    /// A step is undone, or need not be.
    Undone {
        /// Which, from 0.
        step: usize,
    },
    /// A step was left as it is, because somebody changed it since.
    Kept {
        /// Which, from 0.
        step: usize,
        /// What was found.
        why: String,
    },
    /// Undoing ended. With anything kept, the generation is rolled back in part.
    RolledBack,
    /// What was kept is accepted: the generation is closed.
    Closed,
}

/// A line as it is stored.
#[derive(Serialize, Deserialize)]
struct Line {
    at: String,
    #[serde(flatten)]
    event: Event,
}

/// Appends one event and waits until it is on the disk.
pub(super) fn append(host: &Host, path: &str, event: &Event) -> Result<()> {
    let line = Line { at: now(), event: event.clone() };
    let mut text = serde_json::to_string(&line).unwrap_or_default();
    text.push('\n');
    // Behind a line that a power cut tore, start a new one.
    if host.read(path)?.is_some_and(|bytes| bytes.last().is_some_and(|last| *last != b'\n')) {
        text.insert(0, '\n');
    }
    host.append(path, text.as_bytes())
}

/// The events so far. A line that can't be read was torn by a power cut, so that what it would have said was never
/// acknowledged: it is passed over.
pub(super) fn read(host: &Host, path: &str) -> Result<Vec<Event>> {
    let text = host.read_text(path)?.unwrap_or_default();
    Ok(parse(&text))
}

/// The events of a journal's text.
fn parse(text: &str) -> Vec<Event> {
    text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()).map(|line| line.event).collect()
}

/// The present as RFC 3339 in UTC, to the second.
pub(super) fn now() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torn_lines_say_nothing() {
        let text = "{\"at\":\"x\",\"event\":\"done\",\"step\":0}\n{\"at\":\"x\",\"event\":\"do\n{\"at\":\"x\",\"event\":\"finished\"}\n";
        assert_eq!(parse(text), [Event::Done { step: 0 }, Event::Finished { boot_id: None }]);
        // What a newer program adds to an event is passed over.
        assert_eq!(parse("{\"at\":\"x\",\"event\":\"closed\",\"boot_id\":\"b\"}\n"), [Event::Closed]);
    }
}
