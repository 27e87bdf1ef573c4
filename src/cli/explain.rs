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
use crate::profile::keys::{KEYS, Key, Lookup, lookup, name_shape};
use crate::profile::reference::sections;
use crate::profile::suggest::nearest;
use crate::profile::sysctl;
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
        let path = path_of(id).unwrap_or_default();
        let found = known.map_or_else(|| of_profile(&path), |entry| vec![entry]);
        match found.as_slice() {
            [] => bail!(t!(
                "there is no tunable, check, finding or key of a profile `{id}`; {hint}",
                id = printable(id),
                hint = hint(id)
            )),
            _ if out.json => out.document(&document(&found)),
            [entry] => out.data(&show::human(entry, out.style)),
            section => out.data(&show::section(&path.join(".").replace('*', ANY), section, out.style)),
        }
        Ok(Answer::Yes)
    }
}

/// Stands for a name of the user's choice, as the list of sections has it.
const ANY: &str = "NAME";

/// The parts of a key's or a section's path, as a profile has it: a section in brackets, names in quotation marks.
fn path_of(id: &str) -> Option<Vec<String>> {
    let id = id.strip_prefix('[').and_then(|id| id.strip_suffix(']')).unwrap_or(id);
    // Of what is more than a path the parser would take the rest as well.
    if id.contains(['=', '#']) || id.contains(char::is_control) {
        return None;
    }
    let mut path = Vec::new();
    let mut table: toml::Table = toml::from_str(&format!("{} = 0", id.replace('*', ANY))).ok()?;
    loop {
        let (name, value) = table.into_iter().next()?;
        path.push(name);
        match value {
            toml::Value::Table(inner) => table = inner,
            _ => break,
        }
    }
    // A kernel parameter's name has dots of its own, or slashes.
    if path.len() > 2 && path[0] == "sysctl" {
        path = vec!["sysctl".to_owned(), path[1..].join(".")];
    }
    if let [section, parameter] = &mut path[..] {
        if section == "sysctl" {
            *parameter = parameter.replace('/', ".");
        }
    }
    let fits = |to: usize| {
        path[to - 1] == ANY || name_shape(&path[..to]).is_none_or(|shape| shape.check(&path[to - 1]).is_ok())
    };
    (1..=path.len())
        .all(fits)
        .then(|| path.iter().map(|part| if part == ANY { "*" } else { part }.to_owned()).collect())
}

/// The path of a key, with the names that were asked for in the place of any.
fn named(key: &Key, asked: &[String]) -> Vec<String> {
    let parts = key.path.split('.').enumerate();
    let name = |(at, part): (usize, &str)| {
        asked.get(at).filter(|name| part == "*" && !name.is_empty()).map_or(part, |name| name).to_owned()
    };
    parts.map(name).collect()
}

/// A key of a profile, or all keys of a section.
fn of_profile(path: &[String]) -> Vec<Entry> {
    let entry = |key: &Key| Entry::of_key(key, &named(key, path));
    match lookup(path) {
        _ if path.is_empty() => Vec::new(),
        Lookup::Key(key) => vec![entry(key)],
        Lookup::Section => KEYS.iter().filter(|key| named(key, path).starts_with(path)).map(entry).collect(),
        Lookup::Unknown => Vec::new(),
    }
}

/// What may have been meant.
fn hint(id: &str) -> String {
    let asked: Vec<String> = path_of(id).unwrap_or_else(|| id.split('.').map(str::to_owned).collect());
    let ids = entries().into_iter().filter(|entry| entry.kind != "key").map(|entry| entry.id);
    let keys = KEYS.iter().map(|key| named(key, &asked)).filter(|path| !path.iter().any(|part| part == "*"));
    let below = |path: Vec<String>| (1..=path.len()).map(|to| path[..to].join(".")).collect::<Vec<_>>();
    let parameters = sysctl::KNOWN.iter().map(|known| format!("sysctl.{}", known.name));
    let all: Vec<String> = ids.chain(keys.flat_map(below)).chain(parameters).collect();
    match nearest(&asked.join("."), all.iter().map(String::as_str).filter(|known| *known != id)) {
        Some(near) => t!("did you mean `{near}`?", near = printable(near)),
        None => t!("`civicum-tune explain` lists all of them"),
    }
}

/// Everything that can be explained.
fn entries() -> Vec<Entry> {
    let tunables = ALL.iter().map(|tunable| Entry::of_tunable(tunable.doc()));
    let checks = check::all().map(Entry::of_check);
    let codes = Code::ALL.into_iter().map(Entry::of_code);
    tunables
        .chain(checks)
        .chain(codes)
        .chain(KEYS.iter().map(|key| Entry::of_key(key, &named(key, &[]))))
        .collect()
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
        let line = format!("  {section:<25}  {}", keys.join(", "));
        text += &format!("{}\n", hang(&line, out.style.width, 29));
    }
    text
}
