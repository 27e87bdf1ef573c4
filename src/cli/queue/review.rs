//! `queue review`: a person says whether results are right.

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::{open, the_one};
use crate::cli::database::Where;
use crate::cli::output::Out;
use crate::cli::{Answer, Outcome};
use crate::host::terminal;
use crate::queue::{Queued, Reviewed, Verdict};
use crate::render::style::printable;
use crate::t;

#[derive(Debug, Args)]
pub(super) struct Review {
    /// Documents' numbers
    #[arg(value_name = "DOCUMENT", required = true)]
    ids: Vec<i64>,
    #[command(flatten)]
    said: Said,
    /// Why, in your words; it goes with the document
    #[arg(long, value_name = "TEXT", value_parser = note)]
    note: Option<String>,
    /// Who says so [default: who is logged in]
    #[arg(long, value_name = "NAME", value_parser = reviewer)]
    by: Option<String>,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Said {
    /// The results are right
    #[arg(long)]
    accept: bool,
    /// They are not; or nothing is to be had of a document that failed
    #[arg(long)]
    reject: bool,
}

fn note(text: &str) -> Result<String, String> {
    bounded(text, 2000)
}

fn reviewer(text: &str) -> Result<String, String> {
    bounded(text, 100)
}

fn bounded(text: &str, most: usize) -> Result<String, String> {
    let text = text.trim();
    if (1..=most).contains(&text.chars().count()) && !text.contains('\0') {
        Ok(text.to_owned())
    } else {
        Err(t!("it takes 1 to {most} characters", most = most))
    }
}

impl Review {
    pub(super) const fn is_named(&self) -> bool {
        self.place.is_named()
    }

    pub(super) fn words(&self) -> Vec<String> {
        let verdict = if self.said.accept { "--accept" } else { "--reject" };
        let mut words = ["queue", "review", verdict].map(str::to_owned).to_vec();
        words.extend(self.note.iter().map(|note| format!("--note={note}")));
        words.extend(self.who().map(|who| format!("--by={who}")));
        words.extend(self.ids.iter().map(i64::to_string));
        words
    }

    fn who(&self) -> Option<String> {
        let logged_in = || ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(terminal::environment);
        self.by.clone().or_else(|| logged_in().and_then(|name| bounded(&name, 100).ok()))
    }

    pub(super) async fn run(&self, out: &Out) -> Outcome {
        let Some(who) = self.who() else {
            bail!(t!("nobody is logged in by a name: say who reviews, with --by NAME"));
        };
        let verdict = if self.said.accept { Verdict::Accepted } else { Verdict::Rejected };
        let session = open(&self.place).await?;
        let queued = Queued(&session.client);
        let (mut told, mut answer) = (Vec::new(), Answer::Yes);
        for id in &self.ids {
            let reviewed = queued.review(*id, verdict, &who, self.note.as_deref()).await?;
            let document = the_one(queued, *id).await?;
            let taken = reviewed == Reviewed::Taken;
            if !taken {
                answer = Answer::Differs;
            }
            if !out.json {
                let who = printable(&who);
                out.say(&match (taken, self.said.accept) {
                    (true, true) => t!("Document {id} is accepted, by {who}.", id = id, who = who),
                    (true, false) => t!("Document {id} is rejected, by {who}.", id = id, who = who),
                    (false, _) => t!(
                        "Document {id} is {state}: what is done is accepted or rejected, and what failed is rejected.",
                        id = id,
                        state = document.state
                    ),
                });
            }
            told.push(
                json!({ "id": id, "taken": taken, "state": document.state, "review": document.review }),
            );
        }
        if out.json {
            out.document(&json!({ "schema": "civicum-tune/queue-review/1", "documents": told }));
        }
        Ok(answer)
    }
}
