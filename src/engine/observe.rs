//! What the engine has of a deployment: three lists, and one look at each container and image.

use std::collections::BTreeSet;

use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, ContainerSummary, HostConfig};
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptions,
};
use futures_util::future::try_join_all;
use futures_util::try_join;

use super::client::Client;
use super::error::EngineError;
use super::ports::published;
use super::secrets::secrets;
use crate::container::desired::{Deployment, Limits};
use crate::container::label;
use crate::container::observed::{Container, Image, Observed, Owner, previous};
use crate::container::weight::Scale;
use crate::host::Host;
use crate::t;

/// Asks the engine for all that bears on `wish`, and the host for its secrets, which takes root.
pub fn observe(client: &Client, host: &Host, wish: &Deployment) -> Result<Observed, EngineError> {
    let mut observed = look_around(client, host, wish)?;
    observed.secrets = secrets(host, wish)?;
    Ok(observed)
}

/// The same without the secrets, which are root's: for those who only want to see.
pub fn look_around(client: &Client, host: &Host, wish: &Deployment) -> Result<Observed, EngineError> {
    let docker = &client.docker;
    let lists = async {
        try_join!(
            // All of them, since somebody else's may have a name that we need.
            docker.list_containers(Some(ListContainersOptionsBuilder::default().all(true).build())),
            docker.list_networks(Some(ListNetworksOptionsBuilder::default().build())),
            docker.list_volumes(None::<ListVolumesOptions>),
            try_join_all(images(wish).into_iter().map(|image| look_at_image(client, image))),
        )
    };
    let (containers, networks, volumes, images) = client.run(t!("the engine can't be looked at"), lists)?;
    let mut observed = Observed { images: images.into_iter().flatten().collect(), ..Observed::default() };
    for network in networks {
        let labels = network.labels.unwrap_or_default();
        let name = network.name.unwrap_or_default();
        let ours = labels.get(label::DEPLOYMENT) == Some(&wish.name);
        if ours || wish.networks.iter().any(|wanted| wanted.name == name) {
            let print = ours.then(|| labels.get(label::FINGERPRINT).cloned().unwrap_or_default());
            observed.networks.insert(name, print);
        }
    }
    for volume in volumes.volumes.unwrap_or_default() {
        let owner = match volume.labels.get(label::DEPLOYMENT) {
            Some(deployment) if *deployment == wish.name => Owner::Us,
            Some(_) => Owner::Others,
            None => Owner::Unknown,
        };
        if owner == Owner::Us || wish.volumes.contains(&volume.name) {
            observed.volumes.insert(volume.name, owner);
        }
    }
    observed.strangers = containers
        .iter()
        .filter(|container| !is_ours(container, &wish.name))
        .filter_map(name_of)
        .filter(|name| wish.services.iter().any(|s| s.container == *name || previous(&s.container) == *name))
        .collect();
    observed.published = containers
        .iter()
        .flat_map(|container| published(container, is_ours(container, &wish.name)))
        .collect();
    let others = containers.iter().filter(|container| !is_ours(container, &wish.name));
    for other in
        others.filter(|container| container.state.is_some_and(|state| state.to_string() == "running"))
    {
        let mounts = other.mounts.iter().flatten().filter(|mount| mount.rw.unwrap_or(true));
        let held = mounts.filter_map(|mount| mount.name.clone()).filter(|name| wish.volumes.contains(name));
        let who = name_of(other).unwrap_or_default();
        observed.holders.extend(held.map(|volume| (who.clone(), volume)));
    }
    let bound =
        wish.services.iter().flat_map(|service| &service.fixed.volumes).filter(|volume| !volume.is_named());
    for folder in bound.map(|volume| &volume.source).filter(|folder| host.exists(folder)) {
        // A file, a model for one, is something.
        let is_filled = host.list(folder).map_or(true, |names| !names.is_empty());
        observed.folders.insert(folder.clone(), is_filled);
    }
    let ours = containers.iter().filter(|container| is_ours(container, &wish.name));
    let ids: Vec<String> = ours.filter_map(|container| container.id.clone()).collect();
    let looks = try_join_all(ids.iter().map(|id| look(client, id)));
    let found = client.run(t!("the containers can't be looked at"), looks)?;
    observed.containers = found.into_iter().flatten().collect();
    Ok(observed)
}

