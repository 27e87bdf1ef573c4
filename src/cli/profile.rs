//! `profile`: list, show and make profiles.

use clap::{Args, Subcommand};

use super::output::Out;
use super::{Answer, Global, Outcome};
use crate::profile::BUNDLED;

#[derive(Debug, Args)]
pub(super) struct ProfileCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the bundled profiles
    List,
}

impl ProfileCommand {
    pub(super) fn run(&self, _: &Global, out: &Out) -> Outcome {
        match self.what {
            What::List => {
                for bundled in BUNDLED {
                    out.data(&format!("{}\n", bundled.name));
                }
            }
        }
        Ok(Answer::Yes)
    }
}
