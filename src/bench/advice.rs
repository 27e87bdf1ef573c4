//! What the figures say: which values of the profile another one beats by more than the spread, and what became of claims that
//! everybody repeats.

use super::zswap::{Allocator, Codec, PAGE};
use super::{Kind, Section, Spread, Table, Verdict};
use crate::container::role::Role;
use crate::profile::Settings;
use crate::profile::edit::New;
use crate::profile::kernels::{OLD_ALLOCATORS_GONE, Version, ZPOOL_PARAMETER_GONE, ZSMALLOC_WRITES_BACK};
use crate::t;
use crate::units::MIB;

/// A value of the profile, and the one that measured best.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// Its place in the profile.
    pub key: Vec<String>,
    /// What the profile has.
    pub now: String,
    /// What measured best.
    pub best: New,
    /// Does it differ by more than the spread?
    pub verdict: Verdict,
    /// The figures, in words.
    pub why: String,
}

/// A sentence that is held for true, tested here.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Its name in JSON.
    pub id: &'static str,
    /// The sentence.
    pub claim: String,
    /// [`Verdict::Better`]: so it is here.
    pub verdict: Verdict,
    /// The figures, in words.
    pub why: String,
}

/// The host, as far as it decides what can be chosen.
pub struct Subject<'a> {
    /// What the profile asks.
    pub settings: &'a Settings,
    /// The running kernel.
    pub kernel: Version,
    /// Swap behind zswap, in bytes.
    pub swap_bytes: u64,
}

fn table<'s>(sections: &'s [Section], kind: Kind, name: &str) -> Option<&'s Table> {
    sections.iter().find(|section| section.kind == kind)?.table(name)
}

/// All values that were measured.
pub fn values(sections: &[Section], subject: &Subject<'_>) -> Vec<Advice> {
    let compressor = compressor(sections, subject);
    let chosen = compressor.as_ref().filter(|advice| advice.verdict == Verdict::Better);
    let codec =
        chosen.map_or_else(|| same_family(&subject.settings.zswap.compressor).to_owned(), |a| text(&a.best));
    let zpool = zpool(sections, subject, &codec);
    compressor.into_iter().chain(zpool).chain(threads(sections, subject)).collect()
}

