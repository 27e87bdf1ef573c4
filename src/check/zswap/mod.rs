//! zswap: is it there, is it on, does it run what was asked, and does it really compress?

mod pool;

use super::shared::APPLY;
use super::{Check, Evidence, Outcome, Remedy, Scene, Severity};
use crate::t;
use crate::tunable::zswap::{PARAMETERS, UNIT, choices, has_zswap, kernel_with_zswap, wish};
use crate::units::Bytes;

const SWAPS: &str = "/proc/swaps";
const TUNABLE: Remedy = Remedy::Tunable("zswap");
const KERNEL_DOC: &str = "Linux Documentation/admin-guide/mm/zswap.rst";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CT-ZSWAP-001",
        title: "the kernel has zswap",
        severity: Severity::High,
        why: "The cloud flavours of Debian's kernel are built without zswap: nothing compresses, whatever the boot line says.",
        remedy: Remedy::ByHand {
            cost: "A reboot, and a kernel package: Debian 12's is 67 MiB to fetch and 391 MiB on the disk.",
            risk: "Another kernel boots; keep the old one installed.",
            undo: "Boot the old kernel and remove the package.",
        },
        source: "CONFIG_ZSWAP in /boot/config-*",
        look: built,
    },
    Check {
        id: "CT-ZSWAP-002",
        title: "zswap is on or off as the profile asks",
        severity: Severity::High,
        why: "Without a compressed cache every page that leaves RAM waits for the disk, and the OOM killer comes sooner.",
        remedy: TUNABLE,
        source: KERNEL_DOC,
        look: |scene| parameter(scene, "enabled"),
    },
    Check {
        id: "CT-ZSWAP-003",
        title: "the compressor is the one asked for",
        severity: Severity::Medium,
        why: "A compressor that is not in the initramfs is replaced by the built-in default: the boot line says lz4, the kernel \
              runs lzo.",
        remedy: TUNABLE,
        source: "mm/zswap.c; seen on Linux 6.1",
        look: |scene| parameter(scene, "compressor"),
    },
    Check {
        id: "CT-ZSWAP-004",
        title: "the pool's allocator is the one asked for",
        severity: Severity::Medium,
        why: "zbud holds two pages in one at most, z3fold three, zsmalloc as many as fit; but before Linux 6.3 zsmalloc can't \
              write back to disk.",
        remedy: TUNABLE,
        source: KERNEL_DOC,
        look: |scene| parameter(scene, "zpool"),
    },
    Check {
        id: "CT-ZSWAP-005",
        title: "the pool's limit is the one asked for",
        severity: Severity::Low,
        why: "Too small a pool sends pages to the disk; too large a one takes the memory that programs need.",
        remedy: TUNABLE,
        source: KERNEL_DOC,
        look: |scene| parameter(scene, "max_pool_percent"),
    },
    Check {
        id: "CT-ZSWAP-006",
        title: "the shrinker is as the profile asks",
        severity: Severity::Low,
        why: "Without it cold pages leave the pool only when it is full, which is too late.",
        remedy: TUNABLE,
        source: KERNEL_DOC,
        look: |scene| parameter(scene, "shrinker_enabled"),
    },
    Check {
        id: "CT-ZSWAP-007",
        title: "there is swap behind zswap",
        severity: Severity::High,
        why: "Every page in the pool holds a slot of a swap device. Without swap on disk zswap does nothing at all.",
        remedy: Remedy::Tunable("swap"),
        source: "mm/zswap.c",
        look: swap_behind,
    },
    Check {
        id: "CT-ZSWAP-008",
        title: "pages that are swapped are compressed",
        severity: Severity::Medium,
        why: "Swap in use and an empty pool mean that pages pass zswap by, and each one waits for the disk.",
        remedy: TUNABLE,
        source: "/proc/meminfo: Zswap, Zswapped (Linux 5.19)",
        look: pool::compressing,
    },
    Check {
        id: "CT-ZSWAP-009",
        title: "compression pays",
        severity: Severity::Low,
        why: "Pages that hardly shrink cost CPU time and save nothing; a denser allocator or zstd may do better.",
        remedy: Remedy::ByHand {
            cost: "zstd takes several times the CPU time of lz4.",
            risk: "Latency under pressure.",
            undo: "Set zswap.compressor back in the profile, and apply.",
        },
        source: "/proc/meminfo: Zswapped / Zswap",
        look: pool::ratio,
    },
    Check {
        id: "CT-ZSWAP-010",
        title: "the pool has not been full",
        severity: Severity::Medium,
        why: "At its limit the pool turns pages away: they go to the disk while stale ones keep their place.",
        remedy: Remedy::ByHand {
            cost: "More RAM for the pool is less for programs.",
            risk: "A pool that is too large starves the programs it is to serve.",
            undo: "Set zswap.max_pool_percent back in the profile, and apply.",
        },
        source: "/sys/kernel/debug/zswap/pool_limit_hit",
        look: pool::limit_hit,
    },
    Check {
        id: "CT-ZSWAP-011",
        title: "few pages are rejected",
        severity: Severity::Low,
        why: "Rejected pages were compressed in vain, and go to the disk all the same.",
        remedy: Remedy::Know,
        source: "/sys/kernel/debug/zswap/reject_*",
        look: pool::rejects,
    },
    Check {
        id: "CT-ZSWAP-012",
        title: "zswap and zram do not both compress",
        severity: Severity::Medium,
        why: "With zram as the swap behind zswap every page is compressed twice, and nothing ever reaches a disk.",
        remedy: Remedy::Tunable("zram"),
        source: "Linux Documentation/admin-guide/blockdev/zram.rst",
        look: with_zram,
    },
    Check {
        id: "CT-ZSWAP-013",
        title: "zswap is set again at every boot",
        severity: Severity::Medium,
        why: "The unit catches what the boot line missed: another boot loader, a module that was not early enough.",
        remedy: TUNABLE,
        source: "docs/tunables.md",
        look: unit,
    },
];

