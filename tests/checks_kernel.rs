//! The checks of memory, kernel parameters, other tuners, control groups and OOM kills, each against small trees: what
//! passes, what is found, what does not apply, what could not be told.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod trees;

use civicum_tune::check::{Applied, Because, Outcome, Scene, Selection, Status, audit};
use civicum_tune::facts::Facts;
use civicum_tune::facts::engine::Engine;
use civicum_tune::tunable::Context;
use trees::live::Live;
use trees::{Tree, settings};

const PROFILE: &str = r#"
name = "checked"
[zswap]
enabled = true
compressor = "lz4"
max_pool_percent = 20
[swap]
size = "3GiB"
path = "/swapfile"
[boot]
psi = true
cgroup_v2 = true
[mglru]
min_ttl = "1000ms"
[sysctl]
"vm.swappiness" = 60
"vm.dirty_bytes" = 268435456
[memory]
at_least = "8GiB"
reserve = "2GiB"
[services.llm]
memory = "6GiB"
memory_swap = "7GiB"
[services.postgres]
memory = "1GiB"
"#;

const OURS: (&str, &str) =
    ("etc/sysctl.d/99-zz-civicum-tune.conf", "vm.swappiness = 60\nvm.dirty_bytes = 268435456\n");

/// Every answer of one check.
fn look(files: &[(&str, &str)], check: &str) -> Vec<Outcome> {
    let tree = Tree::base();
    for (path, text) in files {
        match text.strip_prefix("link:") {
            Some(target) => tree.link(path, target),
            None => tree.put(path, text),
        }
    }
    let host = tree.host();
    let facts = Facts::read(&host).unwrap();
    let wish = settings(PROFILE);
    let context = Context { wish: &wish, facts: &facts, host: &host, remember: None };
    let applied = Applied::default();
    let engine = || Engine::Absent;
    let scene = Scene::new(context, None, &applied, "2026-01-01T00:00:00Z".to_owned(), &engine);
    let selection = Selection { only: vec![check.to_owned()], ..Selection::default() };
    assert_eq!(selection.unknown(), None, "{check}");
    audit(&scene, &selection, false).results.into_iter().map(|audited| audited.outcome).collect()
}

fn answer(outcome: &Outcome) -> &'static str {
    match (outcome.status, &outcome.because) {
        (Status::Pass, _) => "pass",
        (Status::Warn, _) => "warn",
        (Status::Fail, _) => "fail",
        (Status::Skip, Some((Because::CouldNotTell, _))) => "untold",
        (Status::Skip, _) => "n/a",
    }
}

/// All that an answer says, in a line.
fn words(outcome: &Outcome) -> String {
    let why = outcome.because.as_ref().map_or("", |(_, why)| why);
    let seen: Vec<String> = outcome.evidence.iter().map(ToString::to_string).collect();
    let subject = outcome.subject.as_deref().unwrap_or("");
    format!(
        "{subject} | {}{why} | {} | {} | {}",
        outcome.actual,
        outcome.expected,
        outcome.fix,
        seen.join("; ")
    )
}

/// Check, files, answer, and words that one of the answers has. The answer `fail` or `warn` means that some answer is
/// that; `pass`, `n/a` and `untold` that all of them are.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);

