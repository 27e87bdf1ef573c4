//! zswap: a compressed cache in RAM in front of the swap file.

use super::gap::Because;
use super::template::fill;
use super::{Context, Doc, Gap, Tunable};
use crate::change::Risk;
use crate::facts::{Initramfs, Loader, ModuleKind};
use crate::host::HostError;
use crate::lang::say;
use crate::profile::{kernels, zswap_without_swap};
use crate::t;

/// The module parameters, live and at each boot.
pub(super) struct Zswap;

/// Where the kernel keeps the parameters.
pub const PARAMETERS: &str = "/sys/module/zswap/parameters";
/// The unit that sets them at each boot.
pub const UNIT: &str = "/etc/systemd/system/civicum-tune-zswap.service";
const WANTS: &str = "/etc/systemd/system/swap.target.wants/civicum-tune-zswap.service";

/// z3fold as the report asks where a kernel has it; zsmalloc is what took its place; zbud is always there.
pub const DEFAULT_ZPOOLS: [&str; 3] = ["z3fold", "zsmalloc", "zbud"];

/// How one comes to a kernel that has it. At the same version a cloud kernel sorts above the generic one, and GRUB goes on with it.
pub fn kernel_with_zswap() -> String {
    t!(
        "install the generic kernel (Debian: linux-image-amd64, Ubuntu: linux-generic), remove the cloud kernel, since GRUB may go on \
         starting it (Debian: apt purge 'linux-image-*cloud-amd64'), and reboot"
    )
}

/// A choice and, where it is not the first wish, the reason.
#[derive(Debug, PartialEq, Eq)]
struct Choice {
    name: Option<String>,
    because: Option<String>,
}

impl Tunable for Zswap {
    fn doc(&self) -> &'static Doc {
        &Doc {
            id: "zswap",
            title: "Compressed swap cache",
            why: "Pages on their way to disk are compressed and kept in RAM; only when the pool is full do the oldest go to the swap \
                  file. A burst of OCR is absorbed at the speed of memory, and cold data does not hold RAM for ever as in zram.",
            cost: "CPU time for each page, and up to max_pool_percent of RAM under pressure.",
            risk: "Without a swap file behind it zswap does nothing. Incompressible pages go to disk.",
            source: "Linux Documentation/admin-guide/mm/zswap.rst",
            undo: "`civicum-tune rollback`; the parameters go back at once, the pool drains as pages are used or swap is turned off.",
            keys: &[
                "zswap.enabled",
                "zswap.compressor",
                "zswap.zpool",
                "zswap.max_pool_percent",
                "zswap.shrinker",
            ],
        }
    }

    fn gap(&self, cx: &Context<'_>, gap: &mut Gap) -> Result<(), HostError> {
        let wish = &cx.wish.zswap;
        if !wish.manage {
            return let_go(cx, gap);
        }
        if !has_zswap(cx) {
            if wish.enabled {
                gap.block(t!(
                    "kernel {release} has no zswap (the cloud flavours are built without it); {way_out}; then run this again",
                    release = cx.facts.kernel.release,
                    way_out = kernel_with_zswap()
                ));
            }
            return Ok(());
        }
        if wish.enabled {
            for because in choices(cx) {
                gap.note(because);
            }
            let on_disk = cx.facts.swap.iter().any(|area| area.kind != "zram");
            let is_told = cx.host.exists("/proc/swaps");
            if is_told && !on_disk && cx.wish.swap.size.0 == 0 {
                let sentence = zswap_without_swap();
                gap.note(t!(
                    "{sentence}; set swap.size, for example \"min(ram / 3, 4GiB)\"",
                    sentence = sentence
                ));
            }
        }
        let wanted = wanted(cx, compressor(cx).name.as_deref(), zpool(cx).name.as_deref());
        let because = Because {
            summary: "",
            reason: &say("a page that is compressed in RAM comes back much sooner than one from the disk"),
            risk: Risk::Medium,
            reboot: false,
        };
        for (name, value) in &wanted {
            let summary = t!("zswap {name}: {value}", name = name, value = value);
            let path = format!("{PARAMETERS}/{name}");
            gap.poke(cx, &path, value, Vec::new(), &Because { summary: &summary, ..because });
        }
        if cx.has_systemd() {
            let because = Because {
                summary: &say("set zswap again after each boot, whatever the boot line said"),
                reason: &say(
                    "works with every boot loader, and catches what the kernel could not do that early",
                ),
                risk: Risk::Low,
                reboot: false,
            };
            gap.file(cx, UNIT, &unit(&wanted), &because)?;
            gap.link(
                cx,
                WANTS,
                "../civicum-tune-zswap.service",
                &Because { summary: &say("start it at boot"), ..because },
            )?;
        }
        Ok(())
    }

    fn kernel_args(&self, cx: &Context<'_>) -> Vec<String> {
        if !cx.wish.zswap.manage || !cx.wish.boot.manage || !has_zswap(cx) {
            return Vec::new();
        }
        let wanted = wanted(cx, compressor(cx).name.as_deref(), zpool(cx).name.as_deref());
        let boolean = |value: &str| match value {
            "Y" => "1".to_owned(),
            "N" => "0".to_owned(),
            other => other.to_owned(),
        };
        let mut args: Vec<String> = wanted.iter().map(|(n, v)| format!("zswap.{n}={}", boolean(v))).collect();
        // On the command line people look for `enabled` first; through sysfs it must come last.
        args.sort_by_key(|arg| !arg.starts_with("zswap.enabled"));
        args
    }

    fn early_modules(&self, cx: &Context<'_>) -> Vec<String> {
        if !cx.wish.zswap.manage
            || !cx.wish.zswap.enabled
            || cx.facts.boot.loader != Loader::Grub
            || !has_zswap(cx)
        {
            return Vec::new();
        }
        if cx.facts.boot.initramfs == Initramfs::None {
            return Vec::new();
        }
        let loadable = |name: &String| cx.facts.kernel.modules.get(name) == Some(&ModuleKind::Loadable);
        let mut modules = Vec::new();
        if let Some(name) = compressor(cx).name.filter(|name| loadable(name)) {
            // lz4 is the crypto interface; what compresses is a module of its own.
            let library = (name == "lz4").then(|| "lz4_compress".to_owned());
            modules.push(name);
            modules.extend(library);
        }
        modules.extend(zpool(cx).name.filter(loadable));
        modules
    }
}

