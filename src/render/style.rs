//! Colour where it helps, plain text in a pipe.

use crate::profile::finding::is_harmful;

/// Whether to use colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Escape sequences are wanted.
    pub colour: bool,
}

impl Style {
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

/// Breaks a text into lines of at most `width` characters, at blanks.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_can_not_drive_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\r\n"), "a\\u{1b}[2Jb\u{240d}\n");
    }

    #[test]
    fn wraps_at_blanks() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("averylongword x", 4), ["averylongword", "x"]);
    }
}
