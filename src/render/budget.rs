//! The memory arithmetic of a profile, as a small table.

use super::style::{Style, printable, wrap};
use crate::profile::account::{Account, Entry};
use crate::t;
use crate::units::MIB;

/// The table fits a terminal of this width.
const WIDTH: usize = 80;
/// Blanks between two columns.
const GAP: usize = 2;

/// The table with its title, each line indented by two; nothing where there is nothing to add up.
pub fn human(account: &Account, style: Style) -> String {
    if account.is_empty() {
        return String::new();
    }
    let mut out: String =
        wrap(&account.title(), WIDTH - 2).iter().map(|line| format!("  {}\n", style.dim(line))).collect();
    let rows = rows(account);
    let columns = rows[0].cells.len();
    let width = |at: usize| rows.iter().map(|row| row.cells[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (1..columns).map(width).collect();
    let room = WIDTH - 2 - widths.iter().map(|width| width + GAP).sum::<usize>().min(WIDTH - 12);
    let first = width(0).min(room);
    for row in rows {
        let mut line = format!("  {:<first$}", short(&row.cells[0], first));
        for (cell, width) in row.cells[1..].iter().zip(&widths) {
            line += &format!("{:GAP$}{cell:>width$}", "");
        }
        out += &format!(
            "{}\n",
            row.paint.map_or(line.trim_end().to_owned(), |paint| paint(style, line.trim_end()))
        );
    }
    for model in &account.models {
        let words = t!(
            "{service}: {file} with {tokens} tokens of context needs up to {need} MiB: weights {weights}, context {context}, the rest {rest}",
            service = model.service,
            file = model.model.rsplit('/').next().unwrap_or_default(),
            tokens = model.tokens,
            need = mib(model.need.sum()),
            weights = mib(model.need.weights),
            context = mib(model.need.context),
            rest = mib(model.need.rest)
        );
        let lines = wrap(&printable(&words), WIDTH - 2);
        out += &lines.iter().map(|line| format!("  {}\n", style.dim(line))).collect::<String>();
    }
    out
}

struct Row {
    cells: [String; 5],
    paint: Option<fn(Style, &str) -> String>,
}

fn rows(account: &Account) -> Vec<Row> {
    let plain = |cells| Row { cells, paint: None };
    let none = String::new;
    let titles = [none(), t!("limit"), t!("reservation"), t!("swap"), t!("share")];
    let mut rows = vec![Row { cells: titles, paint: Some(Style::bold) }];
    rows.extend(account.services.iter().map(|entry| plain(service(entry))));
    let ram = account.ram_bytes;
    rows.push(plain([
        t!("system"),
        mib(account.reserve_bytes),
        none(),
        none(),
        percent(account.reserve_bytes, ram),
    ]));
    rows.push(plain([
        t!("sum"),
        mib(account.sum_bytes),
        mib(account.reservations_bytes),
        mib(account.swap_limits_bytes),
        percent(account.sum_bytes, ram),
    ]));
    if let Some(reading) = account.reading_bytes {
        let words = t!("sum, reading");
        rows.push(plain([words, mib(reading), none(), none(), percent(reading, ram)]));
    }
    let swap = account.swap_bytes.map_or_else(|| "?".to_owned(), mib);
    rows.push(plain([t!("the host has"), mib(ram), none(), swap, none()]));
    let enough = account.left_bytes >= 0;
    // Rounded up: with so much less it fits.
    let left = account.left_bytes.unsigned_abs();
    let left = if enough { left / MIB } else { left.div_ceil(MIB) };
    rows.push(Row {
        cells: [if enough { t!("left") } else { t!("missing") }, left.to_string(), none(), none(), none()],
        paint: Some(if enough { Style::green } else { Style::red }),
    });
    rows
}

fn service(entry: &Entry) -> [String; 5] {
    let size = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), mib);
    let share = entry.share_percent.map_or_else(|| "-".to_owned(), |share| format!("{share:.0} %"));
    [
        printable(&entry.name),
        size(entry.limit_bytes),
        size(entry.reservation_bytes),
        size(entry.swap_bytes),
        share,
    ]
}

fn mib(bytes: u64) -> String {
    (bytes / MIB).to_string()
}

fn percent(part: u64, whole: u64) -> String {
    let (part, whole) = (u128::from(part), u128::from(whole));
    (part * 100 + whole / 2).checked_div(whole).map_or_else(|| "-".to_owned(), |share| format!("{share} %"))
}

/// A name that has no room ends in `…`.
fn short(name: &str, room: usize) -> String {
    if name.chars().count() <= room {
        return name.to_owned();
    }
    name.chars().take(room.saturating_sub(1)).chain(std::iter::once('…')).collect()
}
