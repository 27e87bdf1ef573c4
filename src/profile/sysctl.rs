//! Kernel parameters: how their names are written, and what we know of those that matter here.

use std::borrow::Cow;

use crate::lang::say;

/// What we know of one parameter. The kernel has thousands; any may be set, these are checked.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// The least and the most that every supported kernel takes.
    pub range: (i64, i64),
    /// For sizes: the bytes that one unit of the value stands for.
    pub unit: Option<u64>,
}

const INT: i64 = i32::MAX as i64;

const fn known(name: &'static str, min: i64, max: i64) -> Known {
    Known { name, range: (min, max), unit: None }
}

const fn sized(name: &'static str, unit: u64, range: (i64, i64)) -> Known {
    Known { name, range, unit: Some(unit) }
}

const LONG: (i64, i64) = (0, i64::MAX);

/// Ranges as in the kernel's `kernel/sysctl.c`, `mm/` and `fs/`; the narrowest from 5.15 on.
pub const KNOWN: [Known; 32] = [
    known("vm.swappiness", 0, 200),
    known("vm.vfs_cache_pressure", 0, INT),
    known("vm.page-cluster", 0, 31),
    known("vm.watermark_scale_factor", 1, 1000),
    known("vm.watermark_boost_factor", 0, INT),
    sized("vm.min_free_kbytes", 1024, (0, INT)),
    sized("vm.admin_reserve_kbytes", 1024, LONG),
    sized("vm.user_reserve_kbytes", 1024, LONG),
    known("vm.overcommit_memory", 0, 2),
    known("vm.overcommit_ratio", 0, INT),
    sized("vm.overcommit_kbytes", 1024, LONG),
    // Less than two pages is passed over by the kernel without a word.
    sized("vm.dirty_bytes", 1, (8192, i64::MAX)),
    sized("vm.dirty_background_bytes", 1, (1, i64::MAX)),
    known("vm.dirty_ratio", 0, 100),
    known("vm.dirty_background_ratio", 0, 100),
    known("vm.dirty_expire_centisecs", 0, INT),
    known("vm.dirty_writeback_centisecs", 0, INT),
    known("vm.max_map_count", 0, INT),
    known("vm.compaction_proactiveness", 0, 100),
    known("vm.zone_reclaim_mode", 0, 7),
    known("vm.panic_on_oom", 0, 2),
    known("vm.oom_kill_allocating_task", 0, 1),
    known("fs.inotify.max_user_watches", 0, INT),
    known("fs.inotify.max_user_instances", 0, INT),
    known("fs.inotify.max_queued_events", 0, INT),
    known("fs.file-max", 0, i64::MAX),
    known("fs.aio-max-nr", 0, i64::MAX),
    known("kernel.pid_max", 301, 4_194_304),
    known("kernel.threads-max", 1, INT),
    known("kernel.numa_balancing", 0, 3),
    known("net.core.somaxconn", 0, INT),
    known("net.ipv4.ip_forward", 0, 1),
];

/// Pairs of which the kernel keeps only the one written last.
pub const EXCLUSIVE: [(&str, &str); 3] = [
    ("vm.dirty_bytes", "vm.dirty_ratio"),
    ("vm.dirty_background_bytes", "vm.dirty_background_ratio"),
    ("vm.overcommit_kbytes", "vm.overcommit_ratio"),
];

/// A parameter, a value, and why the value is doubtful.
pub type Doubt = (&'static str, &'static str, fn() -> Cow<'static, str>);

/// Values that are allowed, and why they are seldom a good idea.
pub const DOUBTFUL: [Doubt; 4] = [
    ("vm.overcommit_memory", "2", || {
        say("language models and containers reserve far more than they use, and will fail to start")
    }),
    ("vm.panic_on_oom", "1", || say("the whole host goes down where one container could be restarted")),
    ("vm.panic_on_oom", "2", || say("the whole host goes down where one container could be restarted")),
    ("net.ipv4.ip_forward", "0", || say("containers lose their network")),
];

/// What we know of the parameter.
pub fn of(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

#[cfg(test)]
mod tests {
    use super::super::shape::Shape;
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        for (i, known) in KNOWN.iter().enumerate() {
            assert_eq!(Shape::SysctlKey.check(known.name), Ok(()));
            assert!(known.range.0 < known.range.1, "{}", known.name);
            assert!(!KNOWN[..i].iter().any(|k| k.name == known.name), "{} is there twice", known.name);
        }
        let names = EXCLUSIVE.iter().flat_map(|(a, b)| [a, b]).chain(DOUBTFUL.iter().map(|(name, ..)| name));
        for name in names {
            assert!(of(name).is_some(), "{name}");
        }
    }
}
