//! Servers of our own, on loopback: one for each file and each number of threads, gone when all is measured.

use std::io::BufReader;
use std::time::Duration;

use super::turns::{Asked, Model, Servers, Threads, Way, Work, word};
use crate::bench::{Pace, Told, room};
use crate::facts::gguf::{self, Gguf};
use crate::host::child::{OwnChild, start_server};
use crate::host::{Host, in_words};
use crate::llm::{Api, Server};
use crate::t;

/// Tokens of context that ours have.
const CONTEXT: u64 = 2048;

/// A program that speaks as llama.cpp's server does.
pub(super) struct Own<'a> {
    host: &'a Host,
    program: &'a str,
    /// All of them at a time?
    side_by_side: bool,
    up: Vec<(String, Option<usize>, Server, OwnChild)>,
}

/// A file's model, or why it is left out.
fn look(host: &Host, file: &str, name: &str, available: Option<u64>) -> Told<Model> {
    let open = host.open_large(file).map_err(|error| error.to_string())?;
    let bytes = open.metadata().map_or(0, |data| data.len());
    let header = gguf::parse(BufReader::new(open), bytes).map_err(|why| why.to_string())?;
    let need = header.need(CONTEXT).sum();
    match room::lacks(need, available) {
        Some(why) => Err(why),
        None => Ok(Model { place: file.to_owned(), need, ..of(&header, name) }),
    }
}

/// What a header tells.
pub(super) fn of(header: &Gguf, name: &str) -> Model {
    Model {
        name: name.to_owned(),
        packing: header.quantization().map(str::to_owned),
        family: Some(format!("{} {}×{}", header.architecture, header.layers, header.embedding)),
        bytes: header.file_bytes,
        ..Model::default()
    }
}

impl<'a> Own<'a> {
    /// The files that can be measured, each with each of these numbers of threads.
    pub(super) fn new(
        host: &'a Host,
        program: &'a str,
        files: &[String],
        counts: &[Threads],
        notes: &mut Vec<String>,
    ) -> (Self, Vec<Model>, Vec<Way>) {
        let available = room::available(host);
        let mut models = Vec::new();
        for file in files {
            let last = |file: &str| file.rsplit('/').next().unwrap_or_default().to_owned();
            let is_twice = files.iter().any(|other| other != file && last(other) == last(file));
            let name = &if is_twice { file.clone() } else { last(file) };
            match look(host, file, name, available) {
                Ok(model) => models.push(model),
                Err(why) => notes.push(t!("{model}: {why}", model = name, why = why)),
            }
        }
        let ways = (0..models.len()).flat_map(|model| counts.iter().map(move |of| Way::new(model, *of)));
        let ways: Vec<Way> = ways.collect();
        // Servers of one file share its weights through the page cache, but not those that they pack anew for this processor.
        let all = ways.iter().fold(0u64, |sum, way| sum.saturating_add(models[way.model].need));
        let side_by_side = room::lacks(all, available).is_none();
        (Self { host, program, side_by_side, up: Vec::new() }, models, ways)
    }

    /// The server that is up, or a new one; `None` where it had no model yet when its time was up.
    async fn ready(
        &mut self,
        model: &Model,
        threads: Option<usize>,
        pace: &Pace<'_>,
    ) -> Told<Option<(Server, OwnChild)>> {
        let is_it = |(place, has, ..): &(String, Option<usize>, Server, OwnChild)| {
            place == &model.place && *has == threads
        };
        if let Some(at) = self.up.iter().position(is_it) {
            let (.., server, child) = self.up.swap_remove(at);
            return Ok(Some((server, child)));
        }
        // Others may have taken it since.
        if let Some(why) = room::lacks(model.need, room::available(self.host)) {
            return Err(why);
        }
        pace.say(&t!("loading {model}, threads: {threads}", model = model.name, threads = word(threads)));
        let starting = start(self.host, self.program, &model.place, threads.unwrap_or(1));
        pace.bounded(starting).await.transpose()
    }
}

impl Servers for Own<'_> {
    async fn turn(
        &mut self,
        model: &Model,
        threads: Option<usize>,
        work: &mut Work<'_>,
        pace: &Pace<'_>,
    ) -> Told<bool> {
        let Some((server, mut child)) = self.ready(model, threads, pace).await? else { return Ok(false) };
        let asked =
            Asked { server: &server, api: Api::OpenAi, threads: None, context: None, keep_alive: None };
        // What it says has to be read, or it waits for us.
        let done = tokio::select! {
            done = asked.both(work, pace) => done,
            _ = child.ended(|_| ()) => return Err(t!("{program} ended by itself", program = self.program)),
        };
        // One that ran out of its turn is not asked again, and may still be at work.
        if self.side_by_side && matches!(done, Ok(true)) {
            self.up.push((model.place.clone(), threads, server, child));
        } else {
            child.end().await;
        }
        done
    }

    async fn end(self, _pace: &Pace<'_>, _notes: &mut Vec<String>) {
        for (.., child) in self.up {
            child.end().await;
        }
    }
}

/// Starts a server, and waits until it has its model.
async fn start(host: &Host, program: &str, file: &str, threads: usize) -> Told<(Server, OwnChild)> {
    let port = host.free_port().map_err(|error| error.to_string())?;
    let (port, threads, context) = (port.to_string(), threads.to_string(), CONTEXT.to_string());
    let words = ["--model", file, "--host", "127.0.0.1", "--port", &port, "--ctx-size", &context];
    let mut args = words.map(str::to_owned).to_vec();
    args.extend(["--parallel", "1", "--threads", &threads, "--threads-batch", &threads].map(str::to_owned));
    let failed = |why: String| t!("{program} does not start: {why}", program = program, why = why);
    let mut child = start_server(program, &args).map_err(|why| failed(in_words(&why)))?;
    let url = format!("http://127.0.0.1:{port}");
    let server = Server::new(&url, Some(Api::OpenAi), "").map_err(|error| error.to_string())?;
    let mut last = String::new();
    let ready = async {
        while !server.is_ready().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let ended = tokio::select! {
        () = ready => None,
        ended = child.ended(|line| if !line.is_empty() { line.clone_into(&mut last); }) => Some(ended),
    };
    match ended {
        None => Ok((server, child)),
        Some(_) => Err(failed(last)),
    }
}
