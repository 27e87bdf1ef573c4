//! What GRUB's configuration says: the files that `grub.cfg` is made from, and `grub.cfg` itself.

use std::collections::BTreeSet;

use crate::host::Host;

/// The variable whose words go on the kernel lines of the normal entries.
pub const DEFAULT: &str = "GRUB_CMDLINE_LINUX_DEFAULT";
/// The variable whose words go on every kernel line, the recovery entries' too.
pub const ALWAYS: &str = "GRUB_CMDLINE_LINUX";
/// Ubuntu's cloud images: the root partition for a boot without initramfs.
pub const FORCE_PARTUUID: &str = "GRUB_FORCE_PARTUUID";
/// Read first, and then the files of the folder beside it.
pub const FIRST: &str = "/etc/default/grub";
const FOLDER: &str = "/etc/default/grub.d";

/// One line that sets a variable of the shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// The variable.
    pub name: String,
    /// The words of the value that stand there as they are.
    pub words: Vec<String>,
    /// The value takes up what the variable held before.
    pub keeps: bool,
    /// Only a shell could tell: it is in an `if` or a loop, or takes a command's output.
    pub unsure: bool,
    /// The line itself.
    pub text: String,
}

/// Every file that `grub-mkconfig` reads, in its order, with its text.
pub struct Files(pub Vec<(String, String)>);

impl Files {
    /// Reads them. One that can't be read is an error in words: nothing can be said of the whole then.
    pub fn read(host: &Host) -> Result<Self, String> {
        let told = |e: crate::host::HostError| e.to_string();
        let names = host.list(FOLDER).map_err(told)?;
        let mut files = Vec::new();
        let paths = names.iter().filter(|name| name.ends_with(".cfg") && !name.starts_with('.'));
        for path in std::iter::once(FIRST.to_owned()).chain(paths.map(|name| format!("{FOLDER}/{name}"))) {
            if let Some(text) = host.read_text(&path).map_err(told)? {
                files.push((path, text));
            }
        }
        Ok(Self(files))
    }

    /// Every line that sets this variable, in order.
    pub fn assignments(&self, name: &str) -> Vec<Assignment> {
        self.0.iter().flat_map(|(file, text)| parse(file, text)).filter(|a| a.name == name).collect()
    }
}

/// One word of a variable, and the line that it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub word: String,
    /// The line, by its place among the assignments.
    pub from: usize,
}

/// What a variable holds in the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// Its words.
    pub words: Vec<Word>,
    /// Words that an earlier line gave it, and the later line that set it anew.
    pub lost: Vec<(Word, usize)>,
    /// There was a line that only a shell could tell about.
    pub unsure: bool,
}

/// Follows the lines that set one variable.
pub fn effect(assignments: &[Assignment]) -> Effect {
    let mut effect = Effect::default();
    for (from, assignment) in assignments.iter().enumerate() {
        effect.unsure |= assignment.unsure;
        if !assignment.keeps && !assignment.unsure {
            effect.lost.extend(effect.words.drain(..).map(|word| (word, from)));
        }
        effect.words.extend(assignment.words.iter().map(|word| Word { word: word.clone(), from }));
    }
    effect
}

/// Reads the text of one file, which is a piece of shell.
pub fn parse(file: &str, text: &str) -> Vec<Assignment> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let number = at + 1;
        at += 1;
        let line = line.trim();
        match line.split([' ', ';', '\t']).next() {
            Some("if" | "case" | "for" | "while" | "until") => depth += 1,
            Some("fi" | "esac" | "done") => depth = depth.saturating_sub(1),
            _ => {}
        }
        let statement = line.strip_prefix("export ").unwrap_or(line).trim_start();
        let Some((name, rest)) = statement.split_once('=').filter(|(name, _)| is_name(name)) else {
            continue;
        };
        let (mut value, mut is_whole) = unquote(rest);
        let mut rest = rest.to_owned();
        // A quoted value may go on over several lines.
        while let Some(more) = lines.get(at).filter(|_| !is_whole) {
            at += 1;
            rest = format!("{}\n{more}", rest.strip_suffix('\\').unwrap_or(&rest));
            (value, is_whole) = unquote(&rest);
            if rest.len() > 1 << 16 {
                break;
            }
        }
        found.push(Assignment {
            file: file.to_owned(),
            line: number,
            name: name.to_owned(),
            words: value
                .split_whitespace()
                .filter(|word| !word.contains(['$', '`']))
                .map(str::to_owned)
                .collect(),
            keeps: variables(&value).contains(name),
            unsure: depth > 0 || ["$(", "`", ":+"].iter().any(|sign| value.contains(sign)),
            text: line.to_owned(),
        });
    }
    found
}

fn is_name(text: &str) -> bool {
    text.starts_with("GRUB_")
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// The value behind `=` without its quotes, and whether its last quote is closed.
fn unquote(text: &str) -> (String, bool) {
    let mut value = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if c == open => quote = None,
            (None, ' ' | '\t' | ';' | '\n') => break,
            (None | Some('"'), '\\') => value.extend(chars.next().filter(|next| *next != '\n')),
            _ => value.push(c),
        }
    }
    (value, quote.is_none())
}