/// What speaks against looking at zswap at all.
fn out_of_place(scene: &Scene<'_>) -> Option<Outcome> {
    if let Some(engine) = scene.container() {
        return Some(Outcome::not_applicable(t!(
            "this is a {engine} container: zswap belongs to the host below",
            engine = engine
        )));
    }
    if !has_zswap(&scene.cx) {
        return Some(Outcome::not_applicable(t!("this kernel has no zswap")));
    }
    None
}

/// The same, for what only a running kernel can tell.
fn not_running(scene: &Scene<'_>) -> Option<Outcome> {
    out_of_place(scene).or_else(|| {
        if !scene.facts().zswap.available {
            return Some(Outcome::not_here(PARAMETERS));
        }
        (!scene.facts().zswap.enabled).then(|| Outcome::not_applicable(t!("zswap is off")))
    })
}

fn built(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(engine) = scene.container() {
        return Outcome::not_applicable(t!(
            "this is a {engine} container: zswap belongs to the host below",
            engine = engine
        ))
        .into();
    }
    let release = &scene.facts().kernel.release;
    let config = Evidence::path(format!("/boot/config-{release}"));
    let folder = Evidence::path("/sys/module/zswap");
    match scene.facts().kernel.has_zswap {
        Some(true) => Outcome::pass(t!("kernel {release} has it", release = release)).seen(folder),
        Some(false) => Outcome::fail(
            t!("kernel {release} was built without zswap", release = release),
            kernel_with_zswap(),
        )
        .expected("CONFIG_ZSWAP=y")
        .seen(folder)
        .seen(config),
        None => Outcome::could_not_tell(t!("neither /sys nor a kernel configuration is here")),
    }
    .into()
}

/// While zswap is off, what it would run with is no finding of its own: mending CT-ZSWAP-002 sets all of it.
fn is_off(scene: &Scene<'_>) -> bool {
    let zswap = &scene.facts().zswap;
    scene.wish().zswap.enabled
        && zswap.available
        && !zswap.enabled
        && scene.host().value(&format!("{PARAMETERS}/enabled")).is_some()
}

