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
        let mut answer = Answer::Yes;
        for name in names {
            if let Err(findings) = profile::Profile::load(&name, &profile::reader(&here)) {
                out.data(&profile::excerpt::render_all(&findings));
                answer = Answer::Differs;
            }
        }
        Ok(answer)
    }
}
