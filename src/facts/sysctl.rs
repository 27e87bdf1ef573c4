//! `sysctl.d(5)`: which file sets which key, and which one wins at boot.

use std::collections::BTreeMap;
use std::fmt;

use nix::errno::Errno;

use crate::host::{Host, HostError, Result};
use crate::sysctl_name::dotted;

/// What systemd-sysctl reads only where a link in one of the folders leads to it.
pub const CONF: &str = "/etc/sysctl.conf";

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
    /// It is the one that holds after systemd-sysctl has read all of them.
    pub wins: bool,
    /// Which line of all this is, in the order in which they are read.
    pub order: usize,
}

/// One line of a sysctl file, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// From 1.
    pub number: usize,
    /// The key with dots, whatever it was written with.
    pub key: String,
    /// The value. `-key` without one takes the key out of what was said of it so far, and of every pattern.
    pub value: Option<String>,
    /// The line asks that a failure be no error (`-key = value`).
    pub may_fail: bool,
}

/// A file that can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which one, or a folder.
    pub path: String,
    /// Why.
    pub reason: String,
    /// The kernel refused because of who asks.
    pub denied: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} can't be read: {}", self.path, self.reason)
    }
}

impl Problem {
    fn new(path: &str, error: &HostError) -> Self {
        let denied = matches!(error.errno(), Some(Errno::EACCES | Errno::EPERM));
        Self { path: path.to_owned(), reason: error.reason(), denied }
    }
}

/// The text of one file, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The lines that say something of a key.
    pub lines: Vec<Line>,
    /// The lines that are passed over because they say nothing: number and text.
    pub ignored: Vec<(usize, String)>,
}

/// All files, in the order in which they take effect.
#[derive(Debug, Default)]
pub struct SysctlFiles {
    files: Vec<(String, Parsed)>,
    /// Files that could not be read.
    pub problems: Vec<Problem>,
    /// By which name `/etc/sysctl.conf` is read at boot; `None` where nothing reads it.
    pub conf_through: Option<String>,
}

/// Reads the text of one file as systemd-sysctl does: blanks around the parts do not count, and a line without a `=` is
/// passed over with a word in the log, unless a `-` in front makes it an exception.
pub fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let (number, may_fail) = (at + 1, line.starts_with('-'));
        let stripped = line.strip_prefix('-').unwrap_or(line);
        let (key, value) = match stripped.split_once('=') {
            Some((key, value)) => (key.trim(), Some(value.trim().to_owned())),
            None => (stripped.trim(), None),
        };
        if key.is_empty() || (value.is_none() && !may_fail) {
            parsed.ignored.push((number, line.to_owned()));
        } else {
            parsed.lines.push(Line { number, key: dotted(key), value, may_fail });
        }
    }
    parsed
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

/// Does systemd run the host, as far as files tell? Without it `sysctl --system` of procps sets the keys at boot.
fn has_systemd(host: &Host) -> bool {
    match host.value("/proc/1/comm") {
        Some(init) => init == "systemd",
        None => ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"].iter().any(|path| host.exists(path)),
    }
}

impl SysctlFiles {
    /// Reads every file that is read at boot. One that can't be read is a problem, not an error.
    pub fn read(host: &Host) -> Result<Self> {
        let mut chosen: BTreeMap<String, String> = BTreeMap::new();
        let mut found = Self::default();
        for folder in FOLDERS {
            let names = match host.list(folder) {
                Ok(names) => names,
                Err(e) => {
                    found.problems.push(Problem::new(folder, &e));
                    continue;
                }
            };
            for name in names.into_iter().filter(|name| name.ends_with(".conf")) {
                chosen.entry(name.clone()).or_insert_with(|| format!("{folder}/{name}"));
            }
        }
        let mut paths: Vec<String> = chosen.into_values().collect();
        // procps reads this one last; systemd-sysctl does not know it.
        if !has_systemd(host) && host.exists(CONF) {
            paths.push(CONF.to_owned());
        }
        for path in paths {
            if let Some(target) = host.read_link(&path) {
                if target == "/dev/null" {
                    continue;
                }
                if [CONF, "../sysctl.conf"].contains(&target.as_str()) {
                    found.conf_through = Some(path.clone());
                }
            }
            if path == CONF {
                found.conf_through = Some(path.clone());
            }
            match host.read_text(&path) {
                Ok(text) => found.files.push((path, parse(&text.unwrap_or_default()))),
                Err(e) => found.problems.push(Problem::new(&path, &e)),
            }
        }
        Ok(found)
    }

