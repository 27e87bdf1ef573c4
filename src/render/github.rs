//! GitHub's workflow commands: a line each, which the runner shows at the place that it names.
//!
//! Escaping is that of the runner's own toolkit, so that no name of a file and no message can become another command.

use super::diagnostic::{Answer, Artifact, Base, Diagnostic, Level, Log};
use super::style::printable;

/// A line for each finding, and one that counts.
pub fn document(log: &Log) -> String {
    let mut out = String::new();
    for diagnostic in log.diagnostics() {
        if let Answer::Found(level) = diagnostic.answer {
            // The place of a profile can be opened; what was seen on a host is told.
            let text = if log.command == "doctor" { &diagnostic.detail } else { &diagnostic.message };
            out += &line(level, diagnostic, text.trim_end());
        }
    }
    // Plain text, not a command: a step shows ten notices at most.
    out + &format!("civicum-tune {}: {}\n", log.command, log.summary)
}

/// What stdout gets when the command failed.
pub fn failure(command: &str, message: &str) -> String {
    format!("::error title={}::{}\n", property(&format!("civicum-tune {command}")), data(&printable(message)))
}

fn line(level: Level, diagnostic: &Diagnostic, text: &str) -> String {
    let mut properties = Vec::new();
    let place = diagnostic.places.iter().find(|place| place.artifact.is_some());
    let mut message = text.to_owned();
    if let Some(place) = place {
        match &place.artifact {
            Some(Artifact { base: Base::Bundled, path }) => {
                message = format!("{}: {message}", printable(path));
            }
            Some(artifact) => properties.push(format!("file={}", property(&printable(tidy(&artifact.path))))),
            None => {}
        }
        if let (Some(region), false) = (&place.region, properties.is_empty()) {
            properties.push(format!("line={}", region.line));
            properties.push(format!("endLine={}", region.end_line));
            // Columns are for a stretch of one line only.
            if let (Some(from), Some(to), true) =
                (region.column, region.end_column, region.line == region.end_line)
            {
                properties.push(format!("col={from}"));
                properties.push(format!("endColumn={to}"));
            }
        }
    }
    properties.push(format!("title={}", property(diagnostic.rule)));
    let command = match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "notice",
    };
    format!("::{command} {}::{}\n", properties.join(","), data(&message))
}

fn tidy(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_a_command() {
        assert_eq!(property("a,b::set-env 100%\r\n"), "a%2Cb%3A%3Aset-env 100%25%0D%0A");
        let line = failure("doctor", "a\n::error::b %0A");
        assert_eq!(line, "::error title=civicum-tune doctor::a%0A::error::b %250A\n");
    }
}
