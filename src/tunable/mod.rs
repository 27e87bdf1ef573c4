//! The tunables: one file each, which says all about one thing that we set right.
//!
//! Adding one is adding a file and a line in [`ALL`].

mod boot;
mod cgroup;
mod gap;
pub(crate) mod initramfs;
pub(crate) mod mglru;
mod own_profile;
mod psi;
mod supervisor;
pub(crate) mod swapfile;
pub mod sysctl;
mod template;
pub(crate) mod zram;
pub mod zswap;

use crate::facts::Facts;
use crate::host::{Host, HostError};
use crate::profile::Settings;

pub(crate) use boot::{
    DROP_IN as GRUB_DROP_IN, boots_with as grub_boots_with, kernel_lines as grub_kernel_lines,
    lacking as boot_line_lacks,
};
pub use gap::{Gap, tidy};
pub(crate) use mglru::FILE as TMPFILES;
pub(crate) use own_profile::FILE as OWN_PROFILE;
pub(crate) use sysctl::FILE as SYSCTL_FILE;

/// Everything that a tunable may look at. It reads and never writes.
pub struct Context<'a> {
    /// What is wanted.
    pub wish: &'a Settings,
    /// What the host is.
    pub facts: &'a Facts,
    /// The host itself, for the files behind the facts.
    pub host: &'a Host,
    /// The text for the host's own profile, where another one is asked for.
    pub remember: Option<&'a str>,
}

/// What a person should know of a tunable; `explain` and the reference pages are made from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Doc {
    /// Short and stable, as in `plan` and `explain`.
    pub id: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// Why it is worth doing.
    pub why: &'static str,
    /// What it costs.
    pub cost: &'static str,
    /// What could go wrong.
    pub risk: &'static str,
    /// Where that is known from.
    pub source: &'static str,
    /// How it is taken back.
    pub undo: &'static str,
    /// The keys of a profile that it follows.
    pub keys: &'static [&'static str],
}

/// One thing that we set right.
pub trait Tunable: Sync {
    /// All about it.
    fn doc(&self) -> &'static Doc;

    /// Compares the host with the wish and says which changes close the gap.
    fn gap(&self, context: &Context<'_>, gap: &mut Gap) -> Result<(), HostError>;

    /// What it wants on the kernel command line, in order.
    fn kernel_args(&self, _: &Context<'_>) -> Vec<String> {
        Vec::new()
    }

    /// Modules that must be in the initramfs for that to work.
    fn early_modules(&self, _: &Context<'_>) -> Vec<String> {
        Vec::new()
    }
}

/// Every tunable, in the order in which a plan lists them: room for memory first, then who uses it, then the next boot.
pub const ALL: [&dyn Tunable; 11] = [
    &own_profile::OwnProfile,
    &swapfile::SwapFile,
    &zram::Zram,
    &zswap::Zswap,
    &sysctl::Sysctl,
    &mglru::Mglru,
    &psi::Psi,
    &cgroup::CgroupV2,
    &initramfs::EarlyModules,
    &boot::BootLine,
    &supervisor::Supervisor,
];

impl Context<'_> {
    /// Every argument that the tunables and the profile want on the kernel command line.
    pub fn kernel_args(&self) -> Vec<String> {
        let mut args: Vec<String> = ALL.iter().flat_map(|tunable| tunable.kernel_args(self)).collect();
        args.extend(self.wish.boot.kernel_args.iter().cloned());
        args
    }

    /// Is this argument in the boot drop-in that we wrote earlier? What the running kernel no longer lacks because
    /// of it must stay there.
    pub fn already_boots_with(&self, arg: &str) -> bool {
        let text = self.host.read_text(boot::DROP_IN).ok().flatten().unwrap_or_default();
        text.split(|c: char| c.is_whitespace() || c == '"').any(|word| word == arg)
    }

    /// Does systemd run this host (or will it, under `--root`)?
    pub fn has_systemd(&self) -> bool {
        match self.facts.init.as_deref() {
            Some(init) => init == "systemd",
            None => ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"].iter().any(|p| self.host.exists(p)),
        }
    }
}
