//! `OpenAI`'s API as llama.cpp's server speaks it: `/v1/chat/completions`, server-sent events, and the server's own `/props`,
//! `/tokenize` and `/apply-template`, where there are any.

use serde_json::{Value, json};

use super::dialect::{End, Event, Line, Question, messages};
use super::error::Error;
use super::http::Call;
use super::server::Server;

/// A question.
pub(super) fn chat(server: &Server, question: &Question<'_>) -> Call {
    let mut body = json!({
        "messages": question.messages(),
        "stream": true,
        "stream_options": { "include_usage": true },
        "max_tokens": question.predict,
        "temperature": question.temperature,
        "seed": question.seed,
        "response_format": {
            "type": "json_schema",
            "json_schema": { "name": "answer", "strict": true, "schema": question.schema },
        },
        // While it reads a question, llama.cpp's server notices that nobody waits any more only when it has something to send:
        // with this it tells after each batch how far it is.
        "return_progress": true,
        // For templates of models that think aloud first, on tokens that the answer needs.
        "chat_template_kwargs": { "enable_thinking": false },
    });
    if !server.model.is_empty() {
        body["model"] = server.model.as_str().into();
    }
    Call::post("/v1/chat/completions", body)
}

/// The context of one of its slots. It would take any model's name for its own, so the name is compared here.
pub(super) async fn context(server: &Server) -> Result<Option<u32>, Error> {
    if !server.model.is_empty() {
        let (status, told) = server.ask(&Call::get("/v1/models")).await?;
        if status == 503 {
            return Err(Error::Busy { server: server.to_string() });
        }
        let has = names(&told);
        if status == 200 && !has.is_empty() && !has.iter().any(|name| is_same(name, &server.model)) {
            return Err(Error::NoSuchModel { model: server.model.clone(), has });
        }
    }
    let (status, told) = server.ask(&Call::get("/props")).await?;
    if status == 503 {
        return Err(Error::Busy { server: server.to_string() });
    }
    let context = told["default_generation_settings"]["n_ctx"].as_u64();
    Ok(context.and_then(|context| u32::try_from(context).ok()).filter(|context| *context > 0))
}

/// The names that its models go by.
fn names(told: &Value) -> Vec<String> {
    let models = told["data"].as_array().into_iter().flatten();
    let each = models.flat_map(|model| {
        let aliases = model["aliases"].as_array().into_iter().flatten();
        std::iter::once(&model["id"]).chain(aliases).filter_map(Value::as_str)
    });
    let mut found: Vec<String> = Vec::new();
    for name in each.take(50) {
        if !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    found
}

/// A model without an alias goes by its file: the path, its last part, or that without `.gguf`.
fn is_same(name: &str, wanted: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    [name, file, file.strip_suffix(".gguf").unwrap_or(file)].contains(&wanted)
}

/// The tokens of a text, each with its length in bytes; `None` where the server does not count any.
pub(super) async fn pieces(server: &Server, text: &str) -> Result<Option<Vec<usize>>, Error> {
    // Special tokens count too: what a server does with those of a document is not ours to say.
    let body = json!({ "content": text, "add_special": false, "parse_special": true, "with_pieces": true });
    let most = 4096 + text.len().saturating_mul(64);
    let (status, told) = server.ask(&Call::post("/tokenize", body).at_most(most)).await?;
    if status == 503 {
        return Err(Error::Busy { server: server.to_string() });
    }
    let tokens = told["tokens"].as_array().filter(|_| status == 200);
    Ok(tokens.map(|tokens| tokens.iter().map(|token| length(&token["piece"])).collect()))
}

/// A piece is a text, or its bytes where it is no whole character.
fn length(piece: &Value) -> usize {
    piece.as_str().map(str::len).or_else(|| piece.as_array().map(Vec::len)).unwrap_or(0)
}

/// What the model gets to read of a question, with its chat template around it.
pub(super) async fn templated(server: &Server, system: &str, user: &str) -> Result<Option<String>, Error> {
    let body = json!({ "messages": messages(system, user) });
    let (status, told) = server.ask(&Call::post("/apply-template", body)).await?;
    let prompt = told["prompt"].as_str().filter(|_| status == 200).map(str::to_owned);
    // A template that is none, such as a mistyped name of one, stands there alone: the model would answer without having read a word.
    if prompt.as_ref().is_some_and(|prompt| prompt.len() < user.trim().len()) {
        return Err(Error::Template { server: server.to_string() });
    }
    Ok(prompt)
}

/// One line of an answer.
pub(super) fn line(line: &str) -> Line {
    let Some(data) = line.strip_prefix("data:").map(str::trim) else {
        // `error: {…}` is an older llama.cpp's; comments and other fields say nothing to us.
        let failed = line.strip_prefix("error:").and_then(|error| serde_json::from_str::<Value>(error).ok());
        return match failed {
            Some(error) => Line::Failed(json!({ "error": error })),
            None if line.starts_with('{') => serde_json::from_str(line).map_or(Line::Strange, Line::Failed),
            None => Line::Nothing,
        };
    };
    if data == "[DONE]" {
        return Line::Event(Event { last: true, ..Event::default() });
    }
    let Ok(told) = serde_json::from_str::<Value>(data) else { return Line::Strange };
    if !told["error"].is_null() {
        return Line::Failed(told);
    }
    let choice = &told["choices"][0];
    Line::Event(Event {
        text: choice["delta"]["content"].as_str().unwrap_or_default().to_owned(),
        end: choice["finish_reason"]
            .as_str()
            .map(|why| if why == "length" { End::Length } else { End::Done }),
        prompt_tokens: told["usage"]["prompt_tokens"].as_u64(),
        answer_tokens: told["usage"]["completion_tokens"].as_u64(),
        last: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_by_any_of_its_names() {
        let told =
            json!({ "data": [{ "id": "/models/model.gguf", "aliases": ["/models/model.gguf", "civicum"] }] });
        let has = names(&told);
        assert_eq!(has, ["/models/model.gguf", "civicum"]);
        for wanted in ["/models/model.gguf", "model.gguf", "model", "civicum"] {
            assert!(has.iter().any(|name| is_same(name, wanted)), "{wanted}");
        }
        assert!(!has.iter().any(|name| is_same(name, "llama3:8b")));
    }

    #[test]
    fn lines() {
        assert!(matches!(line(""), Line::Nothing));
        assert!(matches!(line(": ping"), Line::Nothing));
        assert!(matches!(line("data: {\"cho"), Line::Strange));
        assert!(matches!(line("data: {\"error\":{\"code\":500}}"), Line::Failed(_)));
        assert!(matches!(line("error: {\"code\":500}"), Line::Failed(_)));
        let Line::Event(event) =
            line(r#"data: {"choices":[{"finish_reason":"length","delta":{}}],"usage":null}"#)
        else {
            panic!("an event")
        };
        assert_eq!(event, Event { end: Some(End::Length), ..Event::default() });
        assert!(matches!(line("data: [DONE]"), Line::Event(Event { last: true, .. })));
    }
}
