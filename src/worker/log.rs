//! What happens, one JSON object a line on standard error. Names, numbers and our own words only: never a document's text, its
//! name, or anything found in it.

use std::fmt::Display;
use std::io::Write as _;

use serde_json::{Map, Value, json};

/// A panic's message may quote the text that it happened on: only its place is told.
pub(super) fn panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, ToString::to_string);
        event("error", "the program has a fault", &[("at", &place)]);
    }));
}

/// Writes one line down.
pub(super) fn event(level: &str, what: &str, of: &[(&str, &dyn Display)]) {
    let now = std::time::SystemTime::now();
    let mut line = Map::new();
    line.insert("time".to_owned(), json!(humantime::format_rfc3339_millis(now).to_string()));
    line.insert("level".to_owned(), json!(level));
    line.insert("event".to_owned(), json!(what));
    for (name, value) in of {
        let text = value.to_string();
        // Numbers stay numbers.
        let whole = || text.parse::<i64>().ok().map(Value::from);
        let broken = || text.parse::<f64>().ok().filter(|n| n.is_finite()).map(Value::from);
        let value = whole().or_else(broken).unwrap_or_else(|| json!(text));
        line.insert((*name).to_owned(), value);
    }
    let _ = writeln!(std::io::stderr(), "{}", Value::Object(line));
}
