//! `history`: what was applied and taken back.

use crate::t;
use clap::Args;
use serde_json::json;

use super::output::Out;
use super::session::{Session, at_root, open_host};
use super::{Answer, Global, Outcome};
use crate::apply::{Generation, Generations, State};
use crate::host::Host;
use crate::supervise;

#[derive(Debug, Args)]
pub(super) struct History {
    /// Show the changes of this generation
    #[arg(conflicts_with = "events")]
    id: Option<u32>,
    /// Show what happened to the containers instead, as the supervisor saw it
    #[arg(long)]
    events: bool,
    /// With --events: so many of the newest
    #[arg(short = 'n', long, value_name = "EVENTS", default_value_t = 100, requires = "events")]
    tail: u32,
    /// With --events: only those of this service
    #[arg(long, value_name = "SERVICE", requires = "events")]
    service: Option<String>,
}

/// As many events as the files can hold.
const ALL: usize = usize::MAX;

impl History {
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        let host = open_host(global)?;
        if self.events {
            // A profile that can't be read keeps nobody from seeing what happened: of all deployments then.
            let session = Session::open(global, false);
            let deployment = session.map(|session| session.settings.deployment.name).unwrap_or_default();
            return self.events(&host, &deployment, out);
        }
        let generations = Generations::read(&host)?;
        if let Some(id) = self.id {
            let found = generations.0.iter().find(|(generation, _)| generation.id == id);
            let Some((generation, state)) = found else {
                anyhow::bail!(t!(
                    "there is no generation {id}; `{history}` lists them",
                    id = id,
                    history = at_root(global.root.as_deref(), "history")
                ));
            };
            if out.json {
                let mut document = json!({ "schema": "civicum-tune/generation/1" });
                if let (Some(whole), serde_json::Value::Object(of_it)) =
                    (document.as_object_mut(), one(generation, state))
                {
                    whole.extend(of_it);
                }
                out.document(&document);
            } else {
                let plan = crate::plan::Plan {
                    profile: generation.settings.name.clone(),
                    host: t!(
                        "generation {id}, {created}, {state}",
                        id = id,
                        created = generation.created,
                        state = in_words(state)
                    ),
                    changes: generation.changes.clone(),
                    ..crate::plan::Plan::default()
                };
                out.data(&crate::render::plan::human(&plan, out.style));
            }
            return Ok(Answer::Yes);
        }
        if out.json {
            let all: Vec<_> =
                generations.0.iter().map(|(generation, state)| one(generation, state)).collect();
            out.document(&json!({ "schema": "civicum-tune/history/1", "generations": all }));
            return Ok(Answer::Yes);
        }
        if generations.0.is_empty() {
            out.data(&t!("Nothing was applied here yet.\n"));
            return Ok(Answer::Yes);
        }
        out.data(&out.style.bold(&t!("  ID  WHEN (UTC)            CHANGES  PROFILE          STATE")));
        out.data("\n");
        for (generation, state) in &generations.0 {
            out.data(&format!(
                "{:>4}  {:<20}  {:>7}  {:<15}  {}\n",
                generation.id,
                generation.created,
                generation.changes.len(),
                generation.settings.name,
                in_words(state)
            ));
        }
        Ok(Answer::Yes)
    }

    fn events(&self, host: &Host, deployment: &str, out: &Out) -> Outcome {
        let mut events = supervise::history::read(host, deployment, ALL)?;
        let is_nothing = events.is_empty();
        if let Some(service) = &self.service {
            events.retain(|event| event.service.as_ref() == Some(service));
        }
        let first = events.len().saturating_sub(usize::try_from(self.tail).unwrap_or(usize::MAX));
        let events = &events[first..];
        if out.json {
            out.document(&json!({ "schema": "civicum-tune/events/1", "events": events }));
        } else if let (Some(service), true, false) = (&self.service, events.is_empty(), is_nothing) {
            out.data(&t!("No supervisor has seen anything of a service {name} here.\n", name = service));
        } else if events.is_empty() {
            out.data(&t!("No supervisor has seen anything here yet.\n"));
        } else {
            let lines: String =
                events.iter().map(|event| crate::render::events::line(event, out.style)).collect();
            out.data(&lines);
        }
        Ok(Answer::Yes)
    }
}

fn one(generation: &Generation, state: &State) -> serde_json::Value {
    json!({
        "id": generation.id,
        "created": generation.created,
        "program": generation.program,
        "profile": generation.settings.name,
        "changes": generation.changes.iter().map(|change| &change.id).collect::<Vec<_>>(),
        "status": state,
    })
}

fn in_words(state: &State) -> String {
    match state {
        State::Applied => t!("applied"),
        State::Cut => t!("cut off; the next apply or rollback ends it"),
        State::CutWhileUndoing => t!("cut off while undone; the next apply or rollback ends it"),
        State::RolledBack { accepted } if accepted.is_empty() => t!("rolled back"),
        State::RolledBack { accepted } if accepted.len() == 1 => {
            t!("rolled back, 1 change kept")
        }
        State::RolledBack { accepted } => {
            t!("rolled back, {count} changes kept", count = accepted.len())
        }
        State::PartlyRolledBack { kept } => {
            t!("rolled back but for {count}", count = kept.len())
        }
    }
}
