//! `rollback`: take back what was applied.

use crate::t;
use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::output::Out;
use super::progress::Steps;
use super::session::{at_root, open_host};
use super::{Answer, Global, Outcome};
use crate::apply::{self, Fate, Generation, Generations, RollbackOptions};
use crate::host::{Host, Image, terminal};
use crate::plan::{Act, Change};
use crate::render::style::{columns, printable};
use crate::render::{Style, diff};

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
                command = format!("sudo {}", at_root(global.root.as_deref(), "rollback"))
            ));
        }
        let generations = Generations::read(&host)?;
        if let Some(id) = self.id {
            if !generations.0.iter().any(|(generation, _)| generation.id == id) {
                bail!(t!(
                    "there is no generation {id}; `{history}` lists them",
                    id = id,
                    history = at_root(global.root.as_deref(), "history")
                ));
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
        let options = RollbackOptions { force: self.force, keep: self.keep };
        if !out.json && !out.quiet {
            describe(&host, &targets, &options, out)?;
        }
        if !global.yes {
            if out.json || !terminal::can_ask() {
                bail!(t!("there is nobody to ask; run this again with --yes"));
            }
            if !terminal::ask(&t!("Take this back? [y/N]")) {
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
                "another civicum-tune changed this host in the meantime; look at `{history}` and run this again",
                history = at_root(global.root.as_deref(), "history")
            ));
        }
        terminal::remember_interrupts();
        let done = apply::rollback(&host, self.id, &options, &mut Steps::new(out))?;
        let complete = done.iter().all(apply::Rollback::is_complete);
        if out.json {
            let inside = inside(&targets, &done);
            out.document(
                &json!({ "schema": "civicum-tune/rollback/1", "rolled_back": done, "inside": inside }),
            );
        } else if !(out.quiet && complete) {
            for outcome in &done {
                let words = printable(&outcome.in_words());
                let painted =
                    if outcome.is_complete() { out.style.green(&words) } else { out.style.yellow(&words) };
                out.data(&t!("Generation {id}: {outcome}\n", id = outcome.generation, outcome = painted));
            }
            if !complete {
                self.ways_on(global, out);
            }
            after(&host, &targets, &done, out);
        }
        Ok(if complete { Answer::Yes } else { Answer::Trouble })
    }

    /// What can be done about what stays.
    fn ways_on(&self, global: &Global, out: &Out) {
        let id = self.id.map(|id| format!(" {id}")).unwrap_or_default();
        out.data(&t!("Next, one of:\n"));
        let mut ways = vec![
            ("", t!("when it is mended")),
            (" --force", t!("overwrites it; their version of a file is put aside")),
            (" --keep", t!("accepts it as it is")),
        ];
        // What force could not do, it can't do again.
        ways.retain(|(word, _)| *word != " --force" || !self.force);
        let command = |word: &str| at_root(global.root.as_deref(), &format!("rollback{id}{word}"));
        let longest = |width: &dyn Fn(&(&str, String)) -> usize| ways.iter().map(width).max().unwrap_or(0);
        let left = longest(&|(word, _)| command(word).chars().count());
        let right = longest(&|(_, why)| why.chars().count());
        let is_narrow = 4 + left + right > out.style.width;
        for (word, why) in &ways {
            let (command, why) = (command(word), out.style.dim(why));
            out.data(&if is_narrow {
                format!("  {command}\n      {why}\n")
            } else {
                format!("  {command:<left$}  {why}\n")
            });
        }
    }
}

/// The generations of which something was taken back that the boot rests on.
fn boots_otherwise<'g>(targets: &[&'g Generation], done: &[apply::Rollback]) -> Vec<&'g Generation> {
    let restored = |generation: &Generation, change: &Change| {
        let of = |outcome: &&apply::Rollback| outcome.generation == generation.id;
        done.iter().find(of).is_some_and(|outcome| outcome.restored.contains(&change.id))
    };
    let of_the_boot = |generation: &&Generation| {
        generation.changes.iter().any(|change| change.reboot && restored(generation, change))
    };
    targets.iter().copied().filter(of_the_boot).collect()
}

/// What is to be run inside the image, for what was taken back: each once, in its order.
fn inside<'g>(targets: &[&'g Generation], done: &[apply::Rollback]) -> Vec<&'g String> {
    let mut commands = Vec::new();
    for command in boots_otherwise(targets, done).into_iter().flat_map(|generation| &generation.inside) {
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    commands
}

/// What is left to do for what was taken back.
fn after(host: &Host, targets: &[&Generation], done: &[apply::Rollback], out: &Out) {
    if host.is_live() && !boots_otherwise(targets, done).is_empty() {
        out.data(&t!("The kernel command line goes back with the next reboot.\n"));
    }
    for command in inside(targets, done) {
        out.data(&t!("Inside the image, run: {command}\n", command = command));
    }
}

fn describe(
    host: &Host,
    targets: &[&Generation],
    options: &RollbackOptions,
    out: &Out,
) -> crate::host::Result<()> {
    let style = out.style;
    let fates = apply::foresee(host, targets, options)?;
    for (generation, changes) in targets.iter().zip(fates) {
        let title = t!(
            "Generation {id} of {created} ({name})",
            id = generation.id,
            created = generation.created,
            name = generation.settings.name
        );
        out.data(&format!("{}\n", style.bold(&title)));
        for (change, fate) in changes {
            let target = printable(change.act.target());
            let (before, after) = change.act.before_and_after();
            let (before, after) = (printable(&before), printable(&after));
            let words = match &fate {
                Fate::Nothing | Fate::Restored => {
                    format!("{} → {}", style.red(&after), style.green(&before))
                }
                Fate::Overwritten(_) if is_file(host, change) => {
                    let folder = host.shown(&Generation::folder(generation.id));
                    style.yellow(&t!(
                        "changed since; overwritten, their version put aside in {folder}",
                        folder = folder.display()
                    ))
                }
                Fate::Overwritten(_) => style.yellow(&t!("changed since; overwritten")),
                Fate::Kept(_) if options.keep => style.yellow(&t!("changed since; accepted, and stays")),
                Fate::Kept(_) => style.yellow(&t!("changed since; stays")),
                Fate::Unknown(_) => style.yellow(&t!("can't be looked at")),
            };
            // Where one of them is long, the words have a line of their own.
            let room = style.width.saturating_sub(40);
            if 3 + room + columns(&words) > style.width {
                out.data(&format!("  {target}\n{}\n", out.hung(&format!("      {words}"), 6)));
            } else if target.chars().count() > room {
                out.data(&format!("  {target}\n  {:room$} {words}\n", ""));
            } else {
                out.data(&format!("  {target:<room$} {words}\n"));
            }
            if let Fate::Overwritten(found) | Fate::Kept(found) | Fate::Unknown(found) = &fate {
                out.data(&difference(host, change, found, style));
            }
        }
    }
    Ok(())
}

/// Is a file there whose content can be put aside?
fn is_file(host: &Host, change: &Change) -> bool {
    let Act::PutFile { path, .. } = &change.act else { return false };
    matches!(host.image(path), Ok(Image::File { .. }))
}

/// What somebody changed: for a file its lines, for anything else what was found.
fn difference(host: &Host, change: &Change, found: &str, style: Style) -> String {
    if let Act::PutFile { path, after, .. } = &change.act {
        if let Ok(now @ Image::File { .. }) = host.image(path) {
            let lines = diff::coloured(&diff::unified(path, after, &now), style, "      ");
            if !lines.is_empty() {
                return lines;
            }
        }
    }
    format!("      {}\n", printable(found))
}
