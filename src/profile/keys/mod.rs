//! Every key of the profile format, once. Decoding, unknown-key detection, provenance, the JSON Schema and the
//! reference in the documentation all come from this table.

mod deployment;
mod host;
mod service;
mod work;

pub use super::lookup::{Lookup, lookup, name_shape, rank, siblings};
use super::rule::Var;
use super::shape::Shape;

/// One key of the format.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its path; `*` stands for a name of the user's choice.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it is, in one line.
    pub doc: &'static str,
    /// What holds without it, in words.
    pub default: &'static str,
    /// The unit, or nothing.
    pub unit: &'static str,
    /// A value as it is written in TOML.
    pub example: &'static str,
}

/// The type of a key's value, with its limits.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number within limits, both included.
    Integer {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// A sizing rule that gives bytes.
    Size {
        /// The least result, in MiB; 0 allows nothing at all.
        min_mib: u64,
        /// What the rule may speak of.
        vars: &'static [Var],
    },
    /// A number or a rule that gives one.
    Count {
        /// The least result.
        min: f64,
        /// The most.
        max: f64,
    },
    /// A span of time with its unit.
    Duration {
        /// The least, in ms.
        min_ms: u64,
        /// The most, in ms.
        max_ms: u64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A text.
    Text(Shape),
    /// A list of texts.
    List(Shape),
    /// `"auto"`, a name, or names in order of preference.
    Preference(Shape),
    /// A text, a whole number or a truth value, kept as text.
    Scalar(Shape),
    /// A sysctl's value; see [`super::sysctl`].
    Sysctl,
    /// A day, as `2027-03-31`.
    Date,
}

impl Kind {
    /// Does it give bytes?
    pub const fn is_size(self) -> bool {
        matches!(self, Self::Size { .. })
    }
}

/// The kernel's zswap compressors (crypto API names), for suggestions: a kernel may have others.
pub const COMPRESSORS: [&str; 7] = ["lz4", "zstd", "lzo", "lzo-rle", "lz4hc", "deflate", "842"];
/// The allocators of all kernels so far, in the same spirit.
pub const ZPOOLS: [&str; 4] = ["auto", "z3fold", "zsmalloc", "zbud"];

const OF_HOST: &[Var] = &[Var::Ram, Var::Cores, Var::Disk];
const OF_SERVICE: &[Var] = &[Var::Ram, Var::Cores, Var::Disk, Var::Memory];

const fn key(
    path: &'static str,
    kind: Kind,
    unit: &'static str,
    default: &'static str,
    example: &'static str,
    doc: &'static str,
) -> Key {
    Key { path, kind, doc, default, unit, example }
}

/// The whole format by its parts, in the order in which it is shown.
const PARTS: [&[Key]; 4] = [&host::HOST, &service::SERVICE, &work::WORK, &deployment::DEPLOYMENT];

const fn count() -> usize {
    let (mut count, mut part) = (0, 0);
    while part < PARTS.len() {
        count += PARTS[part].len();
        part += 1;
    }
    count
}

/// The whole format, in the order in which it is shown.
pub const KEYS: [Key; count()] = {
    let mut all = [host::HOST[0]; count()];
    let (mut at, mut part) = (0, 0);
    while part < PARTS.len() {
        let mut key = 0;
        while key < PARTS[part].len() {
            all[at] = PARTS[part][key];
            at += 1;
            key += 1;
        }
        part += 1;
    }
    all
};

/// The shapes of names that the user chooses, by the path that they end.
pub const NAMES: [(&str, Shape); 5] = [
    ("services.*", Shape::ServiceName),
    ("services.*.settings.*", Shape::SettingName),
    ("services.*.environment.*", Shape::EnvironmentName),
    ("sysctl.*", Shape::SysctlKey),
    ("waivers.*", Shape::CheckId),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_everything_about_every_key() {
        for (i, key) in KEYS.iter().enumerate() {
            assert!(!KEYS[..i].iter().any(|k| k.path == key.path), "{} is there twice", key.path);
            assert!(key.doc.ends_with('.') && key.doc.len() < 200, "{}: {}", key.path, key.doc);
            assert!(!key.default.is_empty() && !key.example.is_empty(), "{}", key.path);
        }
    }
}
