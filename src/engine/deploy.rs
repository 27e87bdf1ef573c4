//! Carries a plan out. It decides nothing that matters: what is done to which container stands in the plan.
//!
//! A kill at any moment leaves something that the next `deploy` finishes: what is made carries its fingerprint from the first
//! moment on, and an old container waits beside the new one, under another name, until the new one is well.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bollard::models::{NetworkConnectRequest, VolumeCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RenameContainerOptionsBuilder, StartContainerOptions,
};

use super::client::Client;
use super::create::{comes_back, container, endpoint, labels, network, stays_down, update};
use super::database::{dump, unsettled};
use super::down::{absent_is_fine, remove, stop};
use super::error::EngineError;
use super::observe::look_at;
use super::secrets::{SECRETS, forget, keep, mounts_of, secrets, secrets_of};
use super::status::usage;
use super::verdict::{SETTLED, last_words, verdict};
use crate::container::desired::{Deployment, Network, Service};
use crate::container::fingerprint;
use crate::container::observed::{Container, Observed, previous};
use crate::container::plan::{Change, Kind, Plan};
use crate::container::settings::Difference;
use crate::host::{Content, Host, Image, terminal};
use crate::profile::mount;
use crate::t;
use crate::units::Bytes;

/// What one sees of it.
pub trait Progress {
    /// A change begins.
    fn begin(&mut self, number: usize, total: usize, change: &Change);
    /// Its health is waited for.
    fn waits(&mut self, container: &str, health: &str);
    /// It is done.
    fn done(&mut self, change: &Change);
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Deployed {
    /// What was done.
    pub done: Vec<Change>,
    /// What failed, and what was done about it.
    pub failed: Vec<(Change, String)>,
    /// What was not begun, since what it needs failed, or since all was stopped.
    pub left: Vec<Change>,
    /// Why nothing more was begun.
    pub stopped: Option<String>,
    /// The files into which databases were dumped.
    pub dumps: Vec<String>,
}

impl Deployed {
    /// Did everything work?
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.left.is_empty()
    }
}

/// A container that was started, and of which nobody knows yet whether it works.
#[derive(Clone, Copy)]
struct Waiting<'a> {
    service: &'a Service,
    change: &'a Change,
    until: Instant,
    /// How often the engine had restarted it when the waiting began.
    restarts: u64,
}

struct Executor<'a> {
    client: &'a Client,
    host: &'a Host,
    wish: &'a Deployment,
    observed: &'a Observed,
    progress: &'a mut dyn Progress,
    waiting: Vec<Waiting<'a>>,
    /// Services that don't work, or that need one that doesn't.
    ill: BTreeSet<&'a str>,
    outcome: Deployed,
}

/// Carries out `plan`. An error is one of the engine's or of the host's that leaves no way to go on.
pub fn deploy(
    client: &Client,
    host: &Host,
    wish: &Deployment,
    observed: &Observed,
    plan: &Plan,
    progress: &mut dyn Progress,
) -> Result<Deployed, EngineError> {
    let (ill, outcome) = (BTreeSet::new(), Deployed::default());
    let mut executor = Executor { client, host, wish, observed, progress, waiting: Vec::new(), ill, outcome };
    let total = plan.changes.len();
    for (at, change) in plan.changes.iter().enumerate() {
        let service = wish.services.iter().find(|service| service.container == change.target);
        if executor.outcome.stopped.is_none() && terminal::interrupted() {
            executor.outcome.stopped = Some(t!("you interrupted it"));
        }
        if executor.outcome.stopped.is_some() {
            executor.outcome.left.push(change.clone());
            continue;
        }
        if let Some(service) = service {
            executor.settle(&service.needs)?;
            if service.needs.iter().any(|need| executor.ill.contains(need.as_str())) {
                executor.ill.insert(&service.name);
                executor.outcome.left.push(change.clone());
                continue;
            }
        }
        executor.progress.begin(at + 1, total, change);
        match executor.carry_out(change, service) {
            Ok(true) => executor.well(change),
            Ok(false) => {}
            Err(error) => {
                let Some(service) = service else { return Err(error) };
                if change.kind == Kind::Dump {
                    executor.outcome.stopped = Some(t!("its database is not dumped"));
                }
                executor.give_up(change, service, error.to_string())?;
            }
        }
    }
    let all: Vec<String> = wish.services.iter().map(|service| service.name.clone()).collect();
    executor.settle(&all)?;
    Ok(executor.outcome)
}

