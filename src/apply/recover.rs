//! After a crash: finish what was begun, or undo it.

use crate::t;
use serde::Serialize;

use super::Progress;
use super::acts::{self, Sight};
use super::execute::{ApplyError, carry_out};
use super::generation::{Generation, Generations, State};
use super::rollback::{Rollback, RollbackOptions, undo_steps};
use crate::host::{Host, Result};

/// What was done about a generation that had been cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "recovered", rename_all = "snake_case")]
pub enum Recovered {
    /// The rest of its steps was done.
    Finished {
        /// Which generation.
        id: u32,
    },
    /// Its steps were undone.
    Undone {
        /// How that went.
        rollback: Rollback,
        /// Why it was not finished.
        because: String,
    },
}

/// Looks for a generation that was cut off and brings it to an end. It is finished where nobody else has been at its
/// targets since; otherwise, and where it was being undone, it is undone.
pub fn recover(host: &Host, progress: &mut dyn Progress) -> Result<Option<Recovered>> {
    let generations = Generations::read(host)?;
    let Some((generation, state)) = generations.cut() else { return Ok(None) };
    let because = match state {
        State::CutWhileUndoing => Some(t!("it was being undone when it was cut off")),
        _ => first_obstacle(host, generation)?,
    };
    if let Some(because) = because {
        progress.say(&t!(
            "generation {id} was cut off; undoing it ({because})",
            id = generation.id,
            because = because
        ));
        let rollback = undo_steps(host, generation, &because, &RollbackOptions::default(), &[], progress)?;
        return Ok(Some(Recovered::Undone { rollback, because }));
    }
    progress.say(&t!("generation {id} was cut off; finishing it", id = generation.id));
    match carry_out(host, generation, progress) {
        Ok(()) => Ok(Some(Recovered::Finished { id: generation.id })),
        Err(ApplyError::TakenBack { error, rollback, .. }) => {
            Ok(Some(Recovered::Undone { rollback, because: error }))
        }
        Err(ApplyError::NotBegun(error) | ApplyError::Cut { error, .. }) => Err(error),
    }
}

/// The first thing that the rest of the plan would meet and did not know.
fn first_obstacle(host: &Host, generation: &Generation) -> Result<Option<String>> {
    let rebooted = generation.rebooted_since(host) == Some(true);
    for change in &generation.changes {
        if let Sight::Other(found) = acts::look_after_boot(host, &change.act, rebooted)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
