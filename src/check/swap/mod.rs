//! Swap on disk: enough of it, in a safe place, back after a reboot.

mod amount;
mod persist;
mod place;

use super::{Check, Evidence, Outcome, Remedy, Scene, Severity};
use crate::facts::SwapArea;
use crate::t;
use crate::tunable::swapfile;

const SWAPS: &str = "/proc/swaps";
const TUNABLE: Remedy = Remedy::Tunable("swap");

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CT-SWAP-001",
        title: "some swap on disk is in use",
        severity: Severity::High,
        why: "Without swap the kernel can drop only what it can read again; when that is used up, it kills.",
        remedy: TUNABLE,
        source: "proc(5): /proc/swaps",
        look: amount::some,
    },
    Check {
        id: "CT-SWAP-002",
        title: "there is as much swap as the profile asks for",
        severity: Severity::Medium,
        why: "The swap's size is the most that zswap can hold, uncompressed.",
        remedy: TUNABLE,
        source: "mm/zswap.c",
        look: amount::size,
    },
    Check {
        id: "CT-SWAP-003",
        title: "our swap files are in use, with the priority asked for",
        severity: Severity::Medium,
        why: "A swap file that is not in use is disk space lost, and one with another priority is used in another order.",
        remedy: TUNABLE,
        source: "swapon(8)",
        look: amount::ours,
    },
    Check {
        id: "CT-SWAP-004",
        title: "swap is not nearly full",
        severity: Severity::Medium,
        why: "When no slot is left, zswap can't take a page either, and the OOM killer is next.",
        remedy: Remedy::ByHand {
            cost: "Disk space.",
            risk: "More swap postpones a leak's end, it does not mend it.",
            undo: "Set swap.size back in the profile.",
        },
        source: "proc(5): /proc/swaps",
        look: amount::fullness,
    },
    Check {
        id: "CT-SWAP-005",
        title: "the disk is not busy with swapping",
        severity: Severity::Medium,
        why: "A host that has read and written swap on the disk all the time since its boot has too little memory for its work.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "Less memory for the worker is fewer pages an hour.",
            undo: "Set the limits back in the profile.",
        },
        source: "/proc/vmstat: pswpin, pswpout (zswap's pages are not in them)",
        look: amount::traffic,
    },
    Check {
        id: "CT-SWAP-006",
        title: "nobody but root can read a swap file",
        severity: Severity::High,
        why: "It holds pages of every program: documents, passwords, keys.",
        remedy: Remedy::ByHand { cost: "None.", risk: "None.", undo: "None is needed." },
        source: "mkswap(8); swapon(8)",
        look: place::modes,
    },
    Check {
        id: "CT-SWAP-007",
        title: "swap lies where swap can lie",
        severity: Severity::High,
        why: "Swap over a network, on ZFS, or behind another program waits for memory in order to give memory back: it can hang.",
        remedy: Remedy::ByHand {
            cost: "Disk space on another file system.",
            risk: "swapoff needs memory for what the area holds.",
            undo: "swapon the old area again.",
        },
        source: "swapon(8), files with holes; btrfs(5), SWAPFILE SUPPORT; OpenZFS documentation, swap on a ZVOL",
        look: place::file_systems,
    },
    Check {
        id: "CT-SWAP-008",
        title: "swap does not lie on a disk with rotating platters",
        severity: Severity::Medium,
        why: "Such a disk reads a hundred single pages a second; a host that swaps there stands still.",
        remedy: Remedy::ByHand {
            cost: "Room on a faster disk.",
            risk: "swapoff needs memory for what the area holds.",
            undo: "swapon the old area again.",
        },
        source: "/sys/block/*/queue/rotational",
        look: place::rotating,
    },
    Check {
        id: "CT-SWAP-009",
        title: "the fastest swap is used first",
        severity: Severity::Low,
        why: "The kernel fills the area with the highest priority first, whatever it lies on.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "swapoff needs memory for what the area holds.",
            undo: "Give the areas their old priorities.",
        },
        source: "swapon(2)",
        look: place::order,
    },
    Check {
        id: "CT-SWAP-010",
        title: "every swap area is back after a reboot",
        severity: Severity::High,
        why: "What was put to use by hand is gone after the next boot, and nobody notices until memory runs short.",
        remedy: TUNABLE,
        source: "fstab(5); systemd.swap(5)",
        look: persist::back,
    },
    Check {
        id: "CT-SWAP-011",
        title: "every swap that fstab names is there",
        severity: Severity::Medium,
        why: "systemd waits 90 seconds for a device that never comes, and reports a swap unit that failed.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "Take out only the line of what is gone for good.",
            undo: "Put the line back.",
        },
        source: "fstab(5); systemd-fstab-generator(8)",
        look: persist::named,
    },
];

/// Whose swap it is, and whether the host tells of it.
fn out_of_place(scene: &Scene<'_>) -> Option<Outcome> {
    if let Some(engine) = scene.container() {
        return Some(Outcome::not_applicable(t!(
            "this is a {engine} container: swap belongs to the host below",
            engine = engine
        )));
    }
    (!scene.host().exists(SWAPS)).then(|| Outcome::not_here(SWAPS))
}

/// The areas in use that are no zram, or why there is nothing to say of them.
fn areas<'a>(scene: &'a Scene<'a>) -> Result<Vec<&'a SwapArea>, Outcome> {
    if let Some(outcome) = out_of_place(scene) {
        return Err(outcome);
    }
    let areas: Vec<_> = swapfile::disk_swap(&scene.cx).collect();
    if areas.is_empty() {
        return Err(Outcome::not_applicable(t!("no swap on disk is in use")));
    }
    Ok(areas)
}

/// The line of `/proc/swaps`, as people know it.
fn line_of(area: &SwapArea) -> Evidence {
    let (size, used) = (area.size_bytes >> 10, area.used_bytes >> 10);
    Evidence::file(SWAPS, format!("{} {} {size} {used} {}", area.path, area.kind, area.priority))
}
