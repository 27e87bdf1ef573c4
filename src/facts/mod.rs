//! What the host is: one topic a file, each a pure `parse(&str)` and a small `read(&Host)` beside it.

pub mod apt;
mod boot;
pub mod cgroup;
pub mod containers;
mod cpu;
mod disks;
mod docker;
pub mod dockerd;
pub mod engine;
pub mod fstab;
pub mod gguf;
pub mod grub;
pub mod kernel;
pub mod memory;
mod mounts;
pub mod oom;
mod os;
pub mod processes;
pub mod smaps;
pub mod sockets;
mod survey;
mod swap;
pub mod sysctl;
pub mod tuned;
mod tuners;
mod virtualization;
mod zswap;

use serde::Serialize;

pub use cpu::Avx512;
pub use survey::Survey;

use crate::host::{Host, Result};

/// All that we know of a host. `None` and empty mean that the host did not say.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Facts {
    /// Distribution.
    pub os: Os,
    /// Kernel.
    pub kernel: Kernel,
    /// Processor.
    pub cpu: Cpu,
    /// Memory.
    pub memory: Memory,
    /// Boot loader and command line.
    pub boot: Boot,
    /// Active swap areas, as `/proc/swaps` lists them.
    pub swap: Vec<SwapArea>,
    /// zswap as the kernel runs it.
    pub zswap: Zswap,
    /// zram devices.
    pub zram: Vec<Zram>,
    /// Control groups.
    pub cgroup: Cgroup,
    /// Pressure stall information.
    pub psi: Psi,
    /// Docker Engine.
    pub docker: Docker,
    /// Mounted file systems (the real ones).
    pub mounts: Vec<Mount>,
    /// Physical disks.
    pub disks: Vec<Disk>,
    /// Virtual machine and container detection.
    pub virtualization: Virtualization,
    /// Other programs that set the same knobs.
    pub tuners: Vec<Tuner>,
    /// `/sys/kernel/mm/transparent_hugepage/enabled`, the value in brackets.
    pub thp: Option<String>,
    /// Multi-generational LRU.
    pub mglru: Option<Mglru>,
    /// The init system: `systemd`, or what PID 1 is called.
    pub init: Option<String>,
}

/// `/etc/os-release`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Os {
    /// `ID`, for example `ubuntu`.
    pub id: String,
    /// `VERSION_ID`, for example `24.04`.
    pub version: String,
    /// `PRETTY_NAME`.
    pub name: String,
    /// `ID_LIKE`, split at blanks.
    pub like: Vec<String>,
}

/// The running kernel, and what its build can do.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Kernel {
    /// As `uname -r` says; under `--root`, `/proc/sys/kernel/osrelease`, else the newest of `/lib/modules`.
    pub release: String,
    /// Major and minor number.
    pub version: (u32, u32),
    /// zswap is in this kernel: `/sys/module/zswap` is there, or the build's config says so.
    pub has_zswap: Option<bool>,
    /// Of the modules that we ask about (lz4, lz4hc, zstd, lzo, lzo-rle, deflate, 842, z3fold, zbud, zsmalloc, zram): how each exists.
    pub modules: std::collections::BTreeMap<String, ModuleKind>,
    /// `CONFIG_` options that we ask about, where `/boot/config-RELEASE` told: `y`, `m` or `n`.
    pub config: std::collections::BTreeMap<String, String>,
}

/// How a kernel has a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ModuleKind {
    /// In the kernel image (`modules.builtin`).
    Builtin,
    /// A file that can be loaded (`modules.dep`).
    Loadable,
    /// Not in this kernel.
    Absent,
}

/// The processor.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Cpu {
    /// `AuthenticAMD`, `GenuineIntel`, …
    pub vendor: String,
    /// Family number, extended family included.
    pub family: u32,
    /// Model number, extended model included.
    pub model: u32,
    /// The name string.
    pub name: String,
    /// Logical CPUs online.
    pub threads: usize,
    /// Physical cores.
    pub cores: usize,
    /// Sockets.
    pub sockets: usize,
    /// NUMA nodes.
    pub numa_nodes: usize,
    /// AVX-512 flags as `/proc/cpuinfo` spells them.
    pub avx512: Vec<String>,
    /// The processor offers AVX-512F and the operating system saves its registers (XCR0).
    pub avx512_usable: bool,
    /// XCR0 as read by XGETBV; only on the live host.
    pub xcr0: Option<u64>,
    /// Of the instructions that a model on the CPU lives on (`avx`, `avx2`, `fma`, `f16c`, `bmi2`, `avx_vnni`): those that
    /// `/proc/cpuinfo` lists.
    pub simd: Vec<String>,
    /// The microarchitecture where we know it (`Zen 4 (Genoa)`), and whether it should have AVX-512.
    pub microarchitecture: Option<String>,
    /// What a person should know, for example that Milan has no AVX-512 or that flags are masked.
    pub remarks: Vec<String>,
}

/// `/proc/meminfo`, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Memory {
    /// `MemTotal`.
    pub total_bytes: u64,
    /// `MemAvailable`.
    pub available_bytes: u64,
    /// `SwapTotal`.
    pub swap_total_bytes: u64,
    /// `SwapFree`.
    pub swap_free_bytes: u64,
    /// Bytes per page.
    pub page_bytes: u64,
}

/// The boot chain.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Boot {
    /// What boots this host.
    pub loader: Loader,
    /// `/proc/cmdline`.
    pub cmdline: String,
    /// What makes the initramfs.
    pub initramfs: Initramfs,
    /// Booted through UEFI.
    pub uefi: bool,
    /// `/boot/grub/grub.cfg` (or where it is), when there is GRUB.
    pub grub_cfg: Option<String>,
}

