//! What is known of one service's container.

use crate::container::desired::Service;
use crate::container::observed::Container;
use crate::facts::cgroup;
use crate::host::{Host, PressureTrigger};
use crate::worker::State;

use super::attribute::Known;
use super::hand::Hand;
use super::keeper::Keeper;
use super::kills::Kills;
use super::sample::Group;

/// A service and its container.
pub(super) struct Ward {
    /// The service.
    pub service: Service,
    /// The container, as the engine last described it.
    pub container: Option<Container>,
    /// Where its figures are.
    pub group: Option<Group>,
    /// The process that does the work: the first one, or what the engine's `docker-init` started.
    pub main: u32,
    /// The kernel tells when it waits for memory.
    pub trigger: Option<PressureTrigger>,
    /// When it is started again.
    pub keeper: Keeper,
    /// What we did to it ends it until then, ms, so many times.
    ours: (u64, u32),
    /// Whose hand ended it, where it was told to end.
    pub hand: Hand,
    /// The kernel killed the whole of it; when, ms.
    pub oom_at: Option<u64>,
    /// A container of it was seen, now or by an earlier supervisor: somebody has deployed it.
    pub was_there: bool,
    /// The last that was told of it is that it is left alone for a while.
    pub looped: bool,
    /// It went along with an engine, and has not been seen to run since.
    pub went_along: bool,
    /// The worker of this run has been told what it must know before all else.
    pub greeted: bool,
    /// Its health, as last told.
    pub health: String,
    /// A worker: what it says of itself.
    pub state: Option<State>,
    /// A model: connections to it.
    pub callers: Option<usize>,
    /// Restarts since we began.
    pub restarts: u64,
    /// Tasks that the kernel killed in it.
    pub kills: Kills,
}

impl Ward {
    /// Nothing known yet.
    pub(super) fn new(service: Service) -> Self {
        Self {
            service,
            container: None,
            group: None,
            main: 0,
            trigger: None,
            keeper: Keeper::default(),
            ours: (0, 0),
            hand: Hand::default(),
            went_along: false,
            oom_at: None,
            was_there: false,
            looped: false,
            greeted: false,
            health: String::new(),
            state: None,
            callers: None,
            restarts: 0,
            kills: Kills::default(),
        }
    }

    /// Its first process, where it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        self.container.as_ref().filter(|found| found.is_there()).map(|found| found.pid)
    }

    /// We end it: within so long after `now`, ms, its end is ours.
    pub(super) fn we_end_it(&mut self, now: u64, within: u64) {
        self.ours = (now + within, if now < self.ours.0 { self.ours.1 + 1 } else { 1 });
    }

    /// Do we end it?
    pub(super) const fn is_ours(&self, now: u64) -> bool {
        now < self.ours.0 && self.ours.1 > 0
    }

    /// It ended: was it by us? One end for each of our acts.
    pub(super) fn take_ours(&mut self, now: u64) -> bool {
        let ours = self.is_ours(now);
        self.ours.1 = self.ours.1.saturating_sub(u32::from(ours));
        ours
    }

    /// Is it frozen?
    pub(super) fn sleeps(&self) -> bool {
        self.container.as_ref().is_some_and(|found| found.state == "paused")
    }

    /// Takes in what the engine says of it now. True: it is another run than before.
    pub(super) fn see(&mut self, host: &Host, is_v2: bool, found: Option<Container>) -> bool {
        let run = |container: &Option<Container>| {
            container.as_ref().filter(|found| found.is_there()).map(|found| (found.id.clone(), found.pid))
        };
        let changed = run(&self.container) != run(&found);
        self.was_there |= found.is_some();
        self.container = found;
        if !changed {
            return false;
        }
        (self.group, self.main, self.trigger, self.state, self.callers) = (None, 0, None, None, None);
        self.greeted = false;
        if let Some(found) = self.container.as_ref().filter(|found| found.is_there()) {
            self.main = main_of(host, found.pid);
            self.group = group_of(host, is_v2, found);
        }
        true
    }

    /// For telling whose a kill was; `limit` is its limit as last read.
    pub(super) fn known(&self, limit: Option<u64>) -> Option<Known> {
        let found = self.container.as_ref()?;
        let limit = limit.or_else(|| found.limits.as_ref().map(|limits| limits.memory)).unwrap_or(0);
        Some(Known { service: self.service.name.clone(), id: found.id.clone(), pid: self.main, limit })
    }
}

fn group_of(host: &Host, is_v2: bool, found: &Container) -> Option<Group> {
    let memory = cgroup::of_container(host, is_v2, found.pid, &found.id)?;
    // A process that is gone may have left its number to another one.
    if !memory.contains(&found.id) {
        return None;
    }
    if is_v2 {
        return Some(Group::V2(memory));
    }
    let cpu = memory.replacen("/memory/", "/cpuacct/", 1);
    Some(Group::V1 { cpu: host.exists(&cpu).then_some(cpu), memory })
}

/// The engine puts its own first process before the program: that one's child is the program.
fn main_of(host: &Host, pid: u32) -> u32 {
    let comm = host.value(&format!("/proc/{pid}/comm")).unwrap_or_default();
    if !matches!(comm.as_str(), "docker-init" | "tini" | "catatonit") {
        return pid;
    }
    let children = host.value(&format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().next().and_then(|child| child.parse().ok()).unwrap_or(pid)
}
