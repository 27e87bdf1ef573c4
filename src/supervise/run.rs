//! The loop: looks, decides, acts. It never waits for the engine, nor for a container.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::ears;
use super::event::{Event, What};
use super::eyes::{self, Ask, Look};
use super::hands::{self, Order};
use super::history::{self, Pen};
use super::keeper::End;
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

/// How long the end may take: `TimeoutStopSec=` of the service is longer.
const LONGEST_END: Duration = Duration::from_secs(80);

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
    pen: Pen,
    pub(super) events: Vec<Event>,
    pub(super) orders: Sender<Order>,
    pub(super) eyes: Sender<Look>,
    pub(super) news: Receiver<News>,
    pub(super) waker: Waker,
    pub(super) triggers: Vec<(Threshold, PressureTrigger)>,
    pub(super) log: Option<KernelLog>,
    pub(super) engine_up: Option<bool>,
    /// When an engine that had been away was back: ns since 1970, which events are dated by, and ms since boot.
    pub(super) engine_back: (i64, u64),
    /// The hands were asked to look at all containers, and have not said what they saw.
    pub(super) looking: bool,
    /// They could not, or more happened meanwhile: when to ask again, ms.
    pub(super) look_again: Option<u64>,
    pub(super) mend_at: u64,
    pub(super) pending: Vec<String>,
    /// Services whose containers were there, and are not.
    pub(super) missing: BTreeSet<String>,
    pub(super) pointed: Option<Ask>,
    pub(super) seen_once: bool,
    pub(super) log_lines: Vec<KernelLine>,
    pub(super) last: Sample,
    pub(super) decided_at: Option<u64>,
    /// Workers are killed then, ms.
    pub(super) kill_at: Option<u64>,
    pub(super) counts: Counts,
    threads: Vec<JoinHandle<()>>,
    pub(super) changed: bool,
}

/// Reads the profile again: what it asks for now; none while it can't be read.
pub(super) type Again = Box<dyn Fn() -> Option<Deployment> + Send>;

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
    ///
    /// `again` reads the profile again, and gives what it asks for now.
    pub fn begin(
        host: &'a Host,
        wish: Deployment,
        again: Box<dyn Fn() -> Option<Deployment> + Send>,
    ) -> anyhow::Result<Self> {
        let waker = Waker::new()?;
        let (teller, news) = Teller::new(waker.clone());
        let worker = wish.services.iter().find(|service| service.role == Role::Worker);
        let worker = worker.map(|service| service.name.clone()).unwrap_or_default();
        let mut wards: BTreeMap<String, Ward> =
            wish.services.iter().map(|s| (s.name.clone(), Ward::new(s.clone()))).collect();
        // What an earlier supervisor saw was deployed, and a loop that it broke goes on.
        let _ = history::each(host, &wish.name, |event| {
            if matches!(event.what, What::Gone) {
                for ward in wards.values_mut() {
                    (ward.was_there, ward.looped, ward.went_along) = (false, false, false);
                }
            } else if let What::EngineAway { along, .. } = &event.what {
                for (_, ward) in wards.iter_mut().filter(|(name, _)| along.contains(name)) {
                    ward.went_along = true;
                }
            } else if let Some(ward) = event.service.and_then(|name| wards.get_mut(&name)) {
                ward.was_there = true;
                ward.went_along &= !matches!(event.what, What::Started | What::Stopped { .. });
                match event.what {
                    What::Loop { .. } | What::Again { .. } => ward.looped = true,
                    // To break the loop it is stopped.
                    What::Stopped { how: End::ByUs, .. } => {}
                    _ => ward.looped = false,
                }
            }
        });
        let sharing = wish.has_modes().then(Sharing::default);
        let deployment = wish.name.clone();
        let (orders, hands) = hands::begin(wish, again, teller.clone())?;
        let (eyes, looking) = eyes::begin(teller.clone())?;
        let mut supervisor = Self {
            host,
            deployment: deployment.clone(),
            wards,
            is_v2: cgroup::is_v2(host),
            ladder: Ladder::new(&worker, Rules::default()),
            sharing,
            hold: false,
            told_to_hold: None,
            pen: Pen::begin()?,
            events: Vec::new(),
            orders,
            eyes,
            news,
            waker,
            triggers: Vec::new(),
            log: None,
            engine_up: None,
            engine_back: (0, 0),
            looking: false,
            look_again: None,
            mend_at: 0,
            pending: Vec::new(),
            missing: BTreeSet::new(),
            pointed: None,
            seen_once: false,
            log_lines: Vec::new(),
            last: Sample::default(),
            decided_at: None,
            kill_at: None,
            counts: Counts::default(),
            threads: vec![hands, looking],
            changed: false,
        };
        let without = supervisor.prepare();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        supervisor.event(None, What::Began { version, without });
        supervisor.threads.push(ears::begin(deployment, teller)?);
        Ok(supervisor)
    }

    /// The thread that ended, if one did: without it nothing is heard, seen or done any more.
    pub fn broken(&self) -> Option<String> {
        if self.pen.is_broken() {
            return Some("pen".to_owned());
        }
        let ended = self.threads.iter().find(|thread| thread.is_finished())?;
        Some(ended.thread().name().unwrap_or_default().to_owned())
    }

    /// The profile asks for something else than when we began.
    pub const fn is_outdated(&self) -> bool {
        self.changed
    }

    /// Memory is shared out for reading, or is just being shared out anew: who comes next may know nothing of a model that sleeps.
    pub fn is_shared_out(&self) -> bool {
        self.mode() == Mode::Reading || self.sharing.as_ref().is_some_and(Sharing::is_changing)
    }

    pub(super) fn order(&self, order: Order) {
        // Where nobody listens any more, `broken` says so.
        let _ = self.orders.send(order);
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
        self.written()
    }

    /// What happened, given to the pen.
    fn written(&mut self) -> Vec<Event> {
        let events = std::mem::take(&mut self.events);
        for event in &events {
            self.pen.write(event.clone());
        }
        events
    }

    /// Ends. Nobody would do later what only we would: wake a model that sleeps for the sake of reading, let workers claim again,
    /// start what waits for its next try. `alive` is called while that goes on.
    pub fn end(&mut self, alive: &dyn Fn()) -> Vec<Event> {
        let due: Vec<String> = self
            .wards
            .iter()
            .filter(|(_, ward)| ward.keeper.due().is_some())
            .map(|(n, _)| n.clone())
            .collect();
        if self.is_shared_out() {
            self.order(Order::Switch(Mode::Answering));
        }
        for name in due {
            self.order(Order::Start(name));
        }
        self.order(Order::Rest);
        let until = since_boot() + LONGEST_END;
        let mut done = false;
        while !done && since_boot() < until && self.broken().is_none() {
            alive();
            if let Ok(news) = self.news.recv_timeout(Duration::from_millis(200)) {
                done = matches!(news, News::Rested);
                self.hear(news);
            }
        }
        // One that has not spoken yet might not have learned what the signal means.
        for ward in self.wards.values() {
            if ward.service.role == Role::Worker && ward.state.is_some() {
                let _ = self.signal(ward, Signal::SIGUSR2);
            }
        }
        self.event(None, What::Ended);
        self.written()
    }

    pub(super) fn now() -> u64 {
        u64::try_from(since_boot().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn now_us() -> u64 {
        u64::try_from(since_boot().as_micros()).unwrap_or(u64::MAX)
    }

    pub(super) fn event(&mut self, service: Option<&str>, what: What) {
        let at = humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string();
        let deployment = self.deployment.clone();
        self.events.push(Event { at, deployment, service: service.map(str::to_owned), what });
    }
}
