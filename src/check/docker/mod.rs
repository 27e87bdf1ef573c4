//! The Docker engine and its configuration. The containers have checks of their own.

mod access;
mod config;
mod engine;
mod limits;
mod storage;

use super::{Check, Evidence, Outcome, Remedy, Scene, Severity};
use crate::facts::engine::{Engine, EngineInfo, Silence, Trouble};
use crate::t;

/// A key of `daemon.json` that takes effect when the engine is started again.
const BY_RESTART: Remedy = Remedy::ByHand {
    cost: "A restart of the engine; without live-restore every container stops for it.",
    risk: "A mistake in daemon.json keeps the engine from starting: `dockerd --validate` looks first.",
    undo: "Take the key out of daemon.json and restart the engine.",
};
const UPGRADE: Remedy = Remedy::ByHand {
    cost: "A new package of the engine, and its restart.",
    risk: "Containers stop while the engine is exchanged.",
    undo: "Install the old package.",
};
const DOCS: &str = "https://docs.docker.com/reference/cli/dockerd/";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CT-DOCKER-001",
        title: "the engine answers",
        severity: Severity::High,
        why: "The model, the database and the workers run in containers; without an engine nothing starts them again.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "Containers that are told to restart do so as soon as the engine runs.",
            undo: "`systemctl disable --now docker.service docker.socket`.",
        },
        source: "Docker Engine API, GET /info",
        look: engine::answers,
    },
    Check {
        id: "CT-DOCKER-002",
        title: "the engine is new enough (Engine 25, API 1.44)",
        severity: Severity::Medium,
        why: "Before API 1.44 a container can't be created on several networks at once, and a health check has no start \
              interval. Such engines get no security updates from Docker any more.",
        remedy: UPGRADE,
        source: "https://docs.docker.com/reference/api/engine/version-history/",
        look: engine::new_enough,
    },
    Check {
        id: "CT-DOCKER-003",
        title: "a port that is published on 127.0.0.1 stays on this host",
        severity: Severity::Medium,
        why: "Before Engine 28 other hosts on the same network segment reach ports that are published on 127.0.0.1, and an \
              internal network still reaches the host's own addresses.",
        remedy: UPGRADE,
        source: "https://docs.docker.com/engine/network/port-publishing/; moby issue 45610",
        look: engine::loopback_is_kept,
    },
    Check {
        id: "CT-DOCKER-004",
        title: "the engine does not come from a snap",
        severity: Severity::High,
        why: "The snap sees only part of the host's files: a bind mount from elsewhere is silently an empty folder, and \
              data written there is lost.",
        remedy: Remedy::ByHand {
            cost: "Images and volumes must be moved.",
            risk: "Removing the snap removes its volumes: copy them first.",
            undo: "`snap install docker`.",
        },
        source: "https://snapcraft.io/docker",
        look: engine::no_snap,
    },
    Check {
        id: "CT-DOCKER-005",
        title: "the logs of containers have a limit",
        severity: Severity::Medium,
        why: "By default every line that a container prints is kept in one file that only ever grows, until the disk is full.",
        remedy: BY_RESTART,
        source: "https://docs.docker.com/engine/logging/configure/",
        look: config::logs,
    },
    Check {
        id: "CT-DOCKER-006",
        title: "containers run on while the engine restarts",
        severity: Severity::Low,
        why: "Without live-restore each update of the engine's package stops the database in the middle of its work.",
        remedy: Remedy::ByHand {
            cost: "A reload of the engine.",
            risk: "An upgrade over several major versions may still need the containers to be started again.",
            undo: "Take live-restore out of daemon.json and reload the engine.",
        },
        source: "https://docs.docker.com/engine/daemon/live-restore/",
        look: config::live_restore,
    },
    Check {
        id: "CT-DOCKER-007",
        title: "the storage driver shares layers and is maintained",
        severity: Severity::High,
        why: "vfs copies the whole image for each container, which fills the disk; aufs, overlay and devicemapper are gone \
              from today's engines, and their images with them.",
        remedy: Remedy::ByHand {
            cost: "Images must be loaded again.",
            risk: "With another driver the engine does not see the old images and containers; they stay on the disk.",
            undo: "Set storage-driver back in daemon.json.",
        },
        source: "https://docs.docker.com/engine/storage/drivers/select-storage-driver/",
        look: storage::driver,
    },
    Check {
        id: "CT-DOCKER-008",
        title: "the engine's data lies on a file system that can hold it",
        severity: Severity::Medium,
        why: "In memory it is gone after a reboot; on a network share or FAT layers do not work, or lock.",
        remedy: Remedy::ByHand {
            cost: "The data is copied while the engine is stopped.",
            risk: "Volumes that are left behind.",
            undo: "Set data-root back in daemon.json.",
        },
        source: "https://docs.docker.com/engine/storage/drivers/overlayfs-driver/",
        look: storage::data_root,
    },
    Check {
        id: "CT-DOCKER-009",
        title: "the engine uses cgroup v2",
        severity: Severity::Medium,
        why: "With cgroup v1 memory can't be protected for a container, and there is no pressure to watch for each one.",
        remedy: Remedy::Tunable("cgroup"),
        source: "https://docs.docker.com/engine/containers/runmetrics/",
        look: limits::cgroup_version,
    },
    Check {
        id: "CT-DOCKER-010",
        title: "the engine leaves control groups to systemd",
        severity: Severity::Medium,
        why: "With cgroupfs on cgroup v2 two programs arrange the same tree, and slices do not bound containers; with none no \
              limit holds.",
        remedy: BY_RESTART,
        source: "https://systemd.io/CGROUP_DELEGATION/",
        look: limits::cgroup_driver,
    },
    Check {
        id: "CT-DOCKER-011",
        title: "limits of memory, swap, processes and CPU time hold",
        severity: Severity::High,
        why: "The engine takes a limit that the kernel can't keep with a warning at most: the container has none.",
        remedy: Remedy::ByHand {
            cost: "A kernel argument and a reboot.",
            risk: "Of a boot line, see `explain boot`.",
            undo: "Take the argument out of boot.kernel_args in the profile, and apply.",
        },
        source: "Docker Engine API, GET /info: MemoryLimit, SwapLimit, PidsLimit, CpuCfsQuota",
        look: limits::support,
    },
    Check {
        id: "CT-DOCKER-012",
        title: "the engine has no warning of its own",
        severity: Severity::Low,
        why: "The engine says at its start what it misses on this host, and few people read it.",
        remedy: Remedy::Know,
        source: "Docker Engine API, GET /info: Warnings",
        look: limits::warnings,
    },
    Check {
        id: "CT-DOCKER-013",
        title: "daemon.json can be understood",
        severity: Severity::High,
        why: "An engine that runs does not mind. At its next start, perhaps after the next reboot, it refuses to start.",
        remedy: Remedy::ByHand { cost: "None.", risk: "None.", undo: "Put the file back." },
        source: DOCS,
        look: config::valid,
    },
    Check {
        id: "CT-DOCKER-014",
        title: "nothing is set both in daemon.json and by a flag",
        severity: Severity::High,
        why: "The engine refuses to start when a key of daemon.json is also given on its command line.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "Without any -H in the unit and without hosts the engine listens on its socket alone.",
            undo: "Remove the drop-in and run `systemctl daemon-reload`.",
        },
        source: "https://docs.docker.com/engine/daemon/troubleshoot/",
        look: config::conflicts,
    },
    Check {
        id: "CT-DOCKER-015",
        title: "the engine runs with what is configured",
        severity: Severity::Medium,
        why: "What was changed since the engine was started takes effect at a moment that nobody chose.",
        remedy: BY_RESTART,
        source: "daemon.json against GET /info",
        look: config::in_force,
    },
    Check {
        id: "CT-DOCKER-016",
        title: "the API is not on the network without TLS",
        severity: Severity::Critical,
        why: "Whoever reaches the API is root on this host: one call starts a container that sees every file.",
        remedy: Remedy::ByHand {
            cost: "Who used the port needs another way: `DOCKER_HOST=ssh://…` needs no port at all.",
            risk: "Programs that still call the port fail.",
            undo: "Put the -H back.",
        },
        source: "https://docs.docker.com/engine/security/protect-access/",
        look: access::tcp,
    },
    Check {
        id: "CT-DOCKER-017",
        title: "only root and one group may use the socket",
        severity: Severity::Critical,
        why: "Whoever may write to the socket is root on this host.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "Programs that used the socket as anybody fail.",
            undo: "Set the mode back.",
        },
        source: "https://docs.docker.com/engine/security/#docker-daemon-attack-surface",
        look: access::socket,
    },
    Check {
        id: "CT-DOCKER-018",
        title: "the kernel confines containers",
        severity: Severity::Medium,
        why: "Seccomp and AppArmor (or SELinux) are what is left between a program that breaks out and the host's root.",
        remedy: BY_RESTART,
        source: "https://docs.docker.com/engine/security/seccomp/",
        look: access::confined,
    },
    Check {
        id: "CT-DOCKER-019",
        title: "the engine keeps its own firewall rules",
        severity: Severity::High,
        why: "With iptables switched off networks are not apart from each other, internal ones are not internal, and \
              containers have no address of the host to go out with.",
        remedy: BY_RESTART,
        source: "https://docs.docker.com/engine/network/packet-filtering-firewalls/",
        look: access::iptables,
    },
];

