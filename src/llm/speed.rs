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
    /// The context in tokens, where the server takes it with a question (Ollama); `None` leaves it to the server.
    pub context: Option<u32>,
    /// How long the model stays in memory afterwards, seconds, −1 for ever (Ollama); `None` leaves it to the server.
    pub keep_alive: Option<i64>,
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
    /// What it is besides its packing, where the server tells: only models of one family can be compared.
    pub family: Option<String>,
    /// Bytes of its weights, where the server tells.
    pub bytes: Option<u64>,
}

/// The models of a server, all of them: the one that is asked for may be the last.
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
    let models = told[list].as_array().into_iter().flatten();
    let of = |model: &Value| {
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        // A llama.cpp server without an alias names the file, with its folders.
        let name = model[name].as_str()?.rsplit('/').next()?.to_owned();
        let (details, meta) = (&model["details"], &model["meta"]);
        let family = text(&details["family"]).zip(text(&details["parameter_size"]));
        Some(match api {
            Api::Ollama => Served {
                // Its names have folders too, and they belong to them.
                name: model["name"].as_str()?.to_owned(),
                quantization: text(&details["quantization_level"]),
                family: family.map(|(family, size)| format!("{family} {size}")),
                bytes: model["size"].as_u64(),
            },
            Api::OpenAi => Served {
                name,
                quantization: meta["ftype"].as_str().and_then(packing),
                family: None,
                bytes: meta["size"].as_u64(),
            },
        })
    };
    models.filter_map(of).collect()
}

/// The short name of a packing that llama.cpp's server calls `Q4_K - Medium`.
fn packing(told: &str) -> Option<String> {
    let told = told.trim_start_matches("(guessed) ").trim_start_matches("all ");
    let (name, size) = told.split_once(" - ").unwrap_or((told, ""));
    let name = name.split(' ').next().filter(|name| !name.is_empty())?;
    let size = match size.split(' ').next().unwrap_or_default() {
        "Small" => "_S",
        "Medium" => "_M",
        "Large" => "_L",
        _ => "",
    };
    // Those whose size belongs to the name have it there already, as in `IQ4_XS - 4.25 bpw`.
    Some(format!("{name}{size}"))
}

/// Has the model read and write once.
pub async fn speed(server: &Server, api: Api, load: &Load<'_>) -> Result<Speed, Error> {
    let call = match api {
        Api::Ollama => {
            let mut options = json!({ "num_predict": load.predict, "temperature": 0 });
            if let Some(threads) = load.threads {
                options["num_thread"] = threads.into();
            }
            if let Some(context) = load.context {
                options["num_ctx"] = context.into();
            }
            // Raw: no template of the model's puts the same words before each prompt.
            let mut body = json!({ "model": server.model, "prompt": load.prompt, "raw": true, "stream": false, "options": options });
            if let Some(seconds) = load.keep_alive {
                body["keep_alive"] = seconds.into();
            }
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
        let told = json!({ "models": [{ "name": "hf.co/x/llama3:8b-instruct-q4_0", "size": 4_661_224_676_u64,
            "details": { "family": "llama", "parameter_size": "8.0B", "quantization_level": "Q4_0" } }] });
        let wanted = Served {
            name: "hf.co/x/llama3:8b-instruct-q4_0".to_owned(),
            quantization: Some("Q4_0".to_owned()),
            family: Some("llama 8.0B".to_owned()),
            bytes: Some(4_661_224_676),
        };
        assert_eq!(names(&told, Api::Ollama), [wanted]);
        // As llama.cpp's server of build 11669 answers; older ones have no `ftype`.
        let told = json!({ "data": [{ "id": "/models/model.gguf", "meta": { "size": 246_587_904, "ftype": "Q4_K - Medium" } }] });
        let found = &names(&told, Api::OpenAi)[0];
        assert_eq!((found.name.as_str(), found.bytes), ("model.gguf", Some(246_587_904)));
        assert_eq!(found.quantization.as_deref(), Some("Q4_K_M"));
        assert_eq!(names(&json!({ "data": [{ "id": "m" }] }), Api::OpenAi)[0].quantization, None);
        // Whoever has many of them may want the last one.
        let many: Vec<Value> = (0..50).map(|number| json!({ "name": format!("m{number}") })).collect();
        assert_eq!(names(&json!({ "models": many }), Api::Ollama)[49].name, "m49");
    }

    #[test]
    fn packings_by_their_long_names() {
        for (told, wanted) in [
            ("Q4_0", Some("Q4_0")),
            ("all F32", Some("F32")),
            ("(guessed) Q5_K - Small", Some("Q5_K_S")),
            ("IQ4_XS - 4.25 bpw", Some("IQ4_XS")),
            ("", None),
        ] {
            assert_eq!(packing(told).as_deref(), wanted, "{told}");
        }
    }
}
