//! `validate`: profiles, without touching a host.

use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::output::Out;
use super::session::read_here;
use super::{Answer, Global, Outcome};
use crate::check;
use crate::facts::gguf::{self, Gguf};
use crate::host::{Host, terminal};
use crate::profile::validate::FileValidation;
use crate::profile::{self, About, SavedHost, excerpt};
use crate::render::style::{fit, printable};
use crate::render::{budget, diagnostic};
use crate::t;

#[derive(Debug, Args)]
pub(super) struct Validate {
    /// The profiles to check: files, or names of bundled ones
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Check for the host that FILE tells of: what `civicum-tune detect --format json` printed there
    #[arg(long, value_name = "FILE")]
    host: Option<PathBuf>,
}

impl Validate {
    pub(super) fn run(&self, _: &Global, out: &Out) -> Outcome {
        let here = Host::live()?;
        let host = self.host.as_deref().map(saved_host).transpose()?;
        let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
        let checks: Vec<&str> = check::all().map(|check| check.id).collect();
        let about = About {
            host: host.as_ref(),
            today: now.get(..10),
            checks: Some(&checks),
            model: Some(read_model),
        };
        let found = profile::validate(self.files.iter().map(String::as_str), &profile::reader(&here), &about);
        if out.wants_log() {
            out.log(&diagnostic::of_validation(&found));
        } else if out.json {
            out.document(&json!(found));
        } else {
            let files: Vec<String> = found.files.iter().map(|file| human(file, out)).collect();
            for (at, text) in files.iter().enumerate() {
                // Behind a table, or before findings, a blank line shows where the next file begins.
                let is_part = |text: &String| text.lines().count() > 1;
                let blank = at > 0 && (is_part(text) || is_part(&files[at - 1]));
                out.data(&format!("{}{text}", if blank { "\n" } else { "" }));
            }
        }
        let unread = found.unread();
        if !unread.is_empty() {
            // The reason stands in the finding.
            out.complain(&t!("not read: {files}", files = printable(&unread.join(", "))));
            return Ok(Answer::Trouble);
        }
        Ok(if found.is_valid() { Answer::Yes } else { Answer::Differs })
    }
}

/// The findings, the verdict, and the memory table below it.
fn human(file: &FileValidation, out: &Out) -> String {
    let mut text = String::new();
    if !file.findings.is_empty() {
        let findings = format!("{}\n\n", excerpt::render_all(&file.findings).trim_end());
        // In a pipe each finding's first line stays one line, as editors and grep want it.
        text += &if terminal::stdout_is_terminal() { fit(&findings, out.style.width) } else { findings };
    }
    if !out.quiet || !file.valid {
        let verdict = match (file.valid, file.is_unread()) {
            (true, _) => out.style.green(&t!("valid")),
            (false, true) => out.style.red(&t!("not read")),
            (false, false) => out.style.red(&t!("not valid")),
        };
        let is_more = !file.complete && !file.is_unread();
        let more = if is_more { t!("; what is mended may show more") } else { String::new() };
        text += &format!("{}: {verdict}{more}\n", printable(&file.file));
    }
    if let Some(memory) = file.memory.as_ref().filter(|_| !out.quiet) {
        text += &budget::human(memory, out.style);
    }
    text
}

/// The header of a model's file on this machine.
pub(super) fn read_model(path: &str) -> Option<Result<Gguf, String>> {
    let here = Host::live().ok()?;
    let size = here.size(path)?;
    let header = || gguf::parse(BufReader::new(here.open_large(path)?), size).map_err(anyhow::Error::from);
    Some(header().map_err(|error: anyhow::Error| error.to_string()))
}

fn saved_host(path: &Path) -> anyhow::Result<SavedHost> {
    let bytes = read_here(path)?;
    SavedHost::parse(&bytes).map_err(|why| {
        anyhow!(t!(
            "--host {path} can't be used: {why}",
            path = printable(&path.display().to_string()),
            why = why
        ))
    })
}
