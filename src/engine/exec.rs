//! A command inside a container that runs, as its own user: what it says is handed on as it comes.

use std::io;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecResults};
use futures_util::StreamExt as _;

use super::client::Client;
use super::error::EngineError;
use crate::t;

/// The most that is kept of a command's complaints, bytes.
const MOST: usize = 4 << 10;

/// Runs `words` in `container`, and hands what it writes to `take`. It is an error when it does not end with 0, or not
/// within `patience`; `action` says what was tried.
pub(super) fn exec(
    client: &Client,
    container: &str,
    action: &str,
    words: &[&str],
    patience: Duration,
    take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), EngineError> {
    let mut refused = None;
    let mut complaints = Vec::new();
    let status = client.run(action, async {
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(words.to_vec()),
            ..CreateExecOptions::default()
        };
        let made = client.docker.create_exec(container, options).await?;
        let work = async {
            let StartExecResults::Attached { mut output, .. } =
                client.streams.start_exec(&made.id, None).await?
            else {
                return Ok(());
            };
            while let Some(part) = output.next().await {
                match part? {
                    LogOutput::StdErr { message } => {
                        let room = MOST.saturating_sub(complaints.len());
                        complaints.extend(message.iter().take(room));
                    }
                    LogOutput::StdOut { message } | LogOutput::Console { message } => {
                        if let Err(error) = take(&message) {
                            refused = Some(error);
                            break;
                        }
                    }
                    LogOutput::StdIn { .. } => {}
                }
            }
            Ok::<_, Error>(())
        };
        tokio::time::timeout(patience, work).await.unwrap_or(Err(Error::RequestTimeoutError))?;
        Ok(client.docker.inspect_exec(&made.id).await?.exit_code)
    })?;
    if let Some(error) = refused {
        return Err(EngineError::new(action, error.to_string()));
    }
    match status {
        Some(0) => Ok(()),
        status => {
            let said = String::from_utf8_lossy(&complaints).trim().to_owned();
            let status = status.map_or_else(|| "?".to_owned(), |status| status.to_string());
            let program = words.first().copied().unwrap_or_default();
            Err(EngineError::new(
                action,
                t!(
                    "{program} ended with status {status}: {said}",
                    program = program,
                    status = status,
                    said = said
                ),
            ))
        }
    }
}
