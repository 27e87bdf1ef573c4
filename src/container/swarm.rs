//! The same deployment as a Swarm stack: a file for `docker stack deploy`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::compose::{escaped, literal, short};
use super::desired::{Deployment, Network, Service};
use super::notes::{Notes, is_public};
use super::plan::cpus;
use crate::profile::container::Protocol;
use crate::profile::mount;
use crate::t;

/// The label of the node that keeps the deployment's volumes.
pub const NODE_LABEL: &str = "civicum-tune.data";
/// What Docker Engine 20.10 reads, and all newer ones.
const VERSION: &str = "3.9";

/// The stack, and what a stack can't say.
pub fn document(deployment: &Deployment) -> (Value, Vec<String>) {
    let mut notes = Notes::default();
    let map = |entries: Vec<(String, Value)>| Value::Object(entries.into_iter().collect::<Map<_, _>>());
    let services =
        deployment.services.iter().map(|s| (s.name.clone(), service(deployment, s, &mut notes))).collect();
    let networks = deployment.networks.iter().map(|n| (short(deployment, &n.name), network(n))).collect();
    let mut volumes: Vec<(String, Value)> =
        deployment.volumes.iter().map(|v| (short(deployment, v), json!({ "name": v }))).collect();
    for (name, _, options) in deployment.services.iter().flat_map(in_memory) {
        let tmpfs = json!({ "type": "tmpfs", "device": "tmpfs", "o": options });
        let full = format!("{}-{name}", deployment.name);
        volumes.push((name, json!({ "name": full, "driver": "local", "driver_opts": tmpfs })));
    }
    let secrets = deployment
        .secrets
        .iter()
        .map(|name| (name.clone(), json!({ "external": true, "name": secret(deployment, name) })))
        .collect();
    let mut document = json!({ "version": VERSION, "services": map(services), "networks": map(networks) });
    for (key, entries) in [("volumes", map(volumes)), ("secrets", map(secrets))] {
        if entries.as_object().is_some_and(|entries| !entries.is_empty()) {
            document[key] = entries;
        }
    }
    told(deployment, &mut notes);
    (document, notes.sentences())
}

/// The name of a secret in the swarm, where all stacks share one room.
fn secret(deployment: &Deployment, name: &str) -> String {
    format!("{}-{name}", deployment.name)
}

fn network(network: &Network) -> Value {
    json!({
        "name": network.name,
        "driver": "overlay",
        "internal": network.internal,
        // From one host to the next nobody else reads along.
        "driver_opts": { "encrypted": "true" },
    })
}

fn service(deployment: &Deployment, service: &Service, notes: &mut Notes) -> Value {
    let fixed = &service.fixed;
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
    put("image", json!(service.image));
    put("hostname", json!(service.name));
    put("user", json!(fixed.user));
    put("command", json!(literal(&fixed.command)));
    let variables = fixed.environment.iter().map(|(name, value)| (name.clone(), json!(escaped(value))));
    put("environment", variables.collect::<Map<_, _>>().into());
    put("networks", fixed.networks.iter().map(|n| json!(short(deployment, &n.name))).collect());
    put("ports", ports(service, notes));
    put("volumes", volumes(deployment, service));
    put("secrets", fixed.secrets.iter().map(|name| handed(service, name)).collect());
    if let Some(words) = &fixed.health {
        put("healthcheck", health(words));
    }
    put("stop_signal", json!(fixed.stop_signal));
    put("stop_grace_period", json!(format!("{}s", fixed.stop_timeout)));
    put("read_only", json!(!fixed.writable));
    put("cap_drop", json!(["ALL"]));
    put("cap_add", json!(fixed.capabilities));
    put("init", json!(true));
    if fixed.networks.iter().all(|network| !network.masquerade) {
        put("dns", json!(["127.0.0.1"]));
    }
    let mut ulimits = Map::new();
    if let Some(files) = fixed.nofile {
        ulimits.insert("nofile".to_owned(), json!({ "soft": files, "hard": files }));
    }
    if fixed.memlock {
        ulimits.insert("memlock".to_owned(), json!({ "soft": -1, "hard": -1 }));
    }
    put("ulimits", ulimits.into());
    put("deploy", deploy(deployment, service));
    Value::Object(out)
}

