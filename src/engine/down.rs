//! What takes away: containers stopped and removed, and a whole deployment taken down.

use bollard::query_parameters::{
    RemoveContainerOptionsBuilder, RemoveVolumeOptions, StopContainerOptionsBuilder,
};

use super::client::Client;
use super::error::EngineError;
use super::secrets::{SECRETS, forget};
use crate::container::desired::Deployment;
use crate::container::observed::{Container, Observed, Owner};
use crate::container::role::Role;
use crate::host::Host;
use crate::t;

pub(super) async fn absent_is_fine(
    call: impl Future<Output = Result<(), bollard::errors::Error>>,
) -> Result<(), bollard::errors::Error> {
    match call.await {
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 404 | 304, .. }) => Ok(()),
        other => other,
    }
}

pub(super) fn stop(client: &Client, name: &str, seconds: u64) -> Result<(), EngineError> {
    let options =
        StopContainerOptionsBuilder::default().t(i32::try_from(seconds).unwrap_or(i32::MAX)).build();
    // A database may take longer than an answer of the engine else does.
    let call = absent_is_fine(client.streams.stop_container(name, Some(options)));
    client.run(t!("{name} can't be stopped", name = name), call)
}

pub(super) fn remove(client: &Client, name: &str) -> Result<(), EngineError> {
    // No volume goes with it, not even one without a name.
    let options = RemoveContainerOptionsBuilder::default().force(true).build();
    let call = absent_is_fine(client.docker.remove_container(name, Some(options)));
    client.run(t!("{name} can't be removed", name = name), call)
}

/// Takes a deployment down: its containers, last started first, and its networks; with `data` its volumes and secrets too.
/// Gives back what was removed.
pub fn down(
    client: &Client,
    host: &Host,
    wish: &Deployment,
    observed: &Observed,
    data: bool,
    told: &mut dyn FnMut(&str),
) -> Result<Vec<String>, EngineError> {
    let place =
        |container: &Container| wish.services.iter().position(|service| service.name == container.service);
    let mut containers: Vec<(&String, &Container)> = observed.containers.iter().collect();
    containers.sort_by_key(|(_, container)| std::cmp::Reverse(place(container)));
    let mut removed = Vec::new();
    for (name, container) in containers {
        let service = place(container).map(|at| &wish.services[at]);
        stop(client, name, service.map_or(10, |service| service.fixed.stop_timeout))?;
        remove(client, name)?;
        told(name);
        removed.push(name.clone());
    }
    for name in observed.networks.iter().filter_map(|(name, print)| print.as_ref().map(|_| name)) {
        let call = absent_is_fine(client.docker.remove_network(name));
        client.run(t!("the network {name} can't be removed", name = name), call)?;
        told(name);
        removed.push(name.clone());
    }
    if data {
        for name in observed.volumes.iter().filter(|(_, owner)| **owner == Owner::Us).map(|(name, _)| name) {
            let call = absent_is_fine(client.docker.remove_volume(name, None::<RemoveVolumeOptions>));
            client.run(t!("the volume {name} can't be removed", name = name), call)?;
            told(name);
            removed.push(name.clone());
        }
        // A database in a folder of the host stays, and so must its password.
        let in_a_folder = |service: &crate::container::desired::Service| {
            service.role == Role::Postgres && service.fixed.volumes.iter().any(|volume| !volume.is_named())
        };
        if wish.services.iter().any(in_a_folder) {
            return Ok(removed);
        }
        for folder in [format!("{SECRETS}/{}.mounts", wish.name), format!("{SECRETS}/{}", wish.name)] {
            if host.exists(&folder) {
                forget(host, &folder).map_err(|error| {
                    EngineError::new(
                        t!("the secret {name} can't be removed", name = folder),
                        error.to_string(),
                    )
                })?;
            }
        }
        for name in observed.secrets.keys() {
            told(name);
            removed.push(name.clone());
        }
    }
    Ok(removed)
}
