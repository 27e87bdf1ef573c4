//! Carrying a plan out: secrets, networks and volumes.

use bollard::models::VolumeCreateRequest;

use super::create::{labels, network};
use super::deploy::Executor;
use super::down::{absent_is_fine, remove, stop};
use super::error::EngineError;
use super::secrets::{SECRETS, keep};
use crate::container::desired::{Network, Service};
use crate::container::observed::previous;
use crate::host::Image;
use crate::t;

impl<'a> Executor<'a> {
    pub(super) fn make_secret(&self, name: &str) -> Result<(), EngineError> {
        let action = || t!("the secret {name} can't be made", name = name);
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes).map_err(|error| EngineError::new(action(), error.to_string()))?;
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = format!("{SECRETS}/{}", self.wish.name);
        if self.host.exists(&format!("{folder}/{name}")) {
            return Ok(());
        }
        keep(self.host, &folder, name, &Image::file(text, 0o600))
            .map_err(|error| EngineError::new(action(), error.to_string()))
    }

    pub(super) fn network(&self, name: &str) -> Option<&'a Network> {
        self.wish.networks.iter().find(|network| network.name == name)
    }

    pub(super) fn make_network(&self, name: &str) -> Result<(), EngineError> {
        let Some(wanted) = self.network(name) else { return Ok(()) };
        let request = network(&self.wish.name, wanted, self.client.speaks(1, 48));
        let made = self.client.docker.create_network(request);
        self.client.run(t!("the network {name} can't be made", name = name), made).map(|_| ())
    }

    /// A network can't be changed, nor removed while a container is on it.
    pub(super) fn remake_network(&self, name: &str) -> Result<(), EngineError> {
        // Nothing is taken down for a network that somebody else holds.
        let action = t!("the network {name} can't be removed", name = name);
        let found = self.client.run(action.clone(), self.client.docker.inspect_network(name, None))?;
        let own = |id: &String| self.observed.containers.values().any(|container| container.id == *id);
        let mut others = found.containers.unwrap_or_default().into_iter().filter(|(id, _)| !own(id));
        if let Some((_, other)) = others.next() {
            let who = other.name.unwrap_or_default();
            let why = t!(
                "{who}, which is not of this deployment, is on it: docker network disconnect {name} {who}",
                who = who,
                name = name
            );
            return Err(EngineError::new(action, why));
        }
        let on_it = |service: &&Service| service.fixed.networks.iter().any(|network| network.name == name);
        for service in self.wish.services.iter().filter(on_it).rev() {
            for container in [service.container.clone(), previous(&service.container)] {
                stop(self.client, &container, service.fixed.stop_timeout)?;
                remove(self.client, &container)?;
            }
        }
        self.client.run(action, absent_is_fine(self.client.docker.remove_network(name)))?;
        self.make_network(name)
    }

    pub(super) fn make_volume(&self, name: &str) -> Result<(), EngineError> {
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(labels(&self.wish.name, "")),
            ..VolumeCreateRequest::default()
        };
        let made = self.client.docker.create_volume(request);
        self.client.run(t!("the volume {name} can't be made", name = name), made).map(|_| ())
    }
}
