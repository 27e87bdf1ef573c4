//! `queue`: documents handed in, looked at, tried again, cancelled.

mod delete;
mod enqueue;
mod inside;
mod review;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::database::{Documents, Where, wait};
use super::output::Out;
use super::{Answer, Global, Outcome};
use crate::queue::{Document, NEWEST, Queued, STATES, Session, migrate};
use crate::render::queue as show;
use crate::render::style::printable;
use crate::t;

/// Hand documents in, see how far they are, try them again or cancel them
///
/// The queue is a PostgreSQL database. Where none is named (--database, --password-file or their variables), the deployed one of the
/// profile is meant: the command is run in its worker's container, through the engine.
#[derive(Debug, Args)]
pub(super) struct QueueCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make the queue's tables, or bring them up to date
    Migrate(Where),
    /// Hand documents in
    Enqueue(enqueue::Enqueue),
    /// List documents, the newest first
    List(List),
    /// Show one document, and what its stages made
    Show(Show),
    /// Start anew what failed, was quarantined or cancelled
    Retry(Retry),
    /// Cancel documents that wait or are in work
    Cancel(Cancel),
    /// Delete documents and all that was made of them, before their time
    Delete(delete::Delete),
    /// Say whether the results of documents are right
    Review(review::Review),
    /// Show the queue in numbers
    Stats(Where),
}

#[derive(Debug, Args)]
struct List {
    /// Only those in this state
    #[arg(long, value_name = "STATE", value_parser = STATES)]
    state: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    most: i64,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
struct Show {
    /// The document's number
    #[arg(value_name = "DOCUMENT")]
    id: i64,
    /// Print the text that was read
    #[arg(long)]
    text: bool,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    documents: Documents,
}

#[derive(Debug, Args)]
struct Retry {
    /// Documents' numbers
    #[arg(value_name = "DOCUMENT")]
    ids: Vec<i64>,
    /// All that failed or were quarantined
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
struct Cancel {
    /// Documents' numbers
    #[arg(value_name = "DOCUMENT", required = true)]
    ids: Vec<i64>,
    #[command(flatten)]
    place: Where,
}

impl QueueCommand {
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        if let What::Delete(command) = &self.what {
            if !command.is_sure(global, out)? {
                return Ok(Answer::Differs);
            }
        }
        if matches!(&self.what, What::Retry(retry) if retry.ids.is_empty() && !retry.all) {
            bail!(t!("name the documents by their numbers, or all that failed or were quarantined: --all"));
        }
        if !self.what.is_named() {
            let container = inside::Container::find(global, out)?;
            return match &self.what {
                What::Enqueue(command) => command.hand_in(&container, out),
                what => container.run(&what.words(), out),
            };
        }
        match &self.what {
            What::Migrate(place) => wait(migrated(place, out)),
            What::Enqueue(command) => wait(command.run(out)),
            What::List(command) => wait(command.run(out)),
            What::Show(command) => wait(command.run(out)),
            What::Retry(command) => wait(command.run(out)),
            What::Cancel(command) => wait(command.run(out)),
            What::Delete(command) => wait(command.run(out)),
            What::Review(command) => wait(command.run(out)),
            What::Stats(place) => wait(stats(place, out)),
        }
    }
}

impl What {
    /// Did somebody say where the queue is?
    fn is_named(&self) -> bool {
        match self {
            Self::Migrate(place) | Self::Stats(place) => place.is_named(),
            Self::Enqueue(command) => command.is_named(),
            Self::List(command) => command.place.is_named(),
            Self::Show(command) => command.place.is_named() || command.documents.is_named(),
            Self::Retry(command) => command.place.is_named(),
            Self::Cancel(command) => command.place.is_named(),
            Self::Delete(command) => command.is_named(),
            Self::Review(command) => command.is_named(),
        }
    }

