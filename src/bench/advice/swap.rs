//! What the swap's values could be: the compressor and the allocator of zswap.

use super::super::zswap::PAGE;
use super::{Advice, Kind, Section, Spread, Subject, Verdict, against, missing, seconds, table, was_asked};
use crate::profile::edit::New;
use crate::t;
use crate::tunable::zswap::DEFAULT_ZPOOLS;
use crate::units::MIB;

const COMPRESSOR: [&str; 2] = ["zswap", "compressor"];
const ZPOOL: [&str; 2] = ["zswap", "zpool"];

pub(super) fn values(sections: &[Section], subject: &Subject<'_>) -> Vec<Advice> {
    let zswap = &subject.settings.zswap;
    if !zswap.manage || !zswap.enabled || !(subject.all || was_asked(sections, Kind::Zswap)) {
        return Vec::new();
    }
    let compressor = compressor(sections, subject);
    let chosen = compressor.as_ref().filter(|advice| advice.verdict == Verdict::Better);
    let chosen = match chosen.and_then(|advice| advice.best.as_ref()) {
        Some(New::Text(text)) => text,
        _ => same_family(&subject.here.compressor),
    };
    let zpool = zpool(sections, subject, chosen);
    compressor.into_iter().chain(zpool).collect()
}

/// `lzo-rle` is measured as `lzo`.
fn same_family(compressor: &str) -> &str {
    if compressor == "lzo-rle" { "lzo" } else { compressor }
}

/// What all of the swap costs with a compressor.
enum Cost {
    Known(Spread),
    /// The pool does not hold all of it, and what the disk takes is not known.
    NeedsDisk,
}

/// The compressor for which it takes least time to swap all of the swap out and in: pages that the pool holds cost their packing
/// and unpacking, the others a read of the disk. So a fast one wins where the pool holds all, and one that packs well where the
/// disk is slow.
fn compressor(sections: &[Section], subject: &Subject<'_>) -> Option<Advice> {
    let zswap = &subject.settings.zswap;
    if subject.swap_bytes == 0 {
        return None;
    }
    let unknown = |why| Some(Advice::unknown(&COMPRESSOR, &zswap.compressor, why));
    let (mut costs, mut waiting) = (Vec::new(), Vec::new());
    for codec in subject.here.codecs.iter().map(|codec| codec.word()) {
        match cost(codec, sections, subject) {
            Some(Cost::Known(cost)) => costs.push((codec, cost)),
            Some(Cost::NeedsDisk) => waiting.push(codec),
            None => {}
        }
    }
    if !waiting.is_empty() {
        return unknown(t!(
            "the pool does not hold all of {swap} MiB with {compressors}, and what it does not hold comes from the disk: {missing}",
            swap = subject.swap_bytes / MIB,
            compressors = waiting.join(", "),
            missing = missing(sections, Kind::Disk)
        ));
    }
    if table(sections, Kind::Zswap, "compressors").is_none() {
        return unknown(missing(sections, Kind::Zswap));
    }
    let now = same_family(&subject.here.compressor);
    let own = costs.iter().find(|(name, _)| *name == now);
    let (Some((_, own)), 2..) = (own, costs.len()) else {
        let names: Vec<&str> = costs.iter().map(|(name, _)| *name).collect();
        return unknown(t!(
            "nothing could be compared with {name}; on the memory of processes was measured: {names}",
            name = now,
            names = if names.is_empty() { "–".to_owned() } else { names.join(", ") }
        ));
    };
    let (best, least) = costs.iter().min_by(|one, other| one.1.median.total_cmp(&other.1.median))?;
    let each: Vec<String> = costs.iter().map(|(name, cost)| format!("{name} {}", seconds(cost))).collect();
    let why = t!(
        "time to swap {swap} MiB out and in with {allocator}, what the pool does not hold from the disk: {each}",
        swap = subject.swap_bytes / MIB,
        allocator = subject.here.allocator,
        each = each.join(", ")
    );
    let verdict = against((best, least), (now, own), false);
    Some(Advice::judged(&COMPRESSOR, &zswap.compressor, New::Text((*best).to_owned()), verdict, why))
}

