//! Cut at every single operation: whatever was cut, the next run ends it, and rollback gives the tree back.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod trees;

use std::cell::Cell;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use civicum_tune::apply::{self, ApplyError, Generations, RollbackOptions, Silent, State};
use civicum_tune::host::Host;
use civicum_tune::host::fault::{Fault, When};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::getpid;
use trees::{SMALL_PROFILE, Tree, assert_same, plan, settings};

/// What the process to be killed does.
const MODE: &str = "CIVICUM_TUNE_TEST_MODE";
const ROOT: &str = "CIVICUM_TUNE_TEST_ROOT";
const CUT: &str = "CIVICUM_TUNE_TEST_CUT";

fn run(host: &Host, mode: &str) {
    let wish = settings(SMALL_PROFILE);
    match mode {
        "apply" => {
            let plan = plan(host, &wish);
            apply::apply(host, &plan, &wish, &mut Silent).unwrap();
        }
        "rollback" => {
            apply::rollback(host, None, &RollbackOptions::default(), &mut Silent).unwrap();
        }
        "recover" => {
            apply::recover(host, &mut Silent).unwrap();
        }
        other => panic!("{other}"),
    }
}

/// Kills this process, as `kill -9` does, at the operation of that number.
fn killer(at: usize) -> Fault {
    let count = Cell::new(0);
    Box::new(move |_| {
        count.set(count.get() + 1);
        if count.get() == at {
            kill(getpid(), Signal::SIGKILL)?;
        }
        Ok(())
    })
}

/// Not a test: the process that is killed. Does nothing unless it is told to.
#[test]
#[ignore = "it is started by the others"]
fn the_victim() {
    let Ok(mode) = std::env::var(MODE) else { return };
    let root = std::env::var(ROOT).unwrap();
    let cut = std::env::var(CUT).unwrap().parse().unwrap();
    let host = Host::at(root.as_ref()).unwrap().with_fault(killer(cut));
    run(&host, &mode);
}

/// Runs `mode` in a process of its own that is killed at operation `cut`; says whether it was.
fn killed(tree: &Tree, mode: &str, cut: usize) -> bool {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_victim", "--ignored", "--quiet"])
        .env(MODE, mode)
        .env(ROOT, tree.path())
        .env(CUT, cut.to_string())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success() || status.signal() == Some(9), "{mode} cut at {cut}: {status}");
    !status.success()
}

fn ends_well(tree: &Tree, stock: &std::collections::BTreeMap<String, String>, what: &str) {
    let host = tree.host();
    let wish = settings(SMALL_PROFILE);
    apply::recover(&host, &mut Silent).unwrap_or_else(|e| panic!("{what}: {e}"));
    let generations = Generations::read(&host).unwrap();
    assert!(generations.cut().is_none(), "{what}: still cut");
    let left = plan(&host, &wish);
    if generations.applied().is_some() {
        assert!(left.is_empty(), "{what}: {:#?}", left.changes);
    } else {
        assert_same(&tree.snapshot(), stock, &format!("{what}: undone, but not as before"));
        apply::apply(&host, &left, &wish, &mut Silent).unwrap_or_else(|e| panic!("{what}: {e}"));
    }
    assert!(plan(&host, &wish).is_empty(), "{what}");
    let done = apply::rollback(&host, None, &RollbackOptions::default(), &mut Silent).unwrap();
    assert!(done.iter().all(apply::Rollback::is_complete), "{what}: {done:?}");
    assert_same(&tree.snapshot(), stock, what);
}

#[test]
fn killed_at_every_operation_of_an_apply() {
    let mut cut = 1;
    loop {
        let tree = Tree::base();
        let stock = tree.snapshot();
        let was_killed = killed(&tree, "apply", cut);
        ends_well(&tree, &stock, &format!("apply cut at {cut}"));
        if !was_killed {
            break;
        }
        cut += 1;
    }
    assert!(cut > 100, "only {cut} operations were cut");
}

