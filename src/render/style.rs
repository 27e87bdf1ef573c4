//! Colour where it helps, plain text in a pipe.

use crate::profile::finding::is_harmful;

/// Whether to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Escape sequences are wanted.
    pub colour: bool,
    /// How wide a line gets at most, in columns.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { colour: false, width: Self::WIDEST }
    }
}

impl Style {
    /// Longer lines are hard to read, however wide the terminal is.
    pub const WIDEST: usize = 96;
    /// Below that, words break more than they help.
    const NARROWEST: usize = 60;

    /// For a terminal of so many columns; `None` where there is none.
    pub fn new(colour: bool, columns: Option<u16>) -> Self {
        let width =
            columns.map_or(Self::WIDEST, |columns| usize::from(columns).clamp(Self::NARROWEST, Self::WIDEST));
        Self { colour, width }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Headings.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What is secondary.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// What goes, and errors.
    pub fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// What comes, and success.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// What wants attention.
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Places in a diff.
    pub fn cyan(self, text: &str) -> String {
        self.paint("36", text)
    }
}

/// Text that comes from a host's files, made safe for a terminal: control characters, and those that
/// reorder text, are shown and not obeyed.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' | '\n' => c.to_string(),
            '\r' => "\u{240d}".to_owned(),
            c if is_harmful(c) => c.escape_default().to_string(),
            c => c.to_string(),
        })
        .collect()
}

/// The same for text that is painted already: colours and nothing else is obeyed.
pub fn tamed(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let mut out = parts.next().map_or_else(String::new, printable);
    for part in parts {
        let digits = |c: char| c.is_ascii_digit() || c == ';';
        let painted = part.strip_prefix('[').and_then(|rest| rest.split_once('m'));
        match painted.filter(|(code, _)| code.len() < 12 && code.chars().all(digits)) {
            Some((code, rest)) => out += &format!("\x1b[{code}m{}", printable(rest)),
            None => out += &printable(&format!("\x1b{part}")),
        }
    }
    out
}

/// How many columns a painted text takes: what paints takes none.
pub fn columns(text: &str) -> usize {
    let mut parts = text.split('\x1b');
    let plain = parts.next().map_or(0, |part| part.chars().count());
    let painted = parts.map(|part| part.split_once('m').map_or(0, |(_, rest)| rest.chars().count()));
    plain + painted.sum::<usize>()
}

/// Breaks a text into lines of at most `width` columns, at blanks.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && columns(&line) + 1 + columns(word) > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// A line that is too long, broken at blanks; what follows is so far to the right.
pub fn hang(line: &str, width: usize, indent: usize) -> String {
    if columns(line) <= width {
        return line.to_owned();
    }
    let start = &line[..line.len() - line.trim_start().len()];
    let (mut lines, mut words) = (Vec::new(), String::new());
    // Blanks that part columns stay: only one at which it breaks goes.
    for word in line.trim_start().split_inclusive(' ') {
        let before = if lines.is_empty() { start.len() } else { indent };
        if !words.is_empty() && before + columns(&words) + columns(word.trim_end()) > width {
            lines.push(std::mem::take(&mut words));
            if word.trim().is_empty() {
                continue;
            }
        }
        words += word;
    }
    lines.push(words);
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    format!("{start}{}", lines.join(&format!("\n{:indent$}", "")))
}

/// Findings as they fit a terminal: the sentences are broken at blanks, quoted lines are left to the terminal.
pub fn fit(findings: &str, width: usize) -> String {
    flow(findings, width) + "\n"
}

/// Where the first command of a line begins, with the mark before it.
fn command_in(line: &str) -> Option<usize> {
    let mut at = 0;
    line.split_inclusive(' ').find_map(|word| {
        let begin = at;
        at += word.len();
        ["sudo ", "civicum-tune "].contains(&word.trim_start_matches(['`', '('])).then_some(begin)
    })
}

/// Lines that are too long are broken at blanks, and go on below where their words began. From a command on a line is left to the
/// terminal, which pastes it as a whole: of two lines the first half would be carried out. So are quoted lines, those of a shell, and
/// those in which blanks count.
pub fn flow(text: &str, width: usize) -> String {
    let is_quoted = |line: &str| {
        line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit()).starts_with('|')
            && line.starts_with(' ')
    };
    let mut lines = Vec::new();
    for line in text.lines() {
        let words = line.trim_start();
        let stays = is_quoted(line) || words.contains(" | ") || words.contains("  ");
        if columns(line) <= width || stays {
            lines.push(line.to_owned());
            continue;
        }
        let indent = &line[..line.len() - words.len()];
        let (before, command) = words.split_at(command_in(words).unwrap_or(words.len()));
        let mut parts =
            if before.is_empty() { Vec::new() } else { wrap(before, width.saturating_sub(indent.len())) };
        match parts.last_mut() {
            Some(last) if indent.len() + columns(last) + 1 + columns(command) <= width => {
                *last += " ";
                *last += command;
            }
            _ if command.is_empty() => {}
            _ => parts.push(command.to_owned()),
        }
        lines.extend(parts.iter().map(|part| format!("{indent}{}", part.trim_end())));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_can_not_drive_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\r\n"), "a\\u{1b}[2Jb\u{240d}\n");
    }

    #[test]
    fn sentences_are_broken_and_quoted_lines_are_not() {
        let text = "a.toml:1:1: error: too long\n   |\n 1 | key = \"a b c d e f\"\n   | ^^^\nhelp: make it short\n\n";
        let wanted = "a.toml:1:1:\nerror: too\nlong\n   |\n 1 | key = \"a b c d e f\"\n   | ^^^\nhelp: make\nit short\n\n";
        assert_eq!(fit(text, 11), wanted);
        assert_eq!(flow("one  two\n  one two three", 9), "one  two\n  one two\n  three");
        assert_eq!(flow("in 'a  folder'", 9), "in 'a  folder'", "blanks of a path are its own");
        // A command is pasted as a whole.
        let line = "Next: sudo civicum-tune plan --profile x; or read `man 5 y`";
        assert_eq!(flow(line, 12), "Next:\nsudo civicum-tune plan --profile x; or read `man 5 y`");
        let line = "see to it: civicum-tune apply --root . --profile x";
        assert_eq!(flow(line, 12), "see to it:\ncivicum-tune apply --root . --profile x");
        assert_eq!(flow("no plan of `civicum-tune plan --out`", 12), "no plan of\n`civicum-tune plan --out`");
        assert_eq!(flow("ññ ññ 'civicum-tune x'", 9), "ññ ññ\n'civicum-tune\nx'");
        assert_eq!(hang("  a  one two three", 11, 5), "  a  one\n     two\n     three");
        assert_eq!(hang("  a  one two three", 13, 5), "  a  one two\n     three");
        assert_eq!(hang("  a  one two three", 99, 5), "  a  one two three");
    }

    #[test]
    fn wraps_at_blanks() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("averylongword x", 4), ["averylongword", "x"]);
        let red = Style::new(true, None).red("two");
        assert_eq!(wrap(&format!("one {red} three"), 7), [format!("one {red}"), "three".to_owned()]);
    }
}
