//! `/health` and `/metrics`, for the engine's health check and for Prometheus.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::{Crash, Shared, Stage, State};
use crate::http::{self, Answer};
use crate::t;

/// Begins to serve.
pub(super) async fn serve(address: SocketAddr, shared: Rc<Shared>) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| t!("{address} can't be listened on", address = address))?;
    tokio::task::spawn_local(http::serve(listener, move |request: Request<Incoming>| {
        let shared = Rc::clone(&shared);
        async move { answer(&shared, request.uri().path()).await }
    }));
    Ok(())
}

/// The longest that the database may take to say what waits.
const PATIENCE: Duration = Duration::from_millis(500);

fn crashed(shared: &Shared) -> Vec<Crash> {
    let of = |(at, document, stage): &(Instant, i64, Stage)| Crash {
        document: *document,
        stage: stage.name().to_owned(),
        ago_ms: u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    shared.crashed.borrow().iter().map(of).collect()
}

async fn state(shared: &Shared) -> State {
    let waiting = async { shared.link.queue().await.waiting().await.ok() };
    let waiting = timeout(PATIENCE, waiting).await.ok().flatten();
    let crashed = crashed(shared);
    State {
        paused: shared.paused.get(),
        database: shared.link.is_open(),
        hands: shared.hands(Stage::Ocr),
        in_work: shared.running.told(),
        crashed,
        waiting,
    }
}

async fn answer(shared: &Shared, path: &str) -> Answer {
    match path {
        "/state" => {
            let text = serde_json::to_string(&state(shared).await).unwrap_or_default();
            http::text(StatusCode::OK, "application/json", text)
        }
        "/health" if shared.link.is_open() => http::text(StatusCode::OK, "text/plain", "ok\n"),
        "/health" => http::text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "the database is away\n"),
        "/metrics" => http::text(StatusCode::OK, "text/plain; version=0.0.4", metrics(shared)),
        _ => http::text(StatusCode::NOT_FOUND, "text/plain", "/health, /metrics and /state\n"),
    }
}

fn metrics(shared: &Shared) -> String {
    let counts = &shared.counts;
    let yes = |yes: bool| u64::from(yes);
    let all: [(&str, &str, &str, u64); 15] = [
        ("jobs_claimed_total", "counter", "Jobs claimed.", counts.claimed.get()),
        ("jobs_done_total", "counter", "Jobs whose result was stored.", counts.done.get()),
        ("jobs_failed_total", "counter", "Attempts that failed.", counts.failed.get()),
        ("reader_crashes_total", "counter", "Readers that were killed.", counts.crashed.get()),
        (
            "results_stale_total",
            "counter",
            "Results that came too late and were dropped.",
            counts.stale.get(),
        ),
        (
            "jobs_reaped_total",
            "counter",
            "Lost jobs of other workers that were given back.",
            counts.reaped.get(),
        ),
        ("documents_deleted_total", "counter", "Documents deleted after their time.", counts.deleted.get()),
        (
            "documents_deleted_unreviewed_total",
            "counter",
            "Documents deleted after their time that nobody reviewed.",
            counts.deleted_unreviewed.get(),
        ),
        ("files_deleted_total", "counter", "Files deleted.", counts.files_deleted.get()),
        (
            "files_unnamed_total",
            "counter",
            "Files found that no document and no result names.",
            counts.files_unnamed.get(),
        ),
        ("pages_read_total", "counter", "Pages read.", counts.pages.get()),
        ("busy_milliseconds_total", "counter", "Time that jobs were in work.", counts.busy_ms.get()),
        ("jobs_running", "gauge", "Jobs in work.", shared.running.len() as u64),
        ("paused", "gauge", "1 while no job is claimed on purpose.", yes(shared.paused.get())),
        ("database_up", "gauge", "1 while the database answers.", yes(shared.link.is_open())),
    ];
    all.iter()
        .map(|(name, kind, help, value)| {
            let name = format!("civicum_worker_{name}");
            format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n")
        })
        .collect()
}
