//! `deploy`: the containers of the profile, brought up or brought up to date.

use anyhow::bail;
use clap::Args;
use indicatif::ProgressBar;

use super::output::Out;
use super::progress::line_that_stays;
use super::session::{Session, at_root, shell_word};
use super::validate::read_model;
use super::{Answer, Global, Outcome};
use crate::container::desired::Deployment;
use crate::container::observed::{Observed, Owner};
use crate::container::plan::{self, Change, Plan};
use crate::engine::{self, Client, Deployed, Progress, Wait, deploy, observe};
use crate::host::{Lock, terminal};
use crate::profile;
use crate::render::deploy as show;
use crate::render::style::printable;
use crate::supervise::Word;
use crate::t;

/// Bring the profile's containers up, in order, and wait until they are healthy
///
/// Only what differs is touched. A container that must be made anew is put aside first, and comes back if the new one does
/// not get healthy. Networks have no way out, secrets are made once, volumes are kept.
#[derive(Debug, Args)]
pub(super) struct DeployCommand {
    /// Only these services, and what they need
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Show the plan, and change nothing; exit 1 when there are changes
    #[arg(long)]
    dry_run: bool,
    /// Replace a database's container without a dump of all it has
    #[arg(long)]
    no_dump: bool,
    /// Remove containers of this deployment that no service of the profile asks for
    #[arg(long)]
    remove_orphans: bool,
}

/// What every command about containers needs.
pub(super) struct Stage {
    pub session: Session,
    pub wish: Deployment,
    pub client: Client,
}

impl Stage {
    /// The profile's deployment, or a part of it, and a connection to the engine.
    pub(super) fn open(global: &Global, verb: &str, services: &[String]) -> anyhow::Result<Self> {
        Self::look(global, verb, services, true)
    }

    /// The same for those who only want to see, and need no more than the engine's leave.
    pub(super) fn look(
        global: &Global,
        verb: &str,
        services: &[String],
        as_root: bool,
    ) -> anyhow::Result<Self> {
        if global.root.is_some() {
            bail!(t!(
                "{command} is for the running machine: --root has files, and no Docker engine",
                command = verb
            ));
        }
        let session = Session::open(global, false)?;
        let mut wish = deployment(&session, services)?;
        // What the supervisor has shared out anew is no difference.
        if let Some(mode) = Word::read(&session.host, &wish.name).and_then(|word| word.mode) {
            wish = wish.in_mode(mode);
        }
        if as_root && !session.host.may_change() {
            let again = format!("sudo {}", session.again(verb));
            bail!(t!("the secrets of a deployment are root's; run: {command}", command = again));
        }
        let client = Client::connect(&session.host)?;
        Ok(Self { session, wish, client })
    }
}

impl Stage {
    /// Keeps other runs away from this deployment; others are none of our business.
    fn lock(&self) -> anyhow::Result<Lock> {
        Ok(self.session.host.lock(&self.wish.lock())?)
    }
}

/// What the profile asks for.
pub(super) fn deployment(session: &Session, services: &[String]) -> anyhow::Result<Deployment> {
    let wish = Deployment::of(&session.settings).map_err(|knot| anyhow::anyhow!(knot.0))?;
    let names: Vec<String> = wish.services.iter().map(|service| service.name.clone()).collect();
    if names.is_empty() {
        bail!(t!(
            "the profile {name} has no services; `{show}` shows one that has",
            name = session.settings.name,
            show = at_root(None, "profile show civicum-12g")
        ));
    }
    wish.only(services).map_err(|name| {
        anyhow::anyhow!(t!(
            "the profile has no service {name}; it has {names}",
            name = name,
            names = names.join(", ")
        ))
    })
}

