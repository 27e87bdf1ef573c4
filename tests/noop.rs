//! A plan that finds nothing to do is one process that writes nothing: seen from outside, by strace.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod trees;

use std::process::Command;

use trees::Tree;

#[test]
fn a_plan_starts_no_process_and_writes_no_file() {
    let tree = Tree::base();
    let root = tree.path().to_str().unwrap();
    let program = env!("CARGO_BIN_EXE_civicum-tune");
    let applied = Command::new(program)
        .args(["apply", "--yes", "--root", root, "--profile", "minimal"])
        .output()
        .unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let before = tree.snapshot();
    let log = tree.at("trace");
    let calls = "trace=execve,fork,vfork,clone,clone3,open,openat,openat2,creat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,\
                 symlink,symlinkat,link,linkat,chmod,fchmod,fchmodat,fchown,truncate,ftruncate,fsync,fdatasync,connect,socket";
    let traced = Command::new("strace")
        .args(["-f", "-e", calls, "-o"])
        .arg(&log)
        .args([program, "plan", "--root", root])
        .output();
    let Ok(traced) = traced else {
        eprintln!("skipped: there is no strace here");
        return;
    };
    assert!(traced.status.success(), "{}", String::from_utf8_lossy(&traced.stdout));
    let trace = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    let after_start: Vec<&str> = trace.lines().skip(1).collect();
    assert!(after_start.len() > 20, "strace saw nothing:\n{trace}");
    for line in after_start {
        let call = line.split_whitespace().nth(1).unwrap_or_default().split('(').next().unwrap_or_default();
        let opens = call.starts_with("open");
        assert!(opens || line.contains("exited with") || line.contains("+++"), "{line}");
        assert!(!["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| line.contains(flag)), "{line}");
    }
    trees::assert_same(&tree.snapshot(), &before, "nothing was written");
}

/// A package installed beside what `install.sh` had installed.
#[test]
fn a_second_program_does_not_change_which_one_the_service_starts() {
    const UNIT: &str = "etc/systemd/system/civicum-tune-supervise.service";
    let tree = Tree::base();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
        command.args(args).args(["--root", tree.path().to_str().unwrap()]).output().unwrap()
    };
    let changes = |args: &[&str]| {
        let said = run(&[&["plan", "--format", "json"], args].concat());
        let plan: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
        plan["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|change| change["target"].to_string())
            .collect::<Vec<_>>()
    };
    tree.put("usr/local/bin/civicum-tune", "one\n");
    let profile = ["--profile", "civicum-12g"];
    assert!(changes(&profile).iter().any(|target| target.contains("civicum-tune-supervise.service")));
    // What a swap file of its size takes is not what is looked at here.
    tree.put("root/mine.toml", "name = \"mine\"\nextends = \"civicum-12g\"\n[swap]\nsize = \"64MiB\"\n");
    let mine = tree.at("root/mine.toml");
    let applied = run(&["apply", "--yes", "--profile", mine.to_str().unwrap()]);
    assert!(tree.text(UNIT).contains("\nExecStart=/usr/local/bin/civicum-tune supervise\n"), "{applied:?}");
    assert!(tree.text(UNIT).contains("\nConditionFileIsExecutable=/usr/local/bin/civicum-tune\n"));
    tree.put("usr/bin/civicum-tune", "two\n");
    assert_eq!(changes(&[]), Vec::<String>::new(), "a second one beside it");
    std::fs::remove_file(tree.at("usr/local/bin/civicum-tune")).unwrap();
    assert!(changes(&[]).iter().any(|target| target.contains("civicum-tune-supervise.service")), "gone");
}

/// What a person still has to do in an image is told also to one who wants few words, and not forgotten by the next plan.
#[test]
fn what_has_to_be_run_in_an_image_is_not_forgotten() {
    let tree = Tree::base();
    tree.put("root/mine.toml", "name = \"mine\"\nextends = \"civicum-12g\"\n[swap]\nsize = \"64MiB\"\n");
    let mine = tree.at("root/mine.toml");
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
        command.args(args).args(["--root", tree.path().to_str().unwrap()]).output().unwrap()
    };
    let said = run(&["apply", "--yes", "--quiet", "--profile", mine.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&said.stdout);
    let wanted = ["update-initramfs -u -k all", "update-grub"]
        .map(|command| format!("Inside the image, run: {command}"));
    assert_eq!(told.lines().collect::<Vec<_>>(), wanted);
    let said = run(&["plan"]);
    let told = String::from_utf8_lossy(&said.stderr);
    assert!(told.contains("can't be seen from here: update-initramfs -u -k all"), "{told}");
    assert_eq!(run(&["plan", "--quiet"]).stderr, b"");
}
