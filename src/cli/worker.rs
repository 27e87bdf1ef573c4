//! `worker`: the worker inside its container.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use super::database::{Documents, Where, migrated};
use super::session::near;
use super::{Answer, Outcome};
use crate::host::terminal;
use crate::llm::{Limits, Server};
use crate::queue::Keep;
use crate::units::Bytes;
use crate::worker::{Extract, Ocr, Worker};

/// Read the documents that wait in the queue, until SIGTERM
///
/// SIGTERM and SIGINT let end what is in work, and give back what does not end in time. SIGUSR1 claims no more, SIGUSR2 does again;
/// SIGURG gives back what is in work at once, and claims no more.
/// The log goes to standard error, one JSON object a line.
#[derive(Debug, Args)]
pub(super) struct WorkerCommand {
    /// Make the queue's tables, or bring them up to date, before anything else
    #[arg(long)]
    migrate: bool,
    /// What the worker is called in the database; default: the host's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Documents read at a time
    #[arg(long, value_name = "N", default_value_t = 1, env = "CIVICUM_TUNE_OCR_JOBS", value_parser = clap::value_parser!(u16).range(0..=64))]
    ocr_jobs: u16,
    /// So many instead where the container's memory limit has room for them, 700 MiB each; the limit may change at any time
    #[arg(long, value_name = "N", default_value_t = 0, env = "CIVICUM_TUNE_OCR_JOBS_MOST", value_parser = clap::value_parser!(u16).range(0..=64))]
    ocr_jobs_most: u16,
    /// The longest that one document may take to be read
    #[arg(long, value_name = "TIME", default_value = "30min", env = "CIVICUM_TUNE_OCR_DEADLINE")]
    ocr_deadline: humantime::Duration,
    /// How text is recognised: auto, pp-ocr or tesseract
    #[arg(long, value_name = "POLICY", default_value = "auto", env = "CIVICUM_TUNE_OCR_POLICY")]
    ocr_policy: String,
    /// The most memory that reading one document may take: its process, and each tool that it runs; less where documents are
    /// read side by side and the container's memory limit has no room for so much [default: 1GiB]
    #[arg(long, value_name = "SIZE", env = "CIVICUM_TUNE_OCR_MEMORY")]
    ocr_memory: Option<Bytes>,
    /// A further option of `civicum-tune ocr`, as in --ocr-option --dpi=300; may stand more than once
    #[arg(long = "ocr-option", value_name = "OPTION", allow_hyphen_values = true)]
    ocr_options: Vec<String>,
    /// Where /health and /metrics are served
    #[arg(long, value_name = "ADDRESS:PORT", env = "CIVICUM_TUNE_LISTEN")]
    listen: Option<SocketAddr>,
    /// How long work may go on after SIGTERM
    #[arg(long, value_name = "TIME", default_value = "25s", env = "CIVICUM_TUNE_GRACE")]
    grace: humantime::Duration,
    /// How long finished jobs stay in the archive, days
    #[arg(long, value_name = "DAYS", default_value_t = 365, env = "CIVICUM_TUNE_KEEP_DAYS", value_parser = clap::value_parser!(i32).range(1..=36_500))]
    keep_days: i32,
    /// How long documents are kept after their review or their cancelling, days [default: for ever]
    #[arg(long, value_name = "DAYS", env = "CIVICUM_TUNE_KEEP_REVIEWED", value_parser = clap::value_parser!(i32).range(1..=36_500))]
    keep_reviewed: Option<i32>,
    /// How long documents are kept that nobody reviewed, days [default: for ever]
    #[arg(long, value_name = "DAYS", env = "CIVICUM_TUNE_KEEP_UNREVIEWED", value_parser = clap::value_parser!(i32).range(1..=36_500))]
    keep_unreviewed: Option<i32>,
    /// End when nothing waits any more
    #[arg(long)]
    until_empty: bool,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    documents: Documents,
    #[command(flatten)]
    extract: ExtractOptions,
}

