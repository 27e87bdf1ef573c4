//! What the Docker engine says of itself, in one call.

use serde::Serialize;

/// The sockets on which the host's own engine listens; on today's systems the second is the first.
pub const SOCKETS: [&str; 2] = ["/run/docker.sock", "/var/run/docker.sock"];

/// The engine's answer, or why there is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub enum Engine {
    /// There is no socket, and so nobody to ask.
    #[default]
    Absent,
    /// A tree has files, and no engine that runs.
    Unasked,
    /// There is a socket, and no answer.
    Silent(Silence),
    /// It answered.
    Answered(Box<EngineInfo>),
}

/// An engine that does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// Which socket was tried.
    pub socket: String,
    /// What came of it.
    pub trouble: Trouble,
    /// The words of whoever refused; may be empty.
    pub detail: String,
}

/// Why an engine does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Trouble {
    /// `DOCKER_HOST` names a socket that is not there.
    NoSocket,
    /// Only root and the socket's group may ask.
    NoPermission,
    /// Nobody listens on the socket.
    Refused,
    /// systemd listens in the engine's place: to ask would be to start it.
    Asleep,
    /// It took the call, and said nothing in time.
    NoAnswer,
    /// It answered with an error of its own.
    Failed,
    /// What answers does not speak as an engine does.
    NotAnEngine,
}

/// What of `GET /info` (and the reply's `Api-Version`) we use.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct EngineInfo {
    /// The socket that was asked.
    pub socket: String,
    /// `ServerVersion`.
    pub version: String,
    /// The newest API version that it speaks, for example `1.47`.
    pub api: String,
    /// `Driver`: the storage driver.
    pub storage_driver: String,
    /// `LoggingDriver`: the default for containers.
    pub logging_driver: String,
    /// `CgroupDriver`: `systemd`, `cgroupfs` or `none`.
    pub cgroup_driver: String,
    /// `CgroupVersion`: `1` or `2`.
    pub cgroup_version: String,
    /// `LiveRestoreEnabled`.
    pub live_restore: bool,
    /// It is a member of a swarm.
    pub swarm: bool,
    /// `DockerRootDir`.
    pub root_dir: String,
    /// `SecurityOptions`, for example `name=seccomp,profile=builtin`, `name=rootless`.
    pub security_options: Vec<String>,
    /// `Warnings`.
    pub warnings: Vec<String>,
    /// `ContainersRunning`.
    pub containers_running: u64,
    /// `MemoryLimit`: the kernel's support, as the engine sees it.
    pub memory_limit: bool,
    /// `SwapLimit`.
    pub swap_limit: bool,
    /// `PidsLimit`.
    pub pids_limit: bool,
    /// `CpuCfsQuota`: ceilings for CPU time.
    pub cpu_quota: bool,
}

impl EngineInfo {
    /// Is it the engine whose configuration lies in `/etc/docker`, and not one of somebody's own?
    pub fn is_the_hosts(&self) -> bool {
        SOCKETS.contains(&self.socket.as_str())
    }

    /// The first number of the version; 0 where it is not one.
    pub fn major(&self) -> u32 {
        self.version.split('.').next().and_then(|number| number.parse().ok()).unwrap_or(0)
    }
}
