//! Kernel parameters by their sysctl names.

use crate::lang::say;
use crate::t;
use std::borrow::Cow;

use super::gap::{Because, tidy};
use super::template::fill;
use super::{Context, Doc, Gap, Tunable};
use crate::change::{Risk, Setting};
use crate::facts::sysctl::SysctlFiles;
use crate::host::HostError;
use crate::sysctl_name;

/// `/etc/sysctl.d/99-zz-civicum-tune.conf` and `/proc/sys`.
pub(super) struct Sysctl;

/// `99-zz-`: files are read in the order of their names, and `99-civicum…` would come before `99-sysctl.conf`.
pub const FILE: &str = "/etc/sysctl.d/99-zz-civicum-tune.conf";

/// Two names for one knob: setting one zeroes the other, and a 0 can't be written back.
const COUPLED: [(&str, &str); 6] = [
    ("vm.dirty_bytes", "vm.dirty_ratio"),
    ("vm.dirty_background_bytes", "vm.dirty_background_ratio"),
    ("vm.dirty_ratio", "vm.dirty_bytes"),
    ("vm.dirty_background_ratio", "vm.dirty_background_bytes"),
    ("vm.overcommit_kbytes", "vm.overcommit_ratio"),
    ("vm.overcommit_ratio", "vm.overcommit_kbytes"),
];

impl Tunable for Sysctl {
    fn doc(&self) -> &'static Doc {
        &Doc {
            id: "sysctl",
            title: "Kernel parameters",
            why: "With a compressed cache in front of the disk the kernel may swap earlier, one page at a time, and must start to \
                  reclaim before it is too late. The file's name makes it the last one, so that no provider's file wins over it.",
            cost: "Some memory is kept free on purpose (min_free_kbytes, watermark_scale_factor).",
            risk: "A value that is too high (min_free_kbytes) leaves no memory to work with; profiles are checked against the host.",
            source: "Linux Documentation/admin-guide/sysctl/vm.rst; sysctl.d(5)",
            undo: "`civicum-tune rollback` writes the earlier values back and removes the file.",
            keys: &["sysctl.*"],
        }
    }

    fn gap(&self, cx: &Context<'_>, gap: &mut Gap) -> Result<(), HostError> {
        let files = SysctlFiles::read(cx.host)?;
        let mut lines = Vec::new();
        for (key, value) in &cx.wish.sysctl {
            let path = sysctl_name::path(key);
            if cx.host.is_live() && !cx.host.exists(&path) {
                gap.note(t!(
                    "kernel {release} has no {key}; left out",
                    release = cx.facts.kernel.release,
                    key = key
                ));
                continue;
            }
            lines.push(format!("{key} = {value}"));
            let because = Because {
                summary: &format!("{key} = {value}"),
                reason: &reason(key),
                risk: if key == "vm.min_free_kbytes" { Risk::Medium } else { Risk::Low },
                reboot: false,
            };
            gap.poke(cx, &path, &tidy(value), restore(cx, key), &because);
            for other in files
                .assignments(key)
                .iter()
                .filter(|a| a.wins && a.file != FILE && comes_after_ours(&a.file))
            {
                if tidy(&other.value) != tidy(value) {
                    gap.block(t!("at boot {file}:{line} sets {key} = {value} after our file and wins; remove that line, or ask for {key} = {value} in the profile", file = other.file, line = other.line, key = key, value = other.value));
                }
            }
        }
        for line in files.lines_of(FILE).iter().filter(|line| !cx.wish.sysctl.contains_key(&line.key)) {
            gap.note(t!("{key} is not asked for any more: our file lets go of it, and the running kernel keeps {value} until the next boot", key = line.key, value = line.value.as_deref().unwrap_or_default()));
        }
        for tuner in cx.facts.tuners.iter().filter(|tuner| tuner.active && tuner.name == "tuned") {
            gap.note(t!("TuneD is active ({evidence}) and sets its own values again whenever it starts; `systemctl disable --now tuned`, or take \
                 these keys out of its profile", evidence = tuner.evidence));
        }
        for problem in &files.problems {
            gap.note(t!("{problem}; can't tell whether it sets a key of ours", problem = problem));
        }
        let because = Because {
            summary: &say("the same values after each boot"),
            reason: &say("read last, so that no other file wins over it"),
            risk: Risk::Low,
            reboot: false,
        };
        if lines.is_empty() {
            gap.no_file(
                cx,
                FILE,
                &Because { summary: &say("the profile sets no kernel parameter"), ..because },
            )?;
        } else {
            let text = fill(include_str!("../../templates/sysctl.conf"), &[("lines", &lines.join("\n"))]);
            gap.file(cx, FILE, &text, &because)?;
        }
        Ok(())
    }
}

fn comes_after_ours(file: &str) -> bool {
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    name(file) > name(FILE)
}

fn restore(cx: &Context<'_>, key: &str) -> Vec<Setting> {
    let Some((_, twin)) = COUPLED.iter().find(|(name, _)| *name == key) else { return Vec::new() };
    let value = |name: &str| cx.host.value(&sysctl_name::path(name));
    match (value(key).as_deref(), value(twin)) {
        (Some("0"), Some(value)) => vec![Setting { path: sysctl_name::path(twin), value }],
        _ => Vec::new(),
    }
}

fn reason(key: &str) -> Cow<'static, str> {
    match key {
        "vm.swappiness" => {
            say("with zswap a page that leaves RAM is cheap to get back, so idle ones may leave early")
        }
        "vm.vfs_cache_pressure" => {
            say("the kernel's own default, made sure of: names and inodes are given back as readily as pages")
        }
        "vm.page-cluster" => {
            say("zswap hands out single pages; reading eight at a time would decompress seven for nothing")
        }
        "vm.watermark_scale_factor" => {
            say("reclaim starts earlier and in the background, so that an allocation seldom has to wait")
        }
        "vm.min_free_kbytes" => {
            say("room for the kernel's own needs (network, interrupts) while the rest is full")
        }
        "vm.overcommit_memory" => {
            say("strict accounting breaks LLM runtimes and containers, which reserve more than they touch")
        }
        "vm.dirty_bytes" | "vm.dirty_background_bytes" => {
            say("a fixed amount of unwritten data, since a share of RAM is seconds of disk time")
        }
        "vm.max_map_count" => say("model runtimes and databases map many files"),
        "fs.inotify.max_user_watches" | "fs.inotify.max_user_instances" => {
            say("each container and worker watches files")
        }
        _ => say("the profile asks for it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_comes_after_the_usual_ones() {
        assert!(!comes_after_ours("/etc/sysctl.d/99-sysctl.conf"));
        assert!(!comes_after_ours("/usr/lib/sysctl.d/50-default.conf"));
        assert!(comes_after_ours("/etc/sysctl.d/zz-provider.conf"));
    }
}
