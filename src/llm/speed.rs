//! How fast a model reads and writes, by the server's own clock.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::dialect::refusal;
use super::error::{Error, Wait};
use super::http::Call;
use super::server::{Api, Server};

/// What a server is to do.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// What is read. It should begin otherwise each time, since a server remembers what it has read.
    pub prompt: &'a str,
    /// How many tokens are written at most.
    pub predict: u32,
    /// Threads, where the server takes them with a question (Ollama).
    pub threads: Option<u32>,
    /// How long it may take.
    pub patience: Duration,
}

/// What it did, in tokens and seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Tokens read.
    pub read: f64,
    /// Time for them.
    pub read_seconds: f64,
    /// Tokens written.
    pub written: f64,
    /// Time for them.
    pub written_seconds: f64,
}

impl Speed {
    /// Tokens read in a second.
    pub fn reads(&self) -> f64 {
        self.read / self.read_seconds
    }

    /// Tokens written in a second.
    pub fn writes(&self) -> f64 {
        self.written / self.written_seconds
    }
}

/// A model that a server has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Its name.
    pub name: String,
    /// How its weights are packed, where the server tells.
    pub quantization: Option<String>,
}

/// The models of a server, at most 20.
pub async fn served(server: &Server, api: Api) -> Result<Vec<Served>, Error> {
    let path = match api {
        Api::Ollama => "/api/tags",
        Api::OpenAi => "/v1/models",
    };
    let (status, told) = server.ask(&Call::get(path).at_most(16 << 20)).await?;
    if status == 200 { Ok(names(&told, api)) } else { Err(refusal(server, status, &told)) }
}

fn names(told: &Value, api: Api) -> Vec<Served> {
    let (list, name) = match api {
        Api::Ollama => ("models", "name"),
        Api::OpenAi => ("data", "id"),
    };
    let models = told[list].as_array().into_iter().flatten().take(20);
    let of = |model: &Value| {
        let quantization = model["details"]["quantization_level"].as_str().map(str::to_owned);
        // A llama.cpp server without an alias names the file, with its folders.
        let name = model[name].as_str()?.rsplit('/').next()?.to_owned();
        Some(Served { name, quantization })
    };
    models.filter_map(of).collect()
}

/// Has the model read and write once.
pub async fn speed(server: &Server, api: Api, load: &Load<'_>) -> Result<Speed, Error> {
    let call = match api {
        Api::Ollama => {
            let mut options = json!({ "num_predict": load.predict, "temperature": 0, "num_ctx": 2048 });
            if let Some(threads) = load.threads {
                options["num_thread"] = threads.into();
            }
            // Raw: no template of the model's puts the same words before each prompt.
            let body = json!({ "model": server.model, "prompt": load.prompt, "raw": true, "stream": false, "options": options });
            Call::post("/api/generate", body)
        }
        Api::OpenAi => {
            let body = json!({
                "prompt": load.prompt, "n_predict": load.predict, "temperature": 0, "cache_prompt": false,
                "ignore_eos": true, "stream": false,
            });
            Call::post("/completion", body)
        }
    };
    let asked = async {
        let mut reply = call.send(server).await?;
        let told: Value = serde_json::from_slice(&reply.whole().await?).unwrap_or_default();
        if reply.status == 200 { Ok(told) } else { Err(refusal(server, reply.status, &told)) }
    };
    let after = load.patience;
    let told = timeout(after, asked).await.unwrap_or(Err(Error::TimedOut { what: Wait::Answer, after }))?;
    let why = "it does not tell how long it took";
    timings(&told, api).ok_or_else(|| Error::BrokeOff { server: server.to_string(), why: why.to_owned() })
}

/// Ollama counts in nanoseconds, llama.cpp in milliseconds.
fn timings(told: &Value, api: Api) -> Option<Speed> {
    let (told, [read, read_time, written, written_time], unit) = match api {
        Api::Ollama => {
            (told, ["prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration"], 1e-9)
        }
        Api::OpenAi => (&told["timings"], ["prompt_n", "prompt_ms", "predicted_n", "predicted_ms"], 1e-3),
    };
    let number = |name: &str| told[name].as_f64().filter(|value| *value > 0.0);
    Some(Speed {
        read: number(read)?,
        read_seconds: number(read_time)? * unit,
        written: number(written)?,
        written_seconds: number(written_time)? * unit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::float_cmp)] // Exact by how they were chosen.
    fn both_clocks() {
        // As Ollama's documentation has it: "eval_count / eval_duration * 10^9" tokens a second.
        let told = json!({ "done": true, "total_duration": 10_706_818_083_u64, "load_duration": 6_338_219_291_u64,
            "prompt_eval_count": 26, "prompt_eval_duration": 130_000_000, "eval_count": 250, "eval_duration": 5_000_000_000_u64 });
        let found = timings(&told, Api::Ollama).unwrap();
        assert_eq!((found.reads(), found.writes()), (200.0, 50.0));
        let told = json!({ "content": "…", "timings": { "prompt_n": 128, "prompt_ms": 640.0, "prompt_per_second": 200.0,
            "predicted_n": 32, "predicted_ms": 1600.0, "predicted_per_second": 20.0 } });
        let found = timings(&told, Api::OpenAi).unwrap();
        assert_eq!((found.reads(), found.writes()), (200.0, 20.0));
        // A server that has read it before reads nothing, and that is no speed.
        assert_eq!(timings(&json!({ "timings": { "prompt_n": 0, "prompt_ms": 0.0 } }), Api::OpenAi), None);
        assert_eq!(timings(&json!({ "choices": [] }), Api::OpenAi), None);
    }

    #[test]
    fn models_by_their_names() {
        let told = json!({ "models": [{ "name": "llama3:8b-instruct-q4_0", "details": { "quantization_level": "Q4_0" } }] });
        let found = names(&told, Api::Ollama);
        assert_eq!(
            (found[0].name.as_str(), found[0].quantization.as_deref()),
            ("llama3:8b-instruct-q4_0", Some("Q4_0"))
        );
        let told = json!({ "data": [{ "id": "/models/model.gguf" }] });
        assert_eq!(names(&told, Api::OpenAi)[0].name, "model.gguf");
    }
}
