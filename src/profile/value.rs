//! A profile's values as they were written, each with its place.

use std::fmt::{self, Write as _};

use super::keys::{Key, Kind};
use super::rule::Rule;
use super::source::Place;
use crate::units::Millis;

/// The path of a key: its parts, for example `services`, `llm`, `memory`. A sysctl's name is one part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct KeyPath(pub Vec<String>);

impl KeyPath {
    /// From parts.
    pub fn of(parts: &[&str]) -> Self {
        Self(parts.iter().map(|part| (*part).to_owned()).collect())
    }

    /// The path as plain text parted by dots, as people write it in `without`.
    pub fn dotted(&self) -> String {
        self.0.join(".")
    }
}

impl fmt::Display for KeyPath {
    /// As TOML has it: `services.llm.memory`, `sysctl."vm.swappiness"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|part| toml_key(part)).collect();
        f.pad(&parts.join("."))
    }
}

/// A key as TOML wants it: bare if it can be, else quoted.
pub fn toml_key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { toml_string(key) }
}

/// A text as a TOML basic string on one line.
pub fn toml_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if super::finding::is_harmful(c) => {
                let code = u32::from(c);
                let _ =
                    if code > 0xffff { write!(out, "\\U{code:08X}") } else { write!(out, "\\u{code:04X}") };
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A value as it was written.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
    /// A rule that gives bytes.
    Size(Rule),
    /// A rule that gives a number.
    Count(Rule),
    /// A span of time.
    Duration(Millis),
    /// A list of texts.
    List(Vec<String>),
}

impl Value {
    /// As TOML.
    pub fn to_toml(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Text(value) => toml_string(value),
            Self::Count(rule) if rule.is_literal() => rule.text().to_owned(),
            Self::Size(rule) | Self::Count(rule) => toml_string(rule.text()),
            Self::Duration(value) => toml_string(&value.to_string()),
            Self::List(values) => {
                let values: Vec<String> = values.iter().map(|value| toml_string(value)).collect();
                format!("[{}]", values.join(", "))
            }
        }
    }

    /// As JSON; rules as they were written.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Bool(value) => (*value).into(),
            Self::Integer(value) => (*value).into(),
            Self::Text(value) => value.as_str().into(),
            Self::Size(rule) | Self::Count(rule) => rule.text().into(),
            Self::Duration(value) => value.to_string().into(),
            Self::List(values) => values.clone().into(),
        }
    }

    /// The rule, if it is one.
    pub fn rule(&self) -> Option<&Rule> {
        match self {
            Self::Size(rule) | Self::Count(rule) => Some(rule),
            _ => None,
        }
    }
}

/// A value with the key that it belongs to, and its place.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// What the format says about it.
    pub key: &'static Key,
    /// What was written.
    pub value: Value,
    /// Where.
    pub place: Place,
}

impl Leaf {
    /// The value as TOML; a kernel parameter that is a number as a number, though it is kept as text.
    pub fn to_toml(&self) -> String {
        match (&self.key.kind, &self.value) {
            (Kind::Sysctl, Value::Text(text)) if is_plain_integer(text) => text.clone(),
            (_, value) => value.to_toml(),
        }
    }
}

/// Would TOML read it as a whole number and write it the same way?
fn is_plain_integer(text: &str) -> bool {
    text.parse::<i64>().is_ok_and(|n| n.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_texts_as_toml() {
        assert_eq!(KeyPath::of(&["sysctl", "vm.swappiness"]).to_string(), "sysctl.\"vm.swappiness\"");
        assert_eq!(KeyPath::of(&["services", "llm", "cpus"]).to_string(), "services.llm.cpus");
        assert_eq!(toml_string("a\"b\\c\u{1b}\u{e0001}"), "\"a\\\"b\\\\c\\u001B\u{e0001}\"");
        assert_eq!(toml_key(""), "\"\"");
    }
}
