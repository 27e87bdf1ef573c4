//! A resolved profile, written so that one sees what holds and where each value comes from.

use serde::Serialize;

use super::numbers::Numbers;
use super::rule::Quantity;
use super::source::Provenance;
use super::value::{KeyPath, Leaf, toml_key, toml_string};
use super::{Profile, keys, sysctl};
use crate::t;

/// Comments start at one column within a section, but never further right than this.
const MOST_INDENT: usize = 56;

/// The contract's `civicum-tune/profile/1`.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// `civicum-tune/profile/1`.
    pub schema: &'static str,
    /// The profile's name.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// [`Profile::source_sha256`].
    pub sha256: String,
    /// The file or bundled profile, then what it extends, outwards.
    pub sources: Vec<String>,
    /// Every value that holds, in the order of the format.
    pub values: Vec<ShownValue>,
}

/// One value.
#[derive(Debug, Clone, Serialize)]
pub struct ShownValue {
    /// Its path as TOML has it, for example `sysctl."vm.swappiness"`.
    pub path: String,
    /// As it was written; rules as text.
    pub value: serde_json::Value,
    /// What a rule comes to on the host, where one was given.
    pub result: Option<String>,
    /// The rule has no result there, and `result` says why.
    #[serde(skip)]
    pub fails: bool,
    /// Where it was written.
    pub from: Provenance,
}

impl Profile {
    /// The resolved profile as TOML, a line each. Read again, it settles to the same settings. With the figures of
    /// a host, the results of rules stand in the comments.
    pub fn show(&self, numbers: Option<&Numbers>) -> Vec<String> {
        self.write(|path, leaf| {
            let result = numbers.and_then(|n| self.shown_result(path, leaf, n));
            let result =
                result.map_or_else(String::new, |result| format!("= {}, ", result.unwrap_or_else(|why| why)));
            let from = leaf.place.provenance();
            // A path may hold anything; a comment ends at the line.
            let from =
                t!("from {file}:{line}", file = super::finding::printable(&from.source), line = from.line);
            format!("  # {result}{from}")
        })
    }

    /// The resolved profile as a file of its own, which rests on no other: the same text wherever it was read from.
    pub fn keepsake(&self) -> String {
        let head = "# The profile of this host, as `civicum-tune apply` left it. Yours to edit: `civicum-tune plan` compares\n\
                    # the host with it, `civicum-tune validate` checks it.\n";
        self.write(|_, _| String::new())
            .into_iter()
            .fold(head.to_owned(), |text, line| text + line.trim_end() + "\n")
    }

    fn write(&self, comment: impl Fn(&KeyPath, &Leaf) -> String) -> Vec<String> {
        let mut lines = vec![format!("name = {}", toml_string(&self.name))];
        if !self.description.is_empty() {
            lines.push(format!("description = {}", toml_string(&self.description)));
        }
        let leaves = self.in_order();
        let mut rest = leaves.as_slice();
        while let Some((first, _)) = rest.first() {
            let section = folder(first);
            let count = rest.iter().take_while(|(path, _)| folder(path) == section).count();
            let (own, others) = rest.split_at(count);
            rest = others;
            lines.push(String::new());
            lines.push(format!("[{}]", KeyPath(section.to_vec())));
            section_lines(own, &comment, &mut lines);
        }
        lines
    }

    /// The resolved profile for programs.
    pub fn shown(&self, numbers: Option<&Numbers>) -> Shown {
        let values = self.in_order().into_iter().map(|(path, leaf)| {
            let result = numbers.and_then(|n| self.shown_result(path, leaf, n));
            ShownValue {
                path: path.to_string(),
                value: leaf.value.to_json(),
                fails: matches!(result, Some(Err(_))),
                result: result.map(|result| result.unwrap_or_else(|why| why)),
                from: leaf.place.provenance(),
            }
        });
        Shown {
            schema: "civicum-tune/profile/1",
            name: self.name.clone(),
            description: self.description.clone(),
            sha256: self.source_sha256(),
            sources: self.sources().map(|s| s.name().to_owned()).collect(),
            values: values.collect(),
        }
    }

    /// The value at a path as TOML has it, in TOML.
    pub(super) fn written(&self, path: &str) -> Option<String> {
        self.leaves.iter().find(|(own, _)| own.to_string() == path).map(|(_, leaf)| leaf.to_toml())
    }