    /// The same command for another process, a word each.
    fn words(&self) -> Vec<String> {
        let mut words = vec!["queue".to_owned()];
        let mut add = |more: &[&str]| words.extend(more.iter().map(|word| (*word).to_owned()));
        match self {
            Self::Migrate(_) => add(&["migrate"]),
            Self::Stats(_) => add(&["stats"]),
            // Its files are here: see there.
            Self::Enqueue(_) => add(&["enqueue"]),
            Self::List(list) => {
                add(&["list", "--most", &list.most.to_string()]);
                list.state.iter().for_each(|state| add(&["--state", state]));
            }
            Self::Show(show) => {
                add(&["show", &show.id.to_string()]);
                add(if show.text { &["--text"] } else { &[] });
            }
            Self::Review(review) => return review.words(),
            Self::Delete(delete) => return delete.words(),
            Self::Retry(retry) => {
                add(if retry.all { &["retry", "--all"] } else { &["retry"] });
                retry.ids.iter().for_each(|id| add(&[&id.to_string()]));
            }
            Self::Cancel(cancel) => {
                add(&["cancel"]);
                cancel.ids.iter().for_each(|id| add(&[&id.to_string()]));
            }
        }
        words
    }
}

async fn open(place: &Where) -> anyhow::Result<Session> {
    Ok(place.database()?.connect().await?)
}

async fn migrated(place: &Where, out: &Out) -> Outcome {
    let mut session = open(place).await?;
    let had = migrate(&mut session.client).await?;
    if out.json {
        out.document(&json!({ "schema": "civicum-tune/queue-migrate/1", "before": had, "now": NEWEST }));
    } else if had == NEWEST {
        out.say(&t!("The queue's tables are of version {newest} already: nothing to do.", newest = NEWEST));
    } else {
        out.say(&t!("The queue's tables are of version {newest} now.", newest = NEWEST));
    }
    Ok(Answer::Yes)
}

impl List {
    async fn run(&self, out: &Out) -> Outcome {
        let session = open(&self.place).await?;
        let documents = Queued(&session.client).documents(None, self.state.as_deref(), self.most).await?;
        if out.json {
            out.document(&json!({ "schema": "civicum-tune/queue-list/1", "documents": documents }));
        } else if documents.is_empty() {
            out.say(&t!("There is no such document."));
        } else {
            out.data(&show::table(&documents, out.style));
        }
        Ok(Answer::Yes)
    }
}

impl Show {
    async fn run(&self, out: &Out) -> Outcome {
        let session = open(&self.place).await?;
        let queued = Queued(&session.client);
        let document = the_one(queued, self.id).await?;
        let results = queued.results(self.id).await?;
        let mut read = Vec::new();
        if self.text || out.json {
            let store = self.documents.store()?;
            for (stage, sha256) in &results {
                let file = std::io::BufReader::new(store.open_file(sha256)?);
                let value: serde_json::Value = serde_json::from_reader(file)?;
                read.push((stage.clone(), value));
            }
        }
        if out.json {
            let results: serde_json::Map<String, serde_json::Value> = read.into_iter().collect();
            out.document(
                &json!({ "schema": "civicum-tune/queue-show/1", "document": document, "results": results }),
            );
        } else if self.text {
            let text =
                read.iter().find(|(stage, _)| stage == "ocr").and_then(|(_, value)| value["text"].as_str());
            let text = text.with_context(|| {
                t!("document {id} has not been read yet; it is {state}", id = self.id, state = document.state)
            })?;
            out.data(&format!("{}\n", printable(text.trim_end())));
        } else {
            out.data(&show::one(&document, &results, out.style));
        }
        Ok(Answer::Yes)
    }
}

async fn the_one(queued: Queued<'_>, id: i64) -> anyhow::Result<Document> {
    let found = queued.documents(Some(id), None, 1).await?;
    found
        .into_iter()
        .next()
        .with_context(|| t!("there is no document {id}; look at: civicum-tune queue list", id = id))
}

impl Retry {
    async fn run(&self, out: &Out) -> Outcome {
        let session = open(&self.place).await?;
        let queued = Queued(&session.client);
        let mut again = 0;
        if self.all {
            again = queued.retry(None).await?;
        }
        let mut left = Vec::new();
        for id in &self.ids {
            match queued.retry(Some(*id)).await? {
                0 => left.push(the_one(queued, *id).await?),
                some => again += some,
            }
        }
        if out.json {
            let left: Vec<i64> = left.iter().map(|document| document.id).collect();
            out.document(&json!({ "schema": "civicum-tune/queue-retry/1", "again": again, "left": left }));
        } else {
            out.say(&t!("Starting anew: {count}", count = again));
            for document in &left {
                out.say(&t!(
                    "Document {id} is {state}: nothing to try again.",
                    id = document.id,
                    state = document.state
                ));
            }
        }
        Ok(if left.is_empty() { Answer::Yes } else { Answer::Differs })
    }
}

impl Cancel {
    async fn run(&self, out: &Out) -> Outcome {
        let session = open(&self.place).await?;
        let queued = Queued(&session.client);
        let mut told = Vec::new();
        for id in &self.ids {
            let (cancelled, asked) = queued.cancel(*id).await?;
            let document = the_one(queued, *id).await?;
            if !out.json {
                out.say(&match (cancelled, asked) {
                    (0, 0) => {
                        t!("Document {id} is {state}: nothing to cancel.", id = id, state = document.state)
                    }
                    (0, _) => t!("Document {id} is in work: its worker was told to stop.", id = id),
                    _ => t!("Document {id} is cancelled.", id = id),
                });
            }
            told.push(json!({ "id": id, "cancelled": cancelled > 0, "asked": asked > 0 }));
        }
        if out.json {
            out.document(&json!({ "schema": "civicum-tune/queue-cancel/1", "documents": told }));
        }
        Ok(Answer::Yes)
    }
}

async fn stats(place: &Where, out: &Out) -> Outcome {
    let session = open(place).await?;
    let stats = Queued(&session.client).stats().await?;
    let reviews = Queued(&session.client).review_stats().await?;
    if out.json {
        out.document(&json!({ "schema": "civicum-tune/queue-stats/1", "queues": stats, "reviews": reviews }));
    } else {
        out.data(&show::stats(&stats, out.style));
        out.data(&show::reviews(&reviews, out.style));
    }
    Ok(Answer::Yes)
}
