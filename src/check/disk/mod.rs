//! Disks: room, names, errors, and what kind they are.

mod below;

use std::collections::BTreeMap;

pub(super) use below::{disk_of, is_rotating};

use super::{Check, Evidence, Outcome, Remedy, Scene, Severity};
use crate::facts::{Disk, Mount};
use crate::host::Space;
use crate::t;
use crate::units::{Bytes, GIB, MIB};

const NOW_FREE: Remedy = Remedy::ByHand {
    cost: "None.",
    risk: "`docker system prune` removes every image and container that is not in use; read its list first.",
    undo: "What was removed must be fetched again.",
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CT-DISK-001",
        title: "there is room on the file systems that matter",
        severity: Severity::High,
        why: "A database on a full disk stops, logs are lost, and no kernel can be updated.",
        remedy: NOW_FREE,
        source: "statvfs(3)",
        look: room,
    },
    Check {
        id: "CT-DISK-002",
        title: "the file systems that matter can hold more files",
        severity: Severity::Medium,
        why: "A file system without inodes is full, whatever df says; layers of images hold very many small files.",
        remedy: NOW_FREE,
        source: "statvfs(3)",
        look: inodes,
    },
    Check {
        id: "CT-DISK-003",
        title: "no file system stopped taking writes",
        severity: Severity::Critical,
        why: "ext4 and btrfs turn read-only at an error that they can't mend: the host seems to run, and saves nothing.",
        remedy: Remedy::ByHand {
            cost: "The time of a reboot and a check.",
            risk: "A repair can lose files: make a backup of what can still be read first.",
            undo: "None.",
        },
        source: "ext4(5), errors=; btrfs(5)",
        look: stopped,
    },
    Check {
        id: "CT-DISK-004",
        title: "ext4 has recorded no error",
        severity: Severity::High,
        why: "ext4 counts the errors that it finds and keeps the count until a check mends them.",
        remedy: Remedy::ByHand {
            cost: "The time of a reboot and a check.",
            risk: "A repair can lose files: make a backup first.",
            undo: "None.",
        },
        source: "Linux Documentation/ABI/testing/sysfs-fs-ext4",
        look: errors,
    },
    Check {
        id: "CT-DISK-005",
        title: "the disks are fast enough for swap and a database",
        severity: Severity::Low,
        why: "A disk with rotating platters does a hundred single reads a second; an SSD does ten thousand and more.",
        remedy: Remedy::ByHand {
            cost: "A faster disk, or another plan at the provider's.",
            risk: "Data must be moved.",
            undo: "Move it back.",
        },
        source: "/sys/block/*/queue/rotational",
        look: kind,
    },
    Check {
        id: "CT-DISK-006",
        title: "a disk that can forget is told what is free",
        severity: Severity::Low,
        why: "An SSD, or the provider's storage, keeps what was deleted until it is told, and gets slower.",
        remedy: Remedy::ByHand {
            cost: "Some I/O once a week.",
            risk: "None known.",
            undo: "systemctl disable --now fstrim.timer",
        },
        source: "fstrim(8)",
        look: trim,
    },
];

/// The folders that must not run out of room.
fn places<'a>(scene: &Scene<'a>) -> Vec<&'a str> {
    let mut places = vec!["/", "/var/lib/civicum-tune"];
    let engines = ["/var/lib/docker", "/var/lib/containerd"];
    places.extend(engines.iter().filter(|path| scene.host().exists(path)));
    places.push(scene.wish().swap.path.as_str());
    places.retain(|path| !path.is_empty());
    places
}

/// The file systems below those folders, by where they are mounted.
fn file_systems(scene: &Scene<'_>) -> Result<BTreeMap<String, Result<Space, String>>, Outcome> {
    if !scene.is_live() {
        return Err(Outcome::not_applicable(t!("a tree does not tell how full the host's disks are")));
    }
    let mut found = BTreeMap::new();
    for place in places(scene) {
        let target = scene.facts().mount_of(place).map_or("/", |mount| mount.target.as_str());
        let ask =
            || scene.host().space(&format!("{}/.", target.trim_end_matches('/'))).map_err(|e| e.to_string());
        found.entry(target.to_owned()).or_insert_with(ask);
    }
    Ok(found)
}

/// How short something is.
fn shortage(free: u64, total: u64, fail: (u64, u64), warn: (u64, u64)) -> Option<bool> {
    let below = |(percent, least): (u64, u64)| free < least && free < total / 100 * percent;
    if below(fail) { Some(true) } else { below(warn).then_some(false) }
}

fn each(scene: &Scene<'_>, judge: impl Fn(&str, Space) -> Outcome) -> Vec<Outcome> {
    match file_systems(scene) {
        Ok(found) => found
            .into_iter()
            .map(|(target, space)| {
                let outcome = match space {
                    Ok(space) if space.total > 0 => judge(&target, space),
                    Ok(_) => Outcome::could_not_tell(t!("{path} tells no size", path = target)),
                    Err(why) => Outcome::could_not_tell(why),
                };
                outcome.seen(Evidence::path(&target)).of(target)
            })
            .collect(),
        Err(outcome) => outcome.into(),
    }
}

