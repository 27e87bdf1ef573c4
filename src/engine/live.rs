//! All containers of the engine, for the audit: who they are, what they may, what they share with the host.

use std::collections::HashMap;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, HostConfig, ImageInspect, Network, PortMap};
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptionsBuilder, ListNetworksOptionsBuilder,
};
use futures_util::future::try_join_all;
use futures_util::try_join;

use super::client::Client;
use super::database::unsettled;
use super::error::EngineError;
use super::observe::observe;
use crate::container::desired::Deployment;
use crate::container::mode::Mode;
use crate::container::{label, plan};
use crate::facts::containers::{Containers, Live, LiveNetwork};
use crate::host::Host;
use crate::profile::Settings;
use crate::t;

/// An audit does not wait for an engine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks at all of them; `mode` is how the supervisor shares memory out now. The error is why that can't be done, in words.
pub fn containers(host: &Host, settings: &Settings, mode: Mode) -> Result<Containers, String> {
    let client = Client::connect_within(host, PATIENCE).map_err(|error| error.reason)?;
    let (mut live, networks) = look(&client).map_err(|error| error.to_string())?;
    let ours = live.iter().any(|container| container.deployment.as_ref() == Some(&settings.deployment.name));
    let pending = ours.then(|| {
        if !host.may_change() {
            return Err(t!("only root can tell: the secrets of a deployment are root's"));
        }
        let wish = Deployment::of(settings).map_err(|knot| knot.0)?.in_mode(mode);
        let observed = observe(&client, host, &wish).map_err(|error| error.to_string())?;
        Ok(plan::build(&wish, &observed, false, false))
    });
    let wish = Deployment::of(settings).ok().filter(|_| ours).map(|wish| wish.in_mode(mode));
    let services = || wish.iter().flat_map(|wish| &wish.services);
    for container in &mut live {
        let sleeps = services().any(|service| service.asleep && service.container == container.name);
        container.is_asleep = sleeps && container.state == "paused";
    }
    let runs = |name: &str| live.iter().any(|container| container.name == name && container.runs());
    let servers = services().filter(|service| !service.settings.is_empty() && runs(&service.container));
    let settings = servers
        .map(|service| {
            let found = unsettled(&client, service).map_err(|error| error.to_string());
            (service.container.clone(), found)
        })
        .collect();
    Ok(Containers { live, networks, pending, settings })
}

fn look(client: &Client) -> Result<(Vec<Live>, Vec<LiveNetwork>), EngineError> {
    let docker = &client.docker;
    let lists = async {
        try_join!(
            docker.list_containers(Some(ListContainersOptionsBuilder::default().all(true).build())),
            docker.list_networks(Some(ListNetworksOptionsBuilder::default().build())),
        )
    };
    let (containers, networks) = client.run(t!("the engine can't be looked at"), lists)?;
    let ids: Vec<String> = containers.into_iter().filter_map(|container| container.id).collect();
    let looks = try_join_all(ids.iter().map(|id| one(client, id)));
    let found = client.run(t!("the containers can't be looked at"), looks)?;
    let images: Vec<&String> =
        found.iter().flatten().filter_map(|container| container.image.as_ref()).collect();
    let looks = try_join_all(images.iter().map(|id| image(client, id)));
    let images = client.run(t!("the images can't be listed"), looks)?;
    let images: HashMap<String, ImageInspect> =
        images.into_iter().flatten().filter_map(|image| Some((image.id.clone()?, image))).collect();
    let live = found.into_iter().flatten().map(|container| understand(container, &images));
    // What ended and stays so bears on nothing.
    let live =
        live.filter(|c| c.deployment.is_some() || !matches!(c.state.as_str(), "exited" | "created" | "dead"));
    Ok((live.collect(), networks.into_iter().map(network).collect()))
}

async fn one(client: &Client, id: &str) -> Result<Option<ContainerInspectResponse>, Error> {
    absent(client.docker.inspect_container(id, None::<InspectContainerOptions>).await)
}

async fn image(client: &Client, id: &str) -> Result<Option<ImageInspect>, Error> {
    absent(client.docker.inspect_image(id).await)
}

/// What went away in the meantime is none.
fn absent<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn network(found: Network) -> LiveNetwork {
    let options = found.options.unwrap_or_default();
    let is = |name: &str, value: &str| options.get(name).is_some_and(|found| found == value);
    LiveNetwork {
        name: found.name.unwrap_or_default(),
        deployment: found.labels.unwrap_or_default().get(label::DEPLOYMENT).cloned(),
        internal: found.internal.unwrap_or(false),
        masquerade: !is("com.docker.network.bridge.enable_ip_masquerade", "false"),
        without_host: is("com.docker.network.bridge.gateway_mode_ipv4", "isolated")
            || is("com.docker.network.bridge.inhibit_ipv4", "true"),
    }
}