/// Boot loaders that we tell apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loader {
    /// GRUB 2 with `grub-mkconfig` on the host.
    Grub,
    /// systemd-boot or a unified kernel image.
    SystemdBoot,
    /// flash-kernel, U-Boot and the like.
    FlashKernel,
    /// A container (LXC, OpenVZ, Docker): there is no kernel of its own.
    None,
    /// The provider boots an external kernel, or we can't tell.
    #[default]
    Unknown,
}

/// What makes the initramfs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initramfs {
    /// Debian's and Ubuntu's (before 25.10) initramfs-tools.
    InitramfsTools,
    /// dracut.
    Dracut,
    /// Neither.
    #[default]
    None,
}

/// A line of `/proc/swaps`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SwapArea {
    /// Path, unescaped.
    pub path: String,
    /// `file`, `partition`, or `zram`.
    pub kind: String,
    /// Bytes.
    pub size_bytes: u64,
    /// Bytes.
    pub used_bytes: u64,
    /// Priority.
    pub priority: i32,
    /// Of a file: what it lies on (`ext4`, `xfs`, …), where the mounts tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_system: Option<String>,
}

/// `/sys/module/zswap/parameters`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Zswap {
    /// The kernel has zswap.
    pub available: bool,
    /// `enabled`.
    pub enabled: bool,
    /// `compressor`.
    pub compressor: Option<String>,
    /// `zpool`; `None` where the kernel has no such parameter (6.18 and later).
    pub zpool: Option<String>,
    /// `max_pool_percent`.
    pub max_pool_percent: Option<u64>,
    /// `shrinker_enabled` (6.8 and later).
    pub shrinker: Option<bool>,
}

/// One zram device.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Zram {
    /// `zram0`.
    pub name: String,
    /// `disksize`, bytes.
    pub size_bytes: u64,
    /// Uncompressed data held, bytes (`mm_stat` field 1).
    pub data_bytes: u64,
    /// Used as swap now.
    pub active: bool,
    /// `comp_algorithm`, the one in brackets.
    pub algorithm: Option<String>,
}

/// Which hierarchy is mounted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cgroup {
    /// Unified.
    V2,
    /// v1 with a v2 tree for systemd.
    Hybrid,
    /// Legacy.
    V1,
    /// Nothing mounted, or not told.
    #[default]
    Unknown,
}

/// Pressure stall information.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Psi {
    /// `/proc/pressure/memory` answers.
    On,
    /// Built in, but switched off (`psi=1` wakes it).
    Off,
    /// Not in this kernel.
    Absent,
    /// Not told.
    #[default]
    Unknown,
}

/// The Docker engine, as far as files tell.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Docker {
    /// `running` (its socket is there), `installed`, `snap`, or `absent`.
    pub state: String,
    /// The engine's version, where a package database or the engine told it.
    pub version: Option<String>,
    /// API version, where the engine told it.
    pub api: Option<String>,
}

/// One mount.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Mount {
    /// Where.
    pub target: String,
    /// `ext4`, `xfs`, `btrfs`, `zfs`, …
    pub fstype: String,
    /// The device or dataset.
    pub source: String,
    /// Mounted read-only.
    pub read_only: bool,
    /// The options of this mount, and behind them those of the file system; parted by commas.
    #[serde(skip)]
    pub options: (String, String),
}

/// One whole disk of `/sys/block`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Disk {
    /// `nvme0n1`.
    pub name: String,
    /// `nvme`, `ssd`, `rotational`, `virtual` (virtio: the host decides what is behind it).
    pub kind: String,
    /// Bytes.
    pub size_bytes: u64,
    /// Model string where there is one.
    pub model: Option<String>,
}

/// What runs below us.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Virtualization {
    /// `kvm`, `xen`, `vmware`, `hyperv`, …; `None` on metal or where not told.
    pub vm: Option<String>,
    /// `docker`, `lxc`, `openvz`, `podman`, `systemd-nspawn`, …
    pub container: Option<String>,
}

/// Another program that sets knobs of ours.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Tuner {
    /// `tuned`, `zram-tools`, `zram-generator`, `zram-config`, `cloud-init-swap`, `sysctl-file`, …
    pub name: String,
    /// The file that shows it.
    pub evidence: String,
    /// What it sets that we set too, or would.
    pub touches: String,
    /// Enabled or running, as far as files tell.
    pub active: bool,
}

/// `/sys/kernel/mm/lru_gen`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Mglru {
    /// The bit mask of `enabled`.
    pub enabled: u32,
    /// `min_ttl_ms`.
    pub min_ttl_ms: u64,
}

impl Facts {
    /// The file system that holds (or will hold) `path`.
    pub fn mount_of(&self, path: &str) -> Option<&Mount> {
        mounts::holding(&self.mounts, path)
    }

    /// Looks at everything. What a host does not tell stays unknown; nothing is run and nothing is written.
    pub fn read(host: &Host) -> Result<Self> {
        let kernel = kernel::read(host);
        let virtualization = virtualization::read(host);
        let mounts = mounts::read(host);
        Ok(Self {
            os: os::read(host),
            cpu: cpu::read(host),
            memory: memory::read(host),
            boot: boot::read(host, &virtualization),
            swap: swap::read(host, &mounts),
            zswap: zswap::read(host),
            zram: swap::read_zram(host),
            cgroup: cgroup::read(host),
            psi: cgroup::read_psi(host, &kernel),
            docker: docker::read(host),
            mounts,
            disks: disks::read(host),
            tuners: tuners::read(host),
            thp: memory::read_thp(host),
            mglru: memory::read_mglru(host),
            init: host.value("/proc/1/comm"),
            kernel,
            virtualization,
        })
    }
}
