//! zswap before it runs: how far the pages of this host compress, how fast, and what each allocator makes of that.

mod alloc;
mod codec;
mod here;
mod lzo;
mod pages;

use std::time::Instant;

pub use alloc::{Allocator, Held, PAGE};
pub use codec::Codec;
use codec::Packer;
pub use here::Here;
#[cfg(test)]
pub(crate) use here::tests::of_fixture;
use pages::Pages;

use super::{Column, Pace, Spread, Table, Told, room};
use crate::host::Host;
use crate::host::memory::{Locked, lockable};
use crate::t;
use crate::units::Bytes;

/// Parts of a sample that are looked at by themselves, so that a ratio has a spread.
const PARTS: usize = 5;
/// The smallest sample of memory, in pages.
const LEAST: usize = 512;

/// What the host and its profile are.
pub struct Subject<'a> {
    /// What the running kernel has.
    pub here: &'a Here,
    /// The most that the pool may have, in bytes.
    pub pool_bytes: u64,
    /// Swap behind it, in bytes: each page in the pool holds a slot there. 0 where that is not known.
    pub swap_bytes: u64,
    /// A model's file.
    pub model: Option<String>,
}

/// Measures. The notes are what there is to say besides.
pub fn measure(host: &Host, subject: &Subject<'_>, pace: &Pace<'_>) -> Told<(Vec<Table>, Vec<String>)> {
    let wanted = if pace.quick { 4096 } else { 16_384 };
    let limit = lockable(host);
    let (lockable, room) = (at_most(wanted, limit), at_most(wanted, spare(room::available(host))));
    let most = lockable.min(room);
    let mut notes = Vec::new();
    let mut sources = Vec::new();
    pace.say(&t!("taking a sample of the memory that is in use"));
    let memory = pages::of_processes(host, most, pace);
    if memory.len() < PARTS * 10 {
        notes.push(t!(
            "no memory of other processes can be read ({refused} refused: {why}): run it as root to measure the host's own",
            refused = memory.refused,
            why = memory.why.as_deref().unwrap_or("–")
        ));
    } else {
        notes.push(t!(
            "memory: {pages} pages out of {mib} MiB of anonymous memory of {processes} processes; {same} % of them hold one \
             word over and over, which the kernel keeps without the pool",
            pages = memory.len(),
            mib = memory.anonymous >> 20,
            processes = memory.processes,
            same = format!("{:.1}", same_share(&memory))
        ));
        if memory.refused > 0 {
            let why = memory.why.as_deref().unwrap_or("–");
            notes.push(match memory.refused {
                1 => t!("memory: 1 process can't be read: {why}", why = why),
                refused => {
                    t!("memory: {refused} processes can't be read: {why}", refused = refused, why = why)
                }
            });
        }
        if !memory.is_locked() {
            notes.push(t!(
                "memory: the sample can't be locked (limit: {limit}), so that the kernel could swap it out; root has no limit",
                limit = Bytes(limit)
            ));
        } else if room < lockable {
            notes.push(t!(
                "memory: a small sample, since all that belongs to it would take more than is available, less {margin}",
                margin = Bytes(room::MARGIN)
            ));
        } else if most < wanted {
            notes.push(t!(
                "memory: a small sample, which can be locked within this user's limit ({limit}); root has none",
                limit = Bytes(limit)
            ));
        }
        sources.push(("memory", memory));
    }
    match subject.model.as_deref().map(|path| pages::of_file(host, path, most / 4)) {
        Some(Ok(model)) if model.len() >= PARTS => {
            notes.push(t!("model: {pages} pages from anywhere in its file", pages = model.len()));
            sources.push(("model", model));
        }
        Some(Ok(_)) => notes.push(t!("model: its file is too small to sample")),
        Some(Err(why)) => notes.push(t!("model: {why}", why = why)),
        None => notes.push(t!("model: none is named (--models FILE), so its pages are not measured")),
    }
    if sources.is_empty() {
        return Err(notes.join("; "));
    }
    let (mut speeds, mut packed) = (speed_table(), packed_table());
    for (at, (name, source)) in sources.iter().enumerate() {
        let until = Instant::now() + pace.left() / u32::try_from(sources.len() - at).unwrap_or(1);
        let part = Pace::new(until, pace.quick, &|_| {});
        pace.say(&t!("compressing {name}", name = crate::lang::say(name)));
        for (codec, run) in subject.here.codecs.iter().zip(rounds(source, &subject.here.codecs, &part)) {
            let row = vec![Spread::of(&run.ratio), Spread::of(&run.pack), Spread::of(&run.unpack)];
            speeds.rows.push((vec![(*name).to_owned(), codec.word().to_owned()], row));
            for allocator in &subject.here.allocators {
                let words = [*name, codec.word(), allocator.word()].map(str::to_owned).to_vec();
                packed.rows.push((words, allocated(&run.sizes, *allocator, subject)));
            }
        }
    }
    if speeds.rows.iter().all(|(_, cells)| cells.iter().any(Option::is_none)) {
        return Err(super::too_short());
    }
    notes.push(t!(
        "ratio and what a pool holds: ± is the fifth of one sample that was farthest from the median of all five; speeds: of the \
         repeats"
    ));
    if subject.here.codecs.contains(&Codec::Lzo) {
        notes
            .push(t!("lzo: its ratio is the kernel's, but not the code here, so that its speed is not told"));
    }
    let lacks = subject.here.lacks();
    if !lacks.is_empty() {
        notes.push(t!("not in this kernel, and so not measured: {names}", names = lacks.join(", ")));
    }
    Ok((vec![speeds, packed], notes))
}

