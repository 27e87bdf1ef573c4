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

/// A container's own folder in the hierarchy of the memory controller; its first process may sit deeper.
pub fn of_container(host: &Host, is_v2: bool, pid: u32, id: &str) -> Option<String> {
    let folder = of_process(host, is_v2, pid)?;
    let Some(at) = folder.find(id).filter(|_| !id.is_empty()) else { return Some(folder) };
    let end = folder[at..].find('/').map_or(folder.len(), |slash| at + slash);
    Some(folder[..end].to_owned())
}

fn of_process(host: &Host, is_v2: bool, pid: impl std::fmt::Display) -> Option<String> {
    let text = host.read_text(&format!("/proc/{pid}/cgroup")).ok().flatten()?;
    if is_v2 {
        let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
        return Some(format!("/sys/fs/cgroup{path}"));
    }
    let is_memory =
        |line: &&str| line.split(':').nth(1).is_some_and(|names| names.split(',').any(|n| n == "memory"));
    let path = text.lines().find(is_memory)?.splitn(3, ':').nth(2)?.to_owned();
    Some(format!("/sys/fs/cgroup/memory{path}"))
}

/// What the processes in `folder` hold, bytes: without the cached files, which go by themselves when a limit comes down.
pub fn held(host: &Host, folder: &str) -> Option<u64> {
    let number = |name: &str| host.value(&format!("{folder}/{name}"))?.trim().parse::<u64>().ok();
    let all = number("memory.current").or_else(|| number("memory.usage_in_bytes"))?;
    let stat = host.value(&format!("{folder}/memory.stat"))?;
    let of = |name: &str| {
        let line = stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.trim().parse::<u64>().ok())
    };
    // cgroup v1 has both: of the group alone, and of all below it.
    let files = |name: &str| of(&format!("total_{name}")).or_else(|| of(name)).unwrap_or(0);
    Some(all.saturating_sub(files("active_file")).saturating_sub(files("inactive_file")))
}

/// How often the kernel killed in a container for want of memory since it was started, and where that is written.
pub fn oom_kills(host: &Host, is_v2: bool, pid: u32, id: &str) -> Option<(u64, String)> {
    let folder = of_container(host, is_v2, pid, id)?;
    let path = format!("{folder}/{}", if is_v2 { "memory.events" } else { "memory.oom_control" });
    let text = host.value(&path)?;
    let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
    Some((count.trim().parse().ok()?, path))
}

/// The memory limit of the container that we run in, bytes; none where there is none.
pub fn own_memory_limit(host: &Host) -> Option<u64> {
    // In a container its own group is the root of what it sees.
    let paths = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limit = paths.into_iter().find_map(|path| host.value(path))?;
    limit.parse().ok().filter(|bytes| *bytes < 1 << 60)
}

/// What the limits of our own control group and of those around it leave, bytes; none where none of them has a limit.
pub fn own_memory_left(host: &Host) -> Option<u64> {
    let is_v2 = is_v2(host);
    let top = if is_v2 { "/sys/fs/cgroup" } else { "/sys/fs/cgroup/memory" };
    let own = of_process(host, is_v2, "self").unwrap_or_else(|| top.to_owned());
    let left = |folder: &str| {
        let number = |name: &str| host.value(&format!("{folder}/{name}"))?.parse::<u64>().ok();
        let limit = number("memory.max").or_else(|| number("memory.limit_in_bytes"));
        let limit = limit.filter(|bytes| *bytes < 1 << 60)?;
        Some(limit.saturating_sub(held(host, folder)?))
    };
    // Where a container sees its own group as the top, the folders of its host are not there, and say nothing.
    let groups = std::iter::successors(Some(own.trim_end_matches('/')), |folder| {
        folder.rsplit_once('/').map(|(above, _)| above).filter(|above| above.starts_with(top))
    });
    groups.filter_map(left).min()
}

/// Is version 2 the hierarchy that holds limits?
pub fn is_v2(host: &Host) -> bool {
    read(host) == Cgroup::V2
}
