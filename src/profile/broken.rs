//! Where a file could not be understood: what hangs on a value that may be missing there is not held against the user.

use std::collections::BTreeSet;

use super::keys::{Lookup, lookup};
use super::suggest;
use super::value::KeyPath;

/// The sections in which a value may be missing.
#[derive(Debug, Clone, Default)]
pub(super) struct Broken {
    sections: BTreeSet<String>,
    /// The keys and tables themselves, as they are written.
    keys: BTreeSet<KeyPath>,
    /// Which it is, nobody can tell.
    any: bool,
    /// What is inherited is missing.
    parent: Option<Parent>,
    /// What is inherited may be there though it is not wanted.
    unwanted: bool,
}

/// What it is that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Parent {
    /// A bundled profile. None of them opens anything to the outside (a test of theirs sees to it).
    Bundled,
    /// It may be anything.
    Unknown,
}

impl Broken {
    /// Notes the place of what could not be understood.
    pub(super) fn note(&mut self, path: &KeyPath) {
        match path.0.first() {
            Some(key) if key == "without" => self.unwanted = true,
            Some(key) if key == "extends" => self.note_parent(Parent::Unknown),
            Some(key) if suggest::nearest(key, ["extends", "without"]).is_some() => {
                self.unwanted = true;
                self.note_parent(Parent::Unknown);
            }
            Some(section) if path.0.len() > 1 || !matches!(lookup(&path.0), Lookup::Unknown) => {
                self.sections.insert(section.clone());
                if let Some(name) = path.0.get(1) {
                    self.sections.insert(format!("{section}.{name}"));
                }
                self.keys.insert(path.clone());
            }
            // A mistyped name of a section may be any.
            _ => self.any = true,
        }
    }

    /// Notes that it may be any section.
    pub(super) const fn note_any(&mut self) {
        self.any = true;
    }

    /// Notes that what is extended could not be had.
    pub(super) fn note_parent(&mut self, parent: Parent) {
        self.parent = self.parent.max(Some(parent));
    }

    /// Joins what another file lacks.
    pub(super) fn join(&mut self, other: &Self) {
        self.sections.extend(other.sections.iter().cloned());
        self.keys.extend(other.keys.iter().cloned());
        self.any |= other.any;
        self.unwanted |= other.unwanted;
        self.parent = self.parent.max(other.parent);
    }

    /// Is nothing missing?
    pub(super) fn is_whole(&self) -> bool {
        self.sections.is_empty() && !self.any && !self.unwanted && self.has_parents()
    }

    /// Is all there that it extends?
    pub(super) const fn has_parents(&self) -> bool {
        self.parent.is_none()
    }

    /// Is nothing there that should not be inherited?
    pub(super) const fn inherits_no_more(&self) -> bool {
        !self.unwanted
    }

    /// Were all values of these sections, or of `SECTION.NAME`, understood, and inherited?
    pub(super) fn spares(&self, sections: &[&str]) -> bool {
        self.has_parents() && self.spares_own(sections)
    }

    /// The same of values that no bundled profile has.
    pub(super) fn spares_but_for_bundled(&self, sections: &[&str]) -> bool {
        self.parent != Some(Parent::Unknown) && self.spares_own(sections)
    }

    /// The same of the values in the files that are there.
    fn spares_own(&self, sections: &[&str]) -> bool {
        !self.any && !self.unwanted && !self.holds(sections)
    }

    /// May a value be missing in one of these that were named rightly?
    pub(super) fn holds(&self, sections: &[&str]) -> bool {
        sections.iter().any(|section| self.sections.contains(*section))
    }

    /// May it be the value at this path that is missing: it, or what it stands in, or a name that was meant to be it?
    pub(super) fn may_hold(&self, path: &[&str]) -> bool {
        self.keys.iter().any(|key| {
            let same = key.0.iter().zip(path).take_while(|(own, other)| own == *other).count();
            let is_slip = || match (key.0.get(same), path.get(same)) {
                (Some(own), Some(other)) => suggest::nearest(own, [*other]).is_some(),
                _ => true,
            };
            same == path.len().min(key.0.len()) || (same + 1 == path.len() && is_slip())
        })
    }

    /// Does what is known of these sections say the least that they come to, whatever is missing?
    pub(super) fn says_the_least(&self, section: &str) -> bool {
        !self.any && !self.unwanted && !self.sections.contains(section)
    }
}