impl<'a> Executor<'a> {
    /// Does one change. `false`: it is begun, and its health has to be waited for.
    fn carry_out(&mut self, change: &'a Change, service: Option<&'a Service>) -> Result<bool, EngineError> {
        let name = change.target.as_str();
        match (change.kind, service) {
            (Kind::MakeSecret, _) => self.make_secret(name),
            (Kind::MakeNetwork, _) => self.make_network(name),
            (Kind::RemakeNetwork, _) => self.remake_network(name),
            (Kind::MakeVolume, _) => self.make_volume(name),
            (Kind::Remove, _) => remove(self.client, name),
            (Kind::Update, Some(service)) => self.update(service),
            (Kind::Dump, Some(service)) => {
                dump(self.client, self.host, service, self.user_of_the_old(service))
                    .map(|path| self.outcome.dumps.push(path))
            }
            (Kind::Create, Some(service)) => return self.create(change, service),
            (Kind::Replace, Some(service)) => {
                self.put_aside(service)?;
                return self.create(change, service);
            }
            (Kind::Start, Some(service)) => return self.start_again(change, service),
            (Kind::Await, Some(service)) => return Ok(self.wait_for(change, service)),
            (Kind::Update | Kind::Create | Kind::Dump | Kind::Replace | Kind::Start | Kind::Await, None) => {
                Ok(())
            }
        }?;
        Ok(true)
    }

    fn well(&mut self, change: &Change) {
        self.progress.done(change);
        self.outcome.done.push(change.clone());
    }

