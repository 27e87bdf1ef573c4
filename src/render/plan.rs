//! A plan as a person reads it.

use crate::lang::say;
use crate::t;
use std::collections::BTreeMap;

use super::diff;
use super::style::{Style, hang, printable, wrap};
use crate::plan::{Act, Change, Plan, Risk};
use crate::sysctl_name;
use crate::tunable::ALL;

/// The whole plan: every change grouped by tunable, what to know, and a summary in a line.
pub fn human(plan: &Plan, style: Style) -> String {
    let (profile, host) = (printable(&plan.profile), printable(&plan.host));
    let mut out = format!("{} {profile}\n", style.bold(&say("Profile")));
    out += &wrap(&host, style.width).iter().map(|line| format!("{}\n", style.dim(line))).collect::<String>();
    for tunable in tunables(plan) {
        let title = ALL.iter().map(|t| t.doc()).find(|doc| doc.id == tunable).map_or("", |doc| doc.title);
        let title = say(title);
        out += &format!("\n{}  {}\n", style.bold(tunable), title);
        let mut reason = "";
        for change in plan.changes.iter().filter(|change| change.tunable == tunable) {
            if change.reason != reason && !is_a_value(change) {
                reason = &change.reason;
                for line in wrap(reason, style.width - 2) {
                    out += &format!("  {}\n", style.dim(&line));
                }
            }
            out += &one(change, style);
        }
    }
    out += &remarks(&say("To know"), &plan.notes, style, Style::cyan);
    out += &remarks(&say("Not possible here"), &plan.blocked, style, Style::yellow);
    if !plan.inside.is_empty() {
        out += &format!("\n{}\n", style.bold(&say("To be run inside the image")));
        out += &plan.inside.iter().map(|command| format!("  {}\n", printable(command))).collect::<String>();
    }
    for obstacle in &plan.obstacles {
        out += &format!("\n{}\n", style.bold(&style.red(&say("This host can't be changed"))));
        for line in wrap(&printable(obstacle), style.width - 2) {
            out += &format!("  {line}\n");
        }
    }
    out + "\n" + &wrap(&summary(plan, style), style.width).join("\n") + "\n"
}

/// Each change and what is not possible, without the text of files, a line each; the summary below.
pub fn brief(plan: &Plan, style: Style) -> String {
    let mut out = String::new();
    for change in &plan.changes {
        let (before, after) = change.act.before_and_after();
        let (before, after) = (style.red(&printable(&before)), style.green(&printable(&after)));
        out += &format!("{}  {before} → {after}{}\n", short(&change.act), tags(change, style));
    }
    for command in &plan.inside {
        out += &t!("Inside the image, run: {command}\n", command = printable(command));
    }
    let no = plan
        .blocked
        .iter()
        .map(|note| format!("{}: {}: {}", say("Not possible here"), note.tunable, note.text));
    let never = plan.obstacles.iter().map(|text| format!("{}: {text}", say("This host can't be changed")));
    for text in no.chain(never) {
        out += &format!("{}\n", style.yellow(&printable(&text)));
    }
    out + &summary(plan, style) + "\n"
}

/// One line: how many changes of what kind, the highest risk, whether a reboot is due.
pub fn summary(plan: &Plan, style: Style) -> String {
    if plan.is_empty() {
        let text = if !plan.blocked.is_empty() {
            say("Nothing differs but for what is not possible here.")
        } else if plan.inside.is_empty() {
            say("Nothing differs: the host is as its profile says.")
        } else {
            say("The files are as the profile says; what is made from them is not, until that was run.")
        };
        return style.green(&text);
    }
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for change in &plan.changes {
        *kinds.entry(kind_of(&change.act)).or_default() += 1;
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, n)| counted(kind, *n)).collect();
    let count = plan.changes.len();
    let risk = plan.changes.iter().map(|change| change.risk).max().unwrap_or(Risk::Low);
    let changes = if count == 1 { t!("1 change") } else { t!("{count} changes", count = count) };
    let (changes, kinds, risk) = (style.bold(&changes), kinds.join(", "), say(risk_word(risk)));
    if plan.needs_reboot() {
        t!(
            "{changes} ({kinds}); highest risk: {risk}; a reboot completes them.",
            changes = changes,
            kinds = kinds,
            risk = risk
        )
    } else {
        t!("{changes} ({kinds}); highest risk: {risk}.", changes = changes, kinds = kinds, risk = risk)
    }
}

