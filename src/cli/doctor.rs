//! `doctor`: the audit.

use std::cell::Cell;
use std::thread::{self, JoinHandle};

use anyhow::bail;
use clap::Args;

use super::output::Out;
use super::session::Session;
use super::{Answer, Global, Outcome};
use crate::apply::{self, Generations};
use crate::check::{self, Scene, Selection, Severity, audit};
use crate::engine;
use crate::facts::engine::Engine;
use crate::host::{Host, HostError};
use crate::plan;
use crate::profile::suggest::nearest;
use crate::render::{diagnostic, doctor as show};
use crate::supervise::Word;
use crate::t;
use crate::tunable::Context;

/// Audit this host against its profile and the catalogue of checks
///
/// Nothing is changed. Each finding tells what was expected, what was found, where that was seen, and the way out. What
/// could not be told is named, and never counted as a pass. `-v` shows every answer.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Only these checks: ids (CT-ZSWAP-003) or areas (ZSWAP), parted by commas
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<String>,
    /// Not these checks
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    skip: Vec<String>,
    /// Only checks of at least this severity
    #[arg(long, value_enum, value_name = "LEVEL")]
    severity: Option<Severity>,
    /// What could not be told is a failure
    #[arg(long)]
    strict: bool,
}

impl Doctor {
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        let selection =
            Selection { only: self.only.clone(), skip: self.skip.clone(), severity: self.severity };
        if let Some(name) = selection.unknown() {
            let known = check::all().flat_map(|check| [check.id, check.area()]);
            let hint = match nearest(&name.to_ascii_uppercase(), known) {
                Some(near) => t!("did you mean `{near}`?", near = near),
                None => t!("`civicum-tune explain` lists all of them"),
            };
            bail!(t!("there is no check `{name}`; {hint}", name = name, hint = hint));
        }
        if !check::all().any(|check| selection.takes(check)) {
            bail!(t!(
                "--only, --skip and --severity leave no check to be made: an audit of nothing would pass"
            ));
        }
        let early = self.ask_early(global);
        let session = Session::open(global, false)?;
        let applied = apply::look_back(&session.host);
        let context =
            Context { wish: &session.settings, facts: &session.facts, host: &session.host, remember: None };
        let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
        let ask_engine = || {
            let told = early.take().and_then(|thread| thread.join().ok()).and_then(Result::ok);
            told.unwrap_or_else(|| engine::ask(&session.host))
        };
        let ask_containers = || {
            let word = Word::read(&session.host, &session.settings.deployment.name);
            let mode = word.and_then(|word| word.mode).unwrap_or_default();
            engine::containers(&session.host, &session.settings, mode)
        };
        let mut scene = Scene::new(context, session.chosen.as_ref(), &applied, now, &ask_engine)
            .with_containers(&ask_containers);
        let is_tree = !session.host.is_live();
        scene.waits_for_its_boot = is_tree && waits_for_its_boot(&session);
        let mut report = audit(&scene, &selection, self.strict);
        let again = |verb: &str| match verb {
            "apply" | "deploy" | "logs" => session.again(verb),
            _ => session.at_root(verb),
        };
        report.aim(is_tree, &again);
        let apply = session.again("apply");
        let host = plan::describe(&session.facts);
        let obstacles = plan::obstacles(&session.facts, &session.host);
        let head = show::Head {
            host: &host,
            profile: &session.settings.name,
            applied: applied.generation.zip(applied.created.as_deref()),
            is_tree,
            apply: &apply,
            obstacles: &obstacles,
        };
        if out.wants_log() {
            out.log(&diagnostic::of_audit(&report, &head, global.root.as_deref()));
        } else if out.json {
            out.document(&show::json(&report, &head));
        } else if out.quiet {
            out.lines(&show::brief(&report, out.style), show::BRIEF_INDENT);
            out.lines(&format!("{}\n", show::summary(&report.summary(), out.style)), 0);
        } else {
            out.data(&show::human(&report, &head, out.verbose, out.style));
        }
        Ok(if report.is_sound() { Answer::Yes } else { Answer::Differs })
    }

    /// The engine takes as long to answer as all the rest takes us: where every check is made it is asked before.
    fn ask_early(&self, global: &Global) -> Cell<Option<JoinHandle<Result<Engine, HostError>>>> {
        let is_asked = global.root.is_none() && self.only.is_empty() && self.skip.is_empty();
        Cell::new(is_asked.then(|| thread::spawn(|| Ok(engine::ask(&Host::live()?)))))
    }
}

/// A tree whose files are all as the profile says, with nothing that is not possible in it. What was applied while it ran, in a copy of a
/// host's files, may be older than what its /proc and /sys show.
fn waits_for_its_boot(session: &Session) -> bool {
    let is_set = session.plan().is_ok_and(|plan| plan.is_empty() && plan.blocked.is_empty());
    is_set && Generations::read(&session.host).is_ok_and(|all| all.in_force().all(|of| of.boot_id.is_none()))
}
