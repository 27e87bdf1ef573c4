//! What went wrong with the engine, and what to do about it.

use bollard::errors::Error;

use super::ask::refusal;
use crate::facts::engine::Trouble;
use crate::t;

/// A call that did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{action}: {reason}")]
pub struct EngineError {
    /// What was tried.
    pub action: String,
    /// Why it failed, and what to do.
    pub reason: String,
    /// The engine's HTTP status; 0 where it did not answer.
    pub status: u16,
}

impl EngineError {
    /// A failure in our own words.
    pub fn new(action: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { action: action.into(), reason: reason.into(), status: 0 }
    }

    /// A failure of the engine or of the way to it.
    pub(super) fn of(action: impl Into<String>, socket: &str, error: &Error) -> Self {
        if let Error::DockerResponseServerError { status_code, message } = error {
            let reason = message.trim().to_owned();
            return Self { action: action.into(), reason, status: *status_code };
        }
        let (trouble, detail) = refusal(error);
        Self::new(action, way_out(trouble, socket, &detail))
    }
}

/// What a trouble is, and what to do.
pub(super) fn way_out(trouble: Trouble, socket: &str, detail: &str) -> String {
    match trouble {
        Trouble::NoSocket => t!(
            "there is no Docker engine at {socket}; start it (systemctl start docker), install one (apt install docker.io), or name its socket in DOCKER_HOST=unix:///PATH",
            socket = socket
        ),
        Trouble::NoPermission => {
            t!("{socket} is for root and its group only; run this with sudo", socket = socket)
        }
        Trouble::Refused => {
            t!("nobody listens on {socket}; start the engine: systemctl start docker", socket = socket)
        }
        Trouble::Asleep => {
            t!("the engine sleeps behind {socket}; start it: systemctl start docker", socket = socket)
        }
        Trouble::NoAnswer => t!(
            "the engine on {socket} did not answer in time; look at: journalctl -u docker",
            socket = socket
        ),
        Trouble::Failed => t!("the engine on {socket} says: {detail}", socket = socket, detail = detail),
        Trouble::NotAnEngine => t!(
            "what answers on {socket} is no Docker engine, or broke off: {detail}",
            socket = socket,
            detail = detail
        ),
    }
}
