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
    /// A container is less confined than it could be.
    Hardening,
    /// A waiver that accepts nothing, or nothing any more.
    Waiver,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 17] = [
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
        Self::Hardening,
        Self::Waiver,
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
            Self::Hardening => "profile/hardening",
            Self::Waiver => "profile/waiver",
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
            Self::Hardening => "A container is less confined than it could be.",
            Self::Waiver => "A waiver names no check, or its last day is past.",
        }
    }

    /// How to mend it, in one or two sentences.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Unreadable => {
                "Check the path and who may read it. A file is named with its .toml, a bundled profile without."
            }
            Self::TooLarge => "It is the wrong file.",
            Self::NotUtf8 => "Save it as UTF-8; the finding shows the first byte that is not.",
            Self::Syntax => "Each line is `key = value`, and texts stand in double quotes.",
            Self::DuplicateKey => "Remove one of the two: only one value can hold.",
            Self::UnknownKey => {
                "Take the spelling that is suggested. docs/profile-reference.md lists every key; `civicum-tune profile schema` teaches an editor."
            }
            Self::Type => {
                "Write what the finding asks for: quotes make a text, none make a number or true and false."
            }
            Self::Range => "Take a value within the limits that the finding names.",
            Self::Value => {
                "These texts end up in paths, unit files and on the boot line, so only safe ones pass. Take one like the example in the finding."
            }
            Self::Rule => {
                "A rule is made of sizes with units, ram, cores, disk, + - * /, min, max and `N% of`. `civicum-tune profile show` tells what each comes to."
            }
            Self::Extends => "Name a bundled profile, or a .toml file beside or below this one.",
            Self::Conflict => "Decide which of the two values is meant, and change the other.",
            Self::MemoryBudget => {
                "Limits and memory.reserve together must fit the RAM, in MiB. The table of `civicum-tune validate` shows the sum."
            }
            Self::Host => "Change the value, or take the bundled profile that fits the host.",
            Self::Sovereignty => {
                "Name services of this profile instead of hosts elsewhere, publish on 127.0.0.1, pin images by digest, and put secrets into files."
            }
            Self::Hardening => {
                "Take it out of the profile unless the image can't do without: a user that is not root, no capability, a root file system that can't be written."
            }
            Self::Waiver => "Correct the id, or mend what the check finds, or give the waiver a later day.",
        }
    }

    /// The code of that id.
    pub fn find(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.id().eq_ignore_ascii_case(id))
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
            assert!(code.meaning().ends_with('.') && code.remedy().ends_with('.'));
            assert_eq!(Code::find(code.id()), Some(*code));
        }
    }
}
