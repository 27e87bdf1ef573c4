//! The kernel, and what its build can do.

use std::collections::BTreeMap;

use super::{Kernel, ModuleKind};
use crate::host::Host;

/// The modules that decide what zswap can do.
const MODULES: [&str; 11] =
    ["lz4", "lz4hc", "zstd", "lzo", "lzo-rle", "deflate", "842", "z3fold", "zbud", "zsmalloc", "zram"];

/// Where modules lie; on today's systems the first is a link to the second.
const MODULE_FOLDERS: [&str; 2] = ["/lib/modules", "/usr/lib/modules"];

/// The build options that decide the same.
const OPTIONS: [&str; 13] = [
    "CONFIG_ZSWAP",
    "CONFIG_ZSWAP_DEFAULT_ON",
    "CONFIG_Z3FOLD",
    "CONFIG_ZBUD",
    "CONFIG_ZSMALLOC",
    "CONFIG_CRYPTO_LZ4",
    "CONFIG_CRYPTO_LZ4HC",
    "CONFIG_CRYPTO_LZO",
    "CONFIG_CRYPTO_ZSTD",
    "CONFIG_CRYPTO_DEFLATE",
    "CONFIG_PSI",
    "CONFIG_PSI_DEFAULT_DISABLED",
    "CONFIG_LRU_GEN",
];

/// Major and minor number of a release such as `6.8.0-45-generic`.
pub(super) fn parse_version(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// The options that we ask about, as `/boot/config-RELEASE` has them. What it says is not set is `n`.
pub(super) fn parse_config(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let line = line.trim();
        let (key, value) = match line.strip_prefix("# ").and_then(|rest| rest.strip_suffix(" is not set")) {
            Some(key) => (key, "n"),
            None => match line.split_once('=') {
                Some(pair) => pair,
                None => continue,
            },
        };
        if OPTIONS.contains(&key) {
            found.insert(key.to_owned(), value.to_owned());
        }
    }
    found
}

/// Is there a module of this name in a list of module paths (`modules.dep` or `modules.builtin`)? A dash and an
/// underscore are the same; the file may be compressed.
pub(super) fn lists(list: &str, module: &str) -> bool {
    let wanted = module.replace('-', "_");
    // One search over a megabyte instead of a split of each of its lines.
    [wanted.clone(), module.to_owned()].iter().any(|name| {
        let needle = format!("/{name}.ko");
        list.match_indices(&needle).any(|(at, _)| {
            let line = list[..at].rfind('\n').map_or(0, |newline| newline + 1);
            let rest = &list[at + needle.len()..];
            !list[line..at].contains(':') && rest.starts_with([':', '.', '\n', '\r'])
                || rest.is_empty() && !list[line..at].contains(':')
        })
    })
}

pub(super) fn read(host: &Host) -> Kernel {
    let release = host
        .running_kernel()
        .or_else(|| host.value("/proc/sys/kernel/osrelease"))
        .or_else(|| MODULE_FOLDERS.iter().find_map(|folder| newest(&host.list(folder).unwrap_or_default())))
        .unwrap_or_default();
    let folders = MODULE_FOLDERS.map(|folder| format!("{folder}/{release}"));
    let folder = folders.iter().find(|folder| host.exists(folder)).unwrap_or(&folders[0]);
    let mut modules = BTreeMap::new();
    let builtin = host.read_text(&format!("{folder}/modules.builtin")).ok().flatten();
    let loadable = host.read_text(&format!("{folder}/modules.dep")).ok().flatten();
    if builtin.is_some() || loadable.is_some() {
        let (builtin, loadable) = (builtin.unwrap_or_default(), loadable.unwrap_or_default());
        for module in MODULES {
            let kind = if lists(&builtin, module) {
                ModuleKind::Builtin
            } else if lists(&loadable, module) {
                ModuleKind::Loadable
            } else {
                ModuleKind::Absent
            };
            modules.insert(module.to_owned(), kind);
        }
    }
    // Debian's kernels from 7 on have it beside their modules.
    let places = [format!("/boot/config-{release}"), format!("{folder}/config")];
    let config = places.iter().find_map(|path| host.read_text(path).ok().flatten());
    let config = config.map(|text| parse_config(&text)).unwrap_or_default();
    let has_zswap = if host.exists("/sys/module/zswap") {
        Some(true)
    } else if let Some(option) = config.get("CONFIG_ZSWAP") {
        Some(option == "y")
    } else {
        host.is_live().then_some(false)
    };
    Kernel { version: parse_version(&release), release, has_zswap, modules, config }
}

/// The newest of several releases, numbers compared as numbers.
fn newest(releases: &[String]) -> Option<String> {
    releases.iter().max_by_key(|release| numbers(release)).cloned()
}

/// The numbers of a release, in order: what makes one newer than another.
pub fn numbers(release: &str) -> Vec<u64> {
    release.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect()
}

/// What kind of kernel a release is: `generic` of `6.8.0-45-generic`, `cloud-amd64` of `6.1.0-26-cloud-amd64`.
pub fn flavour(release: &str) -> String {
    let is_word = |part: &&str| part.starts_with(|c: char| c.is_ascii_alphabetic());
    release.split('-').skip(1).filter(is_word).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(parse_version("6.8.0-45-generic"), (6, 8));
        assert_eq!(parse_version("7.3.4+deb14-amd64"), (7, 3));
        assert_eq!(parse_version(""), (0, 0));
        assert_eq!(flavour("6.8.0-45-generic"), "generic");
        assert_eq!(flavour("6.1.0-26-cloud-amd64"), "cloud-amd64");
        assert_eq!(flavour("6.12.41+deb13-amd64"), "amd64");
        assert_eq!((flavour("6.18.44"), flavour("")), (String::new(), String::new()));
        let list = ["6.1.0-9-amd64", "6.1.0-10-amd64"].map(str::to_owned);
        assert_eq!(newest(&list).as_deref(), Some("6.1.0-10-amd64"));
    }

    #[test]
    fn modules_are_found_by_their_own_line_only() {
        let dep = "kernel/crypto/lz4.ko.zst: kernel/lib/lz4/lz4_compress.ko.zst\nkernel/crypto/lzo-rle.ko:\nkernel/mm/z3fold.ko.xz:\n";
        for name in ["lz4", "lzo-rle", "z3fold"] {
            assert!(lists(dep, name), "{name}");
        }
        for name in ["lz4_compress", "lzo", "fold", "zsmalloc"] {
            assert!(!lists(dep, name), "{name}");
        }
        assert!(lists("kernel/crypto/lzo_rle.ko\nkernel/mm/zsmalloc.ko", "zsmalloc"));
    }

    #[test]
    fn config_lines() {
        let config =
            parse_config("CONFIG_ZSWAP=y\n# CONFIG_Z3FOLD is not set\nCONFIG_OTHER=y\nCONFIG_ZSMALLOC=m\r\n");
        assert_eq!(config.len(), 3);
        assert_eq!((config["CONFIG_Z3FOLD"].as_str(), config["CONFIG_ZSMALLOC"].as_str()), ("n", "m"));
    }
}
