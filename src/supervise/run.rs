//! The loop: looks, decides, acts. It never waits for the engine, nor for a container.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::ears;
use super::event::{Event, What};
use super::eyes::{self, Ask, Look};
use super::hands::{self, Order};
use super::history::History;
use super::ladder::{Ladder, Rules};
use super::news::{News, Teller};
use super::sample::{Sample, Threshold};
use super::sharing::Sharing;
use super::ward::Ward;
use crate::container::desired::Deployment;
use crate::container::mode::Mode;
use crate::container::role::Role;
use crate::facts::cgroup;
use crate::host::{Host, KernelLine, KernelLog, PressureTrigger, Waker, since_boot};

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
    /// The hands were asked to look at all containers, and have not said what they saw.
    pub(super) looking: bool,
    /// They could not: when to ask again, ms.
    pub(super) look_again: Option<u64>,
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
            look_again: None,
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

    /// One turn: waits until there is something to do, and does it. Gives what happened.
    pub fn turn(&mut self, longest: Duration) -> Vec<Event> {
        let told = self.wait(longest);
        while let Ok(news) = self.news.try_recv() {
            self.hear(news);
        }
        self.catch_up();
        self.read_log();
        self.tell_kills();
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
}
