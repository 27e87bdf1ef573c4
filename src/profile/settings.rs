//! What a profile asks of one host: every value typed, every sizing rule evaluated.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::container::Publish;
use super::mount::{Tmpfs, Volume};
use crate::units::Bytes;

/// A profile resolved for one host. Produced by [`super::Profile::settle`]; the tunables read only this.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The profile's name.
    pub name: String,
    /// What it is for, in one line; may be empty.
    pub description: String,
    /// The compressed cache in front of swap.
    pub zswap: Zswap,
    /// The swap file behind it.
    pub swap: Swap,
    /// Kernel parameters by their sysctl name (`vm.swappiness`) and the value to have.
    pub sysctl: BTreeMap<String, String>,
    /// Compressed RAM disks used as swap.
    pub zram: Zram,
    /// The boot line.
    pub boot: Boot,
    /// The multi-generational LRU.
    pub mglru: Mglru,
    /// The memory budget.
    pub memory: Memory,
    /// The containers, by name.
    pub services: BTreeMap<String, Service>,
    /// What may leave the host.
    pub sovereignty: Sovereignty,
    /// How the containers are brought up.
    #[serde(default)]
    pub deployment: Deployment,
    /// Findings of `doctor` that are accepted, by the check's id.
    #[serde(default)]
    pub waivers: BTreeMap<String, Waiver>,
}

/// `[waivers.CHECK]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// Why.
    pub reason: String,
    /// The last day on which it holds, `YYYY-MM-DD`.
    pub until: String,
}

/// `[zswap]`. An absent section leaves zswap as it is (`manage = false`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Zswap {
    /// Whether the profile says anything about zswap.
    pub manage: bool,
    /// Wanted on or off.
    pub enabled: bool,
    /// The compressor's name as the kernel spells it, for example `lz4`.
    pub compressor: String,
    /// Allocators in order of preference; the first that the kernel has (and that suits it) is used. Empty
    /// leaves the choice to the program (`auto`).
    pub zpool: Vec<String>,
    /// Upper limit of the pool, in percent of RAM, 1 to 100.
    pub max_pool_percent: u8,
    /// The shrinker (kernel 6.8 and later), where the profile names it.
    pub shrinker: Option<bool>,
}

/// `[swap]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Swap {
    /// Wanted total of swap on disk, in bytes; 0 leaves swap as it is.
    pub size: Bytes,
    /// Where our swap file lives; further files get `-2`, `-3`, … behind it.
    pub path: String,
    /// Priority, −1 (let the kernel choose) to 32767.
    pub priority: i32,
    /// How it comes back after a reboot.
    pub persist: Persist,
}

/// How a swap file is activated at boot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Persist {
    /// A swap unit where systemd runs the host, else a line in `/etc/fstab`.
    #[default]
    Auto,
    /// A marked line in `/etc/fstab`.
    Fstab,
    /// A systemd swap unit.
    Unit,
}

/// `[zram]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Zram {
    /// Take zram swap out of use and keep it from coming back.
    pub retire: bool,
}

/// `[boot]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Boot {
    /// Put `zswap.*` on the kernel command line and its modules into the initramfs.
    pub manage: bool,
    /// Further kernel arguments, each `name` or `name=value` without blanks or quotes.
    pub kernel_args: Vec<String>,
    /// Have pressure stall information (`psi=1` where the kernel has it switched off).
    pub psi: bool,
    /// Have the unified cgroup hierarchy (v2).
    pub cgroup_v2: bool,
}

/// `[mglru]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Mglru {
    /// `/sys/kernel/mm/lru_gen/min_ttl_ms`, in ms; `None` leaves it as it is.
    pub min_ttl_ms: Option<u64>,
}

/// `[memory]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// The least RAM that the profile is made for, where it says so.
    pub at_least: Option<Bytes>,
    /// Kept for the system, the page cache and the zswap pool, in bytes.
    pub reserve: Bytes,
}

