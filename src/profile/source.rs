//! A profile's text, and where in it a byte is.

use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

/// The text of one profile, with the name under which people know it.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    name: String,
    text: String,
    /// The byte at which each line starts.
    starts: Vec<usize>,
}

/// A stretch of a text. Lines and columns count from 1, columns in characters; the end is the first column
/// after the stretch, as rustc and SARIF have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Span {
    /// Line of the first character.
    pub line: u32,
    /// Column of the first character.
    pub column: u32,
    /// Line of the end.
    pub end_line: u32,
    /// Column after the last character.
    pub end_column: u32,
}

/// A stretch of bytes in a certain source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// In which text.
    pub source: Arc<Source>,
    /// Which bytes.
    pub bytes: Range<usize>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// A bundled profile's name or a file's path.
    pub source: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Source {
    /// `text`, known as `name`.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { name: name.into(), text, starts }
    }

    /// A bundled profile's name or a file's path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All of it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A line (from 1) without its end; empty where there is none.
    pub fn line(&self, line: u32) -> &str {
        let line = line as usize;
        let Some(start) = line.checked_sub(1).and_then(|index| self.starts.get(index)) else {
            return "";
        };
        let end = self.starts.get(line).copied().unwrap_or(self.text.len());
        self.text.get(*start..end).unwrap_or("").trim_end_matches(['\n', '\r'])
    }

    /// Line and column of a byte. A byte behind the end is taken for the end.
    pub fn position(&self, byte: usize) -> (u32, u32) {
        let byte = byte.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= byte);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        // Counting the bytes that begin a character needs no character boundary at either end.
        let before = &self.text.as_bytes()[start..byte];
        let column = before.iter().filter(|b| **b & 0xC0 != 0x80).count() + 1;
        // A profile has at most 1 MiB.
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }

    /// Where a stretch of bytes begins and ends.
    pub fn span(&self, bytes: &Range<usize>) -> Span {
        let (line, column) = self.position(bytes.start);
        let (end_line, end_column) = self.position(bytes.end.max(bytes.start));
        Span { line, column, end_line, end_column }
    }
}

impl Place {
    /// Where it begins and ends.
    pub fn span(&self) -> Span {
        self.source.span(&self.bytes)
    }

    /// As it is shown beside a value.
    pub fn provenance(&self) -> Provenance {
        let (line, column) = self.source.position(self.bytes.start);
        Provenance { source: self.source.name().to_owned(), line, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_characters_not_bytes() {
        let source = Source::new("x", "a\nñandú = 1\r\n€");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position("a\nñandú".len()), (2, 6));
        assert_eq!(source.position(1000), (3, 2));
        assert_eq!(source.line(2), "ñandú = 1");
        assert_eq!(source.line(4), "");
        assert_eq!(source.line(0), "");
    }

    #[test]
    fn a_span_may_start_inside_a_character() {
        let source = Source::new("x", "€€");
        assert_eq!(source.span(&(1..4)), Span { line: 1, column: 2, end_line: 1, end_column: 3 });
        assert_eq!(
            Source::new("x", "").span(&(0..0)),
            Span { line: 1, column: 1, end_line: 1, end_column: 1 }
        );
    }
}
