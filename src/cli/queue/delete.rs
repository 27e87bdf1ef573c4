//! `queue delete`: a document goes before its time, since whoever it is about asked for that.

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::{open, the_one};
use crate::cli::database::Where;
use crate::cli::output::Out;
use crate::cli::{Answer, Global, Outcome};
use crate::host::terminal;
use crate::queue::Queued;
use crate::t;

/// Delete documents and all that was made of them, before their time
///
/// Only what has ended: cancel first what waits or is in work. What its row says of it goes at once, its files within two hours, where no
/// other document has the same. Dumps and backups are yours to clear.
#[derive(Debug, Args)]
pub(super) struct Delete {
    /// Documents' numbers
    #[arg(value_name = "DOCUMENT", required = true)]
    ids: Vec<i64>,
    #[command(flatten)]
    place: Where,
}

impl Delete {
    pub(super) const fn is_named(&self) -> bool {
        self.place.is_named()
    }

    pub(super) fn words(&self) -> Vec<String> {
        let mut words = ["queue", "delete", "--yes"].map(str::to_owned).to_vec();
        words.extend(self.ids.iter().map(ToString::to_string));
        words
    }

    /// Nothing brings them back, so a person is asked.
    pub(super) fn is_sure(&self, global: &Global, out: &Out) -> anyhow::Result<bool> {
        if global.yes {
            return Ok(true);
        }
        if out.json || !terminal::can_ask() {
            bail!(t!("there is nobody to ask; run this again with --yes"));
        }
        let ids: Vec<String> = self.ids.iter().map(ToString::to_string).collect();
        let sure = terminal::ask(&t!(
            "Delete document {ids} and all that was made of it, for good? [y/N]",
            ids = ids.join(", ")
        ));
        if !sure {
            out.say(&t!("Nothing was changed."));
        }
        Ok(sure)
    }

    pub(super) async fn run(&self, out: &Out) -> Outcome {
        let session = open(&self.place).await?;
        let queued = Queued(&session.client);
        let (mut told, mut all) = (Vec::new(), true);
        for id in &self.ids {
            let deleted = queued.delete(*id).await?;
            let document = the_one(queued, *id).await?;
            all &= document.state == "deleted";
            if !out.json {
                out.say(&if document.state == "deleted" {
                    t!("Document {id} is deleted; its files go within two hours.", id = id)
                } else {
                    t!(
                        "Document {id} is {state}: cancel it first, and delete it when it has ended.",
                        id = id,
                        state = document.state
                    )
                });
            }
            told.push(json!({ "id": id, "deleted": deleted, "state": document.state }));
        }
        if out.json {
            out.document(&json!({ "schema": "civicum-tune/queue-delete/1", "documents": told }));
        }
        Ok(if all { Answer::Yes } else { Answer::Differs })
    }
}
