//! What the kernel killed in a container, told with the document that it hit.

use std::collections::VecDeque;

use super::attribute::{Killed, Known, attribute};
use super::event::{InWork, What};
use super::eyes::Look;
use super::run::Supervisor;
use crate::container::role::Role;
use crate::facts::oom;
use crate::worker::State;

/// How long a worker has to say which document a kill hit, ms: at its limit it answers late, and a reader whose tool was killed
/// takes a moment to end.
const PATIENCE_MS: u64 = 15_000;
/// How long before we hear the kernel tell of a kill the worker may have noticed it, ms: our turn may just wait for the disk.
const SLACK_MS: u64 = 2_000;
/// What the worker tells again is the same crash, though its answer may have been long on its way, ms: the queue hands no document out
/// again so soon.
const SAME_MS: u64 = 2_000;
/// So many crashes are remembered.
const MOST: usize = 64;

/// The kills in one container.
#[derive(Debug, Default)]
pub(super) struct Kills {
    /// How many there were since we began.
    pub count: u64,
    /// Of which the worker has not yet said which document they hit.
    open: Vec<Open>,
    /// What the worker said of readers that were killed, the newest last.
    crashes: VecDeque<Crash>,
}

#[derive(Debug)]
struct Open {
    at: u64,
    killed: Killed,
    /// What was in work just before.
    before: Vec<InWork>,
}

#[derive(Debug, PartialEq, Eq)]
struct Crash {
    at: u64,
    what: InWork,
    /// A kill was told with it.
    told: bool,
}

impl Kills {
    /// Takes in one that the worker can still explain.
    fn add(&mut self, at: u64, killed: Killed, before: Vec<InWork>) {
        self.open.push(Open { at, killed, before });
    }

    /// Takes in what the worker says of itself at `now`.
    pub(super) fn told(&mut self, now: u64, state: &State) {
        for one in &state.crashed {
            let what = InWork { document: one.document, stage: one.stage.clone() };
            let at = now.saturating_sub(one.ago_ms);
            // It tells of the same one again and again.
            if !self.crashes.iter().any(|old| old.what == what && old.at.abs_diff(at) <= SAME_MS) {
                self.crashes.push_back(Crash { at, what, told: false });
            }
        }
        while self.crashes.len() > MOST {
            self.crashes.pop_front();
        }
    }

    /// Those that can be told now, with their documents: the worker has named one, or had the time to.
    fn explained(&mut self, now: u64) -> Vec<(Killed, Vec<InWork>)> {
        let mut told = Vec::new();
        for one in std::mem::take(&mut self.open) {
            let fits = |crash: &&mut Crash| crash.at + SLACK_MS >= one.at;
            if let Some(crash) = self.crashes.iter_mut().filter(fits).find(|crash| !crash.told) {
                crash.told = true;
                told.push((one.killed, vec![crash.what.clone()]));
            } else if now < one.at + PATIENCE_MS {
                self.open.push(one);
            } else if let Some(crash) = self.crashes.iter_mut().find(fits) {
                // A reader and its tool were killed, over the same document.
                told.push((one.killed, vec![crash.what.clone()]));
            } else {
                // Where nothing else was in work, it was that.
                told.push((one.killed, if one.before.len() == 1 { one.before } else { Vec::new() }));
            }
        }
        told
    }
}