/// `None` where it was not measured.
fn cost(codec: &str, sections: &[Section], subject: &Subject<'_>) -> Option<Cost> {
    let speeds = table(sections, Kind::Zswap, "compressors")?;
    let held = table(sections, Kind::Zswap, "allocators")?;
    let disk =
        table(sections, Kind::Disk, "random_4k").and_then(|table| table.figure(&["read", "1"], "p50_us"));
    let figure = |column| speeds.figure(&["memory", codec], column);
    let (pack, unpack) = (figure("compress_mb_s")?, figure("decompress_mb_s")?);
    let holds = held.figure(&["memory", codec, &subject.here.allocator], "holds_mib")?;
    let one = |pack, unpack, holds, disk| round_trip(subject, pack, unpack, holds, disk);
    let median = one(pack.median, unpack.median, holds.median, disk.map(|disk| disk.median));
    let min = one(pack.max, unpack.max, holds.max, disk.map(|disk| disk.min));
    let max = one(pack.min, unpack.min, holds.min, disk.map(|disk| disk.max));
    let (Some(median), Some(min), Some(max)) = (median, min, max) else { return Some(Cost::NeedsDisk) };
    // A disk that was asked too seldom says too little of what comes from it.
    let runs = disk.filter(|_| rest(subject, holds.min) >= 1.0).map_or(usize::MAX, |disk| disk.runs);
    Some(Cost::Known(Spread { median, min, max, runs: runs.min(pack.runs).min(unpack.runs) }))
}

/// Seconds; `None` where pages have to come from a disk that was not measured.
#[allow(clippy::cast_precision_loss)]
fn round_trip(
    subject: &Subject<'_>,
    pack: f64,
    unpack: f64,
    holds_mib: f64,
    disk_us: Option<f64>,
) -> Option<f64> {
    let all = subject.swap_bytes as f64 / PAGE as f64;
    let rest = rest(subject, holds_mib);
    let (held, page) = (all - rest, PAGE as f64 / 1e6);
    let from_disk = if rest < 1.0 { 0.0 } else { rest * disk_us? * 1e-6 };
    // What does not stay was packed before that was known.
    Some(all * page / pack + held * page / unpack + from_disk)
}

/// Pages of the swap that the pool does not hold.
#[allow(clippy::cast_precision_loss)]
fn rest(subject: &Subject<'_>, holds_mib: f64) -> f64 {
    ((subject.swap_bytes as f64 - holds_mib * MIB as f64) / PAGE as f64).max(0.0)
}

/// The allocator with which the host gains most, on kernels that have several and can write pages of each back to the disk: what is
/// refused is not held, and what holds it takes memory.
fn zpool(sections: &[Section], subject: &Subject<'_>, codec: &str) -> Option<Advice> {
    let zswap = &subject.settings.zswap;
    if !subject.here.has_choice {
        return None;
    }
    let now = subject.here.allocator.as_str();
    let unknown = |why| Some(Advice::unknown(&ZPOOL, now, why));
    let Some(held) = table(sections, Kind::Zswap, "allocators") else {
        return unknown(missing(sections, Kind::Zswap));
    };
    let gained = |name: &str| held.figure(&["memory", codec, name], "gained_mib");
    let all: Vec<(&str, Spread)> =
        subject.here.choices().filter_map(|one| Some((one.word(), gained(one.word())?))).collect();
    let own = all.iter().find(|(name, _)| *name == now);
    let (Some((_, own)), 2..) = (own, all.len()) else {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        return unknown(t!(
            "nothing could be compared with {name}; on the memory of processes was measured: {names}",
            name = now,
            names = if names.is_empty() { "–".to_owned() } else { names.join(", ") }
        ));
    };
    let (best, most) = all.iter().max_by(|one, other| one.1.median.total_cmp(&other.1.median))?;
    let each: Vec<String> =
        all.iter().map(|(name, gained)| format!("{name} {:.0} MiB", gained.median)).collect();
    let wish: Vec<&str> = zswap.zpool.iter().map(String::as_str).collect();
    let wish = if wish.is_empty() { DEFAULT_ZPOOLS.to_vec() } else { wish };
    let others = wish.into_iter().filter(|name| name != best);
    let list = std::iter::once(*best).chain(others).map(str::to_owned).collect();
    let why = t!("memory gained with {compressor}: {each}", compressor = codec, each = each.join(", "));
    Some(Advice::judged(&ZPOOL, now, New::List(list), against((best, most), (now, own), true), why))
}
