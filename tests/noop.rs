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
