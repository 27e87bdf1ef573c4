//! Unified diffs of files.

use similar::TextDiff;

use super::Style;
use super::style::printable;
use crate::host::Image;

/// The unified diff from one image of a file to another, three lines of context; empty where the text is the same.
pub fn unified(path: &str, before: &Image, after: &Image) -> String {
    let name = |image: &Image| if image.is_absent() { "/dev/null".to_owned() } else { path.to_owned() };
    if matches!((before, after), (Image::Link { .. }, _) | (_, Image::Link { .. })) {
        let lines = |image: &Image, sign: char| match image {
            Image::Link { target } => format!("{sign}link to {target}\n"),
            other => other.text().lines().map(|line| format!("{sign}{line}\n")).collect(),
        };
        return format!(
            "--- {}\n+++ {}\n{}{}",
            name(before),
            name(after),
            lines(before, '-'),
            lines(after, '+')
        );
    }
    let (old, new) = (before.text(), after.text());
    TextDiff::from_lines(old.as_ref(), new.as_ref())
        .unified_diff()
        .context_radius(3)
        .header(&name(before), &name(after))
        .to_string()
}

/// The same with colour, each line indented.
pub fn coloured(diff: &str, style: Style, indent: &str) -> String {
    let mut out = String::new();
    for line in diff.lines() {
        let line = printable(line);
        let painted = match line.as_bytes().first() {
            _ if line.starts_with("--- ") || line.starts_with("+++ ") => style.bold(&line),
            Some(b'+') => style.green(&line),
            Some(b'-') => style.red(&line),
            Some(b'@') => style.cyan(&line),
            _ => line,
        };
        out += indent;
        out += painted.trim_end();
        out.push('\n');
    }
    out
}
