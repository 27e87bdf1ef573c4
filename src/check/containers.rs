//! The containers, whoever made them: what they may, what they share with the host, and whether they are as the profile says.

use super::shared::mib;
use super::{Check, Evidence, Outcome, Remedy, Scene, Severity};
use crate::container::desired::Deployment;
use crate::facts::Cgroup;
use crate::facts::containers::{Containers, Live};
use crate::profile::{is_private, outside};
use crate::t;
use crate::units::Bytes;

const DEPLOY: &str = "civicum-tune deploy";
const IN_THE_PROFILE: Remedy = Remedy::ByHand {
    cost: "A container that has to be made anew stops for it.",
    risk: "If the new one does not get healthy, the old one is started again.",
    undo: "Take the change out of the profile and deploy again.",
};
const ENGINE: &str = "Docker Engine API, GET /containers/ID/json";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CT-CONT-001",
        title: "the containers are as the profile says",
        severity: Severity::High,
        why: "What was changed by hand, or in the profile and never deployed, takes effect at a moment that nobody chose.",
        remedy: IN_THE_PROFILE,
        source: ENGINE,
        look: as_the_profile_says,
    },
    Check {
        id: "CT-CONT-002",
        title: "every service runs and is healthy",
        severity: Severity::High,
        why: "A document waits for the one service that does not answer.",
        remedy: Remedy::ByHand { cost: "None.", risk: "None.", undo: "Nothing was changed." },
        source: ENGINE,
        look: healthy,
    },
    Check {
        id: "CT-CONT-003",
        title: "every container has a memory limit",
        severity: Severity::High,
        why: "One without a limit grows until the whole host is out of memory, and the kernel chooses who dies.",
        remedy: IN_THE_PROFILE,
        source: "https://docs.docker.com/engine/containers/resource_constraints/",
        look: limited,
    },
    Check {
        id: "CT-CONT-004",
        title: "all limits together fit the RAM",
        severity: Severity::High,
        why: "Limits that come to more than there is promise what the host can't keep: then the host's OOM killer decides, \
              and not the limit.",
        remedy: IN_THE_PROFILE,
        source: ENGINE,
        look: fits,
    },
    Check {
        id: "CT-CONT-005",
        title: "the kernel has the limits that the engine tells",
        severity: Severity::High,
        why: "What counts is what stands in the container's control group; an engine that was restarted, or a tool that went \
              past it, may have left something else there.",
        remedy: IN_THE_PROFILE,
        source: "Documentation/admin-guide/cgroup-v2.rst: memory.max, memory.swap.max, pids.max",
        look: held,
    },
    Check {
        id: "CT-CONT-006",
        title: "the kernel has the oom_score_adj that was asked for",
        severity: Severity::High,
        why: "When the whole host runs out of memory this number decides between the database and the worker.",
        remedy: IN_THE_PROFILE,
        source: "proc_pid_oom_score_adj(5)",
        look: scores,
    },
    Check {
        id: "CT-CONT-007",
        title: "no port is open to the outside unless it is meant to be",
        severity: Severity::Critical,
        why: "The engine's rules come before the firewall's: a port that is published on 0.0.0.0 is open to everyone, whatever \
              UFW says.",
        remedy: IN_THE_PROFILE,
        source: "https://docs.docker.com/engine/network/packet-filtering-firewalls/#docker-and-ufw",
        look: ports,
    },
    Check {
        id: "CT-CONT-008",
        title: "no container can rule the host",
        severity: Severity::Critical,
        why: "Whoever breaks into a container that is privileged, holds the engine's socket or sees the host's own files, is root on \
              the host.",
        remedy: IN_THE_PROFILE,
        source: "https://docs.docker.com/engine/security/",
        look: powers,
    },
    Check {
        id: "CT-CONT-009",
        title: "the services are sealed off",
        severity: Severity::Critical,
        why: "A document's text leaves the host by the first network that has a way out.",
        remedy: IN_THE_PROFILE,
        source: "https://docs.docker.com/engine/network/drivers/bridge/",
        look: sealed,
    },
    Check {
        id: "CT-CONT-010",
        title: "every image is pinned",
        severity: Severity::Medium,
        why: "A tag is whatever the registry says on the day: the next pull may bring another program.",
        remedy: IN_THE_PROFILE,
        source: "https://docs.docker.com/reference/cli/docker/image/pull/#pull-an-image-by-digest-immutable-identifier",
        look: pinned,
    },
    Check {
        id: "CT-CONT-011",
        title: "no container is pointed at a hosted service",
        severity: Severity::Critical,
        why: "A database or a model that somebody else runs reads every document that is sent to it.",
        remedy: IN_THE_PROFILE,
        source: "the container's environment",
        look: destinations,
    },
    Check {
        id: "CT-CONT-012",
        title: "Ollama asks nobody outside",
        severity: Severity::High,
        why: "Without OLLAMA_NO_CLOUD=1 Ollama asks its maker's site, and offers models that run there.",
        remedy: IN_THE_PROFILE,
        source: "https://docs.ollama.com/faq",
        look: ollama,
    },
    Check {
        id: "CT-CONT-013",
        title: "every container comes back after a reboot",
        severity: Severity::Medium,
        why: "Without a restart policy a container stays down after a reboot or a crash.",
        remedy: IN_THE_PROFILE,
        source: "https://docs.docker.com/engine/containers/start-containers-automatically/",
        look: comes_back,
    },
    Check {
        id: "CT-CONT-014",
        title: "no container is killed or restarted again and again",
        severity: Severity::High,
        why: "A container that the kernel kills within its limit, or that ends by itself, does its work twice, or never.",
        remedy: Remedy::ByHand {
            cost: "A larger limit is memory that others don't have.",
            risk: "None.",
            undo: "Take the limit back.",
        },
        source: ENGINE,
        look: calm,
    },
];

