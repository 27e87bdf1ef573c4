//! The swap file behind zswap.

use super::gap::Because;
use super::template::fill;
use super::{Context, Doc, Gap, Tunable};
use crate::change::{Act, Risk};
use crate::host::swap::{LABEL, PAGE, parse_uuid};
use crate::host::{HostError, sha256_hex};
use crate::lang::say;
use crate::profile::settings::Persist;
use crate::t;
use crate::units::{Bytes, MIB};

/// Makes a swap file where there is too little swap, puts it to use, and sees to it that it comes back after a reboot.
pub(super) struct SwapFile;

const FSTAB: &str = "/etc/fstab";
/// Most swap files of ours on one host (each growth adds one).
const MOST: usize = 8;
/// What stays free on the disk at least, in bytes: the larger of this and a twentieth of the file system.
const SPARE: u64 = 512 * MIB;

impl Tunable for SwapFile {
    fn doc(&self) -> &'static Doc {
        &Doc {
            id: "swap",
            title: "Swap file",
            why: "Every page in zswap also holds a slot of the swap device, so the swap file's size is the most that zswap can hold, \
                  uncompressed. Without any swap zswap does nothing and the OOM killer is the only way out.",
            cost: "Its size on the disk, allocated at once.",
            risk: "Swap on a slow disk can make a host crawl; zswap keeps most pages off it.",
            source: "swapon(8); mm/zswap.c; btrfs(5), SWAPFILE SUPPORT",
            undo: "`civicum-tune rollback` takes it out of use (if its content fits in memory) and removes the file.",
            keys: &["swap.size", "swap.path", "swap.priority", "swap.persist"],
        }
    }

    fn gap(&self, cx: &Context<'_>, gap: &mut Gap) -> Result<(), HostError> {
        let wish = &cx.wish.swap;
        let wanted = wish.size.0 / PAGE * PAGE;
        if wanted == 0 {
            return Ok(());
        }
        let ours = ours(cx);
        for file in &ours {
            persist(cx, gap, &file.path)?;
            match file.active {
                None if cx.host.is_live() => put_to_use(cx, gap, &file.path),
                // In use it can't be given another one, and taking it out of use is not worth that.
                Some(now) if cx.host.is_live() && wish.priority >= 0 && now != wish.priority => {
                    gap.note(t!(
                        "{path} runs with priority {now}; the next boot gives it {priority}",
                        path = file.path,
                        now = now,
                        priority = wish.priority
                    ));
                }
                _ => {}
            }
        }
        let have = amount(cx, &ours);
        if is_enough(have, wanted) {
            return Ok(());
        }
        for tuner in cx.facts.tuners.iter().filter(|tuner| tuner.name == "cloud-init-swap") {
            gap.note(t!("cloud-init makes a swap file of its own ({evidence}); take those lines out, or count on both", evidence = tuner.evidence));
        }
        let missing = if have == 0 { wanted } else { (wanted - have).div_ceil(MIB) * MIB };
        let Some(path) = free_name(cx, gap) else { return Ok(()) };
        let nocow = match suits(cx, &path, missing) {
            Ok(nocow) => nocow,
            Err(why) => {
                gap.block(why);
                return Ok(());
            }
        };
        let summary = if have == 0 {
            t!("make a swap file of {missing}", missing = Bytes(missing))
        } else {
            t!(
                "add {missing} to the {have} of swap that are there",
                missing = Bytes(missing),
                have = Bytes(have)
            )
        };
        let because = Because {
            summary: &summary,
            reason: &say(
                "a full pool needs a disk behind it, and the swap's size is the most that zswap can hold",
            ),
            risk: Risk::Medium,
            reboot: false,
        };
        let uuid = uuid(cx, &path, missing);
        gap.folders(cx, &path, &because);
        gap.act(Act::MakeSwapFile { path: path.clone(), size: Bytes(missing), uuid, nocow }, &because);
        if cx.host.is_live() {
            put_to_use(cx, gap, &path);
        }
        persist(cx, gap, &path)
    }
}

/// Swap on disk, our own files that are not in use yet included; bytes.
pub(crate) fn amount(cx: &Context<'_>, ours: &[Ours]) -> u64 {
    let others = disk_swap(cx).filter(|a| ours.iter().all(|o| o.path != a.path)).map(|a| a.size_bytes);
    ours.iter().map(|file| file.size).chain(others).fold(0, u64::saturating_add)
}

