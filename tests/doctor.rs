//! The audit as a whole: exit status, selection, waivers, drift, and that it changes and runs nothing.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod trees;

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use trees::live::Live;
use trees::{Tree, assert_same};

const WISH: &str = "name = \"t\"\n[zswap]\nenabled = true\n";

fn doctor(tree: &Tree, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_civicum-tune"))
        .arg("doctor")
        .args(args)
        .arg("--root")
        .arg(tree.path())
        .env_clear()
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// The answers of one check.
fn answers<'d>(document: &'d Value, id: &str) -> Vec<&'d Value> {
    document["checks"].as_array().unwrap().iter().filter(|check| check["id"] == id).collect()
}

fn with_profile(text: &str) -> Tree {
    let tree = Tree::base();
    tree.put("etc/civicum-tune/profile.toml", text);
    tree
}

#[test]
fn it_looks_and_changes_nothing() {
    let tree = with_profile(WISH);
    let before = tree.snapshot();
    let (status, out, err) = doctor(&tree, &["--format", "json"]);
    assert_eq!(status, 1, "{err}");
    let document = document(&out);
    assert_eq!(document["schema"], "civicum-tune/doctor/1");
    let found = &answers(&document, "CT-ZSWAP-002")[0];
    assert_eq!(
        (&found["status"], &found["expected"], &found["actual"]),
        (&"fail".into(), &"Y".into(), &"N".into())
    );
    assert_eq!(found["evidence"][0]["file"], "/sys/module/zswap/parameters/enabled");
    assert_eq!(found["evidence"][0]["content"], "N");
    assert!(found["fix"].as_str().unwrap().contains("civicum-tune apply"));
    // The numbers are those of the list, and what could not be told is no pass.
    let count = |status: &str| {
        document["checks"].as_array().unwrap().iter().filter(|check| check["status"] == status).count()
    };
    for status in ["pass", "warn", "fail", "skip"] {
        assert_eq!(document["summary"][status], count(status), "{status}");
    }
    for skipped in document["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "skip") {
        assert!(["not_applicable", "could_not_tell"].contains(&skipped["because"].as_str().unwrap()));
        assert!(!skipped["reason"].as_str().unwrap().is_empty(), "{skipped}");
    }
    assert_same(&tree.snapshot(), &before, "an audit changes nothing");
}

