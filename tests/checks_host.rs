//! The checks of the boot chain, swap, zram, files and disks, each on small trees: a pass, a finding, does not apply,
//! could not tell.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod trees;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use civicum_tune::check::{Applied, Because, Outcome, Scene, Selection, Status, audit};
use civicum_tune::facts::Facts;
use civicum_tune::facts::engine::Engine;
use civicum_tune::host::swap::{Header, LABEL};
use civicum_tune::tunable::Context;
use trees::{Tree, settings};

const PROFILE: &str = r#"
name = "checks"
[zswap]
enabled = true
compressor = "lz4"
max_pool_percent = 20
[swap]
size = "16MiB"
path = "/swapfile"
[zram]
retire = true
[boot]
manage = true
psi = true
cgroup_v2 = true
"#;

/// What is wanted on the boot line of [`Tree::base`] with [`PROFILE`].
const ARGS: &str = "zswap.enabled=1 zswap.compressor=lz4 zswap.zpool=z3fold zswap.max_pool_percent=20";
const DROP_IN: &str = "etc/default/grub.d/zz-civicum-tune.cfg";
const DEFAULT: &str = "GRUB_CMDLINE_LINUX_DEFAULT";

/// The answers of one check.
fn look_at(tree: &Tree, id: &str, applied: &Applied) -> Vec<Outcome> {
    let host = tree.host();
    let (facts, wish) = (Facts::read(&host).unwrap(), settings(PROFILE));
    let cx = Context { wish: &wish, facts: &facts, host: &host, remember: None };
    let ask = || Engine::Absent;
    let scene = Scene::new(cx, None, applied, "2026-01-01T00:00:00Z".into(), &ask);
    let selection = Selection { only: vec![id.to_owned()], ..Selection::default() };
    audit(&scene, &selection, false).results.into_iter().map(|audited| audited.outcome).collect()
}

