//! `apply`: show, ask, carry out, verify.

use crate::t;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};

use super::output::Out;
use super::progress::Steps;
use super::session::{Session, read_here};
use super::{Answer, Global, Outcome};
use crate::apply::{self, ApplyError, Generation, Generations, Recovered};
use crate::host::terminal;
use crate::plan::{Plan, SavedPlan};
use crate::render::plan as show;

#[derive(Debug, Args)]
pub(super) struct Apply {
    /// A plan that `civicum-tune plan --out FILE` wrote: exactly that is carried out, or nothing
    #[arg(value_name = "FILE", conflicts_with = "profile")]
    plan: Option<PathBuf>,
}

impl Apply {
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        let saved = self.plan.as_ref().map(|path| read_saved(path)).transpose()?;
        let session = match &saved {
            Some(saved) => Session::of(global, saved)?,
            None => Session::open(global, false)?,
        };
        if !session.host.may_change() {
            bail!(t!(
                "only root can change this host; run: {command}",
                command = format!("sudo {}", session.again("apply"))
            ));
        }
        let first = session.plan()?;
        if !first.obstacles.is_empty() {
            if !out.json {
                out.data(&show::human(&first, out.style));
            }
            bail!(t!("this host can't be changed: {why}", why = first.obstacles.join("; ")));
        }
        // From here on nobody else changes it, so what is planned now is what will be met.
        let _lock = apply::lock(&session.host)?;
        if !global.yes
            && (out.json || !terminal::can_ask())
            && Generations::read(&session.host)?.cut().is_some()
        {
            bail!(t!("an earlier apply was cut off, and there is nobody to ask; run this again with --yes"));
        }
        let recovered = apply::recover(&session.host, &mut Steps::new(out))?;
        let session = if recovered.is_some() { session.look_again()? } else { session };
        let seen = saved.as_ref().map(|_| session.host.record_seen());
        let plan = if recovered.is_some() || seen.is_some() { session.plan()? } else { first };
        if let (Some(saved), Some(path)) = (&saved, &self.plan) {
            saved
                .still_holds(&plan, &session.host.take_seen())
                .with_context(|| t!("{path} is not carried out", path = path.display()))?;
        }
        if plan.is_empty() {
            return Ok(nothing_to_do(&plan, recovered.as_ref(), out));
        }
        if !out.json && !out.quiet {
            out.data(&show::human(&plan, out.style));
        }
        if !global.yes && !may_go_on(out)? {
            out.say(&t!("Nothing was changed."));
            return Ok(Answer::Differs);
        }
        terminal::remember_interrupts();
        let generation = match apply::apply(&session.host, &plan, &session.settings, &mut Steps::new(out)) {
            Ok(generation) => generation,
            Err(error) => return failed(error, out),
        };
        // Believe the host, not the journal.
        let session = session.look_again()?;
        let left = session.plan()?;
        report(&generation, &left, &session, out);
        Ok(if left.is_empty() && left.blocked.is_empty() { Answer::Yes } else { Answer::Trouble })
    }
}

fn read_saved(path: &std::path::Path) -> anyhow::Result<SavedPlan> {
    let bytes = read_here(path)?;
    SavedPlan::from_json(&bytes).with_context(|| t!("{path} can't be used", path = path.display()))
}

fn may_go_on(out: &Out) -> anyhow::Result<bool> {
    if out.json || !terminal::can_ask() {
        bail!(t!(
            "there is nobody to ask; read the plan with `civicum-tune plan`, then run this again with --yes"
        ));
    }
    Ok(terminal::ask(&t!("Carry this out?")))
}

fn nothing_to_do(plan: &Plan, recovered: Option<&Recovered>, out: &Out) -> Answer {
    if out.json {
        let mut document = document(None, &[], &Value::Null, false);
        document["recovered"] = json!(recovered);
        document["blocked"] = json!(plan.blocked);
        out.document(&document);
    } else if !out.quiet {
        out.data(&show::human(plan, out.style));
    }
    if plan.blocked.is_empty() { Answer::Yes } else { Answer::Trouble }
}

fn document(generation: Option<u32>, applied: &[&str], failed: &Value, reboot: bool) -> Value {
    json!({
        "schema": "civicum-tune/apply/1",
        "generation": generation,
        "applied": applied,
        "failed": failed,
        "reboot_required": reboot,
    })
}

fn failed(error: ApplyError, out: &Out) -> Outcome {
    if let (true, ApplyError::TakenBack { step, error: why, rollback }) = (out.json, &error) {
        let mut document =
            document(Some(rollback.generation), &[], &json!({ "id": step, "error": why }), false);
        document["rollback"] = json!(rollback);
        out.document(&document);
        return Ok(Answer::Trouble);
    }
    Err(error.into())
}

fn report(generation: &Generation, left: &Plan, session: &Session, out: &Out) {
    let applied: Vec<&str> = generation.changes.iter().map(|change| change.id.as_str()).collect();
    let reboot = generation.changes.iter().any(|change| change.reboot);
    if out.json {
        let mut document = document(Some(generation.id), &applied, &Value::Null, reboot);
        document["not_taken"] = json!(left.changes.iter().map(|change| &change.id).collect::<Vec<_>>());
        document["blocked"] = json!(left.blocked);
        out.document(&document);
        return;
    }
    let style = out.style;
    if out.quiet && left.is_empty() && left.blocked.is_empty() {
        return;
    }
    if left.is_empty() {
        let text = if left.blocked.is_empty() {
            t!("Generation {id} is in place: looked again, and nothing differs.", id = generation.id)
        } else {
            t!(
                "Generation {id} is in place: looked again, and nothing differs but for what is not possible here:",
                id = generation.id
            )
        };
        out.data(&format!("\n{}\n", style.green(&text)));
    } else {
        let text =
            t!("Generation {id} is in place, but looking again these did not take:", id = generation.id);
        out.data(&format!("\n{}\n", style.yellow(&text)));
        for change in &left.changes {
            out.data(&format!("  {}  {}\n", change.act.target(), change.summary));
        }
    }
    for note in &left.blocked {
        out.data(&format!("  {}  {}\n", style.yellow(&note.tunable), note.text));
    }
    if reboot && session.host.is_live() {
        out.data(&t!("Reboot when it suits you; `civicum-tune plan` then proves that the boot line took.\n"));
    }
    let back = session.at_root(&format!("rollback {}", generation.id));
    out.data(&t!("Take it back at any time: {command}\n", command = back));
}
