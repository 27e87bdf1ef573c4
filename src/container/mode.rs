//! How the memory is shared out: a model that answers, or more documents at a time while nobody asks it.

use serde::{Deserialize, Serialize};

/// How.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The model has its full limit: it is loaded, or can be at any time.
    #[default]
    Answering,
    /// The model is asleep with a small limit, and the worker has a large one.
    Reading,
}
