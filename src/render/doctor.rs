//! What `doctor` found, as a person reads it and as the stable JSON.

use serde_json::{Value, json};

use super::style::{Style, printable, wrap};
use crate::check::{AREAS, Audited, Because, Check, Outcome, Report, Status, Summary};
use crate::lang::say;
use crate::t;

/// Where the words behind `expected`, `actual` and the like begin.
const INDENT: usize = 14;

/// What the report is about, for its head.
pub struct Head<'a> {
    /// The host in a line.
    pub host: &'a str,
    /// The profile's name.
    pub profile: &'a str,
    /// The generation in force and its date.
    pub applied: Option<(u32, &'a str)>,
    /// The command that sets most findings right.
    pub apply: &'a str,
    /// It is a tree below a folder, and not the running host.
    pub is_tree: bool,
    /// Why much of it is not this host's to answer: it is a container, say.
    pub obstacles: &'a [String],
}

/// The findings, drift apart from advice; with `all`, every answer.
pub fn human(report: &Report, head: &Head<'_>, all: bool, style: Style) -> String {
    let host = wrap(&printable(head.host), style.width);
    let mut out: String = host.iter().map(|line| format!("{}\n", style.bold(line))).collect();
    let against = match head.applied {
        Some((id, created)) => t!(
            "against the profile {profile}, generation {id} of {created}",
            profile = head.profile,
            id = id,
            created = created
        ),
        None => t!("against the profile {profile}; nothing was applied here yet", profile = head.profile),
    };
    for line in wrap(&printable(&against), style.width) {
        out += &format!("{}\n", style.dim(&line));
    }
    for why in head.obstacles {
        for line in wrap(&printable(why), style.width) {
            out += &format!("{}\n", style.yellow(&line));
        }
    }
    let is_drift = |audited: &&Audited| {
        audited.outcome.is_finding() && (audited.drift.is_some() || audited.check.area() == "DRIFT")
    };
    let drift: Vec<&Audited> = report.results.iter().filter(is_drift).collect();
    if !drift.is_empty() {
        out += &format!("\n{}\n", style.bold(&say("Applied, and not so any more")));
        out += &drift.iter().map(|audited| one(audited, style)).collect::<String>();
    }
    for (area, title, _) in &AREAS {
        let of_area = |audited: &&Audited| audited.check.area() == *area && !is_drift(audited);
        let shown = |audited: &&Audited| all || audited.outcome.is_finding();
        let results: Vec<&Audited> = report.results.iter().filter(of_area).filter(shown).collect();
        if !results.is_empty() {
            out += &format!("\n{}\n", style.bold(&say(title)));
            out += &results.iter().map(|audited| one(audited, style)).collect::<String>();
        }
    }
    out += &untold(report, all, style);
    let way_out = way_out(report, head.apply, style);
    out += &way_out;
    if head.is_tree && report.results.iter().any(|audited| !audited.outcome.fix.is_empty()) {
        out += if way_out.is_empty() { "\n" } else { "" };
        let text =
            say("What else is to be done is meant inside the tree: its files, and commands run in it.");
        for line in wrap(&text, style.width) {
            out += &format!("{}\n", style.dim(&line));
        }
    }
    out + "\n" + &wrap(&summary(&report.summary(), style), style.width).join("\n") + "\n"
}

/// A line for each finding, for whoever breaks them as a terminal needs it.
pub fn brief(report: &Report, style: Style) -> String {
    let findings = report.results.iter().filter(|audited| audited.outcome.is_finding());
    findings.map(|audited| short(audited, style) + "\n").collect()
}

/// What columns a finding's words begin at in a line of [`brief`].
pub const BRIEF_INDENT: usize = 18;

/// A check's title is what should be so; alone in its line it would be taken for what is.
fn short(Audited { check, outcome, .. }: &Audited, style: Style) -> String {
    let mut title = t!("not so: {title}", title = say(check.title));
    if let Some(subject) = &outcome.subject {
        title = format!("{title}: {}", printable(subject));
    }
    let (mark, paint) = mark(outcome);
    let severity = style.dim(&format!("[{}]", say(check.severity.word())));
    let id = format!("{:<13}", check.id);
    format!("  {} {} {}  {severity}", paint(style, mark), paint(style, &id), style.bold(&title))
}

