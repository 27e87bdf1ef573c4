//! On the host of a deployment the database can't be reached, on purpose. A command for the queue that names no database is
//! run by the same program in the worker's container, or the API's.

use std::io::{self, Read, Write as _};

use anyhow::{Context as _, bail};

use crate::cli::deploy::Stage;
use crate::cli::output::Out;
use crate::cli::{Answer, Global, Outcome};
use crate::container::role::Role;
use crate::engine::{self, EngineError};
use crate::lang;
use crate::render::style::tamed;
use crate::t;

/// A container that has the queue's database and its documents.
pub(super) struct Container {
    stage: Stage,
    id: String,
    /// What every command gets.
    global: Vec<String>,
}

impl Container {
    /// The deployed one of this profile.
    pub(super) fn find(global: &Global, out: &Out) -> anyhow::Result<Self> {
        let how = || {
            t!(
                "no database is named, so the deployment's own is asked through the engine; for another one name --database postgresql://USER@HOST/DATABASE"
            )
        };
        let stage = Stage::look(global, "queue", &[], false).with_context(how)?;
        let of = |role: Role| {
            stage.wish.services.iter().filter(move |s| s.role == role).map(|service| service.name.as_str())
        };
        let services: Vec<&str> = of(Role::Worker).chain(of(Role::Api)).collect();
        let found = engine::running(&stage.client, &stage.wish.name, &services)?;
        let Some((_, id)) = found else {
            let name = &stage.wish.name;
            if services.is_empty() {
                bail!(t!("{why}: the profile has neither a worker nor an API", why = how()));
            }
            bail!(t!(
                "no container of {name} runs that could be asked ({services}); bring it up: {deploy}; or name --database",
                name = name,
                services = services.join(", "),
                deploy = stage.session.again("deploy")
            ));
        };
        let format = if out.json { "json" } else { "human" };
        let colour = if out.style.colour { "always" } else { "never" };
        let mut words = ["--format", format, "--color", colour, "--lang", lang::spoken().code()]
            .map(str::to_owned)
            .to_vec();
        words.extend(out.quiet.then(|| "--quiet".to_owned()));
        words.extend(out.verbose.then(|| "--verbose".to_owned()));
        Ok(Self { stage, id, global: words })
    }

    /// Runs it there; what it writes is handed on, and its status is ours.
    pub(super) fn run(&self, words: &[String], out: &Out) -> Outcome {
        let mut lines = Lines::default();
        let status = self.ask(words, None, &mut |bytes, is_error| lines.take(bytes, is_error, out))?;
        lines.end(out);
        answer(status)
    }

    /// The same with an input, and with what it writes to standard output as a whole: it must be small.
    pub(super) fn hand_in(
        &self,
        words: &[String],
        input: &mut dyn Read,
        out: &Out,
    ) -> anyhow::Result<(Answer, String)> {
        const MOST: usize = 1 << 20;
        let (mut lines, mut said) = (Lines::default(), Vec::new());
        let status = self.ask(words, Some(input), &mut |bytes, is_error| {
            if is_error {
                return lines.take(bytes, true, out);
            }
            said.extend(bytes.iter().take(MOST.saturating_sub(said.len())));
            Ok(())
        })?;
        lines.end(out);
        Ok((answer(status)?, tamed(&String::from_utf8_lossy(&said))))
    }

    fn ask(
        &self,
        words: &[String],
        input: Option<&mut dyn Read>,
        take: &mut engine::Take<'_>,
    ) -> Result<i64, EngineError> {
        let program = ["civicum-tune".to_owned()];
        let all: Vec<String> = program.iter().chain(&self.global).chain(words).cloned().collect();
        engine::inside(&self.stage.client, &self.id, &all, input, take)
    }
}

fn answer(status: i64) -> Outcome {
    match status {
        0 => Ok(Answer::Yes),
        1 => Ok(Answer::Differs),
        2 => Ok(Answer::Trouble),
        126 | 127 => bail!(t!(
            "the container has no civicum-tune that could be asked; make its image anew: civicum-tune images build, then deploy"
        )),
        other => bail!(t!("the command in the container ended with status {status}", status = other)),
    }
}

/// What came, line by line: whatever the container writes, the terminal obeys it no more than in colours.
#[derive(Default)]
struct Lines([Vec<u8>; 2]);

impl Lines {
    fn take(&mut self, bytes: &[u8], is_error: bool, out: &Out) -> io::Result<()> {
        const LONGEST: usize = 1 << 20;
        let rest = &mut self.0[usize::from(is_error)];
        rest.extend_from_slice(bytes);
        let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole = if rest.len() > LONGEST { rest.len() } else { whole };
        let lines: Vec<u8> = rest.drain(..whole).collect();
        show(&lines, is_error, out)
    }

    fn end(self, out: &Out) {
        for (rest, is_error) in self.0.iter().zip([false, true]) {
            let _ = show(rest, is_error, out);
        }
    }
}

fn show(lines: &[u8], is_error: bool, out: &Out) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let text = tamed(&String::from_utf8_lossy(lines));
    if is_error {
        return io::stderr().write_all(text.as_bytes());
    }
    out.data(&text);
    Ok(())
}
