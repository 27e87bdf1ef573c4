//! What went wrong with the database, and what to do about it.

use std::io;

use crate::host::in_words;
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
            let (reason, passing) = no_answer(error);
            return Self { action: action.into(), reason, passing };
        };
        let code = told.code().code();
        let reason = match code {
            "3F000" | "42P01" => {
                t!("the queue's tables are not there; make them: civicum-tune queue migrate")
            }
            "28P01" => t!(
                "the server refuses the user with this password; --password-file names the file that holds the right one"
            ),
            "3D000" => {
                t!(
                    "the server has no such database; make it there (createdb), or name another one with --database"
                )
            }
            "28000" => t!("the server refuses the user: {detail}", detail = told.message()),
            // No detail of the server's is told: it may quote a row.
            _ => t!("the server says: {detail} (SQLSTATE {code})", detail = told.message(), code = code),
        };
        // Connection exceptions, too many of them, a server that is shutting down or starting, serialisation and deadlocks.
        let passing = ["08", "53", "57", "40"].iter().any(|class| code.starts_with(class));
        Self { action: action.into(), reason, passing }
    }
}

/// Why the way to the server failed, what to do, and whether it may work later.
fn no_answer(error: &tokio_postgres::Error) -> (String, bool) {
    // What the connection broke off with stands behind the words of the library.
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let words = match next.downcast_ref::<io::Error>() {
            Some(failed) => match in_our_words(failed) {
                Some(words) => return (words, true),
                None => in_words(failed),
            },
            None => next.to_string(),
        };
        if words == "password missing" {
            return (
                t!("the server asks for a password; --password-file names the file that holds it"),
                false,
            );
        }
        reason = format!("{reason}: {words}");
        cause = next.source();
    }
    (reason, true)
}

fn in_our_words(error: &io::Error) -> Option<String> {
    Some(match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            t!("nothing answers there; is PostgreSQL running, and are host and port right (--database)?")
        }
        io::ErrorKind::NotFound => {
            t!("PostgreSQL has no socket there; is it running, and is the folder right (--database)?")
        }
        io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            t!("the host does not answer; is it up, and are host and port right (--database)?")
        }
        // The library of the system has no number for it.
        _ if error.to_string().contains("lookup address") => {
            t!("no server of that name is known here; is the host right (--database)?")
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_its_next_step() {
        let lookup = "failed to lookup address information: Name or service not known";
        for (error, words) in [
            (io::ErrorKind::ConnectionRefused.into(), "nothing answers there"),
            (io::Error::from(io::ErrorKind::NotFound), "has no socket there"),
            (io::ErrorKind::TimedOut.into(), "the host does not answer"),
            (io::Error::other(lookup), "no server of that name is known here"),
        ] {
            let told = in_our_words(&error).unwrap();
            assert!(told.contains(words) && told.contains("--database"), "{told}");
        }
        assert_eq!(in_our_words(&io::ErrorKind::BrokenPipe.into()), None);
    }
}