/// The containers, or why nothing can be said of them.
fn all<'s>(scene: &'s Scene<'_>) -> Result<&'s Containers, Vec<Outcome>> {
    super::docker::answered(scene)?;
    scene.containers().map_err(|why| Outcome::could_not_tell(why.clone()).into())
}

/// An answer about each running container that `look` has one for; a pass in `fine` where all are as they should be.
fn each(scene: &Scene<'_>, fine: &str, look: impl Fn(&Live) -> Option<Outcome>) -> Vec<Outcome> {
    each_of(scene, fine, Live::runs, look)
}

fn each_of(
    scene: &Scene<'_>,
    fine: &str,
    counts: impl Fn(&Live) -> bool,
    look: impl Fn(&Live) -> Option<Outcome>,
) -> Vec<Outcome> {
    let containers = match all(scene) {
        Ok(containers) => containers,
        Err(outcome) => return outcome,
    };
    let live: Vec<&Live> = containers.live.iter().filter(|container| counts(container)).collect();
    if live.is_empty() {
        return Outcome::not_applicable(t!("no container runs")).into();
    }
    let found: Vec<Outcome> =
        live.iter().filter_map(|container| Some(look(container)?.of(container.name.clone()))).collect();
    if !found.is_empty() {
        return found;
    }
    let words = match live.len() {
        1 => t!("1 container: {fine}", fine = fine),
        count => t!("{count} containers: {fine}", count = count, fine = fine),
    };
    Outcome::pass(words).into()
}

fn told(container: &Live, words: impl std::fmt::Display) -> Evidence {
    Evidence::file(format!("GET /containers/{}/json", container.name), words.to_string())
}

/// What to do about a container: through the profile where it is ours, by its own tool where not.
fn fix(container: &Live, ours: String, theirs: String) -> String {
    if container.deployment.is_some() { ours } else { theirs }
}

fn as_the_profile_says(scene: &Scene<'_>) -> Vec<Outcome> {
    let containers = match all(scene) {
        Ok(containers) => containers,
        Err(outcome) => return outcome,
    };
    let plan = match &containers.pending {
        None => {
            let name = &scene.wish().deployment.name;
            return Outcome::not_applicable(t!(
                "nothing of the deployment {name} is on this host",
                name = name
            ))
            .into();
        }
        Some(Err(why)) => return Outcome::could_not_tell(why.clone()).into(),
        Some(Ok(plan)) => plan,
    };
    let mut found: Vec<Outcome> = plan
        .changes
        .iter()
        .map(|change| {
            let details: Vec<String> =
                change.details.iter().map(|d| format!("{}: {} → {}", d.what, d.before, d.after)).collect();
            let words = if details.is_empty() { change.reason.clone() } else { details.join("; ") };
            Outcome::fail(words, DEPLOY).of(change.target.clone())
        })
        .collect();
    found.extend(plan.blocked.iter().map(|why| Outcome::fail(why.clone(), format!("{DEPLOY} --dry-run"))));
    found.extend(plan.orphans.iter().map(|name| {
        let words = t!("no service of the profile asks for it");
        Outcome::warn(words, format!("{DEPLOY} --remove-orphans")).of(name.clone())
    }));
    if found.is_empty() {
        return Outcome::pass(t!("nothing differs")).into();
    }
    found
}

