//! From the answers of `doctor`.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Answer, Artifact, Base, Diagnostic, Group, Level, Log, Place, Region, Rule};
use crate::check::{self, AREAS, Audited, Because, Check, Evidence, Report, Severity, Status};
use crate::lang::say;
use crate::render::Style;
use crate::render::doctor::{Head, summary};
use crate::render::style::printable;
use crate::t;

/// Every answer of an audit, area by area. `root` is the tree that was audited, as it was named.
pub fn of_audit(report: &Report, head: &Head<'_>, root: Option<&Path>) -> Log {
    let root = root.filter(|root| *root != Path::new("/"));
    // Files of a tree that was named by a relative path can be found from where the program was started.
    let tree = root.filter(|root| root.is_relative()).map(|root| root.to_string_lossy().into_owned());
    let group = |(area, title, _): &(&str, &str, &[Check])| Group {
        name: say(title).into_owned(),
        file: None,
        diagnostics: report
            .results
            .iter()
            .filter(|audited| audited.check.area() == *area)
            .map(|audited| diagnostic(audited, tree.as_deref()))
            .collect(),
    };
    let groups = AREAS.iter().map(group).filter(|group| !group.diagnostics.is_empty()).collect();
    let mut properties = Map::new();
    properties.insert("host".to_owned(), head.host.into());
    properties.insert("profile".to_owned(), head.profile.into());
    properties.insert("generation".to_owned(), head.applied.map(|(id, _)| id).into());
    properties.insert("summary".to_owned(), json!(report.summary()));
    Log {
        command: "doctor",
        rules: check::all().map(rule).collect(),
        groups,
        status: u8::from(!report.is_sound()),
        summary: summary(&report.summary(), Style::default()),
        live: root.is_none(),
        properties,
    }
}

fn rule(check: &'static Check) -> Rule {
    let mut properties = Map::new();
    properties.insert("severity".to_owned(), json!(check.severity));
    properties.insert("tags".to_owned(), json!([check.area()]));
    properties.insert("source".to_owned(), check.source.into());
    let uri = check.source.split([' ', ';', ',', ')']).find(|word| word.starts_with("https://"));
    Rule {
        id: check.id,
        title: say(check.title).into_owned(),
        text: say(check.why).into_owned(),
        help: t!(
            "civicum-tune explain {id} says more. Source: {source}",
            id = check.id,
            source = check.source
        ),
        level: match check.severity {
            Severity::Critical | Severity::High => Level::Error,
            Severity::Medium => Level::Warning,
            Severity::Low | Severity::Info => Level::Note,
        },
        uri,
        properties,
    }
}

/// How loud: a failure is an error, as the exit status has it; advice is as loud as much hangs on it.
fn level(status: Status, severity: Severity) -> Level {
    match (status, severity) {
        (Status::Fail, _) => Level::Error,
        (_, Severity::Info | Severity::Low) => Level::Note,
        _ => Level::Warning,
    }
}

fn diagnostic(audited: &Audited, tree: Option<&str>) -> Diagnostic {
    let Audited { check, outcome, drift, found } = audited;
    let why = outcome.because.as_ref().map(|(_, why)| printable(why));
    let reason = || why.clone().unwrap_or_default();
    let answer = match (outcome.status, &outcome.because) {
        (Status::Pass, _) => Answer::Pass,
        (Status::Fail | Status::Warn, _) => Answer::Found(level(outcome.status, check.severity)),
        (_, Some((Because::Waived, _))) => {
            Answer::Waived(level(found.unwrap_or(Status::Warn), check.severity), reason())
        }
        (_, Some((Because::CouldNotTell, _))) => Answer::CouldNotTell(reason()),
        (Status::Skip, _) => Answer::NotApplicable(reason()),
    };
    let mut name = say(check.title).into_owned();
    if let Some(subject) = &outcome.subject {
        name = format!("{name}: {}", printable(subject));
    }
    let mut lines = vec![match answer {
        Answer::Found(_) | Answer::Waived(..) => t!("Not so: {what}", what = name),
        Answer::CouldNotTell(_) => t!("Could not tell: {what}", what = name),
        Answer::NotApplicable(_) => t!("Does not apply: {what}", what = name),
        Answer::Pass => name.clone(),
    }];
    lines.extend(why);
    let mut field = |name: &'static str, text: &str| {
        if !text.is_empty() {
            lines.push(format!("{}: {}", say(name), printable(text.trim_end())));
        }
    };
    field("expected", &outcome.expected);
    field("actual", &outcome.actual);
    field("fix", &outcome.fix);
    let places: Vec<Place> = outcome.evidence.iter().map(|evidence| place(evidence, tree)).collect();
    let message = lines.join("\n");
    lines.extend(places.iter().map(|place| format!("{}: {}", say("seen in"), place.words)));
    Diagnostic {
        rule: check.id,
        name,
        answer,
        message,
        detail: lines.join("\n") + "\n",
        places,
        key: outcome.subject.clone().unwrap_or_default(),
        properties: properties(audited, *drift),
    }
}

fn properties(audited: &Audited, drift: Option<u32>) -> Map<String, Value> {
    let outcome = &audited.outcome;
    let mut properties = Map::new();
    let mut put = |name: &str, text: &str| {
        if !text.is_empty() {
            properties.insert(name.to_owned(), printable(text.trim_end()).into());
        }
    };
    put("severity", audited.check.severity.word());
    put("subject", outcome.subject.as_deref().unwrap_or_default());
    put("expected", &outcome.expected);
    put("actual", &outcome.actual);
    put("fix", &outcome.fix);
    if let Some((because, why)) = &outcome.because {
        put("reason", why);
        properties.insert("because".to_owned(), json!(because));
    }
    if let Some(generation) = drift {
        properties.insert("drift".to_owned(), generation.into());
    }
    properties
}

fn place(evidence: &Evidence, tree: Option<&str>) -> Place {
    let artifact = evidence.file.starts_with('/').then(|| match tree {
        Some(tree) => {
            Artifact { base: Base::Here, path: format!("{}{}", tree.trim_end_matches('/'), evidence.file) }
        }
        None => Artifact { base: Base::Host, path: evidence.file.clone() },
    });
    let line = evidence.line.filter(|line| *line > 0);
    Place {
        artifact,
        region: line.map(|line| Region { line, column: None, end_line: line, end_column: None }),
        content: evidence.content.as_ref().map(|content| printable(content.trim_end())),
        words: printable(&evidence.to_string()),
    }
}