/// It carries our labels, and has the name that goes with them: labels alone go on to whatever is made from its image.
fn is_ours(container: &ContainerSummary, deployment: &str) -> bool {
    let Some(labels) = &container.labels else { return false };
    let Some(service) = labels.get(label::SERVICE) else { return false };
    let own = format!("{deployment}-{service}");
    let has_name = name_of(container).is_some_and(|name| name == own || name == previous(&own));
    has_name && labels.get(label::DEPLOYMENT).is_some_and(|name| name == deployment)
}

fn images(wish: &Deployment) -> BTreeSet<&str> {
    wish.services.iter().filter_map(|service| service.image.as_deref()).collect()
}

async fn look_at_image(client: &Client, image: &str) -> Result<Option<(String, Image)>, Error> {
    match client.docker.inspect_image(image).await {
        Ok(found) => {
            let volumes = found.config.and_then(|config| config.volumes).unwrap_or_default();
            let of = |id| (image.to_owned(), Image { id, volumes: volumes.into_iter().collect() });
            Ok(found.id.map(of))
        }
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// One that went away in the meantime is none.
async fn look(client: &Client, id: &str) -> Result<Option<(String, Container)>, Error> {
    match client.docker.inspect_container(id, None::<InspectContainerOptions>).await {
        Ok(found) => Ok(Some(understand(found, client.scale))),
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn name_of(container: &ContainerSummary) -> Option<String> {
    container.names.as_ref()?.first().map(|name| name.trim_start_matches('/').to_owned())
}

/// A container of this deployment by its name, as it is now; somebody else's of that name is none.
pub(super) fn look_at(
    client: &Client,
    deployment: &str,
    name: &str,
) -> Result<Option<Container>, EngineError> {
    Ok(whoever_has(client, name)?.filter(|container| container.deployment == deployment))
}

/// The container of this name, whosever it is.
pub(super) fn whoever_has(client: &Client, name: &str) -> Result<Option<Container>, EngineError> {
    let found = client.run(t!("{name} can't be looked at", name = name), look(client, name))?;
    Ok(found.map(|(_, container)| container))
}

fn understand(found: ContainerInspectResponse, scale: Scale) -> (String, Container) {
    let name = found.name.unwrap_or_default().trim_start_matches('/').to_owned();
    let state = found.state.unwrap_or_default();
    let config = found.config.unwrap_or_default();
    let labels = config.labels.unwrap_or_default();
    let health = state.health.unwrap_or_default();
    let word = |text: Option<String>| text.filter(|text| text != "none").unwrap_or_default();
    let container = Container {
        id: found.id.unwrap_or_default(),
        deployment: labels.get(label::DEPLOYMENT).cloned().unwrap_or_default(),
        writes: found
            .mounts
            .unwrap_or_default()
            .into_iter()
            .filter(|mount| mount.rw.unwrap_or(true))
            .filter_map(|mount| mount.name)
            .collect(),
        networks: found.network_settings.and_then(|s| s.networks).unwrap_or_default().into_keys().collect(),
        service: labels.get(label::SERVICE).cloned().unwrap_or_default(),
        description: labels
            .get(label::DESCRIPTION)
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default(),
        fingerprint: labels.get(label::FINGERPRINT).cloned().unwrap_or_default(),
        state: state.status.map(|status| status.to_string()).unwrap_or_default(),
        health: word(health.status.map(|status| status.to_string())),
        health_words: health
            .log
            .unwrap_or_default()
            .last()
            .and_then(|result| result.output.clone())
            .unwrap_or_default()
            .trim()
            .to_owned(),
        exit_code: state.exit_code.unwrap_or(0),
        restarts: found.restart_count.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
        started: state.started_at.unwrap_or_default(),
        limits: found.host_config.as_ref().map(|config| limits(config, scale)),
        image_id: found.image.unwrap_or_default(),
        image: config.image.unwrap_or_default(),
        trouble: state.error.unwrap_or_default(),
        oom_killed: state.oom_killed.unwrap_or(false),
        pid: state.pid.and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0),
    };
    (name, container)
}

fn limits(config: &HostConfig, scale: Scale) -> Limits {
    let number = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let policy = config.restart_policy.as_ref().and_then(|policy| policy.name);
    Limits {
        memory: number(config.memory),
        memory_reservation: number(config.memory_reservation),
        // The engine says −1 where the kernel can't count swap.
        memory_swap: match config.memory_swap {
            Some(..0) => Limits::UNHELD,
            both => number(both),
        },
        nano_cpus: number(config.nano_cpus),
        cpu_weight: scale.weight(number(config.cpu_shares)),
        pids: number(config.pids_limit),
        restart: policy
            .map(|name| name.to_string())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "no".to_owned()),
    }
}
