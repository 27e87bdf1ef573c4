//! The paths, and what each does.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::header::{HeaderValue, LOCATION, WWW_AUTHENTICATE};
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{DESCRIPTION, Shared, review};
use crate::document::Kind;
use crate::http::{self, Answer};
use crate::queue::{Document, NewDocument, QueueError, Queued, STATES, Stored, schemas};

/// A sender that says nothing for so long has gone.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// What was refused, and why, as RFC 9457 has it.
pub(super) struct Problem {
    status: StatusCode,
    detail: Cow<'static, str>,
}

pub(super) fn problem(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Problem {
    Problem { status, detail: detail.into() }
}

impl From<QueueError> for Problem {
    fn from(error: QueueError) -> Self {
        // What went wrong inside is for the log, not for callers.
        eprintln!(
            "{}",
            json!({ "level": "error", "event": "the database did not do it", "error": error.to_string() })
        );
        problem(StatusCode::SERVICE_UNAVAILABLE, "the queue can't be reached just now; ask again in a moment")
    }
}

impl Problem {
    fn answer(&self) -> Answer {
        let Self { status, detail } = self;
        let title = status.canonical_reason().unwrap_or("Error");
        let body =
            json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
        let mut answer = http::text(*status, "application/problem+json", format!("{body}\n"));
        if *status == StatusCode::UNAUTHORIZED {
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }
}

/// Answers one request.
pub(super) async fn answer(shared: Rc<Shared>, request: Request<Incoming>) -> Answer {
    route(&shared, request).await.unwrap_or_else(|problem| problem.answer())
}

async fn route(shared: &Shared, request: Request<Incoming>) -> Result<Answer, Problem> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (&method, parts.as_slice()) {
        (&Method::GET, ["health"]) => {
            shared.sessions.read().await?;
            return Ok(http::text(StatusCode::OK, "text/plain", "ok\n"));
        }
        (&Method::GET, ["openapi.json"]) => {
            return Ok(http::text(StatusCode::OK, "application/json", DESCRIPTION));
        }
        _ => {}
    }
    if !shared.door.lets_in(request.headers()) {
        return Err(problem(StatusCode::UNAUTHORIZED, "show the token: Authorization: Bearer TOKEN"));
    }
    match (&method, parts.as_slice()) {
        (&Method::POST, ["v1", "documents"]) => submit(shared, request).await,
        (&Method::GET, ["v1", "documents"]) => list(shared, request.uri().query()).await,
        (&Method::GET, ["v1", "documents", id]) => {
            Ok(as_json(StatusCode::OK, &shown(&document(shared, number(id)?).await?)))
        }
        (&Method::GET, ["v1", "documents", id, "result", stage]) => result(shared, number(id)?, stage).await,
        (&Method::POST, ["v1", "documents", id, "review"]) => {
            review::take(shared, number(id)?, request).await
        }
        (&Method::DELETE, ["v1", "documents", id]) => cancel(shared, number(id)?).await,
        (
            _,
            ["v1", "documents"]
            | ["v1", "documents", _]
            | ["v1", "documents", _, "result", _]
            | ["v1", "documents", _, "review"],
        ) => Err(problem(
            StatusCode::METHOD_NOT_ALLOWED,
            "this path does not know that method; see /openapi.json",
        )),
        _ => Err(problem(StatusCode::NOT_FOUND, "there is no such path; see /openapi.json")),
    }
}

fn number(text: &str) -> Result<i64, Problem> {
    let number = text.parse::<i64>().ok().filter(|id| *id > 0 && text.bytes().all(|b| b.is_ascii_digit()));
    number.ok_or_else(|| problem(StatusCode::NOT_FOUND, "a document's number is a whole number above 0"))
}

pub(super) fn as_json(status: StatusCode, value: &Value) -> Answer {
    http::text(status, "application/json", format!("{value}\n"))
}

/// What callers see of a document.
pub(super) fn shown(of: &Document) -> Value {
    json!({
        "id": of.id,
        "state": of.state,
        "name": of.name,
        "sha256": of.sha256,
        "bytes": of.bytes,
        "schema": of.schema,
        "progress": { "done": of.progress.0, "of": of.progress.1 },
        "attempt": of.attempt,
        "error": of.last_error,
        "submitted_at": of.submitted_at,
        "started_at": of.started_at,
        "finished_at": of.finished_at,
        "review": of.review,
        "deleted_at": of.deleted_at,
    })
}

pub(super) async fn document(shared: &Shared, id: i64) -> Result<Document, Problem> {
    let client = shared.sessions.read().await?;
    let found = Queued(&client).documents(Some(id), None, 1).await?;
    found
        .into_iter()
        .next()
        .ok_or_else(|| problem(StatusCode::NOT_FOUND, "there is no document of this number"))
}

/// What stands behind the `?`.
#[derive(Default)]
struct Asked {
    name: Option<String>,
    schema: Option<String>,
    key: Option<String>,
    state: Option<String>,
    priority: i16,
    most: i64,
}

fn asked(query: Option<&str>, known: &[&str]) -> Result<Asked, Problem> {
    let bad = |detail: String| problem(StatusCode::BAD_REQUEST, detail);
    let mut asked = Asked { most: 50, ..Asked::default() };
    for (name, value) in form_urlencoded::parse(query.unwrap_or("").as_bytes()) {
        if !known.contains(&name.as_ref()) {
            return Err(bad(format!("there is no parameter of that name; there are: {}", known.join(", "))));
        }
        if value.chars().any(char::is_control) {
            return Err(bad(format!("{name} holds a control character")));
        }
        let text = |most: usize| {
            let fits = (1..=most).contains(&value.chars().count());
            fits.then(|| value.clone().into_owned())
                .ok_or_else(|| bad(format!("{name} takes 1 to {most} characters")))
        };
        match name.as_ref() {
            "name" => asked.name = Some(text(255)?),
            "schema" => asked.schema = Some(text(64)?),
            "key" => asked.key = Some(text(200)?),
            "state" => {
                if !STATES.contains(&value.as_ref()) {
                    return Err(bad(format!("there is no such state; there are: {}", STATES.join(", "))));
                }
                asked.state = Some(value.into_owned());
            }
            "priority" => {
                let number = value.parse().ok().filter(|n| (-100..=100).contains(n));
                asked.priority =
                    number.ok_or_else(|| bad("priority takes a whole number from -100 to 100".to_owned()))?;
            }
            _ => {
                let number = value.parse().ok().filter(|n| (1..=1000).contains(n));
                asked.most =
                    number.ok_or_else(|| bad("most takes a whole number from 1 to 1000".to_owned()))?;
            }
        }
    }
    Ok(asked)
}

async fn submit(shared: &Shared, request: Request<Incoming>) -> Result<Answer, Problem> {
    let asked = asked(request.uri().query(), &["name", "schema", "key", "priority"])?;
    let schemas = shared.api.schemas.as_deref();
    if let Some(name) = asked.schema.as_deref().filter(|name| schemas::named(name, schemas).is_none()) {
        let known = schemas::names(schemas).join(", ");
        let detail = format!("there is no schema {}; there are: {known}", name.escape_default());
        return Err(problem(StatusCode::BAD_REQUEST, detail));
    }
    let most = shared.api.most;
    let too_large = || problem(StatusCode::PAYLOAD_TOO_LARGE, format!("a document has {most} bytes at most"));
    if request.body().size_hint().lower() > most {
        return Err(too_large());
    }
    let kind =
        request.headers().get(hyper::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    if kind.starts_with("multipart/") {
        let how = "send the file itself as the body, for example: curl --data-binary @FILE -H 'Content-Type: application/pdf'";
        return Err(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, how));
    }
    // Without a database nothing is read, and nothing lies about afterwards.
    shared.sessions.write().await?;
    let broken = |error: std::io::Error| {
        eprintln!(
            "{}",
            json!({ "level": "error", "event": "the document can't be kept", "error": error.to_string() })
        );
        problem(StatusCode::INSUFFICIENT_STORAGE, "the document can't be kept: the server has no room")
    };
    let mut growing = shared.api.store.begin().map_err(|error| broken(std::io::Error::other(error)))?;
    let mut body = request.into_body();
    let mut head = Vec::new();
    loop {
        let frame = timeout(PATIENCE, body.frame()).await;
        let frame = frame.map_err(|_| problem(StatusCode::REQUEST_TIMEOUT, "nothing came for 30 seconds"))?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| problem(StatusCode::BAD_REQUEST, "the body broke off"))?;
        let Ok(part) = frame.into_data() else { continue };
        if growing.bytes() + part.len() as u64 > most {
            return Err(too_large());
        }
        if head.len() < 1024 {
            head.extend_from_slice(&part[..part.len().min(1024)]);
        }
        growing.add(&part).map_err(broken)?;
    }
    check_kind(&head)?;
    let file = shared.api.store.keep(growing).map_err(|error| broken(std::io::Error::other(error)))?;
    let taken = enqueue(shared, &asked, &file).await;
    if taken.is_err() {
        // Where the database is away just now, the worker's look through the folder finds it.
        if let Ok(client) = shared.sessions.write().await {
            let _ = Queued(&client).drop_file(&file.sha256).await;
        }
    }
    taken
}

