//! What the containers do, as a table.

use serde_json::{Value, json};

use super::style::{Style, printable};
use crate::container::observed::Container;
use crate::container::plan::cpus;
use crate::lang::say;
use crate::supervise::Word;
use crate::supervise::ladder::Rung;
use crate::t;
use crate::units::{Bytes, MIB};

/// One container, or one that is missing.
#[derive(Debug, Clone)]
pub struct Row {
    /// A service of the profile asks for it.
    pub is_wanted: bool,
    /// A model that sleeps, so that documents can be read in its memory; the engine's health check can't reach it, and says so.
    pub is_asleep: bool,
    /// It waits beside the new container of this service, and comes back if that one does not get healthy.
    pub kept_for: Option<String>,
    /// How often the kernel killed in it for want of memory since it was started, as far as anybody counts.
    pub oom_kills: u64,
    /// The service.
    pub service: String,
    /// The container's name.
    pub name: String,
    /// What the engine says; `None`: it is not there.
    pub container: Option<Container>,
    /// Bytes in use.
    pub memory: Option<u64>,
    /// CPUs in use, in thousandths.
    pub cpu: Option<u64>,
}

/// What the supervisor says, under the table.
pub fn supervisor(word: Option<&Word>, style: Style) -> String {
    let mut words = match word {
        None => style.dim(&t!("No supervisor runs.")),
        Some(word) => {
            let now = super::events::now(word.rung, word.mode);
            let now = if word.rung == Rung::Calm { style.green(&now) } else { style.yellow(&now) };
            t!("Supervisor: {now}", now = now)
        }
    };
    if let Some(version) = word.and_then(Word::other_version) {
        let text = t!(
            "It is version {version} of the program, and this is {own}: `systemctl restart civicum-tune-supervise` starts this one.",
            version = printable(version),
            own = env!("CARGO_PKG_VERSION")
        );
        words.push_str(&format!("\n{}", style.yellow(&text)));
    }
    format!("\n{words}\n")
}

impl Row {
    /// Does it run, healthy where it has a health check?
    pub fn is_well(&self) -> bool {
        self.is_asleep || self.container.as_ref().is_some_and(Container::is_well)
    }

    /// Does it wait beside a new one? Then it shall not run.
    pub const fn is_kept(&self) -> bool {
        self.kept_for.is_some()
    }

    /// One entry of `civicum-tune/status/1`.
    pub fn json(&self) -> Value {
        let container = self.container.clone().unwrap_or_default();
        let limits = container.limits.as_ref();
        json!({
            "name": self.service,
            "container": self.name,
            "state": if self.container.is_some() { container.state.as_str() } else { "absent" },
            "health": (!container.health.is_empty() && !self.is_asleep).then_some(container.health),
            "started": (!container.started.is_empty()).then_some(container.started),
            "exit_code": container.exit_code,
            "restarts": container.restarts,
            "memory": { "used": self.memory, "limit": limits.map(|l| l.memory).filter(|limit| *limit > 0) },
            "cpu": {
                "used": self.cpu.map(|thousandths| f64::from(u32::try_from(thousandths).unwrap_or(u32::MAX)) / 1000.0),
                "limit": limits.map(|l| l.nano_cpus).filter(|n| *n > 0).map(|n| f64::from(u32::try_from(n / 1_000_000).unwrap_or(u32::MAX)) / 1000.0),
            },
            "oom_kills": self.oom_kills,
            "image": container.image,
            "image_id": container.image_id,
            "config_hash": container.fingerprint,
            "wanted": self.is_wanted,
            "kept_for": self.kept_for,
            "asleep": self.is_asleep,
        })
    }

    fn state(&self) -> (String, fn(Style, &str) -> String) {
        let Some(container) = &self.container else { return (t!("absent"), Style::red) };
        if let Some(service) = &self.kept_for {
            return (t!("kept until {service} is healthy", service = service), Style::yellow);
        }
        if self.is_asleep {
            return (t!("asleep"), Style::green);
        }
        match (container.state.as_str(), container.health.as_str()) {
            ("running", "") => (t!("running"), Style::green),
            ("running", "healthy") => (t!("healthy"), Style::green),
            ("running", "starting") => (t!("starting"), Style::yellow),
            ("running", _) => (t!("not healthy"), Style::red),
            ("exited", _) => (t!("ended ({code})", code = container.exit_code), Style::red),
            (other, _) => (other.to_owned(), Style::yellow),
        }
    }
}

