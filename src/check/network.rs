//! What is open to the outside. Documents and what a model makes of them stay on this host.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Check, Evidence, Outcome, Remedy, Scene, Severity};
use crate::facts::sockets::{self, Listener, Published, Running};
use crate::t;

const CLOSE: Remedy = Remedy::ByHand {
    cost: "Who used the port from another host needs another way in: SSH, a VPN, the proxy.",
    risk: "Programs elsewhere lose their connection.",
    undo: "Set the address back.",
};
const PROC: &str = "proc_pid_net(5): /proc/net/tcp, /proc/net/tcp6";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CT-NET-001",
        title: "no database is open to the outside",
        severity: Severity::Critical,
        why: "The queue and every document's text are in the database; one guessed password, and they are elsewhere.",
        remedy: CLOSE,
        source: PROC,
        look: databases,
    },
    Check {
        id: "CT-NET-002",
        title: "no model is open to the outside",
        severity: Severity::Critical,
        why: "Servers of models ask nobody for a password: strangers read, use up and replace what is loaded.",
        remedy: CLOSE,
        source: PROC,
        look: models,
    },
    Check {
        id: "CT-NET-003",
        title: "no metrics are open to the outside",
        severity: Severity::Medium,
        why: "Metrics tell a stranger which programs of which versions run here, and how full the disk is.",
        remedy: CLOSE,
        source: PROC,
        look: metrics,
    },
    Check {
        id: "CT-NET-004",
        title: "containers' ports are published where the profile says",
        severity: Severity::High,
        why: "`-p 8080:80` publishes on every address of the host; the profile keeps ports on this host, behind its proxy.",
        remedy: CLOSE,
        source: "sovereignty.publish_address; the command lines of docker-proxy",
        look: published,
    },
    Check {
        id: "CT-NET-005",
        title: "no published port passes by ufw",
        severity: Severity::High,
        why: "Docker's rules come before ufw's: `ufw status` says that a port is closed, and the world reaches it.",
        remedy: CLOSE,
        source: "https://docs.docker.com/engine/network/packet-filtering-firewalls/#docker-and-ufw",
        look: past_ufw,
    },
];

const DATABASES: [(u16, &str); 7] = [
    (5432, "PostgreSQL"),
    (6432, "PgBouncer"),
    (6379, "Redis"),
    (3306, "MySQL"),
    (27017, "MongoDB"),
    (9200, "Elasticsearch"),
    (6333, "Qdrant"),
];
const MODELS: [(u16, &str); 1] = [(11434, "Ollama")];
const METRICS: [(u16, &str); 6] = [
    (9090, "Prometheus"),
    (9100, "node_exporter"),
    (9187, "postgres_exporter"),
    (9121, "redis_exporter"),
    (9323, "Docker"),
    (19999, "Netdata"),
];
/// Programs that serve a model, on whatever port.
const SERVERS: [&str; 5] = ["ollama", "llama-server", "llamafile", "koboldcpp", "local-ai"];

/// Who listens for packets from outside, or why there is no telling.
fn outside<'s>(scene: &'s Scene<'_>) -> Result<Vec<&'s Listener>, Vec<Outcome>> {
    // A container of these has a network of its own; what is published is seen on the host.
    if let Some(engine @ ("docker" | "podman")) = scene.container() {
        let why = t!("a {engine} container has a network of its own", engine = engine);
        return Err(Outcome::not_applicable(why).into());
    }
    match scene.listeners() {
        Some(all) => Ok(all.iter().filter(|listener| listener.is_outside()).collect()),
        None => Err(Outcome::not_here("/proc/net/tcp").into()),
    }
}

