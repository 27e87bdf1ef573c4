//! The disk as swap uses it: single pages from anywhere, past the page cache.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Column, Pace, Spread, Table, Told, quantile};
use crate::host::Host;
use crate::host::probe::{Buffer, Probe};
use crate::t;
use crate::units::{Bytes, GIB, MIB};

const PAGE: u64 = 4096;
/// What the file is filled with at once, in bytes.
const BLOCK: usize = 1 << 20;
/// How many tasks fault at a time, beside one alone.
const AT_ONCE: usize = 4;
/// The least that can be written in all, in bytes: half of it is the file.
pub const LEAST: u64 = 32 * MIB;
/// No drive answers in less, in µs, and neither does one below a virtual machine: what does is memory, as the cache of a file
/// system that knows no access past it (ZFS).
const NO_DISK: f64 = 4.0;

/// Measures in a folder. At most so many bytes are written in all: half of them for the file, the rest in single pages.
pub fn measure(host: &Host, folder: &str, bytes: u64, pace: &Pace<'_>) -> Told<(Vec<Table>, Vec<String>)> {
    let most = bytes;
    let bytes = bytes / 2 / BLOCK as u64 * BLOCK as u64;
    let space =
        host.space(&format!("{}/x", folder.trim_end_matches('/'))).map_err(|error| error.to_string())?;
    let left = (space.total / 20).max(GIB);
    if space.free < bytes.saturating_add(left) {
        return Err(t!(
            "{folder} has {free} free; a file of {size} would leave less than {left}",
            folder = folder,
            free = Bytes(space.free / MIB * MIB),
            size = Bytes(bytes),
            left = Bytes(left / MIB * MIB)
        ));
    }
    let probe = host.probe(folder).map_err(|error| error.to_string())?;
    pace.say(&t!("writing {size} in {folder}", size = Bytes(bytes), folder = folder));
    let (filled, rate) = fill(&probe, bytes, pace).map_err(|error| error.to_string())?;
    let mut notes = vec![t!(
        "a file without a name in {folder}, {size}, filled at {rate} MB/s",
        folder = folder,
        size = Bytes(filled),
        rate = format!("{rate:.0}")
    )];
    if filled < 16 * MIB {
        return Err(super::too_short());
    }
    let kinds = [("read", 1), ("read", AT_ONCE), ("write", 1), ("write", AT_ONCE)];
    let rounds = if pace.quick { 3 } else { 7 };
    let mut found: Vec<[Vec<f64>; 3]> = kinds.iter().map(|_| Default::default()).collect();
    let mut written = filled;
    for round in 0..rounds {
        for (at, (kind, tasks)) in kinds.iter().enumerate() {
            let rest = u32::try_from((rounds - round) * kinds.len() - at).unwrap_or(1);
            if pace.is_over() {
                break;
            }
            pace.say(&t!("{kind}, {tasks} at a time", kind = crate::lang::say(kind), tasks = *tasks));
            let time = (pace.left() / rest).min(Duration::from_secs(2));
            let is_write = *kind == "write";
            // Its part of what may still be written.
            let turns = (rounds - round) * 2 - usize::from(at == kinds.len() - 1);
            let pages = most.saturating_sub(written) / PAGE / turns as u64;
            let mut times = hammer(&probe, filled, is_write.then_some(pages), *tasks, time, pace)
                .map_err(|error| error.to_string())?;
            written += if is_write { times.1.len() as u64 * PAGE } else { 0 };
            times.1.sort_by(f64::total_cmp);
            #[allow(clippy::cast_precision_loss)]
            let rate = times.1.len() as f64 / times.0;
            for (values, value) in
                found[at].iter_mut().zip([rate, quantile(&times.1, 0.5), quantile(&times.1, 0.99)])
            {
                values.push(value);
            }
        }
    }
    let alone = Spread::of(&found[0][1]);
    if let Some(least) = alone.filter(|read| read.median < NO_DISK) {
        return Err(t!(
            "reads in {folder} take {time} µs, in which no disk answers: it is a cache; name a folder on another file system with \
             --disk-folder",
            folder = folder,
            time = format!("{:.1}", least.median)
        ));
    }
    let rows = kinds.iter().zip(&found).map(|((kind, tasks), values)| {
        (
            vec![(*kind).to_owned(), tasks.to_string()],
            values.iter().map(|values| Spread::of(values)).collect(),
        )
    });
    notes.push(t!("{size} written in all", size = Bytes(written / MIB * MIB)));
    notes.push(t!("a virtual machine's disk may be a file in the page cache of the machine below it"));
    let table = Table {
        name: "random_4k",
        title: t!("Single pages of 4 KiB from anywhere in the file"),
        labels: vec![("what", t!("what")), ("at_once", t!("at a time"))],
        columns: vec![
            Column::new("per_second", t!("a second"), "", 0),
            Column::new("p50_us", t!("median"), "µs", 0),
            Column::new("p99_us", t!("p99"), "µs", 0),
        ],
        chart: Some("per_second"),
        rows: rows.collect(),
    };
    Ok((vec![table], notes))
}

