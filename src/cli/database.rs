//! How a command finds the database and the documents.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::session::read_here;
use crate::queue::{Database, Store, migrate};
use crate::t;

/// Where the queue is. What stands behind it in a command would get its heading, so that it stands last.
#[derive(Debug, Args)]
#[command(next_help_heading = "The queue")]
pub(super) struct Where {
    #[arg(
        help = "The database: postgresql://USER@HOST:PORT/DATABASE; only one of this host's own networks [default: civicum on 127.0.0.1]",
        long,
        value_name = "URL",
        env = "CIVICUM_TUNE_DATABASE"
    )]
    database: Option<String>,
    /// The file that holds the database's password
    #[arg(long, value_name = "FILE", env = "CIVICUM_TUNE_PASSWORD_FILE")]
    password_file: Option<PathBuf>,
}

/// Where the documents are.
#[derive(Debug, Args)]
pub(super) struct Documents {
    /// The folder that holds documents and results [default: /var/lib/civicum/documents]
    #[arg(long, value_name = "DIR", env = "CIVICUM_TUNE_DOCUMENTS")]
    documents: Option<String>,
}

/// Where nobody says which.
const DATABASE: &str = "postgresql://civicum@127.0.0.1/civicum";
const DOCUMENTS: &str = "/var/lib/civicum/documents";

impl Where {
    /// Did somebody say which database, or how to get in?
    pub(super) const fn is_named(&self) -> bool {
        self.database.is_some() || self.password_file.is_some()
    }

    pub(super) fn database(&self) -> anyhow::Result<Database> {
        let password = match &self.password_file {
            None => None,
            Some(path) => Some(
                String::from_utf8(read_here(path)?)
                    .with_context(|| t!("{path} is no text", path = path.display()))?,
            ),
        };
        Ok(Database::parse(self.database.as_deref().unwrap_or(DATABASE), password.as_deref())?)
    }
}

impl Documents {
    /// Did somebody say which folder?
    pub(super) const fn is_named(&self) -> bool {
        self.documents.is_some()
    }

    pub(super) fn store(&self) -> anyhow::Result<Store> {
        let absolute = std::path::absolute(self.documents.as_deref().unwrap_or(DOCUMENTS))?;
        Store::open(&absolute.to_string_lossy())
            .with_context(|| t!("--documents names the folder that holds the documents"))
    }
}

/// Makes the queue's tables where they are not there, as long as the database takes to come.
pub(super) fn migrated(database: &Database) -> anyhow::Result<()> {
    wait(async {
        for attempt in 1.. {
            let done = async { migrate(&mut database.connect().await?.client).await };
            match done.await {
                Ok(_) => break,
                Err(error) if error.passing && attempt < 60 => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    })
}

/// Runs what waits for the database.
pub(super) fn wait<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, work)
}
