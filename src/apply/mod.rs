//! Carrying a plan out under a journal, and taking it back.
//!
//! A *generation* is one plan that was carried out. Its whole intent, with every before-image, is on the disk before the
//! first act; each act is noted when it is done. Whatever cuts us off, the next [`recover`] finds out by looking at the
//! host how far it got, and finishes or undoes it.

mod acts;
mod execute;
mod generation;
mod journal;
mod look_back;
mod recover;
mod rollback;

pub use acts::Fate;
pub use execute::{ApplyError, apply};
pub use generation::{Generation, Generations, State};
pub use journal::Event;
pub use look_back::look_back;
pub use recover::{Recovered, recover};
pub use rollback::{Kept, Rollback, RollbackOptions, foresee, rollback, targets};

use crate::host::{Host, HostError, Lock, STATE};
use crate::plan::Change;

/// Takes the lock that keeps a second run out.
pub fn lock(host: &Host) -> Result<Lock, HostError> {
    if host.is_live() {
        return host.lock("/run/civicum-tune.lock");
    }
    // A tree has no /run of its own that means anything.
    host.make_state_folder()?;
    host.lock(&format!("{STATE}/lock"))
}

/// Who wants to hear how far it is. Every method has a silent default.
pub trait Progress {
    /// Step `number` (from 1) of `total` begins.
    fn begin(&mut self, _number: usize, _total: usize, _change: &Change) {}
    /// `done` of `total` bytes of this step.
    fn bytes(&mut self, _done: u64, _total: u64) {}
    /// A program that runs for this step printed a line.
    fn line(&mut self, _line: &str) {}
    /// The step ended well.
    fn done(&mut self, _change: &Change) {}
    /// Something worth a line of its own.
    fn say(&mut self, _text: &str) {}
}

/// Nobody listens.
pub struct Silent;

impl Progress for Silent {}
