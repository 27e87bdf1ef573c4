//! `queue enqueue`: documents handed in, from files or from standard input.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};

use super::inside::Container;
use super::open;
use crate::cli::database::{Documents, Where};
use crate::cli::output::Out;
use crate::cli::{Answer, Outcome};
use crate::document::{HEAD, Kind};
use crate::host::Host;
use crate::queue::{NewDocument, Queued, Store, Stored, schemas};
use crate::render::style::printable;
use crate::t;

#[derive(Debug, Args)]
pub(super) struct Enqueue {
    /// PDFs and images; - is one from standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What is to be extracted from the text, by a schema's name
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// The same key again is the same document (for one file)
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// What the document is called (for one file); default: the file's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The folder that holds schemas of your own, NAME.json each
    #[arg(long, value_name = "DIR", env = "CIVICUM_TUNE_SCHEMAS")]
    schemas: Option<String>,
    /// Higher comes first
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(i16).range(-100..=100))]
    priority: i16,
    /// The largest document, MiB
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=4096))]
    most: u64,
    /// Only all of so many bytes are a document; what breaks off before is none
    #[arg(long, value_name = "N", hide = true)]
    bytes: Option<u64>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    documents: Documents,
}

/// A document before it is taken in.
struct Source {
    name: String,
    /// Of a file: its size, bytes.
    size: Option<u64>,
    content: Box<dyn Read>,
}

impl Enqueue {
    pub(super) const fn is_named(&self) -> bool {
        self.place.is_named() || self.documents.is_named() || self.schemas.is_some()
    }

    pub(super) async fn run(&self, out: &Out) -> Outcome {
        self.check()?;
        let schemas = self.schemas.as_deref();
        if let Some(name) = self.schema.as_deref().filter(|name| schemas::named(name, schemas).is_none()) {
            bail!(t!(
                "there is no schema {name}; there are: {names}",
                name = printable(name),
                names = schemas::names(schemas).join(", ")
            ));
        }
        let store = self.documents.store()?;
        let sources = self.sources()?;
        let session = open(&self.place).await?;
        let mut made = Vec::new();
        for Source { name, content, .. } in sources {
            let file = self.kept(&store, &name, content)?;
            let new = NewDocument {
                file: &file,
                name: &name,
                schema: self.schema.as_deref(),
                key: self.key.as_deref(),
                priority: self.priority,
            };
            let queued = Queued(&session.client);
            let enqueued = queued.enqueue(&new).await;
            if enqueued.as_ref().map_or(true, |enqueued| enqueued.is_other) {
                // Where the database is away just now, the worker's look through the folder finds it.
                let _ = queued.drop_file(&file.sha256).await;
            }
            let enqueued = enqueued?;
            if enqueued.is_other {
                bail!(t!(
                    "this key stands for document {id} already, which is another file or has another schema",
                    id = enqueued.id
                ));
            }
            if !out.json {
                out.data(&format!("{}\n", enqueued.id));
            }
            if !enqueued.is_new {
                out.say(&t!("Document {id} came with this key before.", id = enqueued.id));
            }
            made.push(json!({ "id": enqueued.id, "new": enqueued.is_new, "name": name, "sha256": file.sha256, "bytes": file.bytes }));
        }
        if out.json {
            out.document(&documents(&made));
        }
        Ok(Answer::Yes)
    }

    fn check(&self) -> anyhow::Result<()> {
        if self.key.is_some() && self.files.len() > 1 {
            bail!(t!("--key is for one file: it stands for one document"));
        }
        if self.name.is_some() && self.files.len() > 1 {
            bail!(t!("--name is for one file: it names one document"));
        }
        if self.files.iter().filter(|path| is_input(path)).count() > 1 {
            bail!(t!("standard input (-) is one document"));
        }
        Ok(())
    }