fn behind_the_switch() -> Vec<Outcome> {
    Outcome::behind(t!("zswap is off"), "CT-ZSWAP-002").into()
}

/// One module parameter against the wish.
fn parameter(scene: &Scene<'_>, name: &str) -> Vec<Outcome> {
    if let Some(outcome) = out_of_place(scene) {
        return outcome.into();
    }
    let Some(wanted) = wish(&scene.cx) else {
        return Outcome::not_applicable(t!("the profile does not speak of zswap")).into();
    };
    let path = format!("{PARAMETERS}/{name}");
    let value = scene.host().value(&path);
    let Some((_, wanted)) = wanted.iter().find(|(parameter, _)| *parameter == name) else {
        let why = match name {
            "zpool" => choices(&scene.cx).join("; "),
            _ => String::new(),
        };
        let why = if why.is_empty() { t!("the profile does not set {name}", name = name) } else { why };
        return Outcome::not_applicable(why).into();
    };
    if name != "enabled" && is_off(scene) && !scene.was_applied(&path) {
        return behind_the_switch();
    }
    let Some(value) = value else {
        return Outcome::not_here(path).into();
    };
    let evidence = Evidence::file(&path, &value);
    if value == *wanted {
        return Outcome::pass(value).expected(wanted).seen(evidence).target(path).into();
    }
    Outcome::fail(value, APPLY).expected(wanted).seen(evidence).target(path).into()
}

fn swap_behind(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = not_running(scene) {
        return outcome.into();
    }
    if !scene.host().exists(SWAPS) {
        return Outcome::not_here(SWAPS).into();
    }
    let disk: Vec<_> = scene.facts().swap.iter().filter(|area| area.kind != "zram").collect();
    let evidence = Evidence::path(SWAPS);
    if disk.is_empty() {
        return Outcome::behind(t!("no swap on disk is in use"), "CT-SWAP-001").into();
    }
    let size: u64 = disk.iter().map(|area| area.size_bytes).sum();
    Outcome::pass(t!("{size} in {count} areas", size = Bytes(size), count = disk.len())).seen(evidence).into()
}

fn with_zram(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = not_running(scene) {
        return outcome.into();
    }
    if !scene.host().exists(SWAPS) {
        return Outcome::not_here(SWAPS).into();
    }
    let zram: Vec<_> = scene.facts().swap.iter().filter(|area| area.kind == "zram").collect();
    let evidence = Evidence::path(SWAPS);
    match zram.first() {
        Some(area) if scene.wish().zram.retire => {
            Outcome::behind(t!("{path} is in use as swap", path = area.path), "CT-ZRAM-001")
        }
        Some(area) => {
            let fix = t!("{apply}, with zram.retire = true in the profile", apply = APPLY);
            Outcome::fail(t!("{path} is in use as swap", path = area.path), fix).seen(evidence)
        }
        None => Outcome::pass(t!("no zram is in use as swap")).seen(evidence),
    }
    .into()
}

fn unit(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = out_of_place(scene) {
        return outcome.into();
    }
    if !scene.cx.has_systemd() {
        return Outcome::not_applicable(t!("systemd does not run this host")).into();
    }
    if wish(&scene.cx).is_none() {
        return Outcome::not_applicable(t!("the profile does not speak of zswap")).into();
    }
    let link = "/etc/systemd/system/swap.target.wants/civicum-tune-zswap.service";
    if is_off(scene) && !scene.host().exists(UNIT) && !scene.was_applied(UNIT) {
        return behind_the_switch();
    }
    let wanted = scene.host().read_link(link).is_some();
    match (scene.host().exists(UNIT), wanted) {
        (true, true) => Outcome::pass(t!("civicum-tune-zswap.service is started at boot")),
        (true, false) => Outcome::fail(t!("civicum-tune-zswap.service is not enabled"), APPLY).target(link),
        (false, _) => Outcome::fail(t!("there is no civicum-tune-zswap.service"), APPLY).target(UNIT),
    }
    .seen(Evidence::path(UNIT))
    .seen(Evidence::path(link))
    .into()
}
