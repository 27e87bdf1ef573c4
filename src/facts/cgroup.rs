//! Control groups and pressure stall information.

use super::{Cgroup, Kernel, Psi};
use crate::host::Host;

pub(super) fn read(host: &Host) -> Cgroup {
    if host.exists("/sys/fs/cgroup/cgroup.controllers") {
        Cgroup::V2
    } else if host.exists("/sys/fs/cgroup/unified") && host.exists("/sys/fs/cgroup/memory") {
        Cgroup::Hybrid
    } else if host.exists("/sys/fs/cgroup/memory") {
        Cgroup::V1
    } else {
        Cgroup::Unknown
    }
}

pub(super) fn read_psi(host: &Host, kernel: &Kernel) -> Psi {
    // Where PSI is switched off the file is there and reading it fails with EOPNOTSUPP.
    match host.read_text("/proc/pressure/memory") {
        Ok(Some(text)) if text.starts_with("some") => return Psi::On,
        Ok(Some(_)) | Err(_) => return Psi::Off,
        Ok(None) => {}
    }
    let built = |option: &str| kernel.config.get(option).map(|value| value == "y");
    match (built("CONFIG_PSI"), built("CONFIG_PSI_DEFAULT_DISABLED")) {
        (Some(false), _) => Psi::Absent,
        (Some(true), Some(true)) => Psi::Off,
        (Some(true), _) if host.is_live() => Psi::Off,
        (None, _) if host.is_live() => Psi::Absent,
        // A tree without /proc does not tell how its kernel will be booted.
        (Some(true) | None, _) => Psi::Unknown,
    }
}