/// Fills it with what does not compress, for a third of the time at most: how much it became, and MB/s.
#[allow(clippy::cast_precision_loss)]
fn fill(probe: &Probe, bytes: u64, pace: &Pace<'_>) -> io::Result<(u64, f64)> {
    let mut block = Buffer::new(BLOCK);
    getrandom::fill(block.bytes_mut()).map_err(|why| io::Error::other(why.to_string()))?;
    let begun = Instant::now();
    let until = begun + pace.left() / 3;
    let mut at = 0;
    while at < bytes && Instant::now() < until && !pace.is_over() {
        // No two blocks alike, for disks that look for that.
        block.bytes_mut()[..8].copy_from_slice(&at.to_le_bytes());
        probe.write(&block, at)?;
        at += BLOCK as u64;
    }
    probe.settle()?;
    Ok((at, at as f64 / 1e6 / begun.elapsed().as_secs_f64()))
}

/// How long it went, in seconds, and each access in µs: reads, or so many writes at most.
fn hammer(
    probe: &Probe,
    bytes: u64,
    writes: Option<u64>,
    tasks: usize,
    time: Duration,
    pace: &Pace<'_>,
) -> io::Result<(f64, Vec<f64>)> {
    let until = (Instant::now() + time).min(pace.until());
    let begun = Instant::now();
    let left = AtomicU64::new(writes.unwrap_or(u64::MAX));
    let one = |seed: u64| -> io::Result<Vec<f64>> {
        let mut page = Buffer::new(4096);
        getrandom::fill(page.bytes_mut()).map_err(|why| io::Error::other(why.to_string()))?;
        let (mut state, mut times) = (seed, Vec::new());
        while times.is_empty() || (Instant::now() < until && !crate::host::terminal::interrupted()) {
            if left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err() {
                break;
            }
            // xorshift64: which page comes next matters to nobody.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = state % (bytes / PAGE) * PAGE;
            let start = Instant::now();
            if writes.is_some() {
                probe.write(&page, at)?;
            } else {
                probe.read(&mut page, at)?;
            }
            times.push(start.elapsed().as_secs_f64() * 1e6);
        }
        Ok(times)
    };
    let all: io::Result<Vec<Vec<f64>>> = std::thread::scope(|scope| {
        let started: Vec<_> = (1..=tasks as u64)
            .map(|task| {
                let seed = getrandom::u64().unwrap_or(task) | task;
                scope.spawn(move || one(seed))
            })
            .collect();
        let gone = || io::Error::other("a thread ended early");
        started.into_iter().map(|thread| thread.join().map_err(|_| gone())?).collect()
    });
    Ok((begun.elapsed().as_secs_f64(), all?.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods)] // the test's own folder
    fn a_real_disk_and_nothing_left() {
        // Not /tmp, which may be in memory.
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let host = Host::live().unwrap();
        let path = folder.path().to_str().unwrap();
        let pace = Pace::new(Instant::now() + Duration::from_secs(4), true, &|_| {});
        match measure(&host, path, LEAST, &pace) {
            Ok((tables, notes)) => {
                // On a slow disk the time ends before the budget does.
                let written = |note: &String| {
                    note.split_once("MiB written").and_then(|(mib, _)| mib.parse::<f64>().ok())
                };
                let written = notes.iter().find_map(written).unwrap();
                assert!(written > 0.0 && written <= 32.0, "{notes:?}");
                let read = tables[0].figure(&["read", "1"], "p50_us").unwrap();
                assert!(read.median > 0.0 && read.runs >= 1, "{read:?}");
                assert!(tables[0].figure(&["write", "4"], "per_second").is_some());
            }
            // Overlays of older kernels have no files without names, and a disk may be busy with something else.
            Err(why) => assert!(why.contains("without a name") || why == crate::bench::too_short(), "{why}"),
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let pace = Pace::new(Instant::now() + Duration::from_secs(4), true, &|_| {});
        let why = measure(&host, path, u64::MAX, &pace).unwrap_err();
        assert!(why.contains("free"), "{why}");
        assert!(measure(&host, "/dev/shm", 1 << 20, &pace).is_err());
    }
}
