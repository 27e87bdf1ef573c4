//! `explain`: all about one tunable, one check, or one kind of finding of `validate`.

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use super::output::Out;
use super::{Answer, Outcome};
use crate::check::{self, AREAS};
use crate::lang::say;
use crate::profile::Code;
use crate::profile::suggest::nearest;
use crate::render::explain::{self as show, Entry};
use crate::t;
use crate::tunable::ALL;

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// A tunable (zswap), a check (CT-ZSWAP-003) or a finding (profile/type); without it, all are listed
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
        let all = entries();
        let Some(entry) = all.iter().find(|entry| entry.id.eq_ignore_ascii_case(id)) else {
            let ids = all.iter().map(|entry| entry.id);
            let hint = match nearest(id, ids) {
                Some(near) => t!("did you mean `{near}`?", near = near),
                None => t!("`civicum-tune explain` lists all of them"),
            };
            bail!(t!("there is no tunable, check or finding `{id}`; {hint}", id = id, hint = hint));
        };
        if out.json {
            out.document(&document(std::slice::from_ref(entry)));
        } else {
            out.data(&show::human(entry, out.style));
        }
        Ok(Answer::Yes)
    }
}

/// Everything that can be explained.
fn entries() -> Vec<Entry> {
    let tunables = ALL.iter().map(|tunable| Entry::of_tunable(tunable.doc()));
    let checks = check::all().map(Entry::of_check);
    tunables.chain(checks).chain(Code::ALL.into_iter().map(Entry::of_code)).collect()
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
    text
}
