//! What the threads and the kernel tell, taken in.

use std::collections::{BTreeMap, BTreeSet};

use super::event::What;
use super::hands::Order;
use super::keeper::{End, Verdict};
use super::ladder::Rules;
use super::news::News;
use super::run::Supervisor;
use super::ward::Ward;
use crate::container::observed::{Container, previous};
use crate::container::role::Role;
use crate::engine::Told;

/// How long what we do to a container may take to show, ms.
pub(super) const OURS_MS: u64 = 20_000;
/// How long after a kill by the kernel its container may end, ms.
const SOON_MS: u64 = 5_000;
/// How soon all containers are looked at again when that did not work, ms.
const LOOK_AGAIN_MS: u64 = 500;
/// How long an engine that came back may take to start its containers again, ms.
const RETURN_MS: u64 = 10_000;
/// How soon an engine that came back has told of what happened before, ms.
const LATE_MS: u64 = 10_000;
/// How long a container may be down that nobody stopped, ms: by then the engine has started it again, if it does at all.
const DOWN_MS: u64 = 15_000;

impl Supervisor<'_> {
    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Told(told) => self.told(&told),
            News::EngineUp => {
                if self.engine_up == Some(false) {
                    self.event(None, What::EngineBack);
                    self.after_the_engine();
                }
                self.engine_up = Some(true);
                self.look();
            }
            News::EngineAway(why) => {
                if self.engine_up != Some(false) {
                    let along = self.wards.iter().filter(|(_, ward)| ward.hand.went_along());
                    let along = along.map(|(name, _)| name.clone()).collect();
                    self.event(None, What::EngineAway { why, along });
                }
                self.engine_up = Some(false);
            }
            News::Seen(all, asked) => self.seen(all, asked),
            News::Unseen => (self.looking, self.look_again) = (false, Some(Self::now() + LOOK_AGAIN_MS)),
            News::Worker(id, state) => {
                let now = Self::now();
                if let Some(ward) = self.of_id(&id) {
                    ward.kills.told(now, &state);
                    ward.state = Some(state);
                }
            }
            News::Silent(id, why) => {
                let Some(ward) = self.of_id(&id) else { return };
                // What it said once is not so any more.
                ward.state = None;
                let name = ward.service.name.clone();
                self.event(Some(&name), What::NotDone { why });
            }
            News::Together(all) => all.into_iter().for_each(|one| self.hear(one)),
            News::Ending(name) => {
                let now = Self::now();
                if let Some(ward) = self.wards.get_mut(&name) {
                    ward.we_end_it(now, OURS_MS);
                }
            }
            News::Rested => {}
            News::Changed => {
                if !std::mem::replace(&mut self.changed, true) {
                    self.event(None, What::Outdated);
                }
            }
            News::Callers(id, callers) => {
                if let Some(ward) = self.of_id(&id) {
                    ward.callers = Some(callers);
                }
            }
            News::Unloaded(models) => self.event(None, What::Unloaded { models }),
            News::Failed(service, why) => self.failed(&service, why),
            News::Mended(changes) => self.event(None, What::Mended { changes }),
            News::Pending(changes) => {
                if changes != self.pending && !changes.is_empty() {
                    self.event(None, What::Pending { changes: changes.clone() });
                }
                self.pending = changes;
            }
            News::Busy => self.mend_soon(),
            News::Switched(mode) => {
                self.counts.switches += 1;
                if let Some(sharing) = &mut self.sharing {
                    sharing.is_now(mode);
                }
                self.event(None, What::Mode { to: mode });
            }
            News::Kept(why) => {
                let now = Self::now();
                if let Some(sharing) = &mut self.sharing {
                    sharing.kept(now);
                }
                self.event(None, What::ModeKept { why });
            }
        }
    }

    fn of_id(&mut self, id: &str) -> Option<&mut Ward> {
        self.wards.values_mut().find(|ward| ward.container.as_ref().is_some_and(|found| found.id == id))
    }

    /// Has the hands look at all containers; once, however much happened meanwhile, and once more after that.
    fn look(&mut self) {
        if std::mem::replace(&mut self.looking, true) {
            self.look_again = Some(Self::now());
        } else {
            self.look_again = None;
            self.order(Order::Look);
        }
    }

    /// The engine may have gone just when they were to be looked at, or more have happened meanwhile; that is seen in the next turn.
    pub(super) fn catch_up(&mut self) {
        if self.look_again.is_some_and(|at| Self::now() >= at) && self.engine_up == Some(true) {
            self.look();
        }
    }

    fn told(&mut self, told: &Told) {
        let (now, now_us) = (Self::now(), Self::now_us());
        // Of the time before it came back. It tells that at once; later the clock may have been set back.
        let (back_ns, back) = self.engine_back;
        let late = told.at_ns < back_ns && now.saturating_sub(back) < LATE_MS;
        // What waits beside the new one during an upgrade is `deploy`'s.
        let Some(ward) = self.wards.get_mut(&told.service).filter(|w| w.service.container == told.container)
        else {
            if told.container.ends_with(previous("").as_str()) {
                return;
            }
            return self.look();
        };
        let name = told.service.as_str();
        match told.action.as_str() {
            "start" => {
                ward.keeper.started(now);
                ward.hand.lets_go();
                ward.went_along = false;
                self.event(Some(name), What::Started);
            }
            "kill" => {
                // Signals that ask for something else than the end are ours, or of somebody who knows the worker.
                let ends = !ward.is_ours(now) && ward.hand.asks(now_us, told.signal, late);
                if !ends {
                    return;
                }
            }
            "die" => {
                let status = told.status.unwrap_or(0);
                let soon =
                    |at: Option<u64>, within: u64| at.is_some_and(|at| now.saturating_sub(at) < within);
                // One end for each of our acts.
                let how = if ward.take_ours(now) {
                    End::ByUs
                } else if ward.hand.is_asked(now_us) {
                    End::ByHand
                } else if status == 0 {
                    End::Clean
                } else if soon(ward.oom_at, SOON_MS) {
                    End::Oom
                } else {
                    End::Died
                };
                self.ended(name, how, status);
            }
            "oom" => ward.oom_at = Some(now),
            "destroy" | "create" | "rename" => self.mend_soon(),
            action if action.starts_with("health_status") => {
                let health = action.rsplit(": ").next().unwrap_or_default().to_owned();
                // A check can't reach one that sleeps.
                if health != "starting" && ward.health != health && !ward.sleeps() {
                    let first = ward.health.is_empty() && health == "healthy";
                    ward.health.clone_from(&health);
                    if !first {
                        self.event(Some(name), What::Health { to: health });
                    }
                }
                return;
            }
            _ => {}
        }
        self.look();
    }

    fn ended(&mut self, name: &str, how: End, status: i64) {
        let now = Self::now();
        let Some(ward) = self.wards.get_mut(name) else { return };
        let comes_back = ward.container.as_ref().is_some_and(|found| found.comes_back(status));
        // The engine does not start again what was killed through it; what the kernel killed for us, it does.
        let verdict = ward.keeper.ended(now, how, comes_back);
        if how == End::ByUs && comes_back && matches!(verdict, Verdict::StartIn(_)) {
            ward.keeper.started(now);
        }
        ward.state = None;
        if how != End::ByHand {
            ward.hand.lets_go();
        } else if ward.hand.ends(Self::now_us(), status) && comes_back {
            ward.keeper.look_again(now + RETURN_MS);
        }
        if !matches!(how, End::ByHand | End::Clean) {
            ward.restarts += 1;
        }
        self.event(Some(name), What::Stopped { how, status });
        match verdict {
            Verdict::Break(pause_ms) => {
                self.order(Order::Stop(name.to_owned()));
                self.event(Some(name), What::Loop { pause_ms });
            }
            Verdict::StartIn(after_ms) if how != End::ByUs || !comes_back => {
                self.event(Some(name), What::Again { after_ms });
            }
            Verdict::StartIn(_) | Verdict::Leave => {}
        }
    }

    /// An engine that went stopped its containers, and does not always start all of them again now that it is back.
    fn after_the_engine(&mut self) {
        let now = Self::now();
        let clock = std::time::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_nanos());
        self.engine_back = (i64::try_from(clock).unwrap_or(0), now);
        for ward in self.wards.values_mut() {
            let Some(status) = ward.hand.engine_is_back() else { continue };
            if ward.container.as_ref().is_some_and(|found| found.comes_back(status)) {
                ward.keeper.look_again(now + RETURN_MS);
            }
        }
    }

    fn failed(&mut self, name: &str, why: String) {
        self.event(Some(name), What::NotDone { why });
        let now = Self::now();
        // One without a container is made anew, which is no start.
        let is_down = |ward: &Ward| ward.container.as_ref().is_some_and(|found| !found.is_there());
        if let Some(ward) = self.wards.get_mut(name).filter(|ward| is_down(ward)) {
            if let Verdict::StartIn(after_ms) | Verdict::Break(after_ms) =
                ward.keeper.ended(now, End::NotStarted, false)
            {
                self.event(Some(name), What::Again { after_ms });
            }
        }
    }

    fn seen(&mut self, mut all: BTreeMap<String, Container>, asked: u64) {
        self.looking = false;
        let is_up = self.engine_up == Some(true);
        let first = !std::mem::replace(&mut self.seen_once, true);
        let some = !all.is_empty();
        let now = Self::now();
        let (mut missing, mut not_started, mut left) = (BTreeSet::new(), Vec::new(), Vec::new());
        for (name, ward) in &mut self.wards {
            if is_up {
                ward.hand.answered(asked);
            }
            let found = all.remove(&ward.service.container);
            if found.is_none() && ward.was_there {
                missing.insert(name.clone());
            }
            if let Some(found) = found.as_ref().filter(|found| found.state != "paused") {
                ward.health.clone_from(&found.health);
                let is_down = matches!(found.state.as_str(), "exited" | "created");
                if first && is_down && !found.trouble.is_empty() {
                    not_started.push((name.clone(), found.trouble.clone()));
                } else if first
                    && is_down
                    && (ward.looped || ward.went_along && found.comes_back(found.exit_code))
                {
                    // An earlier supervisor left it alone for a while, or until the engine is back, and did not live to start it again.
                    ward.keeper.look_again(now + OURS_MS);
                } else if first && is_down {
                    ward.hand.found_down();
                    left.push((name.clone(), found.exit_code));
                } else if is_down
                    && !ward.hand.is_down()
                    && ward.keeper.due().is_none()
                    && (found.comes_back(found.exit_code) || found.state == "created")
                {
                    // One that could not be started again, or that somebody sent a signal: the engine lets it be.
                    ward.keeper.look_again(now + DOWN_MS);
                }
            }
            if ward.see(self.host, self.is_v2, found) && ward.service.role == Role::Worker {
                let path = ward.group.as_ref().and_then(super::sample::Group::pressure);
                let stall = std::time::Duration::from_micros(Rules::default().hold_some_us);
                ward.trigger = path.and_then(|path| {
                    self.host.pressure_trigger(&path, false, stall, super::run::WINDOW).ok()
                });
            }
        }
        if !some && self.wards.values().any(|ward| ward.was_there) {
            // Taken down: nothing of it was ever there, for whoever looks later.
            for ward in self.wards.values_mut() {
                ward.was_there = false;
            }
            self.event(None, What::Gone);
        }
        // What can't be made at once is tried again with the next round.
        if some && !missing.is_empty() && missing != self.missing {
            self.mend_at = self.mend_at.min(now + super::run::MEND_MS.1);
        }
        self.missing = missing;
        for (name, why) in not_started {
            self.failed(&name, why);
        }
        for (name, status) in left {
            self.event(Some(&name), What::Stopped { how: End::ByHand, status });
        }
        self.find_mode();
    }

    /// Models are asleep or awake, whatever was done last: a supervisor that died left one asleep, an engine that began anew woke one.
    fn find_mode(&mut self) {
        let now = Self::now();
        let Some(sharing) = &mut self.sharing else { return };
        let models = || {
            let of = |ward: &&Ward| ward.service.reading.is_some() && ward.service.role.is_model();
            self.wards.values().filter(of).filter_map(|ward| ward.container.as_ref())
        };
        if models().any(|found| found.state == "paused") {
            sharing.asleep();
        }
        let order = if models().any(Container::runs) { sharing.woken(now) } else { None };
        if let Some(mode) = order {
            self.order(Order::Switch(mode));
        }
    }
}
