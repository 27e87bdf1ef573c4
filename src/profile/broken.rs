//! Where a file could not be understood: what hangs on a value that may be missing there is not held against the user.

use std::collections::BTreeSet;

use super::keys::{Lookup, lookup};
use super::value::KeyPath;

/// The sections in which a value may be missing.
#[derive(Debug, Clone, Default)]
pub(super) struct Broken {
    sections: BTreeSet<String>,
    /// Which it is, nobody can tell.
    any: bool,
    /// What is inherited may be missing, or be there though it is not wanted.
    inherited: bool,
}

impl Broken {
    /// Notes the place of what could not be understood.
    pub(super) fn note(&mut self, path: &KeyPath) {
        match path.0.first() {
            Some(key) if ["extends", "without"].contains(&key.as_str()) => {
                self.any = true;
                self.inherited = true;
            }
            Some(section) if path.0.len() > 1 || !matches!(lookup(&path.0), Lookup::Unknown) => {
                self.sections.insert(section.clone());
                if let Some(name) = path.0.get(1) {
                    self.sections.insert(format!("{section}.{name}"));
                }
            }
            // A mistyped name of a section may be any.
            _ => self.any = true,
        }
    }

    /// Notes that it may be any section.
    pub(super) const fn note_any(&mut self) {
        self.any = true;
    }

    /// Joins what another file lacks.
    pub(super) fn join(&mut self, other: &Self) {
        self.sections.extend(other.sections.iter().cloned());
        self.any |= other.any;
        self.inherited |= other.inherited;
    }

    /// Is all that is inherited there, and nothing more?
    pub(super) const fn inherits_well(&self) -> bool {
        !self.inherited
    }

    /// Were all values of these sections, or of `SECTION.NAME`, understood?
    pub(super) fn spares(&self, sections: &[&str]) -> bool {
        !self.any && !sections.iter().any(|section| self.sections.contains(*section))
    }
}
