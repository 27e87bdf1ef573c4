//! What holds for every host and profile: generated trees, hostile ones among them.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod trees;

use civicum_tune::apply::{self, RollbackOptions, Silent};
use civicum_tune::plan::{Act, SavedPlan};
use proptest::prelude::*;
use trees::{BASE, Tree, plan, settings};

/// Text as it is found in files of hosts: right, odd, and hostile.
fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(b"# a comment\n".to_vec()),
        Just(b"vm.swappiness = 10\r\nvm.page-cluster=3".to_vec()),
        Just(b"lz4\nlz4_compress\n".to_vec()),
        Just(b"# civicum-tune: begin\nlzo\n# civicum-tune: end\nafter\n".to_vec()),
        Just(b"# civicum-tune: begin\nnever ended".to_vec()),
        Just(b"GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"".to_vec()),
        Just(b"/swapfile none swap sw 0 0\n".to_vec()),
        Just(b"UUID=x\\040y / ext4 defaults 0 1\n\n\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..200),
        "[ -~\n\t]{0,200}".prop_map(String::into_bytes),
    ]
}

/// The files that we look at or share, each of which may be anything.
const FILES: [&str; 12] = [
    "etc/fstab",
    "etc/initramfs-tools/modules",
    "etc/default/grub.d/zz-civicum-tune.cfg",
    "etc/sysctl.d/99-zz-civicum-tune.conf",
    "etc/sysctl.d/zz-provider.conf",
    "etc/tmpfiles.d/zz-civicum-tune.conf",
    "etc/systemd/system/civicum-tune-zswap.service",
    "boot/grub/grub.cfg",
    "proc/meminfo",
    "proc/cpuinfo",
    "proc/self/mountinfo",
    "etc/os-release",
];

#[derive(Debug, Clone)]
struct Made {
    missing: Vec<bool>,
    files: Vec<Option<Vec<u8>>>,
    links: Vec<bool>,
    swap: &'static str,
    zram: bool,
}

fn made() -> impl Strategy<Value = Made> {
    (
        proptest::collection::vec(proptest::bool::weighted(0.15), BASE.len()),
        proptest::collection::vec(proptest::option::weighted(0.4, text()), FILES.len()),
        proptest::collection::vec(proptest::bool::weighted(0.04), FILES.len()),
        prop_oneof![Just("2MiB"), Just("1MiB"), Just("0")],
        any::<bool>(),
    )
        .prop_map(|(missing, files, links, swap, zram)| Made { missing, files, links, swap, zram })
}

fn grow(made: &Made) -> Tree {
    let tree = Tree::empty();
    for ((path, text), missing) in BASE.iter().zip(&made.missing) {
        if !missing {
            tree.put(path, text.as_bytes());
        }
    }
    for ((path, text), link) in FILES.iter().zip(&made.files).zip(&made.links) {
        if *link {
            let _ = std::fs::remove_file(tree.at(path));
            tree.link(path, "/etc/passwd-of-nobody");
        } else if let Some(text) = text {
            tree.put(path, text);
        }
    }
    tree
}

fn profile(made: &Made) -> String {
    format!(
        "name = \"made\"\n[zswap]\nenabled = true\ncompressor = \"lz4\"\n[swap]\nsize = \"{}\"\npath = \"/var/swap/file\"\n\
         [boot]\nmanage = true\npsi = true\ncgroup_v2 = true\n[zram]\nretire = {}\n[mglru]\nmin_ttl = \"1s\"\n\
         [sysctl]\n\"vm.swappiness\" = 60\n\"vm.dirty_bytes\" = 1048576\n",
        made.swap, made.zram
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_applied_leaves_nothing_and_rolled_back_leaves_no_trace(made in made()) {
        let tree = grow(&made);
        let before = tree.snapshot();
        let wish = settings(&profile(&made));
        let host = tree.host();
        let first = plan(&host, &wish);
        prop_assert_eq!(&tree.snapshot(), &before, "a plan writes nothing");
        prop_assert_eq!(&plan(&host, &wish), &first, "a plan made twice is the same plan");
        prop_assert!(first.changes.iter().all(|change| !change.act.is_runtime()), "a tree has no runtime");
        let mut ids: Vec<_> = first.changes.iter().map(|change| &change.id).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), first.changes.len(), "ids are unique");
        if first.is_empty() {
            return Ok(());
        }
        apply::apply(&host, &first, &wish, &mut Silent).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let left = plan(&host, &wish);
        prop_assert!(left.is_empty(), "left: {:#?}", left.changes);
        let done = apply::rollback(&host, None, &RollbackOptions::default(), &mut Silent).unwrap();
        prop_assert!(done.iter().all(apply::Rollback::is_complete), "{done:?}");
        prop_assert_eq!(&tree.snapshot(), &before);
    }

    #[test]
    fn a_saved_plan_reads_back_whatever_the_files_hold(made in made()) {
        let tree = grow(&made);
        let wish = settings(&profile(&made));
        let host = tree.host();
        host.record_seen();
        let saved = SavedPlan::new(plan(&host, &wish), wish, None, host.take_seen());
        let read = SavedPlan::from_json(saved.to_json().as_bytes()).unwrap();
        prop_assert_eq!(read, saved);
    }

    #[test]
    fn what_an_administrator_adds_to_a_shared_file_survives_a_rollback(
        before in text(), added in "[a-z0-9 #]{1,30}", at_the_end in any::<bool>()
    ) {
        let tree = Tree::base();
        tree.put("etc/initramfs-tools/modules", &before);
        let wish = settings(trees::SMALL_PROFILE);
        let host = tree.host();
        let first = plan(&host, &wish);
        let ours = first.changes.iter().find_map(|change| match &change.act {
            Act::PutFile { ours: Some(ours), .. } => Some(ours.clone()),
            _ => None,
        });
        let Some(ours) = ours else { return Ok(()) };
        apply::apply(&host, &first, &wish, &mut Silent).unwrap();
        let path = tree.at("etc/initramfs-tools/modules");
        let applied = std::fs::read(&path).unwrap();
        let line = format!("{added}\n").into_bytes();
        let edited = if at_the_end { [applied, line.clone()].concat() } else { [line.clone(), applied].concat() };
        std::fs::write(&path, &edited).unwrap();
        let done = apply::rollback(&host, None, &RollbackOptions::default(), &mut Silent).unwrap();
        prop_assert!(done[0].is_complete(), "{done:?}");
        let after = std::fs::read(&path).unwrap();
        prop_assert!(after.windows(line.len()).any(|w| w == line), "their line is there");
        prop_assert!(!after.windows(ours.len()).any(|w| w == ours.as_bytes()), "ours is gone");
    }
}
