//! Where images and volumes lie.

use super::{Evidence, Outcome, Scene, absent, configured, place, told};
use crate::facts::engine::Engine;
use crate::t;

pub(super) fn driver(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = absent(scene) {
        return outcome.into();
    }
    let (driver, evidence) = if let Engine::Answered(info) = scene.engine() {
        (info.storage_driver.clone(), told("Driver", &info.storage_driver))
    } else {
        let dockerd = match configured(scene) {
            Ok(dockerd) => dockerd,
            Err(outcome) => return outcome,
        };
        let Some(driver) = dockerd.text_of("storage-driver") else {
            let why = t!("the configuration names no storage driver, and no engine tells which it chose");
            let in_a_tree = matches!(scene.engine(), Engine::Unasked);
            return if in_a_tree { Outcome::not_applicable(why) } else { Outcome::could_not_tell(why) }
                .into();
        };
        (driver, place(dockerd, "storage-driver"))
    };
    let fix = t!(
        "put \"storage-driver\": \"overlay2\" into /etc/docker/daemon.json, restart the engine, and load the images again"
    );
    match driver.as_str() {
        "overlay2" | "overlayfs" | "fuse-overlayfs" | "btrfs" | "zfs" => Outcome::pass(driver),
        "vfs" | "aufs" | "overlay" | "devicemapper" => Outcome::fail(driver, fix).expected("overlay2"),
        _ => {
            return Outcome::could_not_tell(t!(
                "we do not know the storage driver {driver}",
                driver = driver
            ))
            .into();
        }
    }
    .seen(evidence)
    .into()
}

pub(super) fn data_root(scene: &Scene<'_>) -> Vec<Outcome> {
    const DEFAULT: &str = "/var/lib/docker";
    if let Some(outcome) = absent(scene) {
        return outcome.into();
    }
    let root = match scene.engine() {
        Engine::Answered(info) if !info.root_dir.is_empty() => info.root_dir.clone(),
        _ => match configured(scene) {
            Ok(dockerd) => dockerd.text_of("data-root").unwrap_or_else(|| DEFAULT.to_owned()),
            Err(outcome) => return outcome,
        },
    };
    let Some(mount) = scene.facts().mount_of(&root) else {
        if scene.host().exists("/proc/self/mountinfo") {
            return Outcome::could_not_tell(t!("no list of mounts tells what {path} lies on", path = root))
                .into();
        }
        return Outcome::not_here("/proc/self/mountinfo").into();
    };
    let actual = t!(
        "{path} lies on {fstype}, mounted on {target}",
        path = root,
        fstype = mount.fstype,
        target = mount.target
    );
    let evidence =
        Evidence::file("/proc/self/mountinfo", format!("{} {} {}", mount.target, mount.fstype, mount.source));
    let fix = t!(
        "put \"data-root\" with a folder on a local disk into /etc/docker/daemon.json, and move the data there"
    );
    match mount.fstype.as_str() {
        "tmpfs" | "ramfs" => Outcome::fail(actual, fix),
        "nfs" | "nfs4" | "cifs" | "smb3" | "9p" | "vfat" | "exfat" | "ntfs" | "ntfs3" | "fuseblk"
        | "ceph" | "glusterfs" | "overlay" => Outcome::warn(actual, fix),
        _ => Outcome::pass(actual),
    }
    .expected(t!("a file system on a local disk"))
    .seen(evidence)
    .into()
}
