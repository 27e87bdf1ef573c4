//! What the supervisor sees and does at one moment, for whoever asks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ladder::Rung;
use super::run::Supervisor;
use super::sample::Sample;
use crate::container::mode::Mode;
use crate::container::role::Role;
use crate::queue::Waiting;

/// One moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The deployment.
    pub deployment: String,
    /// The numbers.
    pub sample: Sample,
    /// The ladder.
    pub rung: Rung,
    /// How memory is shared out; none where the profile has only one way.
    pub mode: Option<Mode>,
    /// The engine answers; none: not known yet.
    pub engine_up: Option<bool>,
    /// Workers are told to claim nothing.
    pub hold: bool,
    /// The worker says so much waits.
    pub waiting: Option<Waiting>,
    /// Documents in work, by stage.
    pub in_work: BTreeMap<String, u64>,
    /// The services.
    pub services: BTreeMap<String, One>,
    /// Acts decided.
    pub acts: BTreeMap<String, u64>,
    /// Kills outside our containers.
    pub host_kills: u64,
    /// Changes of the way memory is shared out.
    pub switches: u64,
    /// Changes that are left to `deploy`.
    pub pending: u64,
}

/// One service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct One {
    /// Its processes are there.
    pub runs: bool,
    /// Its health check says so; none where it has none.
    pub healthy: Option<bool>,
    /// Ends since the supervisor began that were neither clean nor asked for.
    pub restarts: u64,
    /// Tasks that the kernel killed in it since then.
    pub kills: u64,
}

impl Supervisor<'_> {
    /// This moment.
    pub fn snapshot(&self) -> Snapshot {
        let workers = || self.wards.values().filter(|ward| ward.service.role == Role::Worker);
        let states = || workers().filter_map(|ward| ward.state.as_ref());
        let mut in_work: BTreeMap<String, u64> = BTreeMap::new();
        for one in states().flat_map(|state| &state.in_work) {
            *in_work.entry(one.stage.clone()).or_default() += 1;
        }
        Snapshot {
            deployment: self.deployment.clone(),
            sample: self.last.clone(),
            rung: self.ladder.rung(),
            mode: self.sharing.as_ref().map(super::sharing::Sharing::mode),
            engine_up: self.engine_up,
            hold: self.hold,
            waiting: states().find_map(|state| state.waiting),
            in_work,
            services: self
                .wards
                .iter()
                .map(|(name, ward)| {
                    let runs = ward.pid().is_some();
                    let one = One {
                        runs,
                        // What the engine said last of one that is down says nothing of it now; and of one that sleeps it
                        // can't tell.
                        healthy: (!ward.health.is_empty() && !ward.sleeps())
                            .then(|| runs && ward.health == "healthy"),
                        restarts: ward.restarts,
                        kills: ward.kills.count,
                    };
                    (name.clone(), one)
                })
                .collect(),
            acts: self.counts.acts.iter().map(|(act, count)| ((*act).to_owned(), *count)).collect(),
            host_kills: self.counts.host_kills,
            switches: self.counts.switches,
            pending: self.pending.len() as u64,
        }
    }
}
