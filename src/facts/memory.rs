//! Memory: `/proc/meminfo`, transparent huge pages, the multi-generational LRU.

use procfs::FromRead as _;

use super::{Memory, Mglru};
use crate::host::Host;

/// Reads the text of `/proc/meminfo`.
pub(super) fn parse(text: &str) -> Memory {
    let Ok(info) = procfs::Meminfo::from_read(text.as_bytes()) else { return Memory::default() };
    Memory {
        total_bytes: info.mem_total,
        available_bytes: info.mem_available.unwrap_or(info.mem_free),
        swap_total_bytes: info.swap_total,
        swap_free_bytes: info.swap_free,
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
    }
}
