//! `TuneD`: which parameters its active profiles set, and in which line.

use std::collections::{BTreeMap, BTreeSet};

use crate::host::Host;
use crate::sysctl_name::dotted;

/// Where profiles lie, the first that has one first.
const FOLDERS: [&str; 4] = ["/etc/tuned/profiles", "/etc/tuned", "/usr/lib/tuned/profiles", "/usr/lib/tuned"];

/// One line of a profile that sets a kernel parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// With dots.
    pub key: String,
    /// As it stands there: a `>` in front means "at least".
    pub value: String,
}

/// What its active profiles come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tuned {
    /// `/etc/tuned/active_profile`.
    pub profiles: String,
    /// The parameters by their keys, the line that counts of each.
    pub settings: BTreeMap<String, Setting>,
    /// Profiles that were not found.
    pub missing: Vec<String>,
    /// After its own, it sets again what the files of `/etc/sysctl.d` say (`reapply_sysctl`, on by default).
    pub reapplies: bool,
}

/// A profile: what it includes, and what it sets.
fn parse(text: &str) -> (Vec<String>, Vec<(usize, String, String)>) {
    let (mut includes, mut settings) = (Vec::new(), Vec::new());
    let (mut section, mut pending): (String, Vec<(usize, String, String)>) = Default::default();
    let mut is_sysctl = false;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            if is_sysctl {
                settings.append(&mut pending);
            }
            pending.clear();
            name.trim().clone_into(&mut section);
            is_sysctl = section == "sysctl";
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let (key, value) = (key.trim(), value.trim());
        match (section.as_str(), key) {
            ("main", "include") => includes.extend(value.split(',').map(|name| name.trim().to_owned())),
            (_, "type") => is_sysctl = value == "sysctl",
            (_, "enabled" | "priority" | "replace" | "devices") => {}
            _ => pending.push((at + 1, dotted(key), value.trim_matches(['"', '\'']).to_owned())),
        }
    }
    if is_sysctl {
        settings.append(&mut pending);
    }
    (includes, settings)
}

impl Tuned {
    /// What is active; `None` where no profile is.
    pub fn read(host: &Host) -> Option<Self> {
        let profiles = host.value("/etc/tuned/active_profile").filter(|names| !names.is_empty())?;
        let main = host.value("/etc/tuned/tuned-main.conf").unwrap_or_default();
        let option = main.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == "reapply_sysctl").then(|| value.trim().to_ascii_lowercase())
        });
        let reapplies = option.is_none_or(|value| ["1", "true", "yes", "on", "y"].contains(&value.as_str()));
        let mut tuned = Self { reapplies, ..Self::default() };
        let mut seen = BTreeSet::new();
        for name in profiles.split_whitespace() {
            tuned.add(host, name, &mut seen);
        }
        tuned.profiles = profiles;
        Some(tuned)
    }

    /// A profile with what it includes, each once.
    fn add(&mut self, host: &Host, name: &str, seen: &mut BTreeSet<String>) {
        if seen.len() > 32 || !seen.insert(name.to_owned()) {
            return;
        }
        let file = |folder: &&str| {
            let path = format!("{folder}/{name}/tuned.conf");
            let plain = !name.is_empty() && !name.contains(['/', '$']);
            plain.then(|| Some((host.read_text(&path).ok()??, path)))?
        };
        let Some((text, file)) = FOLDERS.iter().find_map(file) else {
            self.missing.push(name.to_owned());
            return;
        };
        let (includes, settings) = parse(&text);
        for include in includes {
            self.add(host, &include, seen);
        }
        for (line, key, value) in settings {
            // The including profile's own value counts.
            self.settings.insert(key.clone(), Setting { file: file.clone(), line, key, value });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of Debian's virtual-guest.
    #[test]
    fn a_profile() {
        let text = "#\n[main]\nsummary=x\ninclude=throughput-performance, other\n\n[sysctl]\n# c\nvm.dirty_ratio = 30\n\
                    vm/swappiness=\"30\"\n[more]\ntype=sysctl\nkernel.x=>1\n[vm]\ntransparent_hugepages=never\nnonsense\n";
        let (includes, settings) = parse(text);
        assert_eq!(includes, ["throughput-performance", "other"]);
        let settings: Vec<_> = settings.iter().map(|(n, k, v)| (*n, k.as_str(), v.as_str())).collect();
        assert_eq!(
            settings,
            [(8, "vm.dirty_ratio", "30"), (9, "vm.swappiness", "30"), (12, "kernel.x", ">1")]
        );
    }
}
