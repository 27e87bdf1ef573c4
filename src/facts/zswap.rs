//! zswap as the kernel runs it.

use super::Zswap;
use crate::host::Host;

pub(super) fn read(host: &Host) -> Zswap {
    let value = |name: &str| host.value(&format!("/sys/module/zswap/parameters/{name}"));
    let yes = |value: String| matches!(value.as_str(), "Y" | "y" | "1");
    let Some(enabled) = value("enabled") else {
        return Zswap { available: host.exists("/sys/module/zswap"), ..Zswap::default() };
    };
    Zswap {
        available: true,
        enabled: yes(enabled),
        compressor: value("compressor"),
        zpool: value("zpool"),
        max_pool_percent: value("max_pool_percent").and_then(|percent| percent.parse().ok()),
        shrinker: value("shrinker_enabled").map(yes),
    }
}
