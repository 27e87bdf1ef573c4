//! Real faults of a real file system: full, read-only, no permission, names that lead elsewhere.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod trees;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output};

use civicum_tune::apply::{self, ApplyError, Silent};
use civicum_tune::host::Host;
use nix::unistd::geteuid;
use trees::{SMALL_PROFILE, Tree, assert_same, plan, settings};

/// Tells the process inside a network namespace which one is outside.
const OUTSIDE: &str = "CIVICUM_TUNE_TEST_OUTSIDE";

fn program(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_civicum-tune")).args(args).env_clear().output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a script in a mount namespace of its own, with the tree as `$1` and the program as `$2`.
fn in_namespace(tree: &Tree, script: &str) -> Option<Output> {
    if !geteuid().is_root() {
        eprintln!("skipped: mounting needs root");
        return None;
    }
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(tree.path())
        .arg(env!("CARGO_BIN_EXE_civicum-tune"));
    Some(command.output().unwrap())
}

#[test]
fn a_full_disk_is_told_and_nothing_is_changed() {
    let tree = Tree::base();
    tree.put("small.toml", SMALL_PROFILE.replace("1MiB", "24MiB"));
    // The tree on a file system of its own, of 4 MiB, that has no room for what is asked.
    let script = "set -e; mkdir $1/full; mount -t tmpfs -o size=4m none $1/full; cp -a $1/etc $1/usr $1/lib $1/boot $1/proc $1/sys $1/full/\n\
        find $1/full | sort | xargs ls -ld >$1/before\n\
        $2 apply --yes --root $1/full --profile $1/small.toml || echo status $?\n\
        find $1/full -path $1/full/var -prune -o -print | sort | xargs ls -ld | grep -v ' full$' >$1/after\n\
        diff $1/before $1/after && echo same\n\
        dd if=/dev/zero of=$1/full/zeros bs=4k 2>/dev/null || true\n\
        $2 apply --yes --root $1/full --profile minimal || echo status $?\n\
        ls -A $1/full/etc/sysctl.d";
    let Some(output) = in_namespace(&tree, script) else { return };
    let said = said(&output);
    // The swap file is refused before anything is begun; what is possible is done, and the status says that not all is.
    assert!(said.contains("needs 24MiB") || said.contains("which can't hold a swap file"), "{said}");
    // With not one block left, nothing is changed at all.
    assert!(said.contains("No space left on device (ENOSPC)") && said.contains("free some space"), "{said}");
    assert!(said.contains("nothing was changed") || said.contains("the host is as it was"), "{said}");
}

#[test]
fn a_disk_that_fills_up_in_the_middle_takes_everything_back() {
    for kib in (8..200).step_by(12) {
        let tree = Tree::base();
        tree.put("small.toml", SMALL_PROFILE.replace("size = \"1MiB\"", "size = \"0\""));
        let script = format!(
            "set -e; mkdir $1/full; mount -t tmpfs -o size=2m none $1/full; cp -a $1/etc $1/usr $1/lib $1/boot $1/proc $1/sys $1/full/\n\
             (cd $1/full; find . -type f | sort | xargs sha256sum) >$1/before\n\
             free=$(df --output=avail -k $1/full | tail -n 1); fallocate -l $(( (free - {kib}) * 1024 )) $1/full/zeros\n\
             $2 apply --yes --root $1/full --profile $1/small.toml && echo applied || echo status $?\n\
             rm $1/full/zeros\n\
             $2 rollback 1 --yes --root $1/full >/dev/null 2>&1 || true\n\
             (cd $1/full; find . -path ./var -prune -o -type f -print | sort | xargs sha256sum) >$1/after\n\
             diff $1/before $1/after && echo same"
        );
        let Some(output) = in_namespace(&tree, &script) else { return };
        let said = said(&output);
        assert!(said.contains("same"), "{kib} KiB: {said}");
        assert!(
            said.contains("applied") || said.contains("status 2") && said.contains("ENOSPC"),
            "{kib} KiB: {said}"
        );
    }
}

#[test]
fn a_read_only_file_system_is_told() {
    let tree = Tree::base();
    let script = "set -e; mount --bind $1 $1; mount -o remount,ro,bind $1; $2 plan --root $1 >/dev/null || echo plan $?\n\
        $2 apply --yes --root $1 || echo apply $?";
    let Some(output) = in_namespace(&tree, script) else { return };
    let said = said(&output);
    assert!(said.contains("plan 1") && said.contains("apply 2"), "{said}");
    assert!(said.contains("Read-only file system (EROFS)") && said.contains("mounted read-only"), "{said}");
}

#[test]
fn a_file_that_can_not_be_changed_is_told_and_the_rest_is_taken_back() {
    let tree = Tree::base();
    // Not even root may rename over an immutable file.
    let modules = tree.at("etc/initramfs-tools/modules");
    let immutable =
        Command::new("chattr").arg("+i").arg(&modules).status().is_ok_and(|status| status.success());
    if !immutable {
        eprintln!("skipped: chattr +i is not possible here");
        return;
    }
    let stock = tree.snapshot();
    let wish = settings(SMALL_PROFILE);
    let host = tree.host();
    let error = apply::apply(&host, &plan(&host, &wish), &wish, &mut Silent).unwrap_err();
    let words = error.to_string();
    Command::new("chattr").arg("-i").arg(&modules).status().unwrap();
    assert!(matches!(error, ApplyError::TakenBack { .. }), "{words}");
    assert!(words.contains("initramfs-tools/modules") && words.contains("lsattr"), "{words}");
    assert_same(&tree.snapshot(), &stock, "taken back");
}

#[test]
fn links_lead_nowhere_outside() {
    let outside = Tree::empty();
    outside.put("target", "mine\n");
    let tree = Tree::base();
    for name in ["etc/sysctl.d/99-zz-civicum-tune.conf", "etc/default/grub.d/zz-civicum-tune.cfg"] {
        let _ = fs::remove_file(tree.at(name));
        symlink(outside.at("target"), tree.at(name)).unwrap();
    }
    let output = program(&["apply", "--yes", "--root", tree.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("is a symbolic link to"), "{}", said(&output));
    assert_eq!(fs::read_to_string(outside.at("target")).unwrap(), "mine\n");
    // A folder of the tree that leads out of it is followed inside the tree, as chroot would.
    let tree = Tree::base();
    fs::rename(tree.at("etc/sysctl.d"), tree.at("etc/sysctl.old")).unwrap();
    symlink(outside.path(), tree.at("etc/sysctl.d")).unwrap();
    let output =
        program(&["apply", "--yes", "--root", tree.path().to_str().unwrap(), "--profile", "minimal"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "nothing was written outside");
    // So is one to nothing, which no folder can be made on.
    let tree = Tree::base();
    symlink("/nowhere", tree.at("etc/civicum-tune")).unwrap();
    let output =
        program(&["apply", "--yes", "--root", tree.path().to_str().unwrap(), "--profile", "minimal"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("a symbolic link that leads nowhere"), "{}", said(&output));
}

#[test]
fn a_kernel_that_refuses_is_quoted() {
    // Loopback is up to nobody: this knob of a network namespace of our own refuses what is out of range.
    let knob = Path::new("/proc/sys/net/ipv4/ip_default_ttl");
    if !geteuid().is_root() || nix::unistd::access(knob, nix::unistd::AccessFlags::W_OK).is_err() {
        eprintln!("skipped: needs root, and /proc/sys to be writable");
        return;
    }
    let script = "$0 --exact pokes_in_a_namespace --ignored --nocapture";
    let output = Command::new("unshare")
        .args(["--net", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(OUTSIDE, fs::read_link("/proc/self/ns/net").unwrap())
        .output()
        .unwrap();
    let said = said(&output);
    assert!(said.contains("Invalid argument (EINVAL)"), "{said}");
    assert!(said.contains("the good value was taken: 70"), "{said}");
}

/// Not a test: runs inside a network namespace.
#[test]
#[ignore = "it is started by the one above"]
fn pokes_in_a_namespace() {
    let host = Host::live().unwrap();
    let knob = "/proc/sys/net/ipv4/ip_default_ttl";
    let Ok(outside) = std::env::var(OUTSIDE) else { return };
    assert_ne!(
        fs::read_link("/proc/self/ns/net").unwrap().to_str(),
        Some(outside.as_str()),
        "a namespace of its own"
    );
    println!("{}", host.poke(knob, "99999").unwrap_err());
    host.poke(knob, "70").unwrap();
    println!("the good value was taken: {}", host.value(knob).unwrap());
}

#[test]
fn not_allowed_to_read_is_told() {
    if !geteuid().is_root() {
        return;
    }
    let tree = Tree::base();
    fs::set_permissions(tree.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(tree.at("etc/initramfs-tools/modules"), fs::Permissions::from_mode(0o000)).unwrap();
    let copy = tree.at("civicum-tune");
    fs::copy(env!("CARGO_BIN_EXE_civicum-tune"), &copy).unwrap();
    let script = format!(
        "exec setpriv --reuid 65534 --clear-groups {} plan --root {}",
        copy.display(),
        tree.path().display()
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let words = said(&output);
    if words.contains("setpriv") || output.status.code() == Some(126) {
        eprintln!("skipped: {words}");
        return;
    }
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("Permission denied (EACCES)") && words.contains("sudo"), "{words}");
}
