//! From a service to what the engine is told to make. Hardened unless the profile says otherwise: a root file system that
//! can't be written, no capabilities, no new privileges, no root.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, ContainerUpdateBody, EndpointSettings, HealthConfig, HostConfig,
    HostConfigLogConfig, Mount, MountType, NetworkCreateRequest, NetworkingConfig, PortBinding,
    ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};

use super::secrets::secrets_of;
use crate::container::desired::{Limits, Network, Service};
use crate::container::weight::Scale;
use crate::container::{fingerprint, label, log};
use crate::profile::container::Protocol;

const SECOND: i64 = 1_000_000_000;

/// The labels of all that belongs to a deployment.
pub(super) fn labels(deployment: &str, fingerprint: &str) -> HashMap<String, String> {
    HashMap::from([
        (label::DEPLOYMENT.to_owned(), deployment.to_owned()),
        (label::FINGERPRINT.to_owned(), fingerprint.to_owned()),
    ])
}

/// A network. An `isolated` gateway mode keeps the host's own addresses out of an internal network; where the engine does
/// not know it, the bridge gets no address at all, which comes to the same.
pub(super) fn network(deployment: &str, network: &Network, knows_isolated: bool) -> NetworkCreateRequest {
    let mut options = HashMap::new();
    let mut set = |name: &str, value: &str| options.insert(name.to_owned(), value.to_owned());
    if network.internal {
        if knows_isolated {
            set("com.docker.network.bridge.gateway_mode_ipv4", "isolated");
        } else {
            set("com.docker.network.bridge.inhibit_ipv4", "true");
        }
    } else {
        set(
            "com.docker.network.bridge.enable_ip_masquerade",
            if network.masquerade { "true" } else { "false" },
        );
    }
    NetworkCreateRequest {
        name: network.name.clone(),
        driver: Some("bridge".to_owned()),
        internal: Some(network.internal),
        enable_ipv6: Some(false),
        options: Some(options),
        labels: Some(labels(deployment, &fingerprint::of_network(network))),
        ..NetworkCreateRequest::default()
    }
}

/// A container.
pub(super) fn container(
    deployment: &str,
    service: &Service,
    image: &str,
    print: &str,
    scale: Scale,
) -> ContainerCreateBody {
    let fixed = &service.fixed;
    let mut labels = labels(deployment, print);
    labels.insert(label::SERVICE.to_owned(), service.name.clone());
    labels.insert(label::DESCRIPTION.to_owned(), serde_json::to_string(fixed).unwrap_or_default());
    let test = fixed.health.as_ref().map(|words| {
        let head = if words.is_empty() { "NONE" } else { "CMD" };
        [head.to_owned()].into_iter().chain(words.iter().cloned()).collect()
    });
    let ports: HashMap<String, Option<Vec<PortBinding>>> =
        fixed.publish.iter().fold(HashMap::new(), |mut ports, publish| {
            let protocol = if publish.protocol == Protocol::Udp { "udp" } else { "tcp" };
            let binding = PortBinding {
                host_ip: Some(publish.address.to_string()),
                host_port: Some(publish.host_port.to_string()),
            };
            let at = ports.entry(format!("{}/{protocol}", publish.port)).or_insert_with(|| Some(Vec::new()));
            if let Some(bindings) = at {
                bindings.push(binding);
            }
            ports
        });
    let first = fixed.networks.first().map(|network| network.name.clone());
    ContainerCreateBody {
        hostname: Some(service.name.clone()),
        user: Some(fixed.user.clone()),
        exposed_ports: Some(ports.keys().cloned().collect()),
        env: Some(fixed.environment.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        cmd: (!fixed.command.is_empty()).then(|| fixed.command.clone()),
        healthcheck: test.map(|test| HealthConfig {
            test: Some(test),
            interval: Some(5 * SECOND),
            timeout: Some(5 * SECOND),
            retries: Some(3),
            start_period: Some(120 * SECOND),
            // Engines before 25 don't know it, and ask every 5 s from the start.
            start_interval: Some(SECOND),
        }),
        image: Some(image.to_owned()),
        labels: Some(labels),
        stop_signal: fixed.stop_signal.clone(),
        stop_timeout: i64::try_from(fixed.stop_timeout).ok(),
        host_config: Some(HostConfig {
            port_bindings: Some(ports),
            network_mode: first.clone(),
            ..host_config(deployment, service, print, scale)
        }),
        networking_config: first.map(|name| NetworkingConfig {
            endpoints_config: Some(HashMap::from([(name, endpoint(service))])),
        }),
        ..ContainerCreateBody::default()
    }
}

/// A log that has an end, for an engine that gives it none: what a program writes must not fill the disk.
pub(super) fn log_with_an_end() -> HostConfigLogConfig {
    let options = log::OPTIONS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    HostConfigLogConfig { typ: Some(log::DRIVER.to_owned()), config: Some(HashMap::from(options)) }
}

/// How a service is called on a network: by its name in the profile.
pub(super) fn endpoint(service: &Service) -> EndpointSettings {
    EndpointSettings { aliases: Some(vec![service.name.clone()]), ..EndpointSettings::default() }
}

fn host_config(deployment: &str, service: &Service, print: &str, scale: Scale) -> HostConfig {
    let (fixed, limits) = (&service.fixed, &service.limits);
    let ulimit = |name: &str, value: i64| ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(value),
        hard: Some(value),
    };
    let mut ulimits: Vec<ResourcesUlimits> =
        fixed.nofile.iter().filter_map(|n| i64::try_from(*n).ok()).map(|n| ulimit("nofile", n)).collect();
    if fixed.memlock {
        ulimits.push(ulimit("memlock", -1));
    }
    let tmpfs = fixed.tmpfs.iter().map(|folder| (folder.target.clone(), fixed.tmpfs_options(folder)));
    HostConfig {
        memory: signed(limits.memory),
        memory_reservation: signed(limits.memory_reservation),
        memory_swap: signed(limits.memory_swap),
        nano_cpus: signed(limits.nano_cpus),
        cpu_shares: signed(scale.shares(limits.cpu_weight)),
        pids_limit: signed(limits.pids),
        restart_policy: Some(restart(limits)),
        oom_score_adj: Some(i64::from(fixed.oom_score_adj)),
        ulimits: Some(ulimits),
        mounts: Some(mounts(deployment, service, print)),
        tmpfs: Some(tmpfs.collect()),
        shm_size: signed(fixed.shm_size),
        readonly_rootfs: Some(!fixed.writable),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(fixed.capabilities.clone()),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        init: Some(true),
        // The engine's own server asks this one for names that it does not know. Nobody listens there, so that no question
        // leaves by that way either; engines before 25.0.5 would ask in the host's place.
        dns: fixed.networks.iter().all(|network| !network.masquerade).then(|| vec!["127.0.0.1".to_owned()]),
        ..HostConfig::default()
    }
}