fn understand(found: ContainerInspectResponse, images: &HashMap<String, ImageInspect>) -> Live {
    let state = found.state.unwrap_or_default();
    let config = found.config.unwrap_or_default();
    let host = found.host_config.unwrap_or_default();
    let labels = config.labels.unwrap_or_default();
    let number = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let image = config.image.unwrap_or_default();
    let made_of = found.image.as_ref().and_then(|id| images.get(id));
    let of_image = |name: &str| made_of?.config.as_ref()?.labels.as_ref()?.get(name);
    let is_pinned =
        image.contains("@sha256:") || image.starts_with("sha256:") || of_image(label::TEMPLATE).is_some();
    let made_on = of_image(label::PACKAGES).or_else(|| made_of?.created.as_ref());
    let made_on = made_on.and_then(|date| date.get(..10)).unwrap_or_default().to_owned();
    let settings = found.network_settings.unwrap_or_default();
    let ports = ports(settings.ports.as_ref());
    let networks = settings.networks.unwrap_or_default();
    let mut networks: Vec<String> = networks.into_keys().collect();
    networks.sort();
    let health = state.health.and_then(|health| health.status).map(|status| status.to_string());
    Live {
        is_asleep: false,
        id: found.id.unwrap_or_default(),
        extras: extras(&host),
        name: found.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        deployment: labels.get(label::DEPLOYMENT).cloned(),
        service: labels.get(label::SERVICE).cloned(),
        image,
        is_pinned,
        made_on,
        state: state.status.map(|status| status.to_string()).unwrap_or_default(),
        health: health.filter(|health| health != "none").unwrap_or_default(),
        pid: state.pid.and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0),
        restarts: number(found.restart_count),
        oom_killed: state.oom_killed.unwrap_or(false),
        memory: number(host.memory),
        memory_swap: number(host.memory_swap),
        pids: number(host.pids_limit),
        nano_cpus: number(host.nano_cpus),
        oom_score_adj: host.oom_score_adj.unwrap_or(0),
        restart: host
            .restart_policy
            .as_ref()
            .and_then(|policy| policy.name)
            .map(|name| name.to_string())
            .unwrap_or_default(),
        privileged: host.privileged.unwrap_or(false),
        shares: shares(&host),
        ports,
        log: log(&host),
        binds: found
            .mounts
            .unwrap_or_default()
            .into_iter()
            .filter(|mount| mount.typ.as_deref() == Some("bind"))
            .filter_map(|mount| Some((mount.source?, mount.rw.unwrap_or(true))))
            .collect(),
        networks,
        environment: config
            .env
            .unwrap_or_default()
            .iter()
            .filter_map(|entry| entry.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    }
}

fn shares(host: &HostConfig) -> Vec<String> {
    let modes = [("network", &host.network_mode), ("pid", &host.pid_mode), ("ipc", &host.ipc_mode)];
    modes
        .iter()
        .filter(|(_, mode)| mode.as_deref() == Some("host"))
        .map(|(name, _)| (*name).to_owned())
        .collect()
}

/// Capabilities that were added, devices, and what confines others and not this one.
fn extras(host: &HostConfig) -> Vec<String> {
    let capabilities =
        host.cap_add.iter().flatten().map(|name| name.trim_start_matches("CAP_").to_uppercase());
    let devices = host.devices.iter().flatten().filter_map(|device| device.path_on_host.clone());
    let options = host.security_opt.iter().flatten().filter(|option| option.ends_with("unconfined")).cloned();
    let of_users = host.userns_mode.iter().filter(|mode| *mode == "host").map(|_| "userns=host".to_owned());
    capabilities.chain(devices).chain(options).chain(of_users).collect()
}

/// As they are open now, and not as they were asked for: the host's port may be the engine's choice.
fn ports(open: Option<&PortMap>) -> Vec<(std::net::IpAddr, u16, String)> {
    let any = std::net::IpAddr::from([0, 0, 0, 0]);
    let mut found = Vec::new();
    for (port, bindings) in open.into_iter().flatten() {
        for binding in bindings.iter().flatten() {
            let address = binding.host_ip.as_deref().filter(|text| !text.is_empty());
            let address = address.map_or(Some(any), |text| text.parse().ok());
            let host_port = binding.host_port.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0);
            found.extend(address.map(|address| (address, host_port, port.clone())));
        }
    }
    found.sort();
    found
}

fn log(host: &HostConfig) -> (String, Option<String>) {
    let config = host.log_config.clone().unwrap_or_default();
    let size = config.config.unwrap_or_default().get("max-size").cloned();
    (config.typ.unwrap_or_default(), size)
}
