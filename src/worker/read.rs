//! The first stage: a child reads the document, and what it wrote is the result.

use std::io::{BufReader, Seek as _, SeekFrom};

use serde::Deserialize;

use super::Shared;
use super::counts::add;
use super::job::End;
use super::log::event;
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
    #[serde(default)]
    page: Option<u64>,
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
    let mut said = None;
    let ended = child.ended(|line| {
        if let Ok(progress) = serde_json::from_str::<Progress>(line) {
            shared.running.progress(claim, progress.page, progress.of);
        } else if let Some(words) = own_words(line) {
            said = Some(words);
        }
    });
    let status = match ended.await {
        Ok(status) => status,
        Err(error) => return End::failed(format!("the reader can't be waited for: {error}"), true),
    };
    if let Some(said) = &said {
        event("warn", "the reader complains", &[("document", &claim.document), ("says", said)]);
    }
    if let Some(signal) = killed_by(status) {
        // Before it listens for them, they end it.
        if ["SIGTERM", "SIGINT", "SIGHUP"].contains(&signal.as_str()) {
            return End::postponed(format!("stopped: the reader was told to end by {signal}"));
        }
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
        (Some(2), Some(told)) if !told.findings.is_empty() => failed(&told.findings, claim),
        // It could not begin: a program or a model that it needs is not there.
        (Some(2), None) => {
            let why = said.as_deref().unwrap_or("civicum-tune ocr says why");
            End::postponed(format!("the reader can't work: {why}"))
        }
        (code, _) => End::failed(format!("the reader ended with status {}", code.unwrap_or(-1)), true),
    }
}

/// It said why: the document is at fault, and will be the next time too, but for a host that was too busy, or could not do it.
fn failed(findings: &[Finding], claim: &Claim) -> End {
    // What is said of the whole stands last; before it stand single pages, and what it is read without.
    let of_all = findings.iter().rfind(|one| one.page.is_none()).or_else(|| findings.last());
    let Some(Finding { code, message, .. }) = of_all else {
        return End::failed("the reader says nothing", true);
    };
    let why = format!("{code}: {message}");
    match code.as_str() {
        "stopped" | "tool_missing" => End::postponed(why),
        "timeout" => End::failed(why, claim.attempt < 2),
        _ => End::failed(why, false),
    }
}

/// A line of the reader's that is ours, word by word: a library's may quote the document.
fn own_words(line: &str) -> Option<String> {
    let is_ours = ["error: ", "panic at "].iter().any(|begin| line.starts_with(begin));
    is_ours.then(|| line.chars().filter(|c| !c.is_control()).take(300).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_whole_document_count() {
        let finding = |code: &str, page| Finding { code: code.to_owned(), message: String::new(), page };
        let ends = |findings: &[(&str, Option<u64>)]| {
            let findings: Vec<Finding> = findings.iter().map(|(code, page)| finding(code, *page)).collect();
            let claim = Claim { job: 1, fence: 1, document: 1, attempt: 1, crashes: 0 };
            match failed(&findings, &claim) {
                End::Failed { why, again, .. } => (why, again),
                End::Postponed { why, .. } => (format!("postponed {why}"), true),
                _ => panic!("another end"),
            }
        };
        let encrypted = [("pp_ocr_missing", None), ("damaged_page", Some(3)), ("encrypted", None)];
        assert_eq!(ends(&encrypted), ("encrypted: ".to_owned(), false));
        assert_eq!(
            ends(&[("timeout", Some(1)), ("stopped", None)]),
            ("postponed stopped: ".to_owned(), true)
        );
        assert_eq!(ends(&[("tool_missing", None)]), ("postponed tool_missing: ".to_owned(), true));
        assert_eq!(ends(&[("damaged_page", Some(1)), ("timeout", None)]), ("timeout: ".to_owned(), true));
        assert_eq!(ends(&[("fault", None)]), ("fault: ".to_owned(), false));
    }

    #[test]
    fn only_our_own_words_are_told() {
        assert_eq!(
            own_words("panic at src/ocr/line.rs:1:2").as_deref(),
            Some("panic at src/ocr/line.rs:1:2")
        );
        assert_eq!(own_words("Syntax Error: (Juan"), None);
    }
}
