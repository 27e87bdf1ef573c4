//! What leaves a container: ports, powers over the host, networks, images, destinations.

use super::{DEPLOY, Live, Outcome, Scene, all, each, fix, told};
use crate::container::desired::Deployment;
use crate::profile::{is_private, outside};
use crate::t;

pub(super) fn ports(scene: &Scene<'_>) -> Vec<Outcome> {
    let public = &scene.wish().sovereignty.public;
    each(scene, &t!("open on this host alone, or on purpose"), |container| {
        let meant = container.deployment.is_some()
            && container.service.as_ref().is_some_and(|name| public.contains(name));
        let (address, host_port, port) =
            container.ports.iter().find(|(address, ..)| !address.is_loopback())?;
        if meant {
            return None;
        }
        let actual = t!("port {port} is open on {address}", port = host_port, address = address);
        let inner = port.split('/').next().unwrap_or(port);
        let by_hand = t!("publish it as 127.0.0.1:{host_port}:{port}", host_port = host_port, port = inner);
        let ours = t!("bind 127.0.0.1 in the profile, or say that it is on purpose: sovereignty.public");
        let to_all = address.is_unspecified() || !is_private(*address);
        let way = fix(container, ours, by_hand);
        let outcome = if to_all { Outcome::fail(actual, way) } else { Outcome::warn(actual, way) };
        Some(
            outcome
                .expected("127.0.0.1")
                .seen(told(container, format!("PortBindings: {address}:{host_port} → {port}"))),
        )
    })
}

pub(super) fn powers(scene: &Scene<'_>) -> Vec<Outcome> {
    // With these a container can load modules, read every file, or undo what confines it.
    const CAPABILITIES: [&str; 11] = [
        "ALL",
        "SYS_ADMIN",
        "SYS_MODULE",
        "SYS_PTRACE",
        "SYS_RAWIO",
        "DAC_READ_SEARCH",
        "BPF",
        "PERFMON",
        "SYS_BOOT",
        "NET_ADMIN",
        "MAC_ADMIN",
    ];
    // The host's rulers: not to be written to, nor anything below them.
    const RULERS: [&str; 11] = [
        "/etc",
        "/root",
        "/proc",
        "/sys",
        "/dev",
        "/boot",
        "/usr",
        "/run",
        "/var/run",
        "/var/lib/docker",
        "/var/lib/containerd",
    ];
    // In these lies the engine's own door, or what only root may read; a door is one, read-only or not.
    const DOORS: [&str; 7] = ["/", "/run", "/var/run", "/var", "/etc", "/root", "/var/lib/docker"];
    let is_below = |path: &str, folder: &str| path == folder || path.starts_with(&format!("{folder}/"));
    each(scene, &t!("none"), |container| {
        let mut found = Vec::new();
        if container.privileged {
            found.push(t!("it is privileged"));
        }
        found.extend(
            container.shares.iter().map(|what| t!("it shares the host's {what} namespace", what = what)),
        );
        let telling = |extra: &&String| {
            CAPABILITIES.contains(&extra.as_str())
                || extra.starts_with('/')
                || extra.contains('=')
                || extra.contains(':')
        };
        found.extend(container.extras.iter().filter(telling).map(|what| t!("it has {what}", what = what)));
        for (source, writable) in &container.binds {
            let socket = source.ends_with("docker.sock") || source.ends_with("containerd.sock");
            let ruler = *writable && (source == "/" || RULERS.iter().any(|folder| is_below(source, folder)));
            if socket || ruler || DOORS.contains(&source.as_str()) {
                found.push(t!("it sees the host's {path}", path = source));
            }
        }
        if found.is_empty() {
            return None;
        }
        let actual = found.join("; ");
        let way = t!("run it without, or keep it apart from what reads documents of others");
        let seen = told(
            container,
            "HostConfig: Privileged, CapAdd, Devices, SecurityOpt, PidMode, NetworkMode, IpcMode; Mounts",
        );
        Some(Outcome::fail(actual, way).seen(seen))
    })
}