fn text(new: &New) -> String {
    match new {
        New::Text(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `lzo-rle` is measured as `lzo`.
fn same_family(compressor: &str) -> &str {
    if compressor == "lzo-rle" { "lzo" } else { compressor }
}

/// The allocator that a kernel uses of those that the profile names.
fn allocator<'s>(subject: &Subject<'s>) -> &'s str {
    if subject.kernel >= OLD_ALLOCATORS_GONE {
        return Allocator::Zsmalloc.word();
    }
    subject.settings.zswap.zpool.first().map_or(Allocator::Z3fold.word(), String::as_str)
}

/// The compressor for which it takes least time to swap all of the swap out and in: pages that the pool holds cost their packing
/// and unpacking, the others a read of the disk. So a fast one wins where the pool holds all, and one that packs well where the
/// disk is slow.
fn compressor(sections: &[Section], subject: &Subject<'_>) -> Option<Advice> {
    let zswap = &subject.settings.zswap;
    if !zswap.manage || !zswap.enabled || subject.swap_bytes == 0 {
        return None;
    }
    let speeds = table(sections, Kind::Zswap, "compressors")?;
    let held = table(sections, Kind::Zswap, "allocators")?;
    let disk =
        table(sections, Kind::Disk, "random_4k").and_then(|table| table.figure(&["read", "1"], "p50_us"));
    let cost = |codec: &str| -> Option<Spread> {
        let figure = |column| speeds.figure(&["memory", codec], column);
        let (pack, unpack) = (figure("compress_mb_s")?, figure("decompress_mb_s")?);
        let holds = held.figure(&["memory", codec, allocator(subject)], "holds_mib")?;
        let one = |pack: f64, unpack: f64, holds: f64, disk: Option<f64>| {
            round_trip(subject, pack, unpack, holds, disk)
        };
        let median = one(pack.median, unpack.median, holds.median, disk.map(|disk| disk.median))?;
        let min = one(pack.max, unpack.max, holds.max, disk.map(|disk| disk.median))?;
        let max = one(pack.min, unpack.min, holds.min, disk.map(|disk| disk.median))?;
        Some(Spread { median, min, max, runs: pack.runs.min(unpack.runs) })
    };
    let costs: Vec<(&str, Spread)> =
        Codec::ALL.iter().filter_map(|codec| Some((codec.word(), cost(codec.word())?))).collect();
    let (best, least) = costs.iter().min_by(|one, other| one.1.median.total_cmp(&other.1.median))?;
    let now = same_family(&zswap.compressor);
    let (_, own) = costs.iter().find(|(name, _)| *name == now)?;
    let each: Vec<String> = costs.iter().map(|(name, cost)| format!("{name} {}", seconds(cost))).collect();
    Some(Advice {
        key: path(&["zswap", "compressor"]),
        now: zswap.compressor.clone(),
        best: New::Text((*best).to_owned()),
        verdict: if best == &now { Verdict::NoDifference } else { least.against(own, false) },
        why: t!(
            "time to swap {swap} MiB out and in with {allocator}, what the pool does not hold from the disk: {each}",
            swap = subject.swap_bytes / MIB,
            allocator = allocator(subject),
            each = each.join(", ")
        ),
    })
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
    let held = (holds_mib * MIB as f64 / PAGE as f64).min(all);
    let page = PAGE as f64 / 1e6;
    let rest = all - held;
    let from_disk = if rest < 1.0 { 0.0 } else { rest * disk_us? * 1e-6 };
    // What does not stay was packed before that was known.
    Some(all * page / pack + held * page / unpack + from_disk)
}

fn seconds(cost: &Spread) -> String {
    format!("{:.1} s ({:.1}–{:.1})", cost.median, cost.min, cost.max)
}

/// The allocator that holds most, on kernels that have several and can write pages of each back to the disk.
fn zpool(sections: &[Section], subject: &Subject<'_>, codec: &str) -> Option<Advice> {
    let zswap = &subject.settings.zswap;
    if !zswap.manage || !zswap.enabled || subject.kernel >= OLD_ALLOCATORS_GONE.min(ZPOOL_PARAMETER_GONE) {
        return None;
    }
    let held = table(sections, Kind::Zswap, "allocators")?;
    let can =
        |allocator: &Allocator| *allocator != Allocator::Zsmalloc || subject.kernel >= ZSMALLOC_WRITES_BACK;
    let all: Vec<(&str, Spread)> = Allocator::ALL
        .iter()
        .filter(|allocator| can(allocator))
        .filter_map(|one| Some((one.word(), held.figure(&["memory", codec, one.word()], "pages_per_page")?)))
        .collect();
    let (best, most) = all.iter().max_by(|one, other| one.1.median.total_cmp(&other.1.median))?;
    let now = allocator(subject);
    let (_, own) = all.iter().find(|(name, _)| *name == now)?;
    let each: Vec<String> = all.iter().map(|(name, held)| format!("{name} {:.2}", held.median)).collect();
    let others = zswap.zpool.iter().map(String::as_str).filter(|name| name != best);
    let list = std::iter::once(*best).chain(others).map(str::to_owned).collect();
    Some(Advice {
        key: path(&["zswap", "zpool"]),
        now: now.to_owned(),
        best: New::List(list),
        verdict: if best == &now { Verdict::NoDifference } else { most.against(own, true) },
        why: t!("pages in one page with {compressor}: {each}", compressor = codec, each = each.join(", ")),
    })
}

/// The threads of the model: the number with which a document takes least, beside a neighbour, since it always has one.
fn threads(sections: &[Section], subject: &Subject<'_>) -> Option<Advice> {
    let models = table(sections, Kind::Llm, "models")?;
    let role =
        |name: &str, role: Option<&str>| matches!(Role::of(name, role), Role::LlamaServer | Role::Ollama);
    let (name, service) =
        subject.settings.services.iter().find(|(name, service)| role(name, service.role.as_deref()))?;
    let file = service.model.as_deref().map(|path| path.rsplit('/').next().unwrap_or(path));
    let first = models.rows.first().map(|(words, _)| words[0].as_str())?;
    let model = models
        .rows
        .iter()
        .map(|(words, _)| words[0].as_str())
        .find(|model| Some(*model) == file)
        .unwrap_or(first);
    let found = by_threads(models, model, "busy", "document_seconds");
    let (best, least) = found.iter().min_by(|one, other| one.1.median.total_cmp(&other.1.median))?;
    let cores = found.iter().map(|(threads, _)| *threads).max()?;
    // A server that nobody tells takes as many as there are cores.
    let now = service.threads.and_then(|threads| usize::try_from(threads).ok()).unwrap_or(cores);
    let own = found.iter().find(|(threads, _)| *threads == now).map(|(_, own)| own);
    let each: Vec<String> =
        found.iter().map(|(threads, cost)| format!("{threads}: {}", seconds(cost))).collect();
    Some(Advice {
        key: path(&["services", name, "threads"]),
        now: now.to_string(),
        best: New::Number(i64::try_from(*best).unwrap_or(1)),
        verdict: own.filter(|_| *best != now).map_or(Verdict::NoDifference, |own| least.against(own, false)),
        why: t!(
            "a document of {model} beside a neighbour, by threads: {each}",
            model = model,
            each = each.join(", ")
        ),
    })
}

fn by_threads(models: &Table, model: &str, host: &str, column: &str) -> Vec<(usize, Spread)> {
    let rows = models.rows.iter().filter(|(words, _)| words[0] == model && words[3] == host);
    rows.filter_map(|(words, _)| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Some((words[2].parse().ok()?, models.figure(&words, column)?))
    })
    .collect()
}

