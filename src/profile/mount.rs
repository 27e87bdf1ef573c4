//! What `[services.*]` says of a container's user, volumes and folders in memory: three small grammars.

use serde::{Deserialize, Serialize};

use super::finding::is_harmful;
use crate::t;
use crate::units::Bytes;

/// What rules the host, or lets a container rule it.
const FORBIDDEN: [&str; 11] = [
    "/etc",
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/var/run",
    "/boot",
    "/root",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/civicum-tune",
];

/// A user and its group in numbers, from `UID:GID`.
pub fn user(text: &str) -> Option<(u32, u32)> {
    let number = |text: &str| {
        let plain = (1..=7).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if plain { text.parse().ok() } else { None }
    };
    let (uid, gid) = text.split_once(':')?;
    Some((number(uid)?, number(gid)?))
}

/// A volume of the engine or a folder of the host, and where the container sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// A volume's name, or a folder's absolute path.
    pub source: String,
    /// Where the container sees it.
    pub target: String,
    /// It is only read.
    pub read_only: bool,
}

impl Volume {
    /// Reads `SOURCE:TARGET` or `SOURCE:TARGET:ro`. The error is what is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let (source, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let read_only = match (parts.next(), parts.next()) {
            (None, _) => false,
            (Some("ro"), None) => true,
            _ => return Err(t!("`{text}` has something else than `ro` behind its path", text = text)),
        };
        let name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        let is_name = source.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && source.len() <= 63
            && source.chars().all(name);
        if !is_name && !is_tidy(source) {
            return Err(t!("`{source}` is neither a volume's name nor an absolute path", source = source));
        }
        let below = |folder: &&&str| source == **folder || source.starts_with(&format!("{folder}/"));
        if ["/", "/var", "/var/lib", "/usr", "/home"].contains(&source) {
            return Err(t!("{folder} as a whole is no business of a container", folder = source));
        }
        if let Some(folder) = FORBIDDEN.iter().find(below) {
            return Err(t!("{folder} is no business of a container", folder = folder));
        }
        if !is_tidy(target) || target == "/" {
            return Err(t!("`{target}` is no absolute path in a container", target = target));
        }
        Ok(Self { source: source.to_owned(), target: target.to_owned(), read_only })
    }

    /// Is it a volume of the engine, and not a folder of the host?
    pub fn is_named(&self) -> bool {
        !self.source.starts_with('/')
    }
}

/// A folder in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tmpfs {
    /// Where.
    pub target: String,
    /// The most that it holds, bytes.
    pub size: Bytes,
}

impl Tmpfs {
    /// The size where none is written.
    pub const DEFAULT: Bytes = Bytes(64 << 20);

    /// Reads `PATH` or `PATH:SIZE`. The error is what is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (target, size) = match text.split_once(':') {
            Some((target, size)) => (target, size.parse::<Bytes>().map_err(|error| error.to_string())?),
            None => (text, Self::DEFAULT),
        };
        if !is_tidy(target) || target == "/" {
            return Err(t!("`{target}` is no absolute path in a container", target = target));
        }
        if size.0 == 0 {
            return Err(t!("`{text}` has no room for anything", text = text));
        }
        Ok(Self { target: target.to_owned(), size })
    }
}

/// An absolute path in its shortest form.
fn is_tidy(path: &str) -> bool {
    path.len() <= 255
        && path.strip_prefix('/').is_some_and(|inside| {
            inside.is_empty()
                || inside.split('/').all(|part| {
                    !part.is_empty()
                        && part != "."
                        && part != ".."
                        && !part.chars().any(|c| c == ',' || is_harmful(c))
                })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users() {
        assert_eq!(user("999:999"), Some((999, 999)));
        for text in ["", "999", "postgres", "999:", ":999", "-1:0", "999:999:1", "12345678:1", " 1:1"] {
            assert_eq!(user(text), None, "{text}");
        }
    }

    #[test]
    fn volumes() {
        let read = |text: &str| Volume::parse(text).map(|v| (v.source, v.target, v.read_only));
        assert_eq!(read("data:/var/lib/x"), Ok(("data".to_owned(), "/var/lib/x".to_owned(), false)));
        assert_eq!(read("/srv/m:/models:ro"), Ok(("/srv/m".to_owned(), "/models".to_owned(), true)));
        assert!(Volume::parse("data:/x").is_ok_and(|v| v.is_named()));
        for text in [
            "",
            ":",
            "data",
            "data:",
            "data:x",
            "Data:/x",
            "data:/",
            "data:/x:rw",
            "data:/x:ro:ro",
            "../x:/x",
            "/:/host",
            "/etc:/e",
            "/etc/shadow:/s",
            "/run/docker.sock:/s",
            "/var/lib/docker:/d",
            "/srv/../etc:/e",
            "/srv//x:/x",
            "data:/x/../y",
            "-x:/y",
            "/srv/a,b:/x",
            "data:/x\n",
        ] {
            assert!(Volume::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn folders_in_memory() {
        let read = |text: &str| Tmpfs::parse(text).map(|t| (t.target, t.size));
        assert_eq!(read("/tmp"), Ok(("/tmp".to_owned(), Bytes::mib(64))));
        assert_eq!(read("/tmp:1GiB"), Ok(("/tmp".to_owned(), Bytes::mib(1024))));
        for text in ["", "tmp", "/", "/tmp:", "/tmp:0", "/tmp:x", "/tmp:1MiB,exec", "/a/../b"] {
            assert!(Tmpfs::parse(text).is_err(), "{text}");
        }
    }
}
