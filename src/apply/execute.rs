//! The executor: it does what the plan says, step by step, and takes all of it back when a step fails.

use std::collections::BTreeSet;

use super::acts::{self, Sight};
use super::generation::{Generation, Generations};
use super::journal::Event;
use super::rollback::{RollbackOptions, undo_steps};
use super::{Progress, Rollback};
use crate::host::{Host, HostError, terminal};
use crate::plan::{Act, Change, Plan};
use crate::profile::Settings;

/// Why a plan was not carried out, and what state the host is in.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Nothing was begun.
    #[error("{0}\nnothing was changed")]
    NotBegun(#[source] HostError),
    /// A step failed; what had been done was taken back.
    #[error("{step} failed: {error}\n{}", .rollback.in_words())]
    TakenBack {
        /// The change's id.
        step: String,
        /// Why, in words.
        error: String,
        /// How undoing went.
        rollback: Rollback,
    },
    /// Not even the journal can be written any more: the next `apply` or `rollback` goes on from here.
    #[error(
        "{error}\ngeneration {id} was cut off; `civicum-tune apply` or `civicum-tune rollback` finishes it"
    )]
    Cut {
        /// Which generation.
        id: u32,
        /// Why.
        error: HostError,
    },
}

/// Carries a plan out as a new generation. On any error the host is as it was, or the error says what is left.
pub fn apply(
    host: &Host,
    plan: &Plan,
    settings: &Settings,
    progress: &mut dyn Progress,
) -> Result<Generation, ApplyError> {
    let id = Generations::read(host).map_err(ApplyError::NotBegun)?.next_id();
    let generation = Generation::begin(host, id, plan, settings).map_err(ApplyError::NotBegun)?;
    carry_out(host, &generation, progress)?;
    Ok(generation)
}

/// Does every step that is not done yet; on failure undoes them all.
pub(super) fn carry_out(
    host: &Host,
    generation: &Generation,
    progress: &mut dyn Progress,
) -> Result<(), ApplyError> {
    let cut = |error| ApplyError::Cut { id: generation.id, error };
    let done: BTreeSet<usize> = generation
        .events(host)
        .map_err(cut)?
        .iter()
        .filter_map(|event| if let Event::Done { step } = event { Some(*step) } else { None })
        .collect();
    let total = generation.changes.len();
    for (step, change) in generation.changes.iter().enumerate() {
        if done.contains(&step) {
            continue;
        }
        progress.begin(step + 1, total, change);
        let result = if terminal::interrupted() {
            Err("you interrupted it".to_owned())
        } else {
            one_step(host, generation, step, change, progress)
        };
        if let Err(error) = result {
            let event = Event::Failed { step, error: error.clone() };
            generation.note(host, &event).map_err(cut)?;
            progress.say("taking back what was done");
            let why = format!("step {} failed", step + 1);
            let rollback =
                undo_steps(host, generation, &why, &RollbackOptions::default(), progress).map_err(cut)?;
            return Err(ApplyError::TakenBack { step: change.id.clone(), error, rollback });
        }
        progress.done(change);
    }
    generation.note(host, &Event::Finished).map_err(cut)
}

fn one_step(
    host: &Host,
    generation: &Generation,
    step: usize,
    change: &Change,
    progress: &mut dyn Progress,
) -> Result<(), String> {
    let words = |e: HostError| e.to_string();
    let rebooted = generation.rebooted_since(host) == Some(true);
    match acts::look_after_boot(host, &change.act, rebooted).map_err(words)? {
        Sight::After => {}
        Sight::Other(found) => return Err(format!("{found}, which the plan did not know; run plan again")),
        sight @ (Sight::Before | Sight::Unseen) => {
            if sight == Sight::Unseen {
                generation.note(host, &Event::Begun { step }).map_err(words)?;
            }
            acts::carry_out(host, &change.act, progress).map_err(words)?;
            match acts::look_after_boot(host, &change.act, false).map_err(words)? {
                Sight::After | Sight::Unseen => {}
                Sight::Before => {
                    return Err("the host took it without an error, and kept what it had".to_owned());
                }
                Sight::Other(found) => {
                    let next = match change.act {
                        Act::Poke { .. } => "; the kernel made that of it, so ask for that in the profile",
                        _ => "",
                    };
                    return Err(format!("it did not take: {found}{next}"));
                }
            }
        }
    }
    generation.note(host, &Event::Done { step }).map_err(words)
}
