//! Ollama's own API: `/api/chat`, one JSON object a line.

use serde_json::{Value, json};

use super::Limits;
use super::dialect::{End, Event, Line, Question, refusal};
use super::error::Error;
use super::http::Call;
use super::server::Server;

/// A question.
pub(super) fn chat(server: &Server, question: &Question<'_>, limits: &Limits) -> Call {
    let mut options = json!({
        "num_ctx": question.context,
        "num_predict": question.predict,
        "temperature": question.temperature,
        "seed": question.seed,
    });
    if let Some(threads) = limits.num_thread {
        options["num_thread"] = threads.into();
    }
    let mut body = json!({
        "model": server.model,
        "messages": question.messages(),
        "stream": true,
        "format": question.schema,
        "options": options,
        // A question that is too long is an error then, and not one that silently lost its beginning. Servers that don't know
        // these ignore them.
        "truncate": false,
        "shift": false,
        "think": false,
    });
    if let Some(time) = &limits.keep_alive {
        body["keep_alive"] = keep_alive(time);
    }
    Call::post("/api/chat", body)
}

/// `5m` is a text, and seconds are a number.
fn keep_alive(time: &str) -> Value {
    time.parse::<i64>().map_or_else(|_| time.into(), Into::into)
}

/// Has the model leave the memory.
pub(super) fn unload(model: &str) -> Call {
    Call::post("/api/generate", json!({ "model": model, "prompt": "", "stream": false, "keep_alive": 0 }))
}

/// The context that the model was made for; a larger one makes no sense.
pub(super) async fn context(server: &Server) -> Result<Option<u32>, Error> {
    let (status, told) =
        server.ask(&Call::post("/api/show", json!({ "model": server.model })).at_most(64 << 20)).await?;
    if status != 200 {
        let mut error = refusal(server, status, &told);
        if let Error::NoSuchModel { has, .. } = &mut error {
            *has = models(server).await;
        }
        return Err(error);
    }
    let info = told["model_info"].as_object();
    let length = info.and_then(|info| info.iter().find(|(name, _)| name.ends_with(".context_length")));
    Ok(length.and_then(|(_, length)| length.as_u64()).and_then(|length| u32::try_from(length).ok()))
}

async fn models(server: &Server) -> Vec<String> {
    let Ok((_, told)) = server.ask(&Call::get("/api/tags")).await else { return Vec::new() };
    let models = told["models"].as_array().into_iter().flatten();
    models.filter_map(|model| model["name"].as_str().map(str::to_owned)).take(20).collect()
}

/// One line of an answer.
pub(super) fn line(line: &str) -> Line {
    if line.trim().is_empty() {
        return Line::Nothing;
    }
    let Ok(told) = serde_json::from_str::<Value>(line) else { return Line::Strange };
    if !told["error"].is_null() {
        return Line::Failed(told);
    }
    let done = told["done"].as_bool().unwrap_or(false);
    let end = if told["done_reason"] == "length" { End::Length } else { End::Done };
    Line::Event(Event {
        text: told["message"]["content"].as_str().unwrap_or_default().to_owned(),
        end: done.then_some(end),
        prompt_tokens: told["prompt_eval_count"].as_u64(),
        answer_tokens: told["eval_count"].as_u64(),
        last: done,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_keep_it() {
        assert_eq!([keep_alive("0"), keep_alive("-1"), keep_alive("5m")], [json!(0), json!(-1), json!("5m")]);
    }
}
