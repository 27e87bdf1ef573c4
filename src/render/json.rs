//! The stable JSON documents.

use serde_json::{Value, json};

use super::diff;
use crate::plan::{Act, Change, Plan};

/// `civicum-tune/plan/1`. `reboot_pending`: does an earlier generation wait for a reboot? `None` where that can't be read.
pub fn plan(plan: &Plan, reboot_pending: Option<bool>) -> Value {
    json!({
        "schema": "civicum-tune/plan/1",
        "host": plan.host,
        "profile": plan.profile,
        "changes": plan.changes.iter().map(change).collect::<Vec<_>>(),
        "reboot_required": plan.needs_reboot(),
        "reboot_pending": reboot_pending,
        "notes": plan.notes,
        "blocked": plan.blocked,
        "inside": plan.inside,
        "obstacles": plan.obstacles,
    })
}

fn change(change: &Change) -> Value {
    let (before, after) = change.act.before_and_after();
    let diff = match &change.act {
        Act::PutFile { path, before, after, .. } => Some(diff::unified(path, before, after)),
        _ => None,
    };
    json!({
        "id": change.id,
        "kind": change.act.kind(),
        "target": change.act.target(),
        "summary": change.summary,
        "reason": change.reason,
        "before": before,
        "after": after,
        "diff": diff,
        "reboot": change.reboot,
        "risk": change.risk,
    })
}

/// What stdout gets when a command failed: one document all the same.
pub fn error(message: &str) -> Value {
    json!({ "schema": "civicum-tune/error/1", "error": message })
}