/// The variables that a value takes up: `$NAME`, `${NAME}`, `${NAME:-…}`.
fn variables(value: &str) -> BTreeSet<&str> {
    value
        .split('$')
        .skip(1)
        .filter_map(|rest| {
            let rest = rest.strip_prefix('{').unwrap_or(rest);
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            Some(&rest[..end]).filter(|name| !name.is_empty())
        })
        .collect()
}

/// One line of `grub.cfg` that loads a Linux kernel of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelLine<'a> {
    /// From 1.
    pub number: usize,
    /// The line without the blanks at its ends.
    pub text: &'a str,
    /// It is a recovery entry's, which carries fewer arguments.
    pub is_recovery: bool,
}

impl KernelLine<'_> {
    /// Does it carry this very word?
    pub fn has(&self, word: &str) -> bool {
        self.text.split_whitespace().any(|own| own == word)
    }
}

/// The kernel lines of `grub.cfg`. Memory testers, other systems and hand-written entries are left out.
pub fn kernel_lines(grub_cfg: &str) -> Vec<KernelLine<'_>> {
    let mut section: Option<&str> = None;
    let mut found = Vec::new();
    for (at, line) in grub_cfg.lines().enumerate() {
        let text = line.trim();
        if let Some(rest) = text.strip_prefix("### BEGIN ") {
            section = rest.split_whitespace().next();
        } else if text.starts_with("### END ") {
            section = None;
        }
        let is_ours = section.is_none_or(|path| path.contains("linux") || path.ends_with("/10_kali"));
        let mut words = text.split_whitespace();
        if !is_ours || !matches!(words.next(), Some("linux" | "linux16" | "linuxefi")) {
            continue;
        }
        let Some(kernel) = words.next().and_then(|path| path.rsplit('/').next()) else { continue };
        if ["vmlinuz", "vmlinux", "kernel"].iter().any(|name| kernel.starts_with(name)) {
            let is_recovery = words.any(|word| word == "single" || word == "recovery");
            found.push(KernelLine { number: at + 1, text, is_recovery });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Assignment {
        let found = parse("f", text);
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }

    #[test]
    fn values_as_a_shell_reads_them() {
        assert_eq!(one("GRUB_CMDLINE_LINUX=\"a b\" # c").words, ["a", "b"]);
        assert_eq!(one("export GRUB_CMDLINE_LINUX='a'\"b\"").words, ["ab"]);
        assert_eq!(one("GRUB_CMDLINE_LINUX=a b").words, ["a"]);
        assert_eq!(one("GRUB_CMDLINE_LINUX=\"a \\\n  b\"\nnonsense").words, ["a", "b"]);
        assert_eq!(one("GRUB_CMDLINE_LINUX=\"never closed\nb").words, ["never", "closed", "b"]);
        assert!(parse("f", "# GRUB_CMDLINE_LINUX=a\n[ a=b ]\nx=1\n=\n").is_empty());
    }

    #[test]
    fn what_was_before_is_kept_or_lost() {
        let keeps = one("GRUB_CMDLINE_LINUX_DEFAULT=\"${GRUB_CMDLINE_LINUX_DEFAULT:-} psi=1\"");
        assert!(keeps.keeps && keeps.words == ["psi=1"]);
        let other = one("GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX_DEFAULT psi=1\"");
        assert!(!other.keeps, "another variable");
        let files = Files(vec![
            ("a".into(), "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet psi=1\"".into()),
            ("b".into(), "GRUB_CMDLINE_LINUX_DEFAULT=\"console=tty1\"".into()),
            ("c".into(), "GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT x\"".into()),
        ]);
        let effect = effect(&files.assignments(DEFAULT));
        let words: Vec<&str> = effect.words.iter().map(|word| word.word.as_str()).collect();
        assert_eq!(words, ["console=tty1", "x"]);
        assert_eq!((effect.lost.len(), effect.lost[1].1, effect.lost[1].0.from), (2, 1, 0));
    }

    #[test]
    fn only_a_shell_could_tell() {
        let found = parse("f", "if true; then\n  GRUB_CMDLINE_LINUX=a\nfi\nGRUB_CMDLINE_LINUX=b\n");
        assert!(found[0].unsure && !found[1].unsure);
        assert!(one("GRUB_CMDLINE_LINUX=\"$(cat /x)\"").unsure);
    }

    #[test]
    fn kernel_lines_of_this_host() {
        let cfg = "### BEGIN /etc/grub.d/10_linux ###\n\tlinux /boot/vmlinuz-6 root=x ro quiet\n\
                   \tlinux /boot/vmlinuz-6 root=x ro single\n### END /etc/grub.d/10_linux ###\n\
                   ### BEGIN /etc/grub.d/30_os-prober ###\nlinux /boot/vmlinuz-5 root=y\n### END x ###\n\
                   linux16 /boot/memtest86+.bin\nlinux\n";
        let lines = kernel_lines(cfg);
        assert_eq!(
            lines.iter().map(|line| (line.number, line.is_recovery)).collect::<Vec<_>>(),
            [(2, false), (3, true)]
        );
        assert!(lines[0].has("quiet") && !lines[0].has("qui"));
    }
}