async fn enqueue(shared: &Shared, asked: &Asked, file: &Stored) -> Result<Answer, Problem> {
    let client = shared.sessions.write().await?;
    let name = asked.name.as_deref().unwrap_or("document");
    let new = NewDocument {
        file,
        name,
        schema: asked.schema.as_deref(),
        key: asked.key.as_deref(),
        priority: asked.priority,
    };
    let enqueued = Queued(&client).enqueue(&new).await?;
    if enqueued.is_other {
        let detail = format!(
            "this key stands for document {} already, which is another file or has another schema",
            enqueued.id
        );
        return Err(problem(StatusCode::CONFLICT, detail));
    }
    let status = if enqueued.is_new { StatusCode::ACCEPTED } else { StatusCode::OK };
    let place = format!("/v1/documents/{}", enqueued.id);
    let value = json!({ "id": enqueued.id, "new": enqueued.is_new, "sha256": file.sha256, "bytes": file.bytes, "status": place });
    let mut answer = as_json(status, &value);
    if let Ok(place) = HeaderValue::from_str(&place) {
        answer.headers_mut().insert(LOCATION, place);
    }
    Ok(answer)
}

async fn list(shared: &Shared, query: Option<&str>) -> Result<Answer, Problem> {
    let asked = asked(query, &["state", "most"])?;
    let (client, _turn) = shared.sessions.list().await?;
    let documents = Queued(&client).documents(None, asked.state.as_deref(), asked.most).await?;
    let documents: Vec<Value> = documents.iter().map(shown).collect();
    Ok(as_json(StatusCode::OK, &json!({ "documents": documents })))
}

