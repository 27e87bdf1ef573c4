//! What nearly every command needs first: the host, its facts, and the profile that counts.

use crate::t;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use nix::errno::Errno;

use super::Global;
use crate::facts::Facts;
use crate::host::{Host, HostError, Image, handed};
use crate::plan::{self, Note, Plan, SavedPlan};
use crate::profile::{self, Finding, Numbers, Profile, Settings};
use crate::render::style::printable;
use crate::tunable::{Context, boot_line_lacks};
use crate::units::Bytes;

/// Where a host's own profile is kept.
pub(super) const OWN_PROFILE: &str = "/etc/civicum-tune/profile.toml";

/// A host and what is wanted of it.
pub(super) struct Session {
    /// The host.
    pub host: Host,
    /// What it is.
    pub facts: Facts,
    /// The profile that counts; `None` where a saved plan says what is wanted.
    pub chosen: Option<Profile>,
    /// What is wanted.
    pub settings: Settings,
    /// The text that `apply` leaves in the host's own profile; `None` where it came from there.
    pub remember: Option<String>,
    root: Option<std::path::PathBuf>,
    profile: Option<String>,
}

impl Session {
    /// Looks at the host and chooses the profile: the one named, else the host's own, else the bundled one that fits.
    pub(super) fn open(global: &Global, record_seen: bool) -> anyhow::Result<Self> {
        let host = open_host(global)?;
        if record_seen {
            host.record_seen();
        }
        let facts = Facts::read(&host)?;
        let (profile, is_own) = chosen(global, &host, &facts)?;
        let settings = settle(&profile, &host, &facts)?;
        let remember = (!is_own).then(|| profile.keepsake());
        Ok(Self {
            host,
            facts,
            chosen: Some(profile),
            settings,
            remember,
            root: global.root.clone(),
            profile: global.profile.clone(),
        })
    }

    /// The host as it is now, with what a saved plan wanted.
    pub(super) fn of(global: &Global, saved: &SavedPlan) -> anyhow::Result<Self> {
        let host = open_host(global)?;
        host.record_seen();
        let facts = Facts::read(&host)?;
        let (settings, remember) = (saved.settings.clone(), saved.remember.clone());
        if remember.is_none() {
            // The host's own profile was what counted: the plan saw it too.
            host.read(OWN_PROFILE)?;
        }
        Ok(Self { host, facts, chosen: None, settings, remember, root: global.root.clone(), profile: None })
    }

    /// Compares the host with what is wanted.
    pub(super) fn plan(&self) -> Result<Plan, HostError> {
        let mut plan = plan::build(&self.settings, &self.facts, &self.host, self.remember.as_deref())?;
        let ram = Bytes(self.facts.memory.total_bytes);
        let least = self.chosen.as_ref().and_then(Profile::at_least);
        if let Some(least) = least.filter(|least| ram.0 > 0 && ram < *least) {
            let text = t!(
                "the profile is made for at least {least} of RAM, and the host has {ram}; the bundled profile for this host is {name}",
                least = least,
                ram = ram,
                name = profile::best_for(ram.0)
            );
            plan.notes.push(Note { tunable: "profile".to_owned(), text });
        }
        Ok(plan)
    }

    /// The same with fresh facts.
    pub(super) fn look_again(self) -> anyhow::Result<Self> {
        let facts = Facts::read(&self.host)?;
        Ok(Self { facts, ..self })
    }

    /// Whether the running kernel was really booted with what is wanted on its command line.
    pub(super) fn boot_proof(&self, generation: u32) -> String {
        let context = Context { wish: &self.settings, facts: &self.facts, host: &self.host, remember: None };
        let args = context.kernel_args();
        let missing = boot_line_lacks(&self.facts.boot.cmdline, &args);
        if missing.is_empty() {
            return t!(
                "Generation {generation} is proved: the running kernel was booted with {args}.",
                generation = generation,
                args = args.join(" ")
            );
        }
        t!(
            "Generation {generation} did not reach the boot line: the running kernel was booted without {args}. \
             The host may boot another way than through its own GRUB.",
            generation = generation,
            args = missing.join(" ")
        )
    }

    /// A command line for the same host.
    pub(super) fn at_root(&self, command: &str) -> String {
        at_root(self.root.as_deref(), command)
    }

    /// The command line that does `command` to the same host with the same profile.
    pub(super) fn again(&self, command: &str) -> String {
        let mut line = self.at_root(command);
        if let Some(profile) = &self.profile {
            line += &format!(" --profile {}", shell_word(profile));
        }
        line
    }
}

/// A command line for the host that `--root` names.
pub(super) fn at_root(root: Option<&Path>, command: &str) -> String {
    let mut line = format!("civicum-tune {command}");
    if let Some(root) = root {
        line += &format!(" --root {}", shell_word(&root.to_string_lossy()));
    }
    line
}

