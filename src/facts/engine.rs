//! What the Docker engine says of itself, in one call.

use serde::Serialize;

/// The engine's answer, or why there is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub enum Engine {
    /// There is no engine to ask (no socket, or `--root`).
    #[default]
    Absent,
    /// It can't be reached: why, in words.
    Silent(String),
    /// It answered.
    Answered(Box<EngineInfo>),
}

/// What of `GET /info` (and the reply's `Api-Version`) we use.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct EngineInfo {
    /// `ServerVersion`.
    pub version: String,
    /// The newest API version that it speaks, for example `1.47`.
    pub api: String,
    /// `Driver`: the storage driver.
    pub storage_driver: String,
    /// `LoggingDriver`: the default for containers.
    pub logging_driver: String,
    /// `CgroupDriver`: `systemd` or `cgroupfs`.
    pub cgroup_driver: String,
    /// `CgroupVersion`: `1` or `2`.
    pub cgroup_version: String,
    /// `LiveRestoreEnabled`.
    pub live_restore: bool,
    /// `DockerRootDir`.
    pub root_dir: String,
    /// `SecurityOptions`, for example `name=seccomp,profile=builtin`, `name=rootless`.
    pub security_options: Vec<String>,
    /// `Warnings`.
    pub warnings: Vec<String>,
    /// `ContainersRunning`.
    pub containers_running: u64,
    /// `MemoryLimit`, `SwapLimit`, `PidsLimit`: the kernel's support, as the engine sees it.
    pub memory_limit: bool,
    /// See above.
    pub swap_limit: bool,
    /// See above.
    pub pids_limit: bool,
}
