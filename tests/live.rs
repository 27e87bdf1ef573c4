//! The live path (kernel values, commands, locks, signals) on a host of the test's own: a mount namespace and a chroot
//! in which `/proc` and `/sys` are plain files and the host's programs are small scripts that note their calls. A real
//! kernel's answers are the virtual machine's part.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod trees;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use trees::{Tree, assert_same};

const PROFILE: &str = r#"
name = "live"
[zswap]
enabled = true
compressor = "lz4"
max_pool_percent = 25
[boot]
manage = true
[sysctl]
"vm.swappiness" = 61
"vm.page-cluster" = 0
"#;

/// Prints a configuration as grub-mkconfig does: from the defaults and the drop-ins, in order.
const MKCONFIG: &str = "#!/bin/sh\nset -e\necho grub-mkconfig >>/calls\n. /etc/default/grub\nfor f in /etc/default/grub.d/*.cfg; do . \"$f\"; done\n\
    echo \"menuentry 'Linux' {\"\necho \"  linux /boot/vmlinuz root=/dev/vda1 $GRUB_CMDLINE_LINUX_DEFAULT\"\necho '}'\n";

struct Live {
    tree: Tree,
}

impl Live {
    /// `None`, and a word on why, where there is no way to have a mount namespace.
    fn new() -> Option<Self> {
        if !geteuid().is_root() {
            eprintln!("skipped: a mount namespace of our own needs root");
            return None;
        }
        let tree = Tree::base();
        let live = Self { tree };
        let release = nix::sys::utsname::uname().unwrap().release().to_string_lossy().into_owned();
        let t = &live.tree;
        t.put(
            &format!("usr/lib/modules/{release}/modules.dep"),
            "kernel/crypto/lz4.ko: kernel/lib/lz4/lz4_compress.ko\nkernel/mm/zsmalloc.ko:\n",
        );
        t.put(&format!("boot/initrd.img-{release}"), "old");
        t.put("root/live.toml", PROFILE);
        t.put("calls", "");
        t.put("proc/swaps", "Filename Type Size Used Priority\n");
        t.put("proc/self/mountinfo", "22 1 254:1 / / rw - ext4 /dev/vda1 rw\n");
        t.put("proc/sys/kernel/random/boot_id", "11111111-1111-1111-1111-111111111111\n");
        t.put("proc/sys/vm/swappiness", "10\n");
        t.put("proc/sys/vm/page-cluster", "3\n");
        for (name, value) in
            [("enabled", "N\n"), ("compressor", "lzo\n"), ("max_pool_percent", "20\n"), ("zpool", "zbud\n")]
        {
            t.put(&format!("sys/module/zswap/parameters/{name}"), value);
        }
        live.script("usr/sbin/grub-mkconfig", MKCONFIG);
        live.script("usr/bin/grub-script-check", "#!/bin/sh\necho grub-script-check >>/calls\n");
        live.script("usr/sbin/update-initramfs", "#!/bin/sh\necho update-initramfs \"$@\" >>/calls\nfor i in /boot/initrd.img-*; do echo new >\"$i\"; done\n");
        live.script("usr/bin/systemctl", "#!/bin/sh\necho systemctl \"$@\" >>/calls\n");
        for program in ["/bin/sh", "/bin/sleep"] {
            let to = t.at(program);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(program, to).unwrap();
        }
        for folder in
            ["lib64", "usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/local/bin", "tmp", "dev"]
        {
            fs::create_dir_all(t.at(folder)).unwrap();
        }
        t.put("dev/null", "");
        fs::copy(env!("CARGO_BIN_EXE_civicum-tune"), t.at("usr/local/bin/civicum-tune")).unwrap();
        Some(live)
    }

