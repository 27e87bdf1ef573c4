//! The kernel command line, through a GRUB drop-in.

use nix::errno::Errno;

use super::gap::Because;
use super::template::fill;
use super::{Context, Doc, Gap, Tunable};
use crate::change::{Act, Risk};
use crate::facts::Loader;
use crate::host::{HostError, Image, sha256_hex};
use crate::lang::say;
use crate::t;
use crate::units::{Bytes, MIB};

/// `/etc/default/grub.d/zz-civicum-tune.cfg`.
pub(super) struct BootLine;

/// Named `zz-` because cloud images' `50-cloudimg-settings.cfg` sets the variable anew.
pub(crate) const DROP_IN: &str = "/etc/default/grub.d/zz-civicum-tune.cfg";

impl Tunable for BootLine {
    fn doc(&self) -> &'static Doc {
        &Doc {
            id: "boot",
            title: "Kernel command line",
            why: "zswap is to work from the first second, not only after a service ran. Cloud images set the command line in a \
                  file of their own that is read after /etc/default/grub, so that an edit there is lost; this drop-in comes last.",
            cost: "One small file; grub.cfg is generated anew once.",
            risk: "A broken grub.cfg would keep the host from booting: the new one is generated beside the old one, checked with \
                   grub-script-check, and takes its place in one step.",
            source: "grub-mkconfig(8); /etc/default/grub.d of Debian's and Ubuntu's cloud images",
            undo: "`civicum-tune rollback` removes the drop-in and generates grub.cfg again; then reboot.",
            keys: &["boot.manage", "boot.kernel_args"],
        }
    }

    fn gap(&self, cx: &Context<'_>, gap: &mut Gap) -> Result<(), HostError> {
        let args = cx.kernel_args();
        // A drop-in of ours that nobody asks for any more goes.
        if !cx.wish.boot.manage && args.is_empty() && !cx.host.exists(DROP_IN) {
            return Ok(());
        }
        if cx.facts.boot.loader != Loader::Grub {
            if !args.is_empty() {
                gap.note(no_grub(cx.facts.boot.loader, &args, cx.has_systemd()));
            }
            return Ok(());
        }
        let because = Because {
            summary: &t!("boot with {args}", args = args.join(" ")),
            reason: &say("from the first second, and behind every other file that sets the command line"),
            risk: Risk::High,
            reboot: true,
        };
        let begun = gap.changes.len();
        let differs = if args.is_empty() {
            gap.no_file(
                cx,
                DROP_IN,
                &Because { summary: &say("nothing to add to the boot line"), ..because },
            )?
        } else {
            gap.file(cx, DROP_IN, &drop_in(&args), &because)?
        };
        let Some(path) = cx.facts.boot.grub_cfg.clone() else { return Ok(()) };
        let outdated = match cx.host.read_text(&path) {
            Ok(text) => text.is_some_and(|text| !boots_with(&text, &args)),
            Err(e) => {
                gap.note(t!("can't tell whether {path} is current: {e}", path = path, e = e));
                false
            }
        };
        if !(differs || outdated) {
            return Ok(());
        }
        if !cx.host.is_live() {
            gap.inside("update-grub");
            return Ok(());
        }
        let obstacle = match cx.host.image(&path) {
            Ok(Image::File { .. }) => no_room(cx, &path),
            Ok(_) => {
                Some(t!("{path} is no plain file, and civicum-tune replaces plain files only", path = path))
            }
            // Debian's is root's to read. An ordinary user's plan does without, and only root can carry it out.
            Err(e) if e.errno() == Some(Errno::EACCES) => None,
            Err(e) => return Err(e),
        };
        if let Some(obstacle) = obstacle {
            gap.block(obstacle);
            gap.changes.truncate(begun);
            return Ok(());
        }
        let because = Because {
            summary: &say("generate grub.cfg anew, check it, put it in place in one step"),
            ..because
        };
        let before = cx.host.image(&path).ok().and_then(|image| image.bytes().map(sha256_hex));
        let before = before.unwrap_or_default();
        gap.act(Act::MakeGrubConfig { path, expect: args, before }, &because);
        Ok(())
    }
}

fn drop_in(args: &[String]) -> String {
    fill(include_str!("../../templates/grub.cfg"), &[("arguments", &args.join(" "))])
}

