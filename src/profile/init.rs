//! `profile init`: a profile for this host, with all that one may want to change in it, commented out.

use std::fmt::Write as _;

use super::finding::printable;
use super::keys::{KEYS, Key};
use super::numbers::Numbers;
use super::show::{Shown, ShownValue};
use super::value::{toml_key, toml_string};
use super::{Profile, best_for};
use crate::container::role::Role;
use crate::facts::Facts;
use crate::lang::say;
use crate::t;
use crate::units::{Bytes, GIB};

/// Columns of prose.
const WIDTH: usize = 110;

/// The text. It extends the bundled profile that fits the host; its headers stand, its keys are commented out with
/// the values that hold without them, so that uncommenting one is where a change begins.
pub fn init(facts: &Facts) -> String {
    let base = best_for(facts.memory.total_bytes);
    let cores = facts.cpu.threads;
    let mut out = String::new();
    let _ = writeln!(out, "# {}\n#", t!("A profile for this host, written by `civicum-tune profile init`."));
    for (what, figure) in figures(facts) {
        let _ = writeln!(out, "#   {:<10} {}", say(what), printable(&figure));
    }
    out.push_str("#\n");
    prose(
        &mut out,
        &t!(
            "What is not said here holds as the bundled profile {base} has it. Lines that start with # and no blank are \
             keys with the values that hold; take the # away and change the value. `civicum-tune validate FILE` checks \
             the result, `civicum-tune profile show FILE` shows all that holds, and `civicum-tune plan --profile FILE` \
             what it would change on the host. To let go of something inherited: without = [\"swap\", \"services.proxy\"]",
            base = base
        ),
    );
    out.push('\n');
    let description = match (cores, facts.memory.total_bytes) {
        (0, _) | (_, 0) => t!("{base}, on a host that does not tell its size", base = base),
        (1, bytes) => t!("{base}, on a host with 1 CPU and {size} of RAM", base = base, size = gib(bytes)),
        (cores, bytes) => t!(
            "{base}, on a host with {cores} CPUs and {size} of RAM",
            base = base,
            cores = cores,
            size = gib(bytes)
        ),
    };
    let _ = writeln!(
        out,
        "name = \"this-host\"\ndescription = {}\nextends = {}",
        toml_string(&description),
        toml_string(base)
    );
    // Bundled profiles are there and valid: a test loads each of them.
    if let Ok(profile) = Profile::load(base, &|_| Err(std::io::ErrorKind::NotFound.into())) {
        let numbers = Numbers { ram_bytes: facts.memory.total_bytes, cores: cores as u64, disk_bytes: 0 };
        sections(&mut out, &profile, &numbers);
    }
    out
}

