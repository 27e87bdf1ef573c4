//! A command line that is not carried out: one that can't be read, and one that asks for help.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::slice;

use clap::builder::{StyledStr, Styles};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser as _, ValueEnum};

use super::{Cli, Colour, Format, help, output};
use crate::host::terminal;
use crate::lang::{self, Language};
use crate::render::style::{Style, fit, printable};
use crate::t;

/// The words for a person, and the document that a machine asked for.
pub(super) fn told(error: clap::Error) -> ExitCode {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> = words.take_while(|word| word != "--").collect();
    lang::speak(option(&words, "--lang").unwrap_or_else(super::locale));
    let format = option(&words, "--format").unwrap_or(Format::Human);
    let colour = option(&words, "--color").unwrap_or(Colour::Auto);
    let status = u8::try_from(error.exit_code()).unwrap_or(2);
    let is_error = error.use_stderr();
    let text = shown(error);
    if is_error {
        let plain = text.to_string();
        let known = super::command();
        let command = words.iter().find(|word| known.find_subcommand(word).is_some());
        output::failed(
            format,
            command.map_or("", String::as_str),
            plain.trim_start_matches("error: ").trim(),
        );
    }
    let painted = |is_terminal| {
        if output::is_painted(colour, is_terminal) { text.ansi().to_string() } else { text.to_string() }
    };
    if is_error {
        let text = painted(terminal::stderr_is_terminal());
        let text = match terminal::error_columns() {
            Some(columns) => fit(&text, Style::new(false, Some(columns)).width),
            None => text,
        };
        let _ = write!(io::stderr(), "{text}");
    } else {
        output::put(&painted(terminal::stdout_is_terminal()));
        if let Some(why) = output::lost() {
            let _ = writeln!(io::stderr(), "error: {}", output::incomplete(why));
            return ExitCode::from(2);
        }
    }
    ExitCode::from(status)
}

/// What an option is set to, of a line that clap could not read.
fn option<T: ValueEnum>(words: &[String], name: &str) -> Option<T> {
    let value = words.iter().enumerate().find_map(|(at, word)| match word.strip_prefix(name) {
        Some("") => words.get(at + 1).map(String::as_str),
        Some(rest) => rest.strip_prefix('='),
        None => None,
    });
    T::from_str(value?, false).ok()
}

fn shown(error: clap::Error) -> StyledStr {
    match error.kind() {
        ErrorKind::DisplayVersion => error.render(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // The same line again, this time to a tree that has all that is to be shown.
            let again = help::shown().try_get_matches().err().unwrap_or(error);
            help::own_words(&again.render().ansi().to_string()).into()
        }
        _ if lang::spoken() == Language::En && !has_better_words(&error) => error.render(),
        _ => {
            // And again: what our own parsers say is in the language of their time.
            let error = Cli::try_parse().err().unwrap_or(error);
            spoken(&error).map_or_else(|| error.render(), StyledStr::from)
        }
    }
}

/// Do we say more plainly than others' code what is wrong with a value?
fn has_better_words(error: &clap::Error) -> bool {
    let why = std::error::Error::source(error).map(ToString::to_string);
    error.kind() == ErrorKind::ValueValidation && why.is_some_and(|why| reason(&why) != why)
}

/// The first line of it, for those who have a place of their own for it.
pub(super) fn brief(error: &clap::Error) -> String {
    let own = if lang::spoken() == Language::En { None } else { sentence(error) };
    let text = own.map_or_else(|| error.render(), StyledStr::from).to_string();
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

fn string(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    }
}

fn strings(error: &clap::Error, kind: ContextKind) -> &[String] {
    match error.get(kind) {
        Some(ContextValue::String(text)) => slice::from_ref(text),
        Some(ContextValue::Strings(texts)) => texts,
        _ => &[],
    }
}

/// The whole message: what, perhaps what was meant, the usage, and where to go on.
fn spoken(error: &clap::Error) -> Option<String> {
    let styles = Styles::styled();
    let (wrong, right) = (styles.get_error(), styles.get_valid());
    let mut text = format!("{wrong}error:{wrong:#} {}", sentence(error)?);
    let tips = tips(error)?;
    for (at, tip) in tips.iter().enumerate() {
        let gap = if at == 0 { "\n" } else { "" };
        text += &format!("{gap}\n  {right}{}{right:#} {tip}", t!("tip:"));
    }
    if let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) {
        text += &format!("\n\n{}", help::own_words(&usage.ansi().to_string()));
    }
    let literal = styles.get_literal();
    let help = format!("{literal}--help{literal:#}");
    Some(text + &format!("\n\n{}\n", t!("For more information, try '{help}'.", help = help)))
}

