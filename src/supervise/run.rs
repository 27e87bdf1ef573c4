//! The loop: looks, decides, acts. It never waits for the engine, nor for a container.

use std::collections::BTreeMap;
use std::os::fd::AsFd as _;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::ears;
use super::event::{Event, What};
use super::eyes::{self, Ask, Look};
use super::hands::{self, Order};
use super::hear::OURS_MS;
use super::history::History;
use super::ladder::{Act, Ladder, Rules, Rung};
use super::news::{News, Teller};
use super::sample::{Group, Memory, Sample, Stall, Threshold};
use super::sharing::{self, Sharing};
use super::switch::{is_model, place};
use super::ward::Ward;
use crate::container::desired::Deployment;
use crate::container::mode::Mode;
use crate::container::role::Role;
use crate::facts::cgroup;
use crate::host::{For, Host, KernelLine, KernelLog, PressureTrigger, Ready, Waker, since_boot, wait_for};
use crate::t;

/// How often the host is looked at when all is calm, and when not.
const EVERY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(200));
/// The window of the kernel's thresholds.
pub(super) const WINDOW: Duration = Duration::from_secs(1);
/// How often it is looked whether something is missing, ms, and how soon after something was taken away.
pub(super) const MEND_MS: (u64, u64) = (300_000, 5_000);

/// What the loop has to do with.
pub struct Supervisor<'a> {
    pub(super) host: &'a Host,
    pub(super) deployment: String,
    pub(super) wards: BTreeMap<String, Ward>,
    pub(super) is_v2: bool,
    pub(super) ladder: Ladder,
    pub(super) sharing: Option<Sharing>,
    pub(super) hold: bool,
    pub(super) told_to_hold: Option<(u64, bool)>,
    pub(super) history: History,
    pub(super) events: Vec<Event>,
    pub(super) orders: Sender<Order>,
    pub(super) eyes: Sender<Look>,
    pub(super) news: Receiver<News>,
    pub(super) waker: Waker,
    pub(super) triggers: Vec<(Threshold, PressureTrigger)>,
    pub(super) log: Option<KernelLog>,
    pub(super) engine_up: Option<bool>,
    pub(super) engine_left_at: u64,
    pub(super) looking: bool,
    pub(super) mend_at: u64,
    pub(super) pending: Vec<String>,
    pub(super) pointed: Option<Ask>,
    pub(super) seen_once: bool,
    pub(super) log_lines: Vec<KernelLine>,
    pub(super) last: Sample,
    pub(super) decided_at: Option<u64>,
    pub(super) counts: Counts,
}

/// What is counted since the supervisor began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// How often each act was decided.
    pub acts: BTreeMap<&'static str, u64>,
    /// Tasks that the kernel killed outside our containers.
    pub host_kills: u64,
    /// How often memory was shared out anew.
    pub switches: u64,
}

impl<'a> Supervisor<'a> {
    /// Begins: threads, thresholds, and the first event.
    pub fn begin(host: &'a Host, wish: Deployment) -> anyhow::Result<Self> {
        let waker = Waker::new()?;
        let (teller, news) = Teller::new(waker.clone());
        let worker = wish.services.iter().find(|service| service.role == Role::Worker);
        let worker = worker.map(|service| service.name.clone()).unwrap_or_default();
        let wards = wish.services.iter().map(|s| (s.name.clone(), Ward::new(s.clone()))).collect();
        let sharing = wish.has_modes().then(Sharing::default);
        let deployment = wish.name.clone();
        let orders = hands::begin(wish, teller.clone())?;
        let eyes = eyes::begin(teller.clone())?;
        let mut supervisor = Self {
            host,
            deployment: deployment.clone(),
            wards,
            is_v2: cgroup::is_v2(host),
            ladder: Ladder::new(&worker, Rules::default()),
            sharing,
            hold: false,
            told_to_hold: None,
            history: History::default(),
            events: Vec::new(),
            orders,
            eyes,
            news,
            waker,
            triggers: Vec::new(),
            log: None,
            engine_up: None,
            engine_left_at: 0,
            looking: false,
            mend_at: 0,
            pending: Vec::new(),
            pointed: None,
            seen_once: false,
            log_lines: Vec::new(),
            last: Sample::default(),
            decided_at: None,
            counts: Counts::default(),
        };
        let without = supervisor.prepare();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        supervisor.event(None, What::Began { version, without });
        ears::begin(deployment, teller)?;
        Ok(supervisor)
    }

