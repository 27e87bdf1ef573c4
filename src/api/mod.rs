//! The documents' HTTP API, behind the proxy: hand a document in, ask how far it is, fetch what came out.

mod door;
mod review;
mod routes;
mod sessions;

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

use crate::http;
use crate::queue::{Database, Store};
use crate::t;

use door::Door;
use sessions::Sessions;

/// What is described of it, in the words of OpenAPI 3.1.
const DESCRIPTION: &str = include_str!("openapi.json");

/// How long requests in work may take after SIGTERM: less than the ten seconds that an engine waits before it kills.
const GRACE: Duration = Duration::from_secs(8);

/// The API, and what it works with.
pub struct Api {
    /// Where the queue is.
    pub database: Database,
    /// Where the documents are.
    pub store: Store,
    /// Where it listens.
    pub listen: SocketAddr,
    /// What callers must show; none only on this machine's own loopback.
    pub token: Option<String>,
    /// The largest document, bytes.
    pub most: u64,
    /// The folder that holds schemas of one's own.
    pub schemas: Option<String>,
}

/// What all requests share.
struct Shared {
    api: Api,
    door: Door,
    sessions: Sessions,
}

impl Api {
    /// Serves until SIGTERM or SIGINT; whoever is being served then has a few seconds to the end of his answer.
    pub fn run(self) -> anyhow::Result<()> {
        if self.token.is_none() && !self.listen.ip().is_loopback() {
            bail!(t!(
                "{address} can be reached by others, and nobody would be asked who he is: name a file with --token-file, or listen on 127.0.0.1",
                address = self.listen
            ));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, async {
            let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
            let address = self.listen;
            let listener = TcpListener::bind(address).await;
            let listener =
                listener.with_context(|| t!("{address} can't be listened on", address = address))?;
            let shared = Rc::new(Shared {
                door: Door::new(self.token.as_deref()),
                sessions: Sessions::new(self.database.clone()),
                api: self,
            });
            let stop = async {
                tokio::select! {
                    _ = term.recv() => {}
                    _ = int.recv() => {}
                }
            };
            let answer = move |request| routes::answer(Rc::clone(&shared), request);
            http::serve_until(listener, answer, stop, GRACE).await;
            Ok(())
        })
    }
}
