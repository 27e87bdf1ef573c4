//! `rollback`: take back what was applied.

use crate::t;
use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::output::Out;
use super::progress::Steps;
use super::session::open_host;
use super::{Answer, Global, Outcome};
use crate::apply::{self, Generation, Generations, RollbackOptions};
use crate::host::terminal;
use crate::render::style::printable;

/// Take back what was applied
///
/// Restores the bytes, modes, owners and runtime values from before a generation, newest first. What somebody changed
/// since is left as it is, and named: mend it and run this again, overwrite it with --force, or accept it with --keep.
#[derive(Debug, Args)]
pub(super) struct RollbackCommand {
    /// Take back this generation and all after it; default: the newest
    id: Option<u32>,
    /// Restore even what somebody changed since (their version is put aside in /var/lib/civicum-tune)
    #[arg(long, conflicts_with = "keep")]
    force: bool,
    /// Accept what somebody changed since, and close the generation
    #[arg(long)]
    keep: bool,
}

impl RollbackCommand {
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        let host = open_host(global)?;
        if !host.may_change() {
            bail!(t!(
                "only root can change this host; run: {command}",
                command = "sudo civicum-tune rollback"
            ));
        }
        let generations = Generations::read(&host)?;
        if let Some(id) = self.id {
            if !generations.0.iter().any(|(generation, _)| generation.id == id) {
                bail!(t!("there is no generation {id}; `civicum-tune history` lists them", id = id));
            }
        }
        let targets = apply::targets(&generations, self.id);
        if targets.is_empty() {
            let document = json!({ "schema": "civicum-tune/rollback/1", "rolled_back": [] });
            if out.json {
                out.document(&document);
            } else {
                out.data(&t!("There is nothing to take back.\n"));
            }
            return Ok(Answer::Yes);
        }
        if !out.json && !out.quiet {
            describe(&targets, out);
        }
        if !global.yes {
            if out.json || !terminal::can_ask() {
                bail!(t!("there is nobody to ask; run this again with --yes"));
            }
            if !terminal::ask(&t!("Take this back?")) {
                out.say(&t!("Nothing was changed."));
                return Ok(Answer::Differs);
            }
        }
        let _lock = apply::lock(&host)?;
        let now = Generations::read(&host)?;
        let ids =
            |targets: &[&Generation]| targets.iter().map(|generation| generation.id).collect::<Vec<_>>();
        if ids(&apply::targets(&now, self.id)) != ids(&targets) {
            bail!(t!(
                "another civicum-tune changed this host in the meantime; look at `civicum-tune history` and run this again"
            ));
        }
        terminal::remember_interrupts();
        let options = RollbackOptions { force: self.force, keep: self.keep };
        let done = apply::rollback(&host, self.id, &options, &mut Steps::new(out))?;
        let complete = done.iter().all(apply::Rollback::is_complete);
        if out.json {
            out.document(&json!({ "schema": "civicum-tune/rollback/1", "rolled_back": done }));
        } else if !(out.quiet && complete) {
            for outcome in &done {
                let words = printable(&outcome.in_words());
                let painted =
                    if outcome.is_complete() { out.style.green(&words) } else { out.style.yellow(&words) };
                out.data(&t!("Generation {id}: {outcome}\n", id = outcome.generation, outcome = painted));
            }
            let reboot =
                targets.iter().any(|generation| generation.changes.iter().any(|change| change.reboot));
            if reboot && host.is_live() {
                out.data(&t!("The kernel command line goes back with the next reboot.\n"));
            }
        }
        Ok(if complete { Answer::Yes } else { Answer::Trouble })
    }
}

fn describe(targets: &[&Generation], out: &Out) {
    for generation in targets {
        let title = t!(
            "Generation {id} of {created} ({name})",
            id = generation.id,
            created = generation.created,
            name = generation.settings.name
        );
        out.data(&format!("{}\n", out.style.bold(&title)));
        for change in generation.changes.iter().rev() {
            let (before, after) = change.act.before_and_after();
            out.data(&format!(
                "  {:<52} {} → {}\n",
                printable(change.act.target()),
                out.style.red(&printable(&after)),
                out.style.green(&printable(&before))
            ));
        }
    }
}
