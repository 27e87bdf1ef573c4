//! `explain`: all about one tunable.

use anyhow::bail;
use clap::Args;

use super::output::Out;
use super::{Answer, Outcome};
use crate::render::style::wrap;
use crate::tunable::{ALL, Doc};

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// A tunable as `plan` names it; without it, all are listed
    id: Option<String>,
}

impl Explain {
    pub(super) fn run(&self, out: &Out) -> Outcome {
        let docs: Vec<&Doc> = ALL.iter().map(|tunable| tunable.doc()).collect();
        let Some(id) = &self.id else {
            if out.json {
                out.document(&serde_json::json!({ "schema": "civicum-tune/explain/1", "tunables": docs }));
            } else {
                for doc in docs {
                    out.data(&format!("{:<10} {}\n", doc.id, doc.title));
                }
            }
            return Ok(Answer::Yes);
        };
        let Some(doc) = docs.iter().find(|doc| doc.id == id) else {
            let ids: Vec<&str> = docs.iter().map(|doc| doc.id).collect();
            bail!("there is no tunable `{id}`; there are {}", ids.join(", "));
        };
        if out.json {
            out.document(&serde_json::json!({ "schema": "civicum-tune/explain/1", "tunables": [doc] }));
            return Ok(Answer::Yes);
        }
        let mut text = format!("{}  {}\n", out.style.bold(doc.id), doc.title);
        let parts = [
            ("Why", doc.why),
            ("Costs", doc.cost),
            ("Risk", doc.risk),
            ("Source", doc.source),
            ("Undo", doc.undo),
        ];
        for (name, words) in parts {
            for (at, line) in wrap(words, 84).iter().enumerate() {
                let name = if at == 0 { name } else { "" };
                text += &format!("  {} {line}\n", out.style.cyan(&format!("{name:<7}")));
            }
        }
        out.data(&text);
        Ok(Answer::Yes)
    }
}
