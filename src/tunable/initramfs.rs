//! Modules that zswap needs before the root file system is there.

use crate::lang::say;
use crate::t;
use std::fmt::Write as _;

use super::gap::Because;
use super::{ALL, Context, Doc, Gap, Tunable};
use crate::change::{Act, InitramfsTool, Risk};
use crate::facts::Initramfs;
use crate::host::HostError;
use crate::units::{Bytes, MIB};

/// `/etc/initramfs-tools/modules` or a dracut drop-in.
pub(super) struct EarlyModules;

const MODULES: &str = "/etc/initramfs-tools/modules";
const DRACUT: &str = "/etc/dracut.conf.d/zz-civicum-tune.conf";
const BEGIN: &str = "# civicum-tune: begin";
const END: &str = "# civicum-tune: end";

impl Tunable for EarlyModules {
    fn doc(&self) -> &'static Doc {
        &Doc {
            id: "initramfs",
            title: "Early modules",
            why: "zswap starts before the root file system is mounted. A compressor or allocator that is a module and not in the \
                  initramfs is replaced by the built-in default without another word: the command line says lz4, the kernel runs lzo.",
            cost: "A few small files in each initramfs, and the time to make it once.",
            risk: "Making an initramfs needs room in /boot; civicum-tune checks it first.",
            source: "mm/zswap.c; initramfs-tools(7); dracut.conf(5); seen on Linux 6.1.192",
            undo: "`civicum-tune rollback` takes the lines out and makes the initramfs again.",
            keys: &["boot.manage"],
        }
    }

    fn gap(&self, cx: &Context<'_>, gap: &mut Gap) -> Result<(), HostError> {
        // A profile that does not manage the boot lets go of what an earlier one had put there.
        let modules = if cx.wish.boot.manage { modules(cx) } else { Vec::new() };
        let because = Because {
            summary: &match modules.as_slice() {
                [] => t!("load nothing early any more"),
                modules => t!("load {modules} early", modules = modules.join(", ")),
            },
            reason: &say("zswap picks its compressor and allocator before the root file system is there"),
            risk: Risk::High,
            reboot: true,
        };
        let Some((path, tool)) = list(cx) else { return Ok(()) };
        let before = cx.host.image(path)?;
        let block = if modules.is_empty() { String::new() } else { block(path, &modules) };
        let after = with_block(before.bytes().unwrap_or_default(), &block);
        let differs = after != before.bytes().unwrap_or_default();
        if !differs && !is_outdated(cx, path, &block) {
            return Ok(());
        }
        if let Some(obstacle) = no_room(cx) {
            gap.block(obstacle);
            return Ok(());
        }
        if differs {
            let image = before.with_bytes(after);
            if !gap.put(cx, path, before, image, Some(block).filter(|b| !b.is_empty()), &because) {
                return Ok(());
            }
        }
        if cx.host.is_live() {
            gap.act(
                Act::MakeInitramfs { tool },
                &Because { summary: &say("make the initramfs images anew"), ..because },
            );
        } else {
            gap.inside(Act::MakeInitramfs { tool }.target());
        }
        Ok(())
    }
}

/// Every module that some tunable wants in the initramfs.
pub(crate) fn modules(cx: &Context<'_>) -> Vec<String> {
    ALL.iter().flat_map(|tunable| tunable.early_modules(cx)).collect()
}

/// The file that lists early modules on this host, and what makes the images.
pub(crate) fn list(cx: &Context<'_>) -> Option<(&'static str, InitramfsTool)> {
    match cx.facts.boot.initramfs {
        Initramfs::InitramfsTools => Some((MODULES, InitramfsTool::UpdateInitramfs)),
        // Debian and Ubuntu wrap dracut, and the wrapper knows where their kernels look for the image.
        Initramfs::Dracut if cx.host.program("update-initramfs").is_some() => {
            Some((DRACUT, InitramfsTool::UpdateInitramfs))
        }
        Initramfs::Dracut => Some((DRACUT, InitramfsTool::Dracut)),
        Initramfs::None => None,
    }
}

/// The initramfs of the running kernel.
pub(crate) fn image(cx: &Context<'_>) -> Option<String> {
    let release = &cx.facts.kernel.release;
    let names = [format!("/boot/initrd.img-{release}"), format!("/boot/initramfs-{release}.img")];
    names.into_iter().find(|name| cx.host.exists(name))
}