/// Without Docker none of this makes sense.
fn absent(scene: &Scene<'_>) -> Option<Outcome> {
    (scene.facts().docker.state == "absent")
        .then(|| Outcome::not_applicable(t!("Docker is not on this host")))
}

/// The engine's answer, or why a check has none.
pub(super) fn answered<'s>(scene: &'s Scene<'_>) -> Result<&'s EngineInfo, Vec<Outcome>> {
    if let Some(outcome) = absent(scene) {
        return Err(outcome.into());
    }
    let why = match scene.engine() {
        Engine::Answered(info) => return Ok(info),
        Engine::Unasked => {
            let why = t!("only an engine that runs can tell, and a tree has none");
            return Err(Outcome::not_applicable(why).into());
        }
        Engine::Absent => t!("the engine is not running"),
        Engine::Silent(silence) => words(silence),
    };
    Err(Outcome::could_not_tell(why).into())
}

/// Why an engine does not answer.
fn words(Silence { socket, trouble, detail }: &Silence) -> String {
    match trouble {
        Trouble::NoSocket => t!("DOCKER_HOST names {socket}, which is not there", socket = socket),
        Trouble::NoPermission => {
            t!("only root and the group of {socket} may ask; run it as root", socket = socket)
        }
        Trouble::Refused => t!("nobody listens on {socket}", socket = socket),
        Trouble::Asleep => {
            t!("the engine sleeps: systemd would start it for whoever asks on {socket}", socket = socket)
        }
        Trouble::NoAnswer => t!("no answer within 2 s on {socket}", socket = socket),
        Trouble::Failed => {
            t!("the engine on {socket} answers with an error: {detail}", socket = socket, detail = detail)
        }
        Trouble::NotAnEngine => {
            t!("what answers on {socket} is not an engine: {detail}", socket = socket, detail = detail)
        }
    }
}

