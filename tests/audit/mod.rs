//! One check on a tree: its answers in a line each.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, missing_docs)]

use civicum_tune::check::{Applied, Because, Outcome, Scene, Status, find};
use civicum_tune::facts::Facts;
use civicum_tune::facts::engine::Engine;
use civicum_tune::tunable::Context;

use super::trees::{Tree, settings};

pub fn look(tree: &Tree, profile: &str, engine: &Engine, id: &str) -> Vec<Outcome> {
    let host = tree.host();
    let facts = Facts::read(&host).unwrap();
    let wish = settings(profile);
    let cx = Context { wish: &wish, facts: &facts, host: &host, remember: None };
    let applied = Applied::default();
    let ask = || engine.clone();
    let scene = Scene::new(cx, None, &applied, "2026-11-25T00:00:00Z".to_owned(), &ask);
    (find(id).unwrap().look)(&scene)
}

/// `pass: …`, `warn: …`, `fail SUBJECT: …`, `n/a: …` or `?: …`.
pub fn brief(outcomes: &[Outcome]) -> Vec<String> {
    let one = |outcome: &Outcome| {
        let subject = outcome.subject.as_ref().map(|subject| format!(" {subject}")).unwrap_or_default();
        match (&outcome.because, outcome.status) {
            (Some((Because::CouldNotTell, why)), _) => format!("?: {why}"),
            (Some((_, why)), _) => format!("n/a: {why}"),
            (None, Status::Pass) => format!("pass{subject}: {}", outcome.actual),
            (None, Status::Warn) => format!("warn{subject}: {}", outcome.actual),
            (None, _) => format!("fail{subject}: {}", outcome.actual),
        }
    };
    assert!(!outcomes.is_empty(), "a check always answers");
    for outcome in outcomes.iter().filter(|outcome| outcome.is_finding()) {
        assert!(!outcome.fix.is_empty(), "a finding has a way out: {outcome:?}");
        assert!(!outcome.evidence.is_empty() || outcome.actual.starts_with("no program"), "{outcome:?}");
    }
    outcomes.iter().map(one).collect()
}

/// The answers begin with these.
#[track_caller]
pub fn expect(id: &str, outcomes: &[Outcome], expected: &[&str]) {
    let found = brief(outcomes);
    let fits = found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| f.starts_with(e));
    assert!(fits, "{id}: {found:#?}, expected {expected:#?}");
}
