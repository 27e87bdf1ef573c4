//! A host of the test's own: a mount namespace and a chroot in which `/proc` and `/sys` are plain files and the host's
//! programs are small scripts that note their calls.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Output, Stdio};

use nix::unistd::geteuid;

use super::Tree;

pub const PROFILE: &str = r#"
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

pub struct Live {
    pub tree: Tree,
}

/// By another process: what this one has open for writing, a child of another test has open too until it starts its
/// program, and so long nobody can run it ("Text file busy").
fn copy(from: &str, to: &std::path::Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

impl Live {
    /// `None`, and a word on why, where there is no way to have a mount namespace.
    pub fn new() -> Option<Self> {
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
            copy(program, &to);
        }
        for folder in
            ["lib64", "usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/local/bin", "tmp", "dev"]
        {
            fs::create_dir_all(t.at(folder)).unwrap();
        }
        t.put("dev/null", "");
        copy(env!("CARGO_BIN_EXE_civicum-tune"), &t.at("usr/local/bin/civicum-tune"));
        Some(live)
    }

    /// The host on which the documentation's commands are carried out: what a fresh server has, and an image below /mnt.
    pub fn for_pages() -> Option<Self> {
        let live = Self::new()?;
        let t = &live.tree;
        // Enough swap is there, so that no real swap is turned on.
        t.put("proc/swaps", "Filename Type Size Used Priority\n/swap.img file 8388604 0 -2\n");
        t.put("proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
        t.put("sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
        let cloud = super::pages::top().join("tests/hosts/ubuntu-24.04-cloud");
        t.put("proc/cpuinfo", fs::read(cloud.join("tree/proc/cpuinfo")).unwrap());
        t.put("root/host.json", fs::read(cloud.join("expected/detect.json")).unwrap());
        for (path, text) in
            super::BASE.iter().filter(|(path, _)| !path.starts_with("proc") && !path.starts_with("sys/"))
        {
            t.put(&format!("mnt/image/{path}"), text);
        }
        Some(live)
    }

    pub fn script(&self, path: &str, text: &str) {
        self.tree.put(path, text);
        fs::set_permissions(self.tree.at(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn command(&self, args: &[&str]) -> Command {
        self.command_as("0:0", args)
    }

    /// The same for another user, given as numbers.
    pub fn command_as(&self, user: &str, args: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        let script = "set -e; t=$1; u=$2; shift 2\n\
            for d in /lib64 /usr/lib/x86_64-linux-gnu /usr/lib/aarch64-linux-gnu; do [ -d $d ] && [ -d \"$t$d\" ] && mount --bind $d \"$t$d\"; done\n\
            mount --bind /dev/null \"$t/dev/null\"\n\
            exec chroot --userspec=\"$u\" \"$t\" /usr/local/bin/civicum-tune \"$@\"";
        command.args(["--mount", "sh", "-c", script, "sh"]).arg(self.tree.path()).arg(user).args(args);
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("TERM", "dumb")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.run_in("C.UTF-8", args)
    }

    /// The same with another locale.
    pub fn run_in(&self, lang: &str, args: &[&str]) -> Output {
        loop {
            let output = self.command(args).env("LANG", lang).output().unwrap();
            // A script that was just written may still be open in a child that another test is about to start.
            if !String::from_utf8_lossy(&output.stderr).contains("Text file busy") {
                return output;
            }
        }
    }

    /// Runs it and expects this status; all it printed.
    pub fn expect(&self, status: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(status), "{args:?} said:\n{said}");
        said
    }

    /// What a boot makes of the files: another boot's number, and the kernel's command line as `grub.cfg` has it.
    pub fn reboot(&self) {
        let cfg = self.tree.text("boot/grub/grub.cfg");
        let line = cfg.lines().find_map(|line| line.trim().strip_prefix("linux /boot/vmlinuz ")).unwrap();
        self.tree.put("proc/cmdline", format!("BOOT_IMAGE=/boot/vmlinuz {line}\n"));
        self.tree.put("proc/sys/kernel/random/boot_id", "22222222-2222-2222-2222-222222222222\n");
    }

    pub fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn().unwrap()
    }

    pub fn value(&self, path: &str) -> String {
        self.tree.text(path).trim().to_owned()
    }

    /// The calls so far, and a clean sheet.
    pub fn calls(&self) -> Vec<String> {
        let calls = self.tree.text("calls").lines().map(str::to_owned).collect();
        self.tree.put("calls", "");
        calls
    }

    /// The tree without what the stand-ins and the lock leave behind.
    pub fn snapshot(&self) -> std::collections::BTreeMap<String, String> {
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
