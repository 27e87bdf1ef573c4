//! Host trees made for a test: built from a description, compared as a whole.
#![allow(dead_code, unreachable_pub, clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

pub mod live;
pub mod pages;
pub mod svg;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use civicum_tune::facts::Facts;
use civicum_tune::host::Host;
use civicum_tune::plan::{self, Plan};
use civicum_tune::profile::{Numbers, Profile, Settings};

/// What a small cloud server has, as far as civicum-tune looks.
pub const BASE: &[(&str, &str)] = &[
    (
        "etc/os-release",
        "ID=ubuntu\nVERSION_ID=\"24.04\"\nPRETTY_NAME=\"Ubuntu 24.04.1 LTS\"\nID_LIKE=debian\n",
    ),
    ("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
    ("etc/fstab", "LABEL=cloudimg-rootfs / ext4 discard,errors=remount-ro 0 1\n"),
    ("etc/default/grub", "GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet splash\"\n"),
    (
        "etc/default/grub.d/50-cloudimg-settings.cfg",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"console=tty1 console=ttyS0\"\n",
    ),
    ("etc/initramfs-tools/modules", "# List of modules that you want to include in your initramfs.\n"),
    ("etc/sysctl.d/10-ptrace.conf", "kernel.yama.ptrace_scope = 1\n"),
    (
        "boot/grub/grub.cfg",
        "menuentry 'Ubuntu' {\n\tlinux /boot/vmlinuz root=LABEL=cloudimg-rootfs ro console=ttyS0\n}\n",
    ),
    ("usr/sbin/grub-mkconfig", ""),
    ("usr/sbin/mkinitramfs", ""),
    ("usr/lib/systemd/systemd", ""),
    ("usr/lib/modules/6.8.0-45-generic/modules.builtin", "kernel/mm/zbud.ko\nkernel/crypto/lzo.ko\n"),
    (
        "usr/lib/modules/6.8.0-45-generic/modules.dep",
        "kernel/crypto/lz4.ko.zst: kernel/lib/lz4/lz4_compress.ko.zst\nkernel/mm/z3fold.ko.zst:\nkernel/mm/zsmalloc.ko.zst:\n",
    ),
    ("boot/config-6.8.0-45-generic", "CONFIG_ZSWAP=y\nCONFIG_PSI=y\n"),
    ("proc/sys/kernel/osrelease", "6.8.0-45-generic\n"),
    (
        "proc/meminfo",
        "MemTotal:       12247040 kB\nMemFree:         8000000 kB\nMemAvailable:   10000000 kB\nBuffers: 0 kB\nCached: 0 kB\nSwapCached: 0 kB\nActive: 0 kB\nInactive: 0 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\nDirty: 0 kB\nWriteback: 0 kB\nMapped: 0 kB\nSlab: 0 kB\nCommitted_AS: 0 kB\nVmallocTotal: 0 kB\nVmallocUsed: 0 kB\nVmallocChunk: 0 kB\n",
    ),
    ("proc/1/comm", "systemd\n"),
    ("sys/module/zswap/parameters/enabled", "N\n"),
];

/// A tree below the target folder, removed when dropped.
pub struct Tree {
    folder: tempfile::TempDir,
}

impl Tree {
    pub fn base() -> Self {
        let tree = Self::empty();
        for (path, text) in BASE {
            tree.put(path, text.as_bytes());
        }
        tree.link("lib", "usr/lib");
        tree
    }

    pub fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("tree").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.path().join(path.trim_start_matches('/'))
    }

    pub fn put(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let target = self.at(path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, bytes).unwrap();
    }

    pub fn link(&self, path: &str, target: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        symlink(target, self.at(path)).unwrap();
    }

    pub fn text(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    pub fn host(&self) -> Host {
        Host::at(self.path()).unwrap()
    }

    /// Everything in the tree but what civicum-tune keeps for itself: kind, mode, owner, content.
    pub fn snapshot(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        walk(self.path(), self.path(), &mut found);
        found
    }
}

/// Two trees are the same; what differs is told, and told briefly.
#[track_caller]
pub fn assert_same(now: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>, what: &str) {
    let cut = |text: Option<&String>| text.map(|t| t.chars().take(300).collect::<String>());
    let paths: std::collections::BTreeSet<_> = now.keys().chain(wanted.keys()).collect();
    let differing: Vec<_> = paths
        .into_iter()
        .filter(|path| now.get(*path) != wanted.get(*path))
        .map(|path| format!("{path}: {:?}, should be {:?}", cut(now.get(path)), cut(wanted.get(path))))
        .collect();
    assert!(differing.is_empty(), "{what}\n{}", differing.join("\n"));
}

fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        if name == "var/lib/civicum-tune" {
            continue;
        }
        let meta = fs::symlink_metadata(&path).unwrap();
        let owner = format!("{:o} {}:{}", meta.permissions().mode(), meta.uid(), meta.gid());
        let what = if meta.is_symlink() {
            format!("link {}", fs::read_link(&path).unwrap().display())
        } else if meta.is_dir() {
            walk(root, &path, found);
            // A state folder's parents may stay behind; they hold nothing.
            if name == "var" || name == "var/lib" {
                continue;
            }
            format!("folder {owner}")
        } else if !meta.is_file() {
            format!("other {owner}")
        } else if meta.len() > 1 << 20 {
            format!("{owner} {} bytes", meta.len())
        } else {
            format!("{owner} {:?}", String::from_utf8_lossy(&fs::read(&path).unwrap()))
        };
        found.insert(name, what);
    }
}

pub const SMALL_PROFILE: &str = r#"
name = "small"
[zswap]
enabled = true
compressor = "lz4"
max_pool_percent = 20
[swap]
size = "1MiB"
path = "/swapfile"
[boot]
manage = true
[mglru]
min_ttl = "1000ms"
[sysctl]
"vm.swappiness" = 60
"vm.page-cluster" = 0
"#;

pub fn settings(text: &str) -> Settings {
    let profile = Profile::parse(text, "test.toml").unwrap_or_else(|f| panic!("{f:?}"));
    let numbers = Numbers { ram_bytes: 12 << 30, cores: 4, disk_bytes: 100 << 30 };
    profile.settle(&numbers).unwrap_or_else(|f| panic!("{f:?}"))
}

pub fn plan(host: &Host, settings: &Settings) -> Plan {
    plan::build(settings, &Facts::read(host).unwrap(), host, Some("extends = \"minimal\"\n")).unwrap()
}
