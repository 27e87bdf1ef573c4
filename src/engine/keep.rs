//! What a supervisor does to containers that are there already.

use bollard::query_parameters::{KillContainerOptions, StartContainerOptions};

use super::client::Client;
use super::create::update;
use super::down::{absent_is_fine, stop};
use super::error::EngineError;
use super::observe::look_at;
use crate::container::desired::Limits;
use crate::t;

impl Client {
    /// Starts a container.
    pub fn start(&self, name: &str) -> Result<(), EngineError> {
        let started = absent_is_fine(self.docker.start_container(name, None::<StartContainerOptions>));
        self.run(t!("{name} can't be started", name = name), started)
    }

    /// Stops a container, which has so many seconds for it; the engine does not start it again.
    pub fn stop(&self, name: &str, seconds: u64) -> Result<(), EngineError> {
        stop(self, name, seconds)
    }

    /// Kills a container with all that runs in it; the engine does not start it again.
    pub fn kill(&self, name: &str) -> Result<(), EngineError> {
        let killed = self.docker.kill_container(name, None::<KillContainerOptions>);
        self.run(t!("{name} can't be killed", name = name), killed)
    }

    /// Freezes a container: it uses no CPU, and whoever speaks to it waits.
    pub fn freeze(&self, name: &str) -> Result<(), EngineError> {
        self.run(t!("{name} can't be paused", name = name), self.docker.pause_container(name))
    }

    /// Lets a container of this deployment go on, where it is frozen.
    pub fn thaw(&self, deployment: &str, name: &str) -> Result<(), EngineError> {
        if look_at(self, deployment, name)?.is_none_or(|found| found.state != "paused") {
            return Ok(());
        }
        self.run(t!("{name} can't be unpaused", name = name), self.docker.unpause_container(name))
    }

    /// Changes a container's limits while it runs.
    pub fn limit(&self, name: &str, limits: &Limits) -> Result<(), EngineError> {
        let done = self.docker.update_container(name, update(limits, self.scale));
        self.run(t!("the limits of {name} can't be changed", name = name), done)
    }
}
