//! `validate`: profiles, without touching a host.

use std::path::PathBuf;

use clap::Args;

use super::output::Out;
use super::{Answer, Global, Outcome};
use crate::host::Host;
use crate::profile;

#[derive(Debug, Args)]
pub(super) struct Validate {
    /// The profiles to check: files, or names of bundled ones
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Validate {
    pub(super) fn run(&self, _: &Global, out: &Out) -> Outcome {
        let here = Host::live()?;
        let names: Vec<String> = self.files.iter().map(|file| file.to_string_lossy().into_owned()).collect();
        let checked = profile::validate(&names, &profile::reader(&here));
        if out.json {
            out.document(&checked.to_json());
        } else {
            out.data(&checked.human(out.style));
        }
        Ok(if checked.is_valid() { Answer::Yes } else { Answer::Differs })
    }
}
