//! `plan`, also called `diff`: the dry run.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::output::Out;
use super::session::Session;
use super::{Answer, Global, Outcome};
use crate::apply::{Generations, State};
use crate::host::{Host, Image};
use crate::plan::SavedPlan;
use crate::render::{json, plan as show};

#[derive(Debug, Args)]
pub(super) struct Plan {
    /// Also write the plan to FILE, with a hash of all that it saw, for `apply FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Plan {
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        let session = Session::open(global, self.out.is_some())?;
        let plan = session.plan()?;
        if let Some(path) = &self.out {
            let saved = SavedPlan::new(
                plan.clone(),
                session.settings.clone(),
                session.remember.clone(),
                session.host.take_seen(),
            );
            save(path, &saved)?;
        }
        if out.json {
            out.document(&json::plan(&plan));
        } else if out.quiet {
            out.data(&format!("{}\n", show::summary(&plan, out.style)));
        } else {
            out.data(&show::human(&plan, out.style));
            self.next_step(&session, &plan, out)?;
        }
        Ok(if plan.is_empty() { Answer::Yes } else { Answer::Differs })
    }

    fn next_step(&self, session: &Session, plan: &crate::plan::Plan, out: &Out) -> anyhow::Result<()> {
        let generations = Generations::read(&session.host)?;
        if let Some((generation, state)) = generations.cut() {
            let what = if *state == State::Cut { "cut off" } else { "cut off while it was undone" };
            out.say(&format!(
                "Generation {} was {what}: the next apply or rollback ends it first.",
                generation.id
            ));
        }
        if let Some(generation) = generations.applied() {
            let waits = generation.changes.iter().any(|change| change.reboot);
            if waits && generation.rebooted_since(&session.host) == Some(false) {
                out.say(&format!("Generation {} waits for a reboot to be complete.", generation.id));
            }
        }
        if plan.is_empty() || !plan.obstacles.is_empty() {
            return Ok(());
        }
        let apply = match &self.out {
            Some(path) => format!("civicum-tune apply {}", path.display()),
            None => session.again("apply"),
        };
        out.say(&format!("Next: {}{apply}", if session.host.may_change() { "" } else { "sudo " }));
        Ok(())
    }
}

fn save(path: &std::path::Path, saved: &SavedPlan) -> anyhow::Result<()> {
    let (folder, name) = match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) if !folder.as_os_str().is_empty() => (folder.to_owned(), name),
        (_, Some(name)) => (PathBuf::from("."), name),
        _ => bail!("{} does not name a file to write the plan to", path.display()),
    };
    let target = Host::at(&folder)?;
    // It may quote files that only root may read.
    target.replace(&format!("/{}", name.to_string_lossy()), &Image::file(saved.to_json(), 0o600))?;
    Ok(())
}
