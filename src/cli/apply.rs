//! `apply`: show, ask, carry out, verify.

use crate::t;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};

use super::output::Out;
use super::progress::Steps;
use super::session::{Session, at_root, shell_word};
use super::{Answer, Global, Outcome};
use crate::apply::{self, ApplyError, Generation, Generations, Recovered};
use crate::host::{Host, terminal};
use crate::plan::{Plan, SavedPlan};
use crate::profile::BUNDLED;
use crate::render::plan as show;
use crate::render::style::printable;

#[derive(Debug, Args)]
pub(super) struct Apply {
    /// A plan that `civicum-tune plan --out FILE` wrote: exactly that is carried out, or nothing
    #[arg(value_name = "FILE", conflicts_with = "profile")]
    plan: Option<PathBuf>,
}

impl Apply {
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        let saved = self.plan.as_ref().map(|path| read_saved(path, global)).transpose()?;
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
        let _lock = apply::lock(&session.host)?;
        let is_cut = Generations::read(&session.host)?.cut().is_some();
        if !global.yes && (out.json || !terminal::can_ask()) && is_cut {
            bail!(t!("an earlier apply was cut off, and there is nobody to ask; run this again with --yes"));
        }
        let recovered = recover(&session, is_cut, out)?;
        // From here on nobody else changes it, so that what is seen now is what will be met. What was seen before may have
        // been changed by another run, or by the recovery, which may have put the host's own profile back.
        let session = match &saved {
            Some(saved) => Session::of(global, saved)?,
            None => Session::open(global, false)?,
        };
        let plan = session.plan()?;
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
        if !global.yes && !may_go_on(&session, out)? {
            out.say(&t!("Nothing was changed."));
            return Ok(Answer::Differs);
        }
        terminal::remember_interrupts();
        let generation = match apply::apply(&session.host, &plan, &session.settings, &mut Steps::new(out)) {
            Ok(generation) => generation,
            Err(error) => return failed(error, recovered.as_ref(), &session, out),
        };
        // Believe the host, not the journal.
        let session = session.look_again()?;
        let left = session.plan()?;
        report(&generation, &left, recovered.as_ref(), &session, out);
        Ok(if left.is_empty() && left.blocked.is_empty() { Answer::Yes } else { Answer::Trouble })
    }
}

/// Ends what was cut off. A key pressed meanwhile is obeyed when the step that it met is over.
fn recover(session: &Session, is_cut: bool, out: &Out) -> anyhow::Result<Option<Recovered>> {
    if !is_cut {
        return Ok(None);
    }
    terminal::remember_interrupts();
    let recovered = apply::recover(&session.host, &mut Steps::new(out))?;
    if terminal::interrupted() {
        bail!(t!(
            "you interrupted it; `{history}` says how far the earlier apply is",
            history = session.at_root("history")
        ));
    }
    terminal::forget_interrupts();
    Ok(recovered)
}

fn read_saved(path: &Path, global: &Global) -> anyhow::Result<SavedPlan> {
    let absolute = std::path::absolute(path)?;
    let found = Host::live()?.read(&absolute.to_string_lossy())?;
    let saved = found.as_deref().map(SavedPlan::from_json);
    if !matches!(saved, Some(Ok(_))) && is_profile(path, found.as_deref()) {
        let words = format!("apply --profile {}", shell_word(&path.to_string_lossy()));
        bail!(t!(
            "{path} is a profile, and no plan of `civicum-tune plan --out`; to apply it: {command}",
            path = path.display(),
            command = at_root(global.root.as_deref(), &words)
        ));
    }
    let Some(saved) = saved else {
        bail!(t!(
            "there is no saved plan {path}; `{plan}` makes one, and without a file apply makes its own",
            path = path.display(),
            plan = at_root(
                global.root.as_deref(),
                &format!("plan --out {}", shell_word(&path.to_string_lossy()))
            )
        ));
    };
    saved.with_context(|| t!("{path} can't be used", path = path.display()))
}

/// Is it a profile that stands where a saved plan belongs?
fn is_profile(path: &Path, found: Option<&[u8]>) -> bool {
    match found {
        Some(bytes) => {
            let is_toml = |text: &str| text.parse::<toml::Table>().is_ok_and(|table| !table.is_empty());
            path.extension().is_some_and(|ending| ending == "toml")
                || std::str::from_utf8(bytes).is_ok_and(is_toml)
        }
        None => BUNDLED.iter().any(|bundled| Path::new(bundled.name) == path),
    }
}

fn may_go_on(session: &Session, out: &Out) -> anyhow::Result<bool> {
    if out.json || !terminal::can_ask() {
        bail!(t!(
            "there is nobody to ask; read the plan with `{plan}`, then run this again with --yes",
            plan = session.again("plan")
        ));
    }
    Ok(terminal::ask(&t!("Carry this out? [y/N]")))
}

fn nothing_to_do(plan: &Plan, recovered: Option<&Recovered>, out: &Out) -> Answer {
    if out.json {
        let mut document = document(None, &[], &Value::Null, false);
        document["recovered"] = json!(recovered);
        document["blocked"] = json!(plan.blocked);
        document["inside"] = json!(plan.inside);
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

fn failed(error: ApplyError, recovered: Option<&Recovered>, session: &Session, out: &Out) -> Outcome {
    if let (true, ApplyError::TakenBack { step, error: why, rollback }) = (out.json, &error) {
        let mut document =
            document(Some(rollback.generation), &[], &json!({ "id": step, "error": why }), false);
        document["rollback"] = json!(rollback);
        document["recovered"] = json!(recovered);
        out.document(&document);
        return Ok(Answer::Trouble);
    }
    match &error {
        ApplyError::TakenBack { rollback, .. } if !rollback.is_complete() => Err(anyhow::anyhow!(t!(
            "{error}\nwhen that is mended, `{rollback}` takes back the rest; with --keep it accepts it as it is",
            error = error,
            rollback = session.at_root("rollback")
        ))),
        _ => Err(error.into()),
    }
}

fn report(generation: &Generation, left: &Plan, recovered: Option<&Recovered>, session: &Session, out: &Out) {
    let applied: Vec<&str> = generation.changes.iter().map(|change| change.id.as_str()).collect();
    let reboot = generation.changes.iter().any(|change| change.reboot);
    if out.json {
        let mut document = document(Some(generation.id), &applied, &Value::Null, reboot);
        document["not_taken"] = json!(left.changes.iter().map(|change| &change.id).collect::<Vec<_>>());
        document["blocked"] = json!(left.blocked);
        document["recovered"] = json!(recovered);
        document["inside"] = json!(generation.inside);
        out.document(&document);
        return;
    }
    let style = out.style;
    if out.quiet && left.is_empty() && left.blocked.is_empty() {
        // What somebody still has to do is said all the same.
        to_be_run_inside(generation, out);
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
            out.data(&format!("  {}  {}\n", printable(change.act.target()), printable(&change.summary)));
        }
    }
    for note in &left.blocked {
        out.data(&format!("  {}  {}\n", style.yellow(&note.tunable), printable(&note.text)));
    }
    if reboot && session.host.is_live() {
        out.data(&t!("Reboot when it suits you; `civicum-tune plan` then proves that the boot line took.\n"));
    }
    to_be_run_inside(generation, out);
    let back = session.at_root(&format!("rollback {}", generation.id));
    out.data(&t!("Take it back at any time: {command}\n", command = back));
}

fn to_be_run_inside(generation: &Generation, out: &Out) {
    for command in &generation.inside {
        out.data(&t!("Inside the image, run: {command}\n", command = command));
    }
}