/// To a tenth of a GiB, as people know their host.
fn gib(bytes: u64) -> String {
    let tenths = u128::from(bytes) * 10 / u128::from(GIB);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

/// What one should know of the host while reading on. An image tells little of it.
fn figures(facts: &Facts) -> Vec<(&'static str, String)> {
    let memory = &facts.memory;
    let told = memory.total_bytes > 0;
    let list = |items: Vec<String>| match (items.is_empty(), told) {
        (false, _) => items.join(", "),
        (true, true) => t!("none"),
        (true, false) => t!("not told"),
    };
    let or_not_told = |text: String| if text.is_empty() { t!("not told") } else { text };
    let linux = Some(&facts.kernel.release).filter(|release| !release.is_empty());
    let system = Some(facts.os.name.clone()).filter(|name| !name.is_empty());
    let system: Vec<String> =
        system.into_iter().chain(linux.map(|release| format!("Linux {release}"))).collect();
    let vector = if facts.cpu.avx512_usable { "AVX-512".to_owned() } else { t!("no AVX-512") };
    let processor = match facts.cpu.threads {
        0 => t!("not told"),
        1 => t!("{processor}, 1 CPU, {vector}", processor = facts.cpu.name, vector = vector),
        threads => t!(
            "{processor}, {threads} CPUs, {vector}",
            processor = facts.cpu.name,
            threads = threads,
            vector = vector
        ),
    };
    let zswap = match (facts.zswap.available, facts.zswap.enabled) {
        (false, _) if !told => t!("not told"),
        (false, _) => t!("not in this kernel"),
        (true, false) => t!("off"),
        (true, true) => {
            let parts = [facts.zswap.compressor.clone(), facts.zswap.zpool.clone()];
            std::iter::once(t!("on")).chain(parts.into_iter().flatten()).collect::<Vec<_>>().join(", ")
        }
    };
    let ram = match memory.total_bytes {
        0 => t!("not told"),
        bytes => format!("{} ({} MiB)", gib(bytes), Bytes(bytes).as_mib()),
    };
    let swap = facts.swap.iter().map(|s| format!("{} ({}, {})", s.path, s.kind, Bytes(s.size_bytes)));
    let disks = facts.disks.iter().map(|d| format!("{} ({}, {})", d.name, d.kind, Bytes(d.size_bytes)));
    vec![
        ("system", or_not_told(system.join(", "))),
        ("processor", processor),
        ("memory", ram),
        ("swap", list(swap.collect())),
        ("zswap", zswap),
        ("disks", list(disks.collect())),
    ]
}

fn sections(out: &mut String, profile: &Profile, numbers: &Numbers) {
    let mut writer = Writer { profile, shown: profile.shown(Some(numbers)), explained: Vec::new() };
    let (services, plain): (Vec<_>, Vec<_>) =
        table().into_iter().partition(|(section, _)| section.starts_with("services."));
    // A new profile has nothing to waive.
    for (section, keys) in plain.iter().filter(|(section, _)| !section.starts_with("waivers.")) {
        // Containers come before what they may send: the order of the format.
        if *section == "sovereignty" {
            for name in profile.names_in("services") {
                // A worker's own keys stand where there is one.
                let fits = |key: &&&Key| Role::of(name, None) == Role::Worker || !is_workers(key.path);
                for (section, keys) in &services {
                    let keys: Vec<&Key> = keys.iter().filter(fits).copied().collect();
                    writer.section(out, &section.replace('*', name), &keys);
                }
            }
        }
        writer.section(out, section, keys);
    }
}

fn is_workers(path: &str) -> bool {
    let of = ["services.*.reading.", "services.*.extraction.", "services.*.retention.", "services.*.schemas"];
    of.iter().any(|start| path.starts_with(start))
}

struct Writer<'p> {
    profile: &'p Profile,
    shown: Shown,
    /// Keys whose meaning has been said: of several services only the first explains them.
    explained: Vec<&'static str>,
}

impl Writer<'_> {
    fn section(&mut self, out: &mut String, header: &str, keys: &[&'static Key]) {
        let mut body = String::new();
        for key in keys {
            let (_, last) = key.path.rsplit_once('.').unwrap_or(("", key.path));
            let place = format!("{header}.{last}");
            let held: Vec<&ShownValue> = self
                .shown
                .values
                .iter()
                .filter(|v| match place.strip_suffix('*') {
                    Some(start) => v.path.starts_with(start),
                    None => v.path == place,
                })
                .collect();
            let first = !self.explained.contains(&key.path);
            if held.is_empty() && (!first || last == "*") {
                continue;
            }
            if first {
                prose(&mut body, &say(key.doc));
                self.explained.push(key.path);
            }
            for value in &held {
                let name = value.path.strip_prefix(&format!("{header}.")).unwrap_or(&value.path);
                let written = self.profile.written(&value.path).unwrap_or_default();
                let result = value.result.as_ref().filter(|_| !value.fails);
                let result = result.map_or_else(String::new, |result| {
                    format!("  # {}", t!("= {result} here", result = result))
                });
                let _ = writeln!(body, "#{name} = {written}{result}");
            }
            if held.is_empty() {
                let name = toml_key(last);
                let remark = t!("an example; without it: {default}", default = say(key.default));
                let _ = writeln!(body, "#{name} = {}  # {remark}", key.example);
            }
        }
        if !body.is_empty() {
            let _ = write!(out, "\n[{header}]\n{body}");
        }
    }
}

