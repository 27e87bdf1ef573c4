//! From a name or a file to a whole profile: what it extends is read too, and merged key by key.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::broken::{Broken, Parent};
use super::finding::{Code, Finding, any_error, part, sort};
use super::layer::{self, Layer};
use super::shape::is_file;
use super::source::{Place, Source};
use super::value::{KeyPath, Leaf, Value};
use super::{Profile, bundled, suggest};
use crate::host::{hint, in_words};
use crate::lang::say;
use crate::t;

/// How a profile file's bytes are had. See [`super::reader`] for the one that reads this machine's files.
pub type Reader<'r> = &'r dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// The longest chain of profiles, the first included.
pub const MAX_CHAIN: usize = 8;

/// Keys that speak of one file and are not inherited.
const OWN: [&str; 4] = ["name", "description", "extends", "without"];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Bundled(String),
    File(PathBuf),
    /// Text that is at hand already.
    Text,
}

/// What could be read, and whatever is wrong in any of the files.
pub(super) struct Loaded {
    /// Of use only where no finding is an error.
    pub(super) profile: Option<Profile>,
    pub(super) findings: Vec<Finding>,
}

impl Loaded {
    /// The profile, if no finding is an error; else all findings.
    pub(super) fn usable(self) -> Result<Profile, Vec<Finding>> {
        match self.profile {
            Some(profile) if !any_error(&self.findings) => Ok(profile),
            _ => Err(self.findings),
        }
    }
}

/// Loads by name or path.
pub(super) fn load(what: &str, read: Reader<'_>) -> Loaded {
    let origin =
        if is_file(what) { Origin::File(PathBuf::from(what)) } else { Origin::Bundled(what.to_owned()) };
    let mut chain =
        Chain { read, seen: Vec::new(), sources: Vec::new(), layers: Vec::new(), findings: Vec::new() };
    match chain.fetch(&origin) {
        Ok(source) => chain.follow(origin, source),
        Err(finding) => chain.findings.push(finding),
    }
    chain.finish()
}

/// Loads text that is at hand.
pub(super) fn parse(text: &str, name: &str, read: Reader<'_>) -> Loaded {
    let mut chain =
        Chain { read, seen: Vec::new(), sources: Vec::new(), layers: Vec::new(), findings: Vec::new() };
    match layer::source(name, text.as_bytes().to_vec()) {
        Ok(source) => chain.follow(Origin::Text, source),
        Err(finding) => chain.findings.push(finding),
    }
    chain.finish()
}

struct Chain<'r> {
    read: Reader<'r>,
    seen: Vec<Origin>,
    sources: Vec<Arc<Source>>,
    layers: Vec<Layer>,
    findings: Vec<Finding>,
}