fn no_grub(loader: Loader, args: &[String], has_systemd: bool) -> String {
    let who = match loader {
        Loader::SystemdBoot => say("systemd-boot boots this host; add to its kernel command line"),
        Loader::FlashKernel => say("flash-kernel boots this host; add to its kernel command line"),
        Loader::None => say("this host has no boot loader of its own; its owner would add"),
        Loader::Grub | Loader::Unknown => {
            say("no GRUB here, so the provider may boot a kernel of its own; in its panel you could add")
        }
    };
    if !has_systemd {
        return t!(
            "{who}: {args}. Without systemd nothing sets the same after a boot",
            who = who,
            args = args.join(" ")
        );
    }
    t!(
        "{who}: {args}. civicum-tune-zswap.service sets the same soon after each boot",
        who = who,
        args = args.join(" ")
    )
}

/// Does some `linux` line of this grub.cfg carry all the arguments?
pub(crate) fn boots_with(grub_cfg: &str, args: &[String]) -> bool {
    kernel_lines(grub_cfg).any(|line| lacking(line, args).is_empty())
}

/// The arguments that a kernel booted with this line would not obey: those that are not on it, and those that a later
/// word for the same name overrides.
pub(crate) fn lacking(line: &str, args: &[String]) -> Vec<String> {
    let name = |word: &str| word.split('=').next().unwrap_or_default().replace('-', "_");
    let words: Vec<&str> = line.split_whitespace().collect();
    let holds = |arg: &String| {
        // Where an argument is asked for more than once (`console=`), any of its values may be the last.
        let last = words.iter().rev().find(|word| name(word) == name(arg));
        words.contains(&arg.as_str()) && last.is_some_and(|last| args.iter().any(|other| other == last))
    };
    args.iter().filter(|arg| !holds(arg)).cloned().collect()
}

/// The lines that load a kernel.
pub(crate) fn kernel_lines(grub_cfg: &str) -> impl Iterator<Item = &str> {
    grub_cfg.lines().map(str::trim).filter(|line| {
        let mut words = line.split_whitespace();
        matches!(words.next(), Some("linux" | "linux16" | "linuxefi")) && words.next().is_some()
    })
}

fn no_room(cx: &Context<'_>, grub_cfg: &str) -> Option<String> {
    let needed = cx.host.size(grub_cfg)? * 2 + MIB;
    let free = cx.host.space(grub_cfg).ok()?.free;
    (free < needed).then(|| {
        t!("the file system of {grub_cfg} has {free} free, {needed} are needed; make room and run this again", grub_cfg = grub_cfg, free = Bytes(free), needed = Bytes(needed))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_looked_for_as_whole_words_on_kernel_lines() {
        let cfg = "# zswap.enabled=1\n\tlinux /vmlinuz root=/dev/vda1 zswap.enabled=10 quiet\n\
                   \tlinux\t/vmlinuz zswap.enabled=1 zswap.compressor=lz4\n";
        let args = |list: &[&str]| list.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>();
        assert!(boots_with(cfg, &args(&["zswap.enabled=1", "zswap.compressor=lz4"])));
        assert!(!boots_with(cfg, &args(&["zswap.enabled=1", "quiet"])));
        assert_eq!(kernel_lines(cfg).count(), 2);
    }

    #[test]
    fn of_two_words_for_one_name_the_later_one_counts() {
        let args = |list: &[&str]| list.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>();
        let ours = args(&["zswap.enabled=1", "zswap.max_pool_percent=20"]);
        let line = "linux /vmlinuz zswap.enabled=0 zswap.max-pool-percent=10 quiet";
        assert!(lacking(&format!("{line} zswap.enabled=1 zswap.max_pool_percent=20"), &ours).is_empty());
        assert_eq!(
            lacking("/vmlinuz zswap.enabled=1 zswap.max_pool_percent=20 zswap.enabled=0", &ours),
            ["zswap.enabled=1"]
        );
        let consoles = args(&["console=tty0", "console=ttyS0"]);
        assert!(lacking("/vmlinuz console=tty0 console=ttyS0", &consoles).is_empty());
        assert_eq!(lacking("/vmlinuz console=tty0", &consoles), ["console=ttyS0"]);
    }
}
