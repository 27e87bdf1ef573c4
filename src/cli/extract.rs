//! `extract`: what a text says, as a JSON schema asks, from a model of this host's own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::{Value, json};

use super::output::Out;
use super::progress::line_that_stays;
use super::session::{near, read_here};
use super::{Answer, Global, Outcome};
use crate::llm::{self, Api, BUNDLED, Extraction, Limits, Server, Task};
use crate::render::style::printable;
use crate::t;

/// Ask a model on this host what a text says, in the shape that a JSON schema gives; exit 1 when a value is doubtful
///
/// For trying schemas and models by hand; the worker does the same with each document of its queue. The text goes to the
/// server that is named and nowhere else.
#[derive(Debug, Args)]
pub(super) struct Extract {
    /// The text, in UTF-8; a form feed begins a new page, as pdftotext writes it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A JSON schema: a file, or the name of a bundled one (carta)
    #[arg(long, value_name = "FILE|NAME")]
    schema: String,
    #[arg(
        help = "The model's server, as in http://127.0.0.1:8080; an address of this host or its private network",
        long,
        value_name = "URL"
    )]
    llm: String,
    /// The language of its API; default: found out by asking
    #[arg(long, value_enum)]
    api: Option<Api>,
    /// The model's name; default: the only one of a server that has one
    #[arg(long, value_name = "NAME", default_value = "")]
    model: String,
    /// What to look for, in words, besides what the schema's descriptions say
    #[arg(long, value_name = "TEXT", default_value = "")]
    instruction: String,
    /// The context in tokens: instruction, schema, text and answer; a longer text is read in parts
    #[arg(long, value_name = "TOKENS", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(256..=1_048_576))]
    context: u32,
    /// The longest answer to one part, in tokens
    #[arg(long, value_name = "TOKENS", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(16..=131_072))]
    predict: u32,
    /// Threads of the model (Ollama; llama.cpp's server gets them when it starts)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// How often a part is asked for, where the answer is not what the schema asks
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=10))]
    attempts: u32,
    /// How long the answer to one part may take
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

impl Extract {
    pub(super) fn run(&self, _: &Global, out: &Out) -> Outcome {
        near(&self.llm)?;
        let server = Server::new(&self.llm, self.api, &self.model)?;
        let schema = schema(&self.schema)?;
        let text = String::from_utf8(read_here(&self.file)?).ok();
        let text = text.with_context(|| {
            t!("{path} is no text in UTF-8", path = printable(&self.file.display().to_string()))
        })?;
        let pages: Vec<String> = text.split('\u{c}').map(str::to_owned).collect();
        let task = Task { instruction: &self.instruction, schema: &schema, pages: &pages };
        let limits = Limits {
            num_thread: self.threads,
            num_ctx: self.context,
            num_predict: self.predict,
            timeout: self.timeout,
            attempts: self.attempts,
            ..Limits::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let bar = line_that_stays(out);
        let found = runtime.block_on(llm::extract(&server, &task, &limits, |chunk, of| {
            let place = t!("part {chunk} of {of}", chunk = chunk, of = of);
            match &bar {
                Some(bar) => bar.set_message(place),
                None if of > 1 => out.say(&place),
                None => {}
            }
        }));
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        let found = found?;
        if out.json {
            out.document(&document(&found));
        } else {
            out.data(&format!("{}\n", printable_json(&found.value)));
            tell(&found, out);
        }
        Ok(if found.unsupported.is_empty() { Answer::Yes } else { Answer::Differs })
    }
}

/// A bundled one by its name, else a file's.
fn schema(named: &str) -> anyhow::Result<Value> {
    if let Some(schema) = llm::bundled(named) {
        return Ok(schema);
    }
    let known: Vec<&str> = BUNDLED.iter().map(|(name, _)| *name).collect();
    let bytes = read_here(Path::new(named)).with_context(|| {
        t!("{name} is no bundled schema ({known})", name = printable(named), known = known.join(", "))
    })?;
    serde_json::from_slice(&bytes)
        .map_err(|why| anyhow!(t!("{path} is no JSON: {why}", path = printable(named), why = why)))
}

fn document(found: &Extraction) -> Value {
    let doubts = found.unsupported.iter();
    json!({
        "schema": "civicum-tune/extract/1",
        "value": found.value,
        "unsupported": doubts.map(|d| json!({ "pointer": d.pointer, "kind": d.kind.code() })).collect::<Vec<_>>(),
        "chunks": found.chunks,
        "attempts": found.attempts,
        "prompt_tokens": found.prompt_tokens,
        "answer_tokens": found.answer_tokens,
        "seconds": (found.seconds * 1000.0).round() / 1000.0,
    })
}

/// For a terminal: what a model writes can hold control characters of Unicode that JSON does not escape.
fn printable_json(value: &Value) -> String {
    format!("{value:#}").lines().map(printable).collect::<Vec<_>>().join("\n")
}

fn tell(found: &Extraction, out: &Out) {
    out.say(&t!(
        "parts: {chunks}, questions: {attempts}, tokens read: {read}, written: {written}, time: {seconds} s",
        chunks = found.chunks,
        attempts = found.attempts,
        read = found.prompt_tokens,
        written = found.answer_tokens,
        seconds = format!("{:.1}", found.seconds)
    ));
    for doubt in &found.unsupported {
        let line = t!("doubtful: {doubt}", doubt = doubt);
        out.say(&out.err_style.yellow(&printable(&line)));
    }
}
