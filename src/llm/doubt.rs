//! What a person should look at: values that the text does not support, and chunks that contradict each other.

use std::collections::HashSet;
use std::fmt;

use serde_json::Value;

use super::schema::Schema;
use crate::document::rut;
use crate::t;

/// A value to be looked at, told by its place alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Doubt {
    /// A JSON pointer into the value; names that the schema does not know are `*`.
    pub pointer: String,
    /// What is doubtful.
    pub kind: Kind,
}

/// Why a value is doubtful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// A RUT whose check digit is not the one of its number.
    RutBroken,
    /// A RUT that does not stand in the text.
    RutNotInText,
    /// Something in a place for a RUT that is none.
    RutUnreadable,
    /// Chunks said different things; the first one counts.
    Conflict,
    /// Joined from several chunks, it breaks the schema here (too many items, for one).
    Joined,
}

impl Kind {
    /// A word for JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::RutBroken => "rut-broken",
            Self::RutNotInText => "rut-not-in-text",
            Self::RutUnreadable => "rut-unreadable",
            Self::Conflict => "conflict",
            Self::Joined => "joined",
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = if self.pointer.is_empty() { "/" } else { &self.pointer };
        f.write_str(&match self.kind {
            Kind::RutBroken => t!("{at}: a RUT whose check digit is wrong", at = at),
            Kind::RutNotInText => t!("{at}: a RUT that the text does not have", at = at),
            Kind::RutUnreadable => t!("{at}: no RUT, where one is asked for", at = at),
            Kind::Conflict => {
                t!("{at}: parts of the document say different things; the first is kept", at = at)
            }
            Kind::Joined => t!("{at}: joined from several parts, it breaks the schema", at = at),
        })
    }
}

/// Every RUT of the answer that is broken, or not in the text.
pub(super) fn ruts(value: &Value, pages: &[String], schema: &Schema) -> Vec<Doubt> {
    let known: HashSet<String> =
        pages.iter().flat_map(|page| rut::find(page)).map(|found| found.plain).collect();
    let mut doubts = Vec::new();
    walk(value, "", false, &mut |pointer, text, wants_rut| {
        let found = rut::find(text);
        let kind = if found.iter().any(|found| !found.valid) {
            Kind::RutBroken
        } else if found.iter().any(|found| !known.contains(&found.plain)) {
            Kind::RutNotInText
        } else if found.is_empty() && wants_rut && !text.trim().is_empty() {
            Kind::RutUnreadable
        } else {
            return;
        };
        doubts.push(Doubt { pointer: schema.mask(pointer), kind });
    });
    doubts
}

/// Every scalar that can hold a RUT, with its pointer, and whether its name says that it is one.
fn walk(value: &Value, pointer: &str, is_rut: bool, seen: &mut impl FnMut(&str, &str, bool)) {
    match value {
        Value::String(text) => seen(pointer, text, is_rut),
        Value::Number(number) if is_rut => seen(pointer, &number.to_string(), is_rut),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                walk(item, &format!("{pointer}/{at}"), is_rut, seen);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let named = name.to_ascii_lowercase();
                let is_rut = named.split(['_', '-', ' ']).any(|word| word == "rut" || word == "ruts");
                walk(field, &format!("{pointer}/{}", escape(name)), is_rut, seen);
            }
        }
        _ => {}
    }
}

/// A name as a JSON pointer has it.
pub(super) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ruts_are_looked_for_in_the_text() {
        let schema = json!({ "properties": { "rut": {}, "otros": {}, "texto": {}, "rut_empresa": {}, "vacio_rut": {} } });
        let schema = Schema::new(&schema).unwrap();
        let pages = ["Yo, Ana, RUT 12.345.678-5,".to_owned(), "y 11111111-1".to_owned()];
        let value = json!({
            "rut": "12345678-5", "otros": ["11.111.111-1", "76.192.083-9", "12.345.678-4"], "texto": "sin rut",
            "rut_empresa": 12_345_678, "vacio_rut": "", "secreto": { "rut": "abc" },
        });
        let found = ruts(&value, &pages, &schema);
        let found: Vec<(&str, Kind)> = found.iter().map(|d| (d.pointer.as_str(), d.kind)).collect();
        assert_eq!(
            found,
            [
                ("/otros/1", Kind::RutNotInText),
                ("/otros/2", Kind::RutBroken),
                ("/rut_empresa", Kind::RutUnreadable),
                ("/*/rut", Kind::RutUnreadable),
            ]
        );
    }
}
