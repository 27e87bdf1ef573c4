//! Small pictures as SVG: what a terminal shows, and boxes with words in them.

use std::fmt::Write as _;

/// Text that stands in XML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A picture of this size, with its title for those who can't see it.
pub fn picture(width: f64, height: f64, title: &str, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n\
         <title>{}</title>\n{body}</svg>\n",
        escaped(title)
    )
}

/// A box with round corners.
pub fn rect(x: f64, y: f64, width: f64, height: f64, fill: &str) -> String {
    format!(
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"4\" fill=\"{fill}\"/>\n"
    )
}

/// Words at a place; `style` is what else stands in the element.
pub fn words(x: f64, y: f64, size: f64, style: &str, text: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" {style}>{}</text>\n", escaped(text))
}

pub const SANS: &str = "font-family=\"system-ui, sans-serif\"";

const CELL: f64 = 8.0;
const LINE: f64 = 18.0;
const EDGE: f64 = 16.0;
const BAR: f64 = 32.0;
/// A longer line goes on in the next one: a window is only so wide.
const WIDEST: usize = 104;

/// How a run of characters looks.
#[derive(Clone, Copy, Default, PartialEq)]
struct Look {
    bold: bool,
    dim: bool,
    colour: Option<&'static str>,
}

impl Look {
    fn take(&mut self, codes: &str) {
        for code in codes.split(';') {
            match code {
                "" | "0" => *self = Self::default(),
                "1" => self.bold = true,
                "2" => self.dim = true,
                "31" => self.colour = Some("#ff8b82"),
                "32" => self.colour = Some("#8fd694"),
                "33" => self.colour = Some("#ecc66f"),
                "36" => self.colour = Some("#6fc7d6"),
                other => panic!("the program paints in a way that the pictures don't know: {other}"),
            }
        }
    }

    fn attributes(self) -> String {
        let mut out = String::new();
        if self.bold {
            out += " font-weight=\"bold\"";
        }
        if self.dim {
            out += " fill-opacity=\"0.65\"";
        }
        if let Some(colour) = self.colour {
            let _ = write!(out, " fill=\"{colour}\"");
        }
        out
    }
}

/// One line of a window: runs of one look, each at its column, and how many columns there are.
type Row = (Vec<(usize, Look, String)>, usize);

/// One line of painted text, as a window shows it: in as many rows as it takes.
fn rows(line: &str) -> Vec<Row> {
    let mut above: Vec<Row> = Vec::new();
    let (mut found, mut look, mut column): (Vec<(usize, Look, String)>, _, _) =
        (Vec::new(), Look::default(), 0);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\x1b' {
            assert_eq!(chars.next(), Some('['), "only colours are expected");
            let codes: String = chars.by_ref().take_while(|c| *c != 'm').collect();
            look.take(&codes);
            continue;
        }
        if column == WIDEST {
            above.push((std::mem::take(&mut found), column));
            column = 0;
        }
        match found.last_mut() {
            Some((_, last, text)) if *last == look => text.push(c),
            _ => found.push((column, look, c.to_string())),
        }
        column += 1;
    }
    above.push((found, column));
    above
}

/// What a terminal shows: the command, and the painted text below it, in a window.
pub fn terminal(command: &str, painted: &str) -> String {
    let first = format!("\x1b[32m$\x1b[0m \x1b[1m{command}\x1b[0m");
    let lines: Vec<_> = std::iter::once(first.as_str()).chain(painted.lines()).flat_map(rows).collect();
    let columns = lines.iter().map(|(_, columns)| *columns).max().unwrap_or(0).max(60);
    let columns = f64::from(u32::try_from(columns).unwrap());
    let count = f64::from(u32::try_from(lines.len()).unwrap());
    let (width, height) = (columns.mul_add(CELL, 2.0 * EDGE), count.mul_add(LINE, BAR + 1.5 * EDGE));
    let mut body = format!("<rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#1b1f27\"/>\n");
    for (at, colour) in ["#ff5f57", "#febc2e", "#28c840"].iter().enumerate() {
        let x = f64::from(u32::try_from(at).unwrap()).mul_add(18.0, EDGE + 4.0);
        let _ = writeln!(body, "<circle cx=\"{x}\" cy=\"18\" r=\"5.5\" fill=\"{colour}\"/>");
    }
    body += "<g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"13\" fill=\"#dfe3ea\" xml:space=\"preserve\">\n";
    for (at, (runs, _)) in lines.iter().enumerate() {
        let y = f64::from(u32::try_from(at).unwrap()).mul_add(LINE, BAR + EDGE);
        for (column, look, text) in runs.iter().filter(|(_, _, text)| !text.trim().is_empty()) {
            let blanks = text.chars().take_while(|c| *c == ' ').count();
            let column = f64::from(u32::try_from(column + blanks).unwrap());
            let text = text.trim();
            let long = f64::from(u32::try_from(text.chars().count()).unwrap()) * CELL;
            let _ = writeln!(
                body,
                "<text x=\"{}\" y=\"{y}\" textLength=\"{long}\"{}>{}</text>",
                column.mul_add(CELL, EDGE),
                look.attributes(),
                escaped(text)
            );
        }
    }
    body += "</g>\n";
    picture(width, height, &format!("What {command} prints"), &body)
}