    fn make_secret(&self, name: &str) -> Result<(), EngineError> {
        let action = || t!("the secret {name} can't be made", name = name);
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes).map_err(|error| EngineError::new(action(), error.to_string()))?;
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = format!("{SECRETS}/{}", self.wish.name);
        if self.host.exists(&format!("{folder}/{name}")) {
            return Ok(());
        }
        keep(self.host, &folder, name, &Image::file(text, 0o600))
            .map_err(|error| EngineError::new(action(), error.to_string()))
    }

    fn network(&self, name: &str) -> Option<&'a Network> {
        self.wish.networks.iter().find(|network| network.name == name)
    }

    fn make_network(&self, name: &str) -> Result<(), EngineError> {
        let Some(wanted) = self.network(name) else { return Ok(()) };
        let request = network(&self.wish.name, wanted, self.client.speaks(1, 48));
        let made = self.client.docker.create_network(request);
        self.client.run(t!("the network {name} can't be made", name = name), made).map(|_| ())
    }

    /// A network can't be changed, nor removed while a container is on it.
    fn remake_network(&self, name: &str) -> Result<(), EngineError> {
        // Nothing is taken down for a network that somebody else holds.
        let action = t!("the network {name} can't be removed", name = name);
        let found = self.client.run(action.clone(), self.client.docker.inspect_network(name, None))?;
        let own = |id: &String| self.observed.containers.values().any(|container| container.id == *id);
        let mut others = found.containers.unwrap_or_default().into_iter().filter(|(id, _)| !own(id));
        if let Some((_, other)) = others.next() {
            let who = other.name.unwrap_or_default();
            let why = t!(
                "{who}, which is not of this deployment, is on it: docker network disconnect {name} {who}",
                who = who,
                name = name
            );
            return Err(EngineError::new(action, why));
        }
        let on_it = |service: &&Service| service.fixed.networks.iter().any(|network| network.name == name);
        for service in self.wish.services.iter().filter(on_it).rev() {
            for container in [service.container.clone(), previous(&service.container)] {
                stop(self.client, &container, service.fixed.stop_timeout)?;
                remove(self.client, &container)?;
            }
        }
        self.client.run(action, absent_is_fine(self.client.docker.remove_network(name)))?;
        self.make_network(name)
    }

    fn make_volume(&self, name: &str) -> Result<(), EngineError> {
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(labels(&self.wish.name, "")),
            ..VolumeCreateRequest::default()
        };
        let made = self.client.docker.create_volume(request);
        self.client.run(t!("the volume {name} can't be made", name = name), made).map(|_| ())
    }

    fn update(&self, service: &Service) -> Result<(), EngineError> {
        let name = &service.container;
        let before = self.observed.containers.get(name).and_then(|found| found.limits.as_ref());
        let limit = service.limits.memory;
        if before.is_some_and(|before| limit > 0 && (before.memory == 0 || limit < before.memory)) {
            // The kernel would kill in it until it fits.
            let used = usage(self.client, &[name])?.first().map_or(0, |usage| usage.memory);
            if used >= limit {
                return Err(EngineError::new(
                    t!("the limits of {name} can't be changed", name = name),
                    t!(
                        "it uses {used} now, and the kernel would kill in it at {limit}; its limits stay as they are. Free some, or begin anew: docker restart {name}",
                        used = Bytes(used),
                        limit = Bytes(limit),
                        name = name
                    ),
                ));
            }
        }
        let done = self.client.docker.update_container(name, update(&service.limits, self.client.scale));
        self.client.run(t!("the limits of {name} can't be changed", name = name), done)
    }

    /// Stops the old container and gives it another name, under which it can come back. It is told to stay down meanwhile: two
    /// servers on one volume would be the end of it.
    fn put_aside(&self, service: &Service) -> Result<(), EngineError> {
        let (name, aside) = (&service.container, previous(&service.container));
        let Some(found) = look_at(self.client, &self.wish.name, name)? else { return Ok(()) };
        if look_at(self.client, &self.wish.name, &aside)?.is_some() {
            // An upgrade was cut off between the two. Of them the one that was proved is kept.
            if !found.is_well() {
                stop(self.client, name, service.fixed.stop_timeout)?;
                return remove(self.client, name);
            }
            remove(self.client, &aside)?;
        }
        stop(self.client, name, service.fixed.stop_timeout)?;
        self.keep_down(name)?;
        let options = RenameContainerOptionsBuilder::default().name(&aside).build();
        self.client.run(
            t!("{name} can't be put aside", name = name),
            self.client.docker.rename_container(name, options),
        )
    }

    fn keep_down(&self, name: &str) -> Result<(), EngineError> {
        let update = self.client.docker.update_container(name, stays_down());
        self.client.run(t!("{name} can't be put aside", name = name), update)
    }

    fn create(&mut self, change: &'a Change, service: &'a Service) -> Result<bool, EngineError> {
        let name = &service.container;
        let aside = previous(name);
        if look_at(self.client, &self.wish.name, &aside)?.is_some_and(|found| found.state != "exited") {
            stop(self.client, &aside, service.fixed.stop_timeout)?;
        }
        let image = service.image.as_deref().unwrap_or_default();
        let image_id = self.observed.images.get(image).map_or(image, |image| image.id.as_str());
        let print = fingerprint::of_container(&service.fixed, image_id, &secrets(self.host, self.wish)?);
        self.hand_out(service, &print)?;
        let body = container(&self.wish.name, service, image, &print, self.client.scale);
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        let made = self.client.docker.create_container(Some(options), body);
        self.client.run(t!("{name} can't be made", name = name), made)?;
        for network in service.fixed.networks.iter().skip(1) {
            let request =
                NetworkConnectRequest { container: name.clone(), endpoint_config: Some(endpoint(service)) };
            self.client.run(
                t!("{name} can't be put on the network {network}", name = name, network = network.name),
                self.client.docker.connect_network(&network.name, request),
            )?;
        }
        self.start(service)?;
        Ok(self.wait_for(change, service))
    }

    fn start(&self, service: &Service) -> Result<(), EngineError> {
        let name = &service.container;
        let started = self.client.docker.start_container(name, None::<StartContainerOptions>);
        self.client.run(t!("{name} can't be started", name = name), started)
    }

    /// One that was made and never started may lack a network, and one that is started again and again needs a fresh count:
    /// such are made anew.
    fn start_again(&mut self, change: &'a Change, service: &'a Service) -> Result<bool, EngineError> {
        let found = self.observed.containers.get(&service.container);
        let anew = |found: &Container| ["created", "restarting", "dead"].contains(&found.state.as_str());
        if found.is_some_and(anew) {
            remove(self.client, &service.container)?;
            return self.create(change, service);
        }
        if found.is_some_and(|found| found.state == "paused") {
            let unpaused = self.client.docker.unpause_container(&service.container);
            self.client.run(t!("{name} can't be started", name = service.container), unpaused)?;
        } else {
            self.start(service)?;
        }
        Ok(self.wait_for(change, service))
    }

    /// Gives a service its secrets, as files of its own user.
    fn hand_out(&self, service: &Service, print: &str) -> Result<(), EngineError> {
        let (uid, gid) = mount::user(&service.fixed.user).unwrap_or((65534, 65534));
        for name in &service.fixed.secrets {
            let action =
                || t!("the secret {name} can't be handed to {service}", name = name, service = service.name);
            let path = format!("{SECRETS}/{}/{name}", self.wish.name);
            let bytes =
                self.host.read(&path).map_err(|error| EngineError::new(action(), error.to_string()))?;
            let bytes =
                bytes.ok_or_else(|| EngineError::new(action(), t!("{path} is not there", path = path)))?;
            let file =
                Image::File { content: Content(bytes), mode: 0o400, uid, gid, xattrs: BTreeMap::new() };
            keep(self.host, &secrets_of(&self.wish.name, &service.name, print), name, &file)
                .map_err(|error| EngineError::new(action(), error.to_string()))?;
        }
        Ok(())
    }

    fn wait_for(&mut self, change: &'a Change, service: &'a Service) -> bool {
        let until = Instant::now() + Duration::from_millis(self.wish.deadline_ms);
        // One that was made or started anew begins at nought; one that is only waited for has its past.
        let is_old = change.kind == Kind::Await;
        let past = self.observed.containers.get(&service.container).filter(|_| is_old);
        let restarts = past.map_or(0, |found| found.restarts);
        self.waiting.push(Waiting { service, change, until, restarts });
        false
    }

    /// Waits until each of these services works, or does not.
    fn settle(&mut self, names: &[String]) -> Result<(), EngineError> {
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
    fn user_of_the_old(&self, service: &Service) -> Option<&'a str> {
        let found = self.observed.containers.get(&service.container)?;
        found.description.pointer("/environment/POSTGRES_USER")?.as_str()
    }

    /// Somebody pressed Ctrl-C while a service was waited for: what was put aside comes back, what is new stays as it is.
    fn interrupt(&mut self, change: &Change, service: &'a Service) -> Result<(), EngineError> {
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
    fn ask(&mut self, change: &Change, service: &Service) {
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
    fn give_up(&mut self, change: &Change, service: &'a Service, why: String) -> Result<(), EngineError> {
        self.ill.insert(&service.name);
        let (name, aside) = (&service.container, previous(&service.container));
        let mut why = why;
        let touched = !matches!(change.kind, Kind::Update | Kind::Dump);
        if touched && look_at(self.client, &self.wish.name, &aside)?.is_some() {
            stop(self.client, name, service.fixed.stop_timeout)?;
            remove(self.client, name)?;
            let docker = &self.client.docker;
            let options = RenameContainerOptionsBuilder::default().name(name).build();
            let action = t!("the old {name} can't be brought back", name = name);
            self.client.run(action.clone(), docker.rename_container(&aside, options))?;
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
    fn tidy(&self, service: &Service) -> Result<(), EngineError> {
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
