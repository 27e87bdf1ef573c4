//! Pages to compress: a sample of what the processes of this host have in memory, and of a model's file.

use std::os::unix::fs::FileExt as _;

use nix::errno::Errno;

use super::super::Pace;
use super::alloc::PAGE;
use crate::facts::smaps::{self, Range};
use crate::host::memory::{Locked, ProcessMemory};
use crate::host::{Host, HostError, in_words};

/// Pages of a range that are looked at at once.
const WINDOW: u64 = 512;
/// A range of more pages is not looked at as a whole: it may be address space that was only reserved.
const WHOLE: u64 = 1 << 16;
/// Windows of such a range in which nothing need be found.
const TRIES: usize = 200;

/// A sample of pages, in memory that is neither swapped out nor dumped.
pub(super) struct Pages {
    bytes: Locked,
    used: usize,
    /// Of how many processes.
    pub(super) processes: usize,
    /// Processes whose memory could not be read, and the first reason for it.
    pub(super) refused: usize,
    pub(super) why: Option<String>,
    /// Bytes of anonymous memory of those that could.
    pub(super) anonymous: u64,
}

impl Pages {
    fn new(most: usize) -> Self {
        Self { bytes: Locked::new(most * PAGE), used: 0, processes: 0, refused: 0, why: None, anonymous: 0 }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.bytes()[..self.used].chunks_exact(PAGE)
    }

    pub(super) fn is_locked(&self) -> bool {
        self.bytes.is_locked()
    }

    pub(super) fn len(&self) -> usize {
        self.used / PAGE
    }

    /// One that ended meanwhile refuses nothing.
    fn refuse(&mut self, error: &HostError) {
        if !matches!(error.errno(), Some(Errno::ENOENT | Errno::ESRCH)) {
            self.refused += 1;
            self.why.get_or_insert_with(|| in_words(&error.source));
        }
    }

    /// In no order that anything of where they are from is left in: whoever looks at the first ones looks at all kinds.
    fn shuffle(&mut self, random: &mut Random) {
        let used = self.used;
        let bytes = &mut self.bytes.bytes_mut()[..used];
        for last in (1..used / PAGE).rev() {
            let other = random.below(last as u64 + 1);
            if other < last {
                let (low, high) = bytes.split_at_mut(last * PAGE);
                low[other * PAGE..(other + 1) * PAGE].swap_with_slice(&mut high[..PAGE]);
            }
        }
    }

    /// Room for one more, which counts once it was read.
    fn read_one(&mut self, read: impl FnOnce(&mut [u8]) -> bool) {
        if let Some(room) = self.bytes.bytes_mut().get_mut(self.used..self.used + PAGE) {
            if read(room) {
                self.used += PAGE;
            }
        }
    }
}

/// Anonymous memory of all processes that may be read, in proportion to what each has. Only pages that are in memory are
/// touched: looking must not swap anything in.
pub(super) fn of_processes(host: &Host, most: usize, pace: &Pace<'_>) -> Pages {
    let mut pages = Pages::new(most);
    let mut found: Vec<(u32, Vec<Range>)> = Vec::new();
    let own = std::process::id();
    let names = host.list("/proc").unwrap_or_default();
    for pid in names.iter().filter_map(|name| name.parse::<u32>().ok()).filter(|pid| *pid != own) {
        if pace.is_over() {
            break;
        }
        // A thread of the kernel's has no map.
        match host.read_text(&format!("/proc/{pid}/smaps")) {
            Ok(text) => found.push((pid, smaps::anonymous(&text.unwrap_or_default()))),
            Err(error) => pages.refuse(&error),
        }
    }
    found.retain(|(_, ranges)| !ranges.is_empty());
    let bytes = |ranges: &[Range]| -> u64 { ranges.iter().map(|range| range.anonymous).sum() };
    pages.anonymous = found.iter().map(|(_, ranges)| bytes(ranges)).sum();
    let mut random = Random::new();
    #[allow(clippy::cast_precision_loss)]
    let per_byte = most as f64 / (pages.anonymous.max(1)) as f64;
    for (pid, ranges) in &found {
        if pace.is_over() {
            break;
        }
        // One after the other: nobody has as many open files as a host has processes.
        let memory = match host.process_memory(*pid) {
            Ok(memory) => memory,
            Err(error) => {
                pages.refuse(&error);
                pages.anonymous -= bytes(ranges);
                continue;
            }
        };
        pages.processes += 1;
        for range in ranges {
            if pace.is_over() {
                break;
            }
            #[allow(clippy::cast_precision_loss)]
            let wanted = range.anonymous as f64 * per_byte;
            let share = random.round(wanted);
            take(&memory, range, share, &mut random, &mut pages);
        }
    }
    pages.shuffle(&mut random);
    pages
}

