//! Swap in use, and zram.

use super::{Mount, SwapArea, Zram, mounts};
use crate::host::Host;

/// Reads the text of `/proc/swaps`. Sizes there are in KiB; blanks in a path are written `\040`.
pub(super) fn parse(text: &str) -> Vec<SwapArea> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let path = unescape(words.next()?);
            let kind = if path.starts_with("/dev/zram") { "zram" } else { words.clone().next()? }.to_owned();
            words.next();
            let mut kib = || words.next()?.parse::<u64>().ok();
            let (size, used) = (kib()?, kib()?);
            let priority = words.next()?.parse().ok()?;
            let (size_bytes, used_bytes) = (size.saturating_mul(1024), used.saturating_mul(1024));
            Some(SwapArea { path, kind, size_bytes, used_bytes, priority, file_system: None })
        })
        .collect()
}

/// The kernel's octal escapes (`\040` is a blank).
pub(super) fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..3).filter(|digits| *first == b'\\' && digits.iter().all(u8::is_ascii_digit));
        let code =
            digits.and_then(|d| std::str::from_utf8(d).ok()).and_then(|d| u8::from_str_radix(d, 8).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[3..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) fn read(host: &Host, mounts: &[Mount]) -> Vec<SwapArea> {
    let mut areas = active(host);
    for area in areas.iter_mut().filter(|area| area.kind == "file") {
        area.file_system = mounts::holding(mounts, &area.path).map(|mount| mount.fstype.clone());
    }
    areas
}

fn active(host: &Host) -> Vec<SwapArea> {
    host.value("/proc/swaps").map(|text| parse(&text)).unwrap_or_default()
}

pub(super) fn read_zram(host: &Host) -> Vec<Zram> {
    let names = host.list("/sys/block").unwrap_or_default();
    let active = active(host);
    names
        .into_iter()
        .filter(|name| name.starts_with("zram"))
        .map(|name| {
            let value = |file: &str| host.value(&format!("/sys/block/{name}/{file}"));
            let data = value("mm_stat").and_then(|text| text.split_whitespace().next()?.parse().ok());
            Zram {
                size_bytes: value("disksize").and_then(|size| size.parse().ok()).unwrap_or(0),
                data_bytes: data.unwrap_or(0),
                active: active.iter().any(|area| area.path == format!("/dev/{name}")),
                algorithm: value("comp_algorithm").and_then(|text| super::memory::chosen(&text)),
                name,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_proc_swaps() {
        let text = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/swap\\040file file 1048572 12 -2\n/dev/zram0 partition 1024 0 100\nnonsense\n";
        let areas = parse(text);
        assert_eq!(areas.len(), 2);
        assert_eq!(
            (areas[0].path.as_str(), areas[0].size_bytes, areas[0].priority),
            ("/swap file", 1_048_572 * 1024, -2)
        );
        assert_eq!(areas[1].kind, "zram");
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape("a\\040b\\134c\\9"), "a b\\c\\9");
        assert_eq!(unescape("\\777"), "\\777");
    }
}