/// What is wrong; `None` for a kind that only clap has words for.
fn sentence(error: &clap::Error) -> Option<String> {
    let styles = Styles::styled();
    let (bad, good, name) = (styles.get_invalid(), styles.get_valid(), styles.get_literal());
    let bad = |text: &str| format!("{bad}{}{bad:#}", printable(text));
    let good = |text: &str| format!("{good}{}{good:#}", printable(text));
    let name = |text: &str| format!("{name}{}{name:#}", printable(text));
    let list = |texts: &[String]| texts.iter().map(|text| format!("\n  {}", good(text))).collect::<String>();
    let argument = || string(error, ContextKind::InvalidArg);
    let value = || string(error, ContextKind::InvalidValue);
    Some(match error.kind() {
        ErrorKind::UnknownArgument => {
            t!("the argument '{argument}' is not known", argument = bad(argument()?))
        }
        ErrorKind::InvalidSubcommand => {
            let command = bad(string(error, ContextKind::InvalidSubcommand)?);
            t!("there is no command '{command}'", command = command)
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = list(strings(error, ContextKind::InvalidArg));
            t!("what is required was not given:{missing}", missing = missing)
        }
        ErrorKind::MissingSubcommand => {
            let command = bad(string(error, ContextKind::InvalidSubcommand)?);
            t!("'{command}' needs a command behind it", command = command)
        }
        ErrorKind::InvalidValue => {
            let what = if value()?.is_empty() {
                t!("'{argument}' needs a value, and has none", argument = bad(argument()?))
            } else {
                t!(
                    "'{value}' is no value for '{argument}'",
                    value = bad(value()?),
                    argument = name(argument()?)
                )
            };
            let known: Vec<_> =
                strings(error, ContextKind::ValidValue).iter().map(|text| good(text)).collect();
            if known.is_empty() {
                what
            } else {
                format!("{what}\n  {}", t!("[possible values: {values}]", values = known.join(", ")))
            }
        }
        ErrorKind::ValueValidation => {
            let what = t!(
                "'{value}' is no value for '{argument}'",
                value = bad(value()?),
                argument = name(argument()?)
            );
            match std::error::Error::source(error) {
                Some(why) => format!("{what}: {}", reason(&why.to_string())),
                None => what,
            }
        }
        ErrorKind::TooManyValues => t!(
            "'{value}' is one value too many for '{argument}'",
            value = bad(value()?),
            argument = name(argument()?)
        ),
        ErrorKind::ArgumentConflict => {
            let one = argument()?;
            let others = strings(error, ContextKind::PriorArg);
            match others {
                [other] if other == one => t!("'{argument}' may stand only once", argument = bad(one)),
                [other] => {
                    t!("'{argument}' can't stand beside '{other}'", argument = bad(one), other = bad(other))
                }
                [] => return None,
                _ => {
                    t!("'{argument}' can't stand beside:{others}", argument = bad(one), others = list(others))
                }
            }
        }
        ErrorKind::InvalidUtf8 => t!("the command line holds a word that is not UTF-8"),
        _ => return None,
    })
}

/// What could have been meant; `None` where clap has a tip that we don't know.
fn tips(error: &clap::Error) -> Option<Vec<String>> {
    let styles = Styles::styled();
    let good = styles.get_valid();
    let good = |text: &String| format!("'{good}{}{good:#}'", printable(text));
    let mut tips = Vec::new();
    for kind in [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue] {
        let near: Vec<_> = strings(error, kind).iter().map(good).collect();
        if !near.is_empty() {
            tips.push(t!("there is something like it: {near}", near = near.join(", ")));
        }
    }
    if let Some(ContextValue::StyledStrs(more)) = error.get(ContextKind::Suggested) {
        for tip in more.iter().map(ToString::to_string) {
            let quoted: Vec<&str> = tip.split('\'').collect();
            tips.push(match quoted.as_slice() {
                ["to pass ", word, " as a value, use ", line, ""] => {
                    t!(
                        "to pass '{word}' as a value: '{line}'",
                        word = printable(word),
                        line = printable(line)
                    )
                }
                ["", known, " exists"] => t!("there is '{known}'", known = known),
                ["subcommand ", known, " exists; to use it, remove the ", ..] => {
                    t!("there is the command '{known}'; leave out the '--' before it", known = known)
                }
                _ => return None,
            });
        }
    }
    Some(tips)
}

/// How humantime begins what it says.
const TIME: [&str; 5] =
    ["expected number", "invalid character", "time unit needed", "unknown time unit", "number is too large"];

/// Reasons that others' code gives in English; ours are said in the language that is spoken.
fn reason(english: &str) -> String {
    match english {
        "invalid digit found in string" => t!("it is no whole number"),
        "cannot parse integer from empty string" | "value was empty" => t!("it is empty"),
        "number too large to fit in target type" => t!("it is too large"),
        "number too small to fit in target type" => t!("it is too small"),
        "invalid socket address syntax" => t!("it is no address with a port, as in 127.0.0.1:8000"),
        _ if TIME.iter().any(|start| english.starts_with(start)) => {
            t!("it is no time, as in 90s or 15min")
        }
        _ => match english.split_once(" is not in ").and_then(|(_, range)| range.split_once("..")) {
            Some((least, most)) => {
                t!("it goes from {least} to {most}", least = least, most = most.trim_start_matches('='))
            }
            None => english.to_owned(),
        },
    }
}
