//! What one look at the host says: numbers only, so that a trace of them can be kept and decided upon again.

use std::collections::BTreeMap;

use procfs::{FromBufRead as _, MemoryPressure};
use serde::{Deserialize, Serialize};

use crate::facts::memory::numbers;
use crate::host::Host;

/// One look.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Since the boot, ms: a clock that nobody can set back.
    pub at_ms: u64,
    /// The host's memory.
    pub memory: Memory,
    /// How long tasks of the host have waited for memory; none where the kernel does not tell.
    pub host: Option<Stall>,
    /// Thresholds of which the kernel has told since the last look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<Threshold>,
    /// The services that run, by name.
    pub services: BTreeMap<String, Service>,
}

/// The host's memory, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// RAM.
    pub total: u64,
    /// What could be had without swapping, by the kernel's estimate (`MemAvailable`).
    pub available: u64,
    /// Swap.
    pub swap_total: u64,
    /// Swap that is free.
    pub swap_free: u64,
    /// RAM that zswap's pool takes (`Zswap`).
    #[serde(default)]
    pub zswap: u64,
    /// What is in it (`Zswapped`).
    #[serde(default)]
    pub zswapped: u64,
}

/// How long tasks have waited for memory since the boot, or since the control group was made, µs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// At least one.
    pub some_us: u64,
    /// All at the same time.
    pub full_us: u64,
}

/// Thresholds that the kernel watches for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Threshold {
    /// Some task of the host waited long enough to stop taking new work.
    Some,
    /// All waited, long enough to give work back.
    Full,
    /// All waited, long enough to kill.
    FullLong,
    /// A task of the worker waited, at its own limit.
    Worker,
}

/// A service's container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// In use, file cache and all (`memory.current`), bytes.
    pub memory: u64,
    /// Its limit (`memory.max`), bytes; 0 is none.
    pub limit: u64,
    /// Of its memory, in swap, bytes.
    #[serde(default)]
    pub swap: u64,
    /// CPU time since it was started, µs.
    #[serde(default)]
    pub cpu_us: u64,
    /// How long its tasks waited for memory.
    #[serde(default)]
    pub stall: Option<Stall>,
    /// How often it ran into its limit (`oom`), and how many of its tasks were killed for want of memory (`oom_kill`).
    #[serde(default)]
    pub oom: u64,
    /// See `oom`.
    #[serde(default)]
    pub oom_kill: u64,
}

impl Memory {
    /// Reads `/proc/meminfo`.
    pub fn read(host: &Host) -> Self {
        let text = host.read_text("/proc/meminfo").ok().flatten().unwrap_or_default();
        let found = numbers(&text);
        let bytes = |name: &str| found.get(name).copied().unwrap_or(0);
        Self {
            total: bytes("MemTotal"),
            available: bytes("MemAvailable"),
            swap_total: bytes("SwapTotal"),
            swap_free: bytes("SwapFree"),
            zswap: bytes("Zswap"),
            zswapped: bytes("Zswapped"),
        }
    }

    /// What is available, in thousandths of the RAM.
    pub fn available_permille(self) -> u64 {
        self.available.saturating_mul(1000).checked_div(self.total).unwrap_or(1000)
    }
}

impl Stall {
    /// Reads a pressure file, of the host or of a control group; none where there is none, or PSI is off.
    pub fn read(host: &Host, path: &str) -> Option<Self> {
        let text = host.value(path)?;
        let found = MemoryPressure::from_buf_read(text.as_bytes()).ok()?;
        Some(Self { some_us: found.some.total, full_us: found.full.total })
    }
}

/// Where the figures of a container are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Group {
    /// Its folder below `/sys/fs/cgroup`.
    V2(String),
    /// Its folders in the hierarchies of the memory and of the CPU accounting controller.
    V1 {
        /// `memory`.
        memory: String,
        /// `cpuacct`.
        cpu: Option<String>,
    },
}

impl Group {
    /// Reads what they say now; none where the container is gone.
    pub fn read(&self, host: &Host) -> Option<Service> {
        let number = |path: String| host.value(&path)?.parse::<u64>().ok();
        // "max", or on version 1 a number near 2^63, is no limit.
        let limit = |path: String| number(path).filter(|bytes| *bytes < 1 << 60).unwrap_or(0);
        match self {
            Self::V2(folder) => {
                let memory = number(format!("{folder}/memory.current"))?;
                let events = host.value(&format!("{folder}/memory.events")).unwrap_or_default();
                let cpu = host.value(&format!("{folder}/cpu.stat")).unwrap_or_default();
                Some(Service {
                    memory,
                    limit: limit(format!("{folder}/memory.max")),
                    swap: number(format!("{folder}/memory.swap.current")).unwrap_or(0),
                    cpu_us: field(&cpu, "usage_usec"),
                    stall: Stall::read(host, &self.pressure()?),
                    oom: field(&events, "oom"),
                    oom_kill: field(&events, "oom_kill"),
                })
            }
            Self::V1 { memory, cpu } => {
                let used = number(format!("{memory}/memory.usage_in_bytes"))?;
                let both = number(format!("{memory}/memory.memsw.usage_in_bytes")).unwrap_or(used);
                let events = host.value(&format!("{memory}/memory.oom_control")).unwrap_or_default();
                let ns = cpu.as_ref().and_then(|cpu| number(format!("{cpu}/cpuacct.usage"))).unwrap_or(0);
                Some(Service {
                    memory: used,
                    limit: limit(format!("{memory}/memory.limit_in_bytes")),
                    swap: both.saturating_sub(used),
                    cpu_us: ns / 1000,
                    stall: None,
                    oom: 0,
                    oom_kill: field(&events, "oom_kill"),
                })
            }
        }
    }

    /// Its pressure file, where it can have one.
    pub fn pressure(&self) -> Option<String> {
        match self {
            Self::V2(folder) => Some(format!("{folder}/memory.pressure")),
            Self::V1 { .. } => None,
        }
    }
}

/// One of the `NAME NUMBER` lines, as in `memory.events`.
fn field(text: &str, name: &str) -> u64 {
    numbers(text).get(name).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods)] // a tree of the test's own
    fn a_control_group_of_version_2() {
        let tree = tempfile::tempdir().expect("a folder");
        let group = tree.path().join("g");
        std::fs::create_dir(&group).expect("a folder");
        for (name, text) in [
            ("memory.current", "104857600\n"),
            ("memory.max", "max\n"),
            ("memory.swap.current", "4096\n"),
            ("memory.events", "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n"),
            ("cpu.stat", "usage_usec 1234\nuser_usec 1000\n"),
            (
                "memory.pressure",
                "some avg10=0.00 avg60=0.00 avg300=0.00 total=77\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=55\n",
            ),
        ] {
            std::fs::write(group.join(name), text).expect("a file");
        }
        let host = Host::at(tree.path()).expect("the tree");
        let found = Group::V2("/g".to_owned()).read(&host).expect("its figures");
        let stall = Some(Stall { some_us: 77, full_us: 55 });
        let wanted =
            Service { memory: 100 << 20, limit: 0, swap: 4096, cpu_us: 1234, stall, oom: 3, oom_kill: 2 };
        assert_eq!(found, wanted);
        assert_eq!(Group::V2("/gone".to_owned()).read(&host), None);
    }
}