/// A port opens on every address of its node, and there is no way to have it otherwise.
fn ports(service: &Service, notes: &mut Notes) -> Value {
    let mut open = Vec::new();
    for publish in &service.fixed.publish {
        if !is_public(publish.address) {
            notes.about(service, publish, |all| {
                t!(
                    "not published: {all}: Swarm opens a port on every address of its host, and this one was meant for one",
                    all = all
                )
            });
            continue;
        }
        open.push(json!({
            "target": publish.port,
            "published": publish.host_port,
            "protocol": if publish.protocol == Protocol::Udp { "udp" } else { "tcp" },
            "mode": "host",
        }));
    }
    open.into()
}

/// Volumes and folders of the host, and folders in memory.
fn volumes(deployment: &Deployment, service: &Service) -> Value {
    let on_disk = service.fixed.volumes.iter().map(|volume| {
        json!({
            "type": if volume.is_named() { "volume" } else { "bind" },
            "source": if volume.is_named() { short(deployment, &volume.source) } else { escaped(&volume.source) },
            "target": escaped(&volume.target),
            "read_only": volume.read_only,
        })
    });
    // What the image has there would come with its owner, and lock the container's user out.
    let folders = in_memory(service).into_iter().map(|(name, target, _)| {
        json!({ "type": "volume", "source": name, "target": escaped(&target), "volume": { "nocopy": true } })
    });
    on_disk.chain(folders).collect()
}

/// Folders in memory, `/dev/shm` among them: name, place, and how they are mounted. A stack's own have neither owner nor mode,
/// and over a folder of the image only root could write to them; as volumes of the engine they are mounted as ours are.
fn in_memory(service: &Service) -> Vec<(String, String, String)> {
    let fixed = &service.fixed;
    let folders = fixed.tmpfs.iter().map(|folder| (folder.target.clone(), fixed.tmpfs_options(folder)));
    let shared = ("/dev/shm".to_owned(), format!("rw,nosuid,nodev,noexec,mode=1777,size={}", fixed.shm_size));
    let all = folders.chain([shared]).enumerate();
    all.map(|(at, (target, options))| (format!("{}-memory-{at}", service.name), target, options)).collect()
}

fn handed(service: &Service, name: &str) -> Value {
    let (uid, gid) = mount::user(&service.fixed.user).unwrap_or((65534, 65534));
    json!({ "source": name, "target": name, "uid": uid.to_string(), "gid": gid.to_string(), "mode": 0o400 })
}

fn health(words: &[String]) -> Value {
    if words.is_empty() {
        return json!({ "disable": true });
    }
    let test: Vec<String> = [String::from("CMD")].into_iter().chain(literal(words)).collect();
    json!({ "test": test, "interval": "5s", "timeout": "5s", "retries": 3, "start_period": "2m" })
}

fn deploy(deployment: &Deployment, service: &Service) -> Value {
    let limits = &service.limits;
    let mut most = Map::new();
    let mut least = Map::new();
    if limits.memory > 0 {
        most.insert("memory".to_owned(), json!(limits.memory.to_string()));
    }
    if limits.nano_cpus > 0 {
        most.insert("cpus".to_owned(), json!(cpus(limits.nano_cpus)));
    }
    if limits.pids > 0 {
        most.insert("pids".to_owned(), json!(limits.pids));
    }
    if limits.memory_reservation > 0 {
        least.insert("memory".to_owned(), json!(limits.memory_reservation.to_string()));
    }
    let mut resources = Map::new();
    for (key, entries) in [("limits", most), ("reservations", least)] {
        if !entries.is_empty() {
            resources.insert(key.to_owned(), entries.into());
        }
    }
    let condition = match limits.restart.as_str() {
        "no" => "none",
        "on-failure" => "on-failure",
        _ => "any",
    };
    // There is no memory for two of them, and no volume either: the old one goes first.
    let monitor = format!("{}s", deployment.deadline_ms.div_ceil(1000).max(1));
    let mut out = json!({
        "mode": "replicated",
        "replicas": 1,
        "restart_policy": { "condition": condition, "delay": "5s" },
        "update_config": {
            "parallelism": 1, "order": "stop-first", "failure_action": "rollback", "monitor": monitor,
        },
        "rollback_config": { "parallelism": 1, "order": "stop-first", "failure_action": "pause" },
    });
    if !resources.is_empty() {
        out["resources"] = resources.into();
    }
    if !service.fixed.volumes.is_empty() {
        let here = format!("node.labels.{NODE_LABEL} == {}", deployment.name);
        out["placement"] = json!({ "constraints": [here] });
    }
    out
}

