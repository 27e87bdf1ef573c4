//! The profile that `bench --write` changes: the values that are better, shown as a difference and asked for first.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::output::Out;
use super::session::{refused, shell_word};
use super::{Answer, Global, Outcome};
use crate::bench::{Report, Verdict, advice};
use crate::host::{Host, Image, terminal};
use crate::profile::{self, Profile, as_file, edit};
use crate::render::diff;
use crate::t;

/// A profile's file before and after.
pub(super) struct Edited {
    folder: Host,
    name: String,
    shown: String,
    before: Image,
    after: Image,
    pub(super) diff: String,
    /// The commands with which it takes effect.
    next: Vec<&'static str>,
}

impl Edited {
    /// Shows the difference, asks, and writes it.
    pub(super) fn put(&self, global: &Global, out: &Out) -> Outcome {
        if !out.json {
            out.data(&format!("\n{}", diff::coloured(&self.diff, out.style, "")));
        }
        if !global.yes && !terminal::ask(&t!("Write this? [y/N]")) {
            out.say(&t!("Nothing was written."));
            return Ok(Answer::Differs);
        }
        // Between a question and its answer there is time for others.
        if self.folder.image(&self.name)? != self.before {
            return Err(changed(&self.shown));
        }
        self.folder.replace(&self.name, &self.after)?;
        let commands =
            self.next.iter().map(|verb| format!("civicum-tune {verb} --profile {}", shell_word(&self.shown)));
        out.say(&t!(
            "Wrote {file}. Next: {commands}",
            file = self.shown,
            commands = commands.collect::<Vec<_>>().join("; ")
        ));
        Ok(Answer::Yes)
    }
}

/// Why nothing is written: nothing is better, or it could not be told.
pub(super) fn stays(file: &str, values: &[advice::Advice]) -> String {
    if values.is_empty() {
        return t!("{file} stays as it is: it has no value that was measured.", file = file);
    }
    let unknown = values.iter().filter(|value| value.verdict == Verdict::CouldNotTell);
    let unknown: Vec<String> =
        unknown.map(|value| format!("  {}: {}", value.key.join("."), value.why)).collect();
    if unknown.is_empty() {
        return t!("{file} stays as it is: no other value is better by more than the spread.", file = file);
    }
    let head = t!("{file} stays as it is. What could not be told, and what is missing:", file = file);
    format!("{head}\n{}", unknown.join("\n"))
}

/// The absolute path of a profile that is a plain file.
pub(super) fn profile_file(file: &Path) -> anyhow::Result<String> {
    let path = std::path::absolute(file)?.to_string_lossy().into_owned();
    match Host::live()?.stat(&path)? {
        Some(stat) if stat.is_file => Ok(path),
        Some(stat) => bail!(t!(
            "--write {file}: it is {what}, and only a plain file is replaced",
            file = file.display(),
            what = stat.what
        )),
        None => bail!(t!(
            "--write {file}: there is no such file; make one: civicum-tune profile init {name}",
            file = file.display(),
            name = shell_word(&as_file(&file.to_string_lossy()))
        )),
    }
}

fn changed(file: &str) -> anyhow::Error {
    anyhow::anyhow!(t!(
        "somebody else has changed {file} meanwhile: nothing was written. What is better stands in the report; run it again to write it",
        file = file
    ))
}

/// A profile as it was before anything was measured.
pub(super) struct Named {
    file: PathBuf,
    folder: Host,
    name: String,
    before: Image,
}

impl Named {
    pub(super) fn new(file: &Path) -> anyhow::Result<Self> {
        let path = std::path::absolute(file)?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            bail!(t!("{path} does not name a file", path = file.display()));
        };
        let (folder, name) = (Host::at(parent)?, format!("/{}", name.to_string_lossy()));
        let before = folder.image(&name)?;
        Ok(Self { file: file.to_owned(), folder, name, before })
    }

    /// The profile with the values that are better; `None` where none is.
    pub(super) fn edited(self, report: &Report) -> anyhow::Result<Option<Edited>> {
        let better = report.advice.iter().filter(|advice| advice.verdict == Verdict::Better);
        let better: Vec<_> = better.collect();
        if better.is_empty() {
            return Ok(None);
        }
        let Self { file, folder, name, before } = self;
        // What was measured was compared with what stood there then.
        if folder.image(&name)? != before {
            return Err(changed(&file.display().to_string()));
        }
        let keys: Vec<Vec<&str>> =
            better.iter().map(|advice| advice.key.iter().map(String::as_str).collect()).collect();
        let best = better.iter().filter_map(|advice| advice.best.as_ref());
        let values: Vec<(&[&str], &edit::New)> = keys.iter().map(Vec::as_slice).zip(best).collect();
        // The host's values are `apply`'s, which `plan` shows first; those of services are `deploy`'s.
        let is_service = |key: &Vec<&str>| key.first() == Some(&"services");
        let host = keys.iter().any(|key| !is_service(key)).then_some("plan");
        let next = host.into_iter().chain(keys.iter().any(is_service).then_some("deploy")).collect();
        let text = edit::set(&before.text(), &values).map_err(|why| anyhow::anyhow!(why));
        let text = text.with_context(|| t!("{path} can't be changed", path = file.display()))?;
        // What it has become is read as any profile is, before it is put anywhere.
        let (here, path) = (Host::live()?, std::path::absolute(&file)?);
        let others = profile::reader(&here);
        let read = |wanted: &Path| {
            if std::path::absolute(wanted)? == path { Ok(text.clone().into_bytes()) } else { others(wanted) }
        };
        Profile::load(&path.to_string_lossy(), &read).map_err(|findings| refused(&findings))?;
        let after = before.with_bytes(text.clone());
        let shown = file.display().to_string();
        let diff = diff::unified(&shown, &before, &after);
        Ok(Some(Edited { folder, name, shown, before, after, diff, next }))
    }
}

#[cfg(test)]
mod tests;
