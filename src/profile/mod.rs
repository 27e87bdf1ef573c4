//! Profiles: what a person wants of a host, in TOML.
//!
//! A file is read along the table of [`keys`], so that every value and every mistake knows its place; what it
//! `extends` is merged in key by key ([`load`]); and [`Profile::settle`] evaluates the sizing rules for one host
//! and proves the memory arithmetic. Reading is pure: bytes come from a function that the caller gives.

pub mod account;
mod broken;
mod budget;
pub mod bundled;
pub mod code;
mod conflict;
pub mod container;
mod decode;
mod destination;
pub mod edit;
pub mod excerpt;
pub mod finding;
mod fit;
mod hints;
mod hosted;
mod init;
pub mod kernels;
pub mod keys;
mod layer;
pub mod load;
mod lookup;
mod model;
pub mod mount;
mod nesting;
mod numbers;
mod parser_words;
mod path;
pub mod reference;
pub mod rule;
pub mod saved_host;
pub mod schema;
mod services;
pub mod settings;
pub mod settle;
mod settler;
pub mod shape;
pub mod show;
pub mod source;
mod sovereignty;
pub mod suggest;
pub mod sysctl;
pub mod target;
pub mod validate;
pub mod value;
mod work;
mod worker;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub use bundled::{BUNDLED, Bundled, best_for};
pub use conflict::zswap_without_swap;
pub use destination::{is_private, outside};
pub use finding::{Code, Finding, Severity};
pub use init::init;
pub use load::Reader;
pub use saved_host::SavedHost;
pub use schema::schema;
pub use settings::Settings;
pub use settle::Numbers;
pub use shape::as_file;
pub use show::Shown;
pub use source::{Place, Provenance, Source, Span};
pub use sovereignty::is_secret;

pub use model::unfit;
pub use validate::{About, Validation, validate};

use crate::host::{Host, sha256_hex};
use value::{KeyPath, Leaf};

/// A profile with all that it extends, each value with where it came from; not yet bound to a host.
#[derive(Debug, Clone)]
pub struct Profile {
    name: String,
    description: String,
    sources: Vec<Arc<Source>>,
    leaves: BTreeMap<KeyPath, Leaf>,
    names: BTreeMap<KeyPath, Place>,
    broken: broken::Broken,
    warnings: Vec<Finding>,
}

impl Profile {
    /// The bundled profile of that name, or the file at that path (a name with a slash or ending in `.toml`).
    /// On failure all errors at once.
    pub fn load(what: &str, read: Reader<'_>) -> Result<Self, Vec<Finding>> {
        load::load(what, read).usable()
    }

    /// Reads a profile's text, known as `origin`. It may extend bundled profiles, but no files.
    pub fn parse(text: &str, origin: &str) -> Result<Self, Vec<Finding>> {
        let no_files = |_: &Path| Err(io::Error::other("there is no folder to look in"));
        load::parse(text, origin, &no_files).usable()
    }

    /// The profile's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for, in one line; may be empty.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What was found while reading that does not make the profile unusable.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// The file or bundled profile itself, then what it extends, outwards.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().map(AsRef::as_ref)
    }

    /// SHA-256 of the file; where it extends others, of the list of all their digests, so that a change in any
    /// of them shows.
    pub fn source_sha256(&self) -> String {
        let digests: Vec<String> = self.sources().map(|s| sha256_hex(s.text().as_bytes())).collect();
        match digests.as_slice() {
            [one] => one.clone(),
            many => sha256_hex(many.join("\n").as_bytes()),
        }
    }

    /// Where the value at a path was written, for example `["services", "llm", "memory"]`.
    pub fn provenance(&self, path: &[&str]) -> Option<Provenance> {
        self.place(path).map(Place::provenance)
    }

    /// Is the value at a path a rule that comes to another number on another host?
    pub fn is_rule(&self, path: &[&str]) -> bool {
        self.leaf(path).and_then(|leaf| leaf.value.rule()).is_some_and(|rule| !rule.is_constant())
    }

    fn leaf(&self, path: &[&str]) -> Option<&Leaf> {
        self.leaves.get(&KeyPath::of(path))
    }

    fn place(&self, path: &[&str]) -> Option<&Place> {
        self.leaf(path).map(|leaf| &leaf.place)
    }

    /// The place of one entry of a list.
    fn item(&self, path: &[&str], at: usize) -> Option<Place> {
        let leaf = self.leaf(path)?;
        match &leaf.value {
            value::Value::List(items) => items.get(at).map(|item| finding::part(&leaf.place, item)),
            _ => None,
        }
    }

    /// The place of the first value below a path.
    fn first_place(&self, path: &[&str]) -> Option<&Place> {
        self.below(path).next().map(|(_, leaf)| &leaf.place)
    }

    /// All values below a path, found without a look at the others.
    fn below(&self, path: &[&str]) -> impl Iterator<Item = (&KeyPath, &Leaf)> {
        let depth = path.len();
        let start = KeyPath::of(path);
        self.leaves
            .range(start.clone()..)
            .take_while(move |(own, _)| own.0.len() >= depth && own.0[..depth] == start.0[..])
            .filter(move |(own, _)| own.0.len() > depth)
    }

    /// The place of a name that the user chose, as `["services", "llm"]`; else of the first value below it.
    fn name_place(&self, path: &[&str]) -> Option<&Place> {
        self.names.get(&KeyPath::of(path)).or_else(|| self.first_place(path))
    }

    /// The names that the user chose in a section such as `services`.
    fn names_in(&self, section: &str) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.leaves.keys().filter(|path| path.0[0] == section).map(|path| path.0[1].as_str()).collect();
        names.dedup();
        names
    }
}

/// A reader of this machine's files, through the door: `host` is [`Host::live`], also under `--root`, since
/// profiles named on the command line are the user's own files.
pub fn reader(host: &Host) -> impl Fn(&Path) -> io::Result<Vec<u8>> + '_ {
    |path| {
        let path = std::path::absolute(path)?;
        match host.read(&path.to_string_lossy()) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(nix::errno::Errno::ENOENT.into()),
            Err(error) => Err(error.source),
        }
    }
}
