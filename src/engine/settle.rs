//! Carrying a plan out: waiting until what was started is well, and what is done with what is not.

use std::time::{Duration, Instant};

use bollard::query_parameters::{RenameContainerOptionsBuilder, StartContainerOptions};

use super::create::comes_back;
use super::database::unsettled;
use super::deploy::{Executor, Wait, Waiting};
use super::down::{remove, stop};
use super::error::EngineError;
use super::observe::look_at;
use super::secrets::{forget, mounts_of, secrets_of};
use super::verdict::{SETTLED, last_words, verdict};
use crate::container::desired::Service;
use crate::container::observed::previous;
use crate::container::plan::{Change, Kind};
use crate::container::settings::Difference;
use crate::host::terminal;
use crate::t;

impl<'a> Executor<'a> {
    /// True: it is done already.
    pub(super) fn wait_for(&mut self, change: &'a Change, service: &'a Service) -> bool {
        if self.wait == Wait::No {
            return true;
        }
        let until = Instant::now() + Duration::from_millis(self.wish.deadline_ms);
        // One that was made or started anew begins at nought; one that is only waited for has its past.
        let is_old = change.kind == Kind::Await;
        let past = self.observed.containers.get(&service.container).filter(|_| is_old);
        let restarts = past.map_or(0, |found| found.restarts);
        self.waiting.push(Waiting { service, change, until, restarts });
        false
    }

    /// Waits until each of these services works, or does not.
    pub(super) fn settle(&mut self, names: &[String]) -> Result<(), EngineError> {
        let mut pause = Duration::from_millis(25);
        loop {
            let mut open = false;
            for at in (0..self.waiting.len()).rev() {
                let Waiting { service, change, until, restarts } = self.waiting[at];
                if !names.contains(&service.name) {
                    continue;
                }
                let found = look_at(self.client, &self.wish.name, &service.container)?;
                // What was there before may carry an old verdict.
                let is_old = matches!(change.kind, Kind::Start | Kind::Await);
                let late = Instant::now() >= until;
                match verdict(found.as_ref(), restarts, is_old && !late, late, self.wish.deadline_ms) {
                    None if terminal::interrupted() => {
                        self.waiting.remove(at);
                        self.interrupt(change, service)?;
                    }
                    None => {
                        let health = found.map(|found| found.health).unwrap_or_default();
                        self.progress.waits(&service.container, &health);
                        open = true;
                    }
                    Some(Ok(())) => {
                        self.waiting.remove(at);
                        if look_at(self.client, &self.wish.name, &previous(&service.container))?.is_some() {
                            remove(self.client, &previous(&service.container))?;
                        }
                        self.tidy(service)?;
                        self.ask(change, service);
                    }
                    Some(Err(why)) => {
                        self.waiting.remove(at);
                        let words = last_words(self.client, &service.container);
                        self.give_up(change, service, format!("{why}{words}"))?;
                    }
                }
            }
            if !open {
                return Ok(());
            }
            self.client.pause(pause);
            pause = (pause * 3 / 2).min(Duration::from_millis(500));
        }
    }

    /// The user of the server that runs now: the profile may name another one by now.
    pub(super) fn user_of_the_old(&self, service: &Service) -> Option<&'a str> {
        let found = self.observed.containers.get(&service.container)?;
        found.description.pointer("/environment/POSTGRES_USER")?.as_str()
    }

    /// Somebody pressed Ctrl-C while a service was waited for: what was put aside comes back, what is new stays as it is.
    pub(super) fn interrupt(&mut self, change: &Change, service: &'a Service) -> Result<(), EngineError> {
        self.outcome.stopped.get_or_insert_with(|| t!("you interrupted it"));
        if look_at(self.client, &self.wish.name, &previous(&service.container))?.is_some() {
            return self.give_up(change, service, t!("you interrupted it"));
        }
        self.ill.insert(&service.name);
        let why = t!("you interrupted it: it was started, and nobody waited until it was healthy");
        self.outcome.failed.push((change.clone(), why));
        Ok(())
    }

    /// A database that is healthy must have the settings of the profile too. One that has not goes on all the same: what
    /// overrules them is in the database itself, and the old container would have it as well.
    pub(super) fn ask(&mut self, change: &Change, service: &Service) {
        let why = match unsettled(self.client, service) {
            Ok(differences) if differences.is_empty() => return self.well(change),
            Ok(differences) => {
                let of = |difference: &Difference| {
                    t!(
                        "{name} is {found} ({source}), and the profile says {wanted}",
                        name = difference.name,
                        found = difference.found.clone().unwrap_or_else(|| t!("unknown to it")),
                        source = if difference.source.is_empty() { "?" } else { &difference.source },
                        wanted = difference.wanted
                    )
                };
                let all: Vec<String> = differences.iter().map(of).collect();
                t!("it is healthy, and has not all settings of the profile: {all}", all = all.join("; "))
            }
            Err(error) => t!("it is healthy; {why}", why = error),
        };
        self.outcome.failed.push((change.clone(), why));
    }

    /// Notes that a service does not work, and brings the old container back where the change had put one aside.
    pub(super) fn give_up(
        &mut self,
        change: &Change,
        service: &'a Service,
        why: String,
    ) -> Result<(), EngineError> {
        self.ill.insert(&service.name);
        let (name, aside) = (&service.container, previous(&service.container));
        let mut why = why;
        let touched = !matches!(change.kind, Kind::Update | Kind::Dump);
        if touched && look_at(self.client, &self.wish.name, &aside)?.is_some() {
            stop(self.client, name, service.fixed.stop_timeout)?;
            remove(self.client, name)?;
            let docker = &self.client.docker;
            let action = t!("the old {name} can't be brought back", name = name);
            self.despite_a_late_one(name, || {
                let options = RenameContainerOptionsBuilder::default().name(name).build();
                self.client.run(action.clone(), docker.rename_container(&aside, options))
            })?;
            self.client.run(action.clone(), docker.update_container(name, comes_back(&service.limits)))?;
            self.client.run(action, docker.start_container(name, None::<StartContainerOptions>))?;
            self.client.pause(SETTLED);
            why += "\n";
            why += &match look_at(self.client, &self.wish.name, name)? {
                Some(found) if found.runs() => t!("the old container is back, and runs"),
                Some(found) => {
                    t!("the old container is back, and does not run: it is {state}", state = found.state)
                }
                None => t!("the old container went away"),
            };
        }
        self.outcome.failed.push((change.clone(), why));
        Ok(())
    }

    /// Removes what earlier descriptions of a service had of its secrets.
    pub(super) fn tidy(&self, service: &Service) -> Result<(), EngineError> {
        let Some(found) = look_at(self.client, &self.wish.name, &service.container)? else { return Ok(()) };
        let current = secrets_of(&self.wish.name, &service.name, &found.fingerprint);
        let folder = mounts_of(&self.wish.name, &service.name);
        for old in self.host.list(&folder).unwrap_or_default() {
            let old = format!("{folder}/{old}");
            if old != current {
                forget(self.host, &old).map_err(|error| {
                    EngineError::new(t!("the secret {name} can't be removed", name = old), error.to_string())
                })?;
            }
        }
        Ok(())
    }
}