fn healthy(scene: &Scene<'_>) -> Vec<Outcome> {
    let containers = match all(scene) {
        Ok(containers) => containers,
        Err(outcome) => return outcome,
    };
    let ours: Vec<&Live> =
        containers.live.iter().filter(|c| c.deployment.is_some() || !c.health.is_empty()).collect();
    if ours.is_empty() {
        return Outcome::not_applicable(t!("no container has a health check")).into();
    }
    let look = |container: &&&Live| {
        let words = match (container.state.as_str(), container.health.as_str()) {
            ("running", "" | "healthy") => return None,
            ("running", health) => health.to_owned(),
            (state, _) => state.to_owned(),
        };
        let see = format!("docker logs --tail 50 {}", container.name);
        let log = fix(
            container,
            format!("civicum-tune logs {} -n 50", container.service.clone().unwrap_or_default()),
            see,
        );
        let seen = told(container, format!("State.Status: {}", container.state));
        let outcome = if words == "starting" { Outcome::warn(words, log) } else { Outcome::fail(words, log) };
        Some(outcome.expected(t!("healthy")).seen(seen).of(container.name.clone()))
    };
    let found: Vec<Outcome> = ours.iter().filter_map(|container| look(&container)).collect();
    if found.is_empty() { Outcome::pass(t!("all that have a health check are well")).into() } else { found }
}

fn limited(scene: &Scene<'_>) -> Vec<Outcome> {
    each(scene, &t!("each has a limit"), |container| {
        (container.memory == 0).then(|| {
            let by_hand = t!(
                "docker update --memory 512m --memory-swap 1g {name}, with what it needs",
                name = container.name
            );
            let ours = t!("give it a `memory` in the profile, and run: civicum-tune deploy");
            Outcome::fail(t!("no limit"), fix(container, ours, by_hand))
                .seen(told(container, "HostConfig.Memory: 0"))
        })
    })
}

fn fits(scene: &Scene<'_>) -> Vec<Outcome> {
    let containers = match all(scene) {
        Ok(containers) => containers,
        Err(outcome) => return outcome,
    };
    let limited: Vec<&Live> = containers.live.iter().filter(|c| c.runs() && c.memory > 0).collect();
    let (ram, reserve) = (scene.facts().memory.total_bytes, scene.wish().memory.reserve.0);
    if limited.is_empty() || ram == 0 {
        return Outcome::not_applicable(t!("no container with a limit runs")).into();
    }
    let sum = limited.iter().fold(0_u64, |sum, container| sum.saturating_add(container.memory));
    let parts: Vec<String> = limited.iter().map(|c| format!("{} {}", c.name, mib(c.memory))).collect();
    let actual = t!(
        "limits {sum} MiB, reserve {reserve} MiB, RAM {ram} MiB",
        sum = mib(sum),
        reserve = mib(reserve),
        ram = mib(ram)
    );
    let seen = Evidence::file("HostConfig.Memory, MiB", parts.join(", "));
    if sum.saturating_add(reserve) <= ram {
        return Outcome::pass(actual).seen(seen).into();
    }
    let short = mib(sum.saturating_add(reserve).saturating_sub(ram)) + 1;
    Outcome::fail(
        actual,
        t!("take {short} MiB off the limits; `civicum-tune validate` shows the arithmetic", short = short),
    )
    .seen(seen)
    .into()
}

/// The container's own folder in the hierarchy of a controller; its first process may sit deeper.
fn group(scene: &Scene<'_>, container: &Live) -> Option<String> {
    let folder = group_of(scene, container.pid)?;
    let Some(at) = folder.find(&container.id).filter(|_| !container.id.is_empty()) else {
        return Some(folder);
    };
    let end = folder[at..].find('/').map_or(folder.len(), |slash| at + slash);
    Some(folder[..end].to_owned())
}

fn group_of(scene: &Scene<'_>, pid: u32) -> Option<String> {
    let text = scene.host().read_text(&format!("/proc/{pid}/cgroup")).ok().flatten()?;
    if scene.facts().cgroup == Cgroup::V2 {
        let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
        return Some(format!("/sys/fs/cgroup{path}"));
    }
    let is_memory =
        |line: &&str| line.split(':').nth(1).is_some_and(|names| names.split(',').any(|n| n == "memory"));
    let path = text.lines().find(is_memory)?.splitn(3, ':').nth(2)?.to_owned();
    Some(format!("/sys/fs/cgroup/memory{path}"))
}

/// How often the kernel killed in a container for want of memory since it was started, and where that is written.
fn kills(scene: &Scene<'_>, container: &Live) -> Option<(u64, String)> {
    let folder = group(scene, container)?;
    let file = if scene.facts().cgroup == Cgroup::V2 { "memory.events" } else { "memory.oom_control" };
    let path = format!("{folder}/{file}");
    let text = scene.host().value(&path)?;
    let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
    Some((count.trim().parse().ok()?, path))
}

