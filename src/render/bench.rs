//! What was measured: tables with a bar for each row, and one JSON document.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::style::{Style, printable, wrap};
use super::table::aligned;
use crate::bench::advice::{Advice, Claim};
use crate::bench::load::Load;
use crate::bench::{Report, Section, Spread, Table, Verdict};
use crate::lang::say;
use crate::profile::edit::New;
use crate::t;
use crate::units::Bytes;

/// The widest and the narrowest bar, in columns.
const BAR: (usize, usize) = (24, 6);
/// The longest word of a label, in columns.
const LABEL: usize = 22;

/// Everything, as a person reads it.
pub fn human(report: &Report, style: Style) -> String {
    let mut out = head(report, style);
    for section in &report.sections {
        out += &format!("\n{}", style.bold(section.kind.word()));
        match &section.tables {
            Ok(tables) => {
                out.push('\n');
                for (at, table) in tables.iter().enumerate() {
                    out += if at == 0 { "" } else { "\n" };
                    out += &one(table, style);
                }
            }
            Err(why) => {
                out += &format!("  {}\n", style.yellow(&say("could not tell")));
                out += &indented(why, style, |_, line| line.to_owned());
            }
        }
        for note in &section.notes {
            out += &indented(note, style, Style::dim);
        }
    }
    if !report.advice.is_empty() {
        out += &format!("\n{}\n", style.bold(&say("Values of the profile")));
        report.advice.iter().for_each(|advice| out += &value(advice, style));
    }
    if !report.claims.is_empty() {
        out += &format!("\n{}\n", style.bold(&say("What is said of it")));
        report.claims.iter().for_each(|claim| out += &claimed(claim, style));
    }
    out += &format!(
        "\n{}\n",
        style.dim(&t!(
            "± is the repeat that was farthest from the median; {seconds} s in all",
            seconds = format!("{:.0}", report.seconds)
        ))
    );
    out
}

fn head(report: &Report, style: Style) -> String {
    let machine = t!(
        "{cpu}, {threads} processors, {memory}, Linux {kernel}",
        cpu = printable(&report.cpu),
        threads = report.threads,
        memory = Bytes(report.memory_bytes >> 20 << 20),
        kernel = printable(&report.kernel)
    );
    let mut out: String =
        wrap(&machine, style.width).iter().map(|line| format!("{}\n", style.bold(line))).collect();
    for load in [t!("before: {load}", load = report.load), t!("afterwards: {load}", load = report.load_after)]
    {
        out +=
            &wrap(&load, style.width).iter().map(|line| format!("{}\n", style.dim(line))).collect::<String>();
    }
    out
}

fn indented(text: &str, style: Style, paint: impl Fn(Style, &str) -> String) -> String {
    let lines = wrap(&printable(text), style.width - 2);
    lines.iter().map(|line| format!("  {}\n", paint(style, line))).collect()
}

/// A figure and how far its repeats are from it.
fn shown(spread: Option<&Spread>, digits: usize) -> (String, String) {
    let Some(spread) = spread else { return ("–".to_owned(), String::new()) };
    let away = (spread.max - spread.median).max(spread.median - spread.min);
    let away = if spread.runs > 1 { format!("±{away:.digits$}") } else { String::new() };
    (format!("{:.digits$}", spread.median), away)
}

fn one(table: &Table, style: Style) -> String {
    let heads = table.columns.iter().map(|column| {
        if column.unit.is_empty() { column.head.clone() } else { format!("{} {}", column.head, column.unit) }
    });
    let mut lines = vec![table.labels.iter().map(|(_, head)| head.clone()).chain(heads).collect::<Vec<_>>()];
    lines.extend(
        table.rows.iter().map(|(words, _)| words.iter().map(|word| short(&in_words(word))).collect()),
    );
    for (at, column) in table.columns.iter().enumerate() {
        let figures: Vec<_> =
            table.rows.iter().map(|(_, cells)| shown(cells[at].as_ref(), column.digits)).collect();
        let width = |part: &dyn Fn(&(String, String)) -> usize| figures.iter().map(part).max().unwrap_or(0);
        let (left, right) = (width(&|f| f.0.chars().count()), width(&|f| f.1.chars().count()));
        for (line, (figure, away)) in lines[1..].iter_mut().zip(&figures) {
            line.push(format!("{figure:>left$} {away:<right$}").trim_end().to_owned());
        }
    }
    let used: usize = (0..lines[0].len())
        .map(|at| {
            2 + lines
                .iter()
                .filter_map(|line| line.get(at))
                .map(|word| word.chars().count())
                .max()
                .unwrap_or(0)
        })
        .sum();
    let room = style.width.saturating_sub(used + 2).min(BAR.0);
    let chart = table.chart.and_then(|name| table.columns.iter().position(|column| column.name == name));
    let mut bars = None;
    if let Some(at) = chart.filter(|_| room >= BAR.1) {
        let most = table.rows.iter().filter_map(|(_, cells)| Some(cells[at]?.median)).fold(0.0, f64::max);
        // The bars stand behind the last column, and need not draw that one.
        lines[0].push(
            Some(&table.columns[at].head)
                .filter(|head| head.chars().count() <= room)
                .cloned()
                .unwrap_or_default(),
        );
        for (line, (_, cells)) in lines[1..].iter_mut().zip(&table.rows) {
            line.push(cells[at].map_or_else(String::new, |cell| bar(cell.median / most, room)));
        }
        bars = Some(lines[0].len() - 1);
    }
    let text = aligned(
        &lines,
        style,
        |_, column, word| if Some(column) == bars { style.cyan(word) } else { word.to_owned() },
    );
    format!("  {}\n{text}", table.title)
}

