//! What is wrong with a profile, and where.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

pub use super::code::Code;
use super::source::{Place, Source, Span};
use crate::lang::say;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The profile can't be used.
    Error,
    /// It can be used, but someone should look.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&match self {
            Self::Error => say("error"),
            Self::Warning => say("warning"),
        })
    }
}

/// One thing that is wrong. [`super::excerpt::render`] shows it with the source line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// What is wrong, in one line, safe to print.
    pub message: String,
    /// A bundled profile's name or a file's path.
    pub file: String,
    /// Where, if it is at one place.
    pub span: Option<Span>,
    /// What to do about it.
    pub help: Option<String>,
    source: Option<Arc<Source>>,
    start: usize,
}

impl Finding {
    /// An error at `place`.
    pub fn error(code: Code, place: &Place, message: impl AsRef<str>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: printable(message.as_ref()),
            file: place.source.name().to_owned(),
            span: Some(place.span()),
            help: None,
            source: Some(Arc::clone(&place.source)),
            start: place.bytes.start,
        }
    }

    /// A warning at `place`.
    pub fn warning(code: Code, place: &Place, message: impl AsRef<str>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, place, message) }
    }

    /// An error about a file as a whole.
    pub fn about(code: Code, file: impl Into<String>, message: impl AsRef<str>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: printable(message.as_ref()),
            file: file.into(),
            span: None,
            help: None,
            source: None,
            start: 0,
        }
    }

    /// The same with advice.
    #[must_use]
    pub fn help(mut self, help: impl AsRef<str>) -> Self {
        self.help = Some(printable(help.as_ref()));
        self
    }

    /// The same with advice, if there is any.
    #[must_use]
    pub fn maybe_help(self, help: Option<impl AsRef<str>>) -> Self {
        match help {
            Some(help) => self.help(help),
            None => self,
        }
    }

    /// Does it make the profile unusable?
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The text that the finding is about.
    pub fn source(&self) -> Option<&Source> {
        self.source.as_deref()
    }
}

/// The contract's form: `id`, `severity`, `message`, the place, `help`; and the file, since a finding may be
/// in an included profile.
impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Finding", 9)?;
        out.serialize_field("id", self.code.id())?;
        out.serialize_field("severity", &self.severity)?;
        out.serialize_field("message", &self.message)?;
        out.serialize_field("file", &self.file)?;
        out.serialize_field("line", &self.span.map(|s| s.line))?;
        out.serialize_field("column", &self.span.map(|s| s.column))?;
        out.serialize_field("end_line", &self.span.map(|s| s.end_line))?;
        out.serialize_field("end_column", &self.span.map(|s| s.end_column))?;
        out.serialize_field("help", &self.help)?;
        out.end()
    }
}

/// In the order of a file, files in the order in which they first speak.
pub fn sort(findings: &mut Vec<Finding>) {
    let mut files: Vec<String> = Vec::new();
    for finding in findings.iter() {
        if !files.contains(&finding.file) {
            files.push(finding.file.clone());
        }
    }
    let rank = |finding: &Finding| files.iter().position(|f| *f == finding.file);
    findings.sort_by_key(|f| (rank(f), f.span.is_some(), f.start, f.severity, f.code));
    findings.dedup();
}

/// At most so many: what is too much goes, warnings first, so that what is wrong stays wrong.
pub fn cap(findings: &mut Vec<Finding>, most: usize) {
    if findings.len() > most {
        findings.sort_by_key(|finding| finding.severity);
        findings.truncate(most);
    }
}

/// Is any of them an error?
pub fn any_error(findings: &[Finding]) -> bool {
    findings.iter().any(Finding::is_error)
}

/// A stretch inside a place, for example the wrong word of a rule.
pub fn within(place: &Place, bytes: Range<usize>) -> Place {
    Place { source: Arc::clone(&place.source), bytes }
}

/// The most characters of a message; a file may have names of a million.
const MAX_MESSAGE: usize = 500;

/// The place of a word inside a list; the list's own where it is not found.
pub fn part(place: &Place, word: &str) -> Place {
    let text = place.source.text().get(place.bytes.clone()).unwrap_or("");
    let quoted = ['"', '\''].iter().find_map(|quote| text.find(&format!("{quote}{word}{quote}")));
    match quoted.map(|at| at + 1).or_else(|| text.find(word)) {
        Some(at) => within(place, place.bytes.start + at..place.bytes.start + at + word.len()),
        None => place.clone(),
    }
}

/// One line of bearable length without anything that moves a terminal's cursor or turns the direction of writing.
pub fn printable(text: &str) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == MAX_MESSAGE {
            out.push('…');
            break;
        }
        if is_harmful(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// Control characters and the invisible ones that reorder text.
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_never_carries_an_escape() {
        assert_eq!(printable("a\u{1b}[31mb\u{202e}"), "a\\u{1b}[31mb\\u{202e}");
        assert_eq!(printable("ñ €"), "ñ €");
    }
}
