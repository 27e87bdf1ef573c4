//! The folder of all that is ours and outlives a run.

use super::{Host, Result};

/// Where it is.
pub const STATE: &str = "/var/lib/civicum-tune";

impl Host {
    /// Makes it where it is not there yet: secrets, dumps and before-images are for root alone.
    pub fn make_state_folder(&self) -> Result<()> {
        self.make_folders(STATE)?;
        self.make_folder(STATE, 0o700).map(drop)
    }
}
