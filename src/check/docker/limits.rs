//! Control groups as the engine uses them, and what it warns of.

use super::{Outcome, Scene, answered, told};
use crate::facts::engine::EngineInfo;
use crate::t;

fn is_rootless(info: &EngineInfo) -> bool {
    info.security_options.iter().any(|option| option == "name=rootless")
}

pub(super) fn cgroup_version(scene: &Scene<'_>) -> Vec<Outcome> {
    let info = match answered(scene) {
        Ok(info) => info,
        Err(outcome) => return outcome,
    };
    let evidence = told("CgroupVersion", &info.cgroup_version);
    let version = info.cgroup_version.as_str();
    match (version, scene.container()) {
        ("2", _) => Outcome::pass("2").seen(evidence),
        ("1", Some(engine)) => Outcome::not_applicable(t!(
            "this is a {engine} container: control groups belong to the host below",
            engine = engine
        )),
        ("1", None) => Outcome::warn(
            "1",
            t!("civicum-tune apply, with boot.cgroup_v2 = true in the profile, and a reboot"),
        )
        .expected("2")
        .seen(evidence),
        _ => Outcome::could_not_tell(t!("the engine does not tell which version it uses")),
    }
    .into()
}

pub(super) fn cgroup_driver(scene: &Scene<'_>) -> Vec<Outcome> {
    let info = match answered(scene) {
        Ok(info) => info,
        Err(outcome) => return outcome,
    };
    let evidence = told("CgroupDriver", &info.cgroup_driver);
    let set = t!(
        "put \"exec-opts\": [\"native.cgroupdriver=systemd\"] into /etc/docker/daemon.json and restart the engine"
    );
    match (info.cgroup_driver.as_str(), info.cgroup_version.as_str()) {
        ("systemd", _) => Outcome::pass("systemd").seen(evidence),
        ("none", _) => Outcome::fail(
            t!("none: no limit of a container holds"),
            t!("have systemd delegate the controllers to the user: https://rootlesscontaine.rs/getting-started/common/cgroup2/"),
        )
        .expected("systemd")
        .seen(evidence),
        (_, "1") => Outcome::not_applicable(t!("on cgroup v1 the engine may arrange its groups by itself")),
        ("cgroupfs", _) if !scene.cx.has_systemd() => {
            Outcome::not_applicable(t!("systemd does not run this host"))
        }
        ("cgroupfs", "2") => Outcome::warn("cgroupfs", set).expected("systemd").seen(evidence),
        _ => Outcome::could_not_tell(t!("the engine does not tell which driver it uses")),
    }
    .into()
}

pub(super) fn support(scene: &Scene<'_>) -> Vec<Outcome> {
    let info = match answered(scene) {
        Ok(info) => info,
        Err(outcome) => return outcome,
    };
    let fields = [
        ("MemoryLimit", info.memory_limit),
        ("SwapLimit", info.swap_limit),
        ("PidsLimit", info.pids_limit),
        ("CpuCfsQuota", info.cpu_quota),
    ];
    let missing: Vec<&str> = fields.iter().filter(|(_, has)| !has).map(|(field, _)| *field).collect();
    if missing.is_empty() {
        return Outcome::pass(t!("all four hold"))
            .seen_all(fields.map(|(field, has)| told(field, has)))
            .into();
    }
    missing
        .into_iter()
        .map(|field| {
            let fix = match field {
                _ if is_rootless(info) => {
                    t!("have systemd delegate the controllers to the user: https://rootlesscontaine.rs/getting-started/common/cgroup2/")
                }
                "MemoryLimit" => {
                    t!("boot with cgroup_enable=memory: boot.kernel_args in the profile, and civicum-tune apply")
                }
                "SwapLimit" => {
                    t!("boot with cgroup v2 (boot.cgroup_v2 = true in the profile), or with swapaccount=1")
                }
                _ => t!("boot a kernel that was built with CONFIG_CGROUP_PIDS and CONFIG_CFS_BANDWIDTH"),
            };
            let actual = t!("the kernel does not offer it to the engine");
            // Without a limit of memory one container takes the whole host down.
            let outcome =
                if field == "MemoryLimit" { Outcome::fail(actual, fix) } else { Outcome::warn(actual, fix) };
            outcome.of(field).expected("true").seen(told(field, "false"))
        })
        .collect()
}

/// Warnings that another check tells better, and those about what no profile sets: weights and rates of disks.
fn is_told_elsewhere(warning: &str) -> bool {
    let known = [
        "No memory limit support",
        "No swap limit support",
        "No pids limit support",
        "No cpu cfs",
        "No io.",
        "No blkio",
        "No kernel memory",
        "No oom kill disable",
        "API is accessible on",
        "storage-driver is deprecated",
        "Support for cgroup v1 is deprecated",
    ];
    known.iter().any(|known| warning.contains(known))
}

pub(super) fn warnings(scene: &Scene<'_>) -> Vec<Outcome> {
    let info = match answered(scene) {
        Ok(info) => info,
        Err(outcome) => return outcome,
    };
    let rest: Vec<&String> = info.warnings.iter().filter(|warning| !is_told_elsewhere(warning)).collect();
    if rest.is_empty() {
        let passed = info.warnings.len();
        return Outcome::pass(t!(
            "none but {count} that other checks tell, or that nobody needs",
            count = passed
        ))
        .into();
    }
    rest.into_iter()
        .map(|warning| {
            let actual = warning.trim_start_matches("WARNING: ");
            let fix = if warning.contains("bridge-nf-call") {
                t!("needed only where containers of one network are kept apart (icc=false): modprobe br_netfilter")
            } else {
                t!("see docker info, and the engine's log: journalctl --unit docker --boot")
            };
            Outcome::warn(actual, fix).seen(told("Warnings", warning))
        })
        .collect()
}
