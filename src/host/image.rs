//! A file as data: what was there before, what shall be there after.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What is at a path: everything that it takes to put it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Image {
    /// Nothing.
    Absent,
    /// A regular file.
    File {
        /// Its bytes.
        content: Content,
        /// Permission bits, as in `0o644`.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// Extended attributes (ACLs, capabilities, SELinux labels).
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        xattrs: BTreeMap<String, Content>,
    },
    /// A symbolic link.
    Link {
        /// Where it points, as stored.
        target: String,
    },
    /// A folder, a device, a socket: something that we never replace.
    Other {
        /// Its type in words.
        what: String,
    },
}

impl Image {
    /// A file of ours: with these bytes and permission bits, and owned by whoever runs this (root, but for a
    /// user who works on a tree of their own).
    pub fn file(bytes: impl Into<Vec<u8>>, mode: u32) -> Self {
        let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        Self::File { content: Content(bytes.into()), mode, uid, gid, xattrs: BTreeMap::new() }
    }

    /// The same file (mode, owner and attributes kept) with other bytes; what was not a file becomes root's with 0644.
    #[must_use]
    pub fn with_bytes(&self, bytes: impl Into<Vec<u8>>) -> Self {
        match self.clone() {
            Self::File { mode, uid, gid, xattrs, .. } => {
                Self::File { content: Content(bytes.into()), mode, uid, gid, xattrs }
            }
            _ => Self::file(bytes, 0o644),
        }
    }

    /// The bytes, where it is a file.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::File { content, .. } => Some(&content.0),
            _ => None,
        }
    }

    /// The bytes as text for people; empty where there is no file.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        self.bytes().map(String::from_utf8_lossy).unwrap_or_default()
    }

    /// Is this what was wanted? Attributes that a security module or an inherited ACL added by itself don't count.
    pub fn is_as(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::File { xattrs, .. }, Self::File { xattrs: wanted_xattrs, .. }) => {
                let all_there = wanted_xattrs.iter().all(|(name, value)| xattrs.get(name) == Some(value));
                all_there && self.without_xattrs() == wanted.without_xattrs()
            }
            _ => self == wanted,
        }
    }

    fn without_xattrs(&self) -> Option<(&Content, u32, u32, u32)> {
        match self {
            Self::File { content, mode, uid, gid, .. } => Some((content, *mode, *uid, *gid)),
            _ => None,
        }
    }

    /// Is there nothing?
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// Bytes that are written to JSON as text where they are UTF-8, else in hex.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Content(pub Vec<u8>);

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

#[derive(Serialize, Deserialize)]
struct Hex {
    hex: String,
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Ok(text) = std::str::from_utf8(&self.0) {
            return serializer.serialize_str(text);
        }
        let hex = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        Hex { hex }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(text.into_bytes())),
            other => {
                let Hex { hex } = serde_json::from_value(other).map_err(de::Error::custom)?;
                let digits = hex.as_bytes();
                let pair = |at: usize| {
                    let text = std::str::from_utf8(digits.get(at..at + 2)?).ok()?;
                    u8::from_str_radix(text, 16).ok()
                };
                (0..digits.len())
                    .step_by(2)
                    .map(|at| {
                        pair(at).ok_or_else(|| de::Error::custom("`hex` holds something that is not hex"))
                    })
                    .collect::<Result<_, _>>()
                    .map(Self)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_survives_json_whatever_its_bytes() {
        for bytes in [b"plain\n".to_vec(), vec![0, 255, 10, 128], Vec::new()] {
            let json = serde_json::to_string(&Content(bytes.clone())).unwrap();
            assert_eq!(serde_json::from_str::<Content>(&json).unwrap().0, bytes);
        }
        assert!(serde_json::from_str::<Content>(r#"{"hex":"0g"}"#).is_err());
        assert!(serde_json::from_str::<Content>(r#"{"hex":"012"}"#).is_err());
    }
}
