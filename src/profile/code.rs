//! The kinds of findings, by names that scripts can rely on.

use std::fmt;

use serde::{Serialize, Serializer};

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
}
