//! Which models Ollama has in memory, and having one there again.

use std::time::Duration;

use serde_json::{Value, json};

use super::dialect::refusal;
use super::error::Error;
use super::http::Call;
use super::server::Server;

/// From this year on it is not the end of a time: Ollama writes "for ever" as some three centuries.
const FOR_EVER: u32 = 2200;

/// A model in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resident {
    /// Its name.
    pub name: String,
    /// The context that it was loaded with, tokens; older servers do not tell.
    pub context: Option<u32>,
    /// Does it stay until somebody has it leave?
    pub stays: bool,
}

/// The models that Ollama has in memory.
pub async fn resident(server: &Server) -> Result<Vec<Resident>, Error> {
    let (status, told) = server.ask(&Call::get("/api/ps")).await?;
    if status == 200 { Ok(parse(&told)) } else { Err(refusal(server, status, &told)) }
}

fn parse(told: &Value) -> Vec<Resident> {
    let models = told["models"].as_array().into_iter().flatten();
    let of = |model: &Value| {
        let context = model["context_length"].as_u64().and_then(|tokens| u32::try_from(tokens).ok());
        let year = model["expires_at"].as_str().and_then(|at| at.split('-').next()?.parse::<u32>().ok());
        Some(Resident {
            name: model["name"].as_str()?.to_owned(),
            context: context.filter(|tokens| *tokens > 0),
            stays: year.is_some_and(|year| year >= FOR_EVER),
        })
    };
    models.filter_map(of).collect()
}

/// Has Ollama load a model as it was before, and says nothing to it. It gives a load up whose asker goes: `patience` is for a large
/// model from a slow disk.
pub async fn load(server: &Server, was: &Resident, patience: Duration) -> Result<(), Error> {
    let mut body = json!({ "model": was.name, "stream": false });
    if let Some(context) = was.context {
        body["options"] = json!({ "num_ctx": context });
    }
    if was.stays {
        body["keep_alive"] = (-1).into();
    }
    let (status, told) = server.ask_within(&Call::post("/api/generate", body), patience).await?;
    if status == 200 { Ok(()) } else { Err(refusal(server, status, &told)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_they_stay() {
        // As Ollama's documentation has it, and with keep_alive -1.
        let told = json!({ "models": [
            { "name": "mistral:latest", "size": 5_137_025_024_u64, "expires_at": "2024-06-04T14:38:31.83753-07:00" },
            { "name": "llama3:8b", "context_length": 4096, "expires_at": "2318-09-14T10:11:12.1Z" },
            { "size": 1 },
        ] });
        let found = parse(&told);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].context, found[0].stays), (None, false));
        assert_eq!((found[1].context, found[1].stays), (Some(4096), true));
        assert_eq!(parse(&json!({ "error": "x" })), []);
    }
}
