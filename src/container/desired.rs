//! What a profile asks for: networks, volumes, secrets and services, with every default filled in.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::mode::Mode;
use super::peers::Peers;
use super::role::Role;
use super::work;
use crate::profile::container::Publish;
use crate::profile::mount::{self, Tmpfs, Volume};
use crate::profile::settings::{Service as Written, Settings};
use crate::t;

/// All of it, services in the order in which they are started.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// What all names begin with.
    pub name: String,
    /// How long a service may take to become healthy, ms.
    pub deadline_ms: u64,
    /// Networks, by their full name.
    pub networks: Vec<Network>,
    /// Volumes of the engine, by their full name.
    pub volumes: Vec<String>,
    /// Secrets, by their name.
    pub secrets: BTreeSet<String>,
    /// Services.
    pub services: Vec<Service>,
}

/// A network of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Network {
    /// Its full name.
    pub name: String,
    /// It has no way out.
    pub internal: bool,
    /// Packets that leave it carry the host's address; without that no answer finds its way back.
    pub masquerade: bool,
}

/// One container.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Its name in the profile.
    pub name: String,
    /// The container's name.
    pub container: String,
    /// What it is.
    pub role: Role,
    /// Where its image comes from; none: the profile must say.
    pub image: Option<String>,
    /// Services that must be healthy before.
    pub needs: Vec<String>,
    /// What can't be changed while it runs.
    pub fixed: Fixed,
    /// What can.
    pub limits: Limits,
    /// The same while nobody asks the model and documents wait, where that differs.
    pub reading: Option<Limits>,
    /// A model that sleeps now, so that documents can be read in its memory.
    pub asleep: bool,
    /// Settings of a PostgreSQL server, which stand in its command too.
    pub settings: BTreeMap<String, String>,
}

/// What a container is made with. Any difference means a new one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fixed {
    /// Arguments; none: what the image says.
    pub command: Vec<String>,
    /// `UID:GID`.
    pub user: String,
    /// Variables.
    pub environment: BTreeMap<String, String>,
    /// Volumes by their full name, and folders of the host.
    pub volumes: Vec<Volume>,
    /// Folders in memory.
    pub tmpfs: Vec<Tmpfs>,
    /// Secrets, by their name.
    pub secrets: Vec<String>,
    /// Networks, by their full name.
    pub networks: Vec<Network>,
    /// Ports that the host opens.
    pub publish: Vec<Publish>,
    /// May it write to its root file system?
    pub writable: bool,
    /// Capabilities that it keeps.
    pub capabilities: Vec<String>,
    /// The health check; none: what the image says; empty: none at all.
    pub health: Option<Vec<String>>,
    /// The signal that stops it.
    pub stop_signal: Option<String>,
    /// How long it may take to stop, seconds.
    pub stop_timeout: u64,
    /// `/dev/shm`, bytes.
    pub shm_size: u64,
    /// Most open files.
    pub nofile: Option<u64>,
    /// May it lock memory?
    pub memlock: bool,
    /// −1000 to 1000.
    pub oom_score_adj: i32,
}

impl Service {
    /// What can be changed while it runs, for a way of sharing memory out.
    pub fn limits_in(&self, mode: Mode) -> &Limits {
        match (mode, &self.reading) {
            (Mode::Reading, Some(limits)) => limits,
            _ => &self.limits,
        }
    }
}

impl Fixed {
    /// How a folder in memory is mounted. It belongs to the container's user: over a folder of the image, the engine takes
    /// that one's permissions, whatever the mode says.
    pub fn tmpfs_options(&self, folder: &Tmpfs) -> String {
        let (uid, gid) = mount::user(&self.user).unwrap_or((0, 0));
        let mode = if folder.target == "/tmp" { "1777" } else { "0750" };
        format!("rw,nosuid,nodev,noexec,mode={mode},uid={uid},gid={gid},size={}", folder.size.0)
    }
}

/// What the engine can change while a container runs. 0 is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Bytes.
    pub memory: u64,
    /// Bytes.
    pub memory_reservation: u64,
    /// Memory and swap together, bytes.
    pub memory_swap: u64,
    /// Ceiling, in billionths of a CPU.
    pub nano_cpus: u64,
    /// Share of the CPUs when they are scarce, 1 to 10000; 100 is the kernel's default.
    pub cpu_weight: u64,
    /// Most processes and threads.
    pub pids: u64,
    /// The engine's restart policy.
    pub restart: String,
}

impl Limits {
    /// A limit that this kernel does not hold, whatever was asked for.
    pub const UNHELD: u64 = u64::MAX;
}