async fn result(shared: &Shared, id: i64, stage: &str) -> Result<Answer, Problem> {
    let document = document(shared, id).await?;
    let client = shared.sessions.read().await?;
    let results = Queued(&client).results(id).await?;
    let Some((_, sha256)) = results.iter().find(|(name, _)| name == stage) else {
        if !matches!(stage, "ocr" | "extract") {
            return Err(problem(StatusCode::NOT_FOUND, "a result is of the stage ocr or extract"));
        }
        let detail = format!("document {id} has no result of that stage; it is {}", document.state);
        let gone = document.deleted_at.is_some();
        return Err(problem(if gone { StatusCode::GONE } else { StatusCode::CONFLICT }, detail));
    };
    let file = shared.api.store.open_file(sha256).map_err(|error| {
        eprintln!(
            "{}",
            json!({ "level": "error", "event": "a result is missing", "error": error.to_string() })
        );
        problem(StatusCode::INTERNAL_SERVER_ERROR, "the result's file can't be read")
    })?;
    Ok(http::file("application/json", file))
}

async fn cancel(shared: &Shared, id: i64) -> Result<Answer, Problem> {
    document(shared, id).await?;
    let client = shared.sessions.write().await?;
    let (cancelled, asked) = Queued(&client).cancel(id).await?;
    if cancelled + asked == 0 {
        let state = document(shared, id).await?.state;
        return Err(problem(
            StatusCode::CONFLICT,
            format!("document {id} is {state}: there is nothing to cancel"),
        ));
    }
    Ok(as_json(StatusCode::ACCEPTED, &json!({ "id": id, "cancelled": cancelled > 0, "asked": asked > 0 })))
}

/// Only what can be read is taken in; what it is, its first bytes say.
fn check_kind(head: &[u8]) -> Result<(), Problem> {
    if head.is_empty() {
        return Err(problem(StatusCode::BAD_REQUEST, "the body is empty: send the file itself"));
    }
    if Kind::of(head).is_none() {
        let detail = "this is no document that can be read: send a PDF, or an image in PNG, JPEG or TIFF";
        return Err(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    Ok(())
}
