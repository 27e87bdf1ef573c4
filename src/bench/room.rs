//! Is there room for it? A host that serves others has none to lose for a measurement, and a container no more than its limit.

use crate::facts::cgroup::own_memory_left;
use crate::facts::memory::numbers;
use crate::host::Host;
use crate::t;
use crate::units::{Bytes, MIB};

/// What stays free besides, bytes: whoever else works here needs more now and then.
pub(super) const MARGIN: u64 = 256 * MIB;

/// What the kernel could hand out without swapping, bytes; `None` where it does not tell.
pub(super) fn on_host(host: &Host) -> Option<u64> {
    numbers(&host.value("/proc/meminfo")?).get("MemAvailable").copied()
}

/// The same for us and what we start: no more than the limits of the control groups that we are in leave.
pub(super) fn available(host: &Host) -> Option<u64> {
    [on_host(host), own_memory_left(host)].into_iter().flatten().min()
}

/// Why it is left out, where that is not enough.
pub(super) fn lacks(need: u64, available: Option<u64>) -> Option<String> {
    let need = need.saturating_add(MARGIN);
    let available = available.filter(|available| *available < need)?;
    Some(t!(
        "it needs {need}, and {available} are available: left out",
        need = Bytes(need),
        available = Bytes(available)
    ))
}

/// What a model needs of which only the size of its weights is known: an eighth more for the context and the calculation.
pub(super) const fn by_weights(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / 8)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // trees of the tests' own
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_too_large_is_told_with_both_figures() {
        let told = lacks(4352 * MIB, Some(3174 * MIB + 5)).unwrap();
        assert!(told.contains("4608MiB") && told.contains("3.0GiB"), "{told}");
        assert_eq!(lacks(1024 * MIB, Some(1280 * MIB)), None);
        assert!(lacks(1024 * MIB + 1, Some(1280 * MIB)).is_some());
        // Nothing is left out because nobody knows.
        assert_eq!(lacks(u64::MAX, None), None);
        assert!(available(&Host::live().unwrap()).unwrap() > MIB);
    }

    /// A host with 8 GiB available, and these files besides.
    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in
            files.iter().chain(&[("proc/meminfo", "MemTotal: 9 kB\nMemAvailable: 8388608 kB\n")])
        {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let host = Host::at(folder.path()).unwrap();
        (folder, host)
    }

    #[test]
    fn a_containers_limit_counts_less_what_is_held_in_it() {
        let (_folder, host) = tree(&[]);
        assert_eq!(available(&host), Some(8 << 30));
        // A worker of the bundled profiles sees its own group as the top. Cached files go by themselves.
        let stat = "anon 1\ninactive_file 104857600\nactive_file 104857600\n";
        let (_folder, host) = tree(&[
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/cgroup.controllers", "memory\n"),
            ("sys/fs/cgroup/memory.max", "1073741824\n"),
            ("sys/fs/cgroup/memory.current", "524288000\n"),
            ("sys/fs/cgroup/memory.stat", stat),
        ]);
        assert_eq!((available(&host), on_host(&host)), (Some(724 * MIB), Some(8 << 30)));
        // The tightest of all groups around it counts.
        let (_folder, host) = tree(&[
            ("proc/self/cgroup", "0::/user.slice/shell.scope\n"),
            ("sys/fs/cgroup/cgroup.controllers", "memory\n"),
            ("sys/fs/cgroup/user.slice/memory.max", "209715200\n"),
            ("sys/fs/cgroup/user.slice/memory.current", "104857600\n"),
            ("sys/fs/cgroup/user.slice/memory.stat", "anon 1\n"),
            ("sys/fs/cgroup/user.slice/shell.scope/memory.max", "max\n"),
        ]);
        assert_eq!(available(&host), Some(100 * MIB));
        // Version 1, whose top says a number that is none.
        let (_folder, host) = tree(&[
            ("proc/self/cgroup", "4:memory:/docker/x\n0::/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "5\n"),
            ("sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "314572800\n"),
            ("sys/fs/cgroup/memory/docker/x/memory.usage_in_bytes", "104857600\n"),
            ("sys/fs/cgroup/memory/docker/x/memory.stat", "total_inactive_file 0\n"),
        ]);
        assert_eq!(available(&host), Some(200 * MIB));
    }
}
