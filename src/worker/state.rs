//! What a worker says of itself at `/state`: the supervisor asks it, and never the database.

use serde::{Deserialize, Serialize};

use crate::queue::Waiting;

/// What it does now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// It claims nothing on purpose.
    pub paused: bool,
    /// The database answers it.
    pub database: bool,
    /// Documents that it reads at a time, as its memory limit is now.
    pub hands: usize,
    /// What is in work.
    pub in_work: Vec<InWork>,
    /// Jobs whose reader was killed lately, the newest last.
    #[serde(default)]
    pub crashed: Vec<Crash>,
    /// What waits and is due, for each stage; none where the database does not answer.
    pub waiting: Option<Waiting>,
}

/// A job in work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InWork {
    /// Its number.
    pub job: i64,
    /// The document's number.
    pub document: i64,
    /// `ocr` or `extract`.
    pub stage: String,
    /// Pages, or parts, that are done.
    pub done: i32,
    /// Of so many.
    pub total: i32,
}

/// A job whose reader was killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crash {
    /// The document's number.
    pub document: i64,
    /// `ocr` or `extract`.
    pub stage: String,
    /// How long ago, ms.
    pub ago_ms: u64,
}