pub(super) fn sealed(scene: &Scene<'_>) -> Vec<Outcome> {
    let containers = match all(scene) {
        Ok(containers) => containers,
        Err(outcome) => return outcome,
    };
    let name = &scene.wish().deployment.name;
    let ours: Vec<&Live> =
        containers.live.iter().filter(|c| c.deployment.as_ref() == Some(name) && c.runs()).collect();
    if ours.is_empty() {
        return Outcome::not_applicable(t!("nothing of the deployment {name} is on this host", name = name))
            .into();
    }
    if scene.wish().sovereignty.egress {
        return Outcome::not_applicable(t!("the profile lets containers out: sovereignty.egress")).into();
    }
    let wish = match Deployment::of(scene.wish()) {
        Ok(wish) => wish,
        Err(knot) => return Outcome::could_not_tell(knot.0).into(),
    };
    let mut found = Vec::new();
    for container in ours {
        let service = wish.services.iter().find(|service| Some(&service.name) == container.service.as_ref());
        for name in &container.networks {
            let network = containers.networks.iter().find(|network| network.name == *name);
            let is_meant =
                service.is_some_and(|service| service.fixed.networks.iter().any(|n| n.name == *name));
            let words = match network {
                Some(network) if network.internal && network.without_host => continue,
                Some(network) if network.internal => {
                    t!("{name} reaches the host's own addresses", name = name)
                }
                // The door's own network, through which nothing outside is answered.
                Some(network) if is_meant && !network.masquerade => continue,
                _ => t!("{name} has a way out", name = name),
            };
            let way = if is_meant {
                DEPLOY.to_owned()
            } else {
                t!(
                    "docker network disconnect {network} {container}",
                    network = name,
                    container = container.name
                )
            };
            let seen = told(container, format!("Networks: {}", container.networks.join(", ")));
            found.push(Outcome::fail(words, way).seen(seen).of(container.name.clone()));
        }
    }
    if found.is_empty() {
        Outcome::pass(t!("no network of theirs has a way out, but for the door's")).into()
    } else {
        found
    }
}

pub(super) fn pinned(scene: &Scene<'_>) -> Vec<Outcome> {
    each(scene, &t!("each by its digest, or made here"), |container| {
        (!container.is_pinned).then(|| {
            let way = t!(
                "docker image inspect --format '{{{{index .RepoDigests 0}}}}' {image} shows the digest; name the image by it",
                image = container.image
            );
            Outcome::warn(container.image.clone(), way).seen(told(container, format!("Config.Image: {}", container.image)))
        })
    })
}

pub(super) fn destinations(scene: &Scene<'_>) -> Vec<Outcome> {
    each(scene, &t!("none names a host outside"), |container| {
        let mut named = container
            .environment
            .iter()
            .flat_map(|(name, value)| outside(name, value).into_iter().map(move |host| (name, host)));
        let (variable, host) = named.next()?;
        let actual = t!("{variable} names {host}", variable = variable, host = host);
        let way = t!("name a service on this host instead; everything runs locally");
        let outcome = if scene.wish().sovereignty.egress {
            Outcome::warn(actual, way)
        } else {
            Outcome::fail(actual, way)
        };
        // The value may be a secret: its host is enough.
        Some(outcome.seen(told(container, format!("Config.Env: {variable}"))))
    })
}

pub(super) fn ollama(scene: &Scene<'_>) -> Vec<Outcome> {
    let containers = match all(scene) {
        Ok(containers) => containers,
        Err(outcome) => return outcome,
    };
    let is_ollama = |c: &&Live| {
        let name = c.image.split(['@', ':']).next().unwrap_or_default();
        c.runs()
            && (name.ends_with("/ollama")
                || name == "ollama"
                || c.environment.iter().any(|(n, _)| n == "OLLAMA_HOST"))
    };
    let servers: Vec<&Live> = containers.live.iter().filter(is_ollama).collect();
    if servers.is_empty() {
        return Outcome::not_applicable(t!("no container runs Ollama")).into();
    }
    servers
        .into_iter()
        .map(|container| {
            let value = container
                .environment
                .iter()
                .find(|(name, _)| name == "OLLAMA_NO_CLOUD")
                .map(|(_, v)| v.as_str());
            let outcome = match value {
                Some("1" | "true") => Outcome::pass("OLLAMA_NO_CLOUD=1"),
                found => Outcome::fail(
                    found
                        .map_or_else(|| t!("OLLAMA_NO_CLOUD is not set"), |v| format!("OLLAMA_NO_CLOUD={v}")),
                    t!("set OLLAMA_NO_CLOUD = \"1\" in the service's environment"),
                ),
            };
            outcome
                .expected("OLLAMA_NO_CLOUD=1")
                .seen(told(container, "Config.Env"))
                .of(container.name.clone())
        })
        .collect()
}
