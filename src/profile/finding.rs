//! What is wrong with a profile, and where.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::source::{Place, Source, Span};

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// The file can't be read.
    Unreadable,
    /// The file is larger than a profile may be.
    TooLarge,
    /// The file is not UTF-8.
    NotUtf8,
    /// It is not TOML.
    Syntax,
    /// A key or table is given twice.
    DuplicateKey,
    /// The format has no such key.
    UnknownKey,
    /// A value of the wrong type.
    Type,
    /// A number outside its range.
    Range,
    /// A text that can't be a value of this key, or that is not safe on a host.
    Value,
    /// A sizing rule that can't be read or evaluated.
    Rule,
    /// A profile that another one extends is not there, or includes itself.
    Extends,
    /// Two values that contradict or undo each other.
    Conflict,
    /// The memory limits and the reserve don't fit the RAM.
    MemoryBudget,
    /// The profile does not suit this host.
    Host,
    /// Data could leave the host, or a secret lies in the open.
    Sovereignty,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 15] = [
        Self::Unreadable,
        Self::TooLarge,
        Self::NotUtf8,
        Self::Syntax,
        Self::DuplicateKey,
        Self::UnknownKey,
        Self::Type,
        Self::Range,
        Self::Value,
        Self::Rule,
        Self::Extends,
        Self::Conflict,
        Self::MemoryBudget,
        Self::Host,
        Self::Sovereignty,
    ];

    /// The stable name, for example `profile/unknown-key`.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Unreadable => "profile/unreadable",
            Self::TooLarge => "profile/too-large",
            Self::NotUtf8 => "profile/not-utf8",
            Self::Syntax => "profile/syntax",
            Self::DuplicateKey => "profile/duplicate-key",
            Self::UnknownKey => "profile/unknown-key",
            Self::Type => "profile/type",
            Self::Range => "profile/range",
            Self::Value => "profile/value",
            Self::Rule => "profile/rule",
            Self::Extends => "profile/extends",
            Self::Conflict => "profile/conflict",
            Self::MemoryBudget => "profile/memory-budget",
            Self::Host => "profile/host",
            Self::Sovereignty => "profile/sovereignty",
        }
    }

    /// What it means, in one sentence, for the reference and for SARIF's rule list.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Unreadable => "The profile can't be read.",
            Self::TooLarge => "The file is larger than 1 MiB; a profile never is.",
            Self::NotUtf8 => "The file is not UTF-8 text.",
            Self::Syntax => "The file is not TOML.",
            Self::DuplicateKey => "A key or a table is given twice.",
            Self::UnknownKey => "The format has no such key.",
            Self::Type => "A value has the wrong type.",
            Self::Range => "A number is outside its range.",
            Self::Value => "A text can't be a value of its key, or is not safe to put on a host.",
            Self::Rule => "A sizing rule can't be read, or has no result on this host.",
            Self::Extends => "The profile that this one extends is not there, or includes itself.",
            Self::Conflict => "Two values contradict or undo each other.",
            Self::MemoryBudget => "Memory limits and reserve together don't fit the RAM.",
            Self::Host => "The profile does not suit this host.",
            Self::Sovereignty => "Data could leave the host, or a secret lies in the open.",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

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
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
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
    match text.find(word) {
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
    fn codes_are_unique_and_named_alike() {
        for (i, code) in Code::ALL.iter().enumerate() {
            assert!(code.id().starts_with("profile/"));
            assert!(!Code::ALL[..i].iter().any(|c| c.id() == code.id()), "{code}");
            assert!(code.meaning().ends_with('.'));
        }
    }

    #[test]
    fn a_message_never_carries_an_escape() {
        assert_eq!(printable("a\u{1b}[31mb\u{202e}"), "a\\u{1b}[31mb\\u{202e}");
        assert_eq!(printable("ñ €"), "ñ €");
    }
}