/// So many pages that the sample, a quarter of it from a model's file and what all of it packs to can be locked. With a limit
/// that leaves no sample worth the name it is a small one that is not locked.
fn at_most(wanted: usize, limit: u64) -> usize {
    // What the compressors have beside it is some pages.
    let pages = usize::try_from(limit / PAGE as u64).unwrap_or(usize::MAX).saturating_sub(64);
    wanted.min((pages / 9).saturating_mul(4).max(LEAST))
}

/// What may be taken of what is available.
fn spare(available: Option<u64>) -> u64 {
    available.map_or(u64::MAX, |available| available.saturating_sub(room::MARGIN))
}

fn speed_table() -> Table {
    Table {
        name: "compressors",
        title: t!("Compressors, page by page"),
        labels: vec![("pages", t!("pages")), ("compressor", t!("compressor"))],
        columns: vec![
            Column::new("ratio", t!("ratio"), "", 2).of_parts(),
            Column::new("compress_mb_s", t!("compresses"), "MB/s", 0),
            Column::new("decompress_mb_s", t!("decompresses"), "MB/s", 0),
        ],
        chart: Some("ratio"),
        rows: Vec::new(),
    }
}

fn packed_table() -> Table {
    Table {
        name: "allocators",
        title: t!("What a full pool holds"),
        labels: vec![
            ("pages", t!("pages")),
            ("compressor", t!("compressor")),
            ("allocator", t!("allocator")),
        ],
        columns: vec![
            Column::new("pages_per_page", t!("in one page"), "", 2).of_parts(),
            Column::new("refused_percent", t!("refused"), "%", 1).of_parts(),
            Column::new("holds_mib", t!("holds"), "MiB", 0).of_parts(),
            Column::new("gained_mib", t!("gained"), "MiB", 0).of_parts(),
        ],
        chart: Some("gained_mib"),
        rows: Vec::new(),
    }
}

/// What one compressor did in all rounds.
#[derive(Default)]
struct Run {
    /// Compressed sizes in bytes, without the pages that hold one word; a page that does not shrink has its own size.
    sizes: Vec<usize>,
    ratio: Vec<f64>,
    pack: Vec<f64>,
    unpack: Vec<f64>,
}

