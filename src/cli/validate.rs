//! `validate`: profiles, without touching a host.

use clap::Args;
use serde_json::json;

use super::output::Out;
use super::{Answer, Global, Outcome};
use crate::host::Host;
use crate::profile::{self, excerpt};
use crate::render::diagnostic;

#[derive(Debug, Args)]
pub(super) struct Validate {
    /// The profiles to check: files, or names of bundled ones
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
}

impl Validate {
    pub(super) fn run(&self, _: &Global, out: &Out) -> Outcome {
        let here = Host::live()?;
        let found = profile::validate(self.files.iter().map(String::as_str), &profile::reader(&here));
        if out.wants_log() {
            out.log(&diagnostic::of_validation(&found));
        } else if out.json {
            out.document(&json!(found));
        } else {
            for file in &found.files {
                if !file.findings.is_empty() {
                    out.data(&format!("{}\n\n", excerpt::render_all(&file.findings).trim_end()));
                }
                let verdict = if file.valid { out.style.green("valid") } else { out.style.red("not valid") };
                if !out.quiet || !file.valid {
                    out.data(&format!("{}: {verdict}\n", crate::render::style::printable(&file.file)));
                }
            }
        }
        Ok(if found.is_valid() { Answer::Yes } else { Answer::Differs })
    }
}