/// How what a schema asks is extracted.
#[derive(Debug, Args)]
#[command(next_help_heading = "Extraction")]
struct ExtractOptions {
    #[arg(
        help = "The model's server, as in http://llm:8080; without one nothing is extracted",
        long,
        value_name = "URL",
        env = "CIVICUM_TUNE_LLM"
    )]
    llm: Option<String>,
    /// The model's name; default: the only one of a server that has one
    #[arg(long, value_name = "NAME", default_value = "", env = "CIVICUM_TUNE_MODEL")]
    model: String,
    /// Documents at a time
    #[arg(long, value_name = "N", default_value_t = 1, env = "CIVICUM_TUNE_EXTRACT_JOBS", value_parser = clap::value_parser!(u16).range(0..=64))]
    extract_jobs: u16,
    /// The longest that one document may take
    #[arg(long, value_name = "TIME", default_value = "1h", env = "CIVICUM_TUNE_EXTRACT_DEADLINE")]
    extract_deadline: humantime::Duration,
    /// The context in tokens; a longer text is read in parts
    #[arg(long, value_name = "TOKENS", default_value_t = 4096, env = "CIVICUM_TUNE_CONTEXT", value_parser = clap::value_parser!(u32).range(256..=1_048_576))]
    context: u32,
    /// The longest answer to one part, in tokens
    #[arg(long, value_name = "TOKENS", default_value_t = 1024, env = "CIVICUM_TUNE_PREDICT", value_parser = clap::value_parser!(u32).range(16..=131_072))]
    predict: u32,
    /// Threads of the model (Ollama; llama.cpp's server gets them when it starts)
    #[arg(long, value_name = "N", env = "CIVICUM_TUNE_THREADS", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// What to look for, in words, besides what a schema's descriptions say
    #[arg(long, value_name = "TEXT", default_value = "", env = "CIVICUM_TUNE_INSTRUCTION")]
    instruction: String,
    /// The folder that holds schemas of your own, NAME.json each
    #[arg(long, value_name = "DIR", env = "CIVICUM_TUNE_SCHEMAS")]
    schemas: Option<String>,
}

impl ExtractOptions {
    fn extract(&self) -> anyhow::Result<Extract> {
        let server = match &self.llm {
            None => None,
            Some(url) => {
                near(url)?;
                Some(Server::new(url, None, &self.model)?)
            }
        };
        let limits = Limits {
            num_thread: self.threads,
            num_ctx: self.context,
            num_predict: self.predict,
            whole: Some(within(self.extract_deadline)),
            ..Limits::default()
        };
        Ok(Extract {
            // Whoever has no model leaves these jobs to those who have one.
            jobs: if server.is_some() { usize::from(self.extract_jobs) } else { 0 },
            server,
            limits,
            instruction: self.instruction.clone(),
            schemas: self.schemas.clone(),
            deadline: within(self.extract_deadline),
        })
    }
}

impl WorkerCommand {
    pub(super) fn run(&self) -> Outcome {
        let name = self
            .name
            .clone()
            .or_else(|| terminal::environment("HOSTNAME"))
            .unwrap_or_else(|| "worker".to_owned());
        let mut options = vec!["--policy".to_owned(), self.ocr_policy.clone()];
        options.extend(self.ocr_options.iter().cloned());
        // Told now, and not by each document; the variables of `ocr` are the child's too.
        let memory = self.ocr_memory.map(|memory| format!("--memory={}", memory.0));
        let whole = ["civicum-tune", "ocr"].map(str::to_owned).into_iter();
        let whole = whole.chain(options.iter().cloned()).chain(memory);
        super::understood(whole.chain(["--".to_owned(), "document".to_owned()]))?;
        let database = self.place.database()?;
        if self.migrate {
            migrated(&database)?;
        }
        let worker = Worker {
            database,
            store: self.documents.store()?,
            name: name.chars().take(100).collect(),
            ocr: Ocr {
                jobs: usize::from(self.ocr_jobs),
                memory: self.ocr_memory.map(|memory| memory.0),
                most: usize::from(self.ocr_jobs_most),
                options,
                deadline: within(self.ocr_deadline),
            },
            extract: self.extract.extract()?,
            listen: self.listen,
            grace: within(self.grace),
            keep_days: self.keep_days,
            keep: Keep { reviewed: self.keep_reviewed, unreviewed: self.keep_unreviewed },
            until_empty: self.until_empty,
        };
        worker.run()?;
        Ok(Answer::Yes)
    }
}

/// A day at most: a clock that is given years overflows.
fn within(time: humantime::Duration) -> Duration {
    Duration::from(time).min(Duration::from_secs(86_400))
}
