//! The audit as a whole: exit status, selection, waivers, drift, and that it changes and runs nothing.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod trees;

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
