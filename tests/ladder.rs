//! What was recorded on a real machine while its memory ran short is decided again: the same acts, in the same order.
//! `tests/vm/supervise.py BINARY IMAGE tests/traces/squeeze.jsonl` records it anew.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::Path;

use civicum_tune::supervise::ladder::{Act, Ladder, Rules, Rung};
use civicum_tune::supervise::sample::Sample;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Decided { decided: Act },
    Looked(Box<Sample>),
}

struct Trace {
    looks: Vec<Sample>,
    decided: Vec<Act>,
}

fn trace(name: &str) -> Trace {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces").join(name);
    let (mut looks, mut decided) = (Vec::new(), Vec::new());
    for line in fs::read_to_string(path).unwrap().lines() {
        match serde_json::from_str(line).unwrap() {
            Line::Decided { decided: act } => decided.push(act),
            Line::Looked(sample) => looks.push(*sample),
        }
    }
    Trace { looks, decided }
}

#[test]
fn memory_that_ran_short_on_a_whole_host() {
    let Trace { looks, decided } = trace("squeeze.jsonl");
    let mut ladder = Ladder::new("worker", Rules::default());
    let mut acts = Vec::new();
    for sample in &looks {
        for decision in ladder.step(sample) {
            acts.push((sample.at_ms, decision.act));
        }
    }
    let only: Vec<Act> = acts.iter().map(|(_, act)| *act).collect();
    assert_eq!(only, decided);
    assert!(only.starts_with(&[Act::Hold]), "{only:?}");
    assert!(only.contains(&Act::GiveBack) && only.contains(&Act::Kill), "{only:?}");
    assert_eq!(only.last(), Some(&Act::Resume));
    assert_eq!(ladder.rung(), Rung::Calm);
    // It came down once, and not before it had been calm for ten seconds.
    let resumed: Vec<u64> = acts.iter().filter(|(_, act)| *act == Act::Resume).map(|(at, _)| *at).collect();
    assert_eq!(resumed.len(), 1, "{acts:?}");
    let least = |sample: &Sample| sample.memory.available * 1000 / sample.memory.total;
    let short = looks.iter().filter(|s| least(s) < 120).map(|s| s.at_ms).max().unwrap();
    assert!(resumed[0] >= short + 10_000, "{short} {resumed:?}");
}

/// Not one look of those before memory ran short speaks for anything.
#[test]
fn the_looks_before_it_ask_for_nothing() {
    let Trace { looks, .. } = trace("squeeze.jsonl");
    let mut ladder = Ladder::new("worker", Rules::default());
    let calm: Vec<&Sample> = looks
        .iter()
        .take_while(|s| s.told.is_empty() && s.memory.available * 100 / s.memory.total >= 20)
        .collect();
    assert!(calm.iter().all(|sample| ladder.step(sample).is_empty()));
}
