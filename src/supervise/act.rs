//! What the loop does, once it is decided: signals, kills, and orders to its hands.

use nix::sys::signal::Signal;

use super::event::What;
use super::eyes::Look;
use super::hands::Order;
use super::hear::OURS_MS;
use super::ladder::{Act, Rung};
use super::run::{MEND_MS, Supervisor};
use super::sample::{Group, Sample};
use super::sharing::{self, Sharing};
use super::switch::place;
use super::ward::Ward;
use crate::container::mode::Mode;
use crate::container::role::Role;

/// How long a worker that is to be killed has to give back what it has in work, ms.
const LAST_WORD_MS: u64 = 200;

impl Supervisor<'_> {
    pub(super) fn decide(&mut self, sample: &Sample) {
        for decision in self.ladder.step(sample) {
            self.decided_at = Some(sample.at_ms);
            *self.counts.acts.entry(decision.act.name()).or_default() += 1;
            self.event(None, What::Decided { act: decision.act, cause: decision.cause });
            match decision.act {
                // Holding is kept up in every turn: a worker that was started anew must be told again.
                Act::Hold | Act::Resume => {}
                Act::GiveBack => {
                    self.each_worker(Self::give_back);
                    let _ = self.eyes.send(Look::Unload);
                }
                Act::Kill => self.kill_at = Some(sample.at_ms + self.last_word_ms()),
            }
        }
        if self.kill_at.is_some_and(|at| sample.at_ms >= at) {
            self.kill_at = None;
            self.each_worker(Self::kill);
        }
    }

    /// What a worker that is to be killed gives back before costs its documents no attempt, and it is not they that are to blame.
    fn last_word_ms(&mut self) -> u64 {
        let works = |ward: &Ward| ward.state.as_ref().is_some_and(|state| !state.in_work.is_empty());
        if !self.wards.values().any(works) {
            return 0;
        }
        self.each_worker(Self::give_back);
        LAST_WORD_MS
    }

    fn each_worker(&mut self, act: impl Fn(&mut Self, &str)) {
        let of = |ward: &&Ward| ward.service.role == Role::Worker && ward.pid().is_some();
        let names: Vec<String> = self.wards.values().filter(of).map(|w| w.service.name.clone()).collect();
        for name in names {
            act(self, &name);
        }
    }

    pub(super) fn signal(&self, ward: &Ward, signal: Signal) -> std::io::Result<()> {
        let Some(found) = &ward.container else { return Ok(()) };
        match place(&ward.service, found).process(self.host) {
            Some(process) => process.signal(signal),
            None => Ok(()),
        }
    }

    fn give_back(&mut self, name: &str) {
        if let Err(error) = self.signal(&self.wards[name], Signal::SIGURG) {
            self.event(Some(name), What::NotDone { why: error.to_string() });
        }
    }

    /// Kills a container whole. The kernel does it at once where it can, whatever state the engine is in; the engine's policy
    /// starts it again.
    fn kill(&mut self, name: &str) {
        let now = Self::now();
        let Some(ward) = self.wards.get_mut(name) else { return };
        let whole = match &ward.group {
            Some(Group::V2(folder)) => self.host.poke(&format!("{folder}/cgroup.kill"), "1").is_ok(),
            _ => false,
        };
        if whole {
            ward.we_end_it(now, OURS_MS);
        } else {
            self.order(Order::Kill(name.to_owned(), now));
        }
    }

    /// Sees to it that workers claim, or don't.
    pub(super) fn hold(&mut self) {
        let changing = self.sharing.as_ref().is_some_and(|s| s.is_changing() && s.mode() == Mode::Reading);
        let rung = self.ladder.rung();
        let hold = rung > Rung::Calm || changing;
        let now = Self::now();
        let was = std::mem::replace(&mut self.hold, hold);
        let mut told = Vec::new();
        for (name, ward) in self.wards.iter_mut().filter(|(_, ward)| ward.service.role == Role::Worker) {
            // Before its first word it might not have learned yet what the signal means, and die of it.
            let Some(state) = &ward.state else { continue };
            let is_new = !std::mem::replace(&mut ward.greeted, true);
            let asked = self.told_to_hold.is_some_and(|(at, what)| what == hold && now < at + 1000);
            if is_new && rung >= Rung::GiveBack {
                // Just started, it has claimed documents at once, in the midst of a shortage.
                told.push((name.clone(), Signal::SIGURG));
            } else if state.paused != hold && (was != hold || !asked) {
                told.push((name.clone(), if hold { Signal::SIGUSR1 } else { Signal::SIGUSR2 }));
            }
        }
        for (name, signal) in told {
            self.told_to_hold = Some((now, hold));
            if let Err(error) = self.signal(&self.wards[&name], signal) {
                self.event(Some(&name), What::NotDone { why: error.to_string() });
            }
        }
    }

    /// Starts what is due, and down.
    pub(super) fn keep(&mut self) {
        // What was seen last may be older than what has happened since.
        if self.looking || self.engine_up != Some(true) {
            return;
        }
        let now = Self::now();
        let mut down = Vec::new();
        for (name, ward) in &mut self.wards {
            if ward.keeper.is_due(now) && ward.container.as_ref().is_some_and(|found| !found.is_there()) {
                down.push(name.clone());
            }
        }
        for name in down {
            self.order(Order::Start(name));
        }
    }

    pub(super) fn share(&mut self) {
        let Some(sharing) = &mut self.sharing else { return };
        let workers = || self.wards.values().filter(|ward| ward.service.role == Role::Worker);
        let models: Vec<&Ward> = self.wards.values().filter(|ward| ward.service.role.is_model()).collect();
        let silent = workers().all(|ward| ward.state.is_none());
        // Without a word of both there is nothing to go by; but a model that sleeps must wake up, whoever else is down.
        if sharing.mode() == Mode::Answering && (silent || models.iter().any(|ward| ward.callers.is_none())) {
            return;
        }
        let states = || workers().filter_map(|ward| ward.state.as_ref());
        let in_work =
            |stage: &str| states().flat_map(|s| &s.in_work).filter(|one| one.stage == stage).count();
        let cpu = |ward: &&Ward| self.last.services.get(&ward.service.name).map_or(0, |found| found.cpu_us);
        let look = sharing::Look {
            at_ms: self.last.at_ms,
            rung: self.ladder.rung(),
            waiting: states().find_map(|state| state.waiting),
            silent,
            hands: states().map(|state| state.hands).sum(),
            reading: in_work("ocr"),
            extracting: in_work("extract"),
            callers: models.iter().filter_map(|ward| ward.callers).sum(),
            model_cpu_us: models.iter().map(cpu).sum(),
        };
        if let Some(mode) = sharing.step(&look) {
            self.order(Order::Switch(mode));
        }
    }

    pub(super) fn mode(&self) -> Mode {
        self.sharing.as_ref().map_or(Mode::Answering, Sharing::mode)
    }

    pub(super) fn mend(&mut self) {
        let now = Self::now();
        let changing = self.sharing.as_ref().is_some_and(Sharing::is_changing);
        // What is there tells how memory is shared out, and so with which limits it is to be mended.
        let knows = self.seen_once && !self.looking;
        if now >= self.mend_at && self.engine_up == Some(true) && knows && !changing {
            self.mend_at = now + MEND_MS.0;
            let known = self.wards.iter().filter(|(_, ward)| ward.was_there).map(|(name, _)| name.clone());
            self.order(Order::Mend(self.mode(), known.collect()));
        }
    }

    pub(super) fn mend_soon(&mut self) {
        self.mend_at = self.mend_at.min(Self::now() + MEND_MS.1);
    }
}
