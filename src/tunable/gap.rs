//! What a tunable found: the changes that close the gap, and what it has to say.

use super::Context;
use crate::change::{Act, Change, Note, Risk, Setting};
use crate::host::{HostError, Image};
use crate::t;

/// Collects what the tunables find. Adding a file that is right already, or a value that the kernel has, adds nothing.
#[derive(Debug, Default)]
pub struct Gap {
    tunable: &'static str,
    /// The changes so far.
    pub changes: Vec<Change>,
    /// Remarks.
    pub notes: Vec<Note>,
    /// What can't be had.
    pub blocked: Vec<Note>,
    /// What is to be run inside the image.
    pub inside: Vec<String>,
}

/// Why a change is made and what it may do; everything about it but the act.
pub struct Because<'a> {
    /// One line: what.
    pub summary: &'a str,
    /// Why.
    pub reason: &'a str,
    /// How much could go wrong.
    pub risk: Risk,
    /// Takes effect only after a reboot.
    pub reboot: bool,
}

impl Gap {
    /// From here on the named tunable speaks.
    pub fn of(&mut self, tunable: &'static str) {
        self.tunable = tunable;
    }

    /// Adds a change.
    pub fn act(&mut self, act: Act, because: &Because<'_>) {
        self.changes.push(Change {
            id: format!("{}:{}", self.tunable, act.target()),
            tunable: self.tunable.to_owned(),
            summary: because.summary.to_owned(),
            reason: because.reason.to_owned(),
            reboot: because.reboot,
            risk: because.risk,
            act,
        });
    }

    /// A file that is wholly ours (0644) shall have this text.
    pub fn file(
        &mut self,
        cx: &Context<'_>,
        path: &str,
        text: &str,
        because: &Because<'_>,
    ) -> Result<bool, HostError> {
        let before = cx.host.image(path)?;
        let is_readable = matches!(&before, Image::File { mode, .. } if mode & 0o7777 == 0o644);
        if is_readable && before.bytes() == Some(text.as_bytes()) {
            return Ok(false);
        }
        Ok(self.put(cx, path, before, Image::file(text, 0o644), None, because))
    }

    /// A symbolic link that is ours.
    pub fn link(
        &mut self,
        cx: &Context<'_>,
        path: &str,
        target: &str,
        because: &Because<'_>,
    ) -> Result<bool, HostError> {
        let before = cx.host.image(path)?;
        let after = Image::Link { target: target.to_owned() };
        if before == after {
            return Ok(false);
        }
        self.folders(cx, path, because);
        self.act(Act::PutFile { path: path.to_owned(), before, after, ours: None }, because);
        Ok(true)
    }

    /// A link of ours that has no reason to be there any more. What is no link is left alone.
    pub fn no_link(
        &mut self,
        cx: &Context<'_>,
        path: &str,
        because: &Because<'_>,
    ) -> Result<bool, HostError> {
        let before = cx.host.image(path)?;
        if !matches!(before, Image::Link { .. }) {
            return Ok(false);
        }
        self.act(Act::PutFile { path: path.to_owned(), before, after: Image::Absent, ours: None }, because);
        Ok(true)
    }

    /// A file of ours that has no reason to be there any more.
    pub fn no_file(
        &mut self,
        cx: &Context<'_>,
        path: &str,
        because: &Because<'_>,
    ) -> Result<bool, HostError> {
        let before = cx.host.image(path)?;
        if before.is_absent() {
            return Ok(false);
        }
        Ok(self.put(cx, path, before, Image::Absent, None, because))
    }

    /// Any file from what it is to what it shall be. What is no plain file is left alone, and said. Says whether a
    /// change was added.
    pub fn put(
        &mut self,
        cx: &Context<'_>,
        path: &str,
        before: Image,
        after: Image,
        ours: Option<String>,
        because: &Because<'_>,
    ) -> bool {
        let obstacle = match &before {
            Image::Absent | Image::File { .. } => None,
            Image::Link { target } => Some(t!("a symbolic link to {target}", target = target)),
            Image::Other { what } => Some(what.clone()),
        };
        if let Some(what) = obstacle {
            self.block(t!(
                "{path} is {what}; civicum-tune writes plain files only. Move it away, and run this again",
                path = path,
                what = what
            ));
            return false;
        }
        self.folders(cx, path, because);
        self.act(Act::PutFile { path: path.to_owned(), before, after, ours }, because);
        true
    }

    /// The missing folders above `path`, each once.
    pub fn folders(&mut self, cx: &Context<'_>, path: &str, because: &Because<'_>) {
        for folder in cx.host.missing_folders(path) {
            let act = Act::MakeFolder { path: folder };
            if !self.changes.iter().any(|change| change.act == act) {
                self.act(act, because);
            }
        }
    }

    /// A kernel file shall have this value, now. Nothing happens under `--root`, or where the kernel has no such file.
    pub fn poke(
        &mut self,
        cx: &Context<'_>,
        path: &str,
        value: &str,
        restore: Vec<Setting>,
        because: &Because<'_>,
    ) {
        if !cx.host.is_live() {
            return;
        }
        let Some(before) = cx.host.value(path).map(|value| tidy(&value)) else { return };
        if before != value {
            self.act(Act::Poke { path: path.to_owned(), before, after: value.to_owned(), restore }, because);
        }
    }

    /// A remark.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(Note { tunable: self.tunable.to_owned(), text: text.into() });
    }

    /// A command for the image that a tree is: here none is run.
    pub fn inside(&mut self, command: impl Into<String>) {
        self.inside.push(command.into());
    }

    /// Something that can't be had here.
    pub fn block(&mut self, text: impl Into<String>) {
        self.blocked.push(Note { tunable: self.tunable.to_owned(), text: text.into() });
    }
}

/// The kernel shows lists with tabs; people and profiles write blanks.
pub fn tidy(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}