/// A knot in what needs what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knot(pub String);

impl Deployment {
    /// What `settings` ask for. The error is a need that can't be met.
    pub fn of(settings: &Settings) -> Result<Self, Knot> {
        let name = &settings.deployment.name;
        let inner = Network {
            name: format!("{name}-inner"),
            internal: !settings.sovereignty.egress,
            masquerade: settings.sovereignty.egress,
        };
        // The door opens inwards: without the host's address on what leaves, nothing outside can answer it.
        let edge = Network {
            name: format!("{name}-edge"),
            internal: false,
            masquerade: settings.sovereignty.egress,
        };
        let roles: BTreeMap<&str, Role> = settings
            .services
            .iter()
            .map(|(name, written)| (name.as_str(), Role::of(name, written.role.as_deref())))
            .collect();
        let peers = Peers::of(&roles, &settings.services);
        let mut services = Vec::new();
        for (service, written) in &settings.services {
            let role = roles[service.as_str()];
            if !written.settings.is_empty() && role != Role::Postgres {
                return Err(Knot(t!(
                    "services.{service}.settings are a PostgreSQL server's, and {service} is none; write role = \"postgres\"",
                    service = service
                )));
            }
            let mut networks = vec![inner.clone()];
            if role == Role::Proxy || !written.publish.is_empty() {
                networks.push(edge.clone());
            }
            let needs = written.needs.clone().unwrap_or_else(|| needs_of(role, &roles));
            services.push(Service {
                name: service.clone(),
                container: format!("{name}-{service}"),
                role,
                image: written.image.clone().or_else(|| role.template().map(str::to_owned)),
                needs,
                fixed: fixed(name, role, written, networks, &peers),
                limits: limits(written),
                reading: written.memory_reading.map(|memory| reading(&limits(written), memory.0)),
                asleep: false,
                settings: written.settings.clone(),
            });
        }
        let services = in_order(services)?;
        let mut volumes: Vec<String> = services
            .iter()
            .flat_map(|service| &service.fixed.volumes)
            .filter(|volume| volume.is_named())
            .map(|volume| volume.source.clone())
            .collect();
        volumes.sort();
        volumes.dedup();
        let used =
            |network: &Network| services.iter().any(|service| service.fixed.networks.contains(network));
        Ok(Self {
            name: name.clone(),
            deadline_ms: settings.deployment.deadline_ms,
            networks: [inner, edge].into_iter().filter(used).collect(),
            volumes,
            secrets: services.iter().flat_map(|service| service.fixed.secrets.iter().cloned()).collect(),
            services,
        })
    }

    /// The file whose lock keeps two runs apart.
    pub fn lock(&self) -> String {
        format!("/run/civicum-tune.{}.lock", self.name)
    }

    /// The same, with the limits for a way of sharing memory out.
    #[must_use]
    pub fn in_mode(mut self, mode: Mode) -> Self {
        for service in &mut self.services {
            service.limits = service.limits_in(mode).clone();
            service.asleep = mode == Mode::Reading && service.reading.is_some() && service.role.is_model();
        }
        self
    }

    /// Is there another way of sharing memory out?
    pub fn has_modes(&self) -> bool {
        self.services.iter().any(|service| service.reading.is_some())
    }

    /// Only these services and what they need; the name of one that is not there is the error.
    pub fn only(mut self, names: &[String]) -> Result<Self, String> {
        if names.is_empty() {
            return Ok(self);
        }
        let mut wanted = BTreeSet::new();
        let mut open: Vec<String> = names.to_vec();
        while let Some(name) = open.pop() {
            let Some(service) = self.services.iter().find(|service| service.name == name) else {
                return Err(name);
            };
            if wanted.insert(name) {
                open.extend(service.needs.iter().cloned());
            }
        }
        self.services.retain(|service| wanted.contains(&service.name));
        let uses = |volume: &String| {
            self.services.iter().any(|service| service.fixed.volumes.iter().any(|v| v.source == *volume))
        };
        self.volumes.retain(uses);
        self.networks.retain(|network| self.services.iter().any(|s| s.fixed.networks.contains(network)));
        self.secrets.retain(|secret| self.services.iter().any(|s| s.fixed.secrets.contains(secret)));
        Ok(self)
    }
}

fn needs_of(role: Role, roles: &BTreeMap<&str, Role>) -> Vec<String> {
    let meets = |(name, other): (&&str, &Role)| role.needs().contains(other).then(|| (*name).to_owned());
    roles.iter().filter_map(meets).collect()
}

