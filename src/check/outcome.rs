//! What a check found.

use std::fmt;

use serde::Serialize;

use crate::t;

/// One of the four answers, with found things told apart by how bad they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Pass,
    /// No answer: see [`Because`].
    Skip,
    /// Someone should look.
    Warn,
    /// It is wrong.
    Fail,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// The question makes no sense on this host.
    NotApplicable,
    /// What would answer it could not be read. Never a pass.
    CouldNotTell,
    /// Something was found, and the profile accepts it, with a reason and a date.
    Waived,
}

/// Where it was seen: a file, a line, the very words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// A file of the host, or what was asked (`GET /info`).
    pub file: String,
    /// From 1, where it is a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

impl Evidence {
    /// The whole content of a small file.
    pub fn file(file: impl Into<String>, content: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, content: Some(content.into()) }
    }

    /// One line of a file.
    pub fn line(file: impl Into<String>, line: usize, content: impl Into<String>) -> Self {
        Self { file: file.into(), line: Some(line), content: Some(content.into()) }
    }

    /// A path and nothing more (it is there, or it is not).
    pub fn path(file: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, content: None }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(content) = &self.content {
            write!(f, ": {}", content.trim_end())?;
        }
        Ok(())
    }
}

/// A check's answer about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The answer.
    pub status: Status,
    /// Why there is none, and the reason in words.
    pub because: Option<(Because, String)>,
    /// Of what, where a check looks at many things: a sysctl's name, a container.
    pub subject: Option<String>,
    /// What should be.
    pub expected: String,
    /// What is.
    pub actual: String,
    /// Where that was seen.
    pub evidence: Vec<Evidence>,
    /// What to do: the very command, or the profile's line.
    pub fix: String,
    /// The path that a change of ours would have as its target: tells drift from advice.
    pub target: Option<String>,
    /// The path that is not here and would tell.
    pub missing: Option<String>,
}

impl Outcome {
    fn new(status: Status) -> Self {
        Self {
            status,
            because: None,
            subject: None,
            expected: String::new(),
            actual: String::new(),
            evidence: Vec::new(),
            fix: String::new(),
            target: None,
            missing: None,
        }
    }

    /// As it should be.
    pub fn pass(actual: impl Into<String>) -> Self {
        Self { actual: actual.into(), ..Self::new(Status::Pass) }
    }

    /// Someone should look: what is, and what to do.
    pub fn warn(actual: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { actual: actual.into(), fix: fix.into(), ..Self::new(Status::Warn) }
    }

    /// It is wrong: what is, and what to do.
    pub fn fail(actual: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { actual: actual.into(), fix: fix.into(), ..Self::new(Status::Fail) }
    }

    /// The question makes no sense here.
    pub fn not_applicable(why: impl Into<String>) -> Self {
        Self { because: Some((Because::NotApplicable, why.into())), ..Self::new(Status::Skip) }
    }

    /// It could not be found out.
    pub fn could_not_tell(why: impl Into<String>) -> Self {
        Self { because: Some((Because::CouldNotTell, why.into())), ..Self::new(Status::Skip) }
    }

    /// What would tell is not here.
    pub fn not_here(path: impl Into<String>) -> Self {
        let path = path.into();
        let outcome = Self::could_not_tell(t!("{path} is not here", path = path));
        Self { missing: Some(path), ..outcome }
    }

    /// Another finding comes first, and mending that one answers this question as well.
    pub fn behind(what: impl std::fmt::Display, id: &str) -> Self {
        Self::not_applicable(t!("{what}: see {id}", what = what, id = id))
    }

    /// The same, about one thing of several.
    #[must_use]
    pub fn of(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// The same with what should be.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = expected.into();
        self
    }

    /// The same with a place where it was seen.
    #[must_use]
    pub fn seen(mut self, evidence: Evidence) -> Self {
        self.evidence.push(evidence);
        self
    }

    /// The same with several places.
    #[must_use]
    pub fn seen_all(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// The same, about what a change of ours would set.
    #[must_use]
    pub fn target(mut self, path: impl Into<String>) -> Self {
        self.target = Some(path.into());
        self
    }

    /// Was something found?
    pub fn is_finding(&self) -> bool {
        matches!(self.status, Status::Warn | Status::Fail)
    }

    /// Was there no way to find out?
    pub fn is_untold(&self) -> bool {
        matches!(self.because, Some((Because::CouldNotTell, _)))
    }
}

impl From<Outcome> for Vec<Outcome> {
    fn from(outcome: Outcome) -> Self {
        vec![outcome]
    }
}
