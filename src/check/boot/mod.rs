//! The boot chain: an argument proved link by link, early modules, and whether a reboot is waiting.

mod chain;
mod early;
mod files;
mod kernel;
mod words;

use super::{Check, Evidence, Outcome, Remedy, Scene, Severity};
use crate::facts::Loader;
use crate::t;

const CMDLINE: &str = "/proc/cmdline";
const MKCONFIG: &str = "grub-mkconfig(8); /etc/default/grub.d of Debian's and Ubuntu's cloud images";
const PARAMETERS: &str = "Linux Documentation/admin-guide/kernel-parameters.txt";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CT-BOOT-001",
        title: "a boot loader that we know boots this host",
        severity: Severity::Low,
        why: "Where the provider boots a kernel of its own, or another loader does, GRUB's files change nothing; then only the \
              units that run after the boot set things right.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "A mistake on the boot line can keep a host from booting; know how to edit it from the provider's console.",
            undo: "Take the arguments out again.",
        },
        source: "docs/tunables.md",
        look: loader,
    },
    Check {
        id: "CT-BOOT-002",
        title: "link 1: the files that grub.cfg is made from carry the arguments",
        severity: Severity::High,
        why: "What is not in these files is gone with the next kernel update, which makes grub.cfg anew.",
        remedy: Remedy::Tunable("boot"),
        source: MKCONFIG,
        look: chain::files,
    },
    Check {
        id: "CT-BOOT-003",
        title: "link 2: every normal entry of grub.cfg carries the arguments",
        severity: Severity::High,
        why: "GRUB reads grub.cfg and nothing else. An entry without the arguments boots a host without them.",
        remedy: Remedy::Tunable("boot"),
        source: "grub-mkconfig(8)",
        look: chain::grub_cfg,
    },
    Check {
        id: "CT-BOOT-004",
        title: "link 3: the running kernel was booted with the arguments",
        severity: Severity::High,
        why: "A provider's panel, another loader or another entry may have booted something else than grub.cfg says.",
        remedy: Remedy::Tunable("boot"),
        source: "proc(5): /proc/cmdline",
        look: chain::booted,
    },
    Check {
        id: "CT-BOOT-005",
        title: "link 4: the kernel made of each argument what it says",
        severity: Severity::High,
        why: "A kernel takes any argument without a word. A compressor that it can't load that early is replaced by its default.",
        remedy: Remedy::Tunable("initramfs"),
        source: "mm/zswap.c; /sys/module/*/parameters",
        look: chain::values,
    },
    Check {
        id: "CT-BOOT-006",
        title: "no argument stands twice with different values",
        severity: Severity::Low,
        why: "The last one counts, and whoever reads the first one is misled.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "Take out the one that is not wanted, not the other.",
            undo: "Put it back and run update-grub.",
        },
        source: PARAMETERS,
        look: words::twice,
    },
    Check {
        id: "CT-BOOT-007",
        title: "no argument switches off what the profile needs",
        severity: Severity::High,
        why: "Without the memory controller a container has no limit; without PSI nobody sees pressure coming.",
        remedy: Remedy::ByHand {
            cost: "A reboot.",
            risk: "Somebody may have set it for a reason; ask first.",
            undo: "Put the argument back, run update-grub, and reboot.",
        },
        source: PARAMETERS,
        look: words::undone,
    },
    Check {
        id: "CT-BOOT-008",
        title: "no file after ours sets the boot line anew",
        severity: Severity::High,
        why: "grub-mkconfig reads the files in the order of their names, and the last one that sets the variable wins.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "The file's own arguments must stay: let it add to the variable instead of setting it anew.",
            undo: "Put the old line back and run update-grub.",
        },
        source: MKCONFIG,
        look: files::last,
    },
    Check {
        id: "CT-BOOT-009",
        title: "no edit of the boot line is lost",
        severity: Severity::Medium,
        why: "Cloud images set the variable anew in a file of their own, so that an argument in /etc/default/grub never arrives.",
        remedy: Remedy::ByHand {
            cost: "A reboot.",
            risk: "The argument was never in force; know what it does before it is.",
            undo: "Remove the new file and run update-grub.",
        },
        source: MKCONFIG,
        look: files::lost,
    },
    Check {
        id: "CT-BOOT-010",
        title: "grub.cfg is as its files say",
        severity: Severity::Low,
        why: "An edit without update-grub has no effect yet, and takes one at the next kernel update, when nobody expects it.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "The next boot is another one than the last; read what differs first.",
            undo: "Take the edit back and run update-grub.",
        },
        source: "grub-mkconfig(8)",
        look: files::current,
    },
    Check {
        id: "CT-BOOT-011",
        title: "the early modules are listed for the initramfs",
        severity: Severity::High,
        why: "zswap starts before the root file system is mounted; a compressor that is not in the initramfs is replaced by the \
              built-in default.",
        remedy: Remedy::Tunable("initramfs"),
        source: "initramfs-tools(7); dracut.conf(5)",
        look: early::listed,
    },
    Check {
        id: "CT-BOOT-012",
        title: "the initramfs is newer than its list of modules",
        severity: Severity::High,
        why: "A module that was listed after the image was made is not in it.",
        remedy: Remedy::Tunable("initramfs"),
        source: "update-initramfs(8); dracut(8)",
        look: early::made,
    },
    Check {
        id: "CT-BOOT-013",
        title: "the kernel is booted with its initramfs",
        severity: Severity::Low,
        why: "Ubuntu's cloud images try to boot without an initramfs first; early modules are not there then.",
        remedy: Remedy::ByHand {
            cost: "A boot takes a second or two longer.",
            risk: "None known: the initramfs is what other hosts boot with, and the way out when the first try fails.",
            undo: "Remove the new file and run update-grub.",
        },
        source: "/etc/grub.d/10_linux of Ubuntu: GRUB_FORCE_PARTUUID",
        look: early::used,
    },
    Check {
        id: "CT-BOOT-014",
        title: "the running kernel's modules are still there",
        severity: Severity::High,
        why: "A kernel whose package was removed can't load what it has not loaded yet: overlay for a container, lz4 for zswap.",
        remedy: Remedy::ByHand {
            cost: "The time of a reboot.",
            risk: "Whatever does not start by itself stays down.",
            undo: "None is needed.",
        },
        source: "modules.dep(5)",
        look: kernel::modules,
    },
    Check {
        id: "CT-BOOT-015",
        title: "no reboot is waiting",
        severity: Severity::Medium,
        why: "A newer kernel that is not running mends nothing yet, and the longer it waits, the more changes come at once.",
        remedy: Remedy::ByHand {
            cost: "The time of a reboot.",
            risk: "Whatever does not start by itself stays down.",
            undo: "Choose the older kernel in GRUB's menu.",
        },
        source: "/run/reboot-required; /boot/vmlinuz-*",
        look: kernel::reboot,
    },
    Check {
        id: "CT-BOOT-016",
        title: "/boot has room for one more initramfs",
        severity: Severity::High,
        why: "An initramfs that is cut off for want of room does not boot.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "Keep the running kernel and one older one.",
            undo: "Install the kernel package again.",
        },
        source: "update-initramfs(8)",
        look: kernel::room,
    },
];

