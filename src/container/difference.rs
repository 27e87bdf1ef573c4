//! What differs between a container that is there and the one that is wanted.

use serde::Serialize;
use serde_json::Value as Json;

use super::desired::{Limits, Service};
use super::observed::Container;
use crate::t;
use crate::units::Bytes;

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// What: a key of the service.
    pub what: String,
    /// As it is; empty where it is not there.
    pub before: String,
    /// As it should be; empty where it should not be there.
    pub after: String,
}

/// Why a container has to be made anew, and what differs in it.
pub(super) fn cause(service: &Service, found: &Container, image_id: &str) -> (String, Vec<Detail>) {
    let mut details = Vec::new();
    if found.image_id != image_id {
        let after = image_id.to_owned();
        details.push(Detail { what: "image".to_owned(), before: found.image_id.clone(), after });
    }
    let wanted = serde_json::to_value(&service.fixed).unwrap_or_default();
    differences("", &found.description, &wanted, &mut details);
    let reason = match details.as_slice() {
        [] => t!("a secret of it differs"),
        [Detail { what, .. }] if what == "image" => t!("its image is another one now"),
        _ => t!("it differs in what can't be changed while it runs"),
    };
    (reason, details)
}

/// The leaves in which two descriptions differ.
fn differences(path: &str, before: &Json, after: &Json, found: &mut Vec<Detail>) {
    if before == after {
        return;
    }
    if let (Json::Object(old), Json::Object(new)) = (before, after) {
        let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            differences(
                &path,
                old.get(key).unwrap_or(&Json::Null),
                new.get(key).unwrap_or(&Json::Null),
                found,
            );
        }
        return;
    }
    let (before, after) = match (before, after) {
        (Json::Array(old), Json::Array(new)) => {
            let without = |list: &[Json], others: &[Json]| -> Json {
                list.iter().filter(|item| !others.contains(item)).cloned().collect()
            };
            let (gone, come) = (without(old, new), without(new, old));
            // The same things in another order: all of them tell.
            if gone == come { (before.clone(), after.clone()) } else { (gone, come) }
        }
        _ => (before.clone(), after.clone()),
    };
    // What looks like a secret is not shown, here no more than in a log.
    let is_secret =
        path.rsplit('.').next().is_some_and(crate::profile::is_secret) && path.starts_with("environment.");
    let words = |value: &Json| match value {
        Json::Null => String::new(),
        _ if is_secret => "…".to_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    found.push(Detail { what: path.to_owned(), before: words(&before), after: words(&after) });
}

/// Is there a limit now that shall be none?
pub(super) const fn takes_away(now: &Limits, wish: &Limits) -> bool {
    wish.memory == 0 && now.memory > 0
        || wish.memory_reservation == 0 && now.memory_reservation > 0
        || wish.memory_swap == 0 && now.memory_swap > 0 && now.memory_swap != Limits::UNHELD
        || wish.nano_cpus == 0 && now.nano_cpus > 0
        || wish.cpu_weight == 0 && now.cpu_weight > 0
}

/// What differs between two sets of limits.
pub(super) fn limits(now: &Limits, wish: &Limits) -> Vec<Detail> {
    let mut found = Vec::new();
    let mut compare = |what: &str, before: String, after: String| {
        if before != after {
            found.push(Detail { what: what.to_owned(), before, after });
        }
    };
    let size = |bytes: u64| if bytes == 0 { t!("none") } else { Bytes(bytes).to_string() };
    let number = |n: u64| if n == 0 { t!("none") } else { n.to_string() };
    compare("memory", size(now.memory), size(wish.memory));
    compare("memory_reservation", size(now.memory_reservation), size(wish.memory_reservation));
    if now.memory_swap != Limits::UNHELD {
        compare("memory_swap", size(now.memory_swap), size(wish.memory_swap));
    }
    compare("cpus", cpus(now.nano_cpus), cpus(wish.nano_cpus));
    compare("cpu_weight", number(now.cpu_weight), number(wish.cpu_weight));
    compare("pids", number(now.pids), number(wish.pids));
    compare("restart", now.restart.clone(), wish.restart.clone());
    found
}

/// A ceiling as a person writes it.
pub fn cpus(nano: u64) -> String {
    if nano == 0 {
        return t!("none");
    }
    let (whole, rest) = (nano / 1_000_000_000, nano % 1_000_000_000);
    let rest = format!("{rest:09}");
    match rest.trim_end_matches('0') {
        "" => whole.to_string(),
        rest => format!("{whole}.{rest}"),
    }
}
