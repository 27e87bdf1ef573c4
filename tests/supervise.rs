//! What is shipped beside the supervisor speaks of metrics that it serves, and of nothing else.
#![allow(clippy::disallowed_methods, clippy::expect_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use civicum_tune::container::mode::Mode;
use civicum_tune::queue::Waiting;
use civicum_tune::supervise::sample::{Memory, Sample, Service, Stall};
use civicum_tune::supervise::{One, Snapshot, metrics};

fn everything() -> Snapshot {
    let stall = Some(Stall { some_us: 5, full_us: 3 });
    let service = Service { memory: 10, limit: 20, swap: 1, cpu_us: 7, stall, oom: 1, oom_kill: 1 };
    let services = [("worker".to_owned(), service)].into();
    let memory = Memory { total: 100, available: 50, swap_total: 10, swap_free: 5, zswap: 1, zswapped: 2 };
    Snapshot {
        deployment: "civicum".to_owned(),
        sample: Sample { at_ms: 1, memory, host: stall, told: Vec::new(), services },
        mode: Some(Mode::Reading),
        engine_up: Some(true),
        waiting: Some(Waiting { ocr: 3, extract: 1 }),
        services: [("worker".to_owned(), One { runs: true, healthy: Some(true), restarts: 2, kills: 1 })]
            .into(),
        ..Snapshot::default()
    }
}

/// Words of a text that look like one of our metrics.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("civicum_") && *word != "civicum_tune").map(str::to_owned).collect()
}

#[test]
fn the_dashboard_and_the_alerts_ask_for_what_is_served() {
    let served = names(&metrics::text(&everything()));
    for (what, text) in [
        ("dashboard", include_str!("../templates/grafana/civicum.json")),
        ("alerts", include_str!("../templates/prometheus/civicum.rules.yml")),
    ] {
        let asked = names(text);
        assert!(asked.len() > 5, "{what}: {asked:?}");
        let unknown: Vec<_> = asked.difference(&served).collect();
        assert!(unknown.is_empty(), "{what} asks for {unknown:?}");
    }
}

/// The text format of Prometheus: a head before each metric, and a whole number behind each name.
#[test]
fn every_metric_has_its_head_and_a_number() {
    let text = metrics::text(&everything());
    let mut typed = BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a kind");
            assert!(["gauge", "counter"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(typed.insert(name.to_owned()), "{name} has two heads");
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            assert!(typed.contains(name.split('{').next().expect("a name")), "{line}");
            assert!(value.parse::<u64>().is_ok(), "{line}");
        }
    }
    assert!(typed.len() > 25, "{}", typed.len());
}

/// What a value is counted in: the names follow the conventions of Prometheus.
fn unit(name: &str) -> &'static str {
    let name = name.trim_end_matches("_total");
    if name.ends_with("_bytes") {
        "bytes"
    } else if name.ends_with("_microseconds") {
        "microseconds"
    } else if name.ends_with("_milliseconds") {
        "milliseconds"
    } else if ["_up", "_healthy", "_hold", "_mode", "paused"].iter().any(|end| name.ends_with(end)) {
        "0 or 1"
    } else if name.ends_with("_rung") {
        "0 to 3"
    } else {
        "number"
    }
}

/// The rows below a table's head in a page. `UPDATE_EXPECTED=1 cargo test --test supervise` writes them anew.
fn current(page: &str, head: &str, rows: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = fs::read_to_string(&path).expect("the page");
    let (before, behind) = text.split_once(head).expect("the table");
    let found: String =
        behind.lines().take_while(|line| line.starts_with('|')).map(|line| format!("{line}\n")).collect();
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&path, format!("{before}{head}{rows}{}", &behind[found.len()..])).expect("written");
        return;
    }
    assert_eq!(found, rows, "{page} is out of date; run: UPDATE_EXPECTED=1 cargo test --test supervise");
}

#[test]
fn the_documentation_names_every_metric() {
    let text = metrics::text(&everything());
    let mut rows = String::new();
    for block in text.split("# HELP ").skip(1) {
        let mut lines = block.lines();
        let (name, help) = lines.next().and_then(|line| line.split_once(' ')).expect("help");
        let kind = lines.next().and_then(|line| line.rsplit(' ').next()).expect("a type");
        let label = lines.next().and_then(|line| line.split_once('{')?.1.split_once('='));
        let label = label.map(|(label, _)| format!("`{label}` ")).unwrap_or_default();
        rows +=
            &format!("| `{name}` | {kind} | {} | {label}| {} |\n", unit(name), help.trim_end_matches('.'));
    }
    let head = "| metric | type | unit | label | what it tells |\n| --- | --- | --- | --- | --- |\n";
    current("docs/supervise.md", head, &rows);
}

/// The worker serves its own from a list in its code: a name, its type, and what it tells.
#[test]
fn the_documentation_names_every_metric_of_the_worker() {
    let code = include_str!("../src/worker/health.rs");
    let list = code
        .split_once("let all: [")
        .expect("the list")
        .1
        .split_once("];\n    all.iter()")
        .expect("its end")
        .0;
    let texts: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    let rows: String = texts
        .chunks_exact(3)
        .map(|one| {
            format!(
                "| `civicum_worker_{}` | {} | {} | {} |\n",
                one[0],
                one[1],
                unit(one[0]),
                one[2].trim_end_matches('.')
            )
        })
        .collect();
    assert!(texts.len() % 3 == 0 && texts.len() > 30, "{texts:?}");
    current("docs/queue.md", "| metric | type | unit | what it tells |\n| --- | --- | --- | --- |\n", &rows);
}

#[test]
fn the_dashboard_is_json_and_each_panel_has_its_place() {
    let text = include_str!("../templates/grafana/civicum.json");
    let dashboard: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let places: BTreeSet<String> = panels.iter().map(|panel| panel["gridPos"].to_string()).collect();
    assert_eq!(places.len(), panels.len());
}