/// What the format has no words for, and what has to be there before.
fn told(deployment: &Deployment, notes: &mut Notes) {
    let names = |is: &dyn Fn(&Service) -> bool| Notes::names(deployment, is);
    notes.general(t!(
        "Swarm keeps no order: a service that needs another one ends and is started again until that one works"
    ));
    notes.general(t!(
        "no-new-privileges can't be asked for in a stack: write \"no-new-privileges\": true in /etc/docker/daemon.json of each host"
    ));
    notes.general(t!(
        "health checks begin every 5 s, and not every second, since `start_interval` is not in this version of the format"
    ));
    notes.some(names(&|s| s.limits.memory > 0), |all| {
        t!("memory_swap can't be written: {all} may swap as much again as its memory limit", all = all)
    });
    notes.some(names(&|s| s.limits.cpu_weight > 0), |all| {
        t!("cpu_weight can't be written: {all} shares the CPUs like every other", all = all)
    });
    let scores: Vec<String> = deployment
        .services
        .iter()
        .filter(|s| s.fixed.oom_score_adj != 0)
        .map(|s| format!("{} {}", s.name, s.fixed.oom_score_adj))
        .collect();
    notes.some(scores, |all| {
        t!(
            "oom_score_adj is not in this version of the format ({all}); with Docker Engine 28: docker service update --oom-score-adj N SERVICE",
            all = all
        )
    });
    notes.some(names(&|s| s.fixed.networks.iter().any(|n| !n.internal && !n.masquerade)), |all| {
        t!(
            "{all} has a way out through docker_gwbridge, since an overlay with open ports has no other; close it in the host's firewall (chain DOCKER-USER)",
            all = all
        )
    });
    if !deployment.volumes.is_empty() || deployment.services.iter().any(|s| !s.fixed.volumes.is_empty()) {
        notes.general(t!(
            "a volume stays on its host: name the one that keeps the data: docker node update --label-add {label}={name} NODE",
            label = NODE_LABEL,
            name = deployment.name
        ));
    }
    if !deployment.secrets.is_empty() {
        let made: Vec<String> = deployment
            .secrets
            .iter()
            .map(|name| {
                format!(
                    "head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \\n' | docker secret create {} -",
                    secret(deployment, name)
                )
            })
            .collect();
        notes.general(t!("secrets are made before: {commands}", commands = made.join("; ")));
    }
    let made_here: BTreeSet<&str> =
        deployment.services.iter().filter_map(|s| s.image.as_deref()).filter(|i| !i.contains('@')).collect();
    notes.some(made_here.into_iter().map(str::to_owned), |all| {
        t!(
            "{all} must be on each host that may run it: docker save, and there civicum-tune images load",
            all = all
        )
    });
    let name = &deployment.name;
    notes.general(t!("to bring it up: docker stack deploy -c FILE {name}", name = name));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::notes::tests::deployment;

    #[test]
    fn a_port_for_one_address_is_not_opened_on_all() {
        let (document, notes) = document(&deployment());
        assert_eq!(
            document["services"]["proxy"]["ports"],
            json!([
                { "target": 8080, "published": 443, "protocol": "tcp", "mode": "host" },
            ])
        );
        assert!(notes.iter().any(|note| note.contains("proxy 127.0.0.1:8081:8080")), "{notes:?}");
    }

    #[test]
    fn the_database_stays_with_its_volume() {
        let (document, _) = document(&deployment());
        let database = &document["services"]["postgres"]["deploy"];
        assert_eq!(database["placement"]["constraints"][0], "node.labels.civicum-tune.data == town");
        assert_eq!(database["update_config"]["order"], "stop-first");
        assert_eq!(
            document["secrets"]["postgres-password"],
            json!({ "external": true, "name": "town-postgres-password" })
        );
        assert_eq!(document["networks"]["inner"]["internal"], true);
    }
}
