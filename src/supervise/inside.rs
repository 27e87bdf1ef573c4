//! Words with what runs in a container, past its network: its own ports, from its own side.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::container::role::Role;
use crate::facts::sockets;
use crate::host::{Host, Process};
use crate::worker::State;

/// How long an answer may take: whoever runs short of memory is slow, and is asked again.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest answer that is read, bytes.
const MOST: usize = 64 << 10;

/// A container that can be spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The service.
    pub service: String,
    /// The container's id.
    pub id: String,
    /// Its first process.
    pub pid: u32,
    /// What it is.
    pub role: Role,
}

impl Place {
    /// What the worker in it says of itself.
    pub(super) fn worker(&self, host: &Host) -> io::Result<State> {
        let port = self.role.port().unwrap_or(9000);
        let mut state: State = serde_json::from_slice(&self.ask(host, port, "GET", "/state", "")?)?;
        // More than any worker has.
        state.in_work.retain(|one| matches!(one.stage.as_str(), "ocr" | "extract"));
        state.in_work.truncate(64);
        state.crashed.retain(|one| matches!(one.stage.as_str(), "ocr" | "extract"));
        let older = state.crashed.len().saturating_sub(16);
        state.crashed.drain(..older);
        Ok(state)
    }

    /// The process that does the work: the engine's `docker-init` hands every signal on to it.
    pub(super) fn process(&self, host: &Host) -> Option<Process> {
        host.process_in(self.pid, &self.id)
    }

    /// Connections that somebody holds to the model's port in it.
    pub(super) fn callers(&self, host: &Host) -> Option<usize> {
        sockets::callers(host, self.pid, self.role.port()?)
    }

    /// Has a model of Ollama's unloaded, if one is loaded. Gives the models' names.
    pub(super) fn unload(&self, host: &Host) -> io::Result<Vec<String>> {
        if self.role != Role::Ollama {
            return Ok(Vec::new());
        }
        let port = self.role.port().unwrap_or(11434);
        let loaded: Value = serde_json::from_slice(&self.ask(host, port, "GET", "/api/ps", "")?)?;
        let models = loaded.get("models").and_then(Value::as_array).into_iter().flatten();
        let names: Vec<String> =
            models.filter_map(|model| Some(model.get("name")?.as_str()?.to_owned())).collect();
        // Whatever it claims to have loaded: it is asked for no more than fits a few seconds.
        let until = Instant::now() + 2 * PATIENCE;
        for name in names.iter().take(8).take_while(|_| Instant::now() < until) {
            let body = serde_json::json!({ "model": name, "keep_alive": 0 }).to_string();
            self.ask(host, port, "POST", "/api/generate", &body)?;
        }
        Ok(names)
    }

    /// One question in HTTP/1.0, which ends with its answer.
    fn ask(&self, host: &Host, port: u16, verb: &str, path: &str, body: &str) -> io::Result<Vec<u8>> {
        // Its number may be another's by now, with another network.
        let process = self.process(host).ok_or_else(|| io::Error::other("it is gone"))?;
        let mut stream = process.connect(port, PATIENCE)?;
        let length = body.len();
        write!(
            stream,
            "{verb} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = whole(&mut stream)?;
        let end = answer.windows(4).position(|part| part == b"\r\n\r\n");
        let Some(end) = end.filter(|_| answer.starts_with(b"HTTP/1.")) else {
            return Err(io::Error::other("what it says is no HTTP"));
        };
        let status = String::from_utf8_lossy(answer.get(9..12).unwrap_or_default()).into_owned();
        if !status.starts_with('2') {
            return Err(io::Error::other(format!("it answers with status {status}")));
        }
        Ok(answer.split_off(end + 4))
    }
}

/// All that is answered, within one time for the whole of it: whoever runs in there may be nobody's friend any more.
fn whole(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let until = Instant::now() + PATIENCE;
    let (mut answer, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || answer.len() > MOST {
            return Err(io::Error::other("its answer is too long, or takes too long"));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut part)? {
            0 => return Ok(answer),
            length => answer.extend_from_slice(&part[..length]),
        }
    }
}
