//! zram: taken out of use where zswap does the work.

use std::collections::BTreeSet;

use super::gap::Because;
use super::{Context, Doc, Gap, Tunable};
use crate::change::{Act, Risk};
use crate::host::HostError;
use crate::lang::say;
use crate::t;
use crate::units::{Bytes, MIB};

/// Stops zram swap and keeps whatever sets it up from doing so again.
pub(super) struct Zram;

const SYSTEM: &str = "/etc/systemd/system";
const NULL: &str = "/dev/null";
/// Where zram-generator finds its configuration at the next boot (zram-generator.conf(5)).
const CONFIGURED: [&str; 3] = ["/etc/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];
/// What stays available at least when zram's pages come back into RAM, in bytes.
const SPARE: u64 = 256 * MIB;

impl Tunable for Zram {
    fn doc(&self) -> &'static Doc {
        &Doc {
            id: "zram",
            title: "Retire zram",
            why: "zram and zswap together compress every page twice. zram alone holds cold pages in RAM for ever: when it is full, \
                  fresh pages go to disk while stale ones keep the fast memory.",
            cost: "What zram holds comes back into RAM (or goes to the swap file) when it is stopped.",
            risk: "Stopping it needs that much free memory; civicum-tune asks for it first and otherwise leaves zram alone.",
            source: "Linux Documentation/admin-guide/blockdev/zram.rst; swapoff(2)",
            undo: "`civicum-tune rollback` unmasks its service and starts it again.",
            keys: &["zram.retire"],
        }
    }

    fn gap(&self, cx: &Context<'_>, gap: &mut Gap) -> Result<(), HostError> {
        if !cx.wish.zram.retire {
            return Ok(());
        }
        let areas: Vec<_> = cx.facts.swap.iter().filter(|area| area.path.starts_with("/dev/zram")).collect();
        let used: u64 = areas.iter().map(|area| area.used_bytes).sum();
        if cx.host.is_live() && used + SPARE > cx.facts.memory.available_bytes && used > 0 {
            gap.block(t!("zram holds {used}, which needs that much memory and {spare} to spare, and {available} are available; stop something large first and \
                 run this again", used = Bytes(used / MIB * MIB), spare = Bytes(SPARE), available = Bytes(cx.facts.memory.available_bytes / MIB * MIB)));
            return Ok(());
        }
        let because = Because {
            summary: &say("take zram out of use"),
            reason: &say("with zswap in front of the swap file it would compress every page twice"),
            risk: Risk::High,
            reboot: false,
        };
        let owners = owners(cx);
        if cx.host.is_live() {
            for area in &areas {
                let (path, priority, used) = (area.path.clone(), area.priority, Bytes(area.used_bytes));
                gap.act(Act::SwapOff { path, priority, used }, &because);
            }
            // A unit that is wanted at boot and not masked is what runs; a package that is only installed stays as it is.
            let runs = |unit: &&String| !areas.is_empty() && (unit.contains('@') || is_wanted(cx, unit));
            for unit in owners.iter().flat_map(|owner| &owner.units).filter(runs) {
                let because = Because { summary: &say("stop what sets zram up"), ..because };
                gap.act(Act::StopUnit { unit: unit.clone() }, &because);
            }
        }
        for path in owners.iter().flat_map(|owner| &owner.mask) {
            gap.link(cx, path, NULL, &Because { summary: &say("keep zram from coming back"), ..because })?;
        }
        if !areas.is_empty() && owners.is_empty() {
            gap.note(t!("can't tell what sets zram up on this host, so it may be back after a reboot"));
        }
        Ok(())
    }
}

/// A package that sets zram up.
pub(crate) struct Owner {
    /// Units to stop.
    pub units: Vec<String>,
    /// What becomes a link to `/dev/null`.
    pub mask: Vec<String>,
}

fn is_wanted(cx: &Context<'_>, unit: &str) -> bool {
    let targets = cx.host.list(SYSTEM).unwrap_or_default();
    targets
        .iter()
        .filter(|name| name.ends_with(".wants"))
        .any(|name| cx.host.read_link(&format!("{SYSTEM}/{name}/{unit}")).is_some())
}

/// The packages on this host that set zram up.
pub(crate) fn owners(cx: &Context<'_>) -> Vec<Owner> {
    let has_unit = |unit: &str| {
        ["/usr/lib/systemd/system", "/lib/systemd/system"]
            .iter()
            .any(|dir| cx.host.exists(&format!("{dir}/{unit}")))
    };
    let mut owners = Vec::new();
    // zram-tools of Debian and Ubuntu, and Ubuntu's zram-config.
    for unit in ["zramswap.service", "zram-config.service"] {
        if has_unit(unit) {
            owners.push(Owner { units: vec![unit.to_owned()], mask: vec![format!("{SYSTEM}/{unit}")] });
        }
    }
    // systemd-zram-generator: a null link in place of its configuration (zram-generator.conf(5)).
    let generator = "system-generators/zram-generator";
    if ["/usr/lib/systemd", "/lib/systemd"].iter().any(|dir| cx.host.exists(&format!("{dir}/{generator}"))) {
        // Its drop-ins are read too, and one in /etc stands in for its namesakes elsewhere.
        let names = CONFIGURED
            .iter()
            .flat_map(|folder| cx.host.list(&format!("{folder}/zram-generator.conf.d")).unwrap_or_default())
            .filter(|name| name.ends_with(".conf"))
            .collect::<BTreeSet<_>>();
        let mut mask = vec!["/etc/systemd/zram-generator.conf".to_owned()];
        mask.extend(names.iter().map(|name| format!("/etc/systemd/zram-generator.conf.d/{name}")));
        let numbers = cx.facts.swap.iter().filter_map(|area| area.path.strip_prefix("/dev/zram"));
        let units = numbers.map(|n| format!("systemd-zram-setup@zram{n}.service")).collect();
        owners.push(Owner { units, mask });
    }
    owners
}