    /// Asks the kernel to tell. Gives what it does not.
    fn prepare(&mut self) -> Vec<String> {
        let mut without = Vec::new();
        let rules = Rules::default();
        let host_path = "/proc/pressure/memory";
        for (threshold, full, stall) in [
            (Threshold::Some, false, rules.hold_some_us),
            (Threshold::Full, true, rules.give_back_full_us),
            (Threshold::FullLong, true, rules.kill_full_us),
        ] {
            match self.host.pressure_trigger(host_path, full, Duration::from_micros(stall), WINDOW) {
                Ok(trigger) => self.triggers.push((threshold, trigger)),
                Err(error) => {
                    without.push(t!(
                        "PSI ({error}): only available memory is looked at, five times a second",
                        error = error
                    ));
                    break;
                }
            }
        }
        if !self.is_v2 {
            without.push(t!(
                "cgroup v2: the containers' own pressure is not seen, nor what holds more than one of them"
            ));
        }
        match self.host.follow_kernel_log() {
            Ok(log) => self.log = Some(log),
            Err(error) => {
                without
                    .push(t!("the kernel's log ({error}): it is not told whom a kill took", error = error));
            }
        }
        without
    }

    /// One turn: waits until there is something to do, and does it. Gives what happened.
    pub fn turn(&mut self, longest: Duration) -> Vec<Event> {
        let told = self.wait(longest);
        while let Ok(news) = self.news.try_recv() {
            self.hear(news);
        }
        self.read_log();
        for name in self.wards.keys().cloned().collect::<Vec<_>>() {
            self.explain_kills(&name);
        }
        let sample = self.sample(told);
        self.decide(&sample);
        self.last = sample;
        self.keep();
        self.share();
        self.hold();
        self.mend();
        self.point_eyes();
        let events = std::mem::take(&mut self.events);
        for event in &events {
            self.history.add(event);
        }
        // A full disk must not end the supervisor: what could not be written waits for the next turn.
        let _ = self.history.flush(self.host);
        events
    }

    /// Ends: a model that sleeps for the sake of reading is woken, since nobody would wake it later.
    pub fn end(&mut self) -> Vec<Event> {
        if self.sharing.as_ref().is_some_and(|sharing| sharing.mode() == Mode::Reading) {
            let _ = self.orders.send(Order::Switch(Mode::Answering));
            let until = since_boot() + Duration::from_secs(60);
            let mut switched = false;
            while !switched && since_boot() < until {
                if let Ok(news) = self.news.recv_timeout(Duration::from_millis(200)) {
                    switched = matches!(news, News::Switched(_) | News::Kept(_));
                    self.hear(news);
                }
            }
        }
        if self.hold {
            for ward in self.wards.values().filter(|ward| ward.service.role == Role::Worker) {
                let _ = self.signal(ward, Signal::SIGUSR2);
            }
        }
        self.event(None, What::Ended);
        for event in &self.events {
            self.history.add(event);
        }
        let _ = self.history.flush(self.host);
        std::mem::take(&mut self.events)
    }

