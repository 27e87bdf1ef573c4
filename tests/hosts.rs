//! Whole hosts as fixture trees: what `detect` and `plan` say of each. `UPDATE_EXPECTED=1 cargo test --test hosts` writes
//! anew what is expected; read the difference.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod trees;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use trees::{Tree, assert_same};

/// Small enough to be carried out on a copy of each tree.
const PROFILE: &str = r#"
name = "hosts"
[zswap]
enabled = true
compressor = "lz4"
max_pool_percent = 20
[swap]
size = "2MiB"
path = "/civicum.swap"
[zram]
retire = true
[boot]
manage = true
psi = true
cgroup_v2 = true
[mglru]
min_ttl = "1000ms"
[sysctl]
"vm.swappiness" = 60
"vm.page-cluster" = 0
"#;

fn hosts() -> Vec<PathBuf> {
    let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hosts");
    let mut found: Vec<PathBuf> = fs::read_dir(room).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    assert!(found.len() >= 18, "hosts are missing");
    found
}

/// A copy that may be changed. (git keeps no FIFO, and the copy gets one.)
fn copy(host: &Path) -> Tree {
    let tree = Tree::empty();
    let from = host.join("tree/.");
    assert!(Command::new("cp").arg("-a").arg(from).arg(tree.path()).status().unwrap().success());
    if host.ends_with("hostile") {
        let fifo = tree.at("etc/sysctl.d/50-fifo.conf");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    }
    tree
}

fn run(tree: &Tree, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_civicum-tune"))
        .args(args)
        .args(["--root", tree.path().to_str().unwrap()])
        .env_clear()
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(tree.path().to_str().unwrap(), "ROOT");
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn is_expected(host: &Path, name: &str, text: &str) {
    let path = host.join("expected").join(name);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if expected != text {
        let diff = similar::TextDiff::from_lines(expected.as_str(), text).unified_diff().to_string();
        panic!("{} is not as expected:\n{diff}", path.display());
    }
}

#[test]
fn detect_and_plan() {
    for host in hosts() {
        let tree = copy(&host);
        let before = tree.snapshot();
        let (status, detect, err) = run(&tree, &["detect", "--format", "json"]);
        assert_eq!(status, 0, "{}: {err}", host.display());
        is_expected(&host, "detect.json", &detect);
        is_expected(&host, "detect.txt", &run(&tree, &["detect"]).1);
        let profile = Tree::empty();
        profile.put("hosts.toml", PROFILE);
        let (_, plan, err) = run(&tree, &["plan", "--profile", profile.at("hosts.toml").to_str().unwrap()]);
        is_expected(
            &host,
            "plan.txt",
            &(plan + "--- standard error ---\n" + &err.replace(profile.path().to_str().unwrap(), "PROFILES")),
        );
        assert_same(&tree.snapshot(), &before, "looking changes nothing");
    }
}

#[test]
fn applied_nothing_differs_and_rolled_back_it_is_as_before() {
    for host in hosts() {
        let tree = copy(&host);
        tree.put("tmp/hosts.toml", PROFILE);
        let before = tree.snapshot();
        let profile = tree.at("tmp/hosts.toml");
        let profile = profile.to_str().unwrap();
        let (status, _, err) = run(&tree, &["apply", "--yes", "--profile", profile]);
        if err.contains("can't be changed") {
            assert_eq!(status, 2, "{}: {err}", host.display());
            assert_same(&tree.snapshot(), &before, &host.display().to_string());
            continue;
        }
        let (status, plan, _) = run(&tree, &["plan"]);
        assert_eq!(status, 0, "{}: {err}\n{plan}", host.display());
        let (status, out, err) = run(&tree, &["rollback", "--yes"]);
        assert_eq!(status, 0, "{}: {out}{err}", host.display());
        assert_same(&tree.snapshot(), &before, &host.display().to_string());
    }
}
