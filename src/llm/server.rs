//! Where the model's server is, and which of the two languages it speaks.

use std::fmt;
use std::time::Duration;

use hyper::Uri;
use serde_json::Value;
use tokio::time::timeout;

use super::dialect::refusal;
use super::error::{Error, Wait};
use super::http::Call;
use super::{ollama, openai};
use crate::t;

/// How long it may take to tell about itself. Such questions are answered while the model works, but on the same busy cores.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The language of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Api {
    /// Ollama's own
    Ollama,
    /// OpenAI's, as llama.cpp's server speaks it
    #[value(name = "openai")]
    OpenAi,
}

/// A server, by its address; nothing is asked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// A name or an address, without the brackets of IPv6.
    pub(super) host: String,
    pub(super) port: u16,
    /// The language; `None` finds out each time.
    pub api: Option<Api>,
    /// The model's name; empty takes the only one of a server that has one.
    pub model: String,
}

impl Server {
    /// The server at `url`, as in `http://127.0.0.1:8080`. It has no path, no user and no password, and it is never TLS: it is
    /// inside the host's own network, or it is no server for us.
    pub fn new(url: &str, api: Option<Api>, model: &str) -> Result<Self, Error> {
        let (host, port) = address(url).map_err(|why| Error::Address { why })?;
        Ok(Self { host, port, api, model: model.to_owned() })
    }

    /// Its name or its address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Which language it speaks: the one that was given, else what it answers to both.
    pub async fn probe(&self) -> Result<Api, Error> {
        if let Some(api) = self.api {
            return Ok(api);
        }
        let mut busy = false;
        for path in ["/api/version", "/props", "/v1/models"] {
            let (status, told) = self.ask(&Call::get(path)).await?;
            let found = match path {
                "/api/version" => told["version"].is_string().then_some(Api::Ollama),
                "/props" => told["default_generation_settings"].is_object().then_some(Api::OpenAi),
                _ => told["data"].is_array().then_some(Api::OpenAi),
            };
            if let Some(api) = found.filter(|_| status == 200) {
                return Ok(api);
            }
            // llama.cpp's server says nothing else while it loads its model.
            busy |= status == 503;
        }
        let server = self.to_string();
        Err(if busy { Error::Busy { server } } else { Error::NotAServer { server } })
    }

    /// Has it its model, so that it can be asked (`/health` of llama.cpp's)?
    pub async fn is_ready(&self) -> bool {
        self.ask(&Call::get("/health")).await.is_ok_and(|(status, _)| status == 200)
    }

    /// Has the server take its model out of memory. `false` where that is not in its power: llama.cpp's keeps its model as
    /// long as it runs.
    pub async fn unload(&self) -> Result<bool, Error> {
        match self.probe().await? {
            Api::OpenAi => Ok(false),
            Api::Ollama => {
                let (status, told) = self.ask(&ollama::unload(&self.model)).await?;
                if status == 200 { Ok(true) } else { Err(refusal(self, status, &told)) }
            }
        }
    }

    /// The context in tokens that the server gives at most, where it tells; an error where it does not have the model.
    pub(super) async fn context(&self, api: Api) -> Result<Option<u32>, Error> {
        match api {
            Api::Ollama => ollama::context(self).await,
            Api::OpenAi => openai::context(self).await,
        }
    }

    /// A question about the server itself: the status, and the JSON that came (null where it is none).
    pub(super) async fn ask(&self, call: &Call) -> Result<(u16, Value), Error> {
        self.ask_within(call, PATIENCE).await
    }

    /// The same, with a time of one's own.
    pub(super) async fn ask_within(&self, call: &Call, after: Duration) -> Result<(u16, Value), Error> {
        let asked = async {
            let mut reply = call.send(self).await?;
            let bytes = reply.whole().await?;
            Ok((reply.status, serde_json::from_slice(&bytes).unwrap_or_default()))
        };
        timeout(after, asked).await.unwrap_or(Err(Error::TimedOut { what: Wait::Server, after }))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Host and port of a base URL, or why it is refused. A password in it is not quoted.
fn address(url: &str) -> Result<(String, u16), String> {
    let form = || t!("it is written as http://HOST:PORT");
    if url.contains('@') {
        return Err(t!("its URL has a user or a password in it; {form}", form = form()));
    }
    let uri: Uri = url.trim().parse().map_err(|_| form())?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => {
            return Err(t!(
                "https is for servers outside, and documents stay on this host's own network; {form}",
                form = form()
            ));
        }
        _ => return Err(form()),
    }
    if uri.path() != "/" || uri.query().is_some() {
        return Err(t!("its URL has a path; {form}", form = form()));
    }
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(form)?;
    let port = uri.authority().map_or("", |authority| authority.as_str()).strip_prefix(host);
    let port = match port.and_then(|port| port.strip_prefix(':')) {
        // A port that is none must not become another one.
        Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(form)?,
        None => 80,
    };
    Ok((host.trim_matches(['[', ']']).to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (url, host, port) in [
            ("http://127.0.0.1:8080", "127.0.0.1", 8080),
            ("http://llm:11434/", "llm", 11434),
            ("http://[::1]:8080", "::1", 8080),
            ("http://llm", "llm", 80),
        ] {
            assert_eq!(address(url), Ok((host.to_owned(), port)), "{url}");
        }
        let bad = [
            "",
            "llm",
            "llm:8080",
            "https://llm:8080",
            "ftp://llm",
            "http://",
            "http://user:secret@llm:80",
            "http://llm:8080/v1",
            "http://llm:8080/?a=b",
            "http://llm:99999",
            "file:///etc/passwd",
            "http://a b",
        ];
        for url in bad {
            let error = Server::new(url, None, "m").unwrap_err();
            assert!(matches!(error, Error::Address { .. }), "{url}");
            assert!(!error.to_string().contains("secret") && !error.retryable(), "{error}");
        }
        assert_eq!(Server::new("http://[::1]:1", None, "m").unwrap().to_string(), "[::1]:1");
    }
}
