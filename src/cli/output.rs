//! Data to standard output, everything else to standard error.

use crate::t;
use std::io::{self, Write as _};
use std::sync::OnceLock;

use serde_json::Value;

use super::{Colour, Format, Global};
use crate::host::{HostError, in_words, terminal};
use crate::render::diagnostic::Log;
use crate::render::style::{flow, hang, printable};
use crate::render::{Style, github, json, junit, sarif};

/// Where a command's words go.
pub(super) struct Out {
    /// One JSON document, and nothing else, on standard output.
    pub json: bool,
    format: Format,
    command: &'static str,
    /// How standard output is painted.
    pub style: Style,
    /// How standard error is painted.
    pub err_style: Style,
    /// `-q`.
    pub quiet: bool,
    /// `-v`.
    pub verbose: bool,
}

impl Out {
    pub(super) fn new(global: &Global, command: &'static str) -> Self {
        let wanted = |is_terminal| is_painted(global.color, is_terminal);
        Self {
            json: global.format == Format::Json,
            format: global.format,
            command,
            style: Style::new(wanted(terminal::stdout_is_terminal()), terminal::columns()),
            err_style: Style::new(wanted(terminal::stderr_is_terminal()), terminal::columns()),
            quiet: global.quiet,
            verbose: global.verbose,
        }
    }

    /// Data. A reader that went away (`| head`) is no error.
    pub(super) fn data(&self, text: &str) {
        put(text);
    }

    /// Data, a line each: one too long for a terminal goes on below, so far to the right. A pipe keeps lines whole.
    pub(super) fn lines(&self, text: &str, indent: usize) {
        self.data(&text.lines().map(|line| self.hung(line, indent) + "\n").collect::<String>());
    }

    /// One such line.
    pub(super) fn hung(&self, line: &str, indent: usize) -> String {
        if terminal::columns().is_some() { hang(line, self.style.width, indent) } else { line.to_owned() }
    }

    /// Is one of the formats for findings wanted?
    pub(super) fn wants_log(&self) -> bool {
        matches!(self.format, Format::Sarif | Format::Junit | Format::Github)
    }

    /// Findings in the format that is wanted.
    pub(super) fn log(&self, log: &Log) {
        match self.format {
            Format::Human | Format::Json => {}
            Format::Sarif => self.document(&sarif::document(log)),
            Format::Junit => self.data(&junit::document(log)),
            Format::Github => self.data(&github::document(log)),
        }
    }

    /// The one JSON document.
    pub(super) fn document(&self, value: &Value) {
        // Those that others define have no such key.
        let at = value.as_object().and_then(|fields| fields.keys().position(|key| key == "schema"));
        debug_assert!(at.is_none_or(|at| at == 0), "its kind comes first");
        self.data(&format!("{value:#}\n"));
    }

    /// A line that is no data.
    pub(super) fn say(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{}", self.as_it_fits(text));
        }
    }

    /// A reason why it ends with status 2; `-q` does not silence it.
    pub(super) fn complain(&self, message: &str) {
        let text = format!("{} {message}", self.err_style.bold(&self.err_style.red("error:")));
        let _ = writeln!(io::stderr(), "{}", self.as_it_fits(&text));
    }

    /// Broken at words for a terminal; a pipe keeps lines whole.
    fn as_it_fits(&self, text: &str) -> String {
        match terminal::error_columns() {
            Some(columns) => flow(text, Style::new(false, Some(columns)).width),
            None => text.to_owned(),
        }
    }

    /// The reason why it ended with status 2.
    pub(super) fn failure(&self, error: &anyhow::Error) {
        let mut message = error.to_string();
        let mut told = error.is::<HostError>();
        for cause in error.chain().skip(1) {
            // A cause that its error quotes already is not told twice, and a HostError quotes the system's.
            let quoted = message.contains(&cause.to_string()) || (told && cause.is::<io::Error>());
            if !quoted {
                let cause = cause.downcast_ref().map_or_else(|| cause.to_string(), in_words);
                message += &t!("\n  because: {cause}", cause = cause);
            }
            told = cause.is::<HostError>();
        }
        // It may quote a host's files, or what a program printed.
        let message = printable(&message);
        failed(self.format, self.command, &message);
        self.complain(&message);
    }
}

/// Is what goes there painted?
pub(super) fn is_painted(colour: Colour, is_terminal: bool) -> bool {
    match colour {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => {
            let dumb = terminal::environment("TERM").is_some_and(|term| term == "dumb");
            is_terminal && !dumb && terminal::environment("NO_COLOR").is_none()
        }
    }
}

/// Why standard output did not take everything.
static LOST: OnceLock<String> = OnceLock::new();

/// What standard output lost, a full disk for one. A reader that went away is no loss.
pub(super) fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}

/// That somebody reads only a part.
pub(super) fn incomplete(why: &str) -> String {
    t!("standard output did not take all of it: {why}", why = why)
}

/// To standard output.
pub(super) fn put(text: &str) {
    let mut stdout = io::stdout().lock();
    if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        if error.kind() != io::ErrorKind::BrokenPipe {
            LOST.get_or_init(|| in_words(&error));
        }
    }
}

/// What standard output gets when a command failed: one document all the same.
pub(super) fn failed(format: Format, command: &str, message: &str) {
    match format {
        Format::Human => {}
        Format::Json => put(&format!("{:#}\n", json::error(message))),
        Format::Sarif => put(&format!("{:#}\n", sarif::failure(command, message))),
        Format::Junit => put(&junit::failure(command, message)),
        Format::Github => put(&github::failure(command, message)),
    }
}