#[test]
fn killed_at_every_operation_of_a_rollback() {
    let mut cut = 1;
    loop {
        let tree = Tree::base();
        let stock = tree.snapshot();
        run(&tree.host(), "apply");
        let was_killed = killed(&tree, "rollback", cut);
        // The next rollback ends it as well as the next apply does.
        if cut % 2 == 0 && was_killed {
            apply::rollback(&tree.host(), None, &RollbackOptions::default(), &mut Silent).unwrap();
            assert_same(&tree.snapshot(), &stock, &format!("rollback cut at {cut}"));
        }
        ends_well(&tree, &stock, &format!("rollback cut at {cut}"));
        if !was_killed {
            break;
        }
        cut += 1;
    }
    assert!(cut > 60, "only {cut} operations were cut");
}

#[test]
fn killed_while_recovering() {
    let mut cut = 1;
    loop {
        let tree = Tree::base();
        let stock = tree.snapshot();
        assert!(killed(&tree, "apply", 40), "the first cut");
        let was_killed = killed(&tree, "recover", cut);
        ends_well(&tree, &stock, &format!("recovery cut at {cut}"));
        if !was_killed {
            break;
        }
        cut += 3;
    }
}

/// Fails the operation of that number with that error, and only that one.
fn failing(at: usize, errno: Errno) -> Fault {
    let count = Cell::new(0);
    Box::new(move |point| {
        if point.when == When::After {
            return Ok(());
        }
        count.set(count.get() + 1);
        if count.get() == at { Err(io::Error::from(errno)) } else { Ok(()) }
    })
}

#[test]
fn an_error_at_every_operation_leaves_the_host_as_it_was() {
    let wish = settings(SMALL_PROFILE);
    for errno in [Errno::ENOSPC, Errno::EROFS, Errno::EIO] {
        let mut at = 1;
        loop {
            let tree = Tree::base();
            let stock = tree.snapshot();
            let plan = plan(&tree.host(), &wish);
            let host = tree.host().with_fault(failing(at, errno));
            let what = format!("{errno} at {at}");
            match apply::apply(&host, &plan, &wish, &mut Silent) {
                Ok(_) => break,
                Err(error) => {
                    let words = error.to_string();
                    assert!(words.contains(errno.desc()), "{what}: {words}");
                    match error {
                        ApplyError::NotBegun(_) => assert!(words.contains("nothing was changed")),
                        ApplyError::TakenBack { rollback, .. } => {
                            assert!(rollback.is_complete(), "{what}: {rollback:?}");
                        }
                        // The journal itself could not be written: the next run ends it.
                        ApplyError::Cut { .. } => {
                            ends_well(&tree, &stock, &what);
                        }
                    }
                    assert_same(&tree.snapshot(), &stock, &what);
                }
            }
            at += 1;
        }
        assert!(at > 50, "{errno}: only {at}");
    }
}

#[test]
fn everything_fails_from_some_operation_on() {
    // A disk that fills up stays full: undoing must do without it as far as it can, and a later run ends it.
    let wish = settings(SMALL_PROFILE);
    for at in (1..120).step_by(4) {
        let tree = Tree::base();
        let stock = tree.snapshot();
        let plan = plan(&tree.host(), &wish);
        let count = Cell::new(0);
        let full: Fault = Box::new(move |point| {
            count.set(count.get() + 1);
            let needs_room =
                ["create", "write", "append", "mkdir", "allocate", "symlink"].contains(&point.act);
            if needs_room && count.get() >= at { Err(Errno::ENOSPC.into()) } else { Ok(()) }
        });
        let host = tree.host().with_fault(full);
        if apply::apply(&host, &plan, &wish, &mut Silent).is_err() {
            let state = Generations::read(&tree.host()).unwrap().0.last().map(|(_, state)| state.clone());
            assert_ne!(state, Some(State::Applied));
        }
        ends_well(&tree, &stock, &format!("full from {at} on"));
    }
}