/// A label as people read it; JSON has the word itself.
fn in_words(word: &str) -> Cow<'_, str> {
    match word {
        "memory" => say("memory"),
        "model" => say("model"),
        "read" => say("read"),
        "write" => say("write"),
        "claim" => say("claim"),
        "claim+finish x8" => say("claim+finish x8"),
        _ => Cow::Borrowed(word),
    }
}

fn short(word: &str) -> String {
    let word = printable(word);
    if word.chars().count() <= LABEL { word } else { word.chars().take(LABEL - 1).chain(['…']).collect() }
}

/// A bar of so many columns at most, to an eighth of one.
fn bar(share: f64, room: usize) -> String {
    const PARTS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
    if !share.is_finite() {
        return String::new();
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let eighths = (share.clamp(0.0, 1.0) * room as f64 * 8.0).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    bar.extend((eighths % 8).checked_sub(1).map(|part| PARTS[part]));
    bar
}

fn value(advice: &Advice, style: Style) -> String {
    let key = style.bold(&advice.key.join("."));
    let line = match advice.verdict {
        Verdict::Better => {
            let best = advice.best.as_ref().map(plain).unwrap_or_default();
            format!("  {} {key}  {} → {best}\n", style.green("✓"), advice.now)
        }
        Verdict::Worse | Verdict::NoDifference => {
            format!("  = {key}  {}: {}\n", advice.now, say("nothing is better by more than the spread"))
        }
        Verdict::CouldNotTell => {
            format!("  {} {key}  {}: {}\n", style.yellow("?"), advice.now, say("could not tell"))
        }
    };
    line + &block(&advice.why, style)
}

/// A value as the one before is told: without TOML's quotes.
fn plain(value: &New) -> String {
    match value {
        New::Text(text) => text.clone(),
        New::Number(number) => number.to_string(),
        New::List(items) => items.join(", "),
    }
}

/// The value before, and the one that is best, in JSON: numbers as numbers, lists as lists. A compressor may be called 842.
fn values_of(advice: &Advice) -> (Value, Value) {
    let text = advice.now.as_str();
    let now = match advice.key.last().map(String::as_str) {
        Some("zpool") => json!([text]),
        Some("threads") => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
        _ => text.into(),
    };
    let best = match &advice.best {
        None => Value::Null,
        Some(New::Text(text)) => text.as_str().into(),
        Some(New::Number(number)) => (*number).into(),
        Some(New::List(items)) => json!(items),
    };
    (now, best)
}

/// Numbers, in whatever language the rest is.
fn load(load: &Load) -> Value {
    json!({
        "load_1m": load.tasks,
        "processors": load.processors,
        "used_percent": load.used.map(rounded),
        "cpu_waiting_percent": load.cpu_waits.map(rounded),
        "memory_waiting_percent": load.memory_waits.map(rounded),
        "io_waiting_percent": load.io_waits.map(rounded),
    })
}

fn claimed(claim: &Claim, style: Style) -> String {
    let (sign, word) = match claim.verdict {
        Verdict::Better => (style.green("✓"), say("so it is here")),
        Verdict::Worse => (style.red("✗"), say("here it is the other way round")),
        Verdict::NoDifference => ("=".to_owned(), say("no difference greater than the spread")),
        Verdict::CouldNotTell => (style.yellow("?"), say("could not tell")),
    };
    format!("  {sign} {}: {word}\n", claim.claim) + &block(&claim.why, style)
}

fn block(text: &str, style: Style) -> String {
    wrap(&printable(text), style.width - 6)
        .iter()
        .map(|line| format!("      {}\n", style.dim(line)))
        .collect()
}

/// `civicum-tune/bench/1`.
pub fn json(report: &Report) -> Value {
    let values = report.advice.iter().map(|advice| {
        let (now, best) = values_of(advice);
        json!({
            "key": advice.key.join("."),
            "now": now,
            "best": best,
            "verdict": verdict(advice.verdict),
            "why": advice.why,
        })
    });
    let claims = report.claims.iter().map(|claim| {
        json!({ "id": claim.id, "claim": claim.claim, "verdict": verdict(claim.verdict), "why": claim.why })
    });
    json!({
        "schema": "civicum-tune/bench/1",
        "machine": {
            "cpu": report.cpu,
            "threads": report.threads,
            "memory_bytes": report.memory_bytes,
            "kernel": report.kernel,
            "load_before": load(&report.load),
            "load_after": load(&report.load_after),
        },
        "quick": report.quick,
        "interrupted": report.interrupted,
        "seconds": rounded(report.seconds),
        "sections": report.sections.iter().map(section).collect::<Vec<_>>(),
        "values": values.collect::<Vec<_>>(),
        "claims": claims.collect::<Vec<_>>(),
    })
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::NoDifference => "no_difference",
        Verdict::CouldNotTell => "could_not_tell",
    }
}

