//! Swap files: made, grown by a second one, kept apart from what is not ours, brought back in two ways.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod trees;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;

use civicum_tune::apply::{self, RollbackOptions, Silent};
use civicum_tune::host::fault::When;
use civicum_tune::plan::{Act, Plan};
use civicum_tune::profile::Settings;
use trees::{Tree, assert_same, plan, settings};

fn wish(size: &str, more: &str) -> Settings {
    settings(&format!("name = \"swap\"\n[swap]\nsize = \"{size}\"\npath = \"/swapfile\"\n{more}\n"))
}

fn carry_out(tree: &Tree, wish: &Settings) -> Plan {
    let host = tree.host();
    let made = plan(&host, wish);
    apply::apply(&host, &made, wish, &mut Silent).unwrap();
    assert!(plan(&host, wish).is_empty(), "a second plan finds nothing");
    made
}

#[test]
fn the_file_is_whole_private_and_what_mkswap_would_make() {
    let tree = Tree::base();
    carry_out(&tree, &wish("2MiB", ""));
    let file = fs::metadata(tree.at("swapfile")).unwrap();
    assert_eq!((file.len(), file.permissions().mode() & 0o7777), (2 << 20, 0o600));
    assert!(file.blocks() * 512 >= 2 << 20, "it has no holes");
    // What a second source says: the header that mkswap writes, with the same label and UUID.
    let ours = fs::read(tree.at("swapfile")).unwrap();
    let uuid: Vec<String> = ours[1036..1052].iter().map(|byte| format!("{byte:02x}")).collect();
    let uuid = uuid.concat();
    let uuid = format!("{}-{}-{}-{}-{}", &uuid[..8], &uuid[8..12], &uuid[12..16], &uuid[16..20], &uuid[20..]);
    tree.put("theirs", vec![0u8; 2 << 20]);
    let made = Command::new("mkswap")
        .args(["-q", "-L", "civicum-tune", "-U", &uuid])
        .arg(tree.at("theirs"))
        .status();
    if made.is_ok_and(|status| status.success()) {
        assert!(
            fs::read(tree.at("theirs")).unwrap()[..4096] == ours[..4096],
            "not byte for byte what mkswap makes"
        );
    } else {
        eprintln!("skipped: there is no mkswap here");
    }
}

#[test]
fn it_grows_by_a_second_file_and_shrinks_by_rollback() {
    let tree = Tree::base();
    let before = tree.snapshot();
    carry_out(&tree, &wish("2MiB", ""));
    let first = fs::read(tree.at("swapfile")).unwrap();
    let grown = carry_out(&tree, &wish("5MiB", ""));
    assert!(
        grown.changes.iter().any(|change| change.summary == "add 3MiB to the 2MiB of swap that are there")
    );
    assert_eq!(fs::metadata(tree.at("swapfile-2")).unwrap().len(), 3 << 20);
    assert_eq!(fs::read(tree.at("swapfile")).unwrap(), first, "the first file is not touched");
    assert!(tree.at("etc/systemd/system/swapfile\\x2d2.swap").exists());
    // Less is asked for: nothing is taken away behind anybody's back.
    assert!(
        plan(&tree.host(), &wish("1MiB", "")).changes.iter().all(|change| change.act.kind() != "swap-file")
    );
    apply::rollback(&tree.host(), Some(2), &RollbackOptions::default(), &mut Silent).unwrap();
    assert!(!tree.at("swapfile-2").exists() && tree.at("swapfile").exists());
    apply::rollback(&tree.host(), None, &RollbackOptions::default(), &mut Silent).unwrap();
    assert_same(&tree.snapshot(), &before, "all taken back");
}