    pub(super) fn now() -> u64 {
        u64::try_from(since_boot().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn event(&mut self, service: Option<&str>, what: What) {
        let at = humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string();
        self.events.push(Event { at, service: service.map(str::to_owned), what });
    }

    /// Is there something to fear, or under way?
    fn is_tense(&self) -> bool {
        self.ladder.rung() > Rung::Calm
            || self.triggers.is_empty()
            || self.last.memory.available_permille() < 200
    }

    fn wait(&mut self, longest: Duration) -> Vec<Threshold> {
        let mut every = if self.is_tense() { EVERY.1 } else { EVERY.0 };
        let now = Self::now();
        for due in self.wards.values().filter_map(|ward| ward.keeper.due()) {
            every = every.min(Duration::from_millis(due.saturating_sub(now)));
        }
        let mut all = vec![For::Reading(self.waker.as_fd())];
        all.extend(self.log.as_ref().map(|log| For::Reading(log.as_fd())));
        let first = all.len();
        all.extend(self.triggers.iter().map(|(_, trigger)| For::Pressure(trigger.as_fd())));
        let names: Vec<&String> =
            self.wards.iter().filter(|(_, ward)| ward.trigger.is_some()).map(|(name, _)| name).collect();
        all.extend(
            self.wards
                .values()
                .filter_map(|ward| ward.trigger.as_ref())
                .map(|trigger| For::Pressure(trigger.as_fd())),
        );
        let ready = wait_for(&all, every.min(longest));
        self.waker.rest();
        let of_host = self.triggers.iter().zip(&ready[first..]);
        let mut told: Vec<Threshold> = of_host
            .filter(|(_, ready)| **ready == Ready::Yes)
            .map(|((threshold, _), _)| *threshold)
            .collect();
        let mut gone = Vec::new();
        for (name, ready) in names.iter().zip(&ready[first + self.triggers.len()..]) {
            match ready {
                Ready::Yes => told.push(Threshold::Worker),
                Ready::Gone => gone.push((*name).clone()),
                Ready::No => {}
            }
        }
        for name in gone {
            if let Some(ward) = self.wards.get_mut(&name) {
                ward.trigger = None;
            }
        }
        told
    }

    fn sample(&self, told: Vec<Threshold>) -> Sample {
        let of = |(name, ward): (&String, &Ward)| {
            Some((name.clone(), ward.group.as_ref().and_then(|group| group.read(self.host))?))
        };
        Sample {
            at_ms: Self::now(),
            memory: Memory::read(self.host),
            host: Stall::read(self.host, "/proc/pressure/memory"),
            told,
            services: self.wards.iter().filter_map(of).collect(),
        }
    }

    fn decide(&mut self, sample: &Sample) {
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
                Act::Kill => self.each_worker(Self::kill),
            }
        }
    }

    fn each_worker(&mut self, act: impl Fn(&mut Self, &str)) {
        let of = |ward: &&Ward| ward.service.role == Role::Worker && ward.pid().is_some();
        let names: Vec<String> = self.wards.values().filter(of).map(|w| w.service.name.clone()).collect();
        for name in names {
            act(self, &name);
        }
    }

    fn signal(&self, ward: &Ward, signal: Signal) -> std::io::Result<()> {
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
        ward.ours_until = now + OURS_MS;
        let whole = match &ward.group {
            Some(Group::V2(folder)) => self.host.poke(&format!("{folder}/cgroup.kill"), "1").is_ok(),
            _ => false,
        };
        if !whole {
            let _ = self.orders.send(Order::Kill(name.to_owned()));
        }
    }

