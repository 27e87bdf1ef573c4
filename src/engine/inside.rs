//! A command of ours inside a container of a deployment, as if it ran here: its words, its input, its status.

use std::collections::HashMap;
use std::io::{self, Read};
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::query_parameters::ListContainersOptionsBuilder;
use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;

use super::client::Client;
use super::error::EngineError;
use crate::container::label;
use crate::t;

/// How long the engine may take to know the status of a command whose output has ended.
const KNOWN: Duration = Duration::from_secs(5);

/// Takes what the command writes: standard output, or standard error.
pub type Take<'t> = dyn FnMut(&[u8], bool) -> io::Result<()> + 't;

/// The first of these services of a deployment whose container runs: the service, and the container's id.
pub fn running(
    client: &Client,
    deployment: &str,
    services: &[&str],
) -> Result<Option<(String, String)>, EngineError> {
    let filters = HashMap::from([
        ("label".to_owned(), vec![format!("{}={deployment}", label::DEPLOYMENT)]),
        ("status".to_owned(), vec!["running".to_owned()]),
    ]);
    let options = ListContainersOptionsBuilder::default().filters(&filters).build();
    let found =
        client.run(t!("the engine can't be looked at"), client.docker.list_containers(Some(options)))?;
    let id_of = |service: &str| {
        let own = format!("/{deployment}-{service}");
        // Labels alone go on to whatever is made from its image: the name belongs to them.
        let is_it = |names: &Vec<String>| names.contains(&own);
        found
            .iter()
            .find(|container| container.names.as_ref().is_some_and(is_it))
            .and_then(|container| container.id.clone())
    };
    Ok(services.iter().find_map(|service| Some(((*service).to_owned(), id_of(service)?))))
}

/// Runs `words` in a container, each a word of its own that no shell reads, with `input` as its standard input. Gives its
/// status. What it writes goes to `take` as it comes, with `true` for standard error.
pub fn inside(
    client: &Client,
    container: &str,
    words: &[String],
    mut input: Option<&mut dyn Read>,
    take: &mut Take<'_>,
) -> Result<i64, EngineError> {
    let action = || t!("the command can't be run in the container");
    let mut refused = None;
    let status = client.run(action(), async {
        let options = CreateExecOptions {
            attach_stdin: Some(input.is_some()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(words.to_vec()),
            ..CreateExecOptions::default()
        };
        let made = client.docker.create_exec(container, options).await?;
        let StartExecResults::Attached { mut output, input: mut to } =
            client.streams.start_exec(&made.id, None).await?
        else {
            return Ok(None);
        };
        let heard = async {
            while let Some(part) = output.next().await {
                let (bytes, is_error) = match part? {
                    LogOutput::StdErr { message } => (message, true),
                    LogOutput::StdOut { message } | LogOutput::Console { message } => (message, false),
                    LogOutput::StdIn { .. } => continue,
                };
                if let Err(error) = take(&bytes, is_error) {
                    refused = Some(error);
                    break;
                }
            }
            Ok::<_, Error>(())
        };
        // What ends early reads no more: that is for its status to tell. What can't be read here ends the input too soon, and
        // whoever waits for all of it finds out.
        let told = async {
            let mut part = vec![0; 64 << 10];
            while let Some(Ok(read @ 1..)) = input.as_mut().map(|from| from.read(&mut part)) {
                if to.write_all(&part[..read]).await.is_err() {
                    break;
                }
            }
            let _ = to.shutdown().await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            heard = heard => heard?,
            () = told => {}
        }
        status(client, &made.id).await
    })?;
    if let Some(error) = refused {
        return Err(EngineError::new(action(), error.to_string()));
    }
    status.ok_or_else(|| EngineError::new(action(), t!("the engine does not tell how it ended")))
}

async fn status(client: &Client, id: &str) -> Result<Option<i64>, Error> {
    let begun = tokio::time::Instant::now();
    loop {
        let found = client.docker.inspect_exec(id).await?;
        if !found.running.unwrap_or(false) || begun.elapsed() > KNOWN {
            return Ok(found.exit_code);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
