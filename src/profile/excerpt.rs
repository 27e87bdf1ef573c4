//! A finding as a person reads it: one line that editors can jump to, the source line, what is wrong underlined.

use std::fmt::Write as _;

use super::finding::{Finding, is_harmful};
use crate::lang::say;

/// The most columns of a source line that are shown; longer ones are cut around the underlined part.
const WIDTH: usize = 96;
/// Columns that a tab becomes.
const TAB: &str = "    ";

/// The finding with its source line, ending in a line feed.
pub fn render(finding: &Finding) -> String {
    let mut out = String::new();
    let Finding { code, severity, message, file, .. } = finding;
    let Some(span) = finding.span else {
        let _ = writeln!(out, "{file}: {severity}[{code}]: {message}");
        push_help(&mut out, finding);
        return out;
    };
    let _ = writeln!(out, "{file}:{}:{}: {severity}[{code}]: {message}", span.line, span.column);
    if let Some(source) = finding.source() {
        let line = source.line(span.line);
        let end = if span.end_line > span.line { line.chars().count() + 1 } else { span.end_column as usize };
        let (shown, from, width) = cut(line, span.column as usize, end);
        let number = span.line.to_string();
        let gutter = " ".repeat(number.len());
        let _ = writeln!(out, " {gutter} |");
        let _ = writeln!(out, " {number} | {shown}");
        let _ = writeln!(out, " {gutter} | {}{}", " ".repeat(from), "^".repeat(width));
    }
    push_help(&mut out, finding);
    out
}

fn push_help(out: &mut String, finding: &Finding) {
    if let Some(help) = &finding.help {
        let _ = writeln!(out, "{}: {help}", say("help"));
    }
}

/// All of them, one blank line between two.
pub fn render_all(findings: &[Finding]) -> String {
    findings.iter().map(render).collect::<Vec<_>>().join("\n")
}

/// The part of a line to show; the columns of the terminal before the underline, and its length.
fn cut(line: &str, column: usize, end_column: usize) -> (String, usize, usize) {
    // A line may have a million characters: only those near the underline are looked at.
    let skipped = (column - 1).saturating_sub(2 * WIDTH);
    let cells: Vec<(String, usize)> = line.chars().skip(skipped).take(4 * WIDTH).map(cell).collect();
    let whole = skipped == 0 && cells.len() < 4 * WIDTH;
    let start = (column - 1 - skipped).min(cells.len());
    let end = (end_column.max(column + 1) - 1 - skipped).clamp(start, cells.len());
    let columns = |range: &[(String, usize)]| range.iter().map(|(_, width)| width).sum::<usize>();
    if whole && columns(&cells) <= WIDTH {
        let text = cells.iter().map(|(text, _)| text.as_str()).collect();
        return (text, columns(&cells[..start]), columns(&cells[start..end]).max(1));
    }
    // Keep a third of the room before the underline, so that one sees what it belongs to.
    let mut first = start;
    while first > 0 && columns(&cells[first - 1..start]) <= WIDTH / 3 {
        first -= 1;
    }
    let mut last = first;
    while last < cells.len() && columns(&cells[first..=last]) <= WIDTH - 2 {
        last += 1;
    }
    let before = if first + skipped > 0 { "…" } else { "" };
    let after =
        if last < cells.len() || !whole && skipped + last < line.chars().count() { "…" } else { "" };
    let text: String = cells[first..last].iter().map(|(text, _)| text.as_str()).collect();
    let from = columns(&cells[first..start]) + before.chars().count();
    let marked = columns(&cells[start..end.min(last.max(start))]).max(1);
    (format!("{before}{text}{after}"), from, marked)
}

/// A character as it is shown, and the columns that it takes on a terminal.
fn cell(c: char) -> (String, usize) {
    if c == '\t' {
        return (TAB.to_owned(), TAB.len());
    }
    if is_harmful(c) {
        return ("\u{fffd}".to_owned(), 1);
    }
    (c.to_string(), width(c))
}

/// East Asian wide characters and emoji take two columns, combining marks none. The blocks are coarse (Unicode's
/// own table is long), which costs a caret at the wrong column at worst.
fn width(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f
        | 0x0483..=0x0489
        | 0x0591..=0x05bd
        | 0x1ab0..=0x1aff
        | 0x1dc0..=0x1dff
        | 0x20d0..=0x20ff
        | 0xfe00..=0xfe0f
        | 0xfe20..=0xfe2f
        | 0xe0100..=0xe01ef => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0x4dbf
        | 0x4e00..=0x9fff
        | 0xa000..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::finding::Code;
    use super::super::source::{Place, Source};
    use super::*;

    fn shown(text: &str, bytes: std::ops::Range<usize>) -> String {
        let place = Place { source: Arc::new(Source::new("p.toml", text)), bytes };
        render(&Finding::error(Code::Value, &place, "no").help("do"))
    }

    #[test]
    fn underlines_what_is_wrong() {
        assert_eq!(
            shown("a = 1\nbb = 2\n", 6..8),
            "p.toml:2:1: error[profile/value]: no\n   |\n 2 | bb = 2\n   | ^^\nhelp: do\n"
        );
    }

    #[test]
    fn tabs_and_wide_characters_keep_the_caret_in_place() {
        let text = "\ta = \"漢字\" x";
        let at = text.find('x').unwrap();
        let out = shown(text, at..at + 1);
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[0], "p.toml:1:11: error[profile/value]: no");
        assert_eq!(lines[2], " 1 |     a = \"漢字\" x");
        // Four for the tab, five for `a = "`, four for the two wide ones, two for `" `.
        assert_eq!(lines[3], format!("   | {}^", " ".repeat(4 + 5 + 4 + 2)));
    }

    #[test]
    fn long_lines_are_cut_and_escapes_never_reach_the_terminal() {
        let text = format!("{}X{}\u{1b}[31m", "a".repeat(5000), "b".repeat(5000));
        let out = shown(&text, 5000..5001);
        assert!(out.lines().all(|line| line.chars().count() < 120), "{out}");
        assert!(out.contains('X') && !out.contains('\u{1b}'));
        let (line, caret) = (out.lines().nth(2).unwrap(), out.lines().nth(3).unwrap());
        assert_eq!(line.chars().position(|c| c == 'X'), caret.chars().position(|c| c == '^'));
    }

    #[test]
    fn an_empty_stretch_and_the_end_of_the_file_have_a_caret() {
        assert!(shown("a =", 3..3).contains("   |    ^\n"));
        assert!(shown("", 0..0).contains(" | ^\n"));
        assert!(shown("a = [\n1,\n", 4..9).contains("   |     ^\n"));
    }
}
