//! The host for which a profile is checked, and how much is known of it.

use super::numbers::Numbers;
use super::saved_host::SavedHost;

/// How the figures of a host came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nothing is known: a host of common size stands in.
    Guess,
    /// The profile says for what RAM it is made.
    AtLeast,
    /// The host told.
    Told,
}

/// A host.
#[derive(Debug, Clone, Copy)]
pub struct Target<'h> {
    /// What sizing rules may speak of.
    pub numbers: Numbers,
    /// Where these figures come from.
    pub origin: Origin,
    /// What else a saved `detect` tells.
    pub host: Option<&'h SavedHost>,
}

impl Target<'_> {
    /// The host that is looked at.
    pub const fn this(numbers: Numbers) -> Self {
        Self { numbers, origin: Origin::Told, host: None }
    }
}
