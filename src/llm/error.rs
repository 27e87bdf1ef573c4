//! What went wrong with the model or its server, and what to do about it; never what the document says.

use std::fmt;
use std::time::Duration;

use crate::t;

/// What was being waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// A connection, or an answer about the server itself.
    Server,
    /// An answer of the model, as a whole.
    Answer,
    /// The next piece of an answer that had begun.
    Piece,
}

/// Why there is no extraction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The server's address can't be used.
    Address {
        /// What is wrong with it.
        why: String,
    },
    /// Nobody answers there.
    Unreachable {
        /// `HOST:PORT`.
        server: String,
        /// The system's words.
        why: String,
    },
    /// What answers there speaks neither API.
    NotAServer {
        /// `HOST:PORT`.
        server: String,
    },
    /// The server does not have the model.
    NoSuchModel {
        /// The one that was asked for.
        model: String,
        /// Those that it told of.
        has: Vec<String>,
    },
    /// It loads its model, or has too many questions already.
    Busy {
        /// `HOST:PORT`.
        server: String,
    },
    /// It has less memory than its model needs.
    NoMemory {
        /// `HOST:PORT`.
        server: String,
    },
    /// Its chat template leaves out what the model is asked.
    Template {
        /// `HOST:PORT`.
        server: String,
    },
    /// The document has more parts than there is time for.
    Late {
        /// Parts in all.
        chunks: usize,
        /// How long one takes.
        each: Duration,
        /// How long all of them may take.
        whole: Duration,
    },
    /// It took too long.
    TimedOut {
        /// What was waited for.
        what: Wait,
        /// How long.
        after: Duration,
    },
    /// The connection ended in the middle of an answer, or what came made no sense.
    BrokeOff {
        /// `HOST:PORT`.
        server: String,
        /// The system's words.
        why: String,
    },
    /// The answer was not done when it had `num_predict` tokens.
    CutOff {
        /// `num_predict`.
        predict: u32,
    },
    /// The answer was not what the schema asks for, as often as it was asked.
    Invalid {
        /// How often.
        attempts: u32,
        /// Where in the answer, as a JSON pointer; names that the schema does not know are `*`.
        at: String,
        /// The rule of the schema that is broken, or `JSON` where it is none.
        rule: String,
    },
    /// The schema is none, leads out of itself, or is none that the server can bind an answer with.
    Schema {
        /// Where in the schema, as a JSON pointer.
        at: String,
        /// What is wrong there.
        why: String,
    },
    /// There is nothing to read in the document.
    NoText,
    /// Instruction, schema and answer leave no room for the document.
    NoRoom {
        /// The context in tokens.
        context: u32,
        /// What instruction, schema, answer and the smallest chunk need.
        needed: u32,
    },
    /// The server said no in another way.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The kind of error that it told, or nothing.
        kind: String,
    },
    /// The question is longer than the context. [`super::extract`] cuts the document smaller then.
    TooLong,
}

impl Error {
    /// Is it worth the same question in a while?
    pub fn retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Busy { .. }
            | Self::NoMemory { .. }
            | Self::TimedOut { .. }
            | Self::BrokeOff { .. } => true,
            Self::Refused { status, .. } => *status >= 500 || *status == 429,
            _ => false,
        }
    }

    /// Is the server at fault, whatever it is asked: away, not ready, or not the one that is meant?
    pub const fn is_away(&self) -> bool {
        matches!(
            self,
            Self::Address { .. }
                | Self::Unreachable { .. }
                | Self::NotAServer { .. }
                | Self::NoSuchModel { .. }
                | Self::Busy { .. }
                | Self::NoMemory { .. }
                | Self::Template { .. }
                | Self::TimedOut { what: Wait::Server, .. }
        )
    }

    /// Did the server break down over a question? It may have done so by itself, or because of what it was asked.
    pub const fn is_breakdown(&self) -> bool {
        match self {
            Self::BrokeOff { .. } | Self::TimedOut { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            _ => false,
        }
    }

    /// A word for metrics and JSON.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "address",
            Self::Unreachable { .. } => "unreachable",
            Self::NotAServer { .. } => "not-a-server",
            Self::NoSuchModel { .. } => "no-such-model",
            Self::Busy { .. } => "busy",
            Self::NoMemory { .. } => "no-memory",
            Self::Template { .. } => "template",
            Self::Late { .. } => "late",
            Self::TimedOut { .. } => "timed-out",
            Self::BrokeOff { .. } => "broke-off",
            Self::CutOff { .. } => "cut-off",
            Self::Invalid { .. } => "invalid",
            Self::Schema { .. } => "schema",
            Self::NoText => "no-text",
            Self::NoRoom { .. } => "no-room",
            Self::Refused { .. } => "refused",
            Self::TooLong => "too-long",
        }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words(self))
    }
}

