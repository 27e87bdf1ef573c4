//! The second stage: what the schema asks, from the text that was read, by the model of this host.

use std::cell::Cell;
use std::io::BufReader;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::job::End;
use crate::llm::{self, Server, Task, Wait};
use crate::queue::{Claim, Made, schemas};

#[derive(Deserialize)]
struct Read {
    pages: Vec<Page>,
}

#[derive(Deserialize)]
struct Page {
    text: String,
}

/// Extracts from one document.
pub(super) async fn document(shared: &Shared, claim: &Claim, schema: Option<&str>) -> End {
    let worker = &shared.worker;
    let Some(server) = &worker.extract.server else {
        return End::failed("no model: this worker has none (--llm)", true);
    };
    let Some(schema) = schema.and_then(|name| schemas::named(name, worker.extract.schemas.as_deref())) else {
        return End::failed("no schema of that name is there any more", false);
    };
    let pages = match pages(shared, claim).await {
        Ok(pages) => pages,
        Err(end) => return end,
    };
    let task = Task { instruction: &worker.extract.instruction, schema: &schema, pages: &pages };
    let asked = Cell::new(false);
    let told = |chunk: usize, of: usize| {
        asked.set(true);
        let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        shared.running.progress(claim, number(chunk).saturating_sub(1), number(of));
    };
    let found = match llm::extract(server, &task, &worker.extract.limits, told).await {
        Ok(found) => found,
        // A document without text has nothing to extract from, and that is its result.
        Err(llm::Error::NoText) => return End::failed("no text: there is nothing to extract from", false),
        Err(error) => return without(server, &error, asked.get()).await,
    };
    let doubts: Vec<Value> =
        found.unsupported.iter().map(|d| json!({ "pointer": d.pointer, "kind": d.kind.code() })).collect();
    let findings = i32::try_from(doubts.len()).unwrap_or(i32::MAX);
    let result = json!({
        "schema": "civicum-tune/extract/1",
        "value": found.value,
        "unsupported": doubts,
        "chunks": found.chunks,
        "attempts": found.attempts,
        "prompt_tokens": found.prompt_tokens,
        "answer_tokens": found.answer_tokens,
        "seconds": found.seconds,
    });
    let kept = worker.store.put(format!("{result}\n").as_bytes());
    match kept {
        Ok(file) => End::Made(Made { file, findings, next: None }, found.chunks),
        Err(error) => End::postponed(format!("no room: {error:#}")),
    }
}

/// Why there is no extraction, and whose fault that is. `asked`: a part of the document had been sent.
async fn without(server: &Server, error: &llm::Error, asked: bool) -> End {
    let no_model = format!("no model: {error}");
    match error {
        // More time is more of the same.
        llm::Error::Late { .. } => End::failed(format!("too_long: {error}"), false),
        llm::Error::Schema { .. } | llm::Error::NoRoom { .. } => End::failed(error.to_string(), false),
        _ if error.is_away() || !asked => End::postponed(no_model),
        // It is there, and does not come to an end with this document: that is the document's, and too dear to be tried for ever.
        llm::Error::TimedOut { what: Wait::Answer | Wait::Piece, .. } if server.probe().await.is_ok() => {
            End::failed(error.to_string(), true)
        }
        _ if error.is_breakdown() => End::suspect(no_model),
        _ => End::failed(error.to_string(), error.retryable()),
    }
}

async fn pages(shared: &Shared, claim: &Claim) -> Result<Vec<String>, End> {
    let found = loop {
        match shared.link.queue().await.result(claim.document, "ocr").await {
            Ok(found) => break found,
            Err(error) if error.passing => shared.trouble(&error).await,
            Err(error) => return Err(End::failed(error.to_string(), true)),
        }
    };
    let sha256 = found.ok_or_else(|| End::failed("no text: it was not read yet", true))?;
    let open = shared.worker.store.open_file(&sha256);
    let open = open.map_err(|error| End::failed(format!("no text: {error}"), true))?;
    let read: Read = serde_json::from_reader(BufReader::new(open))
        .map_err(|_| End::failed("no text: its file is damaged", true))?;
    Ok(read.pages.into_iter().map(|page| page.text).collect())
}
