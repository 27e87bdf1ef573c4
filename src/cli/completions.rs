//! `completions` and `man`: made from the same definition as the help.

use crate::t;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use serde_json::json;

use super::output::Out;
use super::{Answer, Global, Outcome};
use crate::host::{Host, Image};

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, out: &Out) -> Outcome {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut super::command(), "civicum-tune", &mut text);
        // Its generator for bash sets one name for a program with a hyphen, and asks for another (clap_complete 4.6).
        let text = String::from_utf8_lossy(&text).replace("civicum__subcmd__tune", "civicum__tune");
        if out.json {
            let shell = self.shell.to_string();
            out.document(&json!({ "schema": "civicum-tune/completions/1", "shell": shell, "text": text }));
        } else {
            out.data(&text);
        }
        Ok(Answer::Yes)
    }
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// Which command's page; default: the program's
    command: Option<String>,
    /// Write all pages to this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    out: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(&self, _: &Global, out: &Out) -> Outcome {
        let mut program = super::Cli::command();
        program.build();
        if let Some(folder) = &self.out {
            let target = Host::at(folder)?;
            let mut written = Vec::new();
            for (name, page) in pages(&program)? {
                target.replace(&format!("/{name}"), &Image::file(page, 0o644))?;
                written.push(name);
            }
            if out.json {
                out.document(
                    &json!({ "schema": "civicum-tune/man/1", "folder": folder, "written": written }),
                );
            }
            return Ok(Answer::Yes);
        }
        let chosen = match &self.command {
            None => program,
            Some(name) => program
                .find_subcommand(name)
                .with_context(|| {
                    t!("there is no command `{name}`; `civicum-tune help` lists them", name = name)
                })?
                .clone(),
        };
        let text = page(chosen)?;
        let text = String::from_utf8_lossy(&text);
        if out.json {
            out.document(&json!({ "schema": "civicum-tune/man/1", "text": text }));
        } else {
            out.data(&text);
        }
        Ok(Answer::Yes)
    }
}

fn page(mut command: clap::Command) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    // `help` has no page of its own, and is not to be looked for.
    if command.find_subcommand("help").is_some() {
        command = command.mut_subcommand("help", |help| help.hide(true));
    }
    clap_mangen::Man::new(command).render(&mut text)?;
    Ok(text)
}

/// `civicum-tune.1` and one page for each command and sub-command.
fn pages(program: &clap::Command) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let name = program.get_display_name().unwrap_or_else(|| program.get_name()).to_owned();
    let mut found = vec![(format!("{name}.1"), page(program.clone())?)];
    for command in
        program.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
    {
        found.extend(pages(command)?);
    }
    Ok(found)
}
