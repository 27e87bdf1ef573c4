//! `POST /v1/documents/{id}/review`: a person says whether the results are right.

use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use serde::Deserialize;
use tokio::time::timeout;

use super::Shared;
use super::routes::{PATIENCE, Problem, as_json, document, problem, shown};
use crate::http::Answer;
use crate::queue::{Queued, Reviewed, Verdict};

/// A review has no more bytes.
const MOST: usize = 16 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    verdict: Word,
    reviewer: String,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Accepted,
    Rejected,
}

pub(super) async fn take(shared: &Shared, id: i64, request: Request<Incoming>) -> Result<Answer, Problem> {
    let bad = |detail: &'static str| problem(StatusCode::BAD_REQUEST, detail);
    let body = timeout(PATIENCE, Limited::new(request.into_body(), MOST).collect()).await;
    let body = body.map_err(|_| problem(StatusCode::REQUEST_TIMEOUT, "nothing came for 30 seconds"))?;
    let body = body.map_err(|_| problem(StatusCode::PAYLOAD_TOO_LARGE, "a review has 16 KiB at most"))?;
    // What was sent is not told back.
    let asked: Asked = serde_json::from_slice(&body.to_bytes()).map_err(|_| {
        bad("send JSON: {\"verdict\": \"accepted\" or \"rejected\", \"reviewer\": \"NAME\", \"note\": \"…\"}, the note if there is one")
    })?;
    let reviewer = asked.reviewer.trim();
    if !(1..=100).contains(&reviewer.chars().count()) || reviewer.chars().any(char::is_control) {
        return Err(bad("reviewer takes 1 to 100 characters, and no control character"));
    }
    let note = asked.note.as_deref().map(str::trim).filter(|note| !note.is_empty());
    if note.is_some_and(|note| note.chars().count() > 2000 || note.contains('\0')) {
        return Err(bad("note takes 2000 characters at most"));
    }
    let verdict = match asked.verdict {
        Word::Accepted => Verdict::Accepted,
        Word::Rejected => Verdict::Rejected,
    };
    let client = shared.sessions.write().await?;
    match Queued(&client).review(id, verdict, reviewer, note).await? {
        Reviewed::Taken => Ok(as_json(StatusCode::OK, &shown(&document(shared, id).await?))),
        Reviewed::Absent => Err(problem(StatusCode::NOT_FOUND, "there is no document of this number")),
        Reviewed::Not(state) => {
            let detail = format!(
                "document {id} is {state}: what is done is accepted or rejected, and what failed is rejected"
            );
            Err(problem(StatusCode::CONFLICT, detail))
        }
    }
}
