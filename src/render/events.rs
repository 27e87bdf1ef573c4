//! What happened to a deployment, a line each.

use super::Style;
use super::style::printable;
use crate::container::mode::Mode;
use crate::supervise::event::{Event, Level};
use crate::supervise::ladder::Rung;
use crate::t;

/// One event: when, of what, what.
pub fn line(event: &Event, style: Style) -> String {
    let at = event.at.get(..19).unwrap_or(&event.at).replace('T', " ");
    let service = event.service.as_deref().unwrap_or("·");
    let words = printable(&event.what.words());
    let words = match event.what.level() {
        Level::Error => style.red(&words),
        Level::Warning => style.yellow(&words),
        Level::Info => words,
    };
    format!("{}  {:<10}  {words}\n", style.dim(&at), printable(service))
}

/// The present in a few words, as `systemctl status` shows it.
pub fn now(rung: Rung, mode: Option<Mode>) -> String {
    let rung = self::rung(rung);
    match mode {
        Some(Mode::Reading) => t!("{rung}; the model sleeps, its memory goes to reading", rung = rung),
        _ => rung,
    }
}

/// Where the ladder stands.
fn rung(rung: Rung) -> String {
    match rung {
        Rung::Calm => t!("calm"),
        Rung::Hold => t!("memory is short: no new document is taken"),
        Rung::GiveBack => t!("memory is short: documents were given back"),
        Rung::Kill => t!("memory is very short: the worker was killed"),
    }
}