impl Chain<'_> {
    fn follow(&mut self, mut origin: Origin, mut source: Arc<Source>) {
        loop {
            let (layer, findings) = layer::read(&source);
            self.findings.extend(findings);
            self.sources.push(Arc::clone(&source));
            self.seen.push(origin.clone());
            let asked = layer.leaves.get(&KeyPath::of(&["extends"])).cloned();
            self.layers.push(layer);
            let Some(Leaf { value: Value::Text(target), place, .. }) = asked else { return };
            let next = match self.step(&origin, &target, &place) {
                Ok(next) => next,
                Err(finding) => return self.ends(Parent::Unknown, finding),
            };
            source = match self.fetch(&next) {
                Ok(source) => source,
                Err(finding) => {
                    let is_bundled = matches!(next, Origin::Bundled(_));
                    let parent = if is_bundled { Parent::Bundled } else { Parent::Unknown };
                    return self.ends(parent, at(&place, finding));
                }
            };
            origin = next;
        }
    }

    /// What the last profile extends can't be had.
    fn ends(&mut self, parent: Parent, finding: Finding) {
        self.findings.push(finding);
        if let Some(layer) = self.layers.last_mut() {
            layer.broken.note_parent(parent);
        }
    }

    /// From one profile to the one that it extends.
    fn step(&self, from: &Origin, target: &str, place: &Place) -> Result<Origin, Finding> {
        let next = if is_file(target) {
            let folder = match from {
                Origin::File(path) => path.parent().unwrap_or(Path::new("")).to_owned(),
                Origin::Text => PathBuf::new(),
                Origin::Bundled(_) => {
                    let message = say("a bundled profile can only extend a bundled one");
                    return Err(Finding::error(Code::Extends, place, message));
                }
            };
            Origin::File(normal(&folder.join(target)))
        } else {
            Origin::Bundled(target.to_owned())
        };
        let same = |other: &Origin| match (other, &next) {
            (Origin::File(a), Origin::File(b)) => normal(a) == *b,
            (a, b) => a == b,
        };
        if self.seen.iter().any(same) {
            let names: Vec<&str> = self.sources.iter().map(|s| s.name()).collect();
            let message = t!(
                "the profiles extend each other in a circle: {names} → {target}",
                names = names.join(" → "),
                target = target
            );
            return Err(
                Finding::error(Code::Extends, place, message).help(say("one of them must stand on its own"))
            );
        }
        if self.layers.len() >= MAX_CHAIN {
            let message = t!("more than {most} profiles extend one another", most = MAX_CHAIN);
            return Err(Finding::error(Code::Extends, place, message));
        }
        Ok(next)
    }

    fn fetch(&self, origin: &Origin) -> Result<Arc<Source>, Finding> {
        match origin {
            Origin::Text => Err(Finding::about(Code::Unreadable, "", say("there is no such text"))),
            Origin::Bundled(name) => match bundled::find(name) {
                Some(bundled) => Ok(Arc::new(Source::new(name.as_str(), bundled.text))),
                None => Err(no_such(name)),
            },
            Origin::File(path) => {
                let name = path.display().to_string();
                match (self.read)(path) {
                    Ok(bytes) => layer::source(&name, bytes),
                    Err(error) => Err(unreadable(&name, &error)),
                }
            }
        }
    }

    fn finish(mut self) -> Loaded {
        let mut leaves: BTreeMap<KeyPath, Leaf> = BTreeMap::new();
        let own = self.layers.first().cloned().unwrap_or_default();
        let (mut names, mut broken) = (BTreeMap::new(), Broken::default());
        for layer in self.layers.iter().rev() {
            leaves.retain(|path, _| !OWN.contains(&path.0[0].as_str()));
            broken.join(&layer.broken);
            drop_unwanted(&mut leaves, layer, broken.has_parents(), &mut self.findings);
            names.extend(layer.names.iter().map(|(path, place)| (path.clone(), place.clone())));
            leaves.extend(layer.leaves.iter().map(|(path, leaf)| (path.clone(), leaf.clone())));
        }
        let findings = &mut self.findings;
        sort(findings);
        let profile = match self.sources.first() {
            Some(first) => {
                let text = |key: &str| match own.leaves.get(&KeyPath::of(&[key])) {
                    Some(Leaf { value: Value::Text(text), .. }) => Some(text.clone()),
                    _ => None,
                };
                let name = text("name").unwrap_or_else(|| name_of(first.name()));
                let description = text("description").unwrap_or_default();
                Some(Profile {
                    name,
                    description,
                    sources: self.sources,
                    leaves,
                    names,
                    broken,
                    warnings: findings.clone(),
                })
            }
            None => None,
        };
        Loaded { profile, findings: self.findings }
    }
}

/// Takes out of what is inherited what the layer says it is `without`.
fn drop_unwanted(
    leaves: &mut BTreeMap<KeyPath, Leaf>,
    layer: &Layer,
    has_parents: bool,
    findings: &mut Vec<Finding>,
) {
    let Some(Leaf { value: Value::List(unwanted), place, .. }) = layer.leaves.get(&KeyPath::of(&["without"]))
    else {
        return;
    };
    for path in unwanted {
        let before = leaves.len();
        let below = format!("{path}.");
        leaves.retain(|own, _| {
            let dotted = own.dotted();
            dotted != *path && !dotted.starts_with(&below)
        });
        if leaves.len() == before && has_parents {
            let message = t!("nothing called `{path}` is inherited", path = path);
            let help = say("name a key or a section, as in \"sysctl.vm.dirty_bytes\" or \"services.proxy\"");
            findings.push(Finding::warning(Code::Extends, &part(place, path), message).help(help));
        }
    }
}

/// A finding about an included file as a whole, at the line that includes it.
fn at(place: &Place, finding: Finding) -> Finding {
    if finding.span.is_some() {
        return finding;
    }
    let message = if is_file(&finding.file) {
        format!("{}: {}", finding.file, finding.message)
    } else {
        finding.message
    };
    Finding::error(Code::Extends, place, message).maybe_help(finding.help)
}

fn no_such(name: &str) -> Finding {
    let finding =
        Finding::about(Code::Unreadable, name, t!("there is no bundled profile `{name}`", name = name));
    finding.help(match suggest::nearest(name, bundled::names()) {
        Some(near) => t!("did you mean `{near}`?", near = near),
        None => t!(
            "the bundled ones are {names}; a file is named with its .toml",
            names = bundled::names().collect::<Vec<_>>().join(", ")
        ),
    })
}

