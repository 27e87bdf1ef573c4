//! `fstab(5)`, read line by line.

use super::swap::unescape;

/// One line that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// From 1.
    pub line: usize,
    /// The device, file or tag (`UUID=…`).
    pub spec: String,
    /// Where; `none` for swap.
    pub target: String,
    /// The type, `swap` for swap.
    pub fstype: String,
    /// Options, parted by commas.
    pub options: String,
    /// The line itself.
    pub text: String,
}

impl Entry {
    /// Does it carry this option?
    pub fn has(&self, option: &str) -> bool {
        self.options.split(',').any(|own| own == option)
    }
}

/// Reads the text. Lines with fewer than three words say nothing.
pub fn parse(text: &str) -> Vec<Entry> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with('#'))
        .filter_map(|(at, line)| {
            let mut words = line.split_whitespace();
            let (spec, target, fstype) = (words.next()?, words.next()?, words.next()?);
            Some(Entry {
                line: at + 1,
                spec: unescape(spec),
                target: unescape(target),
                fstype: fstype.to_owned(),
                options: words.next().unwrap_or("defaults").to_owned(),
                text: line.trim().to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_fstab() {
        let text =
            "# c\nUUID=1 / ext4 rw 0 1\n\n/swap\\040file none swap sw,pri=5\r\n/short none\n/x none swap";
        let entries = parse(text);
        assert_eq!(entries.len(), 3);
        assert_eq!(
            (entries[1].line, entries[1].spec.as_str(), entries[1].options.as_str()),
            (4, "/swap file", "sw,pri=5")
        );
        assert!(entries[1].has("pri=5") && !entries[2].has("pri=5"));
    }
}