/// The table.
pub fn table(deployment: &str, rows: &[Row], style: Style) -> String {
    let head =
        [say("SERVICE"), say("STATE"), say("SINCE"), say("MEMORY"), say("CPU"), say("RESTARTS"), say("OOM")];
    let mut lines: Vec<Vec<String>> = vec![head.iter().map(|word| word.clone().into_owned()).collect()];
    for row in rows {
        let container = row.container.clone().unwrap_or_default();
        let limits = container.limits.clone();
        let of = |used: String, limit: Option<String>| {
            limit.map_or(used.clone(), |limit| format!("{used} / {limit}"))
        };
        let mib = |bytes: u64| format!("{} MiB", bytes / MIB);
        let memory = row.memory.map(|bytes| {
            of(mib(bytes), limits.as_ref().filter(|l| l.memory > 0).map(|l| Bytes(l.memory).to_string()))
        });
        let cpu = row.cpu.map(|n| {
            let ceiling = limits.as_ref().filter(|l| l.nano_cpus > 0).map(|l| cpus(l.nano_cpus));
            of(format!("{}.{:02}", n / 1000, n % 1000 / 10), ceiling)
        });
        lines.push(vec![
            printable(&row.service) + if row.is_wanted || row.is_kept() { "" } else { " *" },
            row.state().0,
            if container.runs() { since(&container.started) } else { String::new() },
            memory.unwrap_or_default(),
            cpu.unwrap_or_default(),
            if row.container.is_some() { container.restarts.to_string() } else { String::new() },
            if row.oom_kills > 0 { row.oom_kills.to_string() } else { String::new() },
        ]);
    }
    let widths: Vec<usize> = (0..head.len())
        .map(|at| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0))
        .collect();
    let mut out = format!("{} {}\n", style.bold(&say("Deployment")), printable(deployment));
    for (at, line) in lines.iter().enumerate() {
        let mut text = String::new();
        for (column, (word, width)) in line.iter().zip(&widths).enumerate() {
            let padded = format!("{word:<width$}");
            let painted = match (at, column) {
                (0, _) => style.dim(&padded),
                (_, 0) => style.bold(&padded),
                (_, 1) => rows[at - 1].state().1(style, &padded),
                _ => padded,
            };
            text += &format!("  {painted}");
        }
        out += text.trim_end();
        out.push('\n');
    }
    for row in rows {
        let words = row
            .container
            .as_ref()
            .filter(|c| !c.is_well() && !row.is_kept())
            .map_or("", |c| c.health_words.as_str());
        if let Some(line) = words.lines().next() {
            let words = t!("{service} says: {words}", service = row.service, words = line);
            out += &format!("\n  {}\n", style.yellow(&printable(&words)));
        }
    }
    if rows.iter().any(|row| !row.is_wanted && !row.is_kept()) {
        out += &format!("\n  * {}\n", say("no service of the profile asks for it"));
    }
    out
}

/// How long ago, in its largest unit.
fn since(rfc3339: &str) -> String {
    let age = humantime::parse_rfc3339(rfc3339)
        .ok()
        .and_then(|then| std::time::SystemTime::now().duration_since(then).ok())
        .map_or(0, |age| age.as_secs());
    match age {
        0..=119 => format!("{age} s"),
        120..=7199 => format!("{} min", age / 60),
        7200..=172_799 => format!("{} h", age / 3600),
        _ => t!("{n} days", n = age / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_of_another_version() {
        let said = |version: Option<&str>| {
            let version = version.map(str::to_owned);
            supervisor(Some(&Word { pid: 1, version, rung: Rung::Calm, mode: None }), Style::default())
        };
        assert!(said(Some("0.0.9")).contains("version 0.0.9 of the program"), "{}", said(Some("0.0.9")));
        assert_eq!(said(Some(env!("CARGO_PKG_VERSION"))), said(None));
        // Left by one that did not tell it.
        let old: Word = serde_json::from_str(r#"{"pid":1,"rung":"calm","mode":null}"#).unwrap();
        assert_eq!(old.other_version(), None);
    }
}