impl Supervisor<'_> {
    /// Reads what the kernel says of tasks that it killed for want of memory.
    pub(super) fn read_log(&mut self) {
        let Some(log) = &mut self.log else { return };
        let Ok(lines) = log.take() else { return self.log = None };
        if !lines.iter().any(|line| line.text.contains("Killed process") || line.text.contains("oom-kill")) {
            return;
        }
        self.log_lines.extend(lines);
        let kills = oom::parse(&self.log_lines);
        // The line that says whose limit it was stands before the one that says who was taken, which may come a moment later.
        let told = self.log_lines.iter().rposition(|line| line.text.contains("Killed process"));
        self.log_lines.drain(..told.map_or(0, |at| at + 1));
        let begun = self.log_lines.iter().rposition(|line| line.text.contains("oom-kill"));
        self.log_lines.drain(..begun.unwrap_or(self.log_lines.len()));
        self.log_lines.truncate(MOST);
        let limit = |name: &str| self.last.services.get(name).map(|found| found.limit);
        let known: Vec<Known> =
            self.wards.iter().filter_map(|(name, ward)| ward.known(limit(name))).collect();
        let now = Self::now();
        for kill in kills {
            let killed = attribute(&kill, &known);
            let ward = killed.service.as_ref().and_then(|name| self.wards.get_mut(name));
            let Some(ward) = ward else {
                self.counts.host_kills += 1;
                self.event(None, What::Killed { killed, documents: Vec::new() });
                continue;
            };
            ward.kills.count += 1;
            if killed.whole {
                ward.oom_at = Some(now);
            }
            let documents: Vec<InWork> = (ward.state.iter().flat_map(|state| &state.in_work))
                .map(|one| InWork { document: one.document, stage: one.stage.clone() })
                .collect();
            // What read a document died, and the worker goes on: it will say in a moment which document that was.
            if ward.service.role == Role::Worker && !killed.whole {
                ward.kills.add(now, killed, documents);
            } else {
                let name = ward.service.name.clone();
                self.event(Some(&name), What::Killed { killed, documents });
            }
        }
    }

    /// Tells of the kills that can be told by now.
    pub(super) fn tell_kills(&mut self) {
        let now = Self::now();
        let mut told = Vec::new();
        for (name, ward) in &mut self.wards {
            told.extend(ward.kills.explained(now).into_iter().map(|one| (name.clone(), one)));
            if !ward.kills.open.is_empty() {
                let _ = self.eyes.send(Look::Now);
            }
        }
        for (name, (killed, documents)) in told {
            self.event(Some(&name), What::Killed { killed, documents });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(crashes: &[(i64, u64)]) -> State {
        let of = |&(document, ago_ms): &(i64, u64)| crate::worker::Crash {
            document,
            stage: "ocr".to_owned(),
            ago_ms,
        };
        State { crashed: crashes.iter().map(of).collect(), ..State::default() }
    }

    fn documents(told: Vec<(Killed, Vec<InWork>)>) -> Vec<Vec<i64>> {
        told.into_iter().map(|(_, all)| all.into_iter().map(|one| one.document).collect()).collect()
    }

    #[test]
    fn each_kill_has_the_crash_that_came_after_it() {
        let mut kills = Kills::default();
        // An older crash is nobody's, however long it is told of.
        kills.told(10_000, &state(&[(1, 3000)]));
        kills.add(10_100, Killed::default(), Vec::new());
        assert_eq!(documents(kills.explained(12_000)), Vec::<Vec<i64>>::new());
        kills.told(12_000, &state(&[(1, 5000), (2, 700)]));
        // One of its answers was long on its way.
        kills.told(13_900, &state(&[(1, 5500), (2, 1201)]));
        assert_eq!(documents(kills.explained(13_900)), [[2]]);
        // The same crash explains no second kill.
        kills.add(14_000, Killed::default(), Vec::new());
        kills.told(14_200, &state(&[(2, 2900)]));
        assert_eq!(documents(kills.explained(14_200)), Vec::<Vec<i64>>::new());
    }

    #[test]
    fn a_worker_that_keeps_silent_is_not_waited_for_without_end() {
        let mut kills = Kills::default();
        let of = |document| InWork { document, stage: "ocr".to_owned() };
        kills.add(0, Killed::default(), vec![of(7)]);
        kills.add(0, Killed::default(), vec![of(7), of(8)]);
        assert_eq!(documents(kills.explained(14_999)), Vec::<Vec<i64>>::new());
        assert_eq!(documents(kills.explained(15_000)), [vec![7], vec![]]);
    }
}
