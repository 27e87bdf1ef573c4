//! The queue, as tables.

use super::style::{Style, printable};
use super::table::aligned;
use crate::lang::say;
use crate::queue::{Document, QueueStats, ReviewStats};
use crate::t;
use crate::units::Bytes;

/// Documents, a line each.
pub fn table(documents: &[Document], style: Style) -> String {
    let head = [say("DOCUMENT"), say("STATE"), say("PAGE"), say("ATTEMPT"), say("SENT (UTC)"), say("NAME")];
    let mut lines = vec![head.iter().map(|word| word.clone().into_owned()).collect::<Vec<String>>()];
    for of in documents {
        lines.push(vec![
            of.id.to_string(),
            state(&of.state),
            progress(of),
            of.attempt.filter(|attempt| *attempt > 0).map_or_else(String::new, |attempt| attempt.to_string()),
            of.submitted_at.replace('T', " ").trim_end_matches('Z').to_owned(),
            shortened(&printable(&of.name), 40),
        ]);
    }
    aligned(&lines, style, |line, column, word| match column {
        0 => style.bold(word),
        1 => paint(style, &documents[line].state, word),
        _ => word.to_owned(),
    })
}

/// One document, whole.
pub fn one(of: &Document, results: &[(String, String)], style: Style) -> String {
    let mut lines: Vec<(String, String)> = vec![
        (t!("name"), printable(&of.name)),
        (t!("state"), paint(style, &of.state, &state(&of.state))),
        (t!("file"), format!("{}, {}", Bytes(u64::try_from(of.bytes).unwrap_or(0)), of.sha256)),
        (t!("sent"), of.submitted_at.clone()),
    ];
    let mut more = |name: String, value: Option<String>| lines.extend(value.map(|value| (name, value)));
    more(t!("schema"), of.schema.as_deref().map(printable));
    more(t!("page"), Some(progress(of)).filter(|text| !text.is_empty()));
    more(t!("attempt"), of.attempt.filter(|attempt| *attempt > 0).map(|attempt| attempt.to_string()));
    more(t!("killed"), of.crashes.filter(|crashes| *crashes > 0).map(|crashes| format!("{crashes} ×")));
    more(t!("next attempt"), of.due_at.clone());
    more(t!("ended"), of.finished_at.clone());
    more(t!("why"), of.last_error.as_deref().map(printable));
    if let Some(review) = &of.review {
        more(t!("reviewed by"), Some(format!("{}, {}", printable(&review.reviewer), review.at)));
        more(t!("note"), review.note.as_deref().map(printable));
    }
    more(t!("deleted"), of.deleted_at.clone());
    for (stage, sha256) in results {
        more(t!("result of {stage}", stage = stage), Some(sha256.clone()));
    }
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut out = format!("{} {}\n", style.bold(&say("Document")), of.id);
    for (name, value) in lines {
        out += &format!("  {}  {value}\n", style.dim(&format!("{name:<width$}")));
    }
    out
}

/// All queues, a line each.
pub fn stats(stats: &[QueueStats], style: Style) -> String {
    let head = [
        say("QUEUE"),
        say("WAITING"),
        say("LATER"),
        say("IN WORK"),
        say("OLDEST"),
        say("DONE/H"),
        say("MEDIAN"),
        say("FAILED"),
        say("QUARANTINED"),
    ];
    let mut lines = vec![head.iter().map(|word| word.clone().into_owned()).collect::<Vec<String>>()];
    for of in stats {
        lines.push(vec![
            of.queue.clone(),
            of.waiting.to_string(),
            of.delayed.to_string(),
            of.running.to_string(),
            format!("{:.0} s", of.oldest_wait_seconds.max(0.0)),
            of.done_last_hour.to_string(),
            format!("{:.1} s", of.median_seconds),
            of.dead.to_string(),
            of.quarantined.to_string(),
        ]);
    }
    aligned(&lines, style, |_, column, word| if column == 0 { style.bold(word) } else { word.to_owned() })
}

/// What waits for people, and what was and will be deleted, in lines.
pub fn reviews(of: &ReviewStats, style: Style) -> String {
    let mut lines = vec![t!(
        "Reviews: {waiting} done and waiting (the oldest for {days} days), {failed} failed, {accepted} accepted, {rejected} rejected",
        waiting = of.waiting,
        days = format!("{:.0}", (of.oldest_wait_seconds / 86_400.0).floor()),
        failed = of.failed,
        accepted = of.accepted,
        rejected = of.rejected
    )];
    if of.soon_deleted > 0 {
        let text = t!("{count} that nobody reviewed are deleted within a week", count = of.soon_deleted);
        lines.push(style.yellow(&text));
    }
    if of.deleted + of.files_to_delete > 0 {
        lines.push(t!(
            "Deleted after their time: {deleted}, of these without a review {unreviewed}; files still to go: {files}",
            deleted = of.deleted,
            unreviewed = of.deleted_unreviewed,
            files = of.files_to_delete
        ));
    }
    lines.join("\n") + "\n"
}

fn state(word: &str) -> String {
    match word {
        "queued" => t!("queued"),
        "reading" => t!("reading"),
        "read" => t!("was read"),
        "extracting" => t!("extracting"),
        "done" => t!("done"),
        "failed" => t!("failed"),
        "quarantined" => t!("quarantined"),
        "cancelled" => t!("cancelled"),
        "accepted" => t!("accepted"),
        "rejected" => t!("rejected"),
        "deleted" => t!("deleted"),
        other => other.to_owned(),
    }
}

fn paint(style: Style, state: &str, word: &str) -> String {
    match state {
        "done" | "accepted" => style.green(word),
        "failed" | "quarantined" | "rejected" => style.red(word),
        "cancelled" | "deleted" => style.dim(word),
        "reading" | "extracting" => style.cyan(word),
        _ => word.to_owned(),
    }
}

fn progress(of: &Document) -> String {
    match of.progress {
        (_, total) if total > 0 => t!("{done} of {total}", done = of.progress.0, total = total),
        _ => String::new(),
    }
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}
