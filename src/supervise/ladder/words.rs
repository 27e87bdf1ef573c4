//! Rungs, acts and reasons, as events and metrics have them.

use serde::{Deserialize, Serialize};

/// How far up we are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rung {
    /// Nothing to fear.
    #[default]
    Calm,
    /// No new document is taken.
    Hold,
    /// Documents in work are given back; a model that nobody asks is unloaded.
    GiveBack,
    /// The worker is killed as a whole.
    Kill,
}

/// Why a rung is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Cause {
    /// Some task of the host waited for memory so long within a second, ms.
    Some {
        /// Milliseconds in a second.
        ms: u64,
    },
    /// All tasks of the host did.
    Full {
        /// Milliseconds in a second.
        ms: u64,
    },
    /// The worker waited so at its own limit.
    Worker {
        /// Milliseconds in a second.
        ms: u64,
    },
    /// So little is available, bytes.
    Available {
        /// Bytes.
        bytes: u64,
    },
    /// It has been calm for long enough.
    Calm,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// The worker claims no new document.
    Hold,
    /// The worker gives back what it has in work; a model that nobody asks is unloaded.
    GiveBack,
    /// The worker's container is killed, with all that runs in it.
    Kill,
    /// The worker claims again.
    Resume,
}

impl Act {
    /// As files and metrics have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::GiveBack => "give-back",
            Self::Kill => "kill",
            Self::Resume => "resume",
        }
    }
}

/// An act, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What.
    pub act: Act,
    /// Why.
    pub cause: Cause,
}
