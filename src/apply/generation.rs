//! Generations: what was intended, how far it got.

use crate::t;
use serde::{Deserialize, Serialize};

use super::journal::{self, Event, now};
use crate::host::{Host, HostError, Image, MAX_FILE, Result, STATE};
use crate::plan::{Change, Plan};
use crate::profile::Settings;

/// The version of the format of `generation.json`. Older ones stay readable.
const FORMAT: u32 = 1;

/// One plan that was carried out, or was begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    format: u32,
    /// Its number, from 1.
    pub id: u32,
    /// When it was begun, RFC 3339, UTC.
    pub created: String,
    /// The program's version that began it.
    pub program: String,
    /// `/proc/sys/kernel/random/boot_id` at that time; once it is read again, of the boot in which it was finished.
    pub boot_id: Option<String>,
    /// What was wanted.
    pub settings: Settings,
    /// The changes, with what was there before each.
    pub changes: Vec<Change>,
    /// In a tree: what is to be run inside it when these are done, or undone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inside: Vec<String>,
}

/// How far a generation got, by its journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// Cut off while it was carried out.
    Cut,
    /// In force.
    Applied,
    /// Cut off while it was undone.
    CutWhileUndoing,
    /// Undone; what somebody had changed since stays, where `--keep` accepted that.
    RolledBack {
        /// Steps, from 0.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        accepted: Vec<usize>,
    },
    /// Undone but for these steps (from 0), which somebody had changed since.
    PartlyRolledBack {
        /// Steps, from 0.
        kept: Vec<usize>,
    },
}

impl Generation {
    /// Where its intent, its journal and what was put aside lie.
    pub fn folder(id: u32) -> String {
        format!("{STATE}/generations/{id:04}")
    }

    pub(super) fn journal_path(&self) -> String {
        format!("{}/journal", Self::folder(self.id))
    }

    /// Where a rollback puts what it had to overwrite by force.
    pub(super) fn kept_path(&self, step: usize) -> String {
        format!("{}/overwritten-{}", Self::folder(self.id), step + 1)
    }

    /// Writes the whole intent to the disk: from here on it can be finished or undone.
    pub(super) fn begin(host: &Host, id: u32, plan: &Plan, settings: &Settings) -> Result<Self> {
        let generation = Self {
            format: FORMAT,
            id,
            created: now(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: boot_id(host),
            settings: settings.clone(),
            changes: plan.changes.clone(),
            inside: plan.inside.clone(),
        };
        let path = format!("{}/generation.json", Self::folder(id));
        host.make_state_folder()?;
        host.make_folders(&path)?;
        let text = serde_json::to_string_pretty(&generation)
            .map_err(|e| HostError::because("write", &host.shown(&path), e.to_string()))?;
        if text.len() as u64 >= MAX_FILE {
            let why = t!(
                "the files to be changed are too large to be kept ({bytes} bytes with their before-images)",
                bytes = text.len()
            );
            return Err(HostError::because("write", &host.shown(&path), why));
        }
        host.replace(&path, &Image::file(text + "\n", 0o600))?;
        Ok(generation)
    }

    /// Notes an event, on the disk before it returns.
    pub(super) fn note(&self, host: &Host, event: &Event) -> Result<()> {
        journal::append(host, &self.journal_path(), event)
    }

    /// What its journal says.
    pub fn events(&self, host: &Host) -> Result<Vec<Event>> {
        journal::read(host, &self.journal_path())
    }

    /// How far it got.
    pub fn state(&self, host: &Host) -> Result<State> {
        Ok(state(&self.events(host)?))
    }

    /// Was the host booted since it was carried out? `None` where that can't be told.
    pub fn rebooted_since(&self, host: &Host) -> Option<bool> {
        Some(self.boot_id.as_ref()? != &boot_id(host)?)
    }
}

/// The boot in which the last step was done, where it is told.
fn finished_in(events: &[Event]) -> Option<String> {
    events.iter().rev().find_map(|event| match event {
        Event::Finished { boot_id } => boot_id.clone(),
        _ => None,
    })
}

pub(super) fn boot_id(host: &Host) -> Option<String> {
    if host.is_live() { host.value("/proc/sys/kernel/random/boot_id") } else { None }
}

/// Reads a journal's events as a state.
pub(super) fn state(events: &[Event]) -> State {
    let mut state = State::Cut;
    let mut kept = Vec::new();
    for event in events {
        match event {
            Event::Finished { .. } => state = State::Applied,
            Event::Undoing { .. } => {
                state = State::CutWhileUndoing;
                kept.clear();
            }
            Event::Kept { step, .. } => kept.push(*step),
            Event::RolledBack if kept.is_empty() => state = State::RolledBack { accepted: Vec::new() },
            Event::RolledBack => state = State::PartlyRolledBack { kept: kept.clone() },
            Event::Closed => state = State::RolledBack { accepted: std::mem::take(&mut kept) },
            Event::Begun { .. } | Event::Done { .. } | Event::Failed { .. } | Event::Undone { .. } => {}
        }
    }
    state
}

/// All generations of a host, oldest first.
#[derive(Debug, Default)]
pub struct Generations(pub Vec<(Generation, State)>);

impl Generations {
    /// Reads them. A folder without an intent was cut before anything happened, and does not count.
    pub fn read(host: &Host) -> Result<Self> {
        let mut found = Vec::new();
        for name in host.list(&format!("{STATE}/generations"))? {
            let Ok(id) = name.parse::<u32>() else { continue };
            let path = format!("{}/generation.json", Generation::folder(id));
            let Some(bytes) = host.read(&path)? else { continue };
            let mut generation: Generation =
                serde_json::from_slice(&bytes).map_err(|e| damaged(host, &path, &broken(&e, id)))?;
            if generation.format > FORMAT {
                let why = t!(
                    "its format is {format}, and this program knows {known}; use a newer civicum-tune",
                    format = generation.format,
                    known = FORMAT
                );
                return Err(damaged(host, &path, &why));
            }
            let events = generation.events(host)?;
            let state = state(&events);
            generation.boot_id = finished_in(&events).or(generation.boot_id);
            found.push((generation, state));
        }
        Ok(Self(found))
    }

