//! A plan for the containers, and what became of it.

use serde_json::{Value, json};

use super::style::{Style, printable, wrap};
use crate::container::desired::{Deployment, Service};
use crate::container::plan::{Change, Kind, Plan, cpus};
use crate::engine::Deployed;
use crate::lang::say;
use crate::t;
use crate::units::Bytes;

/// The plan as a person reads it.
pub fn human(wish: &Deployment, plan: &Plan, style: Style) -> String {
    let mut out = format!("{} {}\n", style.bold(&say("Deployment")), printable(&wish.name));
    for change in &plan.changes {
        out += &one(wish, change, style);
    }
    if !plan.orphans.is_empty() {
        let names = plan.orphans.join(", ");
        let words =
            t!("no service of the profile asks for {names}; --remove-orphans removes them", names = names);
        out += &block(&say("To know"), &words, style, Style::cyan);
    }
    for why in &plan.blocked {
        out += &block(&say("Not possible"), why, style, Style::yellow);
    }
    out + "\n" + &summary(wish, plan, style) + "\n"
}

fn block(title: &str, words: &str, style: Style, paint: fn(Style, &str) -> String) -> String {
    let mut out = format!("\n{}\n", style.bold(&paint(style, title)));
    for line in wrap(&printable(words), style.width - 2) {
        out += &format!("  {line}\n");
    }
    out
}

/// What is done, in a word.
pub fn verb(kind: Kind) -> String {
    match kind {
        Kind::MakeSecret => t!("make the secret"),
        Kind::MakeNetwork => t!("make the network"),
        Kind::RemakeNetwork => t!("make the network anew"),
        Kind::MakeVolume => t!("make the volume"),
        Kind::Create => t!("create"),
        Kind::Dump => t!("dump the database of"),
        Kind::Replace => t!("replace"),
        Kind::Update => t!("change the limits of"),
        Kind::Start => t!("start"),
        Kind::Await => t!("wait for"),
        Kind::Remove => t!("remove"),
    }
}

fn one(wish: &Deployment, change: &Change, style: Style) -> String {
    let verb = verb(change.kind);
    let verb = match change.kind {
        Kind::Create | Kind::Start | Kind::Dump | Kind::MakeSecret | Kind::MakeNetwork | Kind::MakeVolume => {
            style.green(&verb)
        }
        Kind::Remove => style.red(&verb),
        _ => style.yellow(&verb),
    };
    let mut out = format!("\n  {verb} {}\n", style.bold(&printable(&change.target)));
    // What is made for the first time needs no reason.
    let is_new = matches!(change.kind, Kind::MakeSecret | Kind::MakeNetwork | Kind::MakeVolume);
    if is_new {
        return out.trim_start_matches('\n').to_owned();
    }
    for line in wrap(&printable(&change.reason), style.width - 6) {
        out += &format!("      {}\n", style.dim(&line));
    }
    let service = wish.services.iter().find(|service| service.container == change.target);
    if let (Kind::Create, Some(service)) = (change.kind, service) {
        for line in wrap(&printable(&portrait(service)), style.width - 6) {
            out += &format!("      {line}\n");
        }
    }
    for detail in &change.details {
        let part = |text: &str| {
            let text = printable(text);
            if text.is_empty() {
                say("none").into_owned()
            } else if text.chars().count() > 60 {
                text.chars().take(59).chain(['…']).collect()
            } else {
                text
            }
        };
        let (before, after) = (part(&detail.before), part(&detail.after));
        out +=
            &format!("      {}: {} → {}\n", printable(&detail.what), style.red(&before), style.green(&after));
    }
    out
}

/// A service in a line.
fn portrait(service: &Service) -> String {
    let limits = &service.limits;
    let mut parts = vec![service.image.clone().unwrap_or_default()];
    if limits.memory > 0 {
        parts.push(t!("{memory} of memory", memory = Bytes(limits.memory)));
        parts.push(t!("{swap} of swap", swap = Bytes(limits.memory_swap.saturating_sub(limits.memory))));
    }
    if limits.nano_cpus > 0 {
        parts.push(t!("{cpus} CPUs", cpus = cpus(limits.nano_cpus)));
    }
    parts.extend(service.fixed.publish.iter().map(|publish| t!("open on {port}", port = publish)));
    parts.join(", ")
}

/// In a line.
pub fn summary(wish: &Deployment, plan: &Plan, style: Style) -> String {
    if !plan.blocked.is_empty() {
        return style.yellow(&say("It can't be deployed as it is."));
    }
    let count = wish.services.len();
    match plan.changes.len() {
        0 if count == 1 => style.green(&say("Nothing differs: the one service runs as the profile says.")),
        0 => {
            style.green(&t!("Nothing differs: all {count} services run as the profile says.", count = count))
        }
        1 => t!("1 change"),
        n => t!("{count} changes", count = n),
    }
}

/// `civicum-tune/deploy/1`: the plan, and what came of it.
pub fn json(wish: &Deployment, plan: &Plan, outcome: Option<&Deployed>) -> Value {
    let change = |change: &Change| serde_json::to_value(change).unwrap_or_default();
    let failed = |(failed, why): &(Change, String)| json!({ "target": failed.target, "kind": failed.kind, "error": why });
    json!({
        "schema": "civicum-tune/deploy/1",
        "deployment": wish.name,
        "changes": plan.changes.iter().map(change).collect::<Vec<_>>(),
        "blocked": plan.blocked,
        "orphans": plan.orphans,
        "done": outcome.map(|outcome| outcome.done.iter().map(|change| &change.target).collect::<Vec<_>>()),
        "failed": outcome.map(|outcome| outcome.failed.iter().map(failed).collect::<Vec<_>>()),
        "stopped": outcome.and_then(|outcome| outcome.stopped.as_ref()),
        "dumps": outcome.map(|outcome| &outcome.dumps),
        "left": outcome.map(|outcome| outcome.left.iter().map(|change| &change.target).collect::<Vec<_>>()),
    })
}
