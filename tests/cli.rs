//! The command line as a stranger meets it: documents, errors, hostile words, plans that lie around.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod trees;

use std::fs;
use std::path::Path;
use std::process::Command;

use civicum_tune::host::Host;
use serde_json::Value;
use trees::{SMALL_PROFILE, Tree};

struct Said {
    status: i32,
    out: String,
    err: String,
}

fn run(args: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_civicum-tune")).args(args).env_clear().output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { status: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// On that tree.
fn at(tree: &Tree, args: &[&str]) -> Said {
    run(&[args, &["--root", tree.path().to_str().unwrap()]].concat())
}

fn document(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: `{}`", said.out))
}

#[test]
fn with_json_standard_output_is_one_document_also_for_bad_usage() {
    for args in [
        &["--format", "json"][..],
        &["bogus", "--format", "json"],
        &["plan", "--bogus", "--format=json"],
        &["--format", "json", "rollback", "soon"],
        &["completions", "csh", "--format", "json"],
        &["apply", "--format", "json", "--profile", "minimal", "plan.json"],
        &["man", "nothing", "--format", "json"],
    ] {
        let said = run(args);
        let document = document(&said);
        assert_eq!((said.status, document["schema"].as_str()), (2, Some("civicum-tune/error/1")), "{args:?}");
        assert!(!document["error"].as_str().unwrap().is_empty() && !said.err.is_empty(), "{args:?}");
        assert!(!said.out.contains("\\u001b"), "{args:?}: {}", said.out);
    }
    // Without it, and where the word is another option's value, standard output stays empty.
    for args in [&["plan", "--bogus"][..], &["plan", "--profile", "--format", "--", "json"]] {
        assert_eq!((run(args).status, run(args).out.as_str()), (2, ""), "{args:?}");
    }
}

#[test]
fn with_json_what_prints_other_formats_prints_a_document_too() {
    let folder = Tree::empty();
    let (file, pages) = (folder.at("mine.toml"), folder.path().to_str().unwrap().to_owned());
    for (args, schema) in [
        (&["completions", "bash"][..], "completions/1"),
        (&["man"], "man/1"),
        (&["man", "--out", &pages], "man/1"),
        (&["profile", "init"], "profile-init/1"),
        (&["profile", "init", file.to_str().unwrap()], "profile-init/1"),
    ] {
        let said = run(&[args, &["--format", "json"]].concat());
        let document = document(&said);
        assert_eq!(
            (said.status, document["schema"].as_str().unwrap()),
            (0, &*format!("civicum-tune/{schema}"))
        );
    }
    assert!(file.exists() && folder.at("civicum-tune-apply.1").exists());
}

#[test]
fn an_error_is_told_once_and_says_where_to_go_on() {
    let said = run(&["plan", "--root", "/nowhere/at/all"]);
    assert_eq!(said.status, 2);
    assert!(said.err.contains("--root /nowhere/at/all can't be looked at"), "{}", said.err);
    assert_eq!(said.err.matches("No such file").count(), 1, "{}", said.err);
    // The folder above the one that was meant.
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("tree")).unwrap();
    for command in ["plan", "apply", "doctor", "detect"] {
        let said = run(&[command, "--root", folder.path().to_str().unwrap()]);
        assert_eq!(said.status, 2, "{}", said.out);
        assert!(said.err.contains("holds no host's files: neither etc nor usr"), "{}", said.err);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
    let tree = Tree::base();
    let said = at(&tree, &["apply", "/nowhere/x.json"]);
    assert!(
        said.err.contains("no saved plan /nowhere/x.json; `civicum-tune plan --out /nowhere/x.json"),
        "{}",
        said.err
    );
    assert!(run(&["queue", "show", "abc"]).err.contains("'<DOCUMENT>': it is no whole number"));
    let said = at(&tree, &["plan", "--profile", "minimal", "--out", "/nowhere/plan.json"]);
    assert!(said.err.contains("/nowhere/plan.json can't be written"), "{}", said.err);
    assert_eq!(said.err.matches("No such file").count(), 1, "{}", said.err);
    // A profile in the place of a saved plan.
    let mine = tree.at("mine.toml");
    fs::write(&mine, "extends = \"minimal\"\n").unwrap();
    let mine = mine.to_str().unwrap();
    for profile in [mine, "civicum-12g"] {
        let said = at(&tree, &["apply", profile]);
        assert_eq!(said.status, 2, "{}", said.err);
        assert!(said.err.contains(&format!("civicum-tune apply --profile {profile} --root")), "{}", said.err);
    }
    let said = run(&["validate", "--host", "/etc/passwd", "civicum-12g"]);
    assert!(said.err.contains("it has to be what `detect --format json` printed"), "{}", said.err);
    for (args, words) in [
        (&["doctor", "--only", "ZSWPA"][..], "did you mean `ZSWAP`?"),
        (&["doctor", "--skip", "ct-zswp-003"], "did you mean `CT-ZSWAP-003`?"),
        (&["plan", "--containers"], "plan --containers is for the running machine"),
        (&["queue", "retry"], "--all"),
    ] {
        let said = at(&tree, args);
        assert!(said.status == 2 && said.err.contains(words), "{args:?}: {}", said.err);
    }
    // The labels of the Spanish page leave their column to them alone.
    let said = at(&tree, &["detect", "--lang", "es"]);
    for label in ["Cargador", "Línea del kernel"] {
        let line = said.out.lines().find(|line| line.trim_start().starts_with(label));
        let line = line.unwrap_or_else(|| panic!("no {label}: {}", said.out));
        let after: Vec<char> = line.chars().skip(2 + 16).take(2).collect();
        assert!(after[0] == ' ' && after[1] != ' ', "{line}");
    }
    // A file that is not there is told in one way, and in the language that is spoken.
    for args in [
        &["validate", "nada.toml"][..],
        &["validate", "--host", "nada.json", "minimal"],
        &["ocr", "nada.pdf"],
        &["extract", "nada.txt", "--schema", "carta", "--llm", "http://127.0.0.1:1"],
        &["plan", "--profile", "nada.toml"],
        &["queue", "list", "--password-file", "nada"],
    ] {
        let said = run(&[args, &["--lang", "es"]].concat());
        assert_eq!(said.status, 2, "{args:?}: {}", said.err);
        let words = said.out + &said.err;
        // Where there is no Tesseract that is told first.
        let is_there = words.contains("no existe ese archivo o carpeta (ENOENT)") || args[0] == "ocr";
        assert!(is_there && !words.contains("os error"), "{args:?}: {words}");
    }
    let said = run(&["validate", "nada.toml"]);
    assert!(said.out.contains("nada.toml: not read\n"), "{}", said.out);
    assert!(said.err.contains("not read: nada.toml"), "{}", said.err);
    let said = at(&tree, &["plan", "--profile", "./none.toml"]);
    assert!(said.err.contains("No such file"), "{}", said.err);
    // What was spoilt on the disk stops everything, and the way on is told.
    assert_eq!(at(&tree, &["apply", "--yes", "--profile", "minimal"]).status, 0);
    let intent = tree.at("var/lib/civicum-tune/generations/0001/generation.json");
    fs::write(&intent, "{").unwrap();
    for args in [&["history"][..], &["rollback", "--yes"], &["apply", "--yes"]] {
        let said = at(&tree, args);
        assert_eq!(said.status, 2, "{args:?}");
        assert!(said.err.contains("move the folder /var/lib/civicum-tune/generations/0001"), "{}", said.err);
    }
}

#[test]
fn a_pipe_of_the_shell_is_read_where_it_can_be() {
    let script = |line: &str| {
        let line = format!("{} {line}", env!("CARGO_BIN_EXE_civicum-tune"));
        let said =
            std::process::Command::new("bash").env("LC_ALL", "C").args(["-c", &line]).output().unwrap();
        (said.status.code(), String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned())
    };
    let host = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hosts/ubuntu-24.04-cloud/expected/detect.json");
    for way in [
        format!("--host <(cat {host})"),
        format!("--host /dev/stdin <{host}"),
        format!("--host /dev/fd/0 <{host}"),
    ] {
        let (status, said) = script(&format!("validate minimal {way}"));
        assert_eq!(status, Some(0), "{way}: {said}");
    }
    let (status, said) = script("validate minimal --host /dev/fd/77");
    assert!(status == Some(2) && said.contains("No such file or directory (ENOENT)"), "{said}");
}

#[test]
fn nothing_of_a_host_drives_the_terminal() {
    let tree = Tree::base();
    let evil = "a\x1b[2Jb\u{202e}c";
    tree.put("etc/os-release", format!("ID=x\nPRETTY_NAME=\"{evil}\"\n"));
    tree.put("usr/lib/systemd/system-generators/zram-generator", "");
    tree.put(&format!("etc/systemd/zram-generator.conf.d/{evil}.conf"), "[zram0]\n");
    tree.put("small.toml", format!("{SMALL_PROFILE}[zram]\nretire = true\n"));
    let profile = tree.at("small.toml");
    let profile = profile.to_str().unwrap();
    for args in [
        &["detect"][..],
        &["plan", "--profile", profile],
        &["apply", "--yes", "--profile", profile],
        &["history", "1"],
        &["rollback", "--yes"],
    ] {
        let said = at(&tree, args);
        let all = said.out + &said.err;
        assert!(!all.contains('\x1b') && !all.contains('\u{202e}'), "{args:?}: {all:?}");
        assert!(all.contains("a\\u{1b}[2Jb") || args[0] == "history", "{args:?}: {all}");
    }
    tree.put("run/systemd/container", evil);
    let said = at(&tree, &["apply", "--yes"]);
    assert!(said.status == 2 && !(said.out + &said.err).contains('\x1b'));
}

#[test]
fn a_saved_plan_holds_for_the_host_that_it_saw() {
    let tree = Tree::base();
    let out = Tree::empty();
    let file = out.at("plan.json");
    let file = file.to_str().unwrap();
    at(&tree, &["plan", "--profile", "minimal", "--out", file]);
    // Seen by what looks at the host, and by none of the changes.
    let seen = tree.text("etc/os-release");
    tree.put("etc/os-release", seen.replace("24.04", "26.04"));
    let said = at(&tree, &["apply", "--yes", file]);
    assert_eq!(said.status, 2, "{}", said.out);
    assert!(said.err.contains("/etc/os-release has another content"), "{}", said.err);
    tree.put("etc/os-release", &seen);
    // Rules were sized for the memory that there was.
    let meminfo = tree.text("proc/meminfo");
    tree.put("proc/meminfo", "MemTotal: 4000000 kB\nMemAvailable: 3000000 kB\n");
    let said = at(&tree, &["apply", "--yes", file]);
    assert!(said.status == 2 && said.err.contains("3906 MiB RAM"), "{}{}", said.out, said.err);
    tree.put("proc/meminfo", &meminfo);
    let said = at(&tree, &["apply", "--yes", file]);
    assert_eq!(said.status, 0, "{}", said.err);
    // The host's own profile is what the next one is made from.
    fs::remove_file(tree.at("etc/sysctl.d/99-zz-civicum-tune.conf")).unwrap();
    assert_eq!(at(&tree, &["plan", "--out", file]).status, 1);
    let own = tree.text("etc/civicum-tune/profile.toml");
    tree.put(
        "etc/civicum-tune/profile.toml",
        own.replace("\"vm.swappiness\" = 60", "\"vm.swappiness\" = 61"),
    );
    let said = at(&tree, &["apply", "--yes", file]);
    assert_eq!(said.status, 2, "{}", said.out);
    assert!(said.err.contains("/etc/civicum-tune/profile.toml has another content"), "{}", said.err);
}

/// The cut run had left its profile as the host's own; undoing it takes that profile away again.
#[test]
fn after_an_undone_recovery_the_profile_is_chosen_anew() {
    let tree = Tree::base();
    tree.put("small.toml", SMALL_PROFILE);
    let small = tree.at("small.toml");
    assert_eq!(at(&tree, &["apply", "--yes", "--profile", small.to_str().unwrap()]).status, 0);
    let journal = "var/lib/civicum-tune/generations/0001/journal";
    let text = tree.text(journal);
    let cut: Vec<&str> = text.lines().filter(|line| !line.contains("finished")).collect();
    tree.put(journal, cut.join("\n") + "\n");
    tree.put("etc/sysctl.d/99-zz-civicum-tune.conf", "vm.swappiness = 5\n");
    let said = at(&tree, &["apply", "--yes", "--format", "json"]);
    let applied = document(&said);
    assert_eq!(applied["recovered"]["recovered"], "undone", "{}{}", said.out, said.err);
    let own = tree.text("etc/civicum-tune/profile.toml");
    assert!(own.contains("name = \"civicum-12g\""), "{own}");
    assert_eq!(at(&tree, &["plan"]).status, 0);
}

#[test]
fn what_a_profile_lets_go_of_does_not_come_back_with_the_next_boot() {
    let tree = Tree::base();
    tree.put("small.toml", SMALL_PROFILE);
    let less =
        SMALL_PROFILE.replace("\"vm.swappiness\" = 60\n", "").replace("[mglru]\nmin_ttl = \"1000ms\"\n", "");
    tree.put("less.toml", less);
    let (small, less) = (tree.at("small.toml"), tree.at("less.toml"));
    assert_eq!(at(&tree, &["apply", "--yes", "--profile", small.to_str().unwrap()]).status, 0);
    assert!(tree.at("etc/tmpfiles.d/zz-civicum-tune.conf").exists());
    let said = at(&tree, &["apply", "--yes", "--profile", less.to_str().unwrap()]);
    assert_eq!(said.status, 0, "{}", said.err);
    assert!(said.out.contains("vm.swappiness is not asked for any more"), "{}", said.out);
    assert!(!tree.at("etc/tmpfiles.d/zz-civicum-tune.conf").exists());
    let said = at(&tree, &["plan"]);
    assert!(said.status == 0 && !said.out.contains("not asked for"), "{}", said.out);
}

#[test]
fn the_root_by_any_other_name_is_the_machine() {
    let live = Host::live().unwrap();
    assert!(Host::at(Path::new("/usr/..")).unwrap().is_same_as(&live));
    assert!(!Host::at(Path::new("/usr")).unwrap().is_same_as(&live));
}

#[test]
fn what_is_asked_of_the_boot_line_is_put_there_whoever_manages_zswap() {
    for manage in ["", "manage = false\n", "manage = true\n"] {
        let tree = Tree::base();
        tree.put("boot/config-6.8.0-45-generic", "CONFIG_PSI=y\nCONFIG_PSI_DEFAULT_DISABLED=y\n");
        tree.put("psi.toml", format!("name = \"psi\"\n[boot]\npsi = true\n{manage}"));
        let said = at(&tree, &["plan", "--profile", tree.at("psi.toml").to_str().unwrap()]);
        assert_eq!((said.status, said.out.contains("psi=1")), (1, true), "{manage}: {}", said.out);
    }
}

#[test]
fn the_file_system_under_a_swap_file_is_a_fact() {
    let tree = Tree::base();
    tree.put(
        "proc/swaps",
        "Filename Type Size Used Priority\n/data/swap file 1024 0 -2\n/dev/vda2 partition 1024 0 -3\n",
    );
    tree.put("proc/self/mountinfo", "22 1 0:1 / / rw - ext4 x rw\n23 22 0:2 / /data rw - xfs y rw\n");
    let facts = document(&at(&tree, &["detect", "--format", "json"]));
    assert_eq!(facts["swap"][0]["file_system"], "xfs");
    assert!(facts["swap"][1].get("file_system").is_none());
    assert!(at(&tree, &["detect"]).out.contains("/data/swap (file on xfs), "));
}

/// What went wrong is named, whatever else is left out; a hint that forgets the tree would change the machine.
#[test]
fn quiet_is_brief_and_hints_name_the_tree() {
    let tree = Tree::base();
    tree.put("etc/civicum-tune/profile.toml", "name = \"t\"\n[sysctl]\n\"vm.swappiness\" = 10\n");
    let plan = at(&tree, &["plan", "-q"]);
    let lines: Vec<&str> = plan.out.lines().collect();
    assert_eq!((plan.status, plan.err.as_str()), (1, ""));
    assert!(lines[0].starts_with("/etc/sysctl.d/99-zz-civicum-tune.conf  absent → "), "{}", plan.out);
    assert!(lines.last().unwrap().starts_with("1 change ") && lines.len() < 4, "{}", plan.out);
    let doctor = at(&tree, &["doctor", "-q", "--only", "SYSCTL"]);
    // A title alone says what should be so.
    assert!(doctor.out.contains("CT-SYSCTL-002 not so: the next boot sets"), "{}", doctor.out);
    assert!(!doctor.out.contains("expected"), "{}", doctor.out);
    let detect = at(&tree, &["detect", "-q"]);
    assert!(detect.status == 0 && detect.out.lines().count() == 1, "{}", detect.out);
    assert!(detect.out.contains(", Linux "), "{}", detect.out);
    // What is not about one finding stands apart, also where nothing stands before it.
    let one = at(&tree, &["doctor", "--only", "CT-SYSCTL-002"]);
    assert!(one.out.contains("\n\nWhat else is to be done"), "{}", one.out);

    let root = format!("--root {}", tree.path().display());
    for args in [&["apply"][..], &["rollback", "7", "--yes"], &["history", "7"]] {
        let said = at(&tree, args);
        assert!(said.status == 2 && said.err.contains(&root), "{args:?}: {}", said.err);
    }
    assert_eq!(at(&tree, &["apply", "--yes"]).status, 0);
    tree.put("etc/sysctl.d/99-zz-civicum-tune.conf", "vm.swappiness = 11\n");
    let said = at(&tree, &["rollback", "--yes"]);
    let hints = said.out.split_once("Next, one of:\n").unwrap().1;
    assert_eq!((said.status, hints.lines().filter(|line| line.contains(&root)).count()), (2, 3), "{hints}");
}

/// What a profile can't do here is told before it is applied, and what a rollback leaves is not said to be gone.
#[test]
fn what_does_nothing_and_what_stays_is_told() {
    let tree = Tree::base();
    tree.put("proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    let profile = tree.path().join("own.toml");
    fs::write(&profile, "name = \"t\"\n[zswap]\nenabled = true\n").unwrap();
    let own = ["--profile", profile.to_str().unwrap()];
    let plan = at(&tree, &[&own[..], &["plan"]].concat());
    assert!(plan.out.contains("zswap has nothing to work with"), "{}", plan.out);
    assert_eq!(at(&tree, &[&own[..], &["apply", "--yes"]].concat()).status, 0);
    tree.put("etc/civicum-tune/mine.txt", "mine");
    let said = at(&tree, &["rollback", "--yes"]);
    assert_eq!(said.status, 0, "{}", said.err);
    assert!(said.err.contains("/etc/civicum-tune stays: it is not empty"), "{}", said.err);
}

/// A profile whose name is a bundled one's is a file all the same; a waiver has a reason; an audit of nothing is none.
#[test]
fn what_would_pass_for_something_else_is_refused() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
        let output = command.args(args).current_dir(&folder).env_clear().output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (status, _, said) = run(&["profile", "init", "civicum-8g"]);
    assert!(status == Some(0) && said.contains("validate ./civicum-8g\n"), "{said}");
    assert!(said.contains("plan --profile ./civicum-8g\n"), "{said}");

    let waiver = "name = \"t\"\n[waivers.CT-ZSWAP-002]\nreason = \" \"\nuntil = \"2030-01-01\"\n";
    fs::write(folder.path().join("w.toml"), waiver).unwrap();
    let (status, told, _) = run(&["validate", "w.toml"]);
    assert!(status == Some(1) && told.contains("has no `reason`"), "{told}");

    let (status, told, said) = run(&["doctor", "--only", "ZSWAP", "--skip", "ZSWAP"]);
    assert!(status == Some(2) && told.is_empty() && said.contains("leave no check"), "{said}");
}

/// A full disk is no success.
#[test]
fn what_standard_output_loses_is_trouble() {
    for args in [&["profile", "schema"][..], &["detect", "--format", "json"], &["explain"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
        let output = command.args(args).env_clear().stdout(full).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains("No space left"), "{args:?}: {said}");
    }
}

#[test]
fn the_shell_completes_below_a_command() {
    let script = r#"
        eval "$("$0" completions bash)"
        complete_this() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _civicum__tune "$1" "${@: -1}" "${@: -2:1}"; echo "${COMPREPLY[*]}"; }
        complete_this civicum-tune be
        complete_this civicum-tune bench --disk-
        complete_this civicum-tune doctor --severity m
        complete_this civicum-tune queue rev
    "#;
    let said =
        Command::new("bash").args(["-c", script, env!("CARGO_BIN_EXE_civicum-tune")]).output().unwrap();
    let lines = String::from_utf8_lossy(&said.stdout).into_owned();
    let wanted = ["bench", "--disk-folder --disk-size", "medium", "review"];
    assert_eq!(lines.lines().collect::<Vec<_>>(), wanted, "{}", String::from_utf8_lossy(&said.stderr));
}
