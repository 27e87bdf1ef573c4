//! Memory: is there as much as the profile counts on, and does nobody take it away?

mod budget;
mod kernel;

use super::{Check, Evidence, Outcome, Remedy, Scene, Severity, shared};

const MEMINFO: &str = "/proc/meminfo";
const MGLRU_DOC: &str = "Linux Documentation/admin-guide/mm/multigen_lru.rst";
const PROFILE: Remedy = Remedy::ByHand {
    cost: "Smaller limits, or a larger host.",
    risk: "A program that needs more than its limit is killed.",
    undo: "Edit the profile.",
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CT-MEM-001",
        title: "the host has the RAM that the profile is made for",
        severity: Severity::High,
        why: "A profile's limits are counted for a certain size; on less they promise memory that is not there.",
        remedy: PROFILE,
        source: "docs/profile-reference.md, memory.at_least",
        look: budget::at_least,
    },
    Check {
        id: "CT-MEM-002",
        title: "all limits and the system's reserve fit the RAM",
        severity: Severity::High,
        why: "When every container uses what it may, something must still be left for the kernel, or the OOM killer decides.",
        remedy: PROFILE,
        source: "docs/profile-reference.md, memory.reserve",
        look: budget::fits,
    },
    Check {
        id: "CT-MEM-003",
        title: "huge pages take nothing that is needed",
        severity: Severity::Medium,
        why: "Reserved huge pages are RAM that nothing else can use, not even when memory runs out.",
        remedy: Remedy::ByHand {
            cost: "None, where nobody uses them.",
            risk: "A program that asks for huge pages (PostgreSQL's huge_pages = on) does not start without them.",
            undo: "Set vm.nr_hugepages to the earlier number.",
        },
        source: "Linux Documentation/admin-guide/mm/hugetlbpage.rst",
        look: kernel::huge_pages,
    },
    Check {
        id: "CT-MEM-004",
        title: "the swap holds what the containers may swap",
        severity: Severity::Medium,
        why: "A container that may swap and finds the swap full is killed at its limit, as if it had none.",
        remedy: Remedy::Tunable("swap"),
        source: "Linux Documentation/admin-guide/cgroup-v2.rst, memory.swap.max",
        look: budget::swap_allowances,
    },
    Check {
        id: "CT-MEM-005",
        title: "programs do not wait for huge pages to be made",
        severity: Severity::Low,
        why: "With enabled and defrag both on always, each page fault may first move memory about: latency without a reason.",
        remedy: Remedy::ByHand {
            cost: "A few per cent of speed for programs that gain from huge pages at once.",
            risk: "None known; madvise is the kernel's default for defrag.",
            undo: "Write the earlier value back.",
        },
        source: "Linux Documentation/admin-guide/mm/transhuge.rst",
        look: kernel::transparent_huge_pages,
    },
    Check {
        id: "CT-MEM-006",
        title: "the working set is guarded as the profile asks",
        severity: Severity::Medium,
        why: "Without the guard a host that runs short swaps its own working set in circles, for minutes in which nobody can log in.",
        remedy: Remedy::Tunable("mglru"),
        source: MGLRU_DOC,
        look: kernel::guard,
    },
    Check {
        id: "CT-MEM-007",
        title: "the multi-generational LRU is on, so that its guard works",
        severity: Severity::Medium,
        why: "Some kernels have it built in and switched off (Debian 12's): min_ttl_ms can be set there, and does nothing.",
        remedy: Remedy::Tunable("mglru"),
        source: MGLRU_DOC,
        look: kernel::lru_gen,
    },
    Check {
        id: "CT-MEM-008",
        title: "the guard is set again at every boot",
        severity: Severity::Medium,
        why: "min_ttl_ms lies in sysfs: after a reboot it is 0 unless a file says otherwise.",
        remedy: Remedy::Tunable("mglru"),
        source: "tmpfiles.d(5)",
        look: kernel::guard_at_boot,
    },
    Check {
        id: "CT-MEM-009",
        title: "the crash kernel takes no more than a twentieth of the RAM",
        severity: Severity::Info,
        why: "Memory for a crash kernel is set aside at boot and missing from all that the host has.",
        remedy: Remedy::ByHand {
            cost: "Without it there is no dump after a kernel panic.",
            risk: "None for the running host.",
            undo: "Put the argument back on the boot line.",
        },
        source: "Linux Documentation/admin-guide/kdump/kdump.rst",
        look: kernel::crash_kernel,
    },
    Check {
        id: "CT-MEM-010",
        title: "memory is available now",
        severity: Severity::Medium,
        why: "MemAvailable is what programs can still get without swapping; near zero, the next burst ends with the OOM killer.",
        remedy: Remedy::Know,
        source: "/proc/meminfo: MemAvailable",
        look: budget::available,
    },
    Check {
        id: "CT-MEM-011",
        title: "programs outside containers fit the system's reserve",
        severity: Severity::Medium,
        why: "What runs beside the containers has no limit and lives off the reserve; more than that, and the containers' limits \
              can't all be kept.",
        remedy: Remedy::ByHand {
            cost: "The time to move or end a program.",
            risk: "Whatever needs the program.",
            undo: "Start it again.",
        },
        source: "docs/profile-reference.md, memory.reserve; /proc/*/statm",
        look: budget::outside,
    },
];

/// The RAM in bytes, or that nobody tells.
fn ram(scene: &Scene<'_>) -> Result<u64, Vec<Outcome>> {
    match scene.facts().memory.total_bytes {
        0 => Err(Outcome::not_here(MEMINFO).into()),
        bytes => Ok(bytes),
    }
}

fn total(bytes: u64) -> Evidence {
    Evidence::file(MEMINFO, format!("MemTotal: {} kB", bytes >> 10))
}

/// What is promised: each service's limit, the largest first.
fn limits<'s>(scene: &'s Scene<'_>) -> Vec<(&'s str, u64)> {
    let services = &scene.wish().services;
    let mut limits: Vec<(&str, u64)> =
        services.iter().filter_map(|(name, s)| Some((name.as_str(), s.memory?.0))).collect();
    limits.sort_by_key(|(name, bytes)| (std::cmp::Reverse(*bytes), *name));
    limits
}

/// All limits and the reserve together.
fn promised(scene: &Scene<'_>) -> u64 {
    limits(scene).iter().fold(scene.wish().memory.reserve.0, |sum, (_, bytes)| sum.saturating_add(*bytes))
}