/// The compressors take turns, so that a busy moment is one of all of them.
fn rounds(source: &Pages, codecs: &[Codec], pace: &Pace<'_>) -> Vec<Run> {
    let mut runs: Vec<Run> = codecs.iter().map(|_| Run::default()).collect();
    // What others hold stays locked, packed too.
    let mut store = Locked::new(source.len() * PAGE);
    let rounds = if pace.quick { 5 } else { 9 };
    for round in 0..rounds {
        for (at, (codec, run)) in codecs.iter().zip(&mut runs).enumerate() {
            if pace.is_over() {
                return runs;
            }
            // Once its sizes are known, all is known that is told of it.
            if !codec.has_the_kernels_speed() && !run.sizes.is_empty() {
                continue;
            }
            let turns = u32::try_from((rounds - round) * codecs.len() - at).unwrap_or(1);
            turn(source, *codec, &mut store, run, Instant::now() + pace.left() / turns);
        }
    }
    runs
}

/// One turn: as many of the pages as there is time for, and no fewer than a few.
#[allow(clippy::cast_precision_loss)]
fn turn(source: &Pages, codec: Codec, store: &mut Locked, run: &mut Run, until: Instant) {
    let mut packer = Packer::new(codec);
    let (mut sizes, mut places, mut used) = (Vec::with_capacity(source.len()), Vec::new(), 0);
    let begun = Instant::now();
    // Unpacking takes its time, too, though less.
    let half = begun + until.saturating_duration_since(begun).mul_f64(0.6);
    for page in source.iter().filter(|page| !is_same_filled(page)) {
        if sizes.len() >= PARTS * 10 && sizes.len() % 16 == 0 && Instant::now() >= half {
            break;
        }
        let packed = packer.pack(page).filter(|packed| packed.len() < PAGE);
        sizes.push(packed.map_or(PAGE, <[u8]>::len));
        if let Some(packed) = packed {
            // As the kernel does, which copies it into the pool.
            store.bytes_mut()[used..used + packed.len()].copy_from_slice(packed);
            places.push(used..used + packed.len());
            used += packed.len();
        }
    }
    let took = begun.elapsed().as_secs_f64();
    let mb = |pages: usize| (pages * PAGE) as f64 / 1e6;
    let is_told = codec.has_the_kernels_speed();
    run.pack.extend((is_told && !sizes.is_empty()).then(|| mb(sizes.len()) / took));
    let mut page = Locked::new(PAGE);
    let (begun, mut whole) = (Instant::now(), 0);
    for at in places {
        if whole >= PARTS * 10 && whole % 16 == 0 && Instant::now() >= until {
            break;
        }
        whole += usize::from(packer.unpack(&store.bytes()[at], page.bytes_mut()));
    }
    let took = begun.elapsed().as_secs_f64();
    run.unpack.extend((is_told && whole > 0).then(|| mb(whole) / took));
    if run.sizes.len() < sizes.len() {
        run.ratio.clear();
        for part in 0..PARTS {
            let own = sizes.iter().skip(part).step_by(PARTS);
            let (count, bytes) = own.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size));
            run.ratio.extend((bytes > 0).then(|| (count * PAGE) as f64 / bytes as f64));
        }
        run.sizes = sizes;
    }
}

/// What an allocator makes of them, as a pool of this host would.
#[allow(clippy::cast_precision_loss)]
fn allocated(sizes: &[usize], allocator: Allocator, subject: &Subject<'_>) -> Vec<Option<Spread>> {
    let parts = (0..PARTS).map(|part| {
        let own: Vec<usize> = sizes.iter().copied().skip(part).step_by(PARTS).collect();
        allocator.hold(&own, subject.here.kernel)
    });
    let held: Vec<Held> = parts.filter(|held| held.stored + held.refused > 0).collect();
    let each = |figure: &dyn Fn(&Held) -> f64| Spread::of(&held.iter().map(figure).collect::<Vec<_>>());
    let per_page = each(&|held| held.per_page());
    let refused = each(&|held| held.refused as f64 * 100.0 / (held.stored + held.refused) as f64);
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    let holds = |held: &Held| holds(subject, held);
    vec![
        per_page,
        refused,
        each(&|held| mib(holds(held))),
        // The pool is memory, too. What refuses all of them takes none, and gains none.
        each(&|held| if held.stored == 0 { 0.0 } else { mib(holds(held) * (1.0 - 1.0 / held.per_page())) }),
    ]
}