#[test]
fn what_is_not_ours_is_not_touched() {
    let tree = Tree::base();
    tree.put("swapfile", "somebody's letters\n");
    carry_out(&tree, &wish("2MiB", ""));
    assert_eq!(tree.text("swapfile"), "somebody's letters\n");
    assert!(tree.at("swapfile-2").exists());
    // An administrator's swap that is in use counts.
    let tree = Tree::base();
    tree.put("proc/swaps", "Filename Type Size Used Priority\n/swap.img file 1020 0 -2\n");
    let made = plan(&tree.host(), &wish("3MiB", ""));
    let size = made.changes.iter().find_map(|change| match &change.act {
        Act::MakeSwapFile { size, .. } => Some(size.0),
        _ => None,
    });
    assert_eq!(
        size,
        Some(3 << 20),
        "1020 KiB and a page are a mebibyte less a few bytes: rounded up to whole ones"
    );
    let made = plan(&tree.host(), &wish("1MiB", ""));
    assert!(made.changes.iter().all(|change| change.act.kind() != "swap-file"));
}

#[test]
fn by_fstab_where_it_is_asked_for() {
    let tree = Tree::base();
    tree.put("etc/fstab", "LABEL=x / ext4 defaults 0 1");
    carry_out(&tree, &wish("2MiB", "persist = \"fstab\"\npriority = 5"));
    assert_eq!(
        tree.text("etc/fstab"),
        "LABEL=x / ext4 defaults 0 1\n/swapfile none swap sw,pri=5 0 0 # civicum-tune\n"
    );
    // A line that an administrator adds stays; ours goes.
    let edited = tree.text("etc/fstab") + "LABEL=y /data xfs defaults 0 2\n";
    tree.put("etc/fstab", edited);
    let done = apply::rollback(&tree.host(), None, &RollbackOptions::default(), &mut Silent).unwrap();
    assert!(done[0].is_complete(), "{done:?}");
    assert_eq!(tree.text("etc/fstab"), "LABEL=x / ext4 defaults 0 1\nLABEL=y /data xfs defaults 0 2\n");
}

#[test]
fn no_room_and_no_place_are_told_before_anything_is_done() {
    let tree = Tree::base();
    let blocked = |size: &str| {
        plan(&tree.host(), &wish(size, "")).blocked.iter().map(|n| n.text.clone()).collect::<String>()
    };
    assert!(blocked("900TiB").contains("free some room, or ask for less"), "{}", blocked("900TiB"));
    for (fs, word) in [("zfs", "ZFS"), ("overlay", "overlay"), ("nfs4", "nfs4"), ("tmpfs", "tmpfs")] {
        tree.put("proc/self/mountinfo", format!("22 1 0:1 / / rw - {fs} x rw\n"));
        assert!(
            blocked("2MiB").contains(word) && blocked("2MiB").contains("swap.path"),
            "{fs}: {}",
            blocked("2MiB")
        );
    }
    tree.put("proc/self/mountinfo", "22 1 0:1 / / rw - ext4 x rw\n23 22 0:2 / /data ro - xfs y rw\n");
    assert!(blocked("2MiB").is_empty());
    let wish = settings("name = \"swap\"\n[swap]\nsize = \"2MiB\"\npath = \"/data/swap\"\n");
    let told = plan(&tree.host(), &wish).blocked;
    assert!(told[0].text.contains("mounted read-only"), "{told:?}");
}

#[test]
fn a_file_that_appears_while_the_swap_file_is_made_is_not_overwritten() {
    let tree = Tree::base();
    let path = tree.at("swapfile");
    let theirs = path.clone();
    // The last moment before the finished file gets its name.
    let host = tree.host().with_fault(Box::new(move |point| {
        if point.act == "rename" && point.path == "/swapfile" && point.when == When::Before {
            fs::write(&theirs, "mine\n")?;
        }
        Ok(())
    }));
    let wish = wish("2MiB", "");
    let error = apply::apply(&host, &plan(&tree.host(), &wish), &wish, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("make the swap file") && error.contains("EEXIST"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine\n");
    assert!(!tree.at(".swapfile.civicum-tune-new").exists());
}