/// A firewall that is switched on at boot. What it lets through we can't tell.
fn firewall(scene: &Scene<'_>) -> Option<&'static str> {
    let wanted = |link: &str| scene.host().read_link(&format!("/etc/systemd/system/{link}")).is_some();
    if has_ufw(scene) {
        Some("ufw")
    } else if wanted("sysinit.target.wants/nftables.service") {
        Some("nftables")
    } else if wanted("multi-user.target.wants/firewalld.service") {
        Some("firewalld")
    } else {
        None
    }
}

fn has_ufw(scene: &Scene<'_>) -> bool {
    let text = scene.host().value("/etc/ufw/ufw.conf").unwrap_or_default();
    text.lines().any(|line| line.trim().eq_ignore_ascii_case("ENABLED=yes"))
}

/// The address that belongs there.
fn inside<'s>(scene: &'s Scene<'_>) -> &'s str {
    let wanted = scene.wish().sovereignty.publish_address.as_str();
    let is_loopback = wanted.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if is_loopback { wanted } else { "127.0.0.1" }
}

/// One finding for a port, with every address on which it is open.
fn finding(scene: &Scene<'_>, name: &str, open: &[&Listener]) -> Outcome {
    let first = open[0];
    let (port, address) = (first.port, inside(scene));
    let holder = sockets::holder(scene.host(), scene.running(), first.inode);
    let docker = holder.and_then(|running| Published::of(scene.host(), running));
    let fix = match (&docker, name) {
        (Some(docker), _) => {
            let inner = docker.to.rsplit(':').next().unwrap_or_default();
            t!("publish it as {address}:{port}:{inner}", address = address, port = port, inner = inner)
        }
        (None, "PostgreSQL") => t!("listen_addresses = '{address}' in postgresql.conf", address = address),
        (None, "Redis") => t!("bind {address} in redis.conf", address = address),
        (None, "Ollama" | "ollama") => {
            t!("Environment=OLLAMA_HOST={address}, by systemctl edit ollama", address = address)
        }
        _ => t!("have {name} listen on {address}", name = name, address = address),
    };
    let addresses: Vec<String> = open.iter().map(|listener| listener.address.to_string()).collect();
    let addresses = addresses.join(", ");
    let actual = match holder {
        Some(Running { pid, name }) => t!(
            "port {port} is open on {addresses}, by {name} (process {pid})",
            port = port,
            addresses = addresses,
            name = name,
            pid = pid
        ),
        None => t!("port {port} is open on {addresses}", port = port, addresses = addresses),
    };
    // Docker's rules come before those of a firewall.
    let guard = firewall(scene).filter(|_| docker.is_none());
    let outcome = match guard {
        Some(guard) => Outcome::warn(
            t!("{finding}; {guard} is on, and may close it", finding = actual, guard = guard),
            fix,
        ),
        None => Outcome::fail(actual, fix),
    };
    let evidence = open.iter().map(|listener| Evidence::line(listener.file, listener.line, &listener.text));
    outcome.of(name).expected(t!("{address} alone", address = address)).seen_all(evidence)
}

/// Of those that listen: the ones on known ports, by port.
fn known<'l>(
    open: &[&'l Listener],
    ports: &[(u16, &'static str)],
) -> BTreeMap<u16, (&'static str, Vec<&'l Listener>)> {
    let mut found: BTreeMap<u16, (&'static str, Vec<&Listener>)> = BTreeMap::new();
    for listener in open {
        if let Some((port, name)) = ports.iter().find(|(port, _)| *port == listener.port) {
            found.entry(*port).or_insert_with(|| (name, Vec::new())).1.push(listener);
        }
    }
    found
}

fn by_port(scene: &Scene<'_>, ports: &[(u16, &'static str)]) -> Vec<Outcome> {
    let open = match outside(scene) {
        Ok(open) => open,
        Err(outcome) => return outcome,
    };
    let found: Vec<Outcome> =
        known(&open, ports).values().map(|(name, open)| finding(scene, name, open)).collect();
    if found.is_empty() { nothing(ports) } else { found }
}

fn nothing(ports: &[(u16, &'static str)]) -> Vec<Outcome> {
    let shown: Vec<String> = ports.iter().map(|(port, _)| port.to_string()).collect();
    Outcome::pass(t!("nobody listens outside on {ports}", ports = shown.join(", "))).into()
}

fn databases(scene: &Scene<'_>) -> Vec<Outcome> {
    by_port(scene, &DATABASES)
}

fn metrics(scene: &Scene<'_>) -> Vec<Outcome> {
    let mut found = by_port(scene, &METRICS);
    for outcome in &mut found {
        if outcome.is_finding() {
            outcome.status = super::Status::Warn;
        }
    }
    found
}

fn models(scene: &Scene<'_>) -> Vec<Outcome> {
    let open = match outside(scene) {
        Ok(open) => open,
        Err(outcome) => return outcome,
    };
    let mut found: Vec<Outcome> =
        known(&open, &MODELS).values().map(|(name, open)| finding(scene, name, open)).collect();
    let rest: Vec<&Listener> =
        open.iter().copied().filter(|open| MODELS.iter().all(|(port, _)| *port != open.port)).collect();
    let mut hidden = None;
    for running in scene.running().iter().filter(|running| SERVERS.contains(&running.name.as_str())) {
        if rest.is_empty() {
            break;
        }
        let Ok(links) = scene.host().links(&format!("/proc/{}/fd", running.pid)) else {
            hidden = Some(running);
            continue;
        };
        let holds = |listener: &&Listener| {
            let socket = format!("socket:[{}]", listener.inode);
            links.iter().any(|(_, target)| *target == socket)
        };
        let mut ports: BTreeMap<u16, Vec<&Listener>> = BTreeMap::new();
        for listener in rest.iter().copied().filter(holds) {
            ports.entry(listener.port).or_default().push(listener);
        }
        found.extend(ports.values().map(|open| finding(scene, &running.name, open)));
    }
    match (found.is_empty(), hidden) {
        (false, _) => found,
        (true, Some(Running { pid, name })) => Outcome::could_not_tell(t!(
            "only root may see on which ports {name} (process {pid}) listens",
            name = name,
            pid = pid
        ))
        .into(),
        (true, None) => nothing(&MODELS),
    }
}

/// Ports that Docker publishes beyond this host, as its helper's processes tell.
fn published_outside(scene: &Scene<'_>) -> Result<Vec<Published>, Vec<Outcome>> {
    if scene.facts().docker.state == "absent" {
        return Err(Outcome::not_applicable(t!("Docker is not on this host")).into());
    }
    let open = outside(scene)?;
    if !scene.host().exists("/proc/1/comm") {
        return Err(Outcome::not_here("/proc/1/comm").into());
    }
    if scene.dockerd().switch("userland-proxy") == Some(false) {
        let why = t!("userland-proxy is switched off, and no process shows what is published");
        return Err(Outcome::could_not_tell(why).into());
    }
    let all = scene.running().iter().filter_map(|running| Published::of(scene.host(), running));
    let is_open = |published: &Published| {
        open.iter().any(|open| open.port == published.port && open.address == published.address)
    };
    Ok(all.filter(is_open).collect())
}

fn shown(published: &Published) -> (String, Evidence) {
    let subject = format!("{}, {}", published.port, published.address);
    let line = format!(
        "docker-proxy -host-ip {} -host-port {} → {}",
        published.address, published.port, published.to
    );
    (subject, Evidence::file(format!("/proc/{}/cmdline", published.pid), line))
}

fn published(scene: &Scene<'_>) -> Vec<Outcome> {
    let wanted = &scene.wish().sovereignty.publish_address;
    if !wanted.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
        let why = t!("the profile publishes on {address}", address = wanted);
        return Outcome::not_applicable(why).into();
    }
    let all = match published_outside(scene) {
        Ok(all) => all,
        Err(outcome) => return outcome,
    };
    if all.is_empty() {
        return Outcome::pass(t!("nothing is published beyond this host")).into();
    }
    all.iter()
        .map(|one| {
            let (subject, evidence) = shown(one);
            let inner = one.to.rsplit(':').next().unwrap_or_default();
            let fix = t!(
                "publish it as {address}:{port}:{inner}",
                address = wanted,
                port = one.port,
                inner = inner
            );
            Outcome::warn(one.address.to_string(), fix).of(subject).expected(wanted.as_str()).seen(evidence)
        })
        .collect()
}

fn past_ufw(scene: &Scene<'_>) -> Vec<Outcome> {
    if !has_ufw(scene) {
        return Outcome::not_applicable(t!("ufw is not switched on")).into();
    }
    let all = match published_outside(scene) {
        Ok(all) => all,
        Err(outcome) => return outcome,
    };
    if all.is_empty() {
        return Outcome::pass(t!("nothing is published beyond this host")).into();
    }
    match scene.host().read_text("/etc/ufw/after.rules") {
        Ok(Some(text)) if text.contains("DOCKER-USER") => {
            return Outcome::pass(t!("ufw's rules are in the chain DOCKER-USER too"))
                .seen(Evidence::path("/etc/ufw/after.rules"))
                .into();
        }
        Err(error) => return Outcome::could_not_tell(error.to_string()).into(),
        Ok(_) => {}
    }
    all.iter()
        .map(|one| {
            let (subject, evidence) = shown(one);
            let inner = one.to.rsplit(':').next().unwrap_or_default();
            let fix = t!(
                "publish it as {address}:{port}:{inner}, or put ufw's rules into the chain DOCKER-USER",
                address = inside(scene),
                port = one.port,
                inner = inner
            );
            let actual =
                t!("ufw is on, and port {port} is open on {address}", port = one.port, address = one.address);
            Outcome::warn(actual, fix).of(subject).seen(evidence)
        })
        .collect()
}