#[test]
fn what_is_asked_is_what_is_run() {
    let tree = with_profile(WISH);
    let ids = |args: &[&str]| -> Vec<String> {
        let (_, out, err) = doctor(&tree, &[args, &["--format", "json"]].concat());
        let list = document(&out)["checks"].as_array().unwrap_or_else(|| panic!("{args:?}: {err}")).clone();
        list.iter().map(|check| check["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&["--only", "CT-ZSWAP-002"]), ["CT-ZSWAP-002"]);
    assert!(ids(&["--only", "zswap"]).iter().all(|id| id.starts_with("CT-ZSWAP-")));
    assert!(ids(&["--skip", "ZSWAP,DRIFT"]).iter().all(|id| !id.contains("ZSWAP") && !id.contains("DRIFT")));
    let high = ids(&["--only", "ZSWAP", "--severity", "high"]);
    assert!(high.contains(&"CT-ZSWAP-002".to_owned()) && !high.contains(&"CT-ZSWAP-005".to_owned()));
    let (status, out, err) = doctor(&tree, &["--only", "CT-NOTHING-001"]);
    assert!(
        status == 2 && out.is_empty() && err.contains("there is no check `CT-NOTHING-001`"),
        "{out}{err}"
    );
}

#[test]
fn what_could_not_be_told_is_a_failure_when_strict() {
    let tree = with_profile(WISH);
    tree.put("sys/module/zswap/parameters/enabled", "Y\n");
    let ask =
        |args: &[&str]| doctor(&tree, &[&["--only", "CT-ZSWAP-003", "--format", "json"], args].concat());
    let (status, out, _) = ask(&[]);
    assert_eq!(
        (status, &answers(&document(&out), "CT-ZSWAP-003")[0]["because"]),
        (0, &"could_not_tell".into())
    );
    let (status, out, _) = ask(&["--strict"]);
    assert_eq!((status, &answers(&document(&out), "CT-ZSWAP-003")[0]["status"]), (1, &"fail".into()));
}

/// The findings of a host, by their ids, and what is said about one check.
fn findings(root: &Path) -> (Vec<String>, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_civicum-tune"))
        // The engine, the network and the clock are other causes.
        .args(["doctor", "--format", "json", "--skip", "CPU,DOCKER,NET,TIME", "--root"])
        .arg(root)
        .env_clear()
        .output()
        .unwrap();
    let document = document(&String::from_utf8_lossy(&output.stdout));
    let found = document["checks"].as_array().unwrap().iter();
    let found = found.filter(|check| check["status"] == "fail" || check["status"] == "warn");
    let ids = found.map(|check| check["id"].as_str().unwrap().to_owned()).collect();
    (ids, document)
}

fn copied(host: &str) -> Tree {
    let tree = Tree::empty();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hosts").join(host).join("tree/.");
    assert!(Command::new("cp").arg("-a").arg(from).arg(tree.path()).status().unwrap().success());
    tree
}

/// On a host that nobody tuned yet every cause is one finding. Each that is here is true: see the words beside it.
#[test]
fn one_cause_is_one_finding() {
    // The boot line lacks the arguments; the working set has no guard; zswap is off; no swap; no file sets the parameters.
    let untouched = ["CT-BOOT-002", "CT-MEM-006", "CT-ZSWAP-002", "CT-SWAP-001", "CT-SYSCTL-002"];
    for host in ["ubuntu-24.04-cloud", "ubuntu-25.10-dracut", "debian-13", "debian-13-backports"] {
        let (found, document) = findings(copied(host).path());
        assert_eq!(found, untouched, "{host}");
        for id in ["CT-ZSWAP-003", "CT-ZSWAP-013", "CT-BOOT-011", "CT-MEM-004", "CT-MEM-008"] {
            let answer = answers(&document, id)[0];
            assert_eq!(answer["because"], "not_applicable", "{host}: {answer}");
            let reason = answer["reason"].as_str().unwrap();
            assert!(untouched.iter().any(|cause| reason.ends_with(&format!("see {cause}"))), "{reason}");
        }
    }
    // An administrator's swap, too small: as much a cause as none at all.
    let tree = copied("debian-12-admin-swapfile");
    tree.put("sys/kernel/mm/lru_gen/enabled", "0x0000\n");
    let (found, _) = findings(tree.path());
    assert_eq!(found, ["CT-BOOT-002", "CT-MEM-007", "CT-ZSWAP-002", "CT-SWAP-002", "CT-SYSCTL-002"]);
    // Linux 5.15 has no multi-generational LRU, and no guard to be missed.
    let (found, _) = findings(copied("ubuntu-22.04-milan").path());
    assert_eq!(found, ["CT-BOOT-002", "CT-ZSWAP-002", "CT-SWAP-001", "CT-SYSCTL-002"]);
    // Where the kernel tells its values too, what is not so now and what is not set at boot is one finding.
    let tree = copied("ubuntu-24.04-cloud");
    for (key, value) in STOCK_SYSCTL {
        tree.put(&format!("proc/sys/{key}"), format!("{value}\n"));
    }
    let (found, document) = findings(tree.path());
    assert_eq!(found, ["CT-BOOT-002", "CT-MEM-006", "CT-ZSWAP-002", "CT-SWAP-001", "CT-SYSCTL-001"]);
    let stands = answers(&document, "CT-SYSCTL-001");
    let together = stands.iter().find(|answer| answer["status"] == "fail").unwrap();
    assert!(together["actual"].as_str().unwrap().contains("vm.page-cluster = 3, "), "{together}");
    assert!(together["expected"].as_str().unwrap().contains("vm.page-cluster = 0, "), "{together}");
    // Mending one brings out what stood behind it.
    tree.put("sys/module/zswap/parameters/enabled", "Y\n");
    let (found, _) = findings(tree.path());
    assert!(!found.contains(&"CT-ZSWAP-002".to_owned()), "{found:?}");
    assert!(found.contains(&"CT-ZSWAP-003".to_owned()) && found.contains(&"CT-ZSWAP-013".to_owned()));
    assert!(!found.contains(&"CT-ZSWAP-007".to_owned()), "no swap is one finding: {found:?}");
}

/// As Ubuntu 24.04's kernel has them on 12 GB.
const STOCK_SYSCTL: [(&str, &str); 10] = [
    ("fs/inotify/max_user_instances", "128"),
    ("fs/inotify/max_user_watches", "65536"),
    ("vm/page-cluster", "3"),
    ("vm/swappiness", "60"),
    ("vm/vfs_cache_pressure", "100"),
    ("vm/watermark_scale_factor", "10"),
    ("vm/min_free_kbytes", "67584"),
    ("vm/dirty_bytes", "0"),
    ("vm/dirty_background_bytes", "0"),
    ("vm/max_map_count", "65530"),
];

/// An image that is mounted does not run: what only a running host has is no question there, and strict is no obstacle.
#[test]
fn an_image_is_asked_for_nothing_that_only_a_running_host_has() {
    let tree = copied("mounted-image");
    // The fixture is a part of an image, and lets nobody tell that a clock daemon is missing in the rest.
    tree.put("usr/lib/systemd/systemd-timesyncd", "");
    tree.put("etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service", "");
    let (_, out, err) = doctor(&tree, &["--format", "json"]);
    let document = document(&out);
    let answer = answers(&document, "CT-ZSWAP-012")[0];
    assert_eq!(answer["reason"], "this tree has nothing in /sys: it does not run", "{err}");
    assert_eq!(answer["evidence"][0]["file"], "/sys/module/zswap/parameters");
    assert_eq!(document["summary"]["could_not_tell"], 0, "{document:#}");
    let status = Command::new(env!("CARGO_BIN_EXE_civicum-tune"))
        .args(["apply", "--yes", "-q", "--root"])
        .arg(tree.path())
        .env_clear()
        .status();
    assert!(status.unwrap().success());
    let (status, out, err) = doctor(&tree, &["--strict"]);
    assert_eq!(status, 0, "{out}{err}");
}

/// What is not possible on a tree waits for no boot.
#[test]
fn a_tree_that_can_not_have_all_is_not_told_to_wait() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let host = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hosts/zfs-root/tree");
    assert!(Command::new("cp").args(["-a", host]).arg(folder.path()).status().unwrap().success());
    let tree = folder.path().join("tree");
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
        command
            .args(args)
            .args(["--profile", "civicum-12g", "--root"])
            .arg(&tree)
            .env_clear()
            .output()
            .unwrap()
    };
    let before = run(&["doctor", "--only", "CT-SWAP-001"]);
    assert_eq!(before.status.code(), Some(1), "{before:?}");
    assert_eq!(run(&["apply", "--yes", "-q"]).status.code(), Some(2));
    let after = run(&["doctor", "--only", "CT-SWAP-001"]);
    assert_eq!(after.status.code(), Some(1), "{}", String::from_utf8_lossy(&after.stdout));
}

/// `apply` as it stands would change the machine on which it is typed, and not the tree.
#[test]
fn the_way_out_of_a_tree_names_the_tree() {
    let tree = with_profile(WISH);
    let (_, out, _) = doctor(&tree, &["--only", "CT-ZSWAP-002", "--format", "json"]);
    let fix = document(&out)["checks"][0]["fix"].as_str().unwrap().to_owned();
    // No file of the tree changes what a copy of /sys shows.
    let apply = format!("civicum-tune apply --root {}", tree.path().display());
    assert_eq!(fix, format!("{apply}, and the next boot of this tree sets it"));
    // Once it is applied, there is nothing more to be done, and nothing that could be told.
    let applied = Command::new(env!("CARGO_BIN_EXE_civicum-tune"))
        .args(["apply", "--yes", "-q", "--root"])
        .arg(tree.path())
        .env_clear()
        .status();
    assert!(applied.unwrap().success());
    let (status, out, _) = doctor(&tree, &["--only", "CT-ZSWAP-002", "--format", "json"]);
    let check = &document(&out)["checks"][0];
    assert_eq!((status, &check["because"]), (0, &"could_not_tell".into()), "{out}");
    assert!(check["reason"].as_str().unwrap().contains("the next boot sets it"), "{out}");
    let tree = with_profile("name = \"t\"\n[sysctl]\n\"vm.swappiness\" = 10\n");
    let apply = format!("civicum-tune apply --root {}", tree.path().display());
    let (_, out, _) = doctor(&tree, &["--only", "CT-SYSCTL-002", "--format", "json"]);
    assert_eq!(document(&out)["checks"][0]["fix"], apply);
}

#[test]
fn a_waiver_holds_to_its_last_day() {
    let waived = |until: &str| {
        let waiver =
            format!("{WISH}[waivers.CT-ZSWAP-002]\nreason = \"the provider is asked\"\nuntil = {until}\n");
        let (_, out, err) = doctor(&with_profile(&waiver), &["--format", "json"]);
        assert!(!out.contains("civicum-tune/error/1"), "{out}{err}");
        document(&out)
    };
    let held = waived("\"2999-12-31\"");
    let found = &answers(&held, "CT-ZSWAP-002")[0];
    assert_eq!((&found["status"], &found["because"]), (&"skip".into(), &"waived".into()));
    assert!(found["reason"].as_str().unwrap().contains("the provider is asked"));
    assert_eq!((&found["actual"], &held["summary"]["waived"]), (&"N".into(), &1.into()));
    // A date of TOML's own, and long past.
    let past = waived("2020-01-01");
    assert_eq!(answers(&past, "CT-ZSWAP-002")[0]["status"], "fail");
    let expired = &answers(&past, "CT-WAIVER-001")[0];
    assert_eq!((&expired["status"], &expired["subject"]), (&"fail".into(), &"CT-ZSWAP-002".into()));
    assert_eq!(expired["evidence"][0]["line"], 6);
}

#[test]
fn a_waiver_without_an_end_is_no_profile() {
    let tree = with_profile(&format!("{WISH}[waivers.CT-ZSWAP-002]\nreason = \"for ever\"\n"));
    let (status, _, err) = doctor(&tree, &[]);
    assert!(status == 2 && err.contains("has no `until`"), "{err}");
}

/// On a host of the test's own: what was applied is no finding, what was changed since is drift and no advice.
#[test]
fn drift_is_told_from_advice() {
    let Some(live) = Live::new() else { return };
    live.expect(0, &["apply", "--yes", "--profile", "/root/live.toml"]);
    let run = |args: &[&str]| {
        let output = live.run(&[&["doctor", "--format", "json"], args].concat());
        document(&String::from_utf8_lossy(&output.stdout))
    };
    let calls = live.tree.text("calls");
    let sound = run(&["--only", "DRIFT,ZSWAP"]);
    // The profile of this host asks for no swap, and that is a finding of its own.
    let is_bad = |check: &&Value| check["status"] == "fail" && check["id"] != "CT-ZSWAP-007";
    let bad: Vec<&Value> = sound["checks"].as_array().unwrap().iter().filter(is_bad).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(sound["generation"], 1);
    assert_eq!(answers(&sound, "CT-DRIFT-004")[0]["status"], "warn", "a reboot is due");

    live.tree.put("sys/module/zswap/parameters/max_pool_percent", "33\n");
    live.tree.put("etc/sysctl.d/99-zz-civicum-tune.conf", "vm.swappiness = 1\n");
    let drifted = run(&["--only", "DRIFT,ZSWAP"]);
    let value = &answers(&drifted, "CT-ZSWAP-005")[0];
    assert_eq!(
        (&value["status"], &value["drift"], &value["actual"]),
        (&"fail".into(), &1.into(), &"33".into())
    );
    let file = &answers(&drifted, "CT-DRIFT-001")[0];
    assert_eq!(
        (&file["status"], &file["subject"]),
        (&"fail".into(), &"/etc/sysctl.d/99-zz-civicum-tune.conf".into())
    );
    let human = live.expect(1, &["doctor", "--only", "DRIFT,ZSWAP"]);
    let (drift, rest) = human.split_once("Applied, and not so any more").unwrap();
    assert!(drift.contains("generation 1") && rest.contains("CT-ZSWAP-005"), "{human}");
    assert_eq!(live.tree.text("calls"), calls, "an audit runs nothing");

    live.tree.put("proc/sys/kernel/random/boot_id", "22222222-2222-2222-2222-222222222222\n");
    assert_eq!(answers(&run(&["--only", "DRIFT"]), "CT-DRIFT-004")[0]["status"], "pass");
}