    /// Sees to it that workers claim, or don't.
    fn hold(&mut self) {
        let changing = self.sharing.as_ref().is_some_and(|s| s.is_changing() && s.mode() == Mode::Reading);
        let hold = self.ladder.rung() > Rung::Calm || changing;
        let now = Self::now();
        let was = std::mem::replace(&mut self.hold, hold);
        let mut failed = Vec::new();
        for (name, ward) in self.wards.iter().filter(|(_, ward)| ward.service.role == Role::Worker) {
            // Before its first word it might not have learned yet what the signal means, and die of it.
            let Some(state) = &ward.state else { continue };
            let asked = self.told_to_hold.is_some_and(|(at, what)| what == hold && now < at + 1000);
            if state.paused != hold && (was != hold || !asked) {
                let signal = if hold { Signal::SIGUSR1 } else { Signal::SIGUSR2 };
                if let Err(error) = self.signal(ward, signal) {
                    failed.push((name.clone(), error.to_string()));
                }
                self.told_to_hold = Some((now, hold));
            }
        }
        for (name, why) in failed {
            self.event(Some(&name), What::NotDone { why });
        }
    }

    /// Starts what is due.
    fn keep(&mut self) {
        let now = Self::now();
        let mut due = Vec::new();
        for (name, ward) in &mut self.wards {
            if ward.keeper.is_due(now) && ward.container.as_ref().is_some_and(|found| !found.is_there()) {
                due.push(name.clone());
            }
        }
        for name in due {
            let _ = self.orders.send(Order::Start(name));
        }
    }

    fn share(&mut self) {
        let Some(sharing) = &mut self.sharing else { return };
        let workers = || self.wards.values().filter(|ward| ward.service.role == Role::Worker);
        let models: Vec<&Ward> = self.wards.values().filter(|ward| is_model(ward.service.role)).collect();
        // Without a word of both there is nothing to go by.
        if models.iter().any(|ward| ward.callers.is_none()) || workers().all(|ward| ward.state.is_none()) {
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
            hands: states().map(|state| state.hands).sum(),
            reading: in_work("ocr"),
            extracting: in_work("extract"),
            callers: models.iter().filter_map(|ward| ward.callers).sum(),
            model_cpu_us: models.iter().map(cpu).sum(),
        };
        if let Some(mode) = sharing.step(&look) {
            let _ = self.orders.send(Order::Switch(mode));
        }
    }

    fn mode(&self) -> Mode {
        self.sharing.as_ref().map_or(Mode::Answering, Sharing::mode)
    }

    fn mend(&mut self) {
        let now = Self::now();
        let changing = self.sharing.as_ref().is_some_and(Sharing::is_changing);
        if now >= self.mend_at && self.engine_up == Some(true) && !changing {
            self.mend_at = now + MEND_MS.0;
            let _ = self.orders.send(Order::Mend(self.mode()));
        }
    }

    pub(super) fn mend_soon(&mut self) {
        self.mend_at = self.mend_at.min(Self::now() + MEND_MS.1);
    }

    fn point_eyes(&mut self) {
        let is_asked = |ward: &&Ward| ward.service.role == Role::Worker || is_model(ward.service.role);
        let places = self.wards.values().filter(is_asked).filter_map(|ward| {
            Some(place(&ward.service, ward.container.as_ref().filter(|found| found.is_there())?))
        });
        let changing = self.sharing.as_ref().is_some_and(Sharing::is_changing);
        let silent = self
            .wards
            .values()
            .any(|ward| ward.service.role == Role::Worker && ward.pid().is_some() && ward.state.is_none());
        let works = self
            .wards
            .values()
            .any(|ward| ward.state.as_ref().is_some_and(|state| !state.in_work.is_empty()));
        let states = || self.wards.values().filter_map(|ward| ward.state.as_ref());
        let hands: usize = states().map(|state| state.hands).sum();
        let much = states()
            .filter_map(|state| state.waiting)
            .any(|waiting| usize::try_from(waiting.ocr).is_ok_and(|waiting| waiting > hands));
        let ask = Ask {
            places: places.collect(),
            presses: self.is_tense() || changing || silent || works,
            callers: self.sharing.as_ref().is_some_and(|sharing| sharing.mode() == Mode::Reading || much),
        };
        if self.pointed.as_ref() != Some(&ask) {
            let _ = self.eyes.send(Look::At(ask.clone()));
            self.pointed = Some(ask);
        }
    }
}