    fn script(&self, path: &str, text: &str) {
        self.tree.put(path, text);
        fs::set_permissions(self.tree.at(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        let script = "set -e; t=$1; shift\n\
            for d in /lib64 /usr/lib/x86_64-linux-gnu /usr/lib/aarch64-linux-gnu; do [ -d $d ] && [ -d \"$t$d\" ] && mount --bind $d \"$t$d\"; done\n\
            mount --bind /dev/null \"$t/dev/null\"\n\
            exec chroot \"$t\" /usr/local/bin/civicum-tune \"$@\"";
        command.args(["--mount", "sh", "-c", script, "sh"]).arg(self.tree.path()).args(args);
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("TERM", "dumb")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs it and expects this status; all it printed.
    fn expect(&self, status: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(status), "{args:?} said:\n{said}");
        said
    }

    fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn().unwrap()
    }

    fn value(&self, path: &str) -> String {
        self.tree.text(path).trim().to_owned()
    }

    /// The calls so far, and a clean sheet.
    fn calls(&self) -> Vec<String> {
        let calls = self.tree.text("calls").lines().map(str::to_owned).collect();
        self.tree.put("calls", "");
        calls
    }

    /// The tree without what the stand-ins and the lock leave behind.
    fn snapshot(&self) -> std::collections::BTreeMap<String, String> {
        let mut all = self.tree.snapshot();
        all.retain(|path, _| path != "calls" && !path.starts_with("run") && !path.starts_with("boot/initrd"));
        // A plain file keeps what was written without a newline; the kernel's files do not.
        for (path, what) in &mut all {
            if path.starts_with("proc/") || path.starts_with("sys/") {
                *what = what.replace("\\n\"", "\"");
            }
        }
        all
    }
}

const APPLY: &[&str] = &["apply", "--yes", "--profile", "/root/live.toml"];

#[test]
fn applied_at_once_proved_and_taken_back() {
    let Some(live) = Live::new() else { return };
    let stock = live.snapshot();
    let said = live.expect(1, &["plan", "--profile", "/root/live.toml"]);
    assert!(said.contains("vm.swappiness") && said.contains("10 → 61"), "{said}");
    assert_same(&live.snapshot(), &stock, "a plan writes nothing");
    assert!(live.calls().is_empty(), "a plan runs nothing");

    live.expect(0, APPLY);
    assert_eq!(live.value("proc/sys/vm/swappiness"), "61");
    assert_eq!(live.value("sys/module/zswap/parameters/enabled"), "Y");
    assert_eq!(live.value("sys/module/zswap/parameters/compressor"), "lz4");
    let cfg = live.tree.text("boot/grub/grub.cfg");
    assert!(cfg.contains("console=ttyS0 zswap.enabled=1 zswap.compressor=lz4"), "{cfg}");
    assert!(live.tree.text("etc/initramfs-tools/modules").contains("lz4_compress\n"));
    assert_eq!(
        live.calls(),
        ["systemctl daemon-reload", "update-initramfs -u -k all", "grub-mkconfig", "grub-script-check"]
    );

    let said = live.expect(0, &["plan"]);
    assert!(said.contains("Nothing differs") && said.contains("waits for a reboot"), "{said}");
    live.expect(0, &["apply", "--yes"]);
    assert!(live.calls().is_empty(), "a second apply runs nothing");
    let history = live.expect(0, &["history"]);
    assert_eq!(history.lines().count(), 2, "{history}");

    live.expect(0, &["rollback", "--yes"]);
    assert_eq!(live.value("proc/sys/vm/swappiness"), "10");
    assert_eq!(live.value("sys/module/zswap/parameters/enabled"), "N");
    assert!(!live.tree.text("boot/grub/grub.cfg").contains("zswap"));
    assert_eq!(
        live.calls(),
        ["systemctl daemon-reload", "update-initramfs -u -k all", "grub-mkconfig", "grub-script-check"]
    );
    // grub.cfg was generated by a stand-in that knows nothing of the first one.
    let (mut before, mut after) = (stock, live.snapshot());
    before.remove("boot/grub/grub.cfg");
    after.remove("boot/grub/grub.cfg");
    assert_same(&after, &before, "taken back");
}

#[test]
fn a_command_that_fails_takes_everything_back() {
    let grub_without = "#!/bin/sh\necho 'linux /boot/vmlinuz quiet'\n";
    for (program, script, word) in [
        (
            "usr/sbin/update-initramfs",
            "#!/bin/sh\necho 'mkinitramfs: write error: No space left' >&2\nexit 1\n",
            "No space left",
        ),
        ("usr/sbin/grub-mkconfig", "#!/bin/sh\necho oh no >&2\nexit 3\n", "oh no"),
        ("usr/sbin/grub-mkconfig", grub_without, "boots no kernel with zswap.enabled=1"),
        ("usr/bin/grub-script-check", "#!/bin/sh\necho syntax error >&2\nexit 1\n", "syntax error"),
        ("usr/bin/systemctl", "#!/bin/sh\nexit 1\n", "daemon-reload"),
    ] {
        let Some(live) = Live::new() else { return };
        live.script(program, script);
        let stock = live.snapshot();
        let output = live.run(APPLY);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(word), "{program}: {said}");
        assert_same(&live.snapshot(), &stock, &format!("{program}: {said}"));
    }
}

#[test]
fn what_an_administrator_changed_since_is_kept_until_told_otherwise() {
    let Some(live) = Live::new() else { return };
    let file = "etc/sysctl.d/99-zz-civicum-tune.conf";
    live.expect(0, APPLY);
    live.tree.put(file, "vm.swappiness = 99\n");
    live.tree.put("proc/sys/vm/swappiness", "99\n");
    let said = live.expect(2, &["rollback", "--yes"]);
    assert!(
        said.contains("has another content now") && said.contains("`99` now") && said.contains("--keep"),
        "{said}"
    );
    assert_eq!(live.tree.text(file), "vm.swappiness = 99\n");
    assert!(!live.tree.at("etc/default/grub.d/zz-civicum-tune.cfg").exists(), "the rest is taken back");
    let said = live.expect(0, &["history"]);
    assert!(said.contains("rolled back but for 2"), "{said}");
    // Forced, the earlier state comes back and theirs is put aside.
    live.expect(0, &["rollback", "--yes", "--force"]);
    assert!(!live.tree.at(file).exists());
    assert_eq!(live.value("proc/sys/vm/swappiness"), "10");
    let aside = live.tree.at("var/lib/civicum-tune/generations/0001");
    let kept = fs::read_dir(aside)
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with("overwritten"));
    assert_eq!(kept.count(), 1);

    live.expect(0, APPLY);
    live.tree.put(file, "vm.swappiness = 98\n");
    live.expect(2, &["rollback", "--yes"]);
    live.expect(0, &["rollback", "--yes", "--keep"]);
    assert_eq!(live.tree.text(file), "vm.swappiness = 98\n");
    assert!(live.expect(0, &["rollback", "--yes"]).contains("nothing to take back"));
}

fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !ready() {
        assert!(Instant::now() < until, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn ctrl_c_ends_the_step_and_takes_everything_back_and_nobody_comes_between() {
    let Some(live) = Live::new() else { return };
    live.script("usr/sbin/update-initramfs", "#!/bin/sh\necho started >>/calls\nsleep 1\n");
    let stock = live.snapshot();
    let child = live.start(APPLY);
    wait_for("update-initramfs", || live.tree.text("calls").contains("started"));
    let said = live.expect(2, APPLY);
    assert!(said.contains("another civicum-tune (process"), "{said}");
    // The whole group hears Ctrl-C; the command that runs is in a group of its own.
    kill(Pid::from_raw(-i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("you interrupted it") && said.contains("the host is as it was"), "{said}");
    let (mut before, mut after) = (stock, live.snapshot());
    before.remove("boot/grub/grub.cfg");
    after.remove("boot/grub/grub.cfg");
    assert_same(&after, &before, "taken back");
}

#[test]
fn a_saved_plan_is_carried_out_exactly_or_not_at_all() {
    let Some(live) = Live::new() else { return };
    live.expect(1, &["plan", "--profile", "/root/live.toml", "--out", "/root/plan.json"]);
    let saved = live.tree.text("root/plan.json");

    live.tree.put("root/edited.json", saved.replace("\"after\": \"61\"", "\"after\": \"62\""));
    assert!(
        live.expect(2, &["apply", "--yes", "/root/edited.json"]).contains("changed after it was written")
    );
    live.tree.put("root/nonsense.json", "{}");
    assert!(live.expect(2, &["apply", "--yes", "/root/nonsense.json"]).contains("no plan of"));

    let fstab = live.tree.text("etc/initramfs-tools/modules");
    live.tree.put("etc/initramfs-tools/modules", "xfs\n");
    let said = live.expect(2, &["apply", "--yes", "/root/plan.json"]);
    assert!(said.contains("/etc/initramfs-tools/modules has another content"), "{said}");
    live.tree.put("etc/initramfs-tools/modules", fstab);
    live.tree.put("proc/sys/vm/swappiness", "30\n");
    assert!(
        live.expect(2, &["apply", "--yes", "/root/plan.json"]).contains("vm/swappiness has another content")
    );
    live.tree.put("proc/sys/vm/swappiness", "10\n");

    live.expect(0, &["apply", "--yes", "/root/plan.json"]);
    assert_eq!(live.value("proc/sys/vm/swappiness"), "61");
}

#[test]
fn hostile_files_of_the_host_are_told_and_harm_nothing() {
    let Some(live) = Live::new() else { return };
    let big = fs::File::create(live.tree.at("etc/sysctl.d/50-big.conf")).unwrap();
    big.set_len(100 << 20).unwrap();
    let fifo = live.tree.at("etc/sysctl.d/51-fifo.conf");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    live.tree.link("etc/sysctl.d/52-loop.conf", "52-loop.conf");
    live.tree.put("etc/sysctl.d/zz-last.conf", b"\xff\xfe\x00\r\nvm.swappiness = 1\x1b[2J");
    let start = Instant::now();
    let said = live.expect(1, &["plan", "--profile", "/root/live.toml"]);
    assert!(start.elapsed() < Duration::from_secs(2));
    for word in ["104857600 bytes", "a FIFO", "go in a circle", "zz-last.conf:2 sets vm.swappiness"] {
        assert!(
            said.replace('\n', " ").replace("  ", " ").contains(word) || said.contains(word),
            "{word}: {said}"
        );
    }
    assert!(!said.contains('\x1b'), "nothing of a file drives the terminal");
}

#[test]
fn nobody_to_ask_and_no_root() {
    let Some(live) = Live::new() else { return };
    let stock = live.snapshot();
    let said = live.expect(2, &["apply", "--profile", "/root/live.toml"]);
    assert!(said.contains("nobody to ask") && said.contains("--yes"), "{said}");
    assert_same(&live.snapshot(), &stock, "asking changes nothing");
    live.tree.put("proc/1/comm", "bash\n");
    let said = live.expect(2, APPLY);
    assert!(said.contains("process 1 is `bash`"), "{said}");
    live.tree.put("proc/1/comm", "systemd\n");
    live.tree.put("run/systemd/container", "lxc\n");
    let said = live.expect(2, APPLY);
    assert!(said.contains("this is a lxc container"), "{said}");
}
