//! The containers of the engine, whoever made them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::container::plan::Plan;
use crate::container::settings::Difference;

/// What a look at all containers gave.
#[derive(Debug, Clone, Default)]
pub struct Containers {
    /// Those that run, or would be started again.
    pub live: Vec<Live>,
    /// Networks, by name: is it internal, and are the host's own addresses out of reach?
    pub networks: Vec<LiveNetwork>,
    /// What a deploy of the profile would do; `None` where nothing of it was ever deployed, the error where it can't be told.
    pub pending: Option<Result<Plan, String>>,
    /// What the databases that run have of the profile's settings: by container, what differs or why it can't be told.
    pub settings: BTreeMap<String, Result<Vec<Difference>, String>>,
}

/// A container.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Live {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The deployment of ours that it belongs to.
    pub deployment: Option<String>,
    /// The service in it.
    pub service: Option<String>,
    /// The supervisor has put it to sleep.
    pub is_asleep: bool,
    /// The image, as it was named.
    pub image: String,
    /// The image has a digest of a registry, or was made here.
    pub is_pinned: bool,
    /// How old what is in the image is, as `YYYY-MM-DD`: of our images the day of their packages, of others that on which they
    /// were made; empty where nobody tells.
    pub made_on: String,
    /// `running`, `exited`, …
    pub state: String,
    /// `healthy`, `unhealthy`, `starting`; empty without a health check.
    pub health: String,
    /// Its first process; 0 where it does not run.
    pub pid: u32,
    /// How often the engine restarted it.
    pub restarts: u64,
    /// The kernel killed in it, as the engine remembers it.
    pub oom_killed: bool,
    /// Bytes; 0 is no limit.
    pub memory: u64,
    /// Memory and swap, bytes; 0 is no limit.
    pub memory_swap: u64,
    /// Processes; 0 is no limit.
    pub pids: u64,
    /// Billionths of a CPU; 0 is no ceiling.
    pub nano_cpus: u64,
    /// −1000 to 1000.
    pub oom_score_adj: i64,
    /// The engine's restart policy.
    pub restart: String,
    /// All of the host's devices and capabilities.
    pub privileged: bool,
    /// Capabilities that it has beyond the engine's own, devices, and confinements that it lacks; as the engine spells them.
    pub extras: Vec<String>,
    /// What of the host's it shares: `network`, `pid`, `ipc`.
    pub shares: Vec<String>,
    /// Folders and files of the host that it sees, and may write to.
    pub binds: Vec<(String, bool)>,
    /// Ports: the host's address and port, and the container's.
    pub ports: Vec<(IpAddr, u16, String)>,
    /// Networks, by name.
    pub networks: Vec<String>,
    /// Variables.
    pub environment: Vec<(String, String)>,
    /// The driver of its log, and its largest size.
    pub log: (String, Option<String>),
}

/// A network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveNetwork {
    /// Its name.
    pub name: String,
    /// The deployment of ours that it belongs to.
    pub deployment: Option<String>,
    /// It has no way out.
    pub internal: bool,
    /// The host has no address in it.
    pub without_host: bool,
    /// What leaves it carries the host's address, so that it is answered.
    pub masquerade: bool,
}

impl Live {
    /// Does it run?
    pub fn runs(&self) -> bool {
        self.state == "running"
    }
}
