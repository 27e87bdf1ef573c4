//! One chunk: a question, the answer as it streams in, and the same again where the answer is not what the schema asks for.

use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

use super::dialect::{End, Event, Line, Question, refusal};
use super::error::{Error, Wait};
use super::http::Reply;
use super::schema::{Broken, Schema};
use super::server::{Api, Server};
use super::{Limits, ollama, openai, prompt};

/// Blanks in a row after which an answer is given up: a grammar allows them between any two tokens of JSON, and a small model
/// can fall into writing nothing else.
const BLANKS: usize = 256;
/// What one token's line can have in bytes, and what an answer has besides.
const LINE: usize = 2048;
const REST: usize = 256 << 10;

/// What stays the same over the chunks of a document.
pub(super) struct Asker<'a> {
    pub(super) server: &'a Server,
    pub(super) api: Api,
    pub(super) schema: &'a Schema<'a>,
    pub(super) limits: &'a Limits,
    pub(super) instruction: &'a str,
    /// The context in tokens.
    pub(super) context: u32,
    pub(super) mark: &'a str,
}

/// What was spent.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Spent {
    pub(super) attempts: u32,
    pub(super) prompt_tokens: u64,
    pub(super) answer_tokens: u64,
}

/// An answer, whole or not.
struct Answer {
    text: String,
    end: End,
    /// Tokens read, and written.
    read: u64,
    written: u64,
    /// It was given up for its blanks.
    blank: bool,
}

impl Asker<'_> {
    /// What a chunk says. `part` tells that it is one of several.
    pub(super) async fn ask(&self, text: &str, part: bool, spent: &mut Spent) -> Result<Value, Error> {
        let system = prompt::system(self.schema.source, self.mark);
        let mut told: Option<String> = None;
        let mut failed = Error::TooLong;
        for attempt in 0..self.limits.attempts.max(1) {
            let user = prompt::user(self.instruction, text, self.mark, part, told.as_deref());
            let warmer = if attempt == 0 { 0.0 } else { 0.2 * f32::from(u8::try_from(attempt).unwrap_or(5)) };
            let question = Question {
                system: &system,
                user: &user,
                schema: self.schema.source,
                predict: self.limits.num_predict,
                context: self.context,
                temperature: (self.limits.temperature + warmer).min(1.0),
                seed: self.limits.seed.wrapping_add(attempt),
            };
            spent.attempts += 1;
            let answer = self.answer(&question).await?;
            spent.prompt_tokens += answer.read;
            spent.answer_tokens += answer.written;
            if answer.read + answer.written > u64::from(self.context) {
                // It lost its beginning on the way.
                return Err(Error::TooLong);
            }
            let broken = match self.read(&answer) {
                Ok(value) => return Ok(value),
                Err(broken) => broken,
            };
            told = Some(prompt::broken(&broken.at, &broken.rule));
            failed = if answer.end == End::Length {
                Error::CutOff { predict: self.limits.num_predict }
            } else {
                Error::Invalid { attempts: attempt + 1, at: broken.at, rule: broken.rule }
            };
        }
        Err(failed)
    }

    /// The value of an answer, or the rule that it breaks.
    fn read(&self, answer: &Answer) -> Result<Value, Broken> {
        let no_json = || Broken { at: String::new(), rule: "JSON".to_owned() };
        if answer.blank {
            return Err(no_json());
        }
        // serde_json bounds the depth, so that a hostile answer can't exhaust the stack.
        let value: Value = serde_json::from_str(answer.text.trim()).map_err(|_| no_json())?;
        self.schema.broken(&value).map_or(Ok(value), Err)
    }

    /// One question and its answer.
    async fn answer(&self, question: &Question<'_>) -> Result<Answer, Error> {
        let after = self.limits.timeout;
        let call = match self.api {
            Api::Ollama => ollama::chat(self.server, question, self.limits),
            Api::OpenAi => openai::chat(self.server, question),
        };
        let predict = usize::try_from(question.predict).unwrap_or(usize::MAX);
        let call = call.at_most(predict.saturating_mul(LINE).saturating_add(REST));
        let answered = async {
            let mut reply = call.send(self.server).await?;
            if reply.status != 200 {
                let told = serde_json::from_slice(&reply.whole().await?).unwrap_or_default();
                return Err(refusal(self.server, reply.status, &told));
            }
            self.stream(&mut reply).await
        };
        timeout_at(Instant::now() + after, answered)
            .await
            .unwrap_or(Err(Error::TimedOut { what: Wait::Answer, after }))
    }

    /// The lines of an answer, as they come.
    async fn stream(&self, reply: &mut Reply) -> Result<Answer, Error> {
        let broke = |why: &str| Error::BrokeOff { server: self.server.to_string(), why: why.to_owned() };
        let stall = self.limits.stall;
        let mut gathered = Gathered::default();
        let mut rest: Vec<u8> = Vec::new();
        loop {
            let piece = reply.piece();
            let piece = if gathered.text.is_empty() {
                piece.await?
            } else {
                timeout(stall, piece)
                    .await
                    .map_err(|_| Error::TimedOut { what: Wait::Piece, after: stall })??
            };
            let is_end = piece.is_none();
            let seen = rest.len();
            match &piece {
                Some(bytes) => rest.extend_from_slice(bytes),
                // The last line may have no end.
                None => rest.push(b'\n'),
            }
            let mut from = 0;
            while let Some(at) = rest[from.max(seen)..].iter().position(|byte| *byte == b'\n') {
                let to = from.max(seen) + at;
                let line = String::from_utf8_lossy(&rest[from..to]).into_owned();
                from = to + 1;
                let line = match self.api {
                    Api::Ollama => ollama::line(&line),
                    Api::OpenAi => openai::line(line.trim_end_matches('\r')),
                };
                match line {
                    Line::Event(event) => gathered.take(&event),
                    Line::Nothing => {}
                    Line::Failed(told) => return Err(refusal(self.server, 500, &told)),
                    Line::Strange => return Err(broke("it sent what is no JSON")),
                }
                if gathered.is_blank() || gathered.last {
                    return gathered.answer().ok_or_else(|| broke("the answer has no end"));
                }
            }
            rest.drain(..from);
            if is_end {
                return gathered.answer().ok_or_else(|| broke("the answer has no end"));
            }
        }
    }
}

/// The answer so far.
#[derive(Default)]
struct Gathered {
    text: String,
    end: Option<End>,
    prompt_tokens: u64,
    answer_tokens: u64,
    events: u64,
    last: bool,
}

impl Gathered {
    fn take(&mut self, event: &Event) {
        self.events += u64::from(!event.text.is_empty());
        self.text += &event.text;
        self.end = event.end.or(self.end);
        self.prompt_tokens = event.prompt_tokens.unwrap_or(self.prompt_tokens);
        self.answer_tokens = event.answer_tokens.unwrap_or(self.answer_tokens);
        self.last |= event.last;
    }

    fn is_blank(&self) -> bool {
        let filled = self.text.trim_end().len();
        self.text.len() - filled > BLANKS
    }

    /// `None` where its end has not come.
    fn answer(self) -> Option<Answer> {
        let blank = self.is_blank();
        let end = if blank { Some(End::Done) } else { self.end };
        // A server that counts nothing sends a token a line.
        let written = if self.answer_tokens == 0 { self.events } else { self.answer_tokens };
        Some(Answer { end: end?, text: self.text, read: self.prompt_tokens, written, blank })
    }
}
