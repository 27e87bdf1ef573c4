//! The settings of a PostgreSQL server: as the profile has them, and as the server says. `256MB` and 32768 pages of 8 kB are
//! the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What the server says of one setting.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Answer {
    /// Its name, in lower case.
    pub name: String,
    /// In its unit; none where the server does not know it.
    pub setting: Option<String>,
    /// `8kB`, `ms`, …; empty where it has none.
    pub unit: String,
    /// `bool`, `integer`, `real`, `enum`, `string`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who said so: `command line`, `database`, `default`, …
    pub source: String,
    /// As SHOW has it.
    pub shown: Option<String>,
}

/// A setting that is not as the profile has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its name.
    pub name: String,
    /// As the profile has it.
    pub wanted: String,
    /// As the server has it; none where it does not know it.
    pub found: Option<String>,
    /// Who said so.
    pub source: String,
}

/// The question for all of these settings; a list of [`Answer`] as JSON is the answer.
pub fn question<'n>(names: impl IntoIterator<Item = &'n String>) -> String {
    // The format lets no quote into a name; doubled, it would be none here either.
    let names: Vec<String> =
        names.into_iter().map(|name| format!("('{}')", name.replace('\'', "''"))).collect();
    format!(
        "SELECT coalesce(json_agg(json_build_object('name', w.name, 'setting', coalesce(s.setting, current_setting(w.name, true)), \
         'unit', coalesce(s.unit, ''), 'type', coalesce(s.vartype, 'string'), 'source', coalesce(s.source, ''), \
         'shown', current_setting(w.name, true))), '[]') \
         FROM (VALUES {}) AS w(name) LEFT JOIN pg_settings s ON lower(s.name) = w.name",
        names.join(", ")
    )
}

/// What of `wanted` the server does not have.
pub fn differences(wanted: &BTreeMap<String, String>, answers: &[Answer]) -> Vec<Difference> {
    let mut found = Vec::new();
    for (name, value) in wanted {
        let answer = answers.iter().find(|answer| answer.name == *name);
        if !answer.is_some_and(|answer| holds(value, answer)) {
            found.push(Difference {
                name: name.clone(),
                wanted: value.clone(),
                found: answer.and_then(|answer| answer.shown.clone().or_else(|| answer.setting.clone())),
                source: answer.map(|answer| answer.source.clone()).unwrap_or_default(),
            });
        }
    }
    found
}

/// Is it what the profile says?
fn holds(wanted: &str, answer: &Answer) -> bool {
    let Some(setting) = answer.setting.as_deref() else { return false };
    if setting == wanted || answer.shown.as_deref() == Some(wanted) {
        return true;
    }
    match answer.kind.as_str() {
        "bool" => truth(wanted).is_some() && truth(wanted) == truth(setting),
        // With −1 the server reckons some by itself.
        "integer" | "real" if wanted.trim() == "-1" => true,
        "integer" => number(wanted, &answer.unit).is_some_and(|n| setting.parse() == Ok(n.round())),
        "real" => {
            let (wanted, found) = (number(wanted, &answer.unit), setting.parse::<f64>());
            wanted.zip(found.ok()).is_some_and(|(a, b)| (a - b).abs() <= 1e-6 * a.abs().max(1e-6))
        }
        // The server spells some words its own way: utc is UTC, true is on. Who said it is what counts.
        _ => answer.source == "command line" || setting.eq_ignore_ascii_case(wanted.trim()),
    }
}

fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" | "t" | "y" => Some(true),
        "off" | "false" | "no" | "0" | "f" | "n" => Some(false),
        _ => None,
    }
}

/// A number in the server's own unit.
fn number(text: &str, unit: &str) -> Option<f64> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (digits, suffix) = text.split_at(split);
    let value: f64 = digits.trim().parse().ok()?;
    if suffix.is_empty() {
        return Some(value);
    }
    let split = unit.find(|c: char| c.is_ascii_alphabetic())?;
    let (times, base) = unit.split_at(split);
    let times: f64 = if times.is_empty() { 1.0 } else { times.parse().ok()? };
    let (own, base) = (measure(suffix)?, measure(base)?);
    (own.0 == base.0).then(|| value * own.1 / (base.1 * times))
}

/// Is it a size or a span, and how many bytes or µs is one of it?
fn measure(unit: &str) -> Option<(bool, f64)> {
    Some(match unit {
        "B" => (true, 1.0),
        "kB" => (true, 1024.0),
        "MB" => (true, 1_048_576.0),
        "GB" => (true, 1_073_741_824.0),
        "TB" => (true, 1_099_511_627_776.0),
        "us" => (false, 1.0),
        "ms" => (false, 1e3),
        "s" => (false, 1e6),
        "min" => (false, 6e7),
        "h" => (false, 3.6e9),
        "d" => (false, 8.64e10),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(wanted: &str, setting: &str, unit: &str, kind: &str, source: &str) -> bool {
        let text = |text: &str| text.to_owned();
        let answer = Answer {
            name: text("x"),
            setting: Some(text(setting)),
            unit: text(unit),
            kind: text(kind),
            source: text(source),
            shown: None,
        };
        holds(wanted, &answer)
    }

    #[test]
    fn one_value_in_two_units() {
        for (wanted, setting, unit) in [
            ("256MB", "32768", "8kB"),
            ("1.5GB", "196608", "8kB"),
            ("8MB", "8192", "kB"),
            ("32768", "32768", "8kB"),
            ("1min", "60000", "ms"),
            ("300s", "5", "min"),
            ("50", "50", ""),
            ("-1", "512", "8kB"),
        ] {
            assert!(is(wanted, setting, unit, "integer", ""), "{wanted} {setting} {unit}");
        }
        for (wanted, setting, unit) in [
            ("256MB", "16384", "8kB"),
            ("8MB", "8", "ms"),
            ("1min", "1", "ms"),
            ("x", "0", ""),
            ("8XB", "8", "kB"),
        ] {
            assert!(!is(wanted, setting, unit, "integer", ""), "{wanted} {setting} {unit}");
        }
        assert!(is("1.1", "1.1", "", "real", ""));
        assert!(is("1.10", "1.1", "", "real", ""));
        assert!(!is("1.1", "4", "", "real", "command line"));
    }

    #[test]
    fn words() {
        assert!(is("true", "on", "", "bool", ""));
        assert!(!is("true", "off", "", "bool", "command line"));
        assert!(is("utc", "UTC", "", "string", "command line"));
        assert!(is("iso", "ISO, MDY", "", "string", "command line"));
        assert!(!is("iso", "German", "", "string", "database"));
    }

    #[test]
    fn what_the_server_does_not_know_differs() {
        let wanted = BTreeMap::from([("a.b".to_owned(), "1".to_owned())]);
        let found = differences(&wanted, &[]);
        assert_eq!((found[0].name.as_str(), found[0].found.as_deref()), ("a.b", None));
        assert!(question(wanted.keys()).contains("('a.b')"));
    }
}
