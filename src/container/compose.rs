//! The same deployment as a Compose file.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::desired::{Deployment, Limits, Network, Service};
use super::log;
use super::plan::cpus;
use super::weight::Scale;
use crate::profile::container::Protocol;

/// The folder in which Compose looks for the secrets' files, beside its own file.
pub const SECRETS: &str = "secrets";

/// As the Compose Specification has it. YAML is a superset of JSON, and any reader of it takes this for a mapping.
pub fn document(deployment: &Deployment) -> Value {
    let map = |entries: Vec<(String, Value)>| Value::Object(entries.into_iter().collect::<Map<_, _>>());
    let services = deployment.services.iter().map(|s| (s.name.clone(), service(deployment, s))).collect();
    let networks = deployment.networks.iter().map(|n| (short(deployment, &n.name), network(n))).collect();
    let volumes = deployment.volumes.iter().map(|v| (short(deployment, v), json!({ "name": v }))).collect();
    let secrets = deployment
        .secrets
        .iter()
        .map(|name| (name.clone(), json!({ "file": format!("./{SECRETS}/{name}") })))
        .collect();
    let mut document =
        json!({ "name": deployment.name, "services": map(services), "networks": map(networks) });
    for (key, entries) in [("volumes", map(volumes)), ("secrets", map(secrets))] {
        if entries.as_object().is_some_and(|entries| !entries.is_empty()) {
            document[key] = entries;
        }
    }
    document
}

/// A name without the deployment's before it.
pub(super) fn short(deployment: &Deployment, name: &str) -> String {
    name.strip_prefix(&format!("{}-", deployment.name)).unwrap_or(name).to_owned()
}

fn network(network: &Network) -> Value {
    let options = if network.internal {
        json!({ "com.docker.network.bridge.inhibit_ipv4": "true" })
    } else {
        let masquerade = if network.masquerade { "true" } else { "false" };
        json!({ "com.docker.network.bridge.enable_ip_masquerade": masquerade })
    };
    json!({
        "name": network.name,
        "driver": "bridge",
        "internal": network.internal,
        "enable_ipv6": false,
        "driver_opts": options,
    })
}

fn service(deployment: &Deployment, service: &Service) -> Value {
    let (fixed, limits) = (&service.fixed, &service.limits);
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| {
        let is_empty = match &value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(entries) => entries.is_empty(),
            _ => false,
        };
        if !is_empty {
            out.insert(key.to_owned(), value);
        }
    };
    put("container_name", json!(service.container));
    put("image", json!(service.image));
    put("hostname", json!(service.name));
    put("user", json!(fixed.user));
    put("command", json!(literal(&fixed.command)));
    put(
        "environment",
        fixed
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), json!(escaped(value))))
            .collect::<Map<_, _>>()
            .into(),
    );
    let needs: Map<_, _> =
        service.needs.iter().map(|need| (need.clone(), condition(deployment, need))).collect();
    put("depends_on", needs.into());
    // The first one is the container's own, as it is when we make it: for Compose that is a question of priority.
    let networks = fixed.networks.iter().rev().zip(1..);
    let ranked = networks.map(|(n, rank)| (short(deployment, &n.name), json!({ "priority": rank })));
    put("networks", ranked.collect::<Map<_, _>>().into());
    put(
        "ports",
        fixed
            .publish
            .iter()
            .map(|p| {
                json!({
                    "target": p.port,
                    "published": p.host_port.to_string(),
                    "host_ip": p.address.to_string(),
                    "protocol": if p.protocol == Protocol::Udp { "udp" } else { "tcp" },
                    "mode": "host",
                })
            })
            .collect::<Vec<_>>()
            .into(),
    );
    put(
        "volumes",
        fixed
            .volumes
            .iter()
            .map(|v| {
                json!({
                    "type": if v.is_named() { "volume" } else { "bind" },
                    "source": if v.is_named() { short(deployment, &v.source) } else { escaped(&v.source) },
                    "target": escaped(&v.target),
                    "read_only": v.read_only,
                })
            })
            .collect::<Vec<_>>()
            .into(),
    );
    put(
        "tmpfs",
        fixed
            .tmpfs
            .iter()
            .map(|folder| format!("{}:{}", escaped(&folder.target), fixed.tmpfs_options(folder)))
            .collect::<Vec<_>>()
            .into(),
    );
    put(
        "secrets",
        fixed.secrets.iter().map(|name| json!({ "source": name, "target": name })).collect::<Vec<_>>().into(),
    );
    if let Some(words) = &fixed.health {
        put(
            "healthcheck",
            if words.is_empty() {
                json!({ "disable": true })
            } else {
                let test: Vec<String> = [String::from("CMD")].into_iter().chain(literal(words)).collect();
                json!({ "test": test, "interval": "5s", "timeout": "5s", "retries": 3, "start_period": "2m", "start_interval": "1s" })
            },
        );
    }
    put("stop_signal", json!(fixed.stop_signal));
    put("stop_grace_period", json!(format!("{}s", fixed.stop_timeout)));
    put("logging", json!({ "driver": log::DRIVER, "options": BTreeMap::from(log::OPTIONS) }));
    put("shm_size", json!(fixed.shm_size));
    put("read_only", json!(!fixed.writable));
    put("cap_drop", json!(["ALL"]));
    put("cap_add", json!(fixed.capabilities));
    put("security_opt", json!(["no-new-privileges"]));
    put("init", json!(true));
    if fixed.networks.iter().all(|network| !network.masquerade) {
        put("dns", json!(["127.0.0.1"]));
    }
    put("oom_score_adj", json!(fixed.oom_score_adj));
    let mut ulimits = Map::new();
    if let Some(files) = fixed.nofile {
        ulimits.insert("nofile".to_owned(), json!({ "soft": files, "hard": files }));
    }
    if fixed.memlock {
        ulimits.insert("memlock".to_owned(), json!({ "soft": -1, "hard": -1 }));
    }
    put("ulimits", ulimits.into());
    for (key, value) in limited(limits) {
        put(key, value);
    }
    Value::Object(out)
}

fn limited(limits: &Limits) -> Vec<(&'static str, Value)> {
    let some = |number: u64| if number == 0 { Value::Null } else { json!(number) };
    vec![
        ("mem_limit", some(limits.memory)),
        ("mem_reservation", some(limits.memory_reservation)),
        ("memswap_limit", some(limits.memory_swap)),
        ("cpus", if limits.nano_cpus == 0 { Value::Null } else { json!(cpus(limits.nano_cpus)) }),
        // Whose engine it will be, nobody knows here: shares as cgroup v1 has them.
        ("cpu_shares", some(Scale::Shares.shares(limits.cpu_weight))),
        ("pids_limit", some(limits.pids)),
        ("restart", json!(limits.restart)),
    ]
}

/// A service without a health check is ready when it is started.
fn condition(deployment: &Deployment, need: &str) -> Value {
    let health =
        deployment.services.iter().find(|service| service.name == need).and_then(|s| s.fixed.health.as_ref());
    let condition =
        if health.is_some_and(|words| !words.is_empty()) { "service_healthy" } else { "service_started" };
    json!({ "condition": condition })
}

/// Compose replaces `$NAME`; we mean what is written.
pub(super) fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}

pub(super) fn literal(words: &[String]) -> Vec<String> {
    words.iter().map(|word| escaped(word)).collect()
}
