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
    match kernel.config.get("CONFIG_PSI").map(String::as_str) {
        Some("y") => Psi::Off,
        Some(_) => Psi::Absent,
        None if host.is_live() => Psi::Absent,
        None => Psi::Unknown,
    }
}