/// What could not be told is no pass: it is always named, briefly.
fn untold(report: &Report, all: bool, style: Style) -> String {
    let found: Vec<&Audited> = report.results.iter().filter(|audited| audited.outcome.is_untold()).collect();
    if found.is_empty() || all {
        return String::new();
    }
    // Many checks may want the same file: one line says that it is not here, the next for whom.
    let mut reasons: Vec<(&str, Vec<&Audited>)> = Vec::new();
    for audited in found {
        let why = audited.outcome.because.as_ref().map_or("", |(_, why)| why);
        match reasons.iter_mut().find(|(reason, _)| *reason == why) {
            Some((_, of)) => of.push(audited),
            None => reasons.push((why, vec![audited])),
        }
    }
    let mut out = format!("\n{}\n", style.bold(&say("Could not tell")));
    for (why, of) in reasons {
        let why = printable(why);
        let mut ids: Vec<&str> = of.iter().map(|audited| audited.check.id).collect();
        ids.dedup();
        if let [id] = ids[..] {
            let text = format!("{}: {why}", say(of[0].check.title));
            for (at, line) in wrap(&text, style.width - 19).iter().enumerate() {
                let (id, mark) = if at == 0 { (id, "?") } else { ("", " ") };
                out += &format!("  {} {} {line}\n", style.cyan(mark), style.cyan(&format!("{id:<13}")));
            }
            continue;
        }
        for (at, line) in wrap(&why, style.width - 5).iter().enumerate() {
            out += &format!("  {} {line}\n", style.cyan(if at == 0 { "?" } else { " " }));
        }
        for line in wrap(&ids.join(", "), style.width - 9) {
            out += &format!("      {}\n", style.cyan(&line));
        }
    }
    out
}

/// How many of the findings one command mends.
fn way_out(report: &Report, apply: &str, style: Style) -> String {
    let findings = report.results.iter().filter(|audited| audited.outcome.is_finding());
    let count = findings.filter(|audited| audited.outcome.fix.starts_with(apply)).count();
    if count < 2 {
        return String::new();
    }
    let text = t!(
        "{count} of these: {apply} sets them right; with plan in place of apply it only shows how",
        count = count,
        apply = printable(apply)
    );
    let lines = wrap(&text, style.width);
    format!("\n{}\n", lines.iter().map(|line| style.dim(line)).collect::<Vec<_>>().join("\n"))
}

fn one(audited: &Audited, style: Style) -> String {
    let outcome = &audited.outcome;
    let mut out = head_line(audited, style) + "\n";
    if let Some((_, why)) = &outcome.because {
        out += &field("", why, style);
    }
    if outcome.is_finding() || matches!(outcome.because, Some((Because::Waived, _))) {
        out += &details(outcome, style);
    } else if !outcome.actual.is_empty() {
        out += &field("", &outcome.actual, style);
    }
    out
}

/// An answer's mark and its colour.
fn mark(outcome: &Outcome) -> (&'static str, fn(Style, &str) -> String) {
    match (outcome.status, &outcome.because) {
        (Status::Pass, _) => ("✓", Style::green),
        (Status::Fail, _) => ("✗", Style::red),
        (Status::Warn, _) => ("!", Style::yellow),
        (Status::Skip, Some((Because::CouldNotTell, _))) => ("?", Style::cyan),
        (Status::Skip, Some((Because::Waived, _))) => ("~", Style::dim),
        (Status::Skip, _) => ("-", Style::dim),
    }
}

/// The answer's mark, its id, what was looked at, and how much hangs on it.
fn head_line(audited: &Audited, style: Style) -> String {
    let Audited { check, outcome, .. } = audited;
    let (mark, paint) = mark(outcome);
    let mut title = say(check.title).into_owned();
    if let Some(subject) = &outcome.subject {
        title = format!("{title}: {}", printable(subject));
    }
    let severity = outcome.is_finding().then(|| format!("[{}]", say(check.severity.word())));
    let room = style.width - 18 - severity.as_ref().map_or(0, |words| words.chars().count() + 2);
    let mut lines = wrap(&title, room);
    if outcome.is_finding() {
        for line in &mut lines {
            *line = style.bold(line);
        }
    }
    let title = lines.join(&format!("\n{:18}", ""));
    let severity = severity.map(|words| format!("  {}", style.dim(&words))).unwrap_or_default();
    let id = format!("{:<13}", check.id);
    format!("  {} {} {title}{severity}", paint(style, mark), paint(style, &id))
}

