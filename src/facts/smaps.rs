//! Where a process has memory of its own: `/proc/PID/smaps`.

/// A range of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Its first byte.
    pub start: u64,
    /// Behind its last one.
    pub end: u64,
    /// How many bytes of it are anonymous and in memory.
    pub anonymous: u64,
}

/// The ranges that have anonymous memory: heaps, stacks, and what was written of private files.
pub fn anonymous(smaps: &str) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    for line in smaps.lines() {
        if let Some((start, end)) = header(line) {
            ranges.push(Range { start, end, anonymous: 0 });
        } else if let Some(rest) = line.strip_prefix("Anonymous:") {
            let kib =
                rest.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
            if let Some(last) = ranges.last_mut() {
                last.anonymous = kib.saturating_mul(1024);
            }
        }
    }
    ranges.retain(|range| range.anonymous > 0 && range.end > range.start);
    ranges
}

/// `7f12a000-7f12c000 rw-p …`.
fn header(line: &str) -> Option<(u64, u64)> {
    let (start, end) = line.split_once(' ')?.0.split_once('-')?;
    Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_anonymous() {
        let text = "55d0c8a00000-55d0c8a21000 rw-p 00000000 00:00 0                          [heap]\n\
                    Size:                132 kB\nRss:                   8 kB\nAnonymous:             8 kB\n\
                    VmFlags: rd wr mr mw me ac sd\n\
                    7f0000000000-7f0000200000 r--p 00000000 fe:01 1234    /usr/lib/a-b.so\nAnonymous:             0 kB\n\
                    7ffd1a000000-7ffd1a021000 rw-p 00000000 00:00 0      [stack]\nAnonymous:            12 kB\n";
        let heap = Range { start: 0x55d0_c8a0_0000, end: 0x55d0_c8a2_1000, anonymous: 8192 };
        let stack = Range { start: 0x7ffd_1a00_0000, end: 0x7ffd_1a02_1000, anonymous: 12288 };
        assert_eq!(anonymous(text), [heap, stack]);
        assert_eq!(anonymous("nonsense\nAnonymous: 4 kB\n"), []);
    }
}
