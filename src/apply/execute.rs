//! The executor: it does what the plan says, step by step, and takes all of it back when a step fails.

use crate::t;
use std::collections::BTreeSet;
use std::fmt;

use super::acts::{self, Sight};
use super::generation::{Generation, Generations, boot_id};
use super::journal::Event;
use super::rollback::{RollbackOptions, undo_steps};
use super::{Progress, Rollback};
use crate::host::{Host, HostError, terminal};
use crate::plan::{Act, Change, Plan};
use crate::profile::Settings;

/// Why a plan was not carried out, and what state the host is in.
#[derive(Debug)]
pub enum ApplyError {
    /// Nothing was begun.
    NotBegun(HostError),
    /// A step failed; what had been done was taken back.
    TakenBack {
        /// The change's id.
        step: String,
        /// Why, in words.
        error: String,
        /// How undoing went.
        rollback: Rollback,
    },
    /// Not even the journal can be written any more: the next `apply` or `rollback` goes on from here.
    Cut {
        /// Which generation.
        id: u32,
        /// Why.
        error: HostError,
    },
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::NotBegun(error) => t!("{error}\nnothing was changed", error = error),
            Self::TakenBack { step, error, rollback } => {
                t!("{step} failed: {error}", step = step, error = error) + "\n" + &rollback.in_words()
            }
            Self::Cut { id, error } => t!(
                "{error}\ngeneration {id} was cut off; `civicum-tune apply` or `civicum-tune rollback` finishes it",
                error = error,
                id = id
            ),
        })
    }
}

impl std::error::Error for ApplyError {}

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
            Err(t!("you interrupted it"))
        } else {
            one_step(host, generation, step, change, progress)
        };
        if let Err(error) = result {
            let event = Event::Failed { step, error: error.clone() };
            generation.note(host, &event).map_err(cut)?;
            progress.say("taking back what was done");
            let why = t!("step {step} failed", step = step + 1);
            let rollback = undo_steps(host, generation, &why, &RollbackOptions::default(), &[], progress)
                .map_err(cut)?;
            return Err(ApplyError::TakenBack { step: change.id.clone(), error, rollback });
        }
        progress.done(change);
    }
    generation.note(host, &Event::Finished { boot_id: boot_id(host) }).map_err(cut)
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
        Sight::Other(found) => {
            return Err(t!("{found}, which the plan did not know; run plan again", found = found));
        }
        sight @ (Sight::Before | Sight::Unseen) => {
            if sight == Sight::Unseen {
                generation.note(host, &Event::Begun { step }).map_err(words)?;
            }
            acts::carry_out(host, &change.act, progress).map_err(words)?;
            match acts::look_after_boot(host, &change.act, false).map_err(words)? {
                Sight::After | Sight::Unseen => {}
                Sight::Before => {
                    return Err(t!("the host took it without an error, and kept what it had"));
                }
                Sight::Other(found) => {
                    return Err(match change.act {
                        Act::Poke { .. } => t!(
                            "it did not take: {found}; the kernel made that of it, so ask for that in the profile",
                            found = found
                        ),
                        _ => t!("it did not take: {found}", found = found),
                    });
                }
            }
        }
    }
    generation.note(host, &Event::Done { step }).map_err(words)
}