fn mounts(deployment: &str, service: &Service, print: &str) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = service
        .fixed
        .volumes
        .iter()
        .map(|volume| Mount {
            typ: Some(if volume.is_named() { MountType::VOLUME } else { MountType::BIND }),
            source: Some(volume.source.clone()),
            target: Some(volume.target.clone()),
            read_only: Some(volume.read_only),
            ..Mount::default()
        })
        .collect();
    let folder = secrets_of(deployment, &service.name, print);
    mounts.extend(service.fixed.secrets.iter().map(|name| Mount {
        typ: Some(MountType::BIND),
        source: Some(format!("{folder}/{name}")),
        target: Some(format!("/run/secrets/{name}")),
        read_only: Some(true),
        ..Mount::default()
    }));
    mounts
}

/// A container that waits for its comeback, or its end, is not started by the engine.
pub(super) fn stays_down() -> ContainerUpdateBody {
    let policy = RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None };
    ContainerUpdateBody { restart_policy: Some(policy), ..ContainerUpdateBody::default() }
}

/// The restart policy alone, for one that comes back.
pub(super) fn comes_back(limits: &Limits) -> ContainerUpdateBody {
    ContainerUpdateBody { restart_policy: Some(restart(limits)), ..ContainerUpdateBody::default() }
}

/// The limits alone, for a container that runs.
pub(super) fn update(limits: &Limits, scale: Scale) -> ContainerUpdateBody {
    ContainerUpdateBody {
        memory: signed(limits.memory),
        memory_reservation: signed(limits.memory_reservation),
        memory_swap: signed(limits.memory_swap),
        nano_cpus: signed(limits.nano_cpus),
        cpu_shares: signed(scale.shares(limits.cpu_weight)),
        pids_limit: Some(if limits.pids == 0 { -1 } else { i64::try_from(limits.pids).unwrap_or(i64::MAX) }),
        restart_policy: Some(restart(limits)),
        ..ContainerUpdateBody::default()
    }
}

fn restart(limits: &Limits) -> RestartPolicy {
    let name = match limits.restart.as_str() {
        "always" => RestartPolicyNameEnum::ALWAYS,
        "on-failure" => RestartPolicyNameEnum::ON_FAILURE,
        "no" => RestartPolicyNameEnum::NO,
        _ => RestartPolicyNameEnum::UNLESS_STOPPED,
    };
    RestartPolicy { name: Some(name), maximum_retry_count: None }
}

fn signed(number: u64) -> Option<i64> {
    i64::try_from(number).ok()
}
