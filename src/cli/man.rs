//! `man`: pages made from the same definition as the help, in the language that is spoken.

use std::io;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::builder::StyledStr;
use clap::{Arg, Args, Command};
use clap_mangen::roff::{Roff, bold, roman};
use serde_json::json;

use super::output::Out;
use super::{Answer, Global, Outcome, examples, help};
use crate::host::{Host, Image};
use crate::lang;
use crate::t;

#[derive(Debug, Args)]
pub(super) struct Man {
    /// Which command's page, as in `man queue list`; default: the program's
    command: Vec<String>,
    /// Write all pages to this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    out: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(&self, _: &Global, out: &Out) -> Outcome {
        let program = help::spoken();
        if let Some(folder) = &self.out {
            let target = Host::at(folder)?;
            let mut written = Vec::new();
            for (name, page) in pages(&program, &program, "")? {
                target.replace(&format!("/{name}"), &Image::file(page.into_bytes(), 0o644))?;
                written.push(name);
            }
            if out.json {
                out.document(
                    &json!({ "schema": "civicum-tune/man/1", "folder": folder, "written": written }),
                );
            }
            return Ok(Answer::Yes);
        }
        let mut chosen = &program;
        for name in &self.command {
            chosen = chosen.find_subcommand(name).with_context(|| {
                t!(
                    "there is no command `{name}`; `civicum-tune help` lists them",
                    name = self.command.join(" ")
                )
            })?;
        }
        // `diff` is `plan` by another name.
        let path = chosen.get_bin_name().and_then(|name| name.split_once(' ')).map_or("", |(_, path)| path);
        let text = page(&program, chosen, path)?;
        if out.json {
            out.document(&json!({ "schema": "civicum-tune/man/1", "text": text }));
        } else {
            out.data(&text);
        }
        Ok(Answer::Yes)
    }
}

/// A section's lines as `clap_mangen` writes them, without its heading.
fn body(render: impl Fn(&mut dyn io::Write) -> io::Result<()>) -> anyhow::Result<String> {
    let mut text = Vec::new();
    render(&mut text)?;
    let text = String::from_utf8(text)?;
    // Each of its texts begins as a whole page does.
    Ok(text
        .lines()
        .skip_while(|line| !line.starts_with(".SH"))
        .skip(1)
        .map(|line| format!("{line}\n"))
        .collect())
}

/// A page, with what `clap_mangen` has no section for: examples, and the exit status.
fn page(program: &Command, command: &Command, path: &str) -> anyhow::Result<String> {
    let mut command = command.clone();
    // `help` has no page of its own, and is not to be looked for.
    if command.find_subcommand("help").is_some() {
        command = command.mut_subcommand("help", |help| help.hide(true));
        command = command.subcommand_value_name(t!("COMMAND"));
    }
    // Where a variable stands for an option, its page says so as the help does; what it holds here is no part of a page.
    command = command.mut_args(with_variable);
    let man = clap_mangen::Man::new(command.clone());
    let mut text = Roff::new().render();
    // An empty word between the title and the program would be lost in a `Roff`.
    text += &format!(
        ".TH {} 1 \"\" \"civicum-tune {}\" civicum-tune\n",
        command.get_display_name().unwrap_or_else(|| command.get_name()).to_uppercase(),
        command.get_version().unwrap_or_default()
    );
    let mut add = |heading: &str, body: &str| text += &format!(".SH \"{heading}\"\n{body}");
    add(&t!("NAME"), &body(|to| man.render_name_section(to))?);
    add(&t!("SYNOPSIS"), &synopsis(&mut command));
    add(&t!("DESCRIPTION"), &body(|to| man.render_description_section(to))?);
    add(&t!("OPTIONS"), &in_our_words(&body(|to| man.render_options_section(to))?));
    if command.get_subcommands().any(|sub| !sub.is_hide_set()) {
        add(&t!("COMMANDS"), &body(|to| man.render_subcommands_section(to))?);
    }
    // Most commands end as the program's own help says.
    let status = command.get_after_help().or_else(|| program.get_after_help()).map(ToString::to_string);
    if let Some((_, status)) = status.as_deref().and_then(|text| text.split_once(": ")) {
        add(&t!("EXIT STATUS"), &plain(Roff::new().text([roman(status)])));
    }
    let mut list = Roff::new();
    for (line, purpose) in examples::of(path) {
        list.control("TP", []).text([bold(line)]).text([roman(lang::say(purpose))]);
    }
    add(&t!("EXAMPLES"), &plain(&list));
    add(&t!("VERSION"), &plain(Roff::new().text([roman(command.get_version().unwrap_or_default())])));
    Ok(text)
}

/// The usage line of the help, with the command's name in bold.
fn synopsis(command: &mut Command) -> String {
    let usage = help::own_words(&command.render_usage().to_string());
    let line = usage.split_once(": ").map_or(usage.as_str(), |(_, line)| line).trim();
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let mut roff = Roff::new();
    for line in line.lines().map(str::trim).filter(|line| !line.is_empty()) {
        roff.text(match line.strip_prefix(name) {
            Some(rest) => vec![bold(name), roman(rest)],
            None => vec![roman(line)],
        });
    }
    plain(&roff)
}

fn with_variable(arg: Arg) -> Arg {
    let Some(name) = arg.get_env().map(|name| name.to_string_lossy().into_owned()) else { return arg };
    let bracket = t!("[env: {name}]", name = name);
    let longer = |text: &StyledStr| format!("{text} {bracket}");
    let (help, long_help) = (arg.get_help().map(longer), arg.get_long_help().map(longer));
    let arg = arg.help(help.unwrap_or_else(|| bracket.clone()));
    match long_help {
        Some(text) => arg.long_help(text),
        None => arg,
    }
}

/// Without what a page begins with.
fn plain(roff: &Roff) -> String {
    roff.render().lines().skip(Roff::new().render().lines().count()).map(|line| format!("{line}\n")).collect()
}

/// What `clap_mangen` says of options by itself.
fn in_our_words(options: &str) -> String {
    options.replace("Possible values:", &t!("Possible values:")).replace(" [default: ", &t!(" [default: "))
}

/// `civicum-tune.1` and one page for each command and sub-command.
fn pages(program: &Command, command: &Command, path: &str) -> anyhow::Result<Vec<(String, String)>> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let mut found = vec![(format!("{name}.1"), page(program, command, path)?)];
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        found.extend(pages(program, sub, format!("{path} {}", sub.get_name()).trim())?);
    }
    Ok(found)
}
