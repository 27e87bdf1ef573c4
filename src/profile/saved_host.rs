//! A host as `civicum-tune detect --format json` told it, so that a profile can be checked for a host elsewhere.
//!
//! Fields of that document are only ever added, so unknown ones are passed over, and those that are missing are not told.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::finding::printable;
use super::kernels::Version;
use super::numbers::Numbers;
use crate::t;
use crate::units::MIB;

/// The largest document. A real one has a few KiB.
pub const MAX_SIZE: usize = 4 << 20;
/// The only schema that is understood.
const SCHEMA: &str = "civicum-tune/detect/1";

/// What is not told is null, and as good as missing.
fn or_default<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<T, D::Error> {
    Option::deserialize(value).map(Option::unwrap_or_default)
}

/// What is read of the document.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SavedHost {
    os: Os,
    kernel: Kernel,
    cpu: Cpu,
    memory: Memory,
    #[serde(deserialize_with = "or_default")]
    swap: Vec<Swap>,
    zswap: Zswap,
    mounts: Vec<Mount>,
    file_systems: Vec<FileSystem>,
    disks: Vec<Disk>,
    virtualization: Virtualization,
    /// `v1`, `v2`, `hybrid` or `unknown`.
    pub(super) cgroup: String,
    init: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Os {
    #[serde(deserialize_with = "or_default")]
    name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Kernel {
    #[serde(deserialize_with = "or_default")]
    release: String,
    #[serde(deserialize_with = "or_default")]
    version: Version,
    has_zswap: Option<bool>,
    modules: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Cpu {
    #[serde(deserialize_with = "or_default")]
    threads: u64,
    #[serde(deserialize_with = "or_default")]
    avx512_usable: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Memory {
    #[serde(deserialize_with = "or_default")]
    total_bytes: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Swap {
    path: String,
    kind: String,
    size_bytes: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Zswap {
    #[serde(deserialize_with = "or_default")]
    available: bool,
    compressor: Option<String>,
    zpool: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Mount {
    target: String,
    fstype: String,
    read_only: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct FileSystem {
    target: String,
    total_bytes: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Disk {
    size_bytes: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Virtualization {
    container: Option<String>,
}

impl SavedHost {
    /// Reads the document. The error says what is wrong with it, where, and what to do, each on a line.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let again = t!("make it on that host: civicum-tune detect --format json >host.json");
        if bytes.len() > MAX_SIZE {
            let message = t!(
                "it has {size} bytes, and what `detect` says of a host has at most {most}",
                size = bytes.len(),
                most = MAX_SIZE
            );
            return Err(format!("{message}\n  {again}"));
        }
        let schema: Schema = serde_json::from_slice(bytes).map_err(|error| {
            // The parser's own words are English, and tell nobody what the file should be.
            let message = if error.is_data() {
                t!("it has no `schema`, and a host's is `{wanted}`", wanted = SCHEMA)
            } else {
                t!(
                    "it can't be read as JSON (line {line}, column {column}): it has to be what `detect --format json` printed",
                    line = error.line(),
                    column = error.column()
                )
            };
            format!("{message}\n  {again}")
        })?;
        if schema.schema.as_deref() != Some(SCHEMA) {
            let message = match schema.schema {
                Some(other) => {
                    t!(
                        "its `schema` is `{other}`, and a host's is `{wanted}`",
                        other = printable(&other),
                        wanted = SCHEMA
                    )
                }
                None => t!("it has no `schema`, and a host's is `{wanted}`", wanted = SCHEMA),
            };
            return Err(format!("{message}\n  {again}"));
        }
        let host: Self = serde_json::from_slice(bytes).map_err(|error| {
            let message =
                t!("a value is not as `detect` writes it: {error}", error = printable(&error.to_string()));
            format!("{message}\n  {again}")
        })?;
        if host.memory.total_bytes < MIB {
            let message =
                t!("`memory.total_bytes` is missing or 0: it does not tell how much memory the host has");
            let why = t!(
                "a tree without /proc does not know it; run `detect` on the host itself, or write the number in"
            );
            return Err(format!("{message}\n  {why}"));
        }
        Ok(host)
    }

    /// What sizing rules may speak of, and whether the disk's size is a guess. `swap_path` is where the swap file is to be.
    pub(super) fn numbers(&self, swap_path: &str) -> (Numbers, bool) {
        let told = self.file_system(swap_path).filter(|bytes| *bytes > 0).or(match self.disks.as_slice() {
            [only] if only.size_bytes > 0 => Some(only.size_bytes),
            _ => None,
        });
        let nominal = Numbers::nominal(0);
        let numbers = Numbers {
            ram_bytes: self.memory.total_bytes,
            cores: self.cpu.threads,
            disk_bytes: told.unwrap_or(nominal.disk_bytes),
        };
        (numbers, told.is_none())
    }

    fn file_system(&self, path: &str) -> Option<u64> {
        let above = self.file_systems.iter().filter(|fs| lies_in(path, &fs.target));
        above.max_by_key(|fs| fs.target.len()).map(|fs| fs.total_bytes)
    }

    /// The type of the file system at a path, where it is mounted, and whether it is mounted read-only.
    pub(super) fn mount(&self, path: &str) -> Option<(&str, &str, bool)> {
        let above = self.mounts.iter().filter(|mount| lies_in(path, &mount.target));
        above
            .max_by_key(|mount| mount.target.len())
            .map(|mount| (mount.fstype.as_str(), mount.target.as_str(), mount.read_only))
    }

    /// The host in one line, as it stands above a table.
    pub fn line(&self) -> String {
        let mut parts = Vec::new();
        if !self.os.name.is_empty() {
            parts.push(self.os.name.clone());
        }
        if !self.kernel.release.is_empty() {
            parts.push(format!("Linux {}", self.kernel.release));
        }
        if let Some(container) = &self.virtualization.container {
            parts.push(t!("{container} container", container = container));
        }
        parts.push(match self.cpu.threads {
            0 => t!("number of CPUs not told"),
            1 => t!("1 CPU"),
            threads => t!("{threads} CPUs", threads = threads),
        });
        if self.cpu.avx512_usable {
            parts.push("AVX-512".to_owned());
        }
        printable(&parts.join(", "))
    }

    /// The kind of container that the host is, where it is one.
    pub(super) fn container(&self) -> Option<String> {
        self.virtualization.container.as_deref().map(printable)
    }

    /// Swap that is in use on disks.
    pub(super) fn disk_swap(&self) -> u64 {
        let on_disk = |swap: &&Swap| swap.kind != "zram" && !swap.path.starts_with("/dev/zram");
        self.swap.iter().filter(on_disk).fold(0, |sum, swap| sum.saturating_add(swap.size_bytes))
    }

    /// The kernel's release; empty where it is not told.
    pub(super) fn release(&self) -> String {
        printable(&self.kernel.release)
    }

    /// The kernel's numbers, where they are told.
    pub(super) fn version(&self) -> Option<Version> {
        (self.kernel.version != (0, 0)).then_some(self.kernel.version)
    }

    /// Whether the kernel has zswap, where it is told.
    pub(super) fn has_zswap(&self) -> Option<bool> {
        if self.zswap.available { Some(true) } else { self.kernel.has_zswap }
    }

    /// Whether the kernel has a module, where it is told; what runs already is there.
    pub(super) fn has_module(&self, name: &str) -> Option<bool> {
        if [&self.zswap.compressor, &self.zswap.zpool].into_iter().flatten().any(|running| running == name) {
            return Some(true);
        }
        Some(self.kernel.modules.get(name)? != "absent")
    }

    /// Whether systemd runs the host, where it is told.
    pub(super) fn has_systemd(&self) -> Option<bool> {
        self.init.as_deref().filter(|init| !init.is_empty()).map(|init| init == "systemd")
    }
}

#[derive(Deserialize)]
struct Schema {
    schema: Option<String>,
}

fn lies_in(path: &str, folder: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `detect` says of an image, with the memory written in by hand.
    #[test]
    fn what_is_null_is_not_told() {
        let text = r#"{"schema":"civicum-tune/detect/1","os":{"name":null},"kernel":{"release":null,"version":null},
            "cpu":{"threads":null,"avx512_usable":null},"memory":{"total_bytes":12540968960},"swap":null,
            "zswap":{"available":null}}"#;
        let host = SavedHost::parse(text.as_bytes()).unwrap();
        assert_eq!(host.line(), "number of CPUs not told");
        assert_eq!((host.release().as_str(), host.version(), host.disk_swap()), ("", None, 0));
        assert_eq!(host.has_zswap(), None);
        let error = SavedHost::parse(&text.replace("12540968960", "null").into_bytes()).unwrap_err();
        assert!(error.starts_with("`memory.total_bytes` is missing or 0"), "{error}");
    }

    const LEAST: &str = r#"{"schema":"civicum-tune/detect/1","memory":{"total_bytes":12540968960}"#;

    #[test]
    fn what_is_missing_is_not_told_and_what_is_new_is_passed_over() {
        let host =
            SavedHost::parse(format!("{LEAST},\"new\":[{{}}],\"cgroup\":\"v3\"}}").as_bytes()).unwrap();
        assert_eq!(host.numbers("/x").0.ram_bytes, 12_540_968_960);
        assert_eq!((host.numbers("/x").0.cores, host.numbers("/x").1), (0, true));
        assert_eq!(
            (host.version(), host.has_zswap(), host.has_module("lz4"), host.has_systemd()),
            (None, None, None, None)
        );
        assert_eq!(host.line(), "number of CPUs not told");
    }

    #[test]
    fn the_disk_is_the_file_system_of_the_swap_file() {
        let host = |more: &str| SavedHost::parse(format!("{LEAST},{more}}}").as_bytes()).unwrap();
        let both = host(
            r#""file_systems":[{"target":"/","total_bytes":50},{"target":"/var","total_bytes":70}],"disks":[{"size_bytes":9}]"#,
        );
        let size = |host: &SavedHost, path: &str| host.numbers(path).0.disk_bytes;
        assert_eq!([size(&both, "/x"), size(&both, "/var/x"), size(&both, "/variety/x")], [50, 70, 50]);
        assert_eq!(size(&host(r#""disks":[{"size_bytes":9}]"#), "/x"), 9);
        let two = host(r#""disks":[{"size_bytes":9},{"size_bytes":8}]"#);
        assert!(two.numbers("/x").1);
    }

    #[test]
    fn bad_documents_say_what_and_where() {
        for (text, words) in [
            ("", "it can't be read as JSON (line 1, column 0)"),
            ("\u{0}", "it can't be read as JSON (line 1, column 1)"),
            ("[]", "it has no `schema`"),
            ("{}", "it has no `schema`"),
            (r#"{"schema":"civicum-tune/plan/1"}"#, "its `schema` is `civicum-tune/plan/1`"),
            (r#"{"schema":7}"#, "it has no `schema`"),
            (r#"{"schema":"civicum-tune/detect/1"}"#, "`memory.total_bytes` is missing or 0"),
            (
                "{\"schema\":\"civicum-tune/detect/1\",\n\"memory\":{\"total_bytes\":-1}}",
                "a value is not as `detect` writes it: invalid value: integer `-1`, expected u64 at line 2",
            ),
            (
                r#"{"schema":"civicum-tune/detect/1","kernel":{"version":"6.8"}}"#,
                "a value is not as `detect` writes it",
            ),
            ("{\"schema\":\"a\u{1b}[2J\"}", "it can't be read as JSON (line 1, column"),
        ] {
            let error = SavedHost::parse(text.as_bytes()).unwrap_err();
            assert!(error.starts_with(words), "{text}: {error}");
            assert_eq!(error.lines().count(), 2, "{error}");
        }
        let deep = format!("{LEAST},\"x\":{}", "[".repeat(1_000_000));
        assert!(SavedHost::parse(deep.as_bytes()).is_err());
        assert!(SavedHost::parse(&vec![b' '; MAX_SIZE + 1]).is_err());
        assert!(SavedHost::parse(b"\xff").is_err());
    }
}
