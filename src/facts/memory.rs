//! Memory: `/proc/meminfo`, transparent huge pages, the multi-generational LRU.

use std::collections::BTreeMap;

use super::{Memory, Mglru};
use crate::host::Host;

/// The lines of a file such as `/proc/meminfo` or `/proc/vmstat`: `name: value kB` and `name value`, as numbers; kB as
/// bytes.
pub fn numbers(text: &str) -> BTreeMap<String, u64> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?.trim_end_matches(':').to_owned();
            let value: u64 = words.next()?.parse().ok()?;
            Some((name, if words.next() == Some("kB") { value.saturating_mul(1024) } else { value }))
        })
        .collect()
}

/// Reads the text of `/proc/meminfo`. Without a total it is none.
pub(super) fn parse(text: &str) -> Memory {
    let numbers = numbers(text);
    let number = |name: &str| numbers.get(name).copied();
    let Some(total_bytes) = number("MemTotal") else { return Memory::default() };
    Memory {
        total_bytes,
        available_bytes: number("MemAvailable").or_else(|| number("MemFree")).unwrap_or(0),
        swap_total_bytes: number("SwapTotal").unwrap_or(0),
        swap_free_bytes: number("SwapFree").unwrap_or(0),
        page_bytes: 4096,
    }
}

/// The value in brackets: `always [madvise] never`.
pub(super) fn chosen(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    Some(rest.split_once(']')?.0.to_owned())
}

pub(super) fn read(host: &Host) -> Memory {
    host.value("/proc/meminfo").map(|text| parse(&text)).unwrap_or_default()
}

pub(super) fn read_thp(host: &Host) -> Option<String> {
    chosen(&host.value("/sys/kernel/mm/transparent_hugepage/enabled")?)
}

pub(super) fn read_mglru(host: &Host) -> Option<Mglru> {
    let enabled = host.value("/sys/kernel/mm/lru_gen/enabled")?;
    let enabled = u32::from_str_radix(enabled.trim_start_matches("0x"), 16).unwrap_or(0);
    let min_ttl_ms =
        host.value("/sys/kernel/mm/lru_gen/min_ttl_ms").and_then(|value| value.parse().ok()).unwrap_or(0);
    Some(Mglru { enabled, min_ttl_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bracketed_one() {
        assert_eq!(chosen("always [madvise] never").as_deref(), Some("madvise"));
        assert_eq!(chosen("nothing"), None);
    }

    #[test]
    fn nonsense_is_unknown() {
        assert_eq!(parse("not meminfo"), Memory::default());
        let most = parse("MemTotal: 18446744073709551615 kB\nMemAvailable: x kB\nMemFree: 1 kB\n");
        assert_eq!((most.total_bytes, most.available_bytes), (u64::MAX, 1024));
    }

    #[test]
    fn counters_and_sizes() {
        let found = numbers("oom_kill 3\nMemTotal:  10 kB\nHugePages_Total:       2\nnonsense\n");
        assert_eq!(
            (found["oom_kill"], found["MemTotal"], found["HugePages_Total"], found.len()),
            (3, 10240, 2, 3)
        );
    }
}
