//! What sizing rules know of a host.

use super::rule::{Rule, Var, Vars};
use crate::units::{Bytes, MIB};

/// The figures of a host that rules may speak of. 0 stands for "not known".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Numbers {
    /// `MemTotal`, in bytes.
    pub ram_bytes: u64,
    /// Logical CPUs online.
    pub cores: u64,
    /// Size of the file system that holds the swap file, in bytes.
    pub disk_bytes: u64,
}

impl Numbers {
    /// A host that nobody has seen: so much RAM, four CPUs and 100 GB of disk. `validate` uses it.
    pub const fn nominal(ram_bytes: u64) -> Self {
        Self { ram_bytes, cores: 4, disk_bytes: 100_000_000_000 }
    }

    /// The figures that a rule speaks of, for a message: ` (ram = 7629MiB, cores = 4)`.
    pub(super) fn figures(self, rule: &Rule) -> String {
        let figures = [
            (Var::Ram, Bytes(self.ram_bytes / MIB * MIB).to_string()),
            (Var::Cores, self.cores.to_string()),
            (Var::Disk, Bytes(self.disk_bytes / MIB * MIB).to_string()),
        ];
        let used = figures.iter().filter(|(var, _)| rule.uses(*var));
        let used: Vec<String> = used.map(|(var, figure)| format!("{} = {figure}", var.name())).collect();
        if used.is_empty() { String::new() } else { format!(" ({})", used.join(", ")) }
    }

    pub(super) const fn vars(self) -> Vars {
        Vars { ram: self.ram_bytes, cores: self.cores, disk: self.disk_bytes, memory: None }
    }
}
