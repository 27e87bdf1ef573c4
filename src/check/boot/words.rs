//! Arguments that contradict each other, or the profile.

use std::collections::BTreeMap;

use super::super::{Evidence, Outcome, Scene};
use super::{booted_evidence, booted_words, chain, foreign, name};
use crate::t;

/// Arguments that hold one value, of which a second one is a mistake.
const SINGLE: [&str; 4] = ["psi", "swapaccount", "transparent_hugepage", "systemd.unified_cgroup_hierarchy"];

pub(super) fn twice(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = foreign(scene) {
        return outcome.into();
    }
    let words = match booted_words(scene) {
        Ok(words) => words,
        Err(outcome) => return outcome.into(),
    };
    let wanted = scene.cx.kernel_args();
    let mut values: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for word in words {
        let key = name(word);
        if key.starts_with("zswap.") || SINGLE.contains(&key.as_str()) {
            values.entry(key).or_default().push(word);
        }
    }
    let found: Vec<Outcome> = values
        .iter()
        .filter(|(_, words)| words.iter().any(|word| *word != words[0]))
        .map(|(key, words)| {
            let last = words.last().copied().unwrap_or_default();
            let asked = wanted.iter().find(|arg| name(arg) == *key);
            let actual = t!("{words}: the last one counts", words = words.join(" "));
            let fix = t!(
                "grep for {name} in /etc/default/grub and /etc/default/grub.d, take out all but one, and run update-grub",
                name = key
            );
            let outcome = match asked {
                Some(asked) if asked != last => Outcome::fail(actual, fix),
                _ => Outcome::warn(actual, fix),
            };
            outcome.of(key).expected(asked.map_or(last, String::as_str)).seen(booted_evidence(scene))
        })
        .collect();
    if found.is_empty() {
        return Outcome::pass(t!("each of them stands there once")).seen(booted_evidence(scene)).into();
    }
    found
}

fn is_off(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "0" | "n" | "no" | "off" | "f" | "false")
}

/// What this argument takes away from the profile, where it does.
fn harm(scene: &Scene<'_>, arg: &str, early: &[String]) -> Option<String> {
    let wish = scene.wish();
    let value = arg.split_once('=').map_or("", |(_, value)| value);
    let lists = |wanted: &str| value.split(',').any(|one| one.replace('-', "_") == wanted.replace('-', "_"));
    match name(arg).as_str() {
        "cgroup_disable" if lists("memory") => Some(t!("no container has a memory limit")),
        "cgroup_disable" if lists("pressure") && wish.boot.psi => {
            Some(t!("pressure is not told for each container"))
        }
        // From Linux 6.1 on the kernel says that it is deprecated, and counts swap all the same.
        "swapaccount" if is_off(value) && scene.facts().kernel.version < (6, 1) => {
            Some(t!("no container has a swap limit"))
        }
        "psi" if is_off(value) && wish.boot.psi => Some(t!("pressure is not told")),
        "zswap.enabled" if is_off(value) && wish.zswap.manage && wish.zswap.enabled => {
            Some(t!("zswap is off from the boot on"))
        }
        "systemd.unified_cgroup_hierarchy" if is_off(value) && wish.boot.cgroup_v2 => {
            Some(t!("cgroup v1 is mounted"))
        }
        "systemd.swap" if is_off(value) && wish.swap.size.0 > 0 => {
            Some(t!("systemd puts no swap to use at the boot"))
        }
        "noinitrd" if !early.is_empty() => Some(t!("no module is loaded early")),
        "module_blacklist" | "modprobe.blacklist" | "rd.driver.blacklist" => {
            let module = early.iter().find(|module| lists(module))?;
            Some(t!("the module {module} is never loaded", module = module))
        }
        _ => None,
    }
}

/// Of arguments with one value only the last one does anything.
fn in_force<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let many = ["cgroup_disable", "module_blacklist", "modprobe.blacklist", "rd.driver.blacklist"];
    let is_last = |at: usize, key: &str| words[at + 1..].iter().all(|later| name(later) != key);
    let counts = |(at, word): &(usize, &&'a str)| {
        let key = name(word);
        many.contains(&key.as_str()) || is_last(*at, &key)
    };
    words.iter().enumerate().filter(counts).map(|(_, word)| *word).collect()
}

pub(super) fn undone(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = foreign(scene) {
        return outcome.into();
    }
    let early = crate::tunable::initramfs::modules(&scene.cx);
    let mut found: BTreeMap<String, (String, Vec<Evidence>)> = BTreeMap::new();
    let mut look = |words: &[&str], evidence: &dyn Fn() -> Evidence| {
        for word in in_force(words) {
            if let Some(harm) = harm(scene, word, &early) {
                found.entry(word.to_owned()).or_insert((harm, Vec::new())).1.push(evidence());
            }
        }
    };
    let booted = booted_words(scene);
    if let Ok(words) = &booted {
        look(words, &|| booted_evidence(scene));
    }
    let text = chain::text(scene);
    if let Ok((path, text)) = text {
        for line in chain::normal_lines(text).unwrap_or_default() {
            let words: Vec<&str> = line.text.split_whitespace().collect();
            look(&words, &|| Evidence::line(path, line.number, line.text));
        }
    }
    if found.is_empty() {
        return match (booted, chain::text(scene)) {
            (Err(untold), Err(_)) => untold.into(),
            _ => Outcome::pass(t!("none does")).into(),
        };
    }
    found
        .into_iter()
        .map(|(word, (harm, mut evidence))| {
            evidence.truncate(4);
            let fix = t!(
                "take {word} out of /etc/default/grub or /etc/default/grub.d, run update-grub, and reboot",
                word = word
            );
            Outcome::fail(harm, fix).of(word).seen_all(evidence)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_of_a_kind_is_in_force() {
        let words = ["psi=0", "cgroup_disable=cpu", "psi=1", "cgroup_disable=memory"];
        assert_eq!(in_force(&words), ["cgroup_disable=cpu", "psi=1", "cgroup_disable=memory"]);
    }
}