/// The live host, or the tree that `--root` names.
pub(super) fn open_host(global: &Global) -> anyhow::Result<Host> {
    let live = Host::live()?;
    let Some(root) = &global.root else { return Ok(live) };
    let tree = Host::at(root).with_context(|| {
        t!(
            "--root {root} can't be looked at; it has to be the folder that a host's etc and usr are in",
            root = root.display()
        )
    })?;
    // A mistyped folder would be planned for as an empty host, and filled.
    if !["/etc", "/usr", "/proc", "/sys"].iter().any(|folder| tree.exists(folder)) {
        bail!(t!(
            "{root} holds no host's files: neither etc nor usr, proc or sys; --root names the folder that they are in",
            root = root.display()
        ));
    }
    // `--root /`, however it is spelled, is the running machine's own files, and it is the machine that is meant.
    Ok(if tree.is_same_as(&live) { live } else { tree })
}

/// A word as one types it into a shell.
pub(super) fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./+=:@%,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The profile that counts, and whether it is the host's own.
pub(super) fn chosen(global: &Global, host: &Host, facts: &Facts) -> anyhow::Result<(Profile, bool)> {
    let here = Host::live()?;
    if let Some(name) = &global.profile {
        return Ok((Profile::load(name, &profile::reader(&here)).map_err(|f| refused(&f))?, false));
    }
    if host.exists(OWN_PROFILE) {
        // The host's own file and what it extends lie in the host's tree.
        let own = Profile::load(OWN_PROFILE, &profile::reader(host)).map_err(|f| refused(&f))?;
        return Ok((own, true));
    }
    let name = profile::best_for(facts.memory.total_bytes);
    Ok((Profile::load(name, &profile::reader(&here)).map_err(|f| refused(&f))?, false))
}

/// Evaluates the sizing rules for this host.
pub(super) fn settle(profile: &Profile, host: &Host, facts: &Facts) -> anyhow::Result<Settings> {
    profile.settle(&numbers(profile, host, facts)).map_err(|findings| refused(&findings))
}

/// The figures that sizing rules may use.
pub(super) fn numbers(profile: &Profile, host: &Host, facts: &Facts) -> Numbers {
    let disk = host.space(profile.swap_path()).map_or(0, |space| space.total);
    let threads = u64::try_from(facts.cpu.threads).unwrap_or(0);
    let nominal = profile.nominal();
    // A tree without /proc does not tell; then the host that the profile is made for stands in.
    let or = |told: u64, nominal: u64| if told == 0 { nominal } else { told };
    Numbers {
        ram_bytes: or(facts.memory.total_bytes, nominal.ram_bytes),
        cores: or(threads, nominal.cores),
        disk_bytes: or(disk, nominal.disk_bytes),
    }
}

/// All findings as one error.
pub(super) fn refused(findings: &[Finding]) -> anyhow::Error {
    let count = findings.iter().filter(|finding| finding.is_error()).count();
    let head = if count == 1 {
        t!("the profile can't be used (1 error)")
    } else {
        t!("the profile can't be used ({count} errors)", count = count)
    };
    anyhow!("{head}\n{}", profile::excerpt::render_all(findings).trim_end())
}

/// A file that the user named on the command line, on this machine whatever `--root` says.
pub(super) fn read_here(path: &Path) -> anyhow::Result<Vec<u8>> {
    if let Some(bytes) = handed(path) {
        return Ok(bytes?);
    }
    let absolute = std::path::absolute(path)?;
    let found = Host::live()?.read(&absolute.to_string_lossy())?;
    Ok(found.ok_or_else(|| HostError::new("read", path, Errno::ENOENT.into()))?)
}

/// Writes a file that the user named on the command line, on this machine whatever `--root` says.
pub(super) fn put_here(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let absolute = std::path::absolute(path)?;
    let (Some(folder), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        anyhow::bail!(t!("{path} does not name a file", path = path.display()));
    };
    let (at, name) = (Host::at(folder), format!("/{}", name.to_string_lossy()));
    let folder = at.with_context(|| t!("{path} can't be written", path = path.display()))?;
    if !matches!(folder.image(&name)?, Image::Absent | Image::File { .. }) {
        anyhow::bail!(t!("{path} is no plain file; name one, or a new one", path = path.display()));
    }
    Ok(folder.replace(&name, &Image::file(text, mode))?)
}

/// A model's server that a document may go to: on this host, or in its private network.
pub(super) fn near(url: &str) -> anyhow::Result<()> {
    match crate::profile::outside("URL", url).first() {
        None => Ok(()),
        Some(host) => bail!(t!(
            "{host} is not on this host or its private network, and documents don't leave it; name a server of its own, as in http://127.0.0.1:8080",
            host = printable(host)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_a_shell() {
        assert_eq!(shell_word("/mnt/image-1"), "/mnt/image-1");
        assert_eq!(shell_word("/mnt/my image"), "'/mnt/my image'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
    }
}
