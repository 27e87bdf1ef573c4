//! What went wrong with the database, and what to do about it.

use crate::t;

/// A call that did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{action}: {reason}")]
pub struct QueueError {
    /// What was tried.
    pub action: String,
    /// Why it failed, and what to do.
    pub reason: String,
    /// The same may work later: the server was away, or too busy.
    pub passing: bool,
}

impl QueueError {
    /// A failure in our own words.
    pub fn new(action: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { action: action.into(), reason: reason.into(), passing: false }
    }

    /// A failure of the server or of the way to it.
    pub(super) fn of(action: impl Into<String>, error: &tokio_postgres::Error) -> Self {
        let Some(told) = error.as_db_error() else {
            // What the connection broke off with stands behind the words of the library.
            let mut reason = error.to_string();
            let mut cause = std::error::Error::source(error);
            while let Some(next) = cause {
                reason = format!("{reason}: {next}");
                cause = next.source();
            }
            return Self { action: action.into(), reason, passing: true };
        };
        let code = told.code().code();
        let reason = match code {
            "3F000" | "42P01" => {
                t!("the queue's tables are not there; make them: civicum-tune queue migrate")
            }
            "28P01" | "28000" => t!("the server refuses the user: {detail}", detail = told.message()),
            // No detail of the server's is told: it may quote a row.
            _ => t!("the server says: {detail} (SQLSTATE {code})", detail = told.message(), code = code),
        };
        // Connection exceptions, too many of them, a server that is shutting down or starting, serialisation and deadlocks.
        let passing = ["08", "53", "57", "40"].iter().any(|class| code.starts_with(class));
        Self { action: action.into(), reason, passing }
    }
}