/// The answers in short: `pass`, `fail`, `warn`, `n/a`, `?`, each with its subject where there is one.
fn short(outcomes: &[Outcome]) -> String {
    let one = |outcome: &Outcome| {
        let word = match (outcome.status, &outcome.because) {
            (Status::Pass, _) => "pass",
            (Status::Warn, _) => "warn",
            (Status::Fail, _) => "fail",
            (Status::Skip, Some((Because::CouldNotTell, _))) => "?",
            (Status::Skip, _) => "n/a",
        };
        outcome.subject.as_ref().map_or_else(|| word.to_owned(), |subject| format!("{word} {subject}"))
    };
    outcomes.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[track_caller]
fn check(tree: &Tree, id: &str, wanted: &str) -> Vec<Outcome> {
    let outcomes = look_at(tree, id, &Applied::default());
    assert_eq!(short(&outcomes), wanted, "{id}: {outcomes:#?}");
    for outcome in &outcomes {
        if outcome.is_finding() {
            assert!(
                !outcome.actual.is_empty() && !outcome.fix.is_empty() && !outcome.evidence.is_empty(),
                "{outcome:?}"
            );
        } else if outcome.status == Status::Skip {
            assert!(!outcome.because.as_ref().unwrap().1.is_empty());
        }
    }
    outcomes
}

/// `file:line` of every place that was seen.
fn places(outcome: &Outcome) -> Vec<String> {
    let line = |line: Option<usize>| line.map_or_else(String::new, |line| format!(":{line}"));
    outcome.evidence.iter().map(|seen| format!("{}{}", seen.file, line(seen.line))).collect()
}

fn base() -> Tree {
    let tree = Tree::base();
    tree.put("sys/fs/cgroup/cgroup.controllers", "memory\n");
    tree.put("proc/pressure/memory", "some avg10=0\n");
    tree.put("proc/swaps", "Filename Type Size Used Priority\n");
    tree.put("proc/cmdline", "BOOT_IMAGE=/boot/vmlinuz root=x ro console=ttyS0\n");
    tree.put("proc/stat", "cpu 1\nbtime 4000000000\n");
    tree
}

/// All four links whole.
fn proved() -> Tree {
    let tree = base();
    tree.put(DROP_IN, format!("{DEFAULT}=\"${{{DEFAULT}:-}} {ARGS}\"\n"));
    tree.put("boot/grub/grub.cfg", grub_cfg(ARGS));
    tree.put("proc/cmdline", format!("BOOT_IMAGE=/boot/vmlinuz root=x ro console=ttyS0 {ARGS}\n"));
    for (name, value) in
        [("enabled", "Y"), ("compressor", "lz4"), ("zpool", "z3fold"), ("max_pool_percent", "20")]
    {
        tree.put(&format!("sys/module/zswap/parameters/{name}"), value);
    }
    tree
}

fn grub_cfg(args: &str) -> String {
    format!(
        "### BEGIN /etc/grub.d/10_linux ###\nmenuentry 'a' {{\n\tlinux /boot/vmlinuz-6 root=x ro console=tty1 console=ttyS0 {args}\n}}\n\
         menuentry 'a (recovery mode)' {{\n\tlinux /boot/vmlinuz-6 root=x ro recovery nomodeset\n}}\n### END /etc/grub.d/10_linux ###\n"
    )
}

const LINKS: [&str; 4] = ["CT-BOOT-002", "CT-BOOT-003", "CT-BOOT-004", "CT-BOOT-005"];

#[track_caller]
fn chain(tree: &Tree, applied: &Applied, wanted: [&str; 4]) -> Vec<Vec<Outcome>> {
    let looked: Vec<_> = LINKS.iter().map(|id| look_at(tree, id, applied)).collect();
    // Link 4 answers once for each argument.
    let short: Vec<_> = looked.iter().map(|o| short(&o[..1]).split(' ').next().unwrap().to_owned()).collect();
    let short: Vec<_> = short.iter().map(|word| word.trim_end_matches(',')).collect();
    assert_eq!(short, wanted, "{looked:#?}");
    looked
}

#[test]
fn a_chain_breaks_at_its_first_broken_link() {
    let none = Applied::default();
    let tree = proved();
    let looked = chain(&tree, &none, ["pass", "pass", "pass", "pass"]);
    assert_eq!(looked[3].len(), 4, "one answer for each argument");
    assert_eq!(places(&looked[0][0]), ["/etc/default/grub.d/zz-civicum-tune.cfg:1"]);
    assert_eq!(places(&looked[1][0]), ["/boot/grub/grub.cfg:3"]);

    // Nothing was applied: one finding, not four.
    let looked = chain(&base(), &none, ["fail", "n/a", "n/a", "n/a"]);
    assert_eq!(
        places(&looked[0][0]),
        ["/etc/default/grub.d/zz-civicum-tune.cfg", "/etc/default/grub.d/50-cloudimg-settings.cfg:1"]
    );
    assert_eq!(looked[0][0].target.as_deref(), Some("/etc/default/grub.d/zz-civicum-tune.cfg"));

    // grub.cfg was not made anew.
    let tree = proved();
    tree.put("boot/grub/grub.cfg", grub_cfg(""));
    tree.put("proc/cmdline", "root=x ro\n");
    let looked = chain(&tree, &none, ["pass", "fail", "n/a", "n/a"]);
    assert_eq!(places(&looked[1][0]), ["/boot/grub/grub.cfg:3"]);

    // Something else was booted.
    let tree = proved();
    tree.put("proc/cmdline", "root=x ro\n");
    let looked = chain(&tree, &none, ["pass", "pass", "fail", "n/a"]);
    assert_eq!(places(&looked[2][0]), ["/proc/cmdline:1", "/boot/grub/grub.cfg:3"]);

    // The kernel could not load lz4 that early.
    let tree = proved();
    tree.put("sys/module/zswap/parameters/compressor", "lzo\n");
    let looked = chain(&tree, &none, ["pass", "pass", "pass", "pass"]);
    assert_eq!(looked[3][1].status, Status::Fail);
    assert_eq!(looked[3][1].subject.as_deref(), Some("zswap.compressor=lz4"));
    assert_eq!(places(&looked[3][1]), ["/proc/cmdline:1", "/sys/module/zswap/parameters/compressor"]);
}

#[test]
fn a_chain_before_its_first_boot() {
    let tree = proved();
    tree.put("proc/cmdline", "root=x ro\n");
    let applied = |rebooted| Applied {
        generation: Some(3),
        needs_reboot: Some(3),
        rebooted: Some(rebooted),
        ..Applied::default()
    };
    let looked = chain(&tree, &applied(false), ["pass", "pass", "n/a", "n/a"]);
    assert!(looked[2][0].because.as_ref().unwrap().1.contains("generation 3"));
    chain(&tree, &applied(true), ["pass", "pass", "fail", "n/a"]);
    // Without a journal the dates tell.
    tree.put("proc/stat", "btime 1000000000\n");
    chain(&tree, &Applied::default(), ["pass", "pass", "n/a", "n/a"]);
    fs::remove_file(tree.at("proc/stat")).unwrap();
    chain(&tree, &Applied::default(), ["pass", "pass", "?", "n/a"]);
    fs::remove_file(tree.at("proc/cmdline")).unwrap();
    chain(&tree, &Applied::default(), ["pass", "pass", "?", "?"]);
}

#[test]
fn a_chain_where_it_does_not_apply_or_can_not_be_told() {
    let none = Applied::default();
    // Who wrote the arguments in another file did it right too.
    let tree = proved();
    fs::remove_file(tree.at(DROP_IN)).unwrap();
    tree.put("etc/default/grub.d/90-mine.cfg", format!("GRUB_CMDLINE_LINUX=\"{ARGS}\"\n"));
    let looked = chain(&tree, &none, ["pass", "pass", "pass", "pass"]);
    assert_eq!(places(&looked[0][0]), ["/etc/default/grub.d/90-mine.cfg:1"]);
    // Only a shell could tell.
    tree.put("etc/default/grub.d/90-mine.cfg", format!("if true; then\n{DEFAULT}=\"$(cat /x)\"\nfi\n"));
    chain(&tree, &none, ["?", "pass", "pass", "pass"]);
    // A later argument of the same name wins.
    let tree = proved();
    tree.put("proc/cmdline", format!("root=x {ARGS} zswap.compressor=zstd\n"));
    chain(&tree, &none, ["pass", "pass", "fail", "pass"]);
    // A container.
    let tree = proved();
    tree.put("run/systemd/container", "lxc\n");
    chain(&tree, &none, ["n/a", "n/a", "n/a", "n/a"]);
    // No GRUB: what counts is the boot line.
    let tree = proved();
    fs::remove_file(tree.at("usr/sbin/grub-mkconfig")).unwrap();
    chain(&tree, &none, ["n/a", "n/a", "pass", "pass"]);
    // Entries of the boot loader specification.
    let tree = proved();
    tree.put("boot/grub/grub.cfg", "insmod blscfg\nblscfg\n");
    chain(&tree, &none, ["pass", "?", "pass", "pass"]);
}

#[test]
fn boot_loaders() {
    check(&base(), "CT-BOOT-001", "pass");
    let tree = base();
    fs::remove_file(tree.at("usr/sbin/grub-mkconfig")).unwrap();
    check(&tree, "CT-BOOT-001", "warn");
    tree.put("etc/kernel/cmdline", "root=x\n");
    let found = check(&tree, "CT-BOOT-001", "warn");
    assert!(found[0].fix.contains("/etc/kernel/cmdline"), "{}", found[0].fix);
}

#[test]
fn words_that_contradict() {
    let with = |args: &str| {
        let tree = base();
        tree.put("proc/cmdline", format!("root=x console=a console=b {args}\n"));
        tree
    };
    check(&with("zswap.enabled=1 zswap.enabled=1"), "CT-BOOT-006", "pass");
    check(&with("zswap.enabled=0 zswap.enabled=1"), "CT-BOOT-006", "warn zswap.enabled");
    check(
        &with("zswap.max_pool_percent=20 zswap.max-pool-percent=50"),
        "CT-BOOT-006",
        "fail zswap.max_pool_percent",
    );
    let tree = base();
    fs::remove_file(tree.at("proc/cmdline")).unwrap();
    check(&tree, "CT-BOOT-006", "?");

    check(&with(""), "CT-BOOT-007", "pass");
    check(&with("psi=0 psi=1 cgroup_disable=cpu swapaccount=0"), "CT-BOOT-007", "pass");
    check(&with("cgroup_disable=cpu,memory"), "CT-BOOT-007", "fail cgroup_disable=cpu,memory");
    check(&with("psi=0"), "CT-BOOT-007", "fail psi=0");
    check(&with("zswap.enabled=N"), "CT-BOOT-007", "fail zswap.enabled=N");
    check(
        &with("systemd.unified_cgroup_hierarchy=no"),
        "CT-BOOT-007",
        "fail systemd.unified_cgroup_hierarchy=no",
    );
    check(&with("modprobe.blacklist=floppy,lz4"), "CT-BOOT-007", "fail modprobe.blacklist=floppy,lz4");
    check(&with("-- psi=0"), "CT-BOOT-007", "pass");
    let tree = base();
    tree.put("boot/grub/grub.cfg", grub_cfg("psi=0"));
    let found = check(&tree, "CT-BOOT-007", "fail psi=0");
    assert_eq!(places(&found[0]), ["/boot/grub/grub.cfg:3"], "of the next boot");
}

#[test]
fn files_of_the_boot_line() {
    let tree = proved();
    check(&tree, "CT-BOOT-008", "pass");
    check(&tree, "CT-BOOT-009", "pass");
    check(&tree, "CT-BOOT-010", "pass");
    tree.put("etc/default/grub.d/zzz-keeps.cfg", format!("{DEFAULT}=\"${DEFAULT} x\"\n"));
    check(&tree, "CT-BOOT-008", "pass");
    let found = check(&tree, "CT-BOOT-010", "warn x");
    assert_eq!(places(&found[0]), ["/etc/default/grub.d/zzz-keeps.cfg:1", "/boot/grub/grub.cfg:3"]);
    tree.put("etc/default/grub.d/zzz-anew.cfg", format!("# c\n{DEFAULT}=\"quiet\"\n"));
    let found = check(&tree, "CT-BOOT-008", "fail /etc/default/grub.d/zzz-anew.cfg");
    assert_eq!(places(&found[0]), ["/etc/default/grub.d/zzz-anew.cfg:2"]);
    check(&base(), "CT-BOOT-008", "n/a");

    // An edit that the image's own file overrides, as cloud images do.
    let tree = base();
    tree.put(
        "etc/default/grub",
        format!("GRUB_DEFAULT=0\n{DEFAULT}=\"quiet splash zswap.enabled=1 psi=1\"\n"),
    );
    let found = check(&tree, "CT-BOOT-009", "warn zswap.enabled=1, warn psi=1");
    assert_eq!(places(&found[0]), ["/etc/default/grub:2", "/etc/default/grub.d/50-cloudimg-settings.cfg:1"]);
    // What arrives another way is not lost.
    tree.put(DROP_IN, format!("{DEFAULT}=\"${DEFAULT} zswap.enabled=1 psi=1\"\n"));
    check(&tree, "CT-BOOT-009", "pass");
    fs::remove_file(tree.at("usr/sbin/grub-mkconfig")).unwrap();
    check(&tree, "CT-BOOT-009", "n/a");
}

#[test]
fn early_modules() {
    // Without the arguments no module is needed early: that is one finding, CT-BOOT-002.
    let tree = base();
    let found = check(&tree, "CT-BOOT-011", "n/a");
    assert!(found[0].because.as_ref().unwrap().1.ends_with("see CT-BOOT-002"), "{:?}", found[0]);
    tree.put(DROP_IN, format!("{DEFAULT}=\"${{{DEFAULT}:-}} {ARGS}\"\n"));
    let found = check(&tree, "CT-BOOT-011", "fail");
    assert!(found[0].actual.contains("lz4 lz4_compress z3fold"), "{}", found[0].actual);
    tree.put("etc/initramfs-tools/modules", "# lz4\nlz4\nlz4_compress # c\nz3fold\n");
    let found = check(&tree, "CT-BOOT-011", "pass");
    assert_eq!(places(&found[0])[0], "/etc/initramfs-tools/modules:2");
    check(&tree, "CT-BOOT-012", "n/a");
    tree.put("usr/bin/dracut", "");
    fs::remove_file(tree.at("usr/sbin/mkinitramfs")).unwrap();
    check(&tree, "CT-BOOT-011", "fail");
    tree.put("etc/dracut.conf.d/90-mine.conf", "add_drivers+=\" lz4 lz4_compress z3fold \"\n");
    check(&tree, "CT-BOOT-011", "pass");
    fs::remove_file(tree.at("usr/sbin/grub-mkconfig")).unwrap();
    check(&tree, "CT-BOOT-011", "n/a");

    let tree = base();
    check(&tree, "CT-BOOT-013", "pass");
    tree.put("etc/default/grub.d/40-force-partuuid.cfg", "GRUB_FORCE_PARTUUID=1234\n");
    check(&tree, "CT-BOOT-013", "warn");
    tree.put("etc/default/grub.d/90-initramfs.cfg", "GRUB_FORCE_PARTUUID=\n");
    check(&tree, "CT-BOOT-013", "pass");
}

#[test]
fn the_running_kernel_and_its_successor() {
    let tree = base();
    check(&tree, "CT-BOOT-014", "pass");
    check(&tree, "CT-BOOT-015", "pass");
    check(&tree, "CT-BOOT-016", "n/a");
    for release in ["6.8.0-45-generic", "6.8.0-9-generic", "6.11.0-1-lowlatency"] {
        tree.put(&format!("boot/vmlinuz-{release}"), "");
    }
    check(&tree, "CT-BOOT-015", "pass");
    tree.put("boot/vmlinuz-6.8.0-101-generic", "");
    let found = check(&tree, "CT-BOOT-015", "warn");
    assert_eq!(places(&found[0]), ["/boot/vmlinuz-6.8.0-101-generic"]);
    let tree = base();
    tree.put("run/reboot-required", "*** System restart required ***\n");
    tree.put("run/reboot-required.pkgs", "libc6\ndbus\n");
    let found = check(&tree, "CT-BOOT-015", "warn");
    assert_eq!(found[0].evidence[0].content.as_deref(), Some("libc6, dbus"));
    tree.put("proc/sys/kernel/osrelease", "6.8.0-1-generic\n");
    check(&tree, "CT-BOOT-014", "fail");
    fs::remove_file(tree.at("proc/sys/kernel/osrelease")).unwrap();
    check(&tree, "CT-BOOT-014", "?");
    check(&tree, "CT-BOOT-015", "?");
}

fn swapping(lines: &str) -> Tree {
    let tree = base();
    tree.put("proc/swaps", format!("Filename Type Size Used Priority\n{lines}"));
    tree.put("proc/self/mountinfo", "29 1 254:1 / / rw - ext4 /dev/vda1 rw\n31 29 8:1 / /data rw - xfs /dev/sda1 rw\n32 29 0:9 / /net rw - nfs4 h:/x rw\n");
    for (disk, rotational) in [("vda", "1"), ("sda", "1"), ("nvme0n1", "0")] {
        tree.put(&format!("sys/block/{disk}/size"), "2097152\n");
        tree.put(&format!("sys/block/{disk}/queue/rotational"), rotational);
    }
    tree
}

fn mode(tree: &Tree, path: &str, mode: u32) {
    fs::set_permissions(tree.at(path), fs::Permissions::from_mode(mode)).unwrap();
}

/// zswap that runs, and what is or is not behind it.
#[test]
fn what_is_behind_zswap() {
    let tree = proved();
    let says = |id: &str, wanted: &str, end: &str| {
        let found = check(&tree, id, wanted);
        let why = found[0].because.as_ref().map_or("", |(_, why)| why);
        assert!(format!("{why}{}", found[0].actual).ends_with(end), "{found:?}");
    };
    // No swap is one finding, and with zswap on it says what that means.
    says("CT-ZSWAP-007", "n/a", "see CT-SWAP-001");
    says("CT-SWAP-001", "fail", "zswap is on, and does nothing without it");
    says("CT-ZSWAP-012", "pass", "");
    tree.put("proc/swaps", "Filename Type Size Used Priority\n/dev/zram0 partition 4096 0 100\n");
    says("CT-SWAP-001", "fail", "none");
    says("CT-ZSWAP-012", "n/a", "see CT-ZRAM-001");
    // Without the list nothing is known of either: that is no finding and no pass.
    fs::remove_file(tree.at("proc/swaps")).unwrap();
    for id in ["CT-ZSWAP-007", "CT-ZSWAP-012"] {
        says(id, "?", "/proc/swaps is not here");
    }
}

#[test]
fn how_much_swap() {
    let ids = ["CT-SWAP-001", "CT-SWAP-002", "CT-SWAP-003", "CT-SWAP-004"];
    let all = |tree: &Tree, wanted: [&str; 4]| {
        for (id, wanted) in ids.iter().zip(wanted) {
            check(tree, id, wanted);
        }
    };
    all(&swapping(""), ["fail", "n/a", "n/a", "n/a"]);
    all(&swapping("/dev/zram0 partition 4096 0 100\n"), ["fail", "n/a", "n/a", "n/a"]);
    all(&swapping("/dev/vda2 partition 16384 0 -2\n"), ["pass", "pass", "n/a", "pass"]);
    all(&swapping("/dev/vda2 partition 8192 8000 -2\n"), ["pass", "fail", "n/a", "warn"]);
    let tree = base();
    fs::remove_file(tree.at("proc/swaps")).unwrap();
    all(&tree, ["?", "?", "?", "?"]);
    tree.put("run/systemd/container", "docker\n");
    all(&tree, ["n/a", "n/a", "n/a", "n/a"]);

    // A file of ours, known by its label.
    let tree = swapping("/swapfile file 1024 0 -2\n");
    let header = Header { size: 1 << 20, uuid: [7; 16], label: LABEL.to_owned() };
    tree.put("swapfile", header.encode());
    check(&tree, "CT-SWAP-003", "pass /swapfile");
    tree.put("swapfile-2", header.encode());
    check(&tree, "CT-SWAP-003", "pass /swapfile, n/a /swapfile-2");
}

#[test]
fn swap_traffic() {
    let tree = swapping("/dev/vda2 partition 1024 0 -2\n");
    check(&tree, "CT-SWAP-005", "?");
    tree.put("proc/uptime", "7200.55 100.0\n");
    tree.put("proc/vmstat", "pswpin 100\npswpout 100\n");
    check(&tree, "CT-SWAP-005", "pass");
    tree.put("proc/vmstat", "pswpin 1000000\npswpout 1000000\n");
    check(&tree, "CT-SWAP-005", "warn");
    tree.put("proc/uptime", "60.00 100.0\n");
    check(&tree, "CT-SWAP-005", "n/a");
    check(&swapping("/dev/vda2 partition 9 0 -2\n/dev/zram0 partition 9 0 5\n"), "CT-SWAP-005", "n/a");
}

#[test]
fn where_swap_lies() {
    let tree = swapping("/swapfile file 1024 0 -2\n");
    check(&tree, "CT-SWAP-006", "? /swapfile");
    tree.put("swapfile", "");
    mode(&tree, "swapfile", 0o644);
    let found = check(&tree, "CT-SWAP-006", "fail /swapfile");
    assert!(found[0].fix.contains("chmod 600 /swapfile"));
    mode(&tree, "swapfile", 0o600);
    check(&tree, "CT-SWAP-006", "pass /swapfile");
    check(&swapping(""), "CT-SWAP-006", "n/a");

    let tree = swapping("/swapfile file 9 0 -2\n/net/swap file 9 0 -3\n/dev/zd0 partition 9 0 -4\n");
    check(&tree, "CT-SWAP-007", "pass /swapfile, fail /net/swap, warn /dev/zd0");

    let tree = swapping("/swapfile file 9 0 -2\n/data/swap file 9 0 10\n/dev/nvme0n1p2 partition 9 0 5\n");
    check(&tree, "CT-SWAP-008", "n/a /swapfile, warn /data/swap, pass /dev/nvme0n1p2");
    check(&tree, "CT-SWAP-009", "n/a");
    let tree = swapping("/data/swap file 9 0 10\n/dev/nvme0n1p2 partition 9 0 5\n");
    check(&tree, "CT-SWAP-009", "warn");
    // In a virtual machine every disk of QEMU says that it rotates.
    tree.put("sys/class/dmi/id/sys_vendor", "QEMU\n");
    check(&tree, "CT-SWAP-008", "n/a /data/swap, pass /dev/nvme0n1p2");
    check(&tree, "CT-SWAP-009", "n/a");
    check(&swapping("/data/swap file 9 0 5\n/dev/nvme0n1p2 partition 9 0 10\n"), "CT-SWAP-009", "pass");
}

#[test]
fn swap_after_a_reboot() {
    let tree = swapping("/swapfile file 9 0 -2\n/dev/vda2 partition 9 0 -3\n/dev/dm-1 partition 9 0 -4\n");
    let found = check(&tree, "CT-SWAP-010", "fail /swapfile, fail /dev/vda2, fail /dev/dm-1");
    // Whatever the file's last line ends with.
    assert_eq!(found[1].fix, r"printf '\n%s\n' '/dev/vda2 none swap sw 0 0' >> /etc/fstab");
    tree.put(
        "etc/fstab",
        "UUID=ab none swap sw 0 0\n/swapfile none swap sw 0 0\n/dev/mapper/vg-swap none swap sw 0 0\n",
    );
    check(&tree, "CT-SWAP-010", "pass /swapfile, ? /dev/vda2, ? /dev/dm-1");
    tree.link("dev/disk/by-uuid/ab", "../../vda2");
    tree.link("dev/mapper/vg-swap", "../dm-1");
    check(&tree, "CT-SWAP-010", "pass /swapfile, pass /dev/vda2, pass /dev/dm-1");
    tree.put("etc/fstab", "/swapfile none swap sw,noauto 0 0\n");
    let found = check(&tree, "CT-SWAP-010", "fail /swapfile, fail /dev/vda2, fail /dev/dm-1");
    assert_eq!(places(&found[0]), ["/etc/fstab:1"]);
    // A unit, and one that nobody enabled.
    tree.put("etc/fstab", "");
    tree.put("etc/systemd/system/swapfile.swap", "[Swap]\nWhat=/swapfile\n");
    tree.put("run/systemd/generator.late/dev-vda2.swap", "[Swap]\nWhat=/dev/vda2\n");
    check(&tree, "CT-SWAP-010", "fail /swapfile, pass /dev/vda2, fail /dev/dm-1");
    tree.link("etc/systemd/system/swap.target.wants/swapfile.swap", "../swapfile.swap");
    check(&tree, "CT-SWAP-010", "pass /swapfile, pass /dev/vda2, fail /dev/dm-1");

    let tree = swapping("/there file 9 0 -2\n");
    check(&tree, "CT-SWAP-011", "n/a");
    tree.put(
        "etc/fstab",
        "/there none swap sw\n/gone none swap sw\n/off none swap noauto\nUUID=1 none swap sw\n",
    );
    let found = check(&tree, "CT-SWAP-011", "pass /there, fail /gone, ? UUID=1");
    assert_eq!(places(&found[1]), ["/etc/fstab:2"]);
}

#[test]
fn zram() {
    let tree = swapping("");
    for (id, wanted) in [("CT-ZRAM-001", "pass"), ("CT-ZRAM-002", "pass"), ("CT-ZRAM-003", "n/a")] {
        check(&tree, id, wanted);
    }
    let tree = swapping("/dev/zram0 partition 4096 1024 100\n");
    check(&tree, "CT-ZRAM-001", "fail /dev/zram0");
    check(&tree, "CT-ZRAM-002", "?");
    tree.put("usr/lib/systemd/system/zramswap.service", "");
    let mask = "/etc/systemd/system/zramswap.service";
    check(&tree, "CT-ZRAM-002", &format!("fail {mask}"));
    tree.link(mask, "/dev/null");
    check(&tree, "CT-ZRAM-002", &format!("pass {mask}"));
    tree.put("sys/block/zram1/disksize", "4194304\n");
    tree.put("sys/block/zram1/mm_stat", "3145728 1 2\n");
    check(&tree, "CT-ZRAM-003", "warn zram1");
    tree.put("proc/self/mountinfo", "29 1 254:1 / /tmp rw - ext4 /dev/zram1 rw\n");
    check(&tree, "CT-ZRAM-003", "pass");
}

#[test]
fn files_of_ours() {
    let tree = base();
    for (id, wanted) in [
        ("CT-FILE-001", "n/a"),
        ("CT-FILE-002", "n/a"),
        ("CT-FILE-003", "n/a"),
        ("CT-FILE-004", "n/a"),
        ("CT-FILE-005", "pass"),
    ] {
        check(&tree, id, wanted);
    }
    tree.put("var/lib/civicum-tune/generations/0001/x", "");
    mode(&tree, "var/lib/civicum-tune", 0o755);
    check(&tree, "CT-FILE-001", "fail");
    mode(&tree, "var/lib/civicum-tune", 0o700);
    check(&tree, "CT-FILE-001", "pass");

    let profile = "/etc/civicum-tune/profile.toml";
    tree.put(profile, "");
    mode(&tree, "etc/civicum-tune", 0o755);
    mode(&tree, profile, 0o644);
    check(&tree, "CT-FILE-002", &format!("pass {profile}"));
    mode(&tree, profile, 0o664);
    mode(&tree, "etc/civicum-tune", 0o777);
    check(&tree, "CT-FILE-002", &format!("fail {profile}, fail /etc/civicum-tune"));

    tree.put(DROP_IN, "");
    mode(&tree, "etc/default/grub.d", 0o755);
    mode(&tree, DROP_IN, 0o644);
    check(&tree, "CT-FILE-003", "pass");
    mode(&tree, DROP_IN, 0o646);
    let found = check(&tree, "CT-FILE-003", &format!("fail /{DROP_IN}"));
    assert!(found[0].fix.contains("chmod 0644"), "{}", found[0].fix);

    tree.put("etc/default/grub.d/.zz-civicum-tune.cfg.civicum-tune-new", "");
    tree.put("boot/grub/grub.cfg.civicum-tune-check", "");
    check(
        &tree,
        "CT-FILE-005",
        "warn /boot/grub/grub.cfg.civicum-tune-check, warn /etc/default/grub.d/.zz-civicum-tune.cfg.civicum-tune-new",
    );
}

#[test]
fn disks() {
    let tree = swapping("");
    for (id, expected) in [("CT-DISK-001", "n/a"), ("CT-DISK-002", "n/a"), ("CT-DISK-004", "?")] {
        check(&tree, id, expected);
    }
    check(&tree, "CT-DISK-003", "pass");
    tree.put("proc/self/mountinfo", "29 1 254:1 / / rw,relatime - ext4 /dev/vda1 ro,errors=remount-ro\n");
    check(&tree, "CT-DISK-003", "fail /");
    fs::remove_file(tree.at("proc/self/mountinfo")).unwrap();
    check(&tree, "CT-DISK-003", "?");

    tree.put("sys/fs/ext4/vda1/errors_count", "0\n");
    tree.put("sys/fs/ext4/features/lazy_itable_init", "supported\n");
    check(&tree, "CT-DISK-004", "pass");
    tree.put("sys/fs/ext4/vda1/errors_count", "3\n");
    check(&tree, "CT-DISK-004", "fail vda1");

    check(&tree, "CT-DISK-005", "pass nvme0n1, warn sda, pass vda");
    tree.put("sys/class/dmi/id/sys_vendor", "QEMU\n");
    check(&tree, "CT-DISK-005", "pass nvme0n1, pass sda, pass vda");
    check(&base(), "CT-DISK-005", "?");

    let tree = swapping("");
    check(&base(), "CT-DISK-006", "?");
    check(&tree, "CT-DISK-006", "n/a");
    tree.put("sys/block/vda/queue/discard_max_bytes", "2147450880\n");
    check(&tree, "CT-DISK-006", "warn");
    tree.link("etc/systemd/system/timers.target.wants/fstrim.timer", "/lib/systemd/system/fstrim.timer");
    check(&tree, "CT-DISK-006", "pass");
    fs::remove_file(tree.at("etc/systemd/system/timers.target.wants/fstrim.timer")).unwrap();
    tree.put("proc/self/mountinfo", "29 1 254:1 / / rw - ext4 /dev/vda1 rw,discard\n");
    check(&tree, "CT-DISK-006", "pass");
}

/// Whatever a host's files say, there is an answer.
#[test]
fn hostile_files() {
    let tree = proved();
    let nonsense = b"\xff\xfe\x1b[2J \"'$ ${ `\\\n=\nGRUB_CMDLINE_LINUX=\"\nGRUB_CMDLINE_LINUX_DEFAULT='\\\nif if fi fi\n";
    for path in [
        "etc/default/grub",
        DROP_IN,
        "boot/grub/grub.cfg",
        "proc/cmdline",
        "proc/swaps",
        "etc/fstab",
        "proc/self/mountinfo",
        "proc/vmstat",
        "proc/uptime",
        "proc/stat",
        "etc/initramfs-tools/modules",
    ] {
        tree.put(path, nonsense);
    }
    tree.link("dev/disk/by-uuid/loop", "loop");
    tree.put("etc/fstab", "UUID=loop none swap sw\nLABEL=../../../etc none swap sw\n");
    for area in ["BOOT", "SWAP", "ZRAM", "FILE", "DISK"] {
        assert!(!look_at(&tree, area, &Applied::default()).is_empty());
    }
    // A folder where a file should be, and a file where a folder should be.
    let tree = base();
    fs::create_dir_all(tree.at(DROP_IN)).unwrap();
    tree.put("sys/fs/ext4", "");
    assert_eq!(short(&look_at(&tree, "CT-BOOT-002", &Applied::default())), "?");
    assert_eq!(short(&look_at(&tree, "CT-DISK-004", &Applied::default())), "?");
}