/// The profile does not speak of zswap any more: our unit must not go on setting it at each boot.
fn let_go(cx: &Context<'_>, gap: &mut Gap) -> Result<(), HostError> {
    let because = Because {
        summary: &say("the profile does not speak of zswap any more"),
        reason: &say("a file of ours that nobody asks for any more would set it again at each boot"),
        risk: Risk::Low,
        reboot: false,
    };
    let was_there = gap.no_link(cx, WANTS, &because)?;
    if gap.no_file(cx, UNIT, &because)? || was_there {
        gap.note(t!("the running kernel keeps its zswap until the next boot"));
    }
    Ok(())
}

/// What the profile asks of zswap on this kernel: parameter and value, as the kernel shows it. `None` where the profile
/// does not speak of zswap, or the kernel has none.
pub fn wish(cx: &Context<'_>) -> Option<Vec<(&'static str, String)>> {
    (cx.wish.zswap.manage && has_zswap(cx))
        .then(|| wanted(cx, compressor(cx).name.as_deref(), zpool(cx).name.as_deref()))
}

/// Why a choice is not the profile's first wish, where it is not.
pub fn choices(cx: &Context<'_>) -> Vec<String> {
    [compressor(cx), zpool(cx)].into_iter().filter_map(|choice| choice.because).collect()
}

/// The parameters in the order in which they are written: `enabled` last, because the kernel checks names only when the
/// pool is made, and the pool is made when it is enabled.
fn wanted(cx: &Context<'_>, compressor: Option<&str>, zpool: Option<&str>) -> Vec<(&'static str, String)> {
    let wish = &cx.wish.zswap;
    if !wish.enabled {
        return vec![("enabled", "N".to_owned())];
    }
    let mut wanted = Vec::new();
    if let Some(name) = compressor {
        wanted.push(("compressor", name.to_owned()));
    }
    if let Some(name) = zpool {
        wanted.push(("zpool", name.to_owned()));
    }
    wanted.push(("max_pool_percent", wish.max_pool_percent.to_string()));
    if let (Some(on), true) = (wish.shrinker, cx.facts.kernel.version >= (6, 8)) {
        wanted.push(("shrinker_enabled", if on { "Y" } else { "N" }.to_owned()));
    }
    wanted.push(("enabled", "Y".to_owned()));
    wanted
}

/// Does the kernel have zswap? A tree need not tell; then nothing speaks against it.
pub fn has_zswap(cx: &Context<'_>) -> bool {
    cx.facts.zswap.available || cx.facts.kernel.has_zswap.unwrap_or(!cx.host.is_live())
}

/// Can its allocator be chosen?
pub fn has_zpool(cx: &Context<'_>) -> bool {
    let is_there = cx.facts.zswap.zpool.is_some();
    cx.facts.kernel.version < kernels::ZPOOL_PARAMETER_GONE
        && (is_there || !cx.host.is_live() || !cx.facts.zswap.available)
}

