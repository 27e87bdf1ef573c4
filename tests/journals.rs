//! What an older civicum-tune applied, a newer one can take back: `tests/journals/FORMAT` holds what each format of the journal
//! looked like on a host, and is never written anew. (A new format: `UPDATE_EXPECTED=1 cargo test --test journals` once, with the
//! program that writes it.)
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod trees;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use trees::Tree;

const PROFILE: &str = "name = \"kept\"\n[zswap]\nenabled = true\n[boot]\nmanage = true\npsi = true\n[mglru]\n\
                       min_ttl = \"1000ms\"\n[sysctl]\n\"vm.swappiness\" = 80\n";
const NEWEST: u32 = 1;

fn program(tree: &Tree, args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_civicum-tune"))
        .args(args)
        .arg("--root")
        .arg(tree.path())
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), said)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else if entry.file_type().unwrap().is_file() {
            found.push(entry.path());
        }
    }
    found
}

/// What an apply adds to the tree, or changes in it.
fn keep(to: &Path) {
    let (before, tree) = (Tree::base(), Tree::base());
    let profile = before.at("kept.toml");
    fs::write(&profile, PROFILE).unwrap();
    let (status, said) = program(&tree, &["apply", "--yes", "--profile", profile.to_str().unwrap()]);
    assert_eq!(status, 0, "{said}");
    for file in files(tree.path()) {
        let name = file.strip_prefix(tree.path()).unwrap();
        if fs::read(before.path().join(name)).ok() != Some(fs::read(&file).unwrap()) {
            fs::create_dir_all(to.join(name).parent().unwrap()).unwrap();
            fs::copy(&file, to.join(name)).unwrap();
        }
    }
}

#[test]
fn what_each_format_applied_can_be_taken_back() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: the files of those journals belong to root");
        return;
    }
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals");
    let newest = kept.join(NEWEST.to_string());
    if !newest.exists() && std::env::var_os("UPDATE_EXPECTED").is_some() {
        keep(&newest);
    }
    for format in 1..=NEWEST {
        let folder = kept.join(format.to_string());
        let tree = Tree::base();
        let stock = tree.snapshot();
        for file in files(&folder) {
            let name = file.strip_prefix(&folder).unwrap();
            tree.put(name.to_str().unwrap(), fs::read(&file).unwrap());
        }
        assert_ne!(tree.snapshot(), stock);
        let (status, said) = program(&tree, &["history"]);
        assert!(status == 0 && said.contains("applied"), "format {format}: {said}");
        let (status, said) = program(&tree, &["rollback", "--yes"]);
        assert_eq!(status, 0, "format {format}: {said}");
        trees::assert_same(&tree.snapshot(), &stock, &format!("format {format}: the stock tree again"));
        let (_, said) = program(&tree, &["history"]);
        assert!(said.contains("rolled back"), "{said}");
    }
}

#[test]
fn a_format_that_is_newer_is_refused_and_nothing_is_touched() {
    let tree = Tree::base();
    assert_eq!(program(&tree, &["apply", "--yes", "--profile", "minimal"]).0, 0);
    let intent = "var/lib/civicum-tune/generations/0001/generation.json";
    let text = tree.text(intent);
    let newer = text.replacen(&format!("\"format\": {NEWEST}"), &format!("\"format\": {}", NEWEST + 1), 1);
    assert_ne!(text, newer, "the newest format is another one: keep what it looks like, and raise NEWEST");
    tree.put(intent, newer);
    let before = tree.snapshot();
    for args in [&["rollback", "--yes"][..], &["apply", "--yes"], &["history"]] {
        let (status, said) = program(&tree, args);
        assert!(status == 2 && said.contains("use a newer civicum-tune"), "{args:?}: {said}");
    }
    trees::assert_same(&tree.snapshot(), &before, "nothing was touched");
}