/// A field of the engine's answer.
fn told(field: &str, value: impl std::fmt::Display) -> Evidence {
    Evidence::file("GET /info", format!("{field}: {value}"))
}

/// The configuration of the host's own engine, or why a check can't go by it.
fn configured<'s>(scene: &'s Scene<'_>) -> Result<&'s crate::facts::dockerd::Dockerd, Vec<Outcome>> {
    if let Some(outcome) = absent(scene) {
        return Err(outcome.into());
    }
    if let Engine::Answered(info) = scene.engine() {
        if !info.is_the_hosts() {
            let why = t!("the engine on {socket} has a configuration of its own", socket = info.socket);
            return Err(Outcome::could_not_tell(why).into());
        }
    }
    let dockerd = scene.dockerd();
    match &dockerd.error {
        Some(_) => Err(Outcome::could_not_tell(t!("{path} can't be understood", path = dockerd.path)).into()),
        None => Ok(dockerd),
    }
}

/// Where a key is set, or where it would be.
fn place(dockerd: &crate::facts::dockerd::Dockerd, key: &str) -> Evidence {
    if let Some(flag) = dockerd.flag(key) {
        return Evidence::line(&flag.file, flag.line, format!("--{key}={}", flag.value));
    }
    match dockerd.line_of(key).and_then(|line| Some((line, dockerd.text.as_ref()?.lines().nth(line - 1)?))) {
        Some((line, text)) => Evidence::line(&dockerd.path, line, text.trim()),
        None => Evidence::path(&dockerd.path),
    }
}