    /// The number that the next one gets.
    pub(super) fn next_id(&self) -> u32 {
        self.0.last().map_or(1, |(generation, _)| generation.id + 1)
    }

    /// The newest one that is in force.
    pub fn applied(&self) -> Option<&Generation> {
        self.0.iter().rev().find(|(_, state)| *state == State::Applied).map(|(generation, _)| generation)
    }

    /// Those that are in force.
    pub fn in_force(&self) -> impl Iterator<Item = &Generation> {
        self.0.iter().filter(|(_, state)| *state == State::Applied).map(|(generation, _)| generation)
    }

    /// The newest one in force of which something takes a reboot: what came after it changed nothing of the boot.
    fn of_the_boot(&self) -> Option<&Generation> {
        let in_force = self.0.iter().rev().filter(|(_, state)| *state == State::Applied);
        in_force
            .map(|(generation, _)| generation)
            .find(|generation| generation.changes.iter().any(|c| c.reboot))
    }

    /// That one, if the host was not booted since.
    pub fn waiting_for_reboot(&self, host: &Host) -> Option<&Generation> {
        self.of_the_boot().filter(|generation| generation.rebooted_since(host) == Some(false))
    }

    /// That one, if the host was booted since.
    pub fn rebooted_since(&self, host: &Host) -> Option<&Generation> {
        self.of_the_boot().filter(|generation| generation.rebooted_since(host) == Some(true))
    }

    /// The one that was cut off, if there is one.
    pub fn cut(&self) -> Option<&(Generation, State)> {
        self.0.iter().rev().find(|(_, state)| matches!(state, State::Cut | State::CutWhileUndoing))
    }
}

/// What one can do about a file that a disk or a hand has spoilt.
fn broken(error: &serde_json::Error, id: u32) -> String {
    t!(
        "{error}; restore that file from a backup, or move the folder {folder} away to go on without it (then generation {id} \
         can't be taken back any more)",
        error = error,
        folder = Generation::folder(id),
        id = id
    )
}

fn damaged(host: &Host, path: &str, why: &str) -> HostError {
    HostError::because("understand", &host.shown(path), why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_follows_the_events() {
        let done = |step| Event::Done { step };
        let finished = || Event::Finished { boot_id: None };
        let undoing = || Event::Undoing { why: "rollback".into() };
        assert_eq!(state(&[]), State::Cut);
        assert_eq!(state(&[done(0)]), State::Cut);
        assert_eq!(state(&[done(0), finished()]), State::Applied);
        assert_eq!(state(&[done(0), finished(), undoing()]), State::CutWhileUndoing);
        let kept = Event::Kept { step: 0, why: "changed".into() };
        let partly = [done(0), finished(), undoing(), kept, Event::RolledBack];
        assert_eq!(state(&partly), State::PartlyRolledBack { kept: vec![0] });
        let again = [&partly[..], &[undoing(), Event::Undone { step: 0 }, Event::RolledBack]].concat();
        assert_eq!(state(&again), State::RolledBack { accepted: vec![] });
        let closed = [&partly[..], &[Event::Closed]].concat();
        assert_eq!(state(&closed), State::RolledBack { accepted: vec![0] });
    }

    /// Cut in one boot and finished in the next: what only a reboot completes waits for a third.
    #[test]
    fn the_boot_that_counts_is_that_of_its_end() {
        let tree = tempfile::tempdir().unwrap();
        let host = Host::at(tree.path()).unwrap();
        let path = format!("{}/generation.json", Generation::folder(1));
        host.make_folders(&path).unwrap();
        let intent = serde_json::json!({
            "format": FORMAT, "id": 1, "created": "2026-11-26T10:00:00Z", "program": "0.1.0", "boot_id": "first",
            "settings": Settings::default(), "changes": [],
        });
        host.replace(&path, &Image::file(intent.to_string().into_bytes(), 0o600)).unwrap();
        let boot = || Generations::read(&host).unwrap().0[0].0.boot_id.clone();
        assert_eq!(boot().as_deref(), Some("first"));
        let end = Event::Finished { boot_id: Some("second".to_owned()) };
        Generations::read(&host).unwrap().0[0].0.note(&host, &end).unwrap();
        assert_eq!(boot().as_deref(), Some("second"));
    }
}