fn held(scene: &Scene<'_>) -> Vec<Outcome> {
    let v2 = scene.facts().cgroup == Cgroup::V2;
    each(scene, &t!("each has them in its control group"), |container| {
        let Some(folder) = group(scene, container) else {
            return Some(Outcome::could_not_tell(t!("its control group can't be found")));
        };
        let swap = container.memory_swap.saturating_sub(container.memory);
        let files = if v2 {
            vec![("memory.max", container.memory), ("memory.swap.max", swap), ("pids.max", container.pids)]
        } else {
            vec![("memory.limit_in_bytes", container.memory)]
        };
        let mut wrong = Vec::new();
        for (file, wanted) in files {
            let path = format!("{folder}/{file}");
            let is_limited = wanted > 0
                || (file == "memory.swap.max" && container.memory > 0 && container.memory_swap > 0);
            let Some(found) = scene.host().value(&path) else {
                // On cgroup v1, and where swap accounting is off, the file is not there.
                if file == "memory.swap.max" || !is_limited {
                    continue;
                }
                return Some(Outcome::could_not_tell(t!("{path} can't be read", path = path)));
            };
            let number: Option<u64> = found.parse().ok();
            let page = scene.facts().memory.page_bytes.max(4096);
            let is_right = match number {
                _ if !is_limited => true,
                Some(number) if file.starts_with("memory") => number.abs_diff(wanted) < page,
                Some(number) => number == wanted,
                None => false,
            };
            if !is_right {
                wrong.push((path, found, wanted));
            }
        }
        let (_, found, wanted) = wrong.first()?.clone();
        let evidence = wrong.into_iter().map(|(path, found, _)| Evidence::file(path, found));
        let again = fix(container, DEPLOY.to_owned(), t!("docker restart {name}", name = container.name));
        Some(Outcome::fail(found, again).expected(wanted.to_string()).seen_all(evidence))
    })
}

fn scores(scene: &Scene<'_>) -> Vec<Outcome> {
    each(scene, &t!("each first process has it"), |container| {
        let path = format!("/proc/{}/oom_score_adj", container.pid);
        let Some(found) = scene.host().value(&path) else {
            return Some(Outcome::could_not_tell(t!("{path} can't be read", path = path)));
        };
        let wanted = container.oom_score_adj.to_string();
        (found != wanted).then(|| {
            let again = fix(container, DEPLOY.to_owned(), t!("docker restart {name}", name = container.name));
            Outcome::fail(found.clone(), again).expected(wanted).seen(Evidence::file(path, found))
        })
    })
}

fn ports(scene: &Scene<'_>) -> Vec<Outcome> {
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

fn powers(scene: &Scene<'_>) -> Vec<Outcome> {
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

fn sealed(scene: &Scene<'_>) -> Vec<Outcome> {
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

fn pinned(scene: &Scene<'_>) -> Vec<Outcome> {
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

fn destinations(scene: &Scene<'_>) -> Vec<Outcome> {
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

fn ollama(scene: &Scene<'_>) -> Vec<Outcome> {
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

fn comes_back(scene: &Scene<'_>) -> Vec<Outcome> {
    each(scene, &t!("each has a restart policy"), |container| {
        let policy = container.restart.as_str();
        let actual = match policy {
            "" | "no" => t!("it stays down after a reboot"),
            // After an orderly reboot it ended with 0.
            "on-failure" => t!("it stays down after a reboot, unless it failed before"),
            _ => return None,
        };
        let by_hand = format!("docker update --restart unless-stopped {}", container.name);
        let ours = t!("write restart = \"unless-stopped\" in the profile, and run: civicum-tune deploy");
        let seen = told(container, format!("HostConfig.RestartPolicy.Name: {policy}"));
        Some(Outcome::warn(actual, fix(container, ours, by_hand)).seen(seen))
    })
}

fn calm(scene: &Scene<'_>) -> Vec<Outcome> {
    each_of(
        scene,
        &t!("none"),
        |container| container.runs() || container.state == "restarting",
        |container| {
            let see = t!("docker logs --tail 50 {name}", name = container.name);
            // The engine's own mark outlives the container's restart, and may miss a kill; the control group counts.
            let counted = kills(scene, container);
            let seen = match &counted {
                Some((0, _)) => None,
                Some((count, file)) => Some(Evidence::file(file.clone(), format!("oom_kill {count}"))),
                None => container.oom_killed.then(|| told(container, "State.OOMKilled: true")),
            };
            if let Some(seen) = seen {
                let limit = Bytes(container.memory);
                let actual = match counted {
                    Some((count, _)) => {
                        t!(
                            "the kernel killed in it {count} ×, at its limit of {limit}",
                            count = count,
                            limit = limit
                        )
                    }
                    None => t!("the kernel killed in it, at its limit of {limit}", limit = limit),
                };
                return Some(
                    Outcome::fail(actual, t!("raise its memory, or give it less to do at a time")).seen(seen),
                );
            }
            (container.restarts >= 3).then(|| {
                let actual = t!("restarted {count} times", count = container.restarts);
                Outcome::warn(actual, see)
                    .seen(told(container, format!("RestartCount: {}", container.restarts)))
            })
        },
    )
}
