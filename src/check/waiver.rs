//! Findings that the profile accepts, each with a reason and a last day.

use super::outcome::{Because, Status};
use super::report::Audited;
use super::{Check, Evidence, Outcome, Remedy, Scene, Severity};
use crate::profile::settings::Waiver;
use crate::t;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CT-WAIVER-001",
        title: "no waiver has expired",
        severity: Severity::Medium,
        why: "A waiver is a promise to come back to a finding by a certain day.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "Given a later day without a look, a waiver hides a finding for ever.",
            undo: "Edit the profile.",
        },
        source: "docs/profile-reference.md, [waivers]",
        look: expired,
    },
    Check {
        id: "CT-WAIVER-002",
        title: "every waiver names a check",
        severity: Severity::Low,
        why: "A mistyped id accepts nothing, and whoever wrote it believes that it does.",
        remedy: Remedy::ByHand { cost: "None.", risk: "None.", undo: "Edit the profile." },
        source: "docs/checks.md",
        look: unknown,
    },
];

fn holds(waiver: &Waiver, now: &str) -> bool {
    // Both are written year-month-day, which sorts as it is; the last day counts.
    now.get(..10).is_some_and(|today| today <= waiver.until.as_str())
}

/// Where the waiver stands.
fn place(scene: &Scene<'_>, id: &str) -> Evidence {
    match scene.profile.and_then(|profile| profile.provenance(&["waivers", id, "until"])) {
        Some(place) => {
            Evidence::line(place.source, usize::try_from(place.line).unwrap_or(0), format!("[waivers.{id}]"))
        }
        None => Evidence::path(format!("[waivers.{id}]")),
    }
}

fn expired(scene: &Scene<'_>) -> Vec<Outcome> {
    let waivers = &scene.wish().waivers;
    if waivers.is_empty() {
        return Outcome::not_applicable(t!("the profile has no waiver")).into();
    }
    let found: Vec<Outcome> = waivers
        .iter()
        .filter(|(_, waiver)| !holds(waiver, &scene.now))
        .map(|(id, waiver)| {
            let fix = t!("mend what {id} found, or give the waiver a later day", id = id);
            Outcome::fail(t!("it held until {day}", day = waiver.until), fix).of(id).seen(place(scene, id))
        })
        .collect();
    if found.is_empty() { Outcome::pass(t!("{count} hold", count = waivers.len())).into() } else { found }
}

fn unknown(scene: &Scene<'_>) -> Vec<Outcome> {
    let waivers = &scene.wish().waivers;
    if waivers.is_empty() {
        return Outcome::not_applicable(t!("the profile has no waiver")).into();
    }
    let found: Vec<Outcome> = waivers
        .keys()
        .filter(|id| super::find(id).is_none())
        .map(|id| {
            Outcome::warn(t!("there is no check {id}", id = id), t!("civicum-tune explain lists them"))
                .of(id)
                .seen(place(scene, id))
        })
        .collect();
    if found.is_empty() { Outcome::pass(t!("all of them do")).into() } else { found }
}

/// Turns the findings that a waiver covers today into skips that say so. What it found stays to be read.
pub(super) fn grant(scene: &Scene<'_>, results: &mut [Audited]) {
    for Audited { check, outcome, found, .. } in results {
        let waiver = scene.wish().waivers.get(check.id).filter(|waiver| holds(waiver, &scene.now));
        let (Some(waiver), true) = (waiver, outcome.is_finding() && check.area() != "WAIVER") else {
            continue;
        };
        *found = Some(outcome.status);
        outcome.status = Status::Skip;
        let why = t!("{reason} (until {day})", reason = waiver.reason, day = waiver.until);
        outcome.because = Some((Because::Waived, why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_counts() {
        let waiver = Waiver { reason: "r".into(), until: "2027-03-31".into() };
        assert!(holds(&waiver, "2027-03-31T23:59:59Z"));
        assert!(!holds(&waiver, "2027-04-01T00:00:00Z"));
    }
}