fn block(path: &str, modules: &[String]) -> String {
    let mut text = format!("{BEGIN} (zswap starts before the root file system is mounted)\n");
    if path == DRACUT {
        let _ = writeln!(text, "add_drivers+=\" {} \"", modules.join(" "));
    } else {
        for module in modules {
            let _ = writeln!(text, "{module}");
        }
    }
    text + END + "\n"
}

/// The file with our block as it shall be: put where the old one was, else behind the last line. Other bytes are left
/// as they are, whatever they are.
fn with_block(file: &[u8], block: &str) -> Vec<u8> {
    let places = |needle: &str| -> Vec<usize> {
        file.windows(needle.len())
            .enumerate()
            .filter(|(_, w)| *w == needle.as_bytes())
            .map(|(at, _)| at)
            .collect()
    };
    // The nearest beginning before an end: a block that somebody tore open must not swallow what follows it.
    let begins = places(BEGIN);
    let old = places(END).into_iter().find_map(|end| {
        let begin = begins.iter().rev().find(|begin| **begin < end)?;
        let end = end + END.len();
        Some((*begin, end + usize::from(file.get(end) == Some(&b'\n'))))
    });
    let (begin, end) = old.unwrap_or((file.len(), file.len()));
    let mut out = file[..begin].to_vec();
    if !block.is_empty() && out.last().is_some_and(|last| *last != b'\n') {
        out.push(b'\n');
    }
    out.extend_from_slice(block.as_bytes());
    out.extend_from_slice(&file[end..]);
    out
}

/// Is the running kernel's initramfs older than the list of modules? (As `make` would ask.)
fn is_outdated(cx: &Context<'_>, list: &str, block: &str) -> bool {
    if block.is_empty() || !cx.host.is_live() {
        return false;
    }
    let made = image(cx).and_then(|name| cx.host.mtime(&name));
    made.zip(cx.host.mtime(list)).is_some_and(|(made, list)| made < list)
}

/// What is free in /boot, and what a new initramfs needs there (it is written beside the old one before it takes its
/// place); bytes. `None` where there is no initramfs.
pub(crate) fn room(cx: &Context<'_>) -> Option<(u64, u64)> {
    let names = cx.host.list("/boot").ok()?;
    let is_image = |name: &&String| name.starts_with("initrd") || name.starts_with("initramfs");
    let largest = names.iter().filter(is_image).filter_map(|n| cx.host.size(&format!("/boot/{n}"))).max()?;
    let needed = largest + largest / 10 + 4 * MIB;
    Some((cx.host.space("/boot/initrd.img").ok()?.free, needed))
}

fn no_room(cx: &Context<'_>) -> Option<String> {
    let (free, needed) = room(cx)?;
    (cx.host.is_live() && free < needed).then(|| {
        t!("/boot has {free} free, and a new initramfs needs {needed}; remove old kernels (apt autoremove --purge) and run this again", free = Bytes(free), needed = Bytes(needed))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_comes_goes_and_leaves_every_other_byte() {
        let modules = ["lz4".to_owned(), "z3fold".to_owned()];
        let block = block(MODULES, &modules);
        for file in [&b""[..], b"# mine\next4\n", b"\xff\xfe no newline at its end", b"crlf\r\n"] {
            let with = with_block(file, &block);
            assert_eq!(with_block(&with, &block), with, "a second time changes nothing");
            let mut without = with_block(&with, "");
            if !file.ends_with(b"\n") && !file.is_empty() {
                assert_eq!(without.pop(), Some(b'\n'));
            }
            assert_eq!(without, file);
        }
    }

    #[test]
    fn a_changed_list_takes_the_old_place() {
        let old = with_block(b"a\n", &block(MODULES, &["lzo".to_owned()]));
        let old = [old.as_slice(), b"b\n"].concat();
        let new = with_block(&old, &block(MODULES, &["lz4".to_owned()]));
        let text = String::from_utf8(new).unwrap();
        assert!(
            text.starts_with("a\n")
                && text.ends_with("b\n")
                && text.contains("lz4")
                && !text.contains("lzo\n")
        );
    }
}
