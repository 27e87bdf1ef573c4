//! `explain`: all about one tunable, one check, one kind of finding of `validate`, or a key of a profile.

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use super::output::Out;
use super::{Answer, Outcome};
use crate::check::{self, AREAS};
use crate::lang::say;
use crate::profile::Code;
use crate::profile::finding::printable;
use crate::profile::keys::{KEYS, Key, Lookup, lookup};
use crate::profile::reference::sections;
use crate::profile::suggest::nearest;
use crate::render::explain::{self as show, Entry};
use crate::render::style::hang;
use crate::t;
use crate::tunable::ALL;

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// A tunable (zswap), a check (CT-ZSWAP-003), a finding (profile/type), or a key or section of a profile (services.worker.memory); without it, all are listed
    id: Option<String>,
}

impl Explain {
    pub(super) fn run(&self, out: &Out) -> Outcome {
        let Some(id) = &self.id else {
            if out.json {
                out.document(&document(&entries()));
            } else {
                out.data(&list(out));
            }
            return Ok(Answer::Yes);
        };
        let known = entries().into_iter().find(|entry| entry.id.eq_ignore_ascii_case(id));
        let found = known.map_or_else(|| of_profile(id), |entry| vec![entry]);
        match found.as_slice() {
            [] => bail!(t!(
                "there is no tunable, check, finding or key of a profile `{id}`; {hint}",
                id = printable(id),
                hint = hint(id)
            )),
            _ if out.json => out.document(&document(&found)),
            [entry] => out.data(&show::human(entry, out.style)),
            section => out.data(&show::section(&bare(id), section, out.style)),
        }
        Ok(Answer::Yes)
    }
}

/// Sections are also written with brackets, and a kernel parameter in quotation marks.
fn bare(id: &str) -> String {
    id.trim_matches(['[', ']']).replace('"', "")
}

/// A key of a profile, or all keys of a section.
fn of_profile(id: &str) -> Vec<Entry> {
    let id = bare(id);
    // A kernel parameter's name has dots of its own.
    let parts = if id.starts_with("sysctl.") { 2 } else { usize::MAX };
    let path: Vec<String> = id.splitn(parts, '.').map(str::to_owned).collect();
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || "-_.*/".contains(c);
    if path.iter().any(|part| part.is_empty() || !part.chars().all(is_of_a_name)) {
        return Vec::new();
    }
    // What was asked for keeps the names that were asked for.
    let named = |key: &Key| {
        let rest = key.path.split('.').skip(path.len()).map(str::to_owned);
        path.iter().cloned().chain(rest).collect::<Vec<_>>().join(".")
    };
    match lookup(&path) {
        Lookup::Key(key) => vec![Entry::of_key(key, &named(key))],
        Lookup::Section => {
            let under = |key: &&Key| {
                let mut pattern = key.path.split('.');
                path.iter().all(|part| pattern.next().is_some_and(|p| p == "*" || p == part))
            };
            KEYS.iter().filter(under).map(|key| Entry::of_key(key, &named(key))).collect()
        }
        Lookup::Unknown => Vec::new(),
    }
}

/// What may have been meant.
fn hint(id: &str) -> String {
    let asked: Vec<&str> = id.split('.').collect();
    let named = |key: &Key| {
        let parts = key.path.split('.').enumerate();
        let name = |(at, part)| if part == "*" { asked.get(at).copied().unwrap_or("NAME") } else { part };
        parts.map(name).collect::<Vec<_>>().join(".")
    };
    let ids = entries().into_iter().filter(|entry| entry.kind != "key").map(|entry| entry.id);
    let ids: Vec<String> = ids.chain(KEYS.iter().map(named)).collect();
    match nearest(id, ids.iter().map(String::as_str).filter(|known| *known != id)) {
        Some(near) => t!("did you mean `{near}`?", near = printable(near)),
        None => t!("`civicum-tune explain` lists all of them"),
    }
}

/// Everything that can be explained.
fn entries() -> Vec<Entry> {
    let tunables = ALL.iter().map(|tunable| Entry::of_tunable(tunable.doc()));
    let checks = check::all().map(Entry::of_check);
    let codes = Code::ALL.into_iter().map(Entry::of_code);
    tunables.chain(checks).chain(codes).chain(KEYS.iter().map(|key| Entry::of_key(key, key.path))).collect()
}

fn document(entries: &[Entry]) -> Value {
    json!({ "schema": "civicum-tune/explain/1", "entries": entries })
}

fn list(out: &Out) -> String {
    let mut text = format!("{}\n", out.style.bold(&say("Tunables: what `apply` sets")));
    for doc in ALL.iter().map(|tunable| tunable.doc()) {
        text += &format!("  {:<13}  {}\n", doc.id, say(doc.title));
    }
    for (_, title, checks) in &AREAS {
        text += &format!("\n{}\n", out.style.bold(&t!("Checks of `doctor`: {area}", area = say(title))));
        for check in *checks {
            text += &format!("  {:<13}  {}\n", check.id, say(check.title));
        }
    }
    text += &format!("\n{}\n", out.style.bold(&say("Findings of `validate`")));
    for code in Code::ALL {
        text += &format!("  {:<22}  {}\n", code.id(), say(code.meaning()));
    }
    text += &format!("\n{}\n", out.style.bold(&say("Keys of a profile, by sections")));
    for (section, keys) in sections() {
        let section = if section.is_empty() { t!("(at the top)") } else { section };
        let line = format!("{section:<25}  {}", keys.join(", "));
        text += &format!("  {}\n", hang(&line, out.style.width - 2, 27));
    }
    text
}