fn words(error: &Error) -> String {
    let spot = |at: &str| if at.is_empty() { "/".to_owned() } else { at.to_owned() };
    match error {
        Error::Address { why } => t!("the model's server can't be used: {why}", why = why),
        Error::Unreachable { server, why } => t!(
            "no model's server answers on {server}: {why}; is it running, and is it on this network?",
            server = server,
            why = why
        ),
        Error::NotAServer { server } => t!(
            "what answers on {server} speaks neither Ollama's API nor OpenAI's; name another address",
            server = server
        ),
        Error::NoSuchModel { model, has } if has.is_empty() => t!(
            "the server does not have the model {model}; load it there first, or name another one",
            model = model
        ),
        Error::NoSuchModel { model, has } => t!(
            "the server does not have the model {model}; it has {has}",
            model = model,
            has = has.join(", ")
        ),
        Error::Busy { server } => {
            t!(
                "the model's server on {server} loads its model or is busy; ask again in a while",
                server = server
            )
        }
        Error::NoMemory { server } => {
            t!("the model on {server} needs more memory than there is", server = server)
        }
        Error::Template { server } => t!(
            "the chat template of the model's server on {server} leaves out what the model is asked: give llama-server another --chat-template, or one that the model's file holds",
            server = server
        ),
        Error::Late { chunks, each, whole } => t!(
            "the document has {chunks} parts of {each} s each, and {whole} s for all of them; give it more time, or a larger context",
            chunks = chunks,
            each = format!("{:.1}", each.as_secs_f64()),
            whole = whole.as_secs()
        ),
        Error::TimedOut { what, after } => {
            let after = humantime::format_duration(*after);
            match what {
                Wait::Server => t!("the model's server said nothing for {after}", after = after),
                Wait::Answer => {
                    t!(
                        "the model's answer was not there after {after}; give it more time, or a shorter text",
                        after = after
                    )
                }
                Wait::Piece => {
                    t!(
                        "the model's server fell silent in the middle of an answer, for {after}",
                        after = after
                    )
                }
            }
        }
        Error::BrokeOff { server, why } => {
            t!("the model's server on {server} broke off: {why}; look at its log", server = server, why = why)
        }
        Error::CutOff { predict } => t!(
            "the model's answer was not done after {predict} tokens; give it more (num_predict), or ask for less",
            predict = predict
        ),
        Error::Invalid { attempts, at, rule } => t!(
            "the model's answer breaks the schema's rule `{rule}` at {at}, {attempts} times in a row",
            rule = rule,
            at = spot(at),
            attempts = attempts
        ),
        Error::Schema { at, why } => {
            t!("the schema can't be used, at {at}: {why}", at = spot(at), why = why)
        }
        Error::NoText => t!("the document has no text to read"),
        Error::NoRoom { context, needed } => t!(
            "a context of {context} tokens has no room for a document: instruction, schema and answer need {needed} already; give it more (num_ctx), or a smaller num_predict",
            context = context,
            needed = needed
        ),
        Error::Refused { status, kind } if kind.is_empty() => {
            t!("the model's server refused the question (HTTP {status}); look at its log", status = status)
        }
        Error::Refused { status, kind } => t!(
            "the model's server refused the question (HTTP {status}, {kind}); look at its log",
            status = status,
            kind = kind
        ),
        Error::TooLong => t!("the question is longer than the model's context"),
    }
}
