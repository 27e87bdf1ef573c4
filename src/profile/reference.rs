//! The format for people: the page of the reference, and what `explain` says of a key. Both come from the table of keys.

use std::fmt::Write as _;

use super::keys::{KEYS, Key, Kind};
use super::sysctl;
use crate::lang::say;
use crate::t;

/// What a value of this key looks like, in words.
pub fn takes(key: &Key) -> String {
    match key.kind {
        Kind::Bool => t!("true or false"),
        Kind::Integer { min, max } => t!("whole number, {min} to {max}", min = min, max = max),
        Kind::Size { vars: [], .. } => t!("size"),
        Kind::Size { .. } => t!("size or rule"),
        Kind::Count { min, max } => t!("number or rule, {min} to {max}", min = min, max = max),
        Kind::Duration { .. } => t!("span of time"),
        Kind::Date => t!("day, year-month-day"),
        Kind::Choice(words) => words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", "),
        Kind::Text(_) => t!("text"),
        Kind::List(_) => t!("list of texts"),
        Kind::Preference(_) => t!("`auto`, a name, or a list"),
        Kind::Scalar(_) => t!("text, number, true or false"),
        Kind::Sysctl => t!("whole number, true or false, text; for sizes a rule"),
    }
}

/// The same with all that bounds it; of `sysctl.*` for this kernel parameter.
pub fn takes_at(key: &Key, parameter: Option<&str>) -> String {
    match (key.kind, parameter.and_then(sysctl::of)) {
        (Kind::Size { min_mib, vars }, _) => {
            let form = match (min_mib, vars) {
                (0, _) => t!("a size: 512MiB, 4GiB, or bytes"),
                (mib, _) => t!("a size, at least {mib}MiB: 512MiB, 4GiB, or bytes", mib = mib),
            };
            if vars.is_empty() {
                return form;
            }
            let vars = vars.iter().map(|var| var.name()).collect::<Vec<_>>().join(", ");
            t!("{form}; or a rule with {vars}, such as min(ram / 3, 4GiB)", form = form, vars = vars)
        }
        (Kind::Duration { min_ms, max_ms }, _) => {
            t!(
                "a span of time, {least} to {most}: a number and ms, s, min or h",
                least = span(min_ms),
                most = span(max_ms)
            )
        }
        (Kind::Sysctl, Some(known)) if known.unit.is_none() => {
            t!("whole number, {min} to {max}", min = known.range.0, max = known.range.1)
        }
        (Kind::Sysctl, Some(known)) => t!(
            "a size: 512MiB, 4GiB, or the kernel's own number, {min} or more; or a rule with ram, cores, disk",
            min = known.range.0
        ),
        _ if !key.unit.is_empty() && matches!(key.kind, Kind::Integer { .. } | Kind::Count { .. }) => {
            format!("{} ({})", takes(key), say(key.unit))
        }
        _ => takes(key),
    }
}

/// A span of time as one writes it in a profile.
fn span(ms: u64) -> String {
    let units = [(3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms")];
    let unit = units.into_iter().find(|(unit, _)| ms % unit == 0 && ms >= *unit);
    unit.map_or_else(|| "0".to_owned(), |(unit, sign)| format!("{}{sign}", ms / unit))
}

/// The sections of a profile, and the names of their keys.
pub fn sections() -> Vec<(String, Vec<&'static str>)> {
    let mut all: Vec<(String, Vec<&str>)> = Vec::new();
    for key in &KEYS {
        let (section, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        let section = section.replace('*', "NAME");
        match all.last_mut() {
            Some((last, names)) if *last == section => names.push(name),
            _ => all.push((section, vec![name])),
        }
    }
    all
}

/// The reference of the format, as Markdown.
pub fn reference() -> String {
    let mut out = String::new();
    let mut last = None;
    for key in &KEYS {
        let section = key.path.rsplit_once('.').map_or("", |(section, _)| section);
        if last != Some(section) {
            let title = match section {
                "" => "At the top".to_owned(),
                section => format!("`[{}]`", section.replace('*', "NAME")),
            };
            let _ = write!(
                out,
                "{}## {title}\n\n| key | takes | without it | what it is |\n| --- | --- | --- | --- |\n",
                if last.is_some() { "\n" } else { "" }
            );
            last = Some(section);
        }
        let name = match key.path.rsplit('.').next().unwrap_or(key.path) {
            "*" if section == "sysctl" => "\"vm.swappiness\"",
            "*" => "NAME",
            name => name,
        };
        let takes = takes(key);
        let example = key.example.replace('|', "\\|");
        let _ = writeln!(out, "| `{name}` | {takes} | {} | {} `{name} = {example}` |", key.default, key.doc);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_names_every_key() {
        let text = reference();
        for key in &KEYS {
            assert!(text.contains(key.doc), "{}", key.path);
        }
        assert!(text.contains("## `[services.NAME.environment]`"));
    }
}