    /// All of them are looked at before the first one goes in.
    fn sources(&self) -> anyhow::Result<Vec<Source>> {
        let mut found = Vec::new();
        for path in &self.files {
            let name = match &self.name {
                Some(name) => plain(name),
                None if is_input(path) => "document".to_owned(),
                None => name_of(path)?,
            };
            let file = if is_input(path) { None } else { Some(open_file(path)?) };
            let size =
                file.as_ref().map(|file| Ok::<_, std::io::Error>(file.metadata()?.len())).transpose()?;
            if size.is_some_and(|size| size > self.most << 20) {
                bail!(self.too_large(&name));
            }
            let mut content: Box<dyn Read> = match file {
                Some(file) => Box::new(file),
                None => Box::new(std::io::stdin()),
            };
            let mut head = Vec::new();
            content.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
            let is_whole = self.bytes.is_none_or(|bytes| head.len() as u64 >= bytes.min(HEAD as u64));
            // What broke off is told as such, and not by what it is not.
            if is_whole {
                check_kind(&name, &head)?;
            }
            found.push(Source { name, size, content: Box::new(Cursor::new(head).chain(content)) });
        }
        Ok(found)
    }

    fn too_large(&self, name: &str) -> String {
        t!("{name} has more than {most} MiB (--most)", name = printable(name), most = self.most)
    }

    fn kept(&self, store: &Store, name: &str, from: impl Read) -> anyhow::Result<Stored> {
        let most = self.most << 20;
        let mut growing = store.begin()?;
        growing.fill(from.take(most + 1))?;
        if growing.bytes() > most {
            bail!(self.too_large(name));
        }
        if self.bytes.is_some_and(|bytes| bytes != growing.bytes()) {
            bail!(t!("{name} broke off on its way: it is not taken in", name = printable(name)));
        }
        Ok(store.keep(growing)?)
    }

    /// From here through the container's standard input.
    pub(super) fn hand_in(&self, container: &Container, out: &Out) -> Outcome {
        self.check()?;
        let mut made = Vec::new();
        for mut source in self.sources()? {
            let mut words = self.words(&source.name);
            words.extend(source.size.map(|bytes| format!("--bytes={bytes}")));
            words.push("-".to_owned());
            let (answer, said) = container.hand_in(&words, &mut source.content, out)?;
            if answer != Answer::Yes || !out.json {
                out.data(&said);
            }
            if answer != Answer::Yes {
                return Ok(answer);
            }
            if out.json {
                let told: Value = serde_json::from_str(&said)?;
                made.extend(told["documents"].as_array().into_iter().flatten().cloned());
            }
        }
        if out.json {
            out.document(&documents(&made));
        }
        Ok(Answer::Yes)
    }

    /// The command for one document from standard input. No value can be taken for an option.
    fn words(&self, name: &str) -> Vec<String> {
        let mut words = ["queue".to_owned(), "enqueue".to_owned()].to_vec();
        words.push(format!("--name={name}"));
        words.push(format!("--priority={}", self.priority));
        words.push(format!("--most={}", self.most));
        words.extend(self.schema.iter().map(|schema| format!("--schema={schema}")));
        words.extend(self.key.iter().map(|key| format!("--key={key}")));
        words
    }
}

fn documents(made: &[Value]) -> Value {
    json!({ "schema": "civicum-tune/queue-enqueue/1", "documents": made })
}

/// As at the API's door: what can't be read is not taken in, and its first bytes say what it is.
fn check_kind(name: &str, head: &[u8]) -> anyhow::Result<()> {
    let name = printable(name);
    if head.is_empty() {
        bail!(t!("{name} is empty", name = name));
    }
    if Kind::of(head).is_none() {
        bail!(t!(
            "{name} is no document that can be read: a PDF, or an image in PNG, JPEG or TIFF",
            name = name
        ));
    }
    Ok(())
}

fn is_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn name_of(path: &Path) -> anyhow::Result<String> {
    let name = path.file_name().with_context(|| t!("{path} does not name a file", path = path.display()))?;
    Ok(plain(&name.to_string_lossy()))
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(255).collect()
}

fn open_file(path: &Path) -> anyhow::Result<File> {
    let absolute = std::path::absolute(path)?;
    Ok(Host::live()?.open_large(&absolute.to_string_lossy())?)
}
