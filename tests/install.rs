//! `install.sh` from its first line to its last, with a compiler and a program that only note how they are called: what it
//! does with the answers. (A whole installation on a clean Debian is `tests/install/clean-host.sh`.) And where the tests' own scripts
//! find a mirror, and what they call a fault.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod trees;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::geteuid;
use trees::Tree;

/// What the stand-in for civicum-tune answers.
struct Answers {
    plan: i32,
    obstacles: &'static str,
}

fn script(tree: &Tree, path: &str, text: &str) {
    tree.put(path, text);
    fs::set_permissions(tree.at(path), fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs a copy of it; its status, what it said, and how the program was called.
fn install(answers: &Answers, args: &[&str]) -> Option<(i32, String, Vec<String>)> {
    if !geteuid().is_root() || !Path::new("/usr/include/stdio.h").exists() {
        eprintln!("skipped: needs root, and the headers of a C library");
        return None;
    }
    let tree = Tree::empty();
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["install.sh", ".ci/lib.sh", "Cargo.toml"] {
        tree.put(&format!("clone/{file}"), fs::read(top.join(file)).unwrap());
    }
    script(&tree, "clone/install.sh", &fs::read_to_string(top.join("install.sh")).unwrap());
    script(&tree, "bin/cc", "#!/bin/sh\n");
    script(&tree, "bin/cargo", "#!/bin/sh\necho cargo 1.999.0\n");
    script(&tree, "bin/rustc", "#!/bin/sh\necho rustc 1.999.0 '(stand-in)'\n");
    let Answers { plan, obstacles } = answers;
    script(
        &tree,
        "target/release/civicum-tune",
        &format!(
            "#!/bin/sh\necho \"$@\" >>{calls}\ncase $1 in\n\
             man) echo page >\"$3/civicum-tune.1\" ;;\n\
             plan) printf '{{\\n  \"obstacles\": [{obstacles}]\\n}}\\n'; exit {plan} ;;\nesac\n",
            calls = tree.at("calls").display()
        ),
    );
    let output = Command::new(tree.at("clone/install.sh"))
        .args(args)
        .arg("--prefix")
        .arg(tree.at("usr"))
        .env_clear()
        .env("HOME", tree.at("home"))
        .env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", tree.at("bin").display()))
        .env("CARGO_TARGET_DIR", tree.at("target"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(tree.at("usr/bin/civicum-tune").exists(), "{said}");
    for pages in ["man1", "es/man1"] {
        assert!(tree.at(&format!("usr/share/man/{pages}/civicum-tune.1")).exists(), "{pages}: {said}");
    }
    let calls = tree.text("calls").lines().map(str::to_owned).collect();
    Some((output.status.code().unwrap(), said, calls))
}

fn last(calls: &[String]) -> &str {
    calls.last().unwrap()
}

#[test]
fn pending_changes_are_carried_out_where_yes_was_said() {
    for plan in [0, 1] {
        let Some((status, said, calls)) = install(&Answers { plan, obstacles: "" }, &["--yes"]) else {
            return;
        };
        assert_eq!((status, last(&calls)), (0, "apply --yes"), "{said}");
    }
}

#[test]
fn with_nobody_to_ask_the_plan_is_shown_and_the_next_step_told() {
    let Some((status, said, calls)) = install(&Answers { plan: 1, obstacles: "" }, &[]) else { return };
    assert_eq!((status, last(&calls)), (0, "plan"), "{said}");
    assert!(said.contains("Next: sudo civicum-tune apply"), "{said}");
}

#[test]
fn a_host_that_can_not_be_changed_is_shown_why_and_left_alone() {
    let answers = Answers { plan: 1, obstacles: "\"a container\"" };
    let Some((status, said, calls)) = install(&answers, &["--yes"]) else { return };
    assert_eq!((status, last(&calls)), (0, "plan"), "{said}");
    assert!(said.contains("this host was not changed") && said.contains("a container"), "{said}");
}

#[test]
fn a_program_that_can_not_look_is_an_error() {
    let Some((status, said, calls)) = install(&Answers { plan: 2, obstacles: "" }, &["--yes"]) else {
        return;
    };
    assert_eq!((status, last(&calls)), (2, "plan"), "{said}");
    assert!(said.contains("could not look at this host"), "{said}");
}

#[test]
fn told_only_to_install_it_looks_at_nothing() {
    let Some((status, said, calls)) = install(&Answers { plan: 1, obstacles: "" }, &["--no-apply"]) else {
        return;
    };
    assert_eq!(status, 0, "{said}");
    assert!(calls.iter().all(|call| call.starts_with("completions") || call.starts_with("man")), "{calls:?}");
}

/// What `tests/fetch.sh` does where apt answers so.
fn fetch(apt: &str, words: &str) -> (Option<i32>, String) {
    let tree = Tree::empty();
    let list = "# near by\nhttps://b/debian/\tpriority:1\nhttp://c/debian\n";
    tree.put("mirrors.list", list);
    let apt = apt.replace("LIST", tree.at("mirrors.list").to_str().unwrap());
    script(&tree, "bin/apt-get", &format!("#!/bin/sh\n{apt}\n"));
    let fetch = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fetch.sh");
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &format!(". {}; {words}", fetch.display())])
        .env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", tree.at("bin").display()))
        .env_remove("CIVICUM_TUNE_MIRROR")
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), said.trim().to_owned())
}

#[test]
fn the_tests_find_a_mirror_as_the_program_does() {
    let told = |lines: &str, words: &str| fetch(&format!("printf '{lines}'"), words);
    let find = |lines: &str| told(lines, "apt_mirror debian").1;
    assert_eq!(find(r"http://0/linux/debian Docker\nhttp://a/debian/ Debian\n"), "http://a/debian");
    assert_eq!(find(r"mirror+file:LIST Debian\n"), "https://b/debian");
    assert_eq!(find(r"http://a/debian \n"), "http://a/debian", "whose it is apt knows only from its lists");
    let ubuntu = r"http://archive.ubuntu.com/ubuntu Ubuntu\n";
    let (status, said) = told(ubuntu, "mirror=$(debian_mirror); echo $mirror");
    assert!(status == Some(77) && said.contains("CIVICUM_TUNE_MIRROR=URL"), "{status:?} {said}");
    if Path::new("/usr/share/keyrings/debian-archive-keyring.gpg").exists() {
        let named = told(ubuntu, "CIVICUM_TUNE_MIRROR=http://d/debian/; debian_mirror");
        assert_eq!(named, (Some(0), "http://d/debian".to_owned()));
    }
}

#[test]
fn a_wrong_checksum_is_no_mirror_that_is_out_of_reach() {
    let ends = |says: &str| fetch(&format!("echo '{says}' >&2; exit 100"), "outside apt-get update");
    assert_eq!(ends("E: Could not resolve host").0, Some(77));
    assert_eq!(ends("E: Failed to fetch x  Hash Sum mismatch").0, Some(1));
    assert_eq!(ends("W: GPG error: x: The following signatures were invalid: BADSIG 1").0, Some(1));
    // A proxy that refuses: apt calls its page unsigned.
    assert_eq!(ends("E: Failed to fetch x  403  Forbidden\nE: The repository x is not signed.").0, Some(77));
    assert_eq!(ends("E: Could not resolve host").1, "E: Could not resolve host");
}