/// Bytes of pages that the pool holds when it is full, or when all slots of the swap behind it are taken: pages that it refuses
/// take some, too.
#[allow(clippy::cast_precision_loss)]
fn holds(subject: &Subject<'_>, held: &Held) -> f64 {
    let full = subject.pool_bytes as f64 * held.per_page();
    if subject.swap_bytes == 0 {
        return full;
    }
    let share = held.stored as f64 / (held.stored + held.refused) as f64;
    full.min(subject.swap_bytes as f64 * share)
}

/// One machine word over and over, as zswap looks for (`zswap_is_page_same_filled`); since 6.12 pages of zeros don't come to it.
fn is_same_filled(page: &[u8]) -> bool {
    let (first, _) = page.split_at(8);
    page.chunks_exact(8).all(|word| word == first)
}

#[allow(clippy::cast_precision_loss)]
fn same_share(pages: &Pages) -> f64 {
    let same = pages.iter().filter(|page| is_same_filled(page)).count();
    same as f64 * 100.0 / pages.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_that_can_be_locked() {
        assert_eq!(at_most(16_384, u64::MAX), 16_384);
        // 8 MiB, as most systems have it: the sample, a quarter of it and all of it packed are less.
        let pages = at_most(16_384, 8 << 20);
        assert!(pages > 800 && (2 * pages + pages / 4 + 64) * PAGE <= 8 << 20, "{pages}");
        assert_eq!(at_most(4096, 64 << 10), LEAST);
        // Within 300 MiB, of which 256 stay free; where there is less, the smallest one.
        let pages = at_most(16_384, spare(Some(300 << 20)));
        assert!(pages > 4000 && (2 * pages + pages / 4 + 64) * PAGE <= 44 << 20, "{pages}");
        assert_eq!((at_most(4096, spare(Some(9))), at_most(4096, spare(None))), (LEAST, 4096));
    }

    #[test]
    fn words_over_and_over() {
        assert!(is_same_filled(&[0; PAGE]));
        let word: Vec<u8> = [1, 2, 3, 4, 5, 6, 7, 8].repeat(PAGE / 8);
        assert!(is_same_filled(&word));
        let mut other = word;
        other[PAGE - 1] = 9;
        assert!(!is_same_filled(&other));
    }

    #[test]
    #[allow(clippy::float_cmp)] // Exact by how they were chosen.
    fn a_pool_holds_no_more_than_there_are_slots() {
        let here = of_fixture("ubuntu-24.04-cloud", &crate::profile::Settings::default());
        assert_eq!(here.kernel, (6, 8));
        let subject = |swap_bytes| Subject { here: &here, pool_bytes: 2 << 30, swap_bytes, model: None };
        // 1.5 to 1 in 2 GiB: 3 GiB, of which 2 are the pool; the report's table counted 20 % of 12 GB the same way.
        let held = |stored, refused, taken| Held { stored, refused, taken };
        assert_eq!(holds(&subject(4 << 30), &held(300, 0, 200.0)), f64::from(3u32 << 30));
        assert_eq!(holds(&subject(4 << 30), &held(300, 0, 100.0)), 4.0 * f64::from(1 << 30));
        assert_eq!(holds(&subject(0), &held(300, 0, 100.0)), 6.0 * f64::from(1 << 30));
        // Three of four pages are refused: they have most of the slots.
        assert_eq!(holds(&subject(4 << 30), &held(100, 300, 50.0)), f64::from(1 << 30));
        // Pages of 1900 bytes are 30 chunks: two of them in a page of zbud.
        let cells = allocated(&[1900; 100], Allocator::Zbud, &subject(4 << 30));
        let median = |at: usize| cells[at].unwrap().median;
        assert_eq!((median(0), median(1), median(2), median(3)), (2.0, 0.0, 4096.0, 2048.0));
        // What zbud refuses is not held.
        let cells = allocated(&[4000; 100], Allocator::Zbud, &subject(0));
        let median = |at: usize| cells[at].unwrap().median;
        assert_eq!((median(0), median(1), median(2), median(3)), (0.0, 100.0, 0.0, 0.0));
    }
}
