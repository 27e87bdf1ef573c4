//! The running kernel: its modules, its successor, and room for the next one.

use super::super::{Evidence, Outcome, Scene};
use super::foreign;
use crate::facts::kernel::{flavour, numbers};
use crate::t;
use crate::tunable::initramfs;
use crate::units::{Bytes, MIB};

const RELEASE: &str = "/proc/sys/kernel/osrelease";
const REQUIRED: &str = "/run/reboot-required";

/// The release of the kernel that runs; a tree may not tell.
fn running<'a>(scene: &Scene<'a>) -> Result<&'a str, Outcome> {
    if let Some(outcome) = foreign(scene) {
        return Err(outcome);
    }
    if !scene.is_live() && !scene.host().exists(RELEASE) {
        return Err(Outcome::not_here(RELEASE));
    }
    Ok(&scene.facts().kernel.release)
}

/// Every kernel in /boot.
fn installed(scene: &Scene<'_>) -> Vec<String> {
    let names = scene.host().list("/boot").unwrap_or_default();
    let releases = names.iter().filter_map(|name| name.strip_prefix("vmlinuz-")).filter(|r| *r != "old");
    releases.map(str::to_owned).collect()
}

pub(super) fn modules(scene: &Scene<'_>) -> Vec<Outcome> {
    let looked = || -> Result<Outcome, Outcome> {
        let release = running(scene)?;
        let folders = ["/lib/modules", "/usr/lib/modules"].map(|folder| format!("{folder}/{release}"));
        let lists = folders.iter().map(|folder| format!("{folder}/modules.dep"));
        if let Some(list) = lists.into_iter().find(|list| scene.host().exists(list)) {
            return Ok(Outcome::pass(t!("those of {release} are there", release = release))
                .seen(Evidence::path(list)));
        }
        if scene.is_live() && !scene.host().exists("/proc/modules") {
            return Err(Outcome::not_applicable(t!("this kernel loads no modules")));
        }
        let fix = if installed(scene).is_empty() {
            t!(
                "install the modules of kernel {release}, or boot a kernel of the distribution",
                release = release
            )
        } else {
            "systemctl reboot".to_owned()
        };
        Ok(Outcome::fail(t!("kernel {release} runs, and its modules are gone", release = release), fix)
            .seen(Evidence::path(&folders[0])))
    };
    looked().unwrap_or_else(|outcome| outcome).into()
}

pub(super) fn reboot(scene: &Scene<'_>) -> Vec<Outcome> {
    let looked = || -> Result<Outcome, Outcome> {
        let release = running(scene)?;
        let own = flavour(release);
        let newer = installed(scene)
            .into_iter()
            .filter(|other| flavour(other) == own && numbers(other) > numbers(release))
            .max_by_key(|other| numbers(other));
        let mut evidence: Vec<Evidence> =
            newer.iter().map(|other| Evidence::path(format!("/boot/vmlinuz-{other}"))).collect();
        let required = scene.host().exists(REQUIRED);
        if required {
            let packages = scene.host().value(&format!("{REQUIRED}.pkgs")).unwrap_or_default();
            let names = packages.lines().take(20).collect::<Vec<_>>().join(", ");
            evidence.push(if names.is_empty() {
                Evidence::path(REQUIRED)
            } else {
                Evidence::file(format!("{REQUIRED}.pkgs"), names)
            });
        }
        let actual = match (newer, required) {
            (Some(other), _) => t!("{newer} is installed, {release} runs", newer = other, release = release),
            (None, true) => t!("a package asks for it"),
            (None, false) if release.is_empty() => {
                return Err(Outcome::not_here(RELEASE));
            }
            (None, false) => {
                return Ok(Outcome::pass(t!(
                    "{release} runs, and no package asks for a reboot",
                    release = release
                )));
            }
        };
        Ok(Outcome::warn(actual, "systemctl reboot").seen_all(evidence))
    };
    looked().unwrap_or_else(|outcome| outcome).into()
}

pub(super) fn room(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = foreign(scene) {
        return outcome.into();
    }
    if !scene.is_live() {
        return Outcome::not_applicable(t!("a tree does not tell how full the host's disks are")).into();
    }
    let Some((free, needed)) = initramfs::room(&scene.cx) else {
        return Outcome::not_applicable(t!("there is no initramfs in /boot")).into();
    };
    let actual = t!("{free} are free", free = Bytes(free / MIB * MIB));
    let outcome =
        if free < needed { Outcome::fail(actual, "apt autoremove --purge") } else { Outcome::pass(actual) };
    outcome
        .expected(t!("{needed} at least", needed = Bytes(needed / MIB * MIB)))
        .seen(Evidence::path("/boot"))
        .into()
}