/// Some pages of one range.
fn take(memory: &ProcessMemory, range: &Range, mut share: usize, random: &mut Random, pages: &mut Pages) {
    let (first, count) = (range.start / PAGE as u64, (range.end - range.start) / PAGE as u64);
    if count <= WHOLE {
        let mut there = memory.present(first, count);
        while share > 0 && !there.is_empty() {
            let page = there.swap_remove(random.below(there.len() as u64));
            pages.read_one(|room| memory.read(page * PAGE as u64, room));
            share -= 1;
        }
        return;
    }
    for _ in 0..TRIES {
        if share == 0 {
            return;
        }
        let at = first + random.below(count / WINDOW) as u64 * WINDOW;
        let mut there = memory.present(at, WINDOW);
        // Not all from one place.
        for _ in 0..(share / 16 + 1).min(there.len()) {
            let page = there.swap_remove(random.below(there.len() as u64));
            pages.read_one(|room| memory.read(page * PAGE as u64, room));
            share = share.saturating_sub(1);
        }
    }
}

/// Pages of a file, from anywhere in it.
pub(super) fn of_file(host: &Host, path: &str, most: usize) -> Result<Pages, String> {
    let file = host.open_large(path).map_err(|error| error.to_string())?;
    let whole = file.metadata().map_err(|error| error.to_string())?.len() / PAGE as u64;
    let mut pages = Pages::new(most);
    let mut random = Random::new();
    for _ in 0..most.min(usize::try_from(whole).unwrap_or(usize::MAX)) {
        let at = random.below(whole) as u64 * PAGE as u64;
        pages.read_one(|room| file.read_exact_at(room, at).is_ok());
    }
    Ok(pages)
}

/// Numbers to choose by (`SplitMix64`); no secret depends on them.
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(getrandom::u64().unwrap_or(0x1234_5678))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `most`; 0 where that is 0.
    fn below(&mut self, most: u64) -> usize {
        usize::try_from(self.next() % most.max(1)).unwrap_or(0)
    }

    /// Up or down, as often as it takes for the mean to be right.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn round(&mut self, wanted: f64) -> usize {
        let part = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        wanted as usize + usize::from(part < wanted.fract())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn of_real_processes() {
        let host = Host::live().unwrap();
        // One that has a page which is in no other: 'sleep' holds its arguments on its stack.
        let marker = "civicum-bench-marker-0123456789";
        #[allow(clippy::disallowed_methods)] // the test's own process
        let mut child =
            std::process::Command::new("sh").args(["-c", "sleep 30 & wait", marker]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let pace = Pace::new(Instant::now() + Duration::from_secs(60), true, &|_| {});
        let text = host.read_text(&format!("/proc/{}/smaps", child.id())).unwrap().unwrap();
        let memory = host.process_memory(child.id()).unwrap();
        let mut pages = Pages::new(4096);
        for range in smaps::anonymous(&text) {
            take(&memory, &range, 4096, &mut Random::new(), &mut pages);
        }
        let has = |page: &[u8]| page.windows(marker.len()).any(|part| part == marker.as_bytes());
        assert!(pages.len() > 10 && pages.iter().any(has), "{} pages", pages.len());
        let all = of_processes(&host, 256, &pace);
        assert!(all.processes > 0 && all.anonymous > 0 && all.len() <= 256, "{}", all.len());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn shuffled_they_are_the_same_pages() {
        let mut pages = Pages::new(100);
        for number in 0..100u8 {
            pages.read_one(|room| {
                room.fill(number);
                true
            });
        }
        pages.shuffle(&mut Random::new());
        let order: Vec<u8> = pages.iter().map(|page| page[0]).collect();
        assert!(pages.iter().all(|page| page.iter().all(|byte| *byte == page[0])));
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.iter().copied().eq(0..100) && order != sorted);
    }

    #[test]
    fn of_a_file() {
        let host = Host::live().unwrap();
        let own = host.own_program().unwrap();
        assert_eq!(of_file(&host, &own, 64).unwrap().len(), 64);
        assert!(of_file(&host, "/nowhere/at/all", 64).is_err());
    }
}