/// The sections of the format with their keys, in its order; those at the top are written above.
fn table() -> Vec<(&'static str, Vec<&'static Key>)> {
    let mut sections: Vec<(&str, Vec<&Key>)> = Vec::new();
    for key in &KEYS {
        let Some((section, _)) = key.path.rsplit_once('.') else { continue };
        match sections.iter_mut().find(|(name, _)| *name == section) {
            Some((_, keys)) => keys.push(key),
            None => sections.push((section, vec![key])),
        }
    }
    sections
}

/// A comment, broken at words.
fn prose(out: &mut String, text: &str) {
    let mut line = "#".to_owned();
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{line}");
            "#".clone_into(&mut line);
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
}

#[cfg(test)]
mod tests {
    use super::super::excerpt::render_all;
    use super::super::validate::check_file;
    use super::*;
    use crate::facts::{Disk, SwapArea};
    use crate::units::MIB;

    fn host(mib: u64) -> Facts {
        let mut facts = Facts::default();
        facts.os.name = "Ubuntu 24.04.1 LTS".to_owned();
        facts.kernel.release = "6.8.0-45-generic".to_owned();
        facts.cpu.name = "AMD EPYC 9354 32-Core Processor".to_owned();
        facts.cpu.threads = 4;
        facts.memory.total_bytes = mib * MIB;
        facts.disks.push(Disk {
            name: "vda".into(),
            kind: "virtual".into(),
            size_bytes: 100 << 30,
            model: None,
        });
        facts.swap.push(SwapArea { path: "/swap\n[x]".into(), kind: "file".into(), ..SwapArea::default() });
        facts
    }

    fn findings(text: &str) -> String {
        render_all(&check_file("x.toml", &|_| Ok(text.as_bytes().to_vec())))
    }

    #[test]
    fn it_is_valid_as_it_stands_and_settles_as_the_bundled_one() {
        for mib in [0, 2000, 7500, 11_700, 15_900, 60_000] {
            let text = init(&host(mib));
            assert_eq!(findings(&text), "", "{text}");
            let numbers = Numbers::nominal(mib.max(1) * MIB);
            let own = Profile::parse(&text, "x.toml").unwrap().settle(&numbers).unwrap();
            let base =
                Profile::load(best_for(mib * MIB), &|_| Err(std::io::ErrorKind::NotFound.into())).unwrap();
            let mut base = base.settle(&numbers).unwrap();
            base.name.clone_from(&own.name);
            base.description.clone_from(&own.description);
            assert_eq!(own, base);
            assert!(text.lines().all(|line| line.chars().count() <= 140), "{text}");
        }
    }

    #[test]
    fn of_an_image_it_claims_nothing() {
        let text = init(&Facts::default());
        let told =
            text.lines().skip(2).take(6).map(|line| line.split_whitespace().skip(2).collect::<Vec<_>>());
        assert!(told.clone().all(|words| words == ["not", "told"]), "{text}");
        assert!(text.contains("on a host that does not tell its size"), "{text}");
        assert!(!text.contains("no AVX-512") && !text.contains(" 0 CPUs"), "{text}");
    }

    #[test]
    fn it_is_valid_with_every_key_uncommented() {
        // These two say in whose stead they stand, or what they cost.
        let is_told = |key: &str| key.starts_with("command = ") || key.starts_with("writable = ");
        for mib in [11_700, 2000] {
            let text: String = init(&host(mib))
                .lines()
                .map(|line| match line.strip_prefix('#') {
                    Some(key) if !key.starts_with(' ') && !is_told(key) => format!("{key}\n"),
                    _ => format!("{line}\n"),
                })
                .collect();
            assert!(text.contains("\nenabled = true"), "{text}");
            assert_eq!(findings(&text), "", "{text}");
        }
    }
}
