//! What `validate` and `doctor` found, in one form that every machine format is made from.

mod audit;
mod profiles;

use serde_json::{Map, Value};

pub use audit::of_audit;
pub use profiles::of_validation;

/// How loud a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Good to know.
    Note,
    /// Someone should look.
    Warning,
    /// It is wrong, and the exit status says so.
    Error,
}

impl Level {
    /// As SARIF has it, and people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What a look at one thing gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Something was found.
    Found(Level),
    /// Something was found, and the profile accepts it, for this reason.
    Waived(Level, String),
    /// As it should be.
    Pass,
    /// The question makes no sense here, for this reason.
    NotApplicable(String),
    /// It could not be found out, for this reason. Never a pass.
    CouldNotTell(String),
}

/// What a path is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// The folder in which the program was started, where the path is relative; else this machine.
    Here,
    /// The audited host's root.
    Host,
    /// Nothing: it is the name of a bundled profile.
    Bundled,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Relative to what.
    pub base: Base,
    /// As it was named.
    pub path: String,
}

/// A stretch of a file, from 1; columns in characters, the end is the first column behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// The first line.
    pub line: usize,
    /// The first column, where it is known.
    pub column: Option<usize>,
    /// The last line.
    pub end_line: usize,
    /// The column behind the end, where it is known.
    pub end_column: Option<usize>,
}

/// Where something was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// In which file; `None` where an engine was asked.
    pub artifact: Option<Artifact>,
    /// Where in it.
    pub region: Option<Region>,
    /// What stands there.
    pub content: Option<String>,
    /// All of that in a line.
    pub words: String,
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// The rule's id.
    pub rule: &'static str,
    /// What was looked at, in a line.
    pub name: String,
    /// What came of it.
    pub answer: Answer,
    /// That in words, the way out included; may have several lines.
    pub message: String,
    /// All of it, as a person reads it in a log.
    pub detail: String,
    /// Where; the first is the place itself, the others are evidence.
    pub places: Vec<Place>,
    /// What stays the same when lines move: from this a finding is known again.
    pub key: String,
    /// What only JSON can carry.
    pub properties: Map<String, Value>,
}

/// A file that was checked, or an area of checks.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The file, if it is one.
    pub file: Option<Artifact>,
    /// What was found.
    pub diagnostics: Vec<Diagnostic>,
}

/// A kind of finding.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Stable.
    pub id: &'static str,
    /// In a line.
    pub title: String,
    /// In a sentence or two.
    pub text: String,
    /// What to do about it, and where to read on.
    pub help: String,
    /// How loud, where a result says nothing else.
    pub level: Level,
    /// A page to read.
    pub uri: Option<&'static str>,
    /// What only JSON can carry.
    pub properties: Map<String, Value>,
}

/// All that one run of a command found.
#[derive(Debug, Clone)]
pub struct Log {
    /// `validate` or `doctor`.
    pub command: &'static str,
    /// Every rule there is, in order.
    pub rules: Vec<Rule>,
    /// What was found, in order.
    pub groups: Vec<Group>,
    /// The exit status.
    pub status: u8,
    /// How many of each, in a line.
    pub summary: String,
    /// Is the audited host this very machine (and not a tree)?
    pub live: bool,
    /// What the run was about.
    pub properties: Map<String, Value>,
}

impl Log {
    /// Every answer.
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.groups.iter().flat_map(|group| &group.diagnostics)
    }
}

impl Artifact {
    /// A file as it was named on the command line, or a bundled profile.
    pub fn named(path: &str) -> Self {
        let base = if crate::profile::shape::is_file(path) { Base::Here } else { Base::Bundled };
        Self { base, path: path.to_owned() }
    }
}
