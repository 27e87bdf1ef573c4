//! Data to standard output, everything else to standard error.

use crate::t;
use std::io::{self, Write as _};

use serde_json::Value;

use super::{Colour, Format, Global};
use crate::host::{HostError, terminal};
use crate::render::style::printable;
use crate::render::{Style, json};

/// Where a command's words go.
pub(super) struct Out {
    /// One JSON document, and nothing else, on standard output.
    pub json: bool,
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
    pub(super) fn new(global: &Global) -> Self {
        let wanted = |is_terminal: bool| match global.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                let dumb = terminal::environment("TERM").is_some_and(|term| term == "dumb");
                is_terminal && !dumb && terminal::environment("NO_COLOR").is_none()
            }
        };
        Self {
            json: global.format == Format::Json,
            style: Style { colour: wanted(terminal::stdout_is_terminal()) },
            err_style: Style { colour: wanted(terminal::stderr_is_terminal()) },
            quiet: global.quiet,
            verbose: global.verbose,
        }
    }

    /// For a reader of JSON whose other wishes are not known.
    pub(super) fn to_json() -> Self {
        let plain = Style { colour: false };
        Self { json: true, style: plain, err_style: plain, quiet: false, verbose: false }
    }

    /// Data. A reader that went away (`| head`) is no error.
    pub(super) fn data(&self, text: &str) {
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }

    /// The one JSON document.
    pub(super) fn document(&self, value: &Value) {
        self.data(&format!("{value:#}\n"));
    }

    /// A line that is no data.
    pub(super) fn say(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{text}");
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
                message += &t!("\n  because: {cause}", cause = cause);
            }
            told = cause.is::<HostError>();
        }
        // It may quote a host's files, or what a program printed.
        let message = printable(&message);
        if self.json {
            self.document(&json::error(&message));
        }
        let _ = writeln!(io::stderr(), "{} {message}", self.err_style.bold(&self.err_style.red("error:")));
    }
}
