//! `detect`: what the host is.

use clap::Args;

use super::output::Out;
use super::session::open_host;
use super::{Answer, Global, Outcome};
use crate::facts::{Facts, Survey};
use crate::plan;
use crate::render::facts as show;
use crate::render::style::printable;

#[derive(Debug, Args)]
pub(super) struct Detect {}

impl Detect {
    #[allow(clippy::unused_self)] // one shape for all commands
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        let host = open_host(global)?;
        let facts = Facts::read(&host)?;
        if out.quiet && !out.json {
            out.lines(&format!("{}\n", printable(&plan::describe(&facts))), 2);
            return Ok(Answer::Yes);
        }
        let survey = Survey::take(&host);
        if out.json {
            out.document(&show::json(&facts, Some(&survey)));
        } else {
            out.data(&show::human(&facts, Some(&survey), out.style));
        }
        Ok(Answer::Yes)
    }
}
