//! `render`: the same deployment as files for other engines.

use clap::{Args, Subcommand};

use super::deploy::deployment;
use super::output::Out;
use super::session::Session;
use super::{Answer, Global, Outcome};
use crate::container::compose;
use crate::render::yaml;
use crate::t;

/// Print the profile's deployment as a file for another engine
#[derive(Debug, Args)]
pub(super) struct RenderCommand {
    #[command(subcommand)]
    engine: Engine,
}

#[derive(Debug, Subcommand)]
enum Engine {
    /// A Compose file, for `docker compose -f FILE up`
    Compose,
}

impl RenderCommand {
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        let session = Session::open(global, false)?;
        let wish = deployment(&session, &[])?;
        let Engine::Compose = self.engine;
        let document = compose::document(&wish);
        if out.json {
            out.document(&document);
            return Ok(Answer::Yes);
        }
        let head = t!("# Made by civicum-tune from the profile {name}.\n", name = session.settings.name);
        out.data(&format!("{head}{}", yaml::text(&document)));
        for service in wish.services.iter().filter(|service| service.image.is_none()) {
            out.say(&t!(
                "{service} has no image: write services.{service}.image in the profile",
                service = service.name
            ));
        }
        if !wish.secrets.is_empty() {
            let names: Vec<&str> = wish.secrets.iter().map(String::as_str).collect();
            out.say(&t!(
                "Compose reads each secret from a file beside its own: {folder}/{names}",
                folder = compose::SECRETS,
                names = names.join(", ")
            ));
        }
        Ok(Answer::Yes)
    }
}