impl DeployCommand {
    /// Everything, and nothing of it done.
    pub(super) const fn dry_run() -> Self {
        Self { services: Vec::new(), dry_run: true, no_dump: false, remove_orphans: false }
    }

    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        let mut stage = self.stage(global)?;
        // Only one of us at a time: what is seen now is what will be met.
        let mut lock = if self.dry_run { None } else { Some(stage.lock()?) };
        let (mut observed, plan) = self.see(&stage)?;
        if self.dry_run || plan.is_empty() || !plan.blocked.is_empty() {
            return self.told(&stage, &plan, out);
        }
        if !out.json && !out.quiet {
            out.data(&show::human(&stage.wish, &plan, out.style));
        } else if !out.json && !global.yes {
            // Whoever is asked must see for what.
            out.data(&format!("{}\n", show::summary(&stage.wish, &plan, out.style)));
        }
        if !global.yes {
            if out.json || !terminal::can_ask() {
                bail!(t!("there is nobody to ask; run this again with --yes"));
            }
            // Whoever is asked may think for an hour, and the supervisor has work to do meanwhile.
            drop(lock.take());
            if !terminal::ask(&t!("Deploy this? [y/N]")) {
                out.say(&t!("Nothing was changed."));
                return Ok(Answer::Differs);
            }
            let asked_for = std::mem::replace(&mut stage, self.stage(global)?).wish;
            lock = Some(stage.lock()?);
            let now = self.see(&stage)?;
            if now.1 != plan || stage.wish != asked_for {
                bail!(t!(
                    "what is there or what is asked for has changed meanwhile, and nothing was done; look at the plan again: {command}",
                    command = stage.session.again("deploy --dry-run")
                ));
            }
            observed = now.0;
        }
        terminal::remember_interrupts();
        let Stage { session, wish, client } = &stage;
        let outcome =
            deploy(client, &session.host, wish, &observed, &plan, Wait::Healthy, &mut Watch::new(out))?;
        drop(lock);
        if out.json {
            out.document(&show::json(wish, &plan, Some(&outcome)));
        } else {
            report(&stage, &outcome, out);
        }
        Ok(if outcome.is_complete() { Answer::Yes } else { Answer::Trouble })
    }

    fn stage(&self, global: &Global) -> anyhow::Result<Stage> {
        let flag = if self.dry_run { " --dry-run" } else { "" };
        let words: String = self.services.iter().map(|name| format!(" {}", shell_word(name))).collect();
        Stage::open(global, &format!("deploy{flag}{words}"), &self.services)
    }

    /// What is there, and what is to be done about it.
    fn see(&self, stage: &Stage) -> anyhow::Result<(Observed, Plan)> {
        let Stage { session, wish, client } = stage;
        let mut observed = observe(client, &session.host, wish)?;
        observed.taken = engine::taken(&session.host, wish, &observed);
        let mut plan = plan::build(wish, &observed, self.remove_orphans, !self.services.is_empty());
        if !self.no_dump {
            plan.dump_first(wish, &observed, engine::DUMPS);
        }
        if !plan.is_empty() {
            // What `validate` says of a model where it is at hand.
            let names: Vec<&str> = wish.services.iter().map(|service| service.name.as_str()).collect();
            plan.blocked.extend(profile::unfit(&session.settings, &names, read_model));
        }
        Ok((observed, plan))
    }

    /// Nothing is done: because nothing differs, because it can't be, or because it was only asked for.
    fn told(&self, stage: &Stage, plan: &Plan, out: &Out) -> Outcome {
        if out.json {
            out.document(&show::json(&stage.wish, plan, None));
        } else if out.quiet {
            if self.dry_run && plan.blocked.is_empty() {
                out.data(&format!("{}\n", show::summary(&stage.wish, plan, out.style)));
            }
        } else {
            out.data(&show::human(&stage.wish, plan, out.style));
        }
        if !plan.blocked.is_empty() {
            if out.json {
                // The document is out; whoever reads the other stream learns it too.
                plan.blocked.iter().for_each(|why| out.say(&printable(why)));
            } else if out.quiet {
                bail!(plan.blocked.join("; "));
            }
            return Ok(Answer::Trouble);
        }
        if self.dry_run && !plan.is_empty() {
            out.say(&t!("Next: {command}", command = stage.session.again("deploy")));
            return Ok(Answer::Differs);
        }
        Ok(Answer::Yes)
    }
}

fn report(stage: &Stage, outcome: &Deployed, out: &Out) {
    let style = out.style;
    for (change, why) in &outcome.failed {
        let (verb, target) = (show::verb(change.kind), printable(&change.target));
        let why = printable(why);
        out.data(&format!("{} {verb} {target}: {why}\n", style.red("✗")));
    }
    for change in &outcome.left {
        let words = match &outcome.stopped {
            Some(why) => t!("{name} was not touched: {why}", name = change.target, why = why),
            None => t!("{name} was not touched: what it needs does not work", name = change.target),
        };
        out.data(&format!("{} {}\n", style.yellow("–"), printable(&words)));
    }
    for path in &outcome.dumps {
        out.say(&t!("The database is dumped in {path}", path = printable(path)));
    }
    if outcome.is_complete() {
        if !out.quiet {
            let done = match stage.wish.services.len() {
                1 => t!("The one service works."),
                count => t!("All {count} services work.", count = count),
            };
            out.data(&format!("{}\n", style.green(&done)));
        }
    } else {
        out.data(&t!("Next: mend it and run {command} again.\n", command = stage.session.again("deploy")));
    }
}

