//! Is there room for a model? A host that serves others has none to lose for a measurement.

use crate::facts::memory::numbers;
use crate::host::Host;
use crate::t;
use crate::units::{Bytes, MIB};

/// What stays free besides, bytes: whoever else works here needs more now and then.
const MARGIN: u64 = 256 * MIB;

/// What the kernel could hand out without swapping, bytes; `None` where it does not tell.
pub(super) fn available(host: &Host) -> Option<u64> {
    numbers(&host.value("/proc/meminfo")?).get("MemAvailable").copied()
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
mod tests {
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
}