/// Does that come up to the wish? The kernel does not count an area's first page, people round, and a rule follows a
/// `MemTotal` that moves a little with each kernel: a twentieth is no reason for a second file.
pub(crate) fn is_enough(have: u64, wanted: u64) -> bool {
    have > 0 && have.saturating_add((wanted / 20).max(MIB)) > wanted
}

/// A swap file that we made.
pub(crate) struct Ours {
    /// Where.
    pub path: String,
    /// As its header says, bytes.
    pub size: u64,
    /// In use, with this priority.
    pub active: Option<i32>,
}

/// The names that our swap files have.
pub(crate) fn names(base: &str) -> impl Iterator<Item = String> {
    (1..=MOST).map(move |n| if n == 1 { base.to_owned() } else { format!("{base}-{n}") })
}

/// The swap files that we know by their label.
pub(crate) fn ours(cx: &Context<'_>) -> Vec<Ours> {
    let labelled = |path: String| {
        let header = cx.host.swap_header(&path).filter(|header| header.label == LABEL)?;
        let active = cx.facts.swap.iter().find(|area| area.path == path).map(|area| area.priority);
        Some(Ours { path, size: header.size, active })
    };
    names(&cx.wish.swap.path).filter_map(labelled).collect()
}

/// The areas in use that are not zram.
pub(crate) fn disk_swap<'a>(cx: &'a Context<'_>) -> impl Iterator<Item = &'a crate::facts::SwapArea> {
    cx.facts.swap.iter().filter(|area| area.kind != "zram" && !area.path.starts_with("/dev/zram"))
}

fn put_to_use(cx: &Context<'_>, gap: &mut Gap, path: &str) {
    let because = Because {
        summary: &say("put it to use"),
        reason: &say("at once, without a reboot"),
        risk: Risk::Low,
        reboot: false,
    };
    gap.act(Act::SwapOn { path: path.to_owned(), priority: cx.wish.swap.priority }, &because);
}

/// The first name that nothing has yet.
fn free_name(cx: &Context<'_>, gap: &mut Gap) -> Option<String> {
    let found =
        names(&cx.wish.swap.path).find(|path| !cx.host.exists(path) && cx.host.read_link(path).is_none());
    if found.is_none() {
        gap.block(t!(
            "{path} and {count} more names behind it are taken; give swap.path another name",
            path = cx.wish.swap.path,
            count = MOST - 1
        ));
    }
    found
}

/// Can this file system hold a swap file of this size? Says whether copy on write must be off, or why not.
fn suits(cx: &Context<'_>, path: &str, size: u64) -> Result<bool, String> {
    let mut nocow = false;
    let mut folder = path;
    while let Some((above, _)) = folder.rsplit_once('/').filter(|(above, _)| !above.is_empty()) {
        if let Some(target) = cx.host.read_link(above) {
            // The kernel lists a swap file by its resolved path, and by that it must be known again.
            return Err(t!(
                "{above} is a symbolic link to {target}; give swap.path the place itself",
                above = above,
                target = target
            ));
        }
        folder = above;
    }
    if let Some(mount) = cx.facts.mount_of(path) {
        let (fs, target) = (mount.fstype.as_str(), mount.target.as_str());
        if mount.read_only {
            return Err(t!(
                "{path} would lie on {target}, which is mounted read-only; give swap.path another place",
                path = path,
                target = target
            ));
        }
        match fs {
            "ext2" | "ext3" | "ext4" | "xfs" | "f2fs" => {}
            "btrfs" if cx.facts.kernel.version >= (5, 0) => nocow = true,
            "btrfs" => {
                return Err(t!(
                    "{path} would lie on btrfs, which holds swap files from Linux 5.0 on; update the kernel",
                    path = path
                ));
            }
            "zfs" => {
                return Err(t!(
                    "{path} would lie on ZFS ({target}), which can't hold a swap file; make a swap partition, or give swap.path a place on another file system",
                    path = path,
                    target = target
                ));
            }
            _ => {
                return Err(t!(
                    "{path} would lie on {fs} ({target}), which can't hold a swap file; give swap.path a place on ext4, XFS or btrfs",
                    path = path,
                    fs = fs,
                    target = target
                ));
            }
        }
    }
    let space = cx.host.space(path).map_err(|e| e.to_string())?;
    let spare = SPARE.max(space.total / 20).min(size.max(64 * MIB));
    if space.free < size.saturating_add(spare) {
        return Err(t!(
            "{path} needs {size} and {spare} to spare, but {free} are free there; free some room, or ask for less with swap.size",
            path = path,
            size = Bytes(size),
            spare = Bytes(spare / MIB * MIB),
            free = Bytes(space.free / MIB * MIB)
        ));
    }
    Ok(nocow)
}

