//! `status` and `logs`: what the containers do now.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use super::deploy::Stage;
use super::output::Out;
use super::session::shell_word;
use super::{Answer, Global, Outcome};
use crate::container::observed::{Container, Observed, previous};
use crate::engine::{self, Logs, Usage, look_around};
use crate::facts::cgroup;
use crate::host::terminal;
use crate::render::status::{self as show, Row};
use crate::render::style::printable;
use crate::supervise::Word;
use crate::t;

/// Show what the containers do: state, health, memory, CPU, restarts; exit 1 when not all are healthy
#[derive(Debug, Args)]
pub(super) struct StatusCommand {
    /// Show it anew every two seconds until Ctrl-C
    #[arg(long)]
    watch: bool,
}

const BETWEEN: Duration = Duration::from_secs(2);

impl StatusCommand {
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        let stage = Stage::look(global, "status", &[], false)?;
        if self.watch && (out.json || !terminal::stdout_is_terminal()) {
            bail!(t!("--watch needs a terminal; a script asks for --format json as often as it likes"));
        }
        terminal::remember_first_interrupt();
        let mut before: Option<Vec<(String, Usage)>> = None;
        loop {
            let observed = look_around(&stage.client, &stage.session.host, &stage.wish)?;
            let now = samples(&stage, &observed)?;
            // One sample says how much was used since the start; two say how much is used now.
            let Some(earlier) = before.take() else {
                stage.client.pause(Duration::from_millis(if self.watch || out.json { 400 } else { 250 }));
                before = Some(now);
                continue;
            };
            let rows = rows(&stage, &observed, &earlier, &now);
            let healthy = rows.iter().filter(|row| !row.is_kept()).all(Row::is_well);
            let word = Word::read(&stage.session.host, &stage.wish.name);
            if out.json {
                out.document(&document(&stage, &rows, word.as_ref()));
            } else if out.quiet && !self.watch {
                let ill: Vec<Row> = rows.into_iter().filter(|row| !row.is_kept() && !row.is_well()).collect();
                if !ill.is_empty() {
                    out.data(&show::table(&stage.wish.name, &ill, out.style));
                }
            } else if !self.watch {
                out.data(&show::table(&stage.wish.name, &rows, out.style));
                out.data(&show::supervisor(word.as_ref(), out.style));
            } else {
                let table = show::table(&stage.wish.name, &rows, out.style);
                out.data(&format!("\x1b[H\x1b[2J{table}{}", show::supervisor(word.as_ref(), out.style)));
            }
            if !self.watch || terminal::interrupted() {
                return Ok(if healthy { Answer::Yes } else { Answer::Differs });
            }
            before = Some(now);
            for _ in 0..20 {
                stage.client.pause(BETWEEN / 20);
                if terminal::interrupted() {
                    return Ok(if healthy { Answer::Yes } else { Answer::Differs });
                }
            }
        }
    }
}

fn samples(stage: &Stage, observed: &Observed) -> anyhow::Result<Vec<(String, Usage)>> {
    let running = observed.containers.iter().filter(|(_, container)| container.runs());
    let names: Vec<&str> = running.map(|(name, _)| name.as_str()).collect();
    let found = engine::usage(&stage.client, &names)?;
    Ok(names.into_iter().map(str::to_owned).zip(found).collect())
}

fn rows(stage: &Stage, observed: &Observed, before: &[(String, Usage)], now: &[(String, Usage)]) -> Vec<Row> {
    let of =
        |list: &[(String, Usage)], name: &str| list.iter().find(|(n, _)| n == name).map(|(_, usage)| *usage);
    let wanted = stage.wish.services.iter().map(|service| (service.name.clone(), service.container.clone()));
    let is_wanted = |name: &str| stage.wish.services.iter().any(|service| service.container == name);
    let others = observed.containers.iter().filter(|(name, _)| !is_wanted(name));
    let others = others.map(|(name, container)| (container.service.clone(), name.clone()));
    let is_v2 = cgroup::is_v2(&stage.session.host);
    wanted
        .chain(others)
        .map(|(service, name)| {
            let usage = of(now, &name);
            let cpu = of(before, &name).zip(usage).and_then(|(before, now)| now.cpus_since(before));
            let container: Option<Container> = observed.containers.get(&name).cloned();
            let counted = container.as_ref().filter(|found| found.runs()).and_then(|found| {
                cgroup::oom_kills(&stage.session.host, is_v2, found.pid, &found.id).map(|(count, _)| count)
            });
            let flagged = container.as_ref().is_some_and(|found| found.oom_killed);
            let sleeps = stage.wish.services.iter().any(|s| s.asleep && s.container == name);
            let kept_for = stage.wish.services.iter().find(|s| previous(&s.container) == name);
            Row {
                is_wanted: is_wanted(&name),
                // The control group counts; the engine only remembers that there was one.
                oom_kills: counted.unwrap_or(0).max(u64::from(flagged)),
                is_asleep: sleeps && container.as_ref().is_some_and(|found| found.state == "paused"),
                kept_for: kept_for.map(|service| service.name.clone()),
                service,
                name,
                container,
                memory: usage.map(|u| u.memory),
                cpu,
            }
        })
        .collect()
}

fn document(stage: &Stage, rows: &[Row], word: Option<&Word>) -> Value {
    json!({
        "schema": "civicum-tune/status/1",
        "deployment": stage.wish.name,
        "services": rows.iter().map(Row::json).collect::<Vec<_>>(),
        "supervisor": word,
    })
}

/// Print the log of a service
#[derive(Debug, Args)]
pub(super) struct LogsCommand {
    /// The service, as the profile calls it
    service: String,
    /// Go on until Ctrl-C, or until the service ends
    #[arg(short, long)]
    follow: bool,
    /// So many lines from the end; default: all
    #[arg(short = 'n', long, value_name = "LINES")]
    tail: Option<u32>,
    /// Put the time before each line
    #[arg(long)]
    timestamps: bool,
}

impl LogsCommand {
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        if self.follow && out.json {
            bail!(t!("--follow has no end, and a JSON document needs one; take --tail"));
        }
        let verb = format!("logs {}", shell_word(&self.service));
        let stage = Stage::look(global, &verb, std::slice::from_ref(&self.service), false)?;
        let Some(service) = stage.wish.services.iter().find(|service| service.name == self.service) else {
            return Ok(Answer::Yes);
        };
        let wanted = Logs { follow: self.follow, tail: self.tail, timestamps: self.timestamps };
        let mut lines: Vec<String> = Vec::new();
        engine::logs(&stage.client, &service.container, wanted, &mut |text| {
            // What a service writes is not for the terminal to obey.
            let text = printable(text);
            if out.json { lines.push(text.trim_end().to_owned()) } else { out.data(&text) }
        })?;
        if out.json {
            out.document(
                &json!({ "schema": "civicum-tune/logs/1", "service": self.service, "lines": lines }),
            );
        }
        Ok(Answer::Yes)
    }
}