/// `[services.NAME]`: limits that the container side uses.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Where its image comes from.
    #[serde(default)]
    pub image: Option<String>,
    /// Ports that the host opens.
    #[serde(default)]
    pub publish: Vec<Publish>,
    /// Hard limit, bytes (cgroup memory.max).
    pub memory: Option<Bytes>,
    /// Best-effort protection, bytes (memory.low).
    pub memory_reservation: Option<Bytes>,
    /// Memory and swap together, bytes, as the Docker Engine API counts it.
    pub memory_swap: Option<Bytes>,
    /// Hard limit while the model sleeps and documents wait, bytes.
    #[serde(default)]
    pub memory_reading: Option<Bytes>,
    /// Ceiling in CPUs (cpu.max), 0.01 and up.
    pub cpus: Option<f64>,
    /// Relative weight (cpu.weight), 1 to 10000.
    pub cpu_weight: Option<u32>,
    /// −1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// Most processes (pids.max).
    pub pids: Option<u64>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// What it is; `None`: what its name says.
    #[serde(default)]
    pub role: Option<String>,
    /// The command line, one argument each.
    #[serde(default)]
    pub command: Option<Vec<String>>,
    /// A model's file on the host.
    #[serde(default)]
    pub model: Option<String>,
    /// Tokens of context for one request.
    #[serde(default)]
    pub context: Option<u64>,
    /// Requests at a time.
    #[serde(default)]
    pub parallel: Option<u64>,
    /// Threads of the calculation.
    #[serde(default)]
    pub threads: Option<u64>,
    /// `UID:GID`.
    #[serde(default)]
    pub user: Option<String>,
    /// Services that must be healthy before.
    #[serde(default)]
    pub needs: Option<Vec<String>>,
    /// Volumes and folders.
    #[serde(default)]
    pub volumes: Option<Vec<Volume>>,
    /// Folders in memory.
    #[serde(default)]
    pub tmpfs: Option<Vec<Tmpfs>>,
    /// May it write to its root file system?
    #[serde(default)]
    pub writable: bool,
    /// Capabilities that it keeps.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Ends with 0 when it works; an empty list is none.
    #[serde(default)]
    pub health: Option<Vec<String>>,
    /// The engine's restart policy.
    #[serde(default)]
    pub restart: Option<String>,
    /// How long it may take to stop, ms.
    #[serde(default)]
    pub stop_timeout_ms: Option<u64>,
    /// `/dev/shm`, bytes.
    #[serde(default)]
    pub shm_size: Option<Bytes>,
    /// Most open files of a process.
    #[serde(default)]
    pub nofile: Option<u64>,
    /// May it lock its memory?
    #[serde(default)]
    pub memlock: bool,
    /// Secrets that it finds in `/run/secrets`.
    #[serde(default)]
    pub secrets: Option<Vec<String>>,
    /// Settings of the PostgreSQL server.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// The host's folder of schemas, for a worker and an API.
    #[serde(default)]
    pub schemas: Option<String>,
    /// How a worker reads.
    #[serde(default)]
    pub reading: Reading,
    /// How a worker extracts.
    #[serde(default)]
    pub extraction: Extraction,
    /// How long a worker keeps.
    #[serde(default)]
    pub retention: Retention,
}

/// `[services.NAME.reading]`; what is not written is the worker's to choose.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// `auto`, `pp-ocr` or `tesseract`.
    pub policy: Option<String>,
    /// Documents at a time, 0 to 64.
    pub jobs: Option<u64>,
    /// Of a document's process, and of each of its tools, bytes.
    pub memory: Option<Bytes>,
    /// Of PP-OCR, 1 to 64.
    pub threads: Option<u64>,
    /// Tesseract's names.
    pub language: Option<String>,
    /// Pixels per inch.
    pub dpi: Option<u64>,
    /// Of a document.
    pub max_pages: Option<u64>,
    /// Of a page.
    pub max_pixels: Option<u64>,
    /// Of a page, ms.
    pub page_timeout_ms: Option<u64>,
    /// Of a document, ms.
    pub deadline_ms: Option<u64>,
    /// `auto` or `never`.
    pub text_layer: Option<String>,
}

/// `[services.NAME.extraction]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extraction {
    /// Documents at a time, 0 to 64.
    pub jobs: Option<u64>,
    /// Of a document, ms.
    pub deadline_ms: Option<u64>,
    /// Tokens of an answer.
    pub predict: Option<u64>,
    /// What to look for, in words.
    pub instruction: Option<String>,
}

/// `[services.NAME.retention]`, in days; `None`: for ever, and 365 for the archive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Documents that were reviewed, or cancelled.
    pub reviewed: Option<u64>,
    /// Documents that nobody reviewed.
    pub unreviewed: Option<u64>,
    /// Finished jobs.
    pub archive: Option<u64>,
}

impl Settings {
    /// All limits together while the model sleeps and documents wait, bytes.
    pub fn limits_while_reading(&self) -> u64 {
        let limits = self.services.values().filter_map(|service| service.memory_reading.or(service.memory));
        limits.fold(0, |sum, limit| sum.saturating_add(limit.0))
    }
}

impl Service {
    /// Tokens of context that its model's server keeps, all requests together.
    pub fn tokens(&self) -> u64 {
        self.context.unwrap_or(4096).saturating_mul(self.parallel.unwrap_or(1))
    }

    /// The most that it may have in swap. Where the profile does not say, as much as its memory: so does the engine.
    pub fn swap_limit(&self) -> Option<Bytes> {
        let memory = self.memory?;
        Some(self.memory_swap.map_or(memory, |both| Bytes(both.0.saturating_sub(memory.0))))
    }
}

/// `[deployment]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// What the names of containers, networks and volumes begin with.
    pub name: String,
    /// How long a service may take to become healthy, ms.
    pub deadline_ms: u64,
}

impl Default for Deployment {
    fn default() -> Self {
        Self { name: "civicum".to_owned(), deadline_ms: 300_000 }
    }
}

/// `[sovereignty]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sovereignty {
    /// Whether containers may reach the outside. Off unless the profile says otherwise.
    pub egress: bool,
    /// The address that published ports bind to.
    pub publish_address: String,
    /// Services whose ports may be open to the outside.
    #[serde(default)]
    pub public: Vec<String>,
}

impl Default for Sovereignty {
    fn default() -> Self {
        Self { egress: false, publish_address: "127.0.0.1".to_owned(), public: Vec::new() }
    }
}
