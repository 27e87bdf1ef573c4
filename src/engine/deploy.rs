//! Carries a plan out. It decides nothing that matters: what is done to which container stands in the plan.
//!
//! A kill at any moment leaves something that the next `deploy` finishes: what is made carries its fingerprint from the first
//! moment on, and an old container waits beside the new one, under another name, until the new one is well.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bollard::models::NetworkConnectRequest;
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RenameContainerOptionsBuilder, StartContainerOptions,
};

use super::client::Client;
use super::create::{container, endpoint, log_with_an_end, stays_down, update};
use super::database::dump;
use super::down::{remove, stop};
use super::error::EngineError;
use super::observe::{look_at, whoever_has};
use super::secrets::{SECRETS, keep, secrets, secrets_of};
use super::status::usage;
use crate::container::desired::{Deployment, Service};
use crate::container::fingerprint;
use crate::container::observed::{Container, Observed, previous};
use crate::container::plan::{Change, Kind, Plan};
use crate::facts::dockerd::Dockerd;
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
pub(super) struct Waiting<'a> {
    pub(super) service: &'a Service,
    pub(super) change: &'a Change,
    pub(super) until: Instant,
    /// How often the engine had restarted it when the waiting began.
    pub(super) restarts: u64,
}

pub(super) struct Executor<'a> {
    pub(super) client: &'a Client,
    pub(super) host: &'a Host,
    pub(super) wish: &'a Deployment,
    pub(super) observed: &'a Observed,
    pub(super) wait: Wait,
    pub(super) progress: &'a mut dyn Progress,
    pub(super) waiting: Vec<Waiting<'a>>,
    /// Services that don't work, or that need one that doesn't.
    pub(super) ill: BTreeSet<&'a str>,
    pub(super) outcome: Deployed,
}

/// The engine's answer where a name is taken.
const CONFLICT: u16 = 409;
/// How long what was asked for earlier may take to show up.
const LATE: Duration = Duration::from_secs(20);

/// Is it waited for until all is well?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Until it is, or the deadline says that it is not; before that nothing that needs it is begun.
    Healthy,
    /// No: what is started is left to itself.
    No,
}

/// Carries out `plan`. An error is one of the engine's or of the host's that leaves no way to go on.
pub fn deploy(
    client: &Client,
    host: &Host,
    wish: &Deployment,
    observed: &Observed,
    plan: &Plan,
    wait: Wait,
    progress: &mut dyn Progress,
) -> Result<Deployed, EngineError> {
    let (ill, outcome) = (BTreeSet::new(), Deployed::default());
    let waiting = Vec::new();
    let mut executor = Executor { client, host, wish, observed, wait, progress, waiting, ill, outcome };
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

    pub(super) fn well(&mut self, change: &Change) {
        self.progress.done(change);
        self.outcome.done.push(change.clone());
    }

    pub(super) fn update(&self, service: &Service) -> Result<(), EngineError> {
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
    pub(super) fn put_aside(&self, service: &Service) -> Result<(), EngineError> {
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

    pub(super) fn keep_down(&self, name: &str) -> Result<(), EngineError> {
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
        let mut body = container(&self.wish.name, service, image, &print, self.client.scale);
        if let Some(config) =
            body.host_config.as_mut().filter(|_| Dockerd::read(self.host).logs_have_no_end())
        {
            config.log_config = Some(log_with_an_end());
        }
        self.despite_a_late_one(name, || {
            let options = CreateContainerOptionsBuilder::default().name(name).build();
            let made = self.client.docker.create_container(Some(options), body.clone());
            self.client.run(t!("{name} can't be made", name = name), made)
        })?;
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

    /// Does what needs the name free. The engine may still carry out what a deploy that was killed, or lost its patience, asked for: it takes
    /// the name first, and the container shows up later. Nobody waits for that one any more, so it goes.
    pub(super) fn despite_a_late_one<T>(
        &self,
        name: &str,
        call: impl Fn() -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let until = Instant::now() + LATE;
        loop {
            let done = call();
            if !done.as_ref().is_err_and(|error| error.status == CONFLICT) || Instant::now() >= until {
                return done;
            }
            match whoever_has(self.client, name)? {
                Some(found) if found.deployment == self.wish.name && found.state == "created" => {
                    remove(self.client, name)?;
                }
                Some(_) => return done,
                None => self.client.pause(Duration::from_millis(200)),
            }
        }
    }

    pub(super) fn start(&self, service: &Service) -> Result<(), EngineError> {
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
    pub(super) fn hand_out(&self, service: &Service, print: &str) -> Result<(), EngineError> {
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
}
