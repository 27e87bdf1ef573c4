//! `plan`, also called `diff`: the dry run.

use crate::t;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::deploy::DeployCommand;
use super::output::Out;
use super::session::{Session, put_here, shell_word};
use super::{Answer, Global, Outcome};
use crate::apply::{Generations, State};
use crate::plan::SavedPlan;
use crate::render::{json, plan as show};

#[derive(Debug, Args)]
pub(super) struct Plan {
    /// Also write the plan to FILE, with a hash of all that it saw, for `apply FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The containers instead of the host: the same as `deploy --dry-run`
    #[arg(long, conflicts_with = "out")]
    containers: bool,
}

impl Plan {
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        if self.containers {
            if global.root.is_some() {
                bail!(t!(
                    "{command} is for the running machine: --root has files, and no Docker engine",
                    command = "plan --containers"
                ));
            }
            return DeployCommand::dry_run().run(global, out);
        }
        let session = Session::open(global, self.out.is_some())?;
        let plan = session.plan()?;
        if let Some(path) = &self.out {
            let saved = SavedPlan::new(
                plan.clone(),
                session.settings.clone(),
                session.remember.clone(),
                session.host.take_seen(),
            );
            // It may quote files that only root may read.
            put_here(path, &saved.to_json(), 0o600)?;
        }
        if out.json {
            // What was applied is root's to read: an ordinary user is told that it is not known.
            let generations = Generations::read(&session.host).ok();
            let waits = generations.map(|all| all.waiting_for_reboot(&session.host).is_some());
            out.document(&json::plan(&plan, waits));
        } else if out.quiet {
            out.lines(&show::brief(&plan, out.style), 4);
        } else {
            out.data(&show::human(&plan, out.style));
            self.next_step(&session, &plan, out)?;
        }
        Ok(if plan.is_empty() { Answer::Yes } else { Answer::Differs })
    }

    fn next_step(&self, session: &Session, plan: &crate::plan::Plan, out: &Out) -> anyhow::Result<()> {
        // What was applied is root's to read; an ordinary user's plan does without.
        let generations = Generations::read(&session.host).unwrap_or_default();
        if let Some((generation, state)) = generations.cut() {
            out.say(&if *state == State::Cut {
                t!("Generation {id} was cut off: the next apply or rollback ends it first.", id = generation.id)
            } else {
                t!("Generation {id} was cut off while it was undone: the next apply or rollback ends it first.", id = generation.id)
            });
        }
        if let Some(waiting) = generations.waiting_for_reboot(&session.host) {
            out.say(&t!("Generation {id} waits for a reboot to be complete.", id = waiting.id));
        } else if let Some(proved) = generations.rebooted_since(&session.host) {
            out.say(&session.boot_proof(proved.id));
        }
        if !session.host.is_live() {
            unseen_inside(&generations, plan, out);
        }
        if plan.is_empty() || !plan.obstacles.is_empty() {
            return Ok(());
        }
        let apply = match &self.out {
            Some(path) => session.at_root(&format!("apply {}", shell_word(&path.to_string_lossy()))),
            None => session.again("apply"),
        };
        let sudo = if session.host.may_change() { "" } else { "sudo " };
        out.say(&t!("Next: {command}", command = format!("{sudo}{apply}")));
        Ok(())
    }
}

/// Whether the initramfs of an image was built anew is not to be seen in its files.
fn unseen_inside(generations: &Generations, plan: &crate::plan::Plan, out: &Out) {
    let asked = generations.in_force().flat_map(|generation| &generation.inside);
    let mut unseen: Vec<&String> = asked.filter(|command| !plan.inside.contains(command)).collect();
    unseen.sort_unstable();
    unseen.dedup();
    for command in unseen {
        out.say(&t!(
            "Whether this was run inside the image can't be seen from here: {command}",
            command = command
        ));
    }
}