/// Always the same for the same host and file, so that a plan made twice is the same plan.
fn uuid(cx: &Context<'_>, path: &str, size: u64) -> String {
    let machine = cx.host.value("/etc/machine-id").unwrap_or_default();
    let hex = sha256_hex(format!("civicum-tune swap {machine} {path} {size}").as_bytes());
    let uuid = format!("{}-{}-8{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32]);
    debug_assert!(parse_uuid(&uuid).is_some());
    uuid
}

/// Brings the file back after a reboot.
fn persist(cx: &Context<'_>, gap: &mut Gap, path: &str) -> Result<(), HostError> {
    let fstab = cx.host.image(FSTAB)?;
    let listed = fstab.text().lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some(path) && words.nth(1) == Some("swap")
    });
    let by_unit = match cx.wish.swap.persist {
        Persist::Unit => true,
        Persist::Fstab => false,
        Persist::Auto => cx.has_systemd(),
    };
    let because = Because {
        summary: &say("put it to use at each boot"),
        reason: &match (by_unit, cx.wish.swap.persist) {
            (true, _) => say("a unit of our own leaves /etc/fstab alone"),
            (false, Persist::Auto) => say("without systemd a line in /etc/fstab brings it back"),
            (false, _) => say("as the profile asks"),
        },
        risk: Risk::Low,
        reboot: false,
    };
    if listed {
        return Ok(());
    }
    if by_unit {
        let unit = format!("{}.swap", escape(path));
        gap.file(
            cx,
            &format!("/etc/systemd/system/{unit}"),
            &unit_text(path, cx.wish.swap.priority),
            &because,
        )?;
        gap.link(
            cx,
            &format!("/etc/systemd/system/swap.target.wants/{unit}"),
            &format!("../{unit}"),
            &because,
        )?;
        return Ok(());
    }
    let options =
        if cx.wish.swap.priority < 0 { "sw".to_owned() } else { format!("sw,pri={}", cx.wish.swap.priority) };
    let line = format!("{path} none swap {options} 0 0 # civicum-tune\n");
    let mut bytes = fstab.bytes().unwrap_or_default().to_vec();
    if bytes.last().is_some_and(|last| *last != b'\n') {
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(line.as_bytes());
    let after = fstab.with_bytes(bytes);
    gap.put(cx, FSTAB, fstab, after, Some(line), &Because { risk: Risk::Medium, ..because });
    Ok(())
}

fn unit_text(path: &str, priority: i32) -> String {
    let priority = if priority < 0 { String::new() } else { format!("Priority={priority}") };
    fill(include_str!("../../templates/swapfile.swap"), &[("path", path), ("priority", &priority)])
}

/// `systemd-escape --path`.
fn escape(path: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for (at, byte) in path.trim_matches('/').bytes().enumerate() {
        match byte {
            b'/' => out.push('-'),
            b'.' if at == 0 => out.push_str("\\x2e"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' | b'.' => out.push(char::from(byte)),
            other => {
                let _ = write!(out, "\\x{other:02x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_names_are_escaped_as_systemd_does() {
        assert_eq!(escape("/swapfile"), "swapfile");
        assert_eq!(escape("/swapfile-2"), "swapfile\\x2d2");
        assert_eq!(escape("/var/lib/.swap"), "var-lib-.swap");
        assert_eq!(escape("/.swap"), "\\x2eswap");
    }

    #[test]
    fn further_files_get_numbers() {
        assert_eq!(names("/swap").take(3).collect::<Vec<_>>(), ["/swap", "/swap-2", "/swap-3"]);
    }
}
