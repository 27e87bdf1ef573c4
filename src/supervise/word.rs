//! What the supervisor leaves for other commands of the program to find.

use serde::{Deserialize, Serialize};

use super::ladder::Rung;
use crate::container::mode::Mode;
use crate::host::Host;

/// Where it is left.
pub const STATE_FOLDER: &str = "/run/civicum-tune";

/// The file of one deployment.
pub fn state_file(deployment: &str) -> String {
    format!("{STATE_FOLDER}/supervise.{deployment}.json")
}

/// What is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Its process.
    pub pid: u32,
    /// The program's version; none: of a time when none was told.
    #[serde(default)]
    pub version: Option<String>,
    /// The ladder.
    pub rung: Rung,
    /// How memory is shared out.
    pub mode: Option<Mode>,
}

impl Word {
    /// Its version, where that is not this program's: it was started before the program was replaced.
    pub fn other_version(&self) -> Option<&str> {
        self.version.as_deref().filter(|version| *version != env!("CARGO_PKG_VERSION"))
    }

    /// What the supervisor of this deployment left, if it runs.
    pub fn read(host: &Host, deployment: &str) -> Option<Self> {
        let word: Self = serde_json::from_str(&host.value(&state_file(deployment))?).ok()?;
        // What a killed one left is not true any more.
        let comm = host.value(&format!("/proc/{}/comm", word.pid))?;
        // Whatever the program is called here.
        let is_ours = comm == "civicum-tune" || host.value("/proc/self/comm").as_ref() == Some(&comm);
        is_ours.then_some(word)
    }
}