/// The allocator that it uses with what the profile wants, where that can be told.
pub fn allocator(cx: &Context<'_>) -> Option<String> {
    if !has_zpool(cx) {
        return Some("zsmalloc".to_owned());
    }
    zpool(cx).name.or_else(|| cx.facts.zswap.zpool.clone())
}

/// The compressor that it uses with what the profile wants.
pub fn compressor_used(cx: &Context<'_>) -> String {
    compressor(cx).name.unwrap_or_else(|| cx.wish.zswap.compressor.clone())
}

/// Is it there, as far as the host tells?
pub fn may_have(cx: &Context<'_>, module: &str) -> bool {
    let running = [&cx.facts.zswap.compressor, &cx.facts.zswap.zpool];
    cx.facts.kernel.modules.is_empty()
        || running.into_iter().any(|running| has(cx, module, running.as_deref()))
}

/// Is it there? Where the host does not tell (no `/lib/modules`), only what runs already counts as there.
fn has(cx: &Context<'_>, module: &str, running: Option<&str>) -> bool {
    match cx.facts.kernel.modules.get(module) {
        Some(ModuleKind::Builtin | ModuleKind::Loadable) => true,
        Some(ModuleKind::Absent) | None => running == Some(module),
    }
}

fn compressor(cx: &Context<'_>) -> Choice {
    let wish = cx.wish.zswap.compressor.as_str();
    let running = cx.facts.zswap.compressor.as_deref();
    if has(cx, wish, running) || cx.facts.kernel.modules.is_empty() {
        return Choice { name: Some(wish.to_owned()), because: None };
    }
    let other = ["lz4", "lzo-rle", "lzo", "zstd"].into_iter().find(|name| has(cx, name, running));
    let name = other.map(str::to_owned).or_else(|| running.map(str::to_owned));
    let instead = name.clone().unwrap_or_else(|| "the kernel's default".to_owned());
    Choice {
        name,
        because: Some(t!(
            "kernel {release} has no {wish}; {instead} is used",
            release = cx.facts.kernel.release,
            wish = wish,
            instead = instead
        )),
    }
}

/// The first allocator of the profile's list that this kernel has and that suits it.
fn zpool(cx: &Context<'_>) -> Choice {
    let kernel = &cx.facts.kernel;
    let running = cx.facts.zswap.zpool.as_deref();
    if !has_zpool(cx) {
        return Choice {
            name: None,
            because: Some(t!(
                "kernel {release} always uses zsmalloc: the zpool parameter went in Linux 6.18",
                release = kernel.release
            )),
        };
    }
    let auto = || DEFAULT_ZPOOLS.map(str::to_owned).to_vec();
    let wish = if cx.wish.zswap.zpool.is_empty() { auto() } else { cx.wish.zswap.zpool.clone() };
    let mut passed = Vec::new();
    for name in &wish {
        if !has(cx, name, running) {
            let why = match (name.as_str(), kernel.version) {
                ("z3fold", v) if v >= kernels::OLD_ALLOCATORS_GONE => t!("was removed in Linux 6.15"),
                ("z3fold", v) if v >= (6, 12) => {
                    t!("is deprecated since Linux 6.12 and not built here")
                }
                _ => t!("is not in kernel {release}", release = kernel.release),
            };
            passed.push(format!("{name} {why}"));
        } else if name == "zsmalloc" && kernel.version < kernels::ZSMALLOC_WRITES_BACK && wish.len() > 1 {
            passed.push(t!("zsmalloc can't write back to disk before Linux 6.3"));
        } else {
            let because = (!passed.is_empty())
                .then(|| t!("zpool {name}: {passed}", name = name, passed = passed.join("; ")));
            return Choice { name: Some(name.clone()), because };
        }
    }
    let wish = wish.join(", ");
    let because = match running {
        // An image need not have a kernel.
        None if kernel.modules.is_empty() => {
            t!("it is not told which of the allocators {wish} the kernel has; it keeps its own", wish = wish)
        }
        None => t!("none of the allocators {wish} suits this kernel; it keeps its own", wish = wish),
        Some(running) => {
            t!(
                "none of the allocators {wish} suits this kernel; it keeps {running}",
                wish = wish,
                running = running
            )
        }
    };
    Choice { name: None, because: Some(because) }
}

fn unit(wanted: &[(&str, String)]) -> String {
    let command =
        |(name, value): &(&str, String)| format!("ExecStart=-/bin/sh -c 'echo {value} >{PARAMETERS}/{name}'");
    let commands: Vec<String> = wanted.iter().map(command).collect();
    fill(include_str!("../../templates/zswap.service"), &[("commands", &commands.join("\n"))])
}
