//! The help that is shown: with its examples, and in the language that is spoken.
//!
//! Only who asks for help, a man page or completions pays for it: a run takes clap's tree as it is derived.

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, Command};
use std::collections::BTreeSet;

use super::examples;
use crate::host::terminal;
use crate::lang::{self, Language};
use crate::t;

/// The command line in the language that is spoken, built.
pub(super) fn spoken() -> Command {
    let mut program = super::command();
    program.build();
    if lang::spoken() == Language::En {
        return program;
    }
    reworded(program, &mut |english| lang::say(english).into_owned())
}

/// The same as `--help` shows it.
pub(super) fn shown() -> Command {
    let program = spoken();
    let program = if lang::spoken() == Language::En { program } else { bracketed(program) };
    with_examples(program, "")
}

/// Every sentence of the help in English, for the test of the catalogue.
pub fn sentences() -> BTreeSet<String> {
    let mut found: BTreeSet<String> = examples::purposes().map(str::to_owned).collect();
    let mut program = super::command();
    program.build();
    reworded(program, &mut |english| {
        found.insert(english.to_owned());
        english.to_owned()
    });
    found
}

/// Every text of the tree, handed to `say` a paragraph at a time: the first one of a long text is the short text.
fn reworded(command: Command, say: &mut dyn FnMut(&str) -> String) -> Command {
    let mut text = |english: Option<&clap::builder::StyledStr>| {
        let english = english?.to_string();
        Some(english.split("\n\n").map(&mut *say).collect::<Vec<_>>().join("\n\n"))
    };
    let about = text(command.get_about());
    let long_about = text(command.get_long_about());
    let after_help = text(command.get_after_help());
    let mut command = command;
    if let Some(about) = about {
        command = command.about(about);
    }
    if let Some(long_about) = long_about {
        command = command.long_about(long_about);
    }
    if let Some(after_help) = after_help {
        command = command.after_help(after_help);
    }
    command.mut_args(|arg| argument(arg, say)).mut_subcommands(|sub| reworded(sub, say))
}

fn argument(arg: Arg, say: &mut dyn FnMut(&str) -> String) -> Arg {
    let mut arg = arg;
    if let Some(heading) = arg.get_help_heading().map(&mut *say) {
        arg = arg.help_heading(heading);
    }
    if let Some(help) = arg.get_help().map(|help| say(&help.to_string())) {
        arg = arg.help(help);
    }
    // Texts of ours are one paragraph; clap's own of --help is not.
    if let Some(help) = arg.get_long_help().map(|help| say(&help.to_string())) {
        arg = arg.long_help(help);
    }
    let values = arg.get_possible_values();
    if values.iter().any(|value| value.get_help().is_some()) {
        let values =
            values.into_iter().map(|value| match value.get_help().map(|help| say(&help.to_string())) {
                Some(help) => value.help(help),
                None => value,
            });
        arg = arg.value_parser(PossibleValuesParser::new(values.collect::<Vec<PossibleValue>>()));
    }
    arg
}

/// What clap would say of each option in English words of its own: its variable, its default, its values.
fn bracketed(command: Command) -> Command {
    command.mut_args(with_brackets).mut_subcommands(bracketed)
}

fn with_brackets(arg: Arg) -> Arg {
    if !arg.get_action().takes_values() {
        return arg;
    }
    let mut words = arg.get_help().map(ToString::to_string).into_iter().collect::<Vec<_>>();
    if let Some(name) = arg.get_env().map(|name| name.to_string_lossy()) {
        let value = terminal::environment(&name).unwrap_or_default();
        words.push(t!("[variable: {name}={value}]", name = name, value = value));
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let default = defaults.join(" ");
    if !default.is_empty() {
        words.push(t!("[default: {value}]", value = default));
    }
    let values = arg.get_possible_values();
    let values: Vec<&PossibleValue> = values.iter().filter(|value| !value.is_hide_set()).collect();
    let mut long = words.join(" ");
    if !values.is_empty() {
        let names: Vec<_> = values.iter().map(|value| value.get_name()).collect();
        let list = t!("[possible values: {values}]", values = names.join(", "));
        if values.iter().all(|value| value.get_help().is_none()) {
            long = format!("{long} {list}");
        } else {
            long += &format!("\n\n{}", t!("Possible values:"));
            let widest = names.iter().map(|name| name.len()).max().unwrap_or_default() + 1;
            for value in &values {
                let help = value.get_help().map(ToString::to_string).unwrap_or_default();
                long += &format!("\n- {:widest$} {help}", format!("{}:", value.get_name()));
            }
        }
        words.push(list);
    }
    let arg = arg.hide_env(true).hide_default_value(true).hide_possible_values(true);
    arg.help(words.join(" ")).long_help(long)
}

/// Examples first, then what a command says at its end anyway.
fn with_examples(command: Command, path: &str) -> Command {
    let styles = command.get_styles().clone();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let mut text = String::new();
    for (line, purpose) in examples::of(path) {
        if text.is_empty() {
            text += &format!("{header}{}{header:#}", t!("Examples:"));
        }
        text += &format!("\n  {literal}{line}{literal:#}\n      {}", lang::say(purpose));
    }
    if let Some(more) = command.get_after_help().filter(|_| !text.is_empty()) {
        text += &format!("\n\n{more}");
    }
    let command = if text.is_empty() { command } else { command.after_help(text) };
    command.mut_subcommands(|sub| {
        // Below `help` are copies that have no help of their own.
        let below = if sub.get_name() == "help" { return sub } else { format!("{path} {}", sub.get_name()) };
        with_examples(sub, below.trim())
    })
}

/// Clap's own words that stand alone, in the language that is spoken.
pub(super) fn own_words(text: &str) -> String {
    if lang::spoken() == Language::En {
        return text.to_owned();
    }
    [
        ("Usage:", t!("Usage:")),
        ("Commands:", t!("Commands:")),
        ("Arguments:", t!("Arguments:")),
        ("Options:", t!("Options:")),
        ("[OPTIONS]", t!("[OPTIONS]")),
        ("<COMMAND>", t!("<COMMAND>")),
    ]
    .iter()
    .fold(text.to_owned(), |text, (english, spoken)| text.replace(english, spoken))
}