fn section(section: &Section) -> Value {
    let tables: Map<String, Value> = section
        .tables
        .iter()
        .flatten()
        .map(|table| (table.name.to_owned(), table.rows.iter().map(|row| line(table, row)).collect()))
        .collect();
    json!({
        "name": section.kind.word(),
        "status": if section.tables.is_ok() { "measured" } else { "could_not_tell" },
        "because": section.tables.as_ref().err(),
        "seconds": rounded(section.seconds),
        "notes": section.notes,
        "tables": tables,
    })
}

fn line(table: &Table, (words, cells): &(Vec<String>, Vec<Option<Spread>>)) -> Value {
    let mut line = Map::new();
    for ((name, _), word) in table.labels.iter().zip(words) {
        line.insert((*name).to_owned(), word.as_str().into());
    }
    for (column, cell) in table.columns.iter().zip(cells) {
        let figure = cell.map(|cell| {
            let of = if column.of_parts { "parts" } else { "runs" };
            json!({ "median": rounded(cell.median), "min": rounded(cell.min), "max": rounded(cell.max), of: cell.runs })
        });
        line.insert(column.name.to_owned(), figure.into());
    }
    Value::Object(line)
}

/// Four digits behind the point say more than any of this can be measured to.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Column;

    fn table() -> Table {
        let spread = |median: f64| Some(Spread { median, min: median - 0.25, max: median + 0.1, runs: 3 });
        Table {
            name: "things",
            title: "Things".to_owned(),
            labels: vec![("what", "what".to_owned())],
            columns: vec![Column::new("rate", "rate", "MB/s", 1)],
            chart: Some("rate"),
            rows: vec![
                (vec!["one".to_owned()], vec![spread(10.0)]),
                (vec!["other\u{1b}[2J".to_owned()], vec![spread(5.0)]),
                (vec!["none".to_owned()], vec![None]),
            ],
        }
    }

    #[test]
    fn figures_line_up_and_bars_fit() {
        let text = one(&table(), Style::default());
        let wanted = "  Things\n  what            rate MB/s  rate\n  one             10.0 ±0.2  ████████████████████████\n  \
                      other\\u{1b}[2J   5.0 ±0.2  ████████████\n  none               –\n";
        assert_eq!(text, wanted);
        let narrow = one(&table(), Style { colour: false, width: 30 });
        assert!(narrow.lines().all(|line| line.chars().count() <= 30) && !narrow.contains('█'), "{narrow}");
    }

    #[test]
    fn values_before_and_after_are_told_alike() {
        let advice = |key: &str, now: &str, best: Option<New>| Advice {
            key: vec!["zswap".to_owned(), key.to_owned()],
            now: now.to_owned(),
            best,
            verdict: Verdict::Better,
            why: String::new(),
        };
        let text = advice("compressor", "lz4", Some(New::Text("zstd".to_owned())));
        assert_eq!(value(&text, Style::default()).lines().next(), Some("  ✓ zswap.compressor  lz4 → zstd"));
        assert_eq!(values_of(&text), (json!("lz4"), json!("zstd")));
        assert_eq!(values_of(&advice("compressor", "842", None)).0, json!("842"));
        let list = advice("zpool", "zbud", Some(New::List(vec!["zsmalloc".to_owned(), "zbud".to_owned()])));
        assert_eq!(values_of(&list), (json!(["zbud"]), json!(["zsmalloc", "zbud"])));
        assert_eq!(values_of(&advice("threads", "4", Some(New::Number(3)))), (json!(4), json!(3)));
        assert_eq!(values_of(&advice("zpool", "zbud", None)), (json!(["zbud"]), Value::Null));
    }

    #[test]
    fn bars() {
        assert_eq!(
            (bar(1.0, 3), bar(0.5, 3), bar(0.0, 3)),
            ("███".to_owned(), "█▌".to_owned(), String::new())
        );
        assert_eq!((bar(f64::NAN, 3), bar(7.0, 2)), (String::new(), "██".to_owned()));
    }
}
