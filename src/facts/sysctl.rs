//! `sysctl.d(5)`: which file sets which key, and which one wins at boot.

use std::collections::BTreeMap;

use crate::host::{Host, Image, Result};
use crate::sysctl_name::dotted;

/// The folders, in the order in which a name in one masks the same name in a later one.
const FOLDERS: [&str; 5] =
    ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];

/// One line that sets a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What it sets it to.
    pub value: String,
    /// It is the one that holds after systemd-sysctl has read them all.
    pub wins: bool,
}

/// One line of a sysctl file, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// From 1.
    pub number: usize,
    /// The key with dots, whatever it was written with.
    pub key: String,
    /// The value.
    pub value: String,
}

/// All files, in the order in which they take effect.
#[derive(Debug, Default)]
pub struct SysctlFiles {
    files: Vec<(String, Vec<Line>)>,
    /// Files that could not be read, each with the reason.
    pub problems: Vec<String>,
}

/// Reads the text of one file. A leading `-` (ignore errors) and blanks around the parts do not count; lines that set
/// nothing are passed over, as systemd-sysctl passes them over.
pub fn parse(text: &str) -> Vec<Line> {
    text.lines()
        .enumerate()
        .filter_map(|(at, line)| {
            let line = line.trim();
            if line.starts_with(['#', ';']) {
                return None;
            }
            let (key, value) = line.split_once('=')?;
            let key = key.trim().trim_start_matches('-').trim();
            (!key.is_empty()).then(|| Line {
                number: at + 1,
                key: dotted(key),
                value: value.trim().to_owned(),
            })
        })
        .collect()
}

/// Does a key with `*` (glob(7), one part a star) cover this one?
fn covers(pattern: &str, key: &str) -> bool {
    if !pattern.contains('*') {
        return pattern == key;
    }
    let (pattern, key): (Vec<_>, Vec<_>) = (pattern.split('.').collect(), key.split('.').collect());
    let part = |p: &str, k: &str| match p.split_once('*') {
        None => p == k,
        Some((head, tail)) => k.len() >= head.len() + tail.len() && k.starts_with(head) && k.ends_with(tail),
    };
    pattern.len() == key.len() && pattern.iter().zip(&key).all(|(p, k)| part(p, k))
}

impl SysctlFiles {
    /// Reads every file that systemd-sysctl would read. One that can't be read is a problem, not an error.
    pub fn read(host: &Host) -> Result<Self> {
        let mut chosen: BTreeMap<String, String> = BTreeMap::new();
        let mut found = Self::default();
        for folder in FOLDERS {
            let names = match host.list(folder) {
                Ok(names) => names,
                Err(e) => {
                    found.problems.push(format!("{folder} can't be read: {}", e.reason()));
                    continue;
                }
            };
            for name in names.into_iter().filter(|name| name.ends_with(".conf")) {
                chosen.entry(name.clone()).or_insert_with(|| format!("{folder}/{name}"));
            }
        }
        for path in chosen.into_values() {
            if matches!(host.image(&path), Ok(Image::Link { target }) if target == "/dev/null") {
                continue;
            }
            match host.read_text(&path) {
                Ok(text) => found.files.push((path, parse(&text.unwrap_or_default()))),
                Err(e) => found.problems.push(format!("{path} can't be read: {}", e.reason())),
            }
        }
        Ok(found)
    }

    /// Every line that sets a key, in the order in which they take effect.
    pub fn assignments(&self, key: &str) -> Vec<Assignment> {
        let key = dotted(key);
        let lines = self.files.iter().flat_map(|(file, lines)| lines.iter().map(move |line| (file, line)));
        let (exact, mut found): (Vec<bool>, Vec<Assignment>) = lines
            .filter(|(_, line)| covers(&line.key, &key))
            .map(|(file, line)| {
                let (file, value) = (file.clone(), line.value.clone());
                (line.key == key, Assignment { file, line: line.number, value, wins: false })
            })
            .unzip();
        // A key that is written out is set by that line alone: globs pass it over (sysctl.d(5)).
        let written_out = |at: &usize| exact[*at];
        let winner = (0..found.len()).rev().find(written_out).or(found.len().checked_sub(1));
        if let Some(winner) = winner {
            found[winner].wins = true;
        }
        found
    }

    /// The lines of one file; none where it is not there.
    pub fn lines_of(&self, file: &str) -> &[Line] {
        self.files.iter().find(|(path, _)| path == file).map_or(&[], |(_, lines)| lines)
    }

    /// Every line of every file, with its file, in the order in which they take effect.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &Line)> {
        self.files.iter().flat_map(|(file, lines)| lines.iter().map(move |line| (file.as_str(), line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_as_sysctl_d_says() {
        let text = "# c\r\n; c\r\nvm.swappiness = 10\r\n-net/ipv4/conf/all/rp_filter=2\nkernel.x=a b\nnonsense\n = 3\nno newline=1";
        let lines = parse(text);
        let keys: Vec<_> =
            lines.iter().map(|line| (line.number, line.key.as_str(), line.value.as_str())).collect();
        assert_eq!(
            keys,
            [
                (3, "vm.swappiness", "10"),
                (4, "net.ipv4.conf.all.rp_filter", "2"),
                (5, "kernel.x", "a b"),
                (8, "no newline", "1")
            ]
        );
    }

    #[test]
    fn a_key_that_is_written_out_is_not_set_by_globs() {
        let file = |name: &str, text: &str| (name.to_owned(), parse(text));
        let files = SysctlFiles {
            files: vec![file("a", "net.a.b = 1\nvm.x = 1"), file("z", "net.*.b = 2\nvm.* = 2\nvm.x = 3")],
            ..SysctlFiles::default()
        };
        let winner =
            |key: &str| files.assignments(key).into_iter().find(|a| a.wins).map(|a| (a.file, a.line));
        assert_eq!(winner("net.a.b"), Some(("a".to_owned(), 1)));
        assert_eq!(winner("vm.x"), Some(("z".to_owned(), 3)));
        assert_eq!(winner("vm.y"), Some(("z".to_owned(), 2)));
        assert_eq!(winner("kernel.x"), None);
    }

    #[test]
    fn stars_cover_one_part() {
        assert!(covers("net.ipv4.conf.*.rp_filter", "net.ipv4.conf.eth0.rp_filter"));
        assert!(!covers("net.*.rp_filter", "net.ipv4.conf.eth0.rp_filter"));
        assert!(covers("vm.swap*", "vm.swappiness"));
    }
}