fn room(scene: &Scene<'_>) -> Vec<Outcome> {
    each(scene, |target, space| {
        let whole = |bytes: u64| Bytes(bytes / MIB * MIB);
        let actual = t!("{free} of {total} are free", free = whole(space.free), total = whole(space.total));
        let fix = t!(
            "look for what is large: du -xh --max-depth=2 {path} | sort -h; docker system df",
            path = target
        );
        let expected = t!("a tenth, or {least}", least = Bytes(10 * GIB));
        match shortage(space.free, space.total, (5, 2 * GIB), (10, 10 * GIB)) {
            Some(true) => Outcome::fail(actual, fix),
            Some(false) => Outcome::warn(actual, fix),
            None => Outcome::pass(actual),
        }
        .expected(expected)
    })
}

fn inodes(scene: &Scene<'_>) -> Vec<Outcome> {
    each(scene, |target, space| {
        if space.inodes == 0 {
            return Outcome::not_applicable(t!("this file system makes inodes as it needs them"));
        }
        let actual = t!("{free} of {total} inodes are free", free = space.inodes_free, total = space.inodes);
        let fix = t!(
            "look for folders with very many files: du -x --inodes --max-depth=3 {path} | sort -n",
            path = target
        );
        match shortage(space.inodes_free, space.inodes, (3, u64::MAX), (10, u64::MAX)) {
            Some(true) => Outcome::fail(actual, fix),
            Some(false) => Outcome::warn(actual, fix),
            None => Outcome::pass(actual),
        }
        .expected(t!("a tenth"))
    })
}

/// A mount for writing on a file system that takes no writes: what an error leaves behind. (A remount by hand changes
/// both; a read-only bind mount changes only the mount.)
fn has_stopped(mount: &Mount) -> bool {
    let has = |list: &str, wanted: &str| list.split(',').any(|option| option == wanted);
    let (own, below) = &mount.options;
    let by_kernel = has(below, "emergency_ro") || has(below, "shutdown");
    by_kernel || has(own, "rw") && has(below, "ro")
}

fn stopped(scene: &Scene<'_>) -> Vec<Outcome> {
    const WRITABLE: [&str; 6] = ["ext2", "ext3", "ext4", "btrfs", "xfs", "f2fs"];
    let mounts: Vec<&Mount> =
        scene.facts().mounts.iter().filter(|mount| WRITABLE.contains(&mount.fstype.as_str())).collect();
    if scene.facts().mounts.is_empty() {
        return Outcome::not_here("/proc/self/mountinfo").into();
    }
    if mounts.is_empty() {
        return Outcome::not_applicable(t!("no file system here turns read-only by itself")).into();
    }
    let found: Vec<Outcome> = mounts
        .iter()
        .filter(|mount| has_stopped(mount))
        .map(|mount| {
            let (own, below) = &mount.options;
            let line = format!("{} {own} - {} {} {below}", mount.target, mount.fstype, mount.source);
            let fix = t!("read the kernel's log (dmesg), save what can be read, and check {device} from a rescue system",
                         device = mount.source);
            Outcome::fail(t!("mounted for writing, and read-only now"), fix)
                .of(&mount.target)
                .seen(Evidence::file("/proc/self/mountinfo", line))
        })
        .collect();
    if found.is_empty() {
        return Outcome::pass(t!("{count} mounts", count = mounts.len())).into();
    }
    found
}

fn errors(scene: &Scene<'_>) -> Vec<Outcome> {
    const FOLDER: &str = "/sys/fs/ext4";
    if scene.container().is_some() {
        return Outcome::not_applicable(t!("in a container the disks belong to the host below")).into();
    }
    let counts: Vec<(String, u64)> = scene
        .host()
        .list(FOLDER)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|name| {
            let path = format!("{FOLDER}/{name}/errors_count");
            let count = scene.host().value(&path)?.parse().ok()?;
            Some((name, count))
        })
        .collect();
    if counts.is_empty() {
        let has_ext4 = scene.facts().mounts.iter().any(|mount| mount.fstype == "ext4");
        return if has_ext4 || scene.facts().mounts.is_empty() {
            Outcome::not_here(FOLDER).into()
        } else {
            Outcome::not_applicable(t!("nothing is mounted as ext4")).into()
        };
    }
    let found: Vec<Outcome> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| {
            let path = format!("{FOLDER}/{name}/errors_count");
            let fix = t!("read the kernel's log, and have the disk checked at the next boot: fsck.mode=force on the boot line");
            Outcome::fail(t!("{count} since the last check", count = count), fix)
                .of(name)
                .expected("0")
                .seen(Evidence::file(path, count.to_string()))
        })
        .collect();
    if found.is_empty() {
        return Outcome::pass(t!("none on {count} file systems", count = counts.len())).into();
    }
    found
}

