//! All about one thing, for `explain` and for the pages of the reference.

use serde::Serialize;

use super::style::{Style, hang, wrap};
use crate::check::{Check, Remedy};
use crate::lang::say;
use crate::profile::Code;
use crate::profile::keys::Key;
use crate::profile::reference::takes_at;
use crate::profile::value::toml_key;
use crate::tunable::{ALL, Doc};

/// One thing that can be explained. What does not apply to it is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// As `plan`, `doctor`, `validate` or a profile names it.
    pub id: String,
    /// `tunable`, `check`, `finding` or `key`.
    pub kind: &'static str,
    /// In a few words.
    pub title: String,
    /// How much hangs on it; checks have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<&'static str>,
    /// Why it matters.
    pub why: String,
    /// What the way out costs.
    pub cost: String,
    /// What could go wrong.
    pub risk: String,
    /// Where that is known from.
    pub source: String,
    /// How it is taken back.
    pub undo: String,
    /// How to mend it; findings have it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remedy: String,
    /// The tunable that sets it right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tunable: Option<&'static str>,
    /// The keys of a profile that a tunable follows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<&'static str>,
    /// What a key of a profile takes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub takes: String,
    /// What holds without the key.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub without: String,
    /// The key as it may stand in a profile, in TOML.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub example: String,
}

impl Entry {
    /// A tunable.
    pub fn of_tunable(doc: &Doc) -> Self {
        Self {
            id: doc.id.to_owned(),
            kind: "tunable",
            title: say(doc.title).into_owned(),
            why: say(doc.why).into_owned(),
            cost: say(doc.cost).into_owned(),
            risk: say(doc.risk).into_owned(),
            source: doc.source.to_owned(),
            undo: say(doc.undo).into_owned(),
            keys: doc.keys.to_vec(),
            ..Self::default()
        }
    }

    /// A check. Where a tunable sets it right, that one says cost, risk and undo.
    pub fn of_check(check: &Check) -> Self {
        let own = |cost, risk, undo, tunable| (cost, risk, undo, tunable);
        let (cost, risk, undo, tunable) = match check.remedy {
            Remedy::ByHand { cost, risk, undo } => own(cost, risk, undo, None),
            Remedy::Know => own("", "", "", None),
            Remedy::Tunable(id) => {
                let doc = ALL.iter().map(|tunable| tunable.doc()).find(|doc| doc.id == id);
                doc.map_or(own("", "", "", None), |doc| own(doc.cost, doc.risk, doc.undo, Some(doc.id)))
            }
        };
        Self {
            id: check.id.to_owned(),
            kind: "check",
            title: say(check.title).into_owned(),
            severity: Some(check.severity.word()),
            why: say(check.why).into_owned(),
            cost: say(cost).into_owned(),
            risk: say(risk).into_owned(),
            source: check.source.to_owned(),
            undo: say(undo).into_owned(),
            tunable,
            ..Self::default()
        }
    }

    /// A kind of finding of `validate`.
    pub fn of_code(code: Code) -> Self {
        Self {
            id: code.id().to_owned(),
            kind: "finding",
            title: say(code.meaning()).into_owned(),
            source: "docs/profile-reference.md".to_owned(),
            remedy: say(code.remedy()).into_owned(),
            ..Self::default()
        }
    }

    /// A key of a profile, at its path there; `*` stands for any name.
    pub fn of_key(key: &Key, path: &[String]) -> Self {
        let parameter = path.get(1).filter(|_| key.path == "sysctl.*").map(String::as_str);
        // One parameter's value says nothing of another one.
        let example = match parameter {
            Some("*" | "vm.swappiness") => format!("sysctl.\"vm.swappiness\" = {}", key.example),
            Some(_) => String::new(),
            None => {
                let written =
                    path.iter().map(|part| if part == "*" { "NAME".into() } else { toml_key(part) });
                format!("{} = {}", written.collect::<Vec<_>>().join("."), key.example)
            }
        };
        Self {
            id: path.join("."),
            kind: "key",
            title: say(key.doc).into_owned(),
            source: "docs/profile-reference.md".to_owned(),
            takes: takes_at(key, parameter),
            without: say(key.default).into_owned(),
            example,
            ..Self::default()
        }
    }

    /// Its parts by their English names, those that say something.
    fn parts(&self) -> Vec<(&'static str, String)> {
        let parts = [
            ("Severity", self.severity.unwrap_or_default().to_owned()),
            ("Takes", self.takes.clone()),
            ("Without it", self.without.clone()),
            ("Example", self.example.clone()),
            ("Why", self.why.clone()),
            ("Keys", self.keys.join(", ")),
            ("Set by", self.tunable.unwrap_or_default().to_owned()),
            ("Costs", self.cost.clone()),
            ("Risk", self.risk.clone()),
            ("Undo", self.undo.clone()),
            ("Way out", self.remedy.clone()),
            ("Source", self.source.clone()),
        ];
        parts.into_iter().filter(|(_, words)| !words.is_empty()).collect()
    }
}

/// As a person reads it.
pub fn human(entry: &Entry, style: Style) -> String {
    let mut text = hang(&format!("{}  {}", style.bold(&entry.id), entry.title), style.width, 2) + "\n";
    let parts = entry.parts();
    let wide = parts.iter().map(|(name, _)| say(name).chars().count()).fold(9, usize::max);
    for (name, words) in parts {
        // What is there to be copied stays in one piece.
        let width = if name == "Example" { usize::MAX } else { style.width.saturating_sub(wide + 5).max(30) };
        for (at, line) in wrap(&say(&words), width).iter().enumerate() {
            let name = if at == 0 { say(name) } else { "".into() };
            text += &format!("  {} {line}\n", style.cyan(&format!("{name:<wide$}")));
        }
    }
    text
}

/// The keys of a section, a few words on each.
pub fn section(name: &str, keys: &[Entry], style: Style) -> String {
    let below = |key: &Entry| key.id.strip_prefix(&format!("{name}.")).unwrap_or(&key.id).to_owned();
    let wide = keys.iter().map(|key| below(key).chars().count()).max().unwrap_or(0);
    let mut text = format!("{}\n", style.bold(&format!("[{name}]")));
    for key in keys {
        for (at, line) in wrap(&key.title, style.width.saturating_sub(wide + 5).max(30)).iter().enumerate() {
            let id = if at == 0 { below(key) } else { String::new() };
            text += &format!("  {}  {line}\n", style.cyan(&format!("{id:<wide$}")));
        }
    }
    text
}

/// As the reference has it.
pub fn markdown(entry: &Entry) -> String {
    let mut text = format!("\n### {}\n\n**{}**\n", entry.id, entry.title);
    if !entry.why.is_empty() {
        text += &format!("\n{}\n", entry.why);
    }
    text.push('\n');
    for (name, words) in entry.parts().into_iter().filter(|(name, _)| *name != "Why") {
        text += &format!("- **{name}:** {words}\n");
    }
    text
}
