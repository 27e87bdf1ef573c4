//! What a swap area lies on, and who can read it.

use super::super::disk::{disk_of, is_rotating};
use super::super::{Evidence, Outcome, Scene};
use super::{areas, line_of};
use crate::facts::{Disk, SwapArea};
use crate::t;

/// File systems behind which there is a network, or another program.
const REMOTE: [&str; 12] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "9p",
    "ceph",
    "glusterfs",
    "virtiofs",
    "afs",
    "lustre",
    "fuse",
    "fuseblk",
];

/// Swap files in use, and those that fstab names.
fn files(scene: &Scene<'_>) -> Result<Vec<String>, Outcome> {
    if let Some(outcome) = super::out_of_place(scene).filter(|outcome| !outcome.is_untold()) {
        return Err(outcome);
    }
    let mut paths: Vec<String> = scene
        .facts()
        .swap
        .iter()
        .filter(|area| area.kind == "file" && !area.path.starts_with("/dev/"))
        .map(|area| area.path.clone())
        .collect();
    let named = super::persist::fstab(scene).unwrap_or_default();
    let ours = crate::tunable::swapfile::names(&scene.wish().swap.path);
    for path in named.into_iter().map(|entry| entry.spec).chain(ours) {
        let is_file = path.starts_with('/') && !path.starts_with("/dev/");
        if is_file && !paths.contains(&path) && scene.host().exists(&path) {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(Outcome::not_applicable(t!("there is no swap file")));
    }
    Ok(paths)
}

pub(super) fn modes(scene: &Scene<'_>) -> Vec<Outcome> {
    let paths = match files(scene) {
        Ok(paths) => paths,
        Err(outcome) => return outcome.into(),
    };
    // In a tree files belong to whoever made it.
    let owner = scene.host().stat("/").ok().flatten().map_or(0, |stat| stat.uid);
    let judged = paths.into_iter().map(|path| {
        let stat = match scene.host().stat(&path) {
            Ok(Some(stat)) => stat,
            Ok(None) => return Outcome::not_here(&path).of(path),
            Err(error) => return Outcome::could_not_tell(error.to_string()).of(path),
        };
        if !stat.is_file {
            return Outcome::not_applicable(t!("it is {what}", what = stat.what)).of(path);
        }
        let actual = t!("mode {mode}, owner {uid}", mode = format!("{:04o}", stat.mode), uid = stat.uid);
        let seen = Evidence::file(&path, format!("{:04o} {}:{}", stat.mode, stat.uid, stat.gid));
        let outcome = if stat.mode & 0o077 != 0 || stat.uid != owner {
            Outcome::fail(actual, format!("chown root: {path}; chmod 600 {path}"))
        } else {
            Outcome::pass(actual)
        };
        outcome
            .expected(t!("mode {mode}, owner {uid}", mode = "0600", uid = owner))
            .seen(seen)
            .target(&path)
            .of(path)
    });
    judged.collect()
}

/// Where the area lies: the device, and for a file the file system's type and place.
fn bed<'a>(scene: &'a Scene<'a>, area: &'a SwapArea) -> Option<(&'a str, Option<(&'a str, &'a str)>)> {
    if area.path.starts_with("/dev/") {
        return Some((&area.path, None));
    }
    let mount = scene.facts().mount_of(&area.path)?;
    Some((&mount.source, Some((&mount.fstype, &mount.target))))
}

