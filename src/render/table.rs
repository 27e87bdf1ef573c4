//! Columns that line up.

use super::style::Style;

/// Lays out lines of words in columns: the first line is the head, `paint` colours a word by its line (from 0, without the head) and
/// its column.
pub fn aligned(lines: &[Vec<String>], style: Style, paint: impl Fn(usize, usize, &str) -> String) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        lines.iter().filter_map(|line| line.get(at)).map(|word| word.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        let mut text = String::new();
        for (column, (word, width)) in line.iter().zip(&widths).enumerate() {
            let last = column + 1 == line.len();
            let padded = if last { word.clone() } else { format!("{word:<width$}") };
            let painted = if at == 0 { style.dim(&padded) } else { paint(at - 1, column, &padded) };
            text += &format!("  {painted}");
        }
        out += text.trim_end();
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let lines = [["A", "LONG HEAD", "C"], ["word", "x", ""], ["", "y", "z"]];
        let lines: Vec<Vec<String>> = lines.iter().map(|line| line.map(str::to_owned).to_vec()).collect();
        let text = aligned(&lines, Style::default(), |_, _, word| word.to_owned());
        assert_eq!(text, "  A     LONG HEAD  C\n  word  x\n        y          z\n");
    }
}