/// In a container there is nothing to boot.
fn foreign(scene: &Scene<'_>) -> Option<Outcome> {
    let engine = scene.container()?;
    Some(Outcome::not_applicable(t!(
        "this is a {engine} container: its kernel is booted by the host below",
        engine = engine
    )))
}

/// The arguments that are wanted, or why none is.
fn wanted(scene: &Scene<'_>) -> Result<Vec<String>, Outcome> {
    if let Some(outcome) = foreign(scene) {
        return Err(outcome);
    }
    let args = scene.cx.kernel_args();
    if args.is_empty() {
        return Err(Outcome::not_applicable(t!("the profile wants nothing on the boot line")));
    }
    Ok(args)
}

/// The same where GRUB boots the host.
fn wanted_of_grub(scene: &Scene<'_>) -> Result<Vec<String>, Outcome> {
    let args = wanted(scene)?;
    not_grub(scene).map_or(Ok(args), Err)
}

fn not_grub(scene: &Scene<'_>) -> Option<Outcome> {
    (scene.facts().boot.loader != Loader::Grub)
        .then(|| Outcome::not_applicable(t!("GRUB does not boot this host")))
}

/// The words that the running kernel was booted with.
fn booted_words<'a>(scene: &Scene<'a>) -> Result<Vec<&'a str>, Outcome> {
    let words: Vec<&str> = scene.facts().boot.cmdline.split_whitespace().collect();
    if words.is_empty() {
        return Err(Outcome::not_here(CMDLINE));
    }
    // Behind a lone `--` everything is for init.
    Ok(words.into_iter().take_while(|word| *word != "--").collect())
}

/// An argument's name; a dash in it is as good as an underscore.
fn name(arg: &str) -> String {
    arg.split('=').next().unwrap_or(arg).replace('-', "_")
}

/// The arguments that a kernel booted with these words would not obey.
fn lacking(words: &[&str], args: &[String]) -> Vec<String> {
    crate::tunable::boot_line_lacks(&words.join(" "), args)
}

fn booted_evidence(scene: &Scene<'_>) -> Evidence {
    Evidence::line(CMDLINE, 1, scene.facts().boot.cmdline.clone())
}

fn loader(scene: &Scene<'_>) -> Vec<Outcome> {
    let args = match wanted(scene) {
        Ok(args) => args,
        Err(outcome) => return outcome.into(),
    };
    let boot = &scene.facts().boot;
    if boot.loader == Loader::Grub {
        return Outcome::pass(t!("GRUB"))
            .seen(Evidence::path(boot.grub_cfg.clone().unwrap_or_default()))
            .into();
    }
    let booted = booted_words(scene).unwrap_or_default();
    let missing = lacking(&booted, &args);
    if missing.is_empty() {
        return Outcome::pass(t!("whatever boots it, all arguments are on the boot line"))
            .seen(booted_evidence(scene))
            .into();
    }
    let missing = missing.join(" ");
    let actual = match boot.loader {
        Loader::SystemdBoot => t!("systemd-boot boots this host"),
        Loader::FlashKernel => t!("flash-kernel boots this host"),
        _ => t!("no boot loader that we know; the provider may boot a kernel of its own"),
    };
    let fix = match boot.loader {
        Loader::SystemdBoot => {
            t!("add to /etc/kernel/cmdline, and install the kernel again: {args}", args = missing)
        }
        Loader::FlashKernel => {
            t!("add to LINUX_KERNEL_CMDLINE in /etc/default/flash-kernel: {args}", args = missing)
        }
        _ => t!("add to the boot line in the provider's panel: {args}", args = missing),
    };
    let seen = if booted.is_empty() { Evidence::path("/boot") } else { booted_evidence(scene) };
    Outcome::warn(actual, fix).expected(args.join(" ")).seen(seen).into()
}