fn path(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// What is said of threads and packings, tested with what was measured.
pub fn claims(sections: &[Section]) -> Vec<Claim> {
    let Some(models) = table(sections, Kind::Llm, "models") else { return Vec::new() };
    let mut found = Vec::new();
    for (host, id) in [("busy", "one_core_less_busy"), ("quiet", "one_core_less_quiet")] {
        let Some(model) = models.rows.first().map(|(words, _)| words[0].clone()) else { break };
        let each = by_threads(models, &model, host, "document_seconds");
        let Some((cores, all)) = each.iter().max_by_key(|(threads, _)| *threads) else { continue };
        let Some((_, less)) = each.iter().find(|(threads, _)| threads + 1 == *cores) else { continue };
        let claim = match host {
            "busy" => t!("beside a neighbour, one core less than all is faster"),
            _ => t!("on a quiet host, one core less than all is faster"),
        };
        let why = t!(
            "a document: {less} with {fewer} threads, {all} with {cores}",
            less = seconds(less),
            fewer = cores - 1,
            all = seconds(all),
            cores = cores
        );
        found.push(Claim { id, claim, verdict: less.against(all, false), why });
    }
    found.extend(packing(models));
    found
}

/// `Q4_0` beside `Q4_K_M`, each with the threads that suit it best on a quiet host.
fn packing(models: &Table) -> Option<Claim> {
    let best = |packing: &str| -> Option<Spread> {
        let rows = models.rows.iter().filter(|(words, _)| words[1] == packing && words[3] == "quiet");
        let cost = rows.filter_map(|(words, _)| {
            models.figure(&words.iter().map(String::as_str).collect::<Vec<_>>(), "document_seconds")
        });
        cost.min_by(|one, other| one.median.total_cmp(&other.median))
    };
    let (old, new) = (best("Q4_0")?, best("Q4_K_M")?);
    let why = t!("a document: {old} with Q4_0, {new} with Q4_K_M", old = seconds(&old), new = seconds(&new));
    Some(Claim {
        id: "q4_0",
        claim: t!("Q4_0 is faster than Q4_K_M"),
        verdict: old.against(&new, false),
        why,
    })
}

#[cfg(test)]
#[path = "advice_tests.rs"]
mod tests;
