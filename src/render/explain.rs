//! All about one thing, for `explain` and for the pages of the reference.

use serde::Serialize;

use super::style::{Style, wrap};
use crate::check::{Check, Remedy};
use crate::lang::say;
use crate::profile::Code;
use crate::tunable::{ALL, Doc};

/// One thing that can be explained. What does not apply to it is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// As `plan`, `doctor` or `validate` names it.
    pub id: &'static str,
    /// `tunable`, `check` or `finding`.
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
}

impl Entry {
    /// A tunable.
    pub fn of_tunable(doc: &Doc) -> Self {
        Self {
            id: doc.id,
            kind: "tunable",
            title: say(doc.title).into_owned(),
            severity: None,
            why: say(doc.why).into_owned(),
            cost: say(doc.cost).into_owned(),
            risk: say(doc.risk).into_owned(),
            source: doc.source.to_owned(),
            undo: say(doc.undo).into_owned(),
            remedy: String::new(),
            tunable: None,
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
            id: check.id,
            kind: "check",
            title: say(check.title).into_owned(),
            severity: Some(check.severity.word()),
            why: say(check.why).into_owned(),
            cost: say(cost).into_owned(),
            risk: say(risk).into_owned(),
            source: check.source.to_owned(),
            undo: say(undo).into_owned(),
            remedy: String::new(),
            tunable,
        }
    }

    /// A kind of finding of `validate`.
    pub fn of_code(code: Code) -> Self {
        Self {
            id: code.id(),
            kind: "finding",
            title: say(code.meaning()).into_owned(),
            severity: None,
            why: String::new(),
            cost: String::new(),
            risk: String::new(),
            source: "docs/profile-reference.md".to_owned(),
            undo: String::new(),
            remedy: say(code.remedy()).into_owned(),
            tunable: None,
        }
    }

    /// Its parts by their English names, those that say something.
    fn parts(&self) -> Vec<(&'static str, &str)> {
        let parts = [
            ("Severity", self.severity.unwrap_or_default()),
            ("Why", &self.why),
            ("Set by", self.tunable.unwrap_or_default()),
            ("Costs", &self.cost),
            ("Risk", &self.risk),
            ("Undo", &self.undo),
            ("Way out", &self.remedy),
            ("Source", &self.source),
        ];
        parts.into_iter().filter(|(_, words)| !words.is_empty()).collect()
    }
}

/// As a person reads it.
pub fn human(entry: &Entry, style: Style) -> String {
    let mut text = format!("{}  {}\n", style.bold(entry.id), entry.title);
    for (name, words) in entry.parts() {
        let name = say(name);
        for (at, line) in wrap(&say(words), style.width - 14).iter().enumerate() {
            let name = if at == 0 { name.as_ref() } else { "" };
            text += &format!("  {} {line}\n", style.cyan(&format!("{name:<9}")));
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