fn kind_of(act: &Act) -> &'static str {
    match act.kind() {
        "sysctl" | "runtime" => "kernel value",
        "swap-on" | "swap-off" => "swap switch",
        kind @ ("swap-file" | "folder" | "unit" | "command") => kind,
        _ => "file",
    }
}

/// So many of a kind.
fn counted(kind: &str, count: usize) -> String {
    match (kind, count) {
        ("kernel value", 1) => t!("1 kernel value"),
        ("kernel value", _) => t!("{count} kernel values", count = count),
        ("swap-file", 1) => t!("1 swap file"),
        ("swap-file", _) => t!("{count} swap files", count = count),
        ("swap switch", 1) => t!("1 swap switch"),
        ("swap switch", _) => t!("{count} swap switches", count = count),
        ("folder", 1) => t!("1 folder"),
        ("folder", _) => t!("{count} folders", count = count),
        ("unit", 1) => t!("1 service"),
        ("unit", _) => t!("{count} services", count = count),
        ("command", 1) => t!("1 command"),
        ("command", _) => t!("{count} commands", count = count),
        (_, 1) => t!("1 file"),
        (_, _) => t!("{count} files", count = count),
    }
}

fn risk_word(risk: Risk) -> &'static str {
    match risk {
        Risk::Low => "low",
        Risk::Medium => "medium",
        Risk::High => "high",
    }
}

/// The tunables of the plan in the order in which they are named first.
fn tunables(plan: &Plan) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for change in &plan.changes {
        if !names.contains(&change.tunable.as_str()) {
            names.push(&change.tunable);
        }
    }
    names
}

fn is_a_value(change: &Change) -> bool {
    change.act.kind() == "sysctl"
}

fn one(change: &Change, style: Style) -> String {
    let tags = tags(change, style);
    match &change.act {
        Act::PutFile { path, before, after, .. } => {
            let verb = if before.is_absent() {
                say("new file")
            } else if after.is_absent() {
                say("remove")
            } else {
                say("change")
            };
            let head = format!("  {} {}{tags}\n", style.bold(&printable(path)), style.dim(&verb));
            head + &diff::coloured(&diff::unified(path, before, after), style, "    ")
        }
        act => {
            let (before, after) = act.before_and_after();
            let (before, after) = (printable(&before), printable(&after));
            let line = format!("  {:<34} {} → {}{tags}", short(act), style.red(&before), style.green(&after));
            let line = hang(&line, style.width, 6) + "\n";
            if is_a_value(change) {
                let why: String = wrap(&change.reason, style.width - 6)
                    .iter()
                    .map(|l| format!("      {}\n", style.dim(l)))
                    .collect();
                return line + &why;
            }
            line
        }
    }
}

/// `/proc/sys/vm/swappiness` is `vm.swappiness` to people.
fn short(act: &Act) -> String {
    let shorter = || act.target().replacen("/sys/module/zswap/parameters/", "zswap.", 1);
    printable(&sysctl_name::of_path(act.target()).unwrap_or_else(shorter))
}

fn tags(change: &Change, style: Style) -> String {
    let mut tags = Vec::new();
    if change.risk > Risk::Low {
        tags.push(t!("{level} risk", level = say(risk_word(change.risk))));
    }
    if change.reboot {
        tags.push(t!("reboot"));
    }
    if tags.is_empty() {
        String::new()
    } else {
        format!("  {}", style.yellow(&format!("[{}]", tags.join(", "))))
    }
}

fn remarks(
    title: &str,
    notes: &[crate::plan::Note],
    style: Style,
    paint: fn(Style, &str) -> String,
) -> String {
    if notes.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", style.bold(title));
    for note in notes {
        for (at, line) in wrap(&printable(&note.text), style.width - 14).iter().enumerate() {
            let name = if at == 0 { note.tunable.as_str() } else { "" };
            out += &format!("  {} {line}\n", paint(style, &format!("{name:<10}")));
        }
    }
    out
}
