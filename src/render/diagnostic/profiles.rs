//! From the findings of `validate`.

use serde_json::Map;

use super::{Answer, Artifact, Diagnostic, Group, Level, Log, Place, Region, Rule};
use crate::lang::say;
use crate::profile::{Code, Finding, Severity, Validation, excerpt};
use crate::render::style::printable;
use crate::t;

/// Everything that was found in the files.
pub fn of_validation(found: &Validation) -> Log {
    let groups: Vec<Group> = found
        .files
        .iter()
        .map(|file| Group {
            name: printable(&file.file),
            file: Some(Artifact::named(&file.file)),
            diagnostics: file.findings.iter().map(diagnostic).collect(),
        })
        .collect();
    let count = |severity: Severity| {
        found.files.iter().flat_map(|file| &file.findings).filter(|f| f.severity == severity).count()
    };
    let summary = t!(
        "profiles checked: {files}, not valid: {invalid}, errors: {errors}, warnings: {warnings}",
        files = found.files.len(),
        invalid = found.files.iter().filter(|file| !file.valid).count(),
        errors = count(Severity::Error),
        warnings = count(Severity::Warning)
    );
    let rules = Code::ALL.into_iter().map(rule).collect();
    let status = u8::from(!found.is_valid());
    Log { command: "validate", rules, groups, status, summary, live: false, properties: Map::new() }
}

fn rule(code: Code) -> Rule {
    Rule {
        id: code.id(),
        title: say(code.meaning()).into_owned(),
        text: say(code.meaning()).into_owned(),
        help: format!(
            "{} {}",
            say(code.remedy()),
            t!("Every key and what it takes: {page}", page = "docs/profile-reference.md")
        ),
        level: Level::Error,
        uri: None,
        properties: Map::new(),
    }
}

fn diagnostic(finding: &Finding) -> Diagnostic {
    let message = match &finding.help {
        Some(help) => format!("{}\n{help}", finding.message),
        None => finding.message.clone(),
    };
    let region = finding.span.map(|span| Region {
        line: span.line as usize,
        column: Some(span.column as usize),
        end_line: span.end_line as usize,
        end_column: Some(span.end_column as usize),
    });
    let line = finding.span.zip(finding.source()).map(|(span, source)| source.line(span.line).trim());
    let words = match finding.span {
        Some(span) => format!("{}:{}:{}", printable(&finding.file), span.line, span.column),
        None => printable(&finding.file),
    };
    Diagnostic {
        rule: finding.code.id(),
        name: format!("{} {words}", finding.code.id()),
        answer: Answer::Found(match finding.severity {
            Severity::Error => Level::Error,
            Severity::Warning => Level::Warning,
        }),
        message,
        detail: excerpt::render(finding),
        key: format!("{}\0{}", finding.file, line.unwrap_or(&finding.message)),
        places: vec![Place { artifact: Some(Artifact::named(&finding.file)), region, content: None, words }],
        properties: Map::new(),
    }
}