fn no_disk(scene: &Scene<'_>) -> Outcome {
    const FOLDER: &str = "/sys/block";
    if scene.host().exists(FOLDER) {
        Outcome::could_not_tell(t!("{path} tells of no disk", path = FOLDER))
    } else {
        Outcome::not_here(FOLDER)
    }
}

fn kind(scene: &Scene<'_>) -> Vec<Outcome> {
    if scene.container().is_some() {
        return Outcome::not_applicable(t!("in a container the disks belong to the host below")).into();
    }
    let disks = &scene.facts().disks;
    if disks.is_empty() {
        return no_disk(scene).into();
    }
    let judged = disks.iter().map(|disk| {
        let path = format!("/sys/block/{}/queue/rotational", disk.name);
        let seen = Evidence::file(&path, scene.host().value(&path).unwrap_or_default());
        let size = Bytes(disk.size_bytes / MIB * MIB);
        match is_rotating(scene, disk) {
            Some(true) => {
                let fix = t!("keep swap, the database and Docker's folder on a faster disk");
                Outcome::warn(t!("{size}, with rotating platters", size = size), fix)
            }
            Some(false) => Outcome::pass(t!("{size}, {kind}", size = size, kind = disk.kind)),
            None => Outcome::pass(t!("{size}, virtual: the provider knows what is behind it", size = size)),
        }
        .seen(seen)
        .of(&disk.name)
    });
    judged.collect()
}

fn trim(scene: &Scene<'_>) -> Vec<Outcome> {
    if scene.container().is_some() {
        return Outcome::not_applicable(t!("in a container the disks belong to the host below")).into();
    }
    if !scene.cx.has_systemd() {
        return Outcome::not_applicable(t!("systemd does not run this host")).into();
    }
    let can_forget = |disk: &&Disk| {
        let most = scene.host().value(&format!("/sys/block/{}/queue/discard_max_bytes", disk.name));
        most.is_some_and(|most| most != "0")
    };
    let disks: Vec<&Disk> = scene.facts().disks.iter().filter(can_forget).collect();
    if scene.facts().disks.is_empty() {
        return no_disk(scene).into();
    }
    if disks.is_empty() {
        return Outcome::not_applicable(t!("no disk here can be told")).into();
    }
    let by_itself = |mount: &&&Mount| {
        mount.options.1.split(',').any(|option| option == "discard" || option.starts_with("discard="))
    };
    let mounts: Vec<&Mount> = scene
        .facts()
        .mounts
        .iter()
        .filter(|mount| ["ext4", "xfs", "btrfs", "f2fs"].contains(&mount.fstype.as_str()))
        .filter(|mount| disk_of(scene, &mount.source).is_some_and(|disk| disks.contains(&disk)))
        .collect();
    let Some(silent) = mounts.iter().find(|mount| !by_itself(mount)) else {
        return Outcome::pass(t!("the file systems do it by themselves (discard)")).into();
    };
    let folders = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
    let link = folders
        .map(|folder| format!("{folder}/timers.target.wants/fstrim.timer"))
        .into_iter()
        .find(|link| scene.host().read_link(link).is_some());
    if let Some(link) = link {
        return Outcome::pass(t!("fstrim.timer does it once a week")).seen(Evidence::path(link)).into();
    }
    let actual =
        t!("{target} is not mounted with discard, and fstrim.timer is not enabled", target = silent.target);
    Outcome::warn(actual, "systemctl enable --now fstrim.timer")
        .seen(Evidence::file("/proc/self/mountinfo", format!("{} {}", silent.target, silent.options.1)))
        .seen(Evidence::path("/etc/systemd/system/timers.target.wants"))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_that_an_error_stopped() {
        let mount =
            |own: &str, below: &str| Mount { options: (own.into(), below.into()), ..Mount::default() };
        assert!(has_stopped(&mount("rw,relatime", "ro,errors=remount-ro")));
        assert!(has_stopped(&mount("rw", "rw,emergency_ro")));
        assert!(!has_stopped(&mount("ro", "ro")), "a remount by hand");
        assert!(!has_stopped(&mount("ro", "rw")), "a bind mount");
        assert!(!has_stopped(&mount("rw", "rw,errors=remount-ro")));
    }

    #[test]
    fn how_short() {
        let of_100 = |free| shortage(free * GIB, 100 * GIB, (5, 2 * GIB), (10, 10 * GIB));
        assert_eq!(
            (of_100(1), of_100(3), of_100(9), of_100(11)),
            (Some(true), Some(false), Some(false), None)
        );
        assert_eq!(shortage(0, 0, (5, 1), (10, 1)), None);
    }
}