fn unreadable(name: &str, error: &io::Error) -> Finding {
    let code = if error.kind() == io::ErrorKind::FileTooLarge { Code::TooLarge } else { Code::Unreadable };
    let finding = Finding::about(code, name, t!("the file can't be read: {error}", error = in_words(error)));
    match error.kind() {
        io::ErrorKind::NotFound => finding.help(say("is the path right?")),
        io::ErrorKind::FileTooLarge => finding.help(say("is it the right file?")),
        io::ErrorKind::PermissionDenied => finding.help(say("run it as a user who may read it (sudo)")),
        _ => finding.maybe_help(hint(error)),
    }
}

/// The path without `.` parts; nothing on disk is asked.
fn normal(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, Component::CurDir)).collect()
}

/// A file's name without folder and ending, made into a profile's name.
fn name_of(source: &str) -> String {
    let stem = Path::new(source).file_stem().map(|s| s.to_string_lossy().to_lowercase()).unwrap_or_default();
    let clean = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '-' };
    let name: String = stem.chars().map(clean).take(63).collect();
    let name = name.trim_start_matches(['-', '_']);
    if name.is_empty() { "profile".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(files: &'static [(&str, &str)]) -> impl Fn(&Path) -> io::Result<Vec<u8>> {
        move |path| match files.iter().find(|(name, _)| Path::new(name) == path) {
            Some((_, text)) => Ok(text.as_bytes().to_vec()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn messages(loaded: &Loaded) -> Vec<String> {
        loaded.findings.iter().map(|f| format!("{}: {}", f.file, f.message)).collect()
    }

    #[test]
    fn values_are_merged_key_by_key_and_know_their_file() {
        let read = files(&[
            ("d/a.toml", "extends = './sub/b.toml'\n[zswap]\ncompressor = 'zstd'\n"),
            ("d/sub/b.toml", "name = 'b'\nextends = 'c.toml'\n[zswap]\nenabled = true\n"),
            ("d/sub/c.toml", "[zswap]\ncompressor = 'lz4'\nmax_pool_percent = 30\n"),
        ]);
        let loaded = load("d/a.toml", &read);
        assert_eq!(messages(&loaded), Vec::<String>::new());
        let profile = loaded.profile.unwrap();
        assert_eq!(profile.name, "a");
        let from = |key: &str| {
            let from = profile.leaves[&KeyPath::of(&["zswap", key])].place.provenance();
            format!("{}:{}", from.source, from.line)
        };
        assert_eq!(from("compressor"), "d/a.toml:3");
        assert_eq!(from("enabled"), "d/sub/b.toml:4");
        assert_eq!(from("max_pool_percent"), "d/sub/c.toml:3");
    }

    #[test]
    fn circles_and_long_chains_end() {
        let read = files(&[("a.toml", "extends = './b.toml'"), ("b.toml", "extends = './a.toml'")]);
        assert_eq!(
            messages(&load("a.toml", &read)),
            ["b.toml: the profiles extend each other in a circle: a.toml → b.toml → ./a.toml"]
        );
        let read = |path: &Path| {
            let n: u32 = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
            Ok(format!("extends = '{}.toml'", n + 1).into_bytes())
        };
        assert_eq!(messages(&load("0.toml", &read)), ["7.toml: more than 8 profiles extend one another"]);
    }

    #[test]
    fn what_is_missing_is_said_at_the_line_that_wants_it() {
        let read = files(&[("a.toml", "\nextends = 'b.toml'"), ("c.toml", "extends = 'civicum-12'")]);
        assert!(messages(&load("a.toml", &read))[0].starts_with("a.toml: b.toml: the file can't be read"));
        assert_eq!(messages(&load("c.toml", &read)), ["c.toml: there is no bundled profile `civicum-12`"]);
        assert!(load("nowhere.toml", &read).findings[0].span.is_none());
        assert_eq!(
            load("civicum-12gb", &read).findings[0].help.as_deref(),
            Some("did you mean `civicum-12g`?")
        );
    }

    #[test]
    fn inherited_values_can_be_dropped() {
        let read = files(&[
            ("a.toml", "extends = 'b.toml'\nwithout = ['sysctl.vm.swappiness', 'services.llm', 'boot']"),
            ("b.toml", "sysctl.vm.swappiness = 60\nsysctl.vm.page-cluster = 0\nservices.llm.cpus = 2"),
        ]);
        let loaded = load("a.toml", &read);
        assert_eq!(messages(&loaded), ["a.toml: nothing called `boot` is inherited"]);
        let keys: Vec<String> = loaded.profile.unwrap().leaves.keys().map(ToString::to_string).collect();
        assert_eq!(keys, ["extends", "sysctl.\"vm.page-cluster\"", "without"]);
    }

    #[test]
    fn a_profile_is_named_after_its_file() {
        assert_eq!(name_of("/etc/civicum-tune/My Server.toml"), "my-server");
        assert_eq!(name_of("/etc/--.toml"), "profile");
    }
}
