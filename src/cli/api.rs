//! `api`: the documents' HTTP API inside its container.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::database::{Documents, Where, migrated};
use super::session::read_here;
use super::{Answer, Outcome};
use crate::api::Api;
use crate::t;

/// Serve the documents' HTTP API, until SIGTERM
///
/// It is described at /openapi.json. Callers show the token of --token-file.
#[derive(Debug, Args)]
pub(super) struct ApiCommand {
    /// Make the queue's tables, or bring them up to date, before anything else
    #[arg(long)]
    migrate: bool,
    /// Where it listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8000", env = "CIVICUM_TUNE_LISTEN")]
    listen: SocketAddr,
    /// The file that holds the token which callers must show
    #[arg(long, value_name = "FILE", env = "CIVICUM_TUNE_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// The largest document, MiB
    #[arg(long, value_name = "MIB", default_value_t = 50, env = "CIVICUM_TUNE_DOCUMENT_MIB", value_parser = clap::value_parser!(u64).range(1..=4096))]
    most: u64,
    /// The folder that holds schemas of your own, NAME.json each
    #[arg(long, value_name = "DIR", env = "CIVICUM_TUNE_SCHEMAS")]
    schemas: Option<String>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    documents: Documents,
}

impl ApiCommand {
    pub(super) fn run(&self) -> Outcome {
        let token = match &self.token_file {
            None => None,
            Some(path) => {
                let text = String::from_utf8(read_here(path)?).unwrap_or_default();
                let token = Some(text.trim().to_owned()).filter(|token| token.len() >= 16);
                Some(token.with_context(|| {
                    t!("{path} holds no token: 16 characters or more", path = path.display())
                })?)
            }
        };
        let database = self.place.database()?;
        if self.migrate {
            migrated(&database)?;
        }
        let api = Api {
            database,
            store: self.documents.store()?,
            listen: self.listen,
            token,
            most: self.most << 20,
            schemas: self.schemas.clone(),
        };
        api.run()?;
        Ok(Answer::Yes)
    }
}
