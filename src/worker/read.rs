//! The first stage: a child reads the document, and what it wrote is the result.

use std::io::{BufReader, Seek as _, SeekFrom};

use serde::Deserialize;

use super::Shared;
use super::counts::add;
use super::job::End;
use crate::host::child::{killed_by, start_own};
use crate::queue::{Claim, Made};

/// What a reader of hostile documents has no use for.
const SECRETS: [&str; 2] = ["CIVICUM_TUNE_DATABASE", "CIVICUM_TUNE_PASSWORD_FILE"];

/// What of a result is looked at here: never its text.
#[derive(Deserialize)]
struct Told {
    pages: Vec<Page>,
    #[serde(default)]
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Page {}

#[derive(Deserialize)]
struct Finding {
    code: String,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Progress {
    page: i32,
    of: i32,
}

/// Reads one document.
pub(super) async fn document(shared: &Shared, claim: &Claim, sha256: &str, extract: bool) -> End {
    let store = &shared.worker.store;
    if let Err(error) = store.open_file(sha256) {
        // Nobody can bring it back; a folder that is away comes back.
        let is_there = shared.worker.store.begin().is_ok();
        return if error.is_absent() && is_there {
            End::failed("gone: the document's file is not there any more", false)
        } else {
            End::postponed(format!("no file: {error}"))
        };
    }
    let growing = match store.begin() {
        Ok(growing) => growing,
        Err(error) => return End::postponed(format!("no room: {error}")),
    };
    let mut args = ["ocr", "--format", "json", "--progress"].map(str::to_owned).to_vec();
    args.extend(shared.worker.ocr.options.iter().cloned());
    args.extend(shared.reading_memory());
    args.extend(["--".to_owned(), store.path(sha256)]);
    let started = growing.file.try_clone().and_then(|output| start_own(&args, output, &SECRETS));
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return End::postponed(format!("the reader can't be started: {error}")),
    };
    let ended = child.ended(|line| {
        if let Ok(progress) = serde_json::from_str::<Progress>(line) {
            shared.running.progress(claim, progress.page, progress.of);
        }
    });
    let status = match ended.await {
        Ok(status) => status,
        Err(error) => return End::failed(format!("the reader can't be waited for: {error}"), true),
    };
    if let Some(signal) = killed_by(status) {
        add(&shared.counts.crashed, 1);
        return End::Failed { why: format!("the reader was killed by {signal}"), again: true, crash: true };
    }
    let told: Option<Told> = (&growing.file)
        .seek(SeekFrom::Start(0))
        .ok()
        .and_then(|_| serde_json::from_reader(BufReader::new(&growing.file)).ok());
    // Another time there may be more memory; what kills twice is put aside by the queue.
    let killed = told.as_ref().is_some_and(|told| told.findings.iter().any(|one| one.code == "killed"));
    if killed && (claim.crashes == 0 || status.code() != Some(0)) {
        add(&shared.counts.crashed, 1);
        let why = "killed: the kernel killed a tool of the reader's for want of memory".to_owned();
        return End::Failed { why, again: true, crash: true };
    }
    match (status.code(), told) {
        (Some(0), Some(told)) => {
            let findings = i32::try_from(told.findings.len()).unwrap_or(i32::MAX);
            // Only what is a result is kept: what a document failed with stands in its row.
            let file = match store.seal(growing) {
                Ok(file) => file,
                Err(error) => return End::postponed(format!("no room: {error:#}")),
            };
            End::Made(Made { file, findings, next: extract.then_some("extract") }, told.pages.len())
        }
        // It said why: the document is at fault, and will be the next time too, but for a host that was too busy.
        (Some(2), Some(told)) if !told.findings.is_empty() => {
            let first = &told.findings[0];
            End::failed(
                format!("{}: {}", first.code, first.message),
                first.code == "timeout" && claim.attempt < 2,
            )
        }
        // It could not begin: a program or a model that it needs is not there.
        (Some(2), None) => End::postponed("the reader can't work: civicum-tune ocr says why"),
        (code, _) => End::failed(format!("the reader ended with status {}", code.unwrap_or(-1)), true),
    }
}