/// Progress as a line that stays, in a pipe as a line for each change.
struct Watch<'a> {
    out: &'a Out,
    line: Option<ProgressBar>,
    places: Vec<(String, String)>,
}

impl<'a> Watch<'a> {
    fn new(out: &'a Out) -> Self {
        Self { out, line: line_that_stays(out), places: Vec::new() }
    }
}

impl Progress for Watch<'_> {
    fn begin(&mut self, number: usize, total: usize, change: &Change) {
        let width = total.to_string().len();
        self.places.push((change.target.clone(), format!("[{number:>width$}/{total}]")));
        if let Some(bar) = &self.line {
            bar.set_message(printable(&format!("{} {}", show::verb(change.kind), change.target)));
        }
    }

    fn waits(&mut self, container: &str, health: &str) {
        if let Some(bar) = &self.line {
            let health = if health.is_empty() { "…" } else { health };
            bar.set_message(printable(&t!(
                "waiting for {name}: {health}",
                name = container,
                health = health
            )));
        }
    }

    fn done(&mut self, change: &Change) {
        let style = self.out.err_style;
        let place = self.places.iter().rev().find(|(target, _)| *target == change.target);
        let place = place.map_or("", |(_, place)| place.as_str());
        let target = printable(&change.target);
        let text = format!("{} {} {} {target}", style.green("✓"), style.dim(place), show::verb(change.kind));
        match &self.line {
            Some(bar) => bar.println(text),
            None => self.out.say(&text),
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.line {
            bar.finish_and_clear();
        }
    }
}

/// Take the profile's containers and networks down; data stays
///
/// Containers are stopped in reverse order, each with the time that it has. Volumes and secrets stay unless --data is given.
#[derive(Debug, Args)]
pub(super) struct DownCommand {
    /// Remove the volumes and the secrets too: databases and documents are lost
    #[arg(long)]
    data: bool,
}

impl DownCommand {
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        let stage = Stage::open(global, "down", &[])?;
        let mut lock = Some(stage.lock()?);
        let mut observed = observe(&stage.client, &stage.session.host, &stage.wish)?;
        let there = observed.containers.len() + observed.networks.values().flatten().count();
        let data = if self.data { observed.volumes.len() + observed.secrets.len() } else { 0 };
        if there + data > 0 && !global.yes {
            if out.json || !terminal::can_ask() {
                bail!(t!("there is nobody to ask; run this again with --yes"));
            }
            let names: Vec<&str> = observed.containers.keys().map(String::as_str).collect();
            out.say(&t!("Containers: {names}", names = names.join(", ")));
            let mut question = t!("Take them down? [y/N]");
            if self.data {
                let ours = observed.volumes.iter().filter(|(_, owner)| **owner == Owner::Us);
                let volumes: Vec<&str> = ours.map(|(name, _)| name.as_str()).collect();
                out.say(&t!("Volumes, with all that is in them: {names}", names = volumes.join(", ")));
                question = t!("Take them down, and DESTROY the data? [y/N]");
            }
            drop(lock.take());
            if !terminal::ask(&question) {
                out.say(&t!("Nothing was changed."));
                return Ok(Answer::Differs);
            }
            lock = Some(stage.lock()?);
            let now = observe(&stage.client, &stage.session.host, &stage.wish)?;
            if !now.containers.keys().eq(observed.containers.keys()) || now.volumes != observed.volumes {
                bail!(t!(
                    "what is there has changed meanwhile, and nothing was done; look again: {command}",
                    command = stage.session.again("status")
                ));
            }
            observed = now;
        }
        let mut told = |name: &str| out.say(&t!("removed {name}", name = printable(name)));
        let removed =
            engine::down(&stage.client, &stage.session.host, &stage.wish, &observed, self.data, &mut told)?;
        drop(lock);
        if out.json {
            out.document(&serde_json::json!({ "schema": "civicum-tune/down/1", "removed": removed }));
        } else if removed.is_empty() && !out.quiet {
            out.data(&t!("There is nothing to take down.\n"));
        }
        Ok(Answer::Yes)
    }
}