    /// Every line that sets a key, in the order in which they are read. The last one that names the key wins, and a
    /// pattern only where no line names it.
    pub fn assignments(&self, key: &str) -> Vec<Assignment> {
        let key = dotted(key);
        let lines = self.files.iter().flat_map(|(file, parsed)| parsed.lines.iter().map(move |l| (file, l)));
        let mut named = None;
        let mut matched = None;
        let mut found: Vec<Assignment> = Vec::new();
        for (order, (file, line)) in lines.enumerate() {
            let exact = line.key == key;
            if !exact && !covers(&line.key, &key) {
                continue;
            }
            let Some(value) = &line.value else {
                // An exception: the key is taken out.
                if exact {
                    named = Some(None);
                }
                continue;
            };
            if exact {
                named = Some(Some(found.len()));
            } else {
                matched = Some(found.len());
            }
            let (file, line, value) = (file.clone(), line.number, value.clone());
            found.push(Assignment { file, line, value, wins: false, order });
        }
        if let Some(winner) = named.unwrap_or(matched).and_then(|at| found.get_mut(at)) {
            winner.wins = true;
        }
        found
    }

    /// The lines of one file; none where it is not there.
    pub fn lines_of(&self, file: &str) -> &[Line] {
        self.files.iter().find(|(path, _)| path == file).map_or(&[], |(_, parsed)| parsed.lines.as_slice())
    }

    /// Every line that sets something, with its file, in the order in which they are read.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &Line)> {
        let all = self.files.iter().flat_map(|(file, parsed)| parsed.lines.iter().map(move |l| (file, l)));
        all.filter(|(_, line)| line.value.is_some()).map(|(file, line)| (file.as_str(), line))
    }

    /// Every line that is passed over: file, number, text.
    pub fn ignored(&self) -> impl Iterator<Item = (&str, usize, &str)> {
        self.files.iter().flat_map(|(file, parsed)| {
            parsed.ignored.iter().map(move |(number, text)| (file.as_str(), *number, text.as_str()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_as_sysctl_d_says() {
        let text = "# c\r\n; c\r\nvm.swappiness = 10\r\n-net/ipv4/conf/all/rp_filter=2\nkernel.x=a b\nnonsense\n = 3\n-a.b\nno newline=1";
        let parsed = parse(text);
        let keys: Vec<_> = parsed
            .lines
            .iter()
            .map(|line| (line.number, line.key.as_str(), line.value.as_deref(), line.may_fail))
            .collect();
        assert_eq!(
            keys,
            [
                (3, "vm.swappiness", Some("10"), false),
                (4, "net.ipv4.conf.all.rp_filter", Some("2"), true),
                (5, "kernel.x", Some("a b"), false),
                (8, "a.b", None, true),
                (9, "no newline", Some("1"), false)
            ]
        );
        assert_eq!(parsed.ignored, [(6, "nonsense".to_owned()), (7, "= 3".to_owned())]);
    }

    /// As sysctl.d(5) has it: "Keys for which an explicit pattern exists will be excluded from any glob matching", and
    /// `-key` without a value excludes it as well.
    #[test]
    fn a_named_key_wins_over_patterns_and_an_exception_over_both() {
        let files = |text: &str| SysctlFiles {
            files: vec![("/etc/sysctl.d/a.conf".to_owned(), parse(text))],
            ..SysctlFiles::default()
        };
        let winner = |text: &str| {
            let found = files(text).assignments("net.ipv4.conf.eth0.rp_filter");
            found.into_iter().find(|a| a.wins).map(|a| (a.line, a.value))
        };
        let named = "net.ipv4.conf.eth0.rp_filter=1\n";
        let pattern = "net.ipv4.conf.*.rp_filter=2\n";
        let exception = "-net.ipv4.conf.eth0.rp_filter\n";
        assert_eq!(winner(&format!("{named}{pattern}")), Some((1, "1".to_owned())));
        assert_eq!(winner(&format!("{pattern}{pattern}")), Some((2, "2".to_owned())));
        assert_eq!(winner(&format!("{pattern}{exception}")), None);
        assert_eq!(winner(&format!("{named}{exception}{pattern}")), None);
        assert_eq!(winner(&format!("{exception}{named}{pattern}")), Some((2, "1".to_owned())));
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