pub(super) fn file_systems(scene: &Scene<'_>) -> Vec<Outcome> {
    let areas = match areas(scene) {
        Ok(areas) => areas,
        Err(outcome) => return outcome.into(),
    };
    let judged = areas.into_iter().map(|area| {
        let Some((device, file_system)) = bed(scene, area) else {
            return Outcome::could_not_tell(t!("nothing tells what {path} lies on", path = area.path))
                .of(&area.path);
        };
        let fix = t!(
            "make swap on a local disk (ext4, XFS or a partition), then: swapoff {path}",
            path = area.path
        );
        let network = ["/dev/nbd", "/dev/rbd", "/dev/drbd"].iter().any(|start| device.starts_with(start));
        let outcome = match file_system {
            Some((fstype, target)) if REMOTE.contains(&fstype) || fstype.starts_with("fuse.") => {
                Outcome::fail(t!("on {fstype} ({target})", fstype = fstype, target = target), fix)
            }
            Some((fstype, target)) if fstype == "zfs" => {
                Outcome::fail(t!("on {fstype} ({target})", fstype = fstype, target = target), fix)
            }
            Some((fstype, target)) if fstype == "btrfs" && scene.facts().kernel.version < (5, 0) => {
                Outcome::fail(t!("on {fstype} ({target})", fstype = fstype, target = target), fix)
            }
            Some((fstype, target)) => {
                Outcome::pass(t!("on {fstype} ({target})", fstype = fstype, target = target))
            }
            None if device.starts_with("/dev/zd") || device.starts_with("/dev/zvol/") => {
                Outcome::warn(t!("on a volume of ZFS ({device})", device = device), fix)
            }
            None if network => {
                Outcome::warn(t!("on a disk over the network ({device})", device = device), fix)
            }
            None => Outcome::pass(t!("on {device}", device = device)),
        };
        outcome.seen(line_of(area)).of(&area.path)
    });
    judged.collect()
}

/// The disk below an area.
fn disk<'a>(scene: &'a Scene<'a>, area: &'a SwapArea) -> Option<&'a Disk> {
    disk_of(scene, bed(scene, area)?.0)
}

pub(super) fn rotating(scene: &Scene<'_>) -> Vec<Outcome> {
    let areas = match areas(scene) {
        Ok(areas) => areas,
        Err(outcome) => return outcome.into(),
    };
    let judged = areas.into_iter().map(|area| {
        let Some(disk) = disk(scene, area) else {
            return Outcome::could_not_tell(t!("nothing tells what {path} lies on", path = area.path))
                .of(&area.path);
        };
        let path = format!("/sys/block/{}/queue/rotational", disk.name);
        let seen = Evidence::file(&path, scene.host().value(&path).unwrap_or_default());
        match is_rotating(scene, disk) {
            Some(true) => {
                let fix = t!("make swap on a faster disk, then: swapoff {path}", path = area.path);
                Outcome::warn(t!("on {disk}, which rotates", disk = disk.name), fix)
            }
            Some(false) => Outcome::pass(t!("on {disk} ({kind})", disk = disk.name, kind = disk.kind)),
            None => Outcome::not_applicable(t!(
                "{disk} is a virtual disk: the provider knows what is behind it",
                disk = disk.name
            )),
        }
        .seen(seen)
        .of(&area.path)
    });
    judged.collect()
}

pub(super) fn order(scene: &Scene<'_>) -> Vec<Outcome> {
    let areas = match areas(scene) {
        Ok(areas) => areas,
        Err(outcome) => return outcome.into(),
    };
    if areas.len() < 2 {
        return Outcome::not_applicable(t!("there is one area only")).into();
    }
    let known: Option<Vec<(&SwapArea, bool)>> =
        areas.iter().map(|area| Some((*area, is_rotating(scene, disk(scene, area)?)?))).collect();
    let Some(known) = known else {
        return Outcome::not_applicable(t!("nothing tells which of them is faster")).into();
    };
    let slow_first = known.iter().find(|(slow, rotates)| {
        *rotates && known.iter().any(|(fast, other)| !other && fast.priority < slow.priority)
    });
    match slow_first {
        Some((slow, _)) => {
            let fix =
                t!("give the faster area the higher priority: pri= in /etc/fstab, Priority= in its unit");
            Outcome::warn(t!("{path} is used first and rotates", path = slow.path), fix)
        }
        None => Outcome::pass(t!("no slower area comes before a faster one")),
    }
    .seen_all(areas.into_iter().map(line_of))
    .into()
}
