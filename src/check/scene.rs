//! What a check may look at. Costly looks are taken once, and only when a check asks.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use crate::facts::Facts;
use crate::facts::dockerd::Dockerd;
use crate::facts::engine::Engine;
use crate::facts::oom::{self, OomKill};
use crate::facts::sockets::{self, Listener, Running};
use crate::facts::sysctl::SysctlFiles;
use crate::host::{Host, HostError, KernelLine};
use crate::profile::{Profile, Settings};
use crate::tunable::Context;

/// The host, what is wanted of it, and what was applied.
pub struct Scene<'a> {
    /// The host, its facts, and the wish.
    pub cx: Context<'a>,
    /// The profile that the wish came from, for the places of its lines.
    pub profile: Option<&'a Profile>,
    /// What was applied, and what of it is not so any more.
    pub applied: &'a Applied,
    /// The present, RFC 3339, UTC.
    pub now: String,
    ask_engine: &'a dyn Fn() -> Engine,
    engine: OnceCell<Engine>,
    dockerd: OnceCell<Dockerd>,
    listeners: OnceCell<Option<Vec<Listener>>>,
    running: OnceCell<Vec<Running>>,
    sysctl: OnceCell<Result<SysctlFiles, HostError>>,
    kernel_log: OnceCell<Result<Vec<KernelLine>, HostError>>,
    counters: OnceCell<BTreeMap<String, u64>>,
    meminfo: OnceCell<BTreeMap<String, u64>>,
}

/// What was applied, as far as checks need to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// The newest generation in force.
    pub generation: Option<u32>,
    /// Its date, RFC 3339.
    pub created: Option<String>,
    /// It has changes that only a reboot completes.
    pub needs_reboot: bool,
    /// The host was booted since; `None` where that can't be told.
    pub rebooted: Option<bool>,
    /// A generation that was cut off, by its number.
    pub cut: Option<u32>,
    /// A generation that was taken back in part, by its number.
    pub partly: Option<u32>,
    /// Why the generations can't be read.
    pub trouble: Option<String>,
    /// Every target that a generation in force set.
    pub touched: BTreeMap<String, Touched>,
}

/// One thing that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// By which generation.
    pub generation: u32,
    /// The kind of change.
    pub kind: &'static str,
    /// What it was made, in a few words.
    pub after: String,
    /// What it is now, where that is something else.
    pub changed: Option<String>,
}

impl<'a> Scene<'a> {
    /// A scene; nothing costly is looked at yet.
    pub fn new(
        cx: Context<'a>,
        profile: Option<&'a Profile>,
        applied: &'a Applied,
        now: String,
        ask_engine: &'a dyn Fn() -> Engine,
    ) -> Self {
        Self {
            cx,
            profile,
            applied,
            now,
            ask_engine,
            engine: OnceCell::new(),
            dockerd: OnceCell::new(),
            listeners: OnceCell::new(),
            running: OnceCell::new(),
            sysctl: OnceCell::new(),
            kernel_log: OnceCell::new(),
            counters: OnceCell::new(),
            meminfo: OnceCell::new(),
        }
    }

    /// The host.
    pub fn host(&self) -> &'a Host {
        self.cx.host
    }

    /// What it is.
    pub fn facts(&self) -> &'a Facts {
        self.cx.facts
    }

    /// What is wanted.
    pub fn wish(&self) -> &'a Settings {
        self.cx.wish
    }

    /// The running machine, and not a tree?
    pub fn is_live(&self) -> bool {
        self.host().is_live()
    }

    /// In a container the kernel, swap and boot are somebody else's: the engine's name, then.
    pub fn container(&self) -> Option<&'a str> {
        self.facts().virtualization.container.as_deref()
    }

    /// What the Docker engine says of itself: asked once.
    pub fn engine(&self) -> &Engine {
        self.engine.get_or_init(|| (self.ask_engine)())
    }

    /// How that engine is configured, as files tell.
    pub fn dockerd(&self) -> &Dockerd {
        self.dockerd.get_or_init(|| Dockerd::read(self.host()))
    }

    /// Who listens on TCP; `None` where nothing tells.
    pub fn listeners(&self) -> Option<&[Listener]> {
        self.listeners.get_or_init(|| sockets::read(self.host())).as_deref()
    }

    /// Every process, by its name.
    pub fn running(&self) -> &[Running] {
        self.running.get_or_init(|| sockets::running(self.host()))
    }

    /// Every sysctl file.
    pub fn sysctl_files(&self) -> Result<&SysctlFiles, &HostError> {
        self.sysctl.get_or_init(|| SysctlFiles::read(self.host())).as_ref()
    }

    /// The kernel's log, oldest line first.
    pub fn kernel_log(&self) -> Result<&[KernelLine], &HostError> {
        self.kernel_log.get_or_init(|| self.host().kernel_log()).as_ref().map(Vec::as_slice)
    }

    /// The OOM kills that the kernel's log still tells of.
    pub fn oom_kills(&self) -> Result<Vec<OomKill>, &HostError> {
        self.kernel_log().map(oom::parse)
    }

    /// Seconds since the boot.
    pub fn uptime_s(&self) -> Option<u64> {
        let text = self.host().value("/proc/uptime")?;
        text.split(['.', ' ']).next()?.parse().ok()
    }

    /// A counter of `/proc/vmstat`.
    pub fn vmstat(&self, name: &str) -> Option<u64> {
        let read = || numbers(&self.host().value("/proc/vmstat").unwrap_or_default());
        self.counters.get_or_init(read).get(name).copied()
    }

    /// A line of `/proc/meminfo`, in bytes (or, for the few without a unit, as it is).
    pub fn meminfo(&self, name: &str) -> Option<u64> {
        let read = || numbers(&self.host().value("/proc/meminfo").unwrap_or_default());
        self.meminfo.get_or_init(read).get(name).copied()
    }

    /// A file of zswap's in debugfs; root's only, and only where debugfs is mounted.
    pub fn zswap_counter(&self, name: &str) -> Option<u64> {
        self.host().value(&format!("/sys/kernel/debug/zswap/{name}"))?.parse().ok()
    }
}

/// `name value` and `name: value kB`, as numbers; kB as bytes.
fn numbers(text: &str) -> BTreeMap<String, u64> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?.trim_end_matches(':').to_owned();
            let value: u64 = words.next()?.parse().ok()?;
            Some((name, if words.next() == Some("kB") { value.saturating_mul(1024) } else { value }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_sizes() {
        let found = numbers("oom_kill 3\nMemTotal:  10 kB\nHugePages_Total:       2\nnonsense\n");
        assert_eq!(
            (found["oom_kill"], found["MemTotal"], found["HugePages_Total"], found.len()),
            (3, 10240, 2, 3)
        );
    }
}
