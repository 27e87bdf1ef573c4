//! What a check may look at. Costly looks are taken once, and only when a check asks.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use crate::facts::Facts;
use crate::facts::containers::Containers;
use crate::facts::dockerd::Dockerd;
use crate::facts::engine::Engine;
use crate::facts::grub;
use crate::facts::memory::numbers;
use crate::facts::oom::{self, OomKill};
use crate::facts::processes::{self, Process};
use crate::facts::sockets::{self, Listener, Running};
use crate::facts::sysctl::SysctlFiles;
use crate::host::{Host, HostError, KernelLine};
use crate::profile::{Profile, Settings};
use crate::t;
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
    /// A tree whose files are all as the profile says: its copies of /proc and /sys show what ran before.
    pub waits_for_its_boot: bool,
    ask_engine: &'a dyn Fn() -> Engine,
    ask_containers: Option<AskContainers<'a>>,
    containers: OnceCell<Result<Containers, String>>,
    engine: OnceCell<Engine>,
    dockerd: OnceCell<Dockerd>,
    listeners: OnceCell<Option<Vec<Listener>>>,
    running: OnceCell<Vec<Running>>,
    sysctl: OnceCell<Result<SysctlFiles, HostError>>,
    grub_files: OnceCell<Result<grub::Files, String>>,
    grub_cfg: OnceCell<Result<Option<String>, String>>,
    kernel_log: OnceCell<Result<Vec<KernelLine>, HostError>>,
    counters: OnceCell<BTreeMap<String, u64>>,
    meminfo: OnceCell<BTreeMap<String, u64>>,
    processes: OnceCell<Option<Vec<Process>>>,
}

/// Asks the engine for its containers; the error is why that can't be done, in words.
pub type AskContainers<'a> = &'a dyn Fn() -> Result<Containers, String>;

/// What was applied, as far as checks need to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// The newest generation in force.
    pub generation: Option<u32>,
    /// Its date, RFC 3339.
    pub created: Option<String>,
    /// The newest generation in force with changes that only a reboot completes.
    pub needs_reboot: Option<u32>,
    /// The host was booted since that one; `None` where that can't be told.
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
            waits_for_its_boot: false,
            ask_engine,
            ask_containers: None,
            containers: OnceCell::new(),
            engine: OnceCell::new(),
            dockerd: OnceCell::new(),
            listeners: OnceCell::new(),
            running: OnceCell::new(),
            sysctl: OnceCell::new(),
            grub_files: OnceCell::new(),
            grub_cfg: OnceCell::new(),
            kernel_log: OnceCell::new(),
            counters: OnceCell::new(),
            meminfo: OnceCell::new(),
            processes: OnceCell::new(),
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

    /// Did a generation in force set this? Then a finding about it is never passed over for another one.
    pub fn was_applied(&self, target: &str) -> bool {
        self.applied.touched.contains_key(target)
    }

    /// What the Docker engine says of itself: asked once.
    pub fn engine(&self) -> &Engine {
        self.engine.get_or_init(|| (self.ask_engine)())
    }

    /// The same, with a way to ask for the engine's containers.
    #[must_use]
    pub fn with_containers(self, ask: AskContainers<'a>) -> Self {
        Self { ask_containers: Some(ask), ..self }
    }

    /// The engine's containers; an error in words where they can't be asked for. Asked once.
    pub fn containers(&self) -> Result<&Containers, &String> {
        let ask = || self.ask_containers.map_or_else(|| Err(t!("nobody asked the engine")), |ask| ask());
        self.containers.get_or_init(ask).as_ref()
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

    /// The files that `grub.cfg` is made from; an error in words where one can't be read.
    pub fn grub_files(&self) -> Result<&grub::Files, &String> {
        self.grub_files.get_or_init(|| grub::Files::read(self.host())).as_ref()
    }

    /// The text of `grub.cfg`; `None` where GRUB has none here.
    pub fn grub_cfg(&self) -> Result<Option<&str>, &String> {
        let read = || match &self.facts().boot.grub_cfg {
            Some(path) => self.host().read_text(path).map_err(|error| error.to_string()),
            None => Ok(None),
        };
        self.grub_cfg.get_or_init(read).as_ref().map(Option::as_deref)
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

    /// What runs; `None` in a tree, and where there are too many to look at.
    pub fn processes(&self) -> Option<&[Process]> {
        let page = self.facts().memory.page_bytes;
        let read = || self.is_live().then(|| processes::read(self.host(), page)).flatten();
        self.processes.get_or_init(read).as_deref()
    }

    /// A file of zswap's in debugfs; root's only, and only where debugfs is mounted.
    pub fn zswap_counter(&self, name: &str) -> Option<u64> {
        self.host().value(&format!("/sys/kernel/debug/zswap/{name}"))?.parse().ok()
    }
}