fn details(outcome: &Outcome, style: Style) -> String {
    let mut out = String::new();
    if !outcome.expected.is_empty() {
        out += &field(&say("expected"), &outcome.expected, style);
    }
    if !outcome.actual.is_empty() {
        out += &field(&say("actual"), &outcome.actual, style);
    }
    for (at, evidence) in outcome.evidence.iter().enumerate() {
        out +=
            &field(if at == 0 { say("seen in") } else { "".into() }.as_ref(), &evidence.to_string(), style);
    }
    if !outcome.fix.is_empty() {
        out += &field(&say("fix"), &outcome.fix, style);
    }
    out
}

fn field(name: &str, text: &str, style: Style) -> String {
    let lines = wrap(&printable(text), style.width - INDENT - 5);
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        let name = if at == 0 { name } else { "" };
        out += &format!("      {} {line}\n", style.dim(&format!("{name:<12}")));
    }
    out
}

/// One line: how many of each.
pub fn summary(summary: &Summary, style: Style) -> String {
    let does_not_apply = summary.skip - summary.could_not_tell - summary.waived;
    let passed = if summary.pass == 1 { t!("1 passed") } else { t!("{count} passed", count = summary.pass) };
    let mut parts = vec![style.green(&passed)];
    let mut add = |count: usize, text: String, paint: fn(Style, &str) -> String| {
        if count > 0 {
            parts.push(paint(style, &text));
        }
    };
    add(summary.fail, t!("{count} failed", count = summary.fail), Style::red);
    add(summary.warn, t!("{count} to look at", count = summary.warn), Style::yellow);
    let untold = match summary.could_not_tell {
        1 => t!("1 could not be told"),
        count => t!("{count} could not be told", count = count),
    };
    add(summary.could_not_tell, untold, Style::cyan);
    add(summary.waived, t!("{count} waived", count = summary.waived), Style::dim);
    let without_object = match does_not_apply {
        1 => t!("1 does not apply"),
        count => t!("{count} do not apply", count = count),
    };
    add(does_not_apply, without_object, Style::dim);
    parts.join(", ") + "."
}

/// `civicum-tune/doctor/1`.
pub fn json(report: &Report, head: &Head<'_>) -> Value {
    json!({
        "schema": "civicum-tune/doctor/1",
        "host": head.host,
        "profile": head.profile,
        "generation": head.applied.map(|(id, _)| id),
        "checks": report.results.iter().map(answer).collect::<Vec<_>>(),
        "summary": report.summary(),
    })
}

fn answer(audited: &Audited) -> Value {
    let Audited { check, outcome, drift, .. } = audited;
    json!({
        "id": check.id,
        "title": say(check.title),
        "subject": outcome.subject,
        "status": outcome.status,
        "because": outcome.because.as_ref().map(|(because, _)| because),
        "reason": outcome.because.as_ref().map(|(_, why)| why),
        "severity": check.severity,
        "expected": outcome.expected,
        "actual": outcome.actual,
        "evidence": outcome.evidence,
        "fix": outcome.fix,
        "reference": reference(check),
        "drift": drift,
    })
}

/// Where to read on: the page of the reference, and the source of the knowledge.
fn reference(check: &Check) -> String {
    format!("docs/checks.md#{}; {}", check.id.to_lowercase(), check.source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        let of = |pass, skip, could_not_tell| {
            summary(&Summary { pass, skip, could_not_tell, ..Summary::default() }, Style::new(false, None))
        };
        assert_eq!(of(1, 2, 1), "1 passed, 1 could not be told, 1 does not apply.");
        assert_eq!(of(2, 4, 2), "2 passed, 2 could not be told, 2 do not apply.");
    }
}
