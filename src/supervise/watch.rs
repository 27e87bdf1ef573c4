//! What the loop looks at: the kernel's thresholds, the figures of host and containers, and whom its eyes are to ask.

use std::os::fd::AsFd as _;
use std::time::Duration;

use super::eyes::{Ask, Look};
use super::ladder::{Rules, Rung};
use super::run::{Supervisor, WINDOW};
use super::sample::{Memory, Sample, Stall, Threshold};
use super::sharing::Sharing;
use super::switch::place;
use super::ward::Ward;
use crate::container::mode::Mode;
use crate::container::role::Role;
use crate::host::{For, Ready, wait_for};
use crate::t;

/// How often the host is looked at: while half of its RAM is available; while less is, which a program may take before the kernel
/// stalls anybody; and when there is something to fear.
const EVERY: [Duration; 3] = [Duration::from_secs(2), Duration::from_millis(400), TENSE];
const TENSE: Duration = Duration::from_millis(200);

impl Supervisor<'_> {
    /// Asks the kernel to tell. Gives what it does not.
    pub(super) fn prepare(&mut self) -> Vec<String> {
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

    /// Is there something to fear, or under way?
    pub(super) fn is_tense(&self) -> bool {
        self.ladder.rung() > Rung::Calm
            || self.triggers.is_empty()
            || self.last.memory.available_permille() < 200
    }

    pub(super) fn wait(&mut self, longest: Duration) -> Vec<Threshold> {
        let half = self.last.memory.available_permille() >= 500;
        let mut every = EVERY[if self.is_tense() { 2 } else { usize::from(!half) }];
        let now = Self::now();
        for due in self.wards.values().filter_map(|ward| ward.keeper.due()) {
            // One that is overdue waits for a look at it.
            let left = if due > now { Duration::from_millis(due - now) } else { TENSE };
            every = every.min(left);
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

    pub(super) fn sample(&self, told: Vec<Threshold>) -> Sample {
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

    pub(super) fn point_eyes(&mut self) {
        let is_asked = |ward: &&Ward| ward.service.role == Role::Worker || ward.service.role.is_model();
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
            presses: self.is_tense() || changing || silent || works || self.mode() == Mode::Reading,
            callers: self.sharing.is_some() && (self.mode() == Mode::Reading || much),
        };
        if self.pointed.as_ref() != Some(&ask) {
            let _ = self.eyes.send(Look::At(ask.clone()));
            self.pointed = Some(ask);
        }
    }
}
