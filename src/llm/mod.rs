//! The language model: what a document says, as a JSON schema asks for it.
//!
//! [`extract`] asks a server on this host's own network, one chunk of the document after the other, and joins the answers.
//! Two languages are spoken: Ollama's own, and the one of `OpenAI`-compatible servers such as llama.cpp's. The schema binds
//! what the model may write, the answer is validated again here, and what a model is known to make up (a RUT) is looked for in
//! the text. Nothing that this room says in an error, a `Debug` or a doubt quotes the document or the answer.
//!
//! Dropping the future of [`extract`] cancels: it drives its connection itself, so the connection closes at once, and the
//! server stops generating.

mod ask;
mod dialect;
mod doubt;
mod error;
mod extract;
mod http;
mod merge;
mod ollama;
mod openai;
mod prompt;
mod resident;
mod schema;
mod server;
mod speed;
mod split;
mod tokens;

use std::fmt;
use std::time::Duration;

use serde_json::Value;

pub use doubt::{Doubt, Kind};
pub use error::{Error, Wait};
pub use extract::extract;
pub use resident::{Resident, load, resident};
pub use schema::{BUNDLED, bundled, check_schema};
pub use server::{Api, Server};
pub use speed::{Load, Served, Speed, served, speed};

/// What a server may take for one document.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Threads of the model; `None` leaves it to the server. Only Ollama takes it with a request, llama.cpp when it starts.
    pub num_thread: Option<u32>,
    /// The context in tokens: instruction, schema, chunk and answer. Where the server's own is smaller, that one counts.
    pub num_ctx: u32,
    /// The longest answer to one chunk, in tokens.
    pub num_predict: u32,
    /// How long one answer may take, from the question to its last token.
    pub timeout: Duration,
    /// How long the server may be silent once it has begun to answer: a token takes less than a second, so this finds a server
    /// that hangs. Before the first token it reads the whole chunk, for which only `timeout` counts.
    pub stall: Duration,
    /// How long the whole document may take: one whose parts would take longer, by what the first ones took, is given up then.
    pub whole: Option<Duration>,
    /// How long Ollama keeps the model in memory afterwards: `5m`, `0`, `-1` for ever; `None` leaves it to the server.
    pub keep_alive: Option<String>,
    /// How often a chunk is asked for in all, where the answer is not what the schema asks; at least 1.
    pub attempts: u32,
    /// 0 answers the same to the same. Each attempt after the first is 0.2 warmer, with another seed.
    pub temperature: f32,
    /// Of the first attempt; the others count on.
    pub seed: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            num_thread: None,
            num_ctx: 4096,
            num_predict: 1024,
            timeout: Duration::from_secs(900),
            stall: Duration::from_secs(120),
            whole: None,
            keep_alive: None,
            attempts: 2,
            temperature: 0.0,
            seed: 0,
        }
    }
}

/// What is to be done with which text.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// What to look for, in words; may be empty, since the schema's own descriptions are told too.
    pub instruction: &'a str,
    /// The shape of the answer. References that lead out of it are refused.
    pub schema: &'a Value,
    /// The document's text, page by page.
    pub pages: &'a [String],
}

/// What came out.
#[derive(Clone, PartialEq)]
pub struct Extraction {
    /// As the schema asks.
    pub value: Value,
    /// Into how many parts the document was cut.
    pub chunks: usize,
    /// Read by the model, over all attempts.
    pub prompt_tokens: u64,
    /// Written by the model, over all attempts.
    pub answer_tokens: u64,
    /// Questions in all: one a chunk, and the repetitions.
    pub attempts: u32,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Where a person should look: values that the text does not support, and chunks that contradict each other.
    pub unsupported: Vec<Doubt>,
}

impl fmt::Debug for Task<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("pages", &self.pages.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Extraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extraction")
            .field("chunks", &self.chunks)
            .field("prompt_tokens", &self.prompt_tokens)
            .field("answer_tokens", &self.answer_tokens)
            .field("attempts", &self.attempts)
            .field("seconds", &self.seconds)
            .field("unsupported", &self.unsupported)
            .finish_non_exhaustive()
    }
}
