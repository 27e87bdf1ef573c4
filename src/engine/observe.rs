//! What the engine has of a deployment: three lists, and one look at each container and image.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, ContainerSummary, HostConfig};
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptions,
    ListVolumesOptionsBuilder,
};
use futures_util::future::try_join_all;
use futures_util::try_join;

use super::client::Client;
use super::create::SECRETS;
use super::error::EngineError;
use crate::container::desired::{Deployment, Limits};
use crate::container::label;
use crate::container::observed::{Container, Observed};
use crate::host::{Host, sha256_hex};
use crate::t;

/// Asks the engine for all that bears on `wish`.
pub fn observe(client: &Client, host: &Host, wish: &Deployment) -> Result<Observed, EngineError> {
    let docker = &client.docker;
    let own = HashMap::from([("label", vec![format!("{}={}", label::DEPLOYMENT, wish.name)])]);
    let lists = async {
        try_join!(
            // All containers, since somebody else's may have a name that we need.
            docker.list_containers(Some(ListContainersOptionsBuilder::default().all(true).build())),
            docker.list_networks(Some(ListNetworksOptionsBuilder::default().build())),
            docker.list_volumes(Some::<ListVolumesOptions>(
                ListVolumesOptionsBuilder::default().filters(&own).build()
            )),
            try_join_all(images(wish).into_iter().map(|image| image_id(client, image))),
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
    observed.volumes = volumes.volumes.unwrap_or_default().into_iter().map(|volume| volume.name).collect();
    observed.secrets = secrets(host, wish);
    let is_ours = |container: &&ContainerSummary| {
        container.labels.as_ref().is_some_and(|labels| labels.get(label::DEPLOYMENT) == Some(&wish.name))
    };
    observed.strangers = containers
        .iter()
        .filter(|container| !is_ours(container))
        .filter_map(name_of)
        .filter(|name| wish.services.iter().any(|service| service.container == *name))
        .collect();
    let ids: Vec<String> = containers.iter().filter(is_ours).filter_map(|c| c.id.clone()).collect();
    let looks = try_join_all(ids.iter().map(|id| look(client, id)));
    let found = client.run(t!("the containers can't be looked at"), looks)?;
    observed.containers = found.into_iter().flatten().collect();
    Ok(observed)
}

fn images(wish: &Deployment) -> BTreeSet<&str> {
    wish.services.iter().filter_map(|service| service.image.as_deref()).collect()
}

async fn image_id(client: &Client, image: &str) -> Result<Option<(String, String)>, Error> {
    match client.docker.inspect_image(image).await {
        Ok(found) => Ok(found.id.map(|id| (image.to_owned(), id))),
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// One that went away in the meantime is none.
async fn look(client: &Client, id: &str) -> Result<Option<(String, Container)>, Error> {
    match client.docker.inspect_container(id, None::<InspectContainerOptions>).await {
        Ok(found) => Ok(Some(understand(found))),
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn name_of(container: &ContainerSummary) -> Option<String> {
    container.names.as_ref()?.first().map(|name| name.trim_start_matches('/').to_owned())
}

/// A container of ours by its name, as it is now.
pub(super) fn look_at(client: &Client, name: &str) -> Result<Option<Container>, EngineError> {
    let found = client.run(t!("{name} can't be looked at", name = name), look(client, name))?;
    Ok(found.map(|(_, container)| container))
}

fn understand(found: ContainerInspectResponse) -> (String, Container) {
    let name = found.name.unwrap_or_default().trim_start_matches('/').to_owned();
    let state = found.state.unwrap_or_default();
    let config = found.config.unwrap_or_default();
    let labels = config.labels.unwrap_or_default();
    let health = state.health.unwrap_or_default();
    let word = |text: Option<String>| text.filter(|text| text != "none").unwrap_or_default();
    let container = Container {
        id: found.id.unwrap_or_default(),
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
        limits: found.host_config.as_ref().map(limits),
        image_id: found.image.unwrap_or_default(),
        image: config.image.unwrap_or_default(),
        oom_killed: state.oom_killed.unwrap_or(false),
    };
    (name, container)
}

fn limits(config: &HostConfig) -> Limits {
    let number = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let policy = config.restart_policy.as_ref().and_then(|policy| policy.name);
    Limits {
        memory: number(config.memory),
        memory_reservation: number(config.memory_reservation),
        memory_swap: number(config.memory_swap),
        nano_cpus: number(config.nano_cpus),
        cpu_shares: number(config.cpu_shares),
        pids: number(config.pids_limit),
        restart: policy
            .map(|name| name.to_string())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "no".to_owned()),
    }
}

/// The digest of each secret that is there, in the version that is handed out.
pub(super) fn secrets(host: &Host, wish: &Deployment) -> BTreeMap<String, String> {
    let digest = |name: &String| {
        let bytes = host.read(&format!("{SECRETS}/{}/{name}", wish.name)).ok().flatten()?;
        Some((name.clone(), sha256_hex(&bytes)))
    };
    wish.secrets.iter().filter_map(digest).collect()
}