    /// What a rule comes to, unless it says so itself; what a failing rule lacks.
    fn shown_result(&self, path: &KeyPath, leaf: &Leaf, numbers: &Numbers) -> Option<Result<String, String>> {
        let rule = leaf.value.rule()?;
        let result = match self.result(path, leaf, numbers)? {
            Ok(Quantity::Size(bytes)) => match path.0.get(1).filter(|_| path.0[0] == "sysctl") {
                Some(name) => (bytes.0 / sysctl::of(name).and_then(|k| k.unit).unwrap_or(1)).to_string(),
                None => bytes.to_string(),
            },
            Ok(number) => number.to_string(),
            Err(error) => return Some(Err(t!("no result ({why})", why = error.message))),
        };
        (result != rule.text()).then_some(Ok(result))
    }

    /// The values in the order of the format, what belongs to one service together.
    fn in_order(&self) -> Vec<(&KeyPath, &Leaf)> {
        const FILE: [&str; 4] = ["name", "description", "extends", "without"];
        let mut leaves: Vec<_> =
            self.leaves.iter().filter(|(path, _)| !FILE.contains(&path.0[0].as_str())).collect();
        let first =
            |path: &KeyPath| keys::KEYS.iter().position(|k| k.path.split('.').next() == Some(&path.0[0]));
        leaves.sort_by_cached_key(|(path, _)| {
            (first(path), (path.0.len() > 2).then(|| path.0[1].clone()), keys::rank(&path.0), (*path).clone())
        });
        leaves
    }
}

fn section_lines(
    leaves: &[(&KeyPath, &Leaf)],
    comment: &impl Fn(&KeyPath, &Leaf) -> String,
    lines: &mut Vec<String>,
) {
    let written: Vec<String> = leaves
        .iter()
        .map(|(path, leaf)| {
            format!("{} = {}", toml_key(path.0.last().map_or("", String::as_str)), leaf.to_toml())
        })
        .collect();
    let width = |line: &String| line.chars().count();
    let indent = written.iter().map(width).filter(|w| *w <= MOST_INDENT).max().unwrap_or(0);
    for (line, (path, leaf)) in written.iter().zip(leaves) {
        lines.push(format!("{line:indent$}{}", comment(path, leaf)));
    }
}

/// The section that a key stands in.
fn folder(path: &KeyPath) -> &[String] {
    path.0.split_last().map_or(&[], |(_, folder)| folder)
}

#[cfg(test)]
mod tests {
    use super::super::bundled::BUNDLED;
    use super::*;
    use crate::units::GIB;

    const HOST: Numbers = Numbers { ram_bytes: 12 * GIB, cores: 4, disk_bytes: 100 * GIB };

    #[test]
    fn what_is_shown_settles_to_the_same() {
        for bundled in &BUNDLED {
            let profile = Profile::load(bundled.name, &|_| Err(std::io::Error::other("no"))).unwrap();
            for numbers in [None, Some(&HOST)] {
                let text = profile.show(numbers).join("\n");
                let again = Profile::parse(&text, "shown.toml").unwrap();
                let host = profile.nominal();
                assert_eq!(profile.settle(&host), again.settle(&host), "{text}");
                assert_eq!(again.show(None).len(), profile.show(None).len());
            }
        }
    }

    #[test]
    fn results_and_origins_stand_behind_the_values() {
        let text = "[swap]\nsize = 'min(ram / 3, 4GiB)'\npath = '/a.swap'\n[sysctl]\n\"vm.min_free_kbytes\" = '1% of ram'\n\
                    [services.b]\ncpus = 'cores - 1'\nmemory = '1GiB'\nenvironment.A = '\\'\n[services.a]\ncpus = 1.50\n";
        let profile = Profile::parse(text, "x.toml").unwrap();
        assert_eq!(
            profile.show(Some(&HOST)).join("\n"),
            r#"name = "x"

[swap]
size = "min(ram / 3, 4GiB)"  # = 4GiB, from x.toml:2
path = "/a.swap"             # from x.toml:3

[sysctl]
"vm.min_free_kbytes" = "1% of ram"  # = 124928, from x.toml:5

[services.a]
cpus = 1.5  # from x.toml:11

[services.b]
memory = "1GiB"     # from x.toml:8
cpus = "cores - 1"  # = 3, from x.toml:7

[services.b.environment]
A = "\\"  # from x.toml:9"#
        );
        let json = serde_json::to_value(profile.shown(Some(&HOST))).unwrap();
        assert_eq!(json["values"][0]["result"], "4GiB");
        assert_eq!(json["values"][0]["from"]["line"], 2);
        assert_eq!(json["values"][2]["path"], "sysctl.\"vm.min_free_kbytes\"");
    }
}