fn fixed(
    deployment: &str,
    role: Role,
    written: &Written,
    networks: Vec<Network>,
    peers: &Peers<'_>,
) -> Fixed {
    let mut command = written.command.clone().unwrap_or_else(|| role.command(written));
    for (name, value) in &written.settings {
        command.extend(["-c".to_owned(), format!("{name}={value}")]);
    }
    let mut environment: BTreeMap<String, String> =
        role.environment().iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    environment.extend(peers.environment(role));
    if role == Role::Ollama {
        let number =
            |name: &str, number: Option<u64>| number.map(|number| (name.to_owned(), number.to_string()));
        environment.extend(number("OLLAMA_CONTEXT_LENGTH", written.context));
        environment.extend(number("OLLAMA_NUM_PARALLEL", written.parallel));
    }
    environment.extend(work::environment(role, written));
    environment.extend(written.environment.clone());
    let mut volumes = written.volumes.clone().unwrap_or_else(|| role.volumes(written));
    volumes.extend(
        work::schemas(role, written).filter(|own| volumes.iter().all(|volume| volume.target != own.target)),
    );
    for volume in volumes.iter_mut().filter(|volume| volume.is_named()) {
        volume.source = format!("{deployment}-{}", volume.source);
    }
    let mut tmpfs = written.tmpfs.clone().unwrap_or_else(|| role.tmpfs());
    if !tmpfs.iter().any(|folder| folder.target == "/tmp") {
        tmpfs.push(Tmpfs { target: "/tmp".to_owned(), size: Tmpfs::DEFAULT });
    }
    let secrets = written.secrets.clone();
    Fixed {
        command,
        user: written.user.clone().unwrap_or_else(|| role.user().to_owned()),
        environment,
        volumes,
        tmpfs,
        secrets: secrets.unwrap_or_else(|| role.secrets().iter().map(|name| (*name).to_owned()).collect()),
        networks,
        publish: written.publish.clone(),
        writable: written.writable,
        capabilities: written.capabilities.clone(),
        health: written.health.clone().or_else(|| role.health()),
        stop_signal: role.stop_signal().map(str::to_owned),
        stop_timeout: written.stop_timeout_ms.map_or_else(|| role.stop_timeout(), |ms| ms.div_ceil(1000)),
        shm_size: written.shm_size.map_or(64 << 20, |bytes| bytes.0),
        nofile: written.nofile,
        memlock: written.memlock,
        oom_score_adj: written.oom_score_adj.unwrap_or(0),
    }
}

fn limits(written: &Written) -> Limits {
    let memory = written.memory.map_or(0, |bytes| bytes.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0.01 to 4096
    let nano_cpus = written.cpus.map_or(0, |cpus| (cpus * 1e9).round() as u64);
    Limits {
        memory,
        memory_reservation: written.memory_reservation.map_or(0, |bytes| bytes.0),
        memory_swap: written.memory_swap.map_or(memory.saturating_mul(2), |bytes| bytes.0),
        nano_cpus,
        cpu_weight: written.cpu_weight.map_or(0, u64::from),
        pids: written.pids.unwrap_or(0),
        restart: written.restart.clone().unwrap_or_else(|| "unless-stopped".to_owned()),
    }
}

/// The same limits with another one for memory; in swap it may have as much as before.
fn reading(limits: &Limits, memory: u64) -> Limits {
    let swap = limits.memory_swap.saturating_sub(limits.memory);
    Limits {
        memory,
        memory_reservation: limits.memory_reservation.min(memory),
        memory_swap: memory.saturating_add(swap),
        ..limits.clone()
    }
}

/// What is needed stands before what needs it; else by name.
fn in_order(mut left: Vec<Service>) -> Result<Vec<Service>, Knot> {
    for service in &left {
        if let Some(need) = service.needs.iter().find(|need| !left.iter().any(|other| other.name == **need)) {
            return Err(Knot(t!(
                "{service} needs {need}, and there is no such service",
                service = service.name,
                need = need
            )));
        }
    }
    let mut done: Vec<Service> = Vec::new();
    while !left.is_empty() {
        let ready =
            |service: &Service| service.needs.iter().all(|need| done.iter().any(|other| other.name == *need));
        let Some(at) = left.iter().position(ready) else {
            let names: Vec<&str> = left.iter().map(|service| service.name.as_str()).collect();
            return Err(Knot(t!(
                "{names} need one another: none can be started first",
                names = names.join(", ")
            )));
        };
        done.push(left.remove(at));
    }
    Ok(done)
}