fn hold(cases: &[Case<'_>]) {
    for (check, files, wanted, says) in cases {
        let outcomes = look(files, check);
        let shown: Vec<String> = outcomes.iter().map(|o| format!("{} {}", answer(o), words(o))).collect();
        let shown = shown.join("\n");
        let fits = |outcome: &Outcome| answer(outcome) == *wanted;
        let right = match *wanted {
            "fail" | "warn" => outcomes.iter().any(fits),
            _ => !outcomes.is_empty() && outcomes.iter().all(fits),
        };
        assert!(right, "{check} with {files:?} should be {wanted}:\n{shown}");
        let told = outcomes.iter().filter(|o| fits(o)).any(|o| words(o).contains(says));
        assert!(told, "{check} with {files:?} should say `{says}`:\n{shown}");
        for outcome in outcomes.iter().filter(|outcome| outcome.is_finding()) {
            assert!(!outcome.fix.is_empty(), "{check}: no way out\n{shown}");
        }
    }
}

const LXC: (&str, &str) = ("run/systemd/container", "lxc\n");
const SWAPPINESS: &str = "proc/sys/vm/swappiness";
const CONF: &str = "etc/sysctl.conf";
const CONF_LINK: (&str, &str) = ("etc/sysctl.d/99-sysctl.conf", "link:../sysctl.conf");

#[test]
fn the_value_now_and_at_boot() {
    let late = "etc/sysctl.d/zz-provider.conf";
    let early = "etc/sysctl.d/50-provider.conf";
    let bytes = ("proc/sys/vm/dirty_bytes", "268435456\n");
    hold(&[
        ("CT-SYSCTL-001", &[(SWAPPINESS, "60\n"), bytes], "pass", "/proc/sys/vm/swappiness: 60"),
        (
            "CT-SYSCTL-001",
            &[(SWAPPINESS, "10\n"), bytes],
            "fail",
            "vm.swappiness | 10 | 60 | civicum-tune apply",
        ),
        // The winner's line comes first, then every loser's.
        (
            "CT-SYSCTL-001",
            &[(SWAPPINESS, "10\n"), bytes, (early, "vm.swappiness=1\n"), (late, "# c\nvm/swappiness = 10\n")],
            "fail",
            "/etc/sysctl.d/zz-provider.conf:2: vm.swappiness = 10; /etc/sysctl.d/50-provider.conf:1: vm.swappiness = 1",
        ),
        ("CT-SYSCTL-001", &[], "untold", "/proc/sys/vm"),
        ("CT-SYSCTL-001", &[LXC, (SWAPPINESS, "10\n")], "n/a", "lxc container"),
        ("CT-SYSCTL-002", &[OURS], "pass", "99-zz-civicum-tune.conf:1: vm.swappiness = 60"),
        (
            "CT-SYSCTL-002",
            &[OURS, (early, "vm.swappiness = 1\n")],
            "pass",
            "50-provider.conf:1: vm.swappiness = 1",
        ),
        (
            "CT-SYSCTL-002",
            &[OURS, (late, "vm.swappiness = 1\n")],
            "fail",
            "remove /etc/sysctl.d/zz-provider.conf:1",
        ),
        ("CT-SYSCTL-002", &[(early, "vm.swappiness = 1\n")], "fail", "| civicum-tune apply |"),
        ("CT-SYSCTL-002", &[], "fail", "no file sets vm.dirty_bytes"),
        // The other name of the same knob, later.
        ("CT-SYSCTL-002", &[OURS, (late, "vm.dirty_ratio = 40\n")], "fail", "sets vm.dirty_ratio afterwards"),
        ("CT-SYSCTL-002", &[OURS, (late, "vm.dirty_ratio = 0\n")], "pass", ""),
        // A pattern never wins over a line that names the key.
        ("CT-SYSCTL-002", &[OURS, (late, "vm.swap* = 1\n")], "pass", ""),
        // /etc/sysctl.conf has the place of the link that leads to it.
        (
            "CT-SYSCTL-002",
            &[(CONF, "vm.swappiness=5\n"), CONF_LINK, OURS],
            "pass",
            "99-sysctl.conf:1: vm.swappiness = 5",
        ),
        // Who knows what stands in a file that can't be read.
        (
            "CT-SYSCTL-002",
            &[OURS, ("etc/sysctl.d/zzz.conf", "link:zzz.conf")],
            "untold",
            "zzz.conf can't be read",
        ),
        ("CT-SYSCTL-002", &[OURS, ("etc/sysctl.d/00.conf", "link:00.conf")], "pass", ""),
        ("CT-SYSCTL-017", &[OURS], "pass", ""),
        (
            "CT-SYSCTL-017",
            &[(early, "vm.dirty_background_bytes=1048576\n"), (late, "vm.dirty_background_ratio=5\n")],
            "warn",
            "vm.dirty_background_ratio is set after vm.dirty_background_bytes",
        ),
        ("CT-SYSCTL-017", &[LXC], "n/a", ""),
    ]);
}

#[test]
fn the_files() {
    let a = "etc/sysctl.d/10-a.conf";
    let b = "etc/sysctl.d/20-b.conf";
    hold(&[
        ("CT-SYSCTL-003", &[], "n/a", "there is no /etc/sysctl.conf"),
        ("CT-SYSCTL-003", &[(CONF, "# nothing\n")], "n/a", "sets nothing"),
        ("CT-SYSCTL-003", &[(CONF, "vm.swappiness=5\n"), CONF_LINK], "pass", "/etc/sysctl.d/99-sysctl.conf"),
        ("CT-SYSCTL-003", &[(CONF, "\nvm.swappiness=5\n")], "warn", "/etc/sysctl.conf:2: vm.swappiness = 5"),
        ("CT-SYSCTL-003", &[(CONF, "vm.swappiness=5\n"), (a, "vm.swappiness=5\n")], "pass", "other files"),
        (
            "CT-SYSCTL-003",
            &[(CONF, "vm.swappiness=5\n"), ("proc/1/comm", "init\n")],
            "pass",
            "read last at boot",
        ),
        ("CT-SYSCTL-003", &[LXC], "n/a", ""),
        ("CT-SYSCTL-004", &[], "pass", ""),
        ("CT-SYSCTL-004", &[(a, "link:10-a.conf")], "fail", "/etc/sysctl.d/10-a.conf"),
        ("CT-SYSCTL-005", &[], "n/a", "running kernel"),
        ("CT-SYSCTL-006", &[(a, "-net.ipv4.conf.eth0.rp_filter\n# x\n\n")], "pass", ""),
        ("CT-SYSCTL-006", &[(a, "vm.swappiness 10\n")], "warn", "10-a.conf:1: vm.swappiness 10"),
        ("CT-SYSCTL-006", &[("usr/lib/sysctl.d/1.conf", "vm.swappiness 10\n")], "pass", ""),
        ("CT-SYSCTL-007", &[(a, "vm.x=1\n"), (b, "vm.x = 1\n")], "pass", ""),
        ("CT-SYSCTL-007", &[(a, "vm.x=1\n"), (b, "vm.x=2\n")], "warn", "20-b.conf:1 wins and sets 2"),
        ("CT-SYSCTL-007", &[(a, "vm.x=1\nvm.x=2\n")], "warn", "10-a.conf:1: vm.x = 1"),
        // A vendor's value is there to be replaced, and where ours sets it, it is plain who is meant.
        ("CT-SYSCTL-007", &[("usr/lib/sysctl.d/1.conf", "vm.x=1\n"), (b, "vm.x=2\n")], "pass", ""),
        ("CT-SYSCTL-007", &[(a, "vm.swappiness=1\n"), OURS], "pass", ""),
    ]);
}

#[test]
fn values_that_do_harm() {
    let file = "etc/sysctl.d/50-x.conf";
    let zswap = ("sys/module/zswap/parameters/enabled", "Y\n");
    let docker = ("run/docker.sock", "");
    let dirty = |bg: &'static str, most: &'static str, bgr: &'static str, mostr: &'static str| {
        [
            ("proc/sys/vm/dirty_background_bytes", bg),
            ("proc/sys/vm/dirty_bytes", most),
            ("proc/sys/vm/dirty_background_ratio", bgr),
            ("proc/sys/vm/dirty_ratio", mostr),
        ]
    };
    hold(&[
        ("CT-SYSCTL-008", &[], "pass", "no file sets it"),
        ("CT-SYSCTL-008", &[("proc/sys/vm/overcommit_memory", "1\n")], "pass", "1"),
        (
            "CT-SYSCTL-008",
            &[("proc/sys/vm/overcommit_memory", "2\n")],
            "fail",
            "sysctl -w vm.overcommit_memory=0",
        ),
        (
            "CT-SYSCTL-008",
            &[(file, "vm.overcommit_memory=2\n")],
            "fail",
            "remove /etc/sysctl.d/50-x.conf:1, then",
        ),
        // A loser does no harm.
        ("CT-SYSCTL-008", &[(file, "vm.overcommit_memory=2\nvm.overcommit_memory=0\n")], "pass", ""),
        ("CT-SYSCTL-008", &[(file, "link:50-x.conf")], "untold", "can't be read"),
        ("CT-SYSCTL-008", &[LXC, (file, "vm.overcommit_memory=2\n")], "n/a", ""),
        ("CT-SYSCTL-009", &[zswap, (SWAPPINESS, "1\n")], "fail", "/proc/sys/vm/swappiness: 1"),
        ("CT-SYSCTL-009", &[zswap, (SWAPPINESS, "10\n")], "pass", ""),
        ("CT-SYSCTL-010", &[("proc/sys/vm/min_free_kbytes", "612353\n")], "fail", "at most 612352 kB"),
        ("CT-SYSCTL-010", &[("proc/sys/vm/min_free_kbytes", "612352\n")], "pass", ""),
        ("CT-SYSCTL-010", &[("proc/meminfo", "")], "untold", "/proc/meminfo"),
        ("CT-SYSCTL-011", &[("proc/sys/vm/panic_on_oom", "1\n")], "fail", ""),
        ("CT-SYSCTL-011", &[(file, "vm.panic_on_oom=2\n")], "fail", "sets 2 at boot"),
        ("CT-SYSCTL-011", &[("proc/sys/vm/panic_on_oom", "0\n")], "pass", ""),
        ("CT-SYSCTL-012", &[("proc/sys/vm/oom_kill_allocating_task", "1\n")], "fail", ""),
        ("CT-SYSCTL-013", &[("proc/sys/vm/zone_reclaim_mode", "1\n")], "fail", ""),
        (
            "CT-SYSCTL-013",
            &[
                ("proc/sys/vm/zone_reclaim_mode", "1\n"),
                ("sys/devices/system/node/node0/cpulist", "0\n"),
                ("sys/devices/system/node/node1/cpulist", "1\n"),
            ],
            "n/a",
            "2 memory nodes",
        ),
        ("CT-SYSCTL-014", &[], "n/a", "Docker is not installed"),
        ("CT-SYSCTL-014", &[docker], "pass", ""),
        (
            "CT-SYSCTL-014",
            &[docker, (file, "net.ipv4.ip_forward=0\n")],
            "warn",
            "remove /etc/sysctl.d/50-x.conf:1",
        ),
        ("CT-SYSCTL-014", &[docker, (file, "net.ipv4.ip_forward=1\n")], "pass", ""),
        (
            "CT-SYSCTL-014",
            &[docker, ("proc/sys/net/ipv4/ip_forward", "0\n")],
            "warn",
            "sysctl -w net.ipv4.ip_forward=1",
        ),
        ("CT-SYSCTL-015", &[], "untold", ""),
        ("CT-SYSCTL-015", &[("proc/sys/kernel/panic", "0\n")], "warn", "in the profile, and apply"),
        ("CT-SYSCTL-015", &[("proc/sys/kernel/panic", "-1\n")], "pass", ""),
        ("CT-SYSCTL-016", &[("proc/sys/vm/max_map_count", "65529\n")], "fail", ""),
        ("CT-SYSCTL-016", &[("proc/sys/vm/max_map_count", "65530\n")], "pass", ""),
        ("CT-SYSCTL-018", &dirty("0\n", "0\n", "10\n", "20\n"), "pass", ""),
        ("CT-SYSCTL-018", &dirty("0\n", "0\n", "20\n", "20\n"), "warn", "vm.dirty_background_ratio"),
        ("CT-SYSCTL-018", &dirty("9\n", "5\n", "0\n", "0\n"), "warn", "9 in the background, 5 at most"),
        ("CT-SYSCTL-018", &dirty("9\n", "0\n", "0\n", "20\n"), "n/a", "a share of the memory"),
        ("CT-SYSCTL-018", &[], "untold", ""),
        // What is no number is nobody's harm.
        ("CT-SYSCTL-011", &[("proc/sys/vm/panic_on_oom", "\u{1b}[31m\n")], "pass", ""),
    ]);
}

#[test]
fn other_tuners() {
    let installed = ("usr/sbin/tuned", "");
    let active = ("etc/tuned/active_profile", "virtual-guest\n");
    let started = (
        "etc/systemd/system/multi-user.target.wants/tuned.service",
        "link:/lib/systemd/system/tuned.service",
    );
    let guest = (
        "usr/lib/tuned/virtual-guest/tuned.conf",
        "[main]\ninclude=throughput-performance\n\n[sysctl]\nvm.dirty_ratio = 30\nvm.swappiness = 30\n",
    );
    let below = ("usr/lib/tuned/throughput-performance/tuned.conf", "[sysctl]\nvm.swappiness=10\n");
    let on = |unit: &'static str| (unit, "link:/dev/x");
    let no_reapply = ("etc/tuned/tuned-main.conf", "reapply_sysctl = 0\n");
    let unattended = ("usr/bin/unattended-upgrade", "");
    let apt = "etc/apt/apt.conf.d/50unattended-upgrades";
    hold(&[
        ("CT-TUNER-001", &[], "n/a", "not installed"),
        ("CT-TUNER-001", &[installed], "n/a", "no active profile"),
        ("CT-TUNER-001", &[installed, active], "n/a", "not started"),
        ("CT-TUNER-001", &[installed, active, started], "untold", "virtual-guest"),
        (
            "CT-TUNER-001",
            &[installed, active, started, guest, below],
            "warn",
            "virtual-guest | TuneD sets vm.dirty_ratio = 30, vm.swappiness = 30 | vm.swappiness = 60 | civicum-tune apply",
        ),
        (
            "CT-TUNER-001",
            &[installed, active, started, guest, below],
            "warn",
            "virtual-guest/tuned.conf:5: vm.dirty_ratio = 30",
        ),
        ("CT-TUNER-001", &[installed, active, started, guest, below, OURS], "pass", "and then what"),
        (
            "CT-TUNER-001",
            &[installed, active, started, guest, below, OURS, no_reapply],
            "warn",
            "reapply_sysctl = 1",
        ),
        ("CT-TUNER-002", &[], "pass", ""),
        (
            "CT-TUNER-002",
            &[("etc/cloud/cloud.cfg.d/9.cfg", "x: y\nswap:\n  size: 1\n")],
            "warn",
            "/etc/cloud/cloud.cfg.d/9.cfg:2",
        ),
        (
            "CT-TUNER-002",
            &[("usr/sbin/swapspace", ""), on("etc/systemd/system/multi-user.target.wants/swapspace.service")],
            "warn",
            "systemctl disable --now swapspace",
        ),
        ("CT-TUNER-003", &[("usr/bin/earlyoom", "")], "pass", ""),
        (
            "CT-TUNER-003",
            &[("usr/bin/earlyoom", ""), on("etc/systemd/system/multi-user.target.wants/earlyoom.service")],
            "warn",
            "earlyoom is active",
        ),
        (
            "CT-TUNER-003",
            &[
                ("usr/bin/earlyoom", ""),
                on("etc/systemd/system/multi-user.target.wants/earlyoom.service"),
                ("etc/default/earlyoom", "EARLYOOM_ARGS=\"--avoid '^(postgres)$'\"\n"),
            ],
            "pass",
            "spare",
        ),
        (
            "CT-TUNER-003",
            &[
                ("usr/lib/systemd/systemd-oomd", ""),
                on("etc/systemd/system/multi-user.target.wants/systemd-oomd.service"),
            ],
            "warn",
            "ManagedOOM",
        ),
        ("CT-TUNER-004", &[], "n/a", ""),
        (
            "CT-TUNER-004",
            &[
                ("usr/lib/systemd/system/zram-config.service", ""),
                ("usr/lib/systemd/system-generators/zram-generator", ""),
                ("etc/systemd/zram-generator.conf", "[zram0]\n"),
            ],
            "warn",
            "zram-config, zram-generator",
        ),
        ("CT-TUNER-004", &[("usr/lib/systemd/system/zram-config.service", "")], "pass", "zram-config"),
        (
            "CT-TUNER-005",
            &[OURS, ("etc/sysctl.d/50-x.conf", "vm.swappiness=10\n")],
            "warn",
            "50-x.conf:1 sets 10, and loses",
        ),
        ("CT-TUNER-005", &[OURS, ("etc/sysctl.d/50-x.conf", "vm.swappiness=60\n")], "pass", ""),
        ("CT-TUNER-005", &[OURS, ("usr/lib/sysctl.d/50-x.conf", "vm.swappiness=10\n")], "pass", ""),
        ("CT-TUNER-006", &[], "pass", ""),
        (
            "CT-TUNER-006",
            &[
                ("usr/sbin/laptop_mode", ""),
                on("etc/systemd/system/multi-user.target.wants/laptop-mode.service"),
            ],
            "warn",
            "",
        ),
        ("CT-TUNER-007", &[], "n/a", "no apt"),
        (
            "CT-TUNER-007",
            &[(apt, "// Unattended-Upgrade::Automatic-Reboot \"true\";\n")],
            "n/a",
            "not installed",
        ),
        (
            "CT-TUNER-007",
            &[unattended, (apt, "// Unattended-Upgrade::Automatic-Reboot \"true\";\n")],
            "pass",
            "",
        ),
        (
            "CT-TUNER-007",
            &[unattended, (apt, "Unattended-Upgrade::Automatic-Reboot \"true\";\n")],
            "warn",
            "at: now",
        ),
        (
            "CT-TUNER-007",
            &[
                unattended,
                (apt, "Unattended-Upgrade::Automatic-Reboot \"true\";\n"),
                ("etc/apt/apt.conf.d/60mine", "Unattended-Upgrade { Automatic-Reboot \"false\"; };\n"),
            ],
            "pass",
            "60mine:1",
        ),
    ]);
}

/// `/proc/meminfo` of a host with so much, in MiB: RAM, available, swap; and more lines.
fn meminfo(total: u64, available: u64, swap: u64, more: &str) -> String {
    let (_, base) = trees::BASE.iter().find(|(path, _)| *path == "proc/meminfo").unwrap();
    let base = base.replace("MemTotal:       12247040", &format!("MemTotal: {}", total << 10));
    base.replace("MemAvailable:   10000000", &format!("MemAvailable: {}", available << 10))
        .replace("SwapTotal: 0", &format!("SwapTotal: {}", swap << 10))
        + more
}

#[test]
fn memory() {
    let small = meminfo(8000, 6000, 1024, "");
    let tight = meminfo(9000, 400, 4096, "");
    let unused = meminfo(
        12000,
        6000,
        1024,
        "HugePages_Total: 64\nHugePages_Free: 64\nHugepagesize: 2048 kB\nHugetlb: 131072 kB\n",
    );
    let used = unused.replace("HugePages_Free: 64", "HugePages_Free: 3");
    let much = meminfo(
        12000,
        6000,
        1024,
        "HugePages_Total: 4\nHugePages_Free: 0\nHugepagesize: 1048576 kB\nHugetlb: 4194304 kB\n",
    );
    let thp = "sys/kernel/mm/transparent_hugepage/enabled";
    let defrag = "sys/kernel/mm/transparent_hugepage/defrag";
    let always = (thp, "[always] madvise never\n");
    let ttl = "sys/kernel/mm/lru_gen/min_ttl_ms";
    let lru = "sys/kernel/mm/lru_gen/enabled";
    let tmpfiles = "etc/tmpfiles.d/zz-civicum-tune.conf";
    let cmdline = ("proc/cmdline", "root=/dev/vda1 crashkernel=512M\n");
    let mem = |text: &'static str| ("proc/meminfo", text);
    let (small, tight, unused, used, much) =
        (small.leak(), tight.leak(), unused.leak(), used.leak(), much.leak());
    let none = ("proc/meminfo", "");
    hold(&[
        ("CT-MEM-001", &[], "pass", "at least 8192 MiB"),
        (
            "CT-MEM-001",
            &[mem(small)],
            "fail",
            "8000 MiB | at least 8192 MiB | choose the profile for this size: civicum-8g",
        ),
        ("CT-MEM-001", &[none], "untold", "/proc/meminfo"),
        ("CT-MEM-002", &[], "pass", "llm 6144 + postgres 1024 + system 2048 = 9216 of 11960 MiB"),
        ("CT-MEM-002", &[mem(tight)], "fail", "take 216 MiB off services.llm.memory"),
        ("CT-MEM-002", &[none], "untold", ""),
        ("CT-MEM-003", &[], "n/a", ""),
        ("CT-MEM-003", &[mem(unused)], "warn", "128 MiB are reserved and nobody uses"),
        ("CT-MEM-003", &[mem(used)], "pass", "128 MiB"),
        (
            "CT-MEM-003",
            &[mem(much)],
            "fail",
            "4096 MiB are reserved; with the limits and the reserve that is 13312 of 12000 MiB",
        ),
        ("CT-MEM-003", &[mem(much), LXC], "n/a", ""),
        ("CT-MEM-004", &[mem(small)], "pass", "llm 1024 = 1024 of 1024 MiB"),
        ("CT-MEM-004", &[], "warn", "| civicum-tune apply |"),
        ("CT-MEM-004", &[none], "untold", ""),
        ("CT-MEM-005", &[(thp, "always [madvise] never\n")], "pass", "madvise"),
        ("CT-MEM-005", &[always, (defrag, "always defer [madvise] never\n")], "pass", ""),
        ("CT-MEM-005", &[always, (defrag, "[always] defer madvise never\n")], "warn", "echo madvise"),
        ("CT-MEM-005", &[always], "untold", "defrag"),
        ("CT-MEM-005", &[], "untold", ""),
        ("CT-MEM-006", &[(lru, "0x0007\n"), (ttl, "1000\n")], "pass", ""),
        ("CT-MEM-006", &[(lru, "0x0007\n"), (ttl, "0\n")], "fail", "0 | 1000 | civicum-tune apply"),
        ("CT-MEM-006", &[(lru, "0x0000\n"), (ttl, "0\n")], "n/a", "see CT-MEM-007"),
        ("CT-MEM-006", &[], "untold", ""),
        ("CT-MEM-007", &[(lru, "0x0007\n")], "pass", ""),
        (
            "CT-MEM-007",
            &[(lru, "0x0000\n")],
            "fail",
            "min_ttl_ms does nothing | 0x0007 | civicum-tune apply |",
        ),
        ("CT-MEM-007", &[], "untold", ""),
        ("CT-MEM-007", &[LXC, (lru, "0x0000\n")], "n/a", ""),
        ("CT-MEM-008", &[], "fail", "no line sets it"),
        ("CT-MEM-008", &[(lru, "0x0007\n"), (ttl, "0\n")], "n/a", "see CT-MEM-006"),
        ("CT-MEM-008", &[(lru, "0x0007\n"), (ttl, "1000\n")], "fail", "no line sets it"),
        ("CT-MEM-008", &[(tmpfiles, "w- /sys/kernel/mm/lru_gen/min_ttl_ms - - - - 1000\n")], "pass", ""),
        ("CT-MEM-008", &[(tmpfiles, "w- /sys/kernel/mm/lru_gen/min_ttl_ms - - - - 5\n")], "fail", "5 | 1000"),
        ("CT-MEM-008", &[("proc/1/comm", "init\n")], "n/a", "systemd"),
        ("CT-MEM-009", &[], "untold", "/proc/cmdline"),
        ("CT-MEM-009", &[("proc/cmdline", "root=/dev/vda1\n")], "n/a", ""),
        ("CT-MEM-009", &[cmdline], "untold", "kexec_crash_size"),
        (
            "CT-MEM-009",
            &[cmdline, ("sys/kernel/kexec_crash_size", "536870912\n")],
            "pass",
            "512 MiB of 12472 MiB",
        ),
        ("CT-MEM-009", &[cmdline, ("sys/kernel/kexec_crash_size", "1073741824\n")], "warn", "1024 MiB"),
        ("CT-MEM-010", &[], "pass", ""),
        ("CT-MEM-010", &[mem(tight)], "warn", "400 MiB of 9000 MiB | at least 512 MiB"),
        ("CT-MEM-010", &[none], "untold", ""),
        ("CT-MEM-011", &[], "n/a", "running host"),
        ("CT-MEM-011", &[LXC], "n/a", ""),
    ]);
}

#[test]
fn control_groups_and_pressure() {
    let v2 = ("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
    let down = ("sys/fs/cgroup/cgroup.subtree_control", "cpu memory pids\n");
    let scope = ("sys/fs/cgroup/system.slice/docker-1.scope/memory.max", "max\n");
    let v1 = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "1\n");
    let psi = |some: &'static str| ("proc/pressure/memory", some);
    let calm =
        "some avg10=0.00 avg60=0.00 avg300=10.00 total=0\nfull avg10=99.00 avg60=9.00 avg300=5.00 total=0\n";
    let full =
        "some avg10=0.00 avg60=0.00 avg300=9.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=5.01 total=0\n";
    hold(&[
        ("CT-CGROUP-001", &[v2], "pass", "2"),
        ("CT-CGROUP-001", &[v1], "fail", "1 | 2 | civicum-tune apply"),
        ("CT-CGROUP-001", &[], "untold", ""),
        ("CT-CGROUP-001", &[v1, LXC], "n/a", ""),
        ("CT-CGROUP-002", &[v2], "pass", ""),
        (
            "CT-CGROUP-002",
            &[
                ("sys/fs/cgroup/cgroup.controllers", "cpu pids\n"),
                ("proc/cmdline", "cgroup_disable=memory\n"),
            ],
            "fail",
            "there is no memory | memory cpu pids",
        ),
        ("CT-CGROUP-002", &[v1], "n/a", ""),
        ("CT-CGROUP-002", &[], "untold", ""),
        ("CT-CGROUP-003", &[v2, down], "pass", ""),
        ("CT-CGROUP-003", &[v2], "untold", ""),
        // Stock Debian 12 without a container.
        ("CT-CGROUP-003", &[v2, ("sys/fs/cgroup/cgroup.subtree_control", "memory pids\n")], "pass", ""),
        (
            "CT-CGROUP-003",
            &[v2, ("sys/fs/cgroup/cgroup.subtree_control", "cpu pids\n")],
            "fail",
            "memory stay above",
        ),
        (
            "CT-CGROUP-003",
            &[v2, down, scope, ("sys/fs/cgroup/system.slice/cgroup.subtree_control", "pids\n")],
            "fail",
            "/sys/fs/cgroup/system.slice/cgroup.subtree_control",
        ),
        // While no container runs, systemd need not hand anything down in the slice.
        ("CT-CGROUP-003", &[v2, down, ("sys/fs/cgroup/system.slice/cgroup.subtree_control", "")], "pass", ""),
        ("CT-CGROUP-004", &[psi(calm)], "pass", ""),
        ("CT-CGROUP-004", &[], "untold", ""),
        (
            "CT-CGROUP-004",
            &[("boot/config-6.8.0-45-generic", "CONFIG_PSI=y\nCONFIG_PSI_DEFAULT_DISABLED=y\n")],
            "fail",
            "switched off",
        ),
        (
            "CT-CGROUP-004",
            &[("boot/config-6.8.0-45-generic", "# CONFIG_PSI is not set\n")],
            "warn",
            "without it",
        ),
        ("CT-CGROUP-005", &[psi(calm)], "pass", "10.00 %"),
        ("CT-CGROUP-005", &[psi(full)], "warn", "5.01 %"),
        ("CT-CGROUP-005", &[psi("some nonsense\n")], "untold", "can't be understood"),
        ("CT-CGROUP-005", &[], "untold", ""),
        ("CT-CGROUP-005", &[psi(full), LXC], "n/a", ""),
        ("CT-CGROUP-006", &[("proc/pressure/io", full)], "pass", ""),
        (
            "CT-CGROUP-006",
            &[(
                "proc/pressure/io",
                "some avg10=0.00 avg60=0.00 avg300=90.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=20.01 total=1\n",
            )],
            "warn",
            "io.pressure",
        ),
        (
            "CT-CGROUP-007",
            &[("proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=80.01 total=1\n")],
            "warn",
            "80.01 %",
        ),
        (
            "CT-CGROUP-007",
            &[("proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=80.00 total=1\n")],
            "pass",
            "",
        ),
    ]);
}

#[test]
fn out_of_memory() {
    let none = ("proc/vmstat", "nr_free_pages 1\noom_kill 0\n");
    let three = ("proc/vmstat", "oom_kill 3\n");
    let two = ("proc/vmstat", "oom_kill 2\n");
    let log = (
        "var/log/kern.log",
        "2026-01-01T02:00:00.1+00:00 vps kernel: [ 3725.5] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=docker-a.scope,mems_allowed=0,oom_memcg=/system.slice/docker-a.scope,task_memcg=/system.slice/docker-a.scope,task=python3,pid=812,uid=0\n\
         2026-01-01T02:00:00.1+00:00 vps kernel: [ 3725.6] Memory cgroup out of memory: Killed process 812 (python3) total-vm:90000kB, anon-rss:1048576kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:100kB oom_score_adj:500\n\
         2026-01-01T02:00:09.1+00:00 vps kernel: [ 7200.0] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/system.slice/docker-b.scope,task=postgres,pid=9,uid=0\n\
         2026-01-01T02:00:09.1+00:00 vps kernel: [ 7200.1] Out of memory: Killed process 9 (postgres) total-vm:1kB, anon-rss:204800kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:-500\n",
    );
    let syslog = (
        "var/log/syslog",
        "Jan 1 00:00:00 vps app: Out of memory: Killed process 9 (postgres) total-vm:1kB\n",
    );
    hold(&[
        ("CT-OOM-001", &[none], "pass", "0 killed"),
        ("CT-OOM-001", &[three], "warn", "3 killed"),
        ("CT-OOM-001", &[], "untold", "/proc/vmstat"),
        ("CT-OOM-001", &[three, LXC], "n/a", ""),
        ("CT-OOM-002", &[none], "pass", ""),
        (
            "CT-OOM-002",
            &[two, log],
            "warn",
            "python3 | 1 × by the limit of /system.slice/docker-a.scope; it held up to 1GiB, oom_score_adj 500; the last time 1h 2m 5s after the boot",
        ),
        (
            "CT-OOM-003",
            &[two, log],
            "fail",
            "postgres | 1 × because the whole host ran out; it held up to 200MiB, oom_score_adj -500; the last time 2h after the boot",
        ),
        ("CT-OOM-003", &[three], "untold", "no log of the kernel"),
        // The words of another program prove nothing.
        ("CT-OOM-003", &[three, syslog], "untold", "the kernel counts 3 kills, and its log still tells of 0"),
        ("CT-OOM-003", &[("var/log/kern.log", "x\n")], "untold", "no counter"),
        ("CT-OOM-004", &[], "n/a", "Docker"),
        ("CT-OOM-004", &[("run/docker.sock", "")], "n/a", "running host"),
    ]);
    // Three counted, two told: what was found is said, and that there may be more.
    let answers: Vec<&str> = look(&[three, log], "CT-OOM-003").iter().map(answer).collect();
    assert_eq!(answers, ["fail", "untold"]);
}

/// Bytes that no parser has asked for, in every file that these checks read: an answer always, never a panic.
#[test]
fn nonsense_everywhere() {
    const FILES: [&str; 14] = [
        "etc/sysctl.conf",
        "etc/sysctl.d/50-x.conf",
        "etc/tuned/active_profile",
        "etc/tuned/tuned-main.conf",
        "usr/lib/tuned/x/tuned.conf",
        "etc/apt/apt.conf.d/50unattended-upgrades",
        "etc/default/earlyoom",
        "proc/meminfo",
        "proc/vmstat",
        "proc/pressure/memory",
        "proc/pressure/cpu",
        "proc/sys/vm/swappiness",
        "sys/kernel/mm/lru_gen/enabled",
        "var/log/kern.log",
    ];
    let long = "=".repeat(100_000);
    for text in [
        "",
        "\u{0}\u{1b}[2J",
        "[x\n[]\n=\n-=\n-\n*=*\nkey",
        "Killed process 1 (",
        "oom-kill:constraint=,pid=,\nKilled process 9 ()) total-vm:, anon-rss:99999999999999999999kB",
        "some avg300=\nfull avg300=.",
        "MemTotal: 18446744073709551615 kB\nHugetlb: 18446744073709551615 kB\noom_kill 18446744073709551615",
        "{{{{ \"\"\" }}}} ;;; /* \"",
        "include=x\n[main]\ninclude=x,x,,/,..\n[sysctl]\n=\n",
        &long,
    ] {
        let tree: Vec<(&str, &str)> = FILES.iter().map(|file| (*file, text)).collect();
        for area in ["MEM", "SYSCTL", "TUNER", "CGROUP", "OOM"] {
            assert!(!look(&tree, area).is_empty(), "{area}");
        }
    }
}

/// What only a running host tells, in a mount namespace with a `/proc` of the test's own.
#[test]
fn on_a_running_host() {
    let Some(live) = Live::new() else { return };
    let t = &live.tree;
    t.put("root/checked.toml", PROFILE);
    t.put("proc/sys/vm/dirty_bytes", "268435456\n");
    t.put(
        "etc/sysctl.d/50-x.conf",
        "vm.swapiness = 10\n-vm.gone = 1\nnet.netfilter.nf_conntrack_max = 1\nvm.swap* = 1\n",
    );
    t.put("run/docker.sock", "");
    t.put("etc/sysctl.d/10-ptrace.conf", "# its module is not in every kernel\n");
    let process = |pid: u32, name: &str, pages: u64, group: &str, score: &str| {
        let zeros = "0 ".repeat(18);
        t.put(&format!("proc/{pid}/stat"), format!("{pid} ({name}) S 1 0 {zeros}{pages} 0 0\n"));
        t.put(&format!("proc/{pid}/statm"), format!("{pages} {pages} 1000 0 0 0 0\n"));
        t.put(&format!("proc/{pid}/cgroup"), format!("0::{group}\n"));
        t.put(&format!("proc/{pid}/oom_score_adj"), format!("{score}\n"));
    };
    process(10, "dockerd", 20_000, "/system.slice/docker.service", "0");
    process(11, "containerd", 10_000, "/system.slice/containerd.service", "-999");
    process(12, "llama-server", 1_500_000, "/system.slice/docker-ab.scope", "-500");
    process(13, "big (one)", 600_000, "/user.slice", "0");
    let doctor = || {
        let args =
            ["doctor", "--only", "SYSCTL,MEM,OOM", "--format", "json", "--profile", "/root/checked.toml"];
        let output = live.run(&args);
        let value: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
        let checks = value["checks"].as_array().unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let line = |c: &serde_json::Value| {
            let parts = ["id", "status", "subject", "actual", "reason", "fix"].map(|field| text(&c[field]));
            parts.join(" | ")
        };
        checks.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    let told = doctor();
    for wanted in [
        "CT-SYSCTL-001 | fail | vm.swappiness | 10 |",
        "CT-SYSCTL-001 | pass | vm.dirty_bytes | 268435456",
        "in /etc/sysctl.d/50-x.conf:1 write vm.swappiness, if that is meant; else remove it",
        "CT-MEM-011 | warn |  | they hold 2449 MiB of their own |",
        "CT-OOM-004 | warn | dockerd | 0 |",
        "CT-OOM-004 | pass | containerd | -999 |",
    ] {
        assert!(told.contains(wanted), "{wanted}\n{told}");
    }
    assert_eq!(told.matches("CT-SYSCTL-005").count(), 1, "{told}");
    process(13, "small", 300, "/user.slice", "0");
    process(10, "dockerd", 20_000, "/system.slice/docker.service", "-500");
    t.put("etc/sysctl.d/50-x.conf", "vm.swappiness = 60\n");
    t.put("proc/sys/vm/swappiness", "60\n");
    let told = doctor();
    for wanted in [
        "CT-SYSCTL-001 | pass | vm.swappiness | 60",
        "CT-SYSCTL-005 | pass",
        "CT-MEM-011 | pass |  | they hold 109 MiB of their own",
        "CT-OOM-004 | pass | dockerd | -500",
    ] {
        assert!(told.contains(wanted), "{wanted}\n{told}");
    }
}
