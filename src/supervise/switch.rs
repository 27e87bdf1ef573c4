//! From one way of sharing memory out to the other, step by step. At no moment do the limits together exceed the RAM, and
//! no limit is set below what is in use: the kernel would kill for it.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::inside::Place;
use crate::container::desired::{Deployment, Service};
use crate::container::mode::Mode;
use crate::container::observed::Container;
use crate::container::role::Role;
use crate::engine::{Client, EngineError, look_around};
use crate::facts::cgroup;
use crate::host::Host;
use crate::t;
use crate::units::Bytes;

/// How long documents in work may take to end before they are given back.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a limit may take to be reached once nothing is in work.
const SETTLE: Duration = Duration::from_secs(15);
/// A limit is only lowered where so much of it is in use at most, in hundredths.
const USED: u64 = 90;

/// Changes to `mode`. The error is why it is not so; what was begun is taken back.
///
/// `ending` is told of a service's container that is about to be killed for it.
pub(super) fn to(
    client: &Client,
    host: &Host,
    wish: &Deployment,
    mode: Mode,
    ending: &dyn Fn(&str),
) -> Result<(), String> {
    let lock = host.lock(&wish.lock()).map_err(|error| error.to_string())?;
    let seen = look_around(client, host, wish).map_err(|error| error.to_string())?.containers;
    let switch = Switch { client, host, wish, seen: &seen, ending };
    let done = match mode {
        Mode::Reading => switch.to_reading(),
        Mode::Answering => switch.to_answering(),
    };
    drop(lock);
    done
}

struct Switch<'a> {
    client: &'a Client,
    host: &'a Host,
    wish: &'a Deployment,
    seen: &'a std::collections::BTreeMap<String, Container>,
    ending: &'a dyn Fn(&str),
}

impl Switch<'_> {
    /// The model is put to sleep and its limit lowered; then the worker's is raised. What was begun is taken back where that fails:
    /// a model that nobody wakes would never answer again.
    fn to_reading(&self) -> Result<(), String> {
        let made = self.make_room().and_then(|()| self.use_room());
        if made.is_err() {
            let _ = self.wake_all();
        }
        made
    }

    fn make_room(&self) -> Result<(), String> {
        for model in self.of(Role::is_model) {
            let Some(found) = self.running(model) else {
                return Err(t!("{service} does not run", service = model.name));
            };
            if place(model, found).callers(self.host) != Some(0) {
                return Err(t!("somebody asks {service}", service = model.name));
            }
            if found.state != "paused" {
                let _ = place(model, found).unload(self.host);
                self.client.freeze(&model.container).map_err(|error| error.to_string())?;
            }
            let limits = model.limits_in(Mode::Reading);
            self.lower(model, found, limits.memory)?;
            self.client.limit(&model.container, limits).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn use_room(&self) -> Result<(), String> {
        for worker in self.there(|role| role == Role::Worker) {
            let limits = worker.limits_in(Mode::Reading);
            self.client.limit(&worker.container, limits).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Each model gets its memory back and goes on; what fails for one is no reason to leave the next one asleep.
    fn wake_all(&self) -> Result<(), String> {
        let mut failed = Ok(());
        for model in self.there(Role::is_model) {
            let limited = self.client.limit(&model.container, &model.limits);
            let thawed = self.client.thaw(&self.wish.name, &model.container);
            if let Err(error) = limited.and(thawed) {
                failed = Err(error.to_string());
            }
        }
        failed
    }

    /// The worker ends what it has in work, and its limit is lowered; then the model's is raised, and it wakes up.
    fn to_answering(&self) -> Result<(), String> {
        for worker in self.there(|role| role == Role::Worker) {
            let Some(found) = self.running(worker) else {
                // It begins with the limit that it is given now.
                self.client.limit(&worker.container, &worker.limits).map_err(|error| error.to_string())?;
                continue;
            };
            let at = place(worker, found);
            let tell = |signal: Signal| at.process(self.host).map(|process| process.signal(signal));
            tell(Signal::SIGUSR1);
            self.wait(PATIENCE, || self.fits(found, worker.limits.memory) && self.is_idle(&at));
            if !self.is_idle(&at) {
                tell(Signal::SIGURG);
                self.wait(SETTLE, || self.is_idle(&at));
            }
            let lowered = self.lower(worker, found, worker.limits.memory);
            self.give_limits(worker, lowered.is_err()).map_err(|error| error.to_string())?;
        }
        self.wake_all()
    }

    /// A worker that does not let go of what it has no right to any more begins anew: whoever asks the model waits for it.
    fn give_limits(&self, worker: &Service, anew: bool) -> Result<(), EngineError> {
        if anew {
            (self.ending)(&worker.name);
            self.client.kill(&worker.container)?;
        }
        self.client.limit(&worker.container, &worker.limits)?;
        if anew { self.client.start(&worker.container) } else { Ok(()) }
    }

    /// Those of which a container is there.
    fn there(&self, is: impl Fn(Role) -> bool) -> impl Iterator<Item = &Service> {
        self.of(is).filter(|service| self.seen.contains_key(&service.container))
    }

    fn of(&self, is: impl Fn(Role) -> bool) -> impl Iterator<Item = &Service> {
        self.wish.services.iter().filter(move |service| is(service.role) && service.reading.is_some())
    }

    fn running(&self, service: &Service) -> Option<&Container> {
        self.seen.get(&service.container).filter(|found| found.runs() || found.state == "paused")
    }

    fn is_idle(&self, worker: &Place) -> bool {
        worker.worker(self.host).is_ok_and(|state| state.in_work.is_empty())
    }

    /// Brings a container's use below `limit`, by asking the kernel to reclaim what it can do without; nothing is killed for it.
    fn lower(&self, service: &Service, found: &Container, limit: u64) -> Result<(), String> {
        let fits = || self.fits(found, limit);
        if !fits() {
            if let Some(folder) = self.folder(found) {
                let more = self.used(found).saturating_sub(limit / 100 * USED);
                // It ends with EAGAIN where less could be had; what counts is what is in use then.
                let _ = self.host.poke(&format!("{folder}/memory.reclaim"), &more.to_string());
            }
            self.wait(SETTLE, fits);
        }
        if fits() {
            return Ok(());
        }
        Err(t!(
            "{service} uses {used}, and {limit} would be its limit",
            service = service.name,
            used = Bytes(self.used(found)),
            limit = Bytes(limit)
        ))
    }

    fn fits(&self, found: &Container, limit: u64) -> bool {
        limit == 0 || self.used(found) <= limit / 100 * USED
    }

    /// What is in use and does not go by itself: a lower limit takes the cached files, weights of a model among them.
    fn used(&self, found: &Container) -> u64 {
        self.folder(found).and_then(|folder| cgroup::held(self.host, &folder)).unwrap_or(u64::MAX)
    }

    fn folder(&self, found: &Container) -> Option<String> {
        cgroup::of_container(self.host, cgroup::is_v2(self.host), found.pid, &found.id)
    }

    fn wait(&self, time: Duration, done: impl Fn() -> bool) {
        let until = Instant::now() + time;
        while !done() && Instant::now() < until {
            self.client.pause(Duration::from_millis(100));
        }
    }
}

/// Where to speak to a container.
pub(super) fn place(service: &Service, found: &Container) -> Place {
    Place { service: service.name.clone(), id: found.id.clone(), pid: found.pid, role: service.role }
}
