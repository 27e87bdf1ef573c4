//! The plan: an immutable list of typed changes. It decides; the executor obeys.

mod build;
mod saved;

pub use crate::change::{Act, Change, InitramfsTool, Note, Risk, Setting};
pub use build::{build, describe, obstacles};
pub use saved::{SavedPlan, SavedPlanError};

use serde::{Deserialize, Serialize};

/// What has to happen so that a host is as its profile says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The profile's name.
    pub profile: String,
    /// The host in a line, for people.
    pub host: String,
    /// In the order in which they are carried out.
    pub changes: Vec<Change>,
    /// What a person should know: choices made, who overrides whom.
    pub notes: Vec<Note>,
    /// What the profile asks for and this host can't have, with the way out.
    pub blocked: Vec<Note>,
    /// Under `--root`: what is to be run inside the image, to make out of the changed files what the boot reads.
    #[serde(default)]
    pub inside: Vec<String>,
    /// Why nothing at all can be changed here (a container, no root); empty on a host of its own.
    pub obstacles: Vec<String>,
}

impl Plan {
    /// Does the host differ from the profile in nothing that we could change?
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Does any change need a reboot to be proved?
    pub fn needs_reboot(&self) -> bool {
        self.changes.iter().any(|change| change.reboot)
    }
}
