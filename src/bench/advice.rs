//! What the figures say: which values of the profile another one beats by more than the spread, and what became of claims that
//! everybody repeats.

mod model;
mod swap;

use super::zswap::Here;
use super::{Kind, Section, Spread, Table, Verdict};
use crate::profile::Settings;
use crate::profile::edit::New;
use crate::t;

/// A value of the profile, and the one that measured best.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// Its place in the profile.
    pub key: Vec<String>,
    /// What the profile has.
    pub now: String,
    /// What measured best; `None` where nothing was compared.
    pub best: Option<New>,
    /// Does it differ by more than the spread?
    pub verdict: Verdict,
    /// The figures, in words, or what is missing.
    pub why: String,
}

/// A sentence that is held for true, tested here.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Its name in JSON.
    pub id: &'static str,
    /// The sentence.
    pub claim: String,
    /// [`Verdict::Better`]: so it is here.
    pub verdict: Verdict,
    /// The figures, in words, or what is missing.
    pub why: String,
}

/// The host, as far as it decides what can be chosen.
pub struct Subject<'a> {
    /// What the profile asks.
    pub settings: &'a Settings,
    /// zswap as the running kernel has it.
    pub here: &'a Here,
    /// Swap behind zswap, in bytes.
    pub swap_bytes: u64,
    /// Processors of the host.
    pub cores: usize,
    /// Is a value of the profile a rule, which comes to another number on another host?
    pub is_rule: &'a dyn Fn(&[&str]) -> bool,
    /// Were servers started for several numbers of threads?
    pub compares_threads: bool,
    /// Was it a quick run?
    pub quick: bool,
    /// Are values told of, too, for which nobody asked to measure anything?
    pub all: bool,
}

/// All values that were measured, and those for which something is missing.
pub fn values(sections: &[Section], subject: &Subject<'_>) -> Vec<Advice> {
    let swap = swap::values(sections, subject);
    swap.into_iter().chain(model::threads(sections, subject)).collect()
}

/// The threads that the profile's model has now, and how many it may have.
pub fn threads_of(settings: &Settings, cores: usize) -> Option<(usize, usize)> {
    let (_, service) = model::service(settings)?;
    Some((model::now(service, cores), model::most(service, cores)))
}

/// What is said of threads and packings, tested with what was measured.
pub fn claims(sections: &[Section], subject: &Subject<'_>) -> Vec<Claim> {
    model::claims(sections, subject)
}

impl Advice {
    /// Nothing could be compared.
    fn unknown(key: &[&str], now: &str, why: String) -> Self {
        let key = key.iter().map(|word| (*word).to_owned()).collect();
        Self { key, now: now.to_owned(), best: None, verdict: Verdict::CouldNotTell, why }
    }

    fn judged(key: &[&str], now: &str, best: New, verdict: Verdict, why: String) -> Self {
        let why = with_enough(verdict, why);
        Self { best: Some(best), verdict, ..Self::unknown(key, now, why) }
    }
}

/// Where figures are there, and still nothing can be told, there were too few of them.
fn with_enough(verdict: Verdict, why: String) -> String {
    if verdict == Verdict::CouldNotTell {
        t!("{figures}; too few repeats to say: give it more with --time", figures = why)
    } else {
        why
    }
}

/// The best of some against the one that the profile has, which is one of them.
fn against((best, most): (&str, &Spread), (now, own): (&str, &Spread), more_is_better: bool) -> Verdict {
    match most.against(own, more_is_better) {
        Verdict::Better if best == now => Verdict::NoDifference,
        verdict => verdict,
    }
}

fn table<'s>(sections: &'s [Section], kind: Kind, name: &str) -> Option<&'s Table> {
    sections.iter().find(|section| section.kind == kind)?.table(name)
}

fn was_asked(sections: &[Section], kind: Kind) -> bool {
    sections.iter().any(|section| section.kind == kind)
}

/// What there is to do about a section without figures.
fn missing(sections: &[Section], kind: Kind) -> String {
    if was_asked(sections, kind) {
        t!("`{section}` could not be measured", section = kind.word())
    } else {
        t!("measure `{section}` in the same run", section = kind.word())
    }
}

fn seconds(cost: &Spread) -> String {
    format!("{:.1} s ({:.1}–{:.1})", cost.median, cost.min, cost.max)
}

#[cfg(test)]
mod tests;
