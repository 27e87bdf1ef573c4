//! What both languages have in common: a question, the events of an answer, and the ways to say no.

use serde_json::Value;

use super::error::Error;
use super::server::Server;
use crate::t;

/// One question to the model.
pub(super) struct Question<'a> {
    /// What the model is, and what the answer has to look like.
    pub(super) system: &'a str,
    /// The task, with the document between its marks.
    pub(super) user: &'a str,
    pub(super) schema: &'a Value,
    pub(super) predict: u32,
    pub(super) context: u32,
    pub(super) temperature: f32,
    pub(super) seed: u32,
}

impl Question<'_> {
    pub(super) fn messages(&self) -> Value {
        messages(self.system, self.user)
    }
}

pub(super) fn messages(system: &str, user: &str) -> Value {
    serde_json::json!([{ "role": "system", "content": system }, { "role": "user", "content": user }])
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The model was done.
    Done,
    /// It had no tokens left.
    Length,
}

/// One line of an answer that streams.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) text: String,
    pub(super) end: Option<End>,
    pub(super) prompt_tokens: Option<u64>,
    pub(super) answer_tokens: Option<u64>,
    /// Nothing comes after it.
    pub(super) last: bool,
}

/// What a line says: an event, nothing (a comment, a blank line), or an error of the server's.
pub(super) enum Line {
    Event(Event),
    Nothing,
    /// The server gave up; what it says is not told on, since it may quote the text.
    Failed(Value),
    /// No line of this language.
    Strange,
}

/// The error's words and its kind, of `{"error": "…"}` and of `{"error": {"message": "…", "type": "…"}}`.
fn said(told: &Value) -> (&str, &str) {
    let error = &told["error"];
    let message = error.as_str().or_else(|| error["message"].as_str()).unwrap_or_default();
    (message, error["type"].as_str().unwrap_or_default())
}

/// A no, by its HTTP status and its words. The words are told on only where they speak of the schema: others may quote the
/// document, as llama.cpp's do when it can't read its own model's answer.
pub(super) fn refusal(server: &Server, status: u16, told: &Value) -> Error {
    let (message, kind) = said(told);
    let lower = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if kind == "exceed_context_size_error"
        || has(&[
            "exceeds the available context",
            "exceeds the context",
            "exceed_context",
            "longer than the context",
        ])
    {
        return Error::TooLong;
    }
    if status == 503 || status == 429 || has(&["loading model", "server busy"]) {
        return Error::Busy { server: server.to_string() };
    }
    if status == 404 || has(&["model not found", "invalid model name"]) {
        return Error::NoSuchModel { model: server.model.clone(), has: Vec::new() };
    }
    let about_schema = has(&["json schema", "json_schema", "grammar", "invalid format", "schema conversion"]);
    if about_schema && !has(&["parse input"]) {
        let why: String = message.chars().filter(|c| !c.is_control()).take(300).collect();
        return Error::Schema { at: String::new(), why: t!("the server says: {why}", why = why) };
    }
    if has(&["requires more system memory"]) {
        return Error::NoMemory { server: server.to_string() };
    }
    let is_word = kind.len() < 64 && kind.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    let kind = if is_word { kind.to_owned() } else { String::new() };
    Error::Refused { status, kind }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[allow(clippy::needless_pass_by_value)] // So that `json!` can stand in the call.
    fn of(status: u16, told: Value) -> Error {
        refusal(&Server::new("http://llm:1", None, "m").unwrap(), status, &told)
    }

    #[test]
    fn noes_are_told_apart() {
        let busy = Error::Busy { server: "llm:1".into() };
        let none = Error::NoSuchModel { model: "m".into(), has: Vec::new() };
        assert_eq!(
            of(503, json!({ "error": { "message": "Loading model", "type": "unavailable_error" } })),
            busy
        );
        assert_eq!(
            of(503, json!({ "error": "server busy, please try again. maximum pending requests exceeded" })),
            busy
        );
        assert_eq!(of(404, json!({ "error": "model 'm' not found" })), none);
        assert_eq!(of(400, json!({ "error": "invalid model name" })), none);
        let long = json!({ "error": { "message": "request (4009 tokens) exceeds the available context size (2048 tokens)" } });
        assert_eq!(of(400, long), Error::TooLong);
        let schema = json!({ "error": "invalid JSON schema in format" });
        assert!(matches!(of(500, schema), Error::Schema { why, .. } if why.contains("in format")));
        let quotes = json!({ "error": { "message": "Failed to parse input at pos 0: {\"json schema\": Juan", "type": "server_error" } });
        assert_eq!(of(500, quotes), Error::Refused { status: 500, kind: "server_error".into() });
        let quotes = json!({ "error": { "message": "?", "type": "Juan Pérez" } });
        assert_eq!(of(400, quotes), Error::Refused { status: 400, kind: String::new() });
        let short =
            json!({ "error": "model requires more system memory (5.6 GiB) than is available (2.1 GiB)" });
        assert_eq!(of(500, short), Error::NoMemory { server: "llm:1".into() });
        assert_eq!(of(502, Value::Null), Error::Refused { status: 502, kind: String::new() });
    }
}
