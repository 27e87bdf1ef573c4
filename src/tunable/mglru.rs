//! The multi-generational LRU's thrash guard.

use super::gap::Because;
use super::template::fill;
use super::{Context, Doc, Gap, Tunable};
use crate::change::Risk;
use crate::host::HostError;
use crate::lang::say;
use crate::t;

/// `/sys/kernel/mm/lru_gen/min_ttl_ms`.
pub(super) struct Mglru;

pub(crate) const KNOB: &str = "/sys/kernel/mm/lru_gen/min_ttl_ms";
/// Without it the guard does nothing; Debian 12's kernel has it built in and off.
const SWITCH: &str = "/sys/kernel/mm/lru_gen/enabled";
pub(crate) const FILE: &str = "/etc/tmpfiles.d/zz-civicum-tune.conf";

impl Tunable for Mglru {
    fn doc(&self) -> &'static Doc {
        &Doc {
            id: "mglru",
            title: "MGLRU thrash guard",
            why: "With min_ttl_ms the kernel does not evict what was used within that time. A host that would otherwise crawl for \
                  minutes, swapping its own working set, gets an OOM kill at once, and the scores decide whom it hits.",
            cost: "None while there is memory.",
            risk: "Under sustained pressure an OOM kill comes earlier than without it.",
            source: "Linux Documentation/admin-guide/mm/multigen_lru.rst; off on Debian 12: seen on Linux 6.1",
            undo: "`civicum-tune rollback`; takes effect at once.",
            keys: &["mglru.min_ttl"],
        }
    }

    fn gap(&self, cx: &Context<'_>, gap: &mut Gap) -> Result<(), HostError> {
        let Some(ttl) = cx.wish.mglru.min_ttl_ms else {
            let because = Because {
                summary: &say("the profile sets no thrash guard"),
                reason: &say("a file of ours that nobody asks for any more would set it again at each boot"),
                risk: Risk::Low,
                reboot: false,
            };
            if gap.no_file(cx, FILE, &because)? && cx.facts.mglru.as_ref().is_some_and(|m| m.min_ttl_ms != 0)
            {
                gap.note(t!("the running kernel keeps its thrash guard until the next boot"));
            }
            return Ok(());
        };
        // A tree without /sys tells by its kernel's version, if by anything.
        let version = cx.facts.kernel.version;
        let too_old = version > (0, 0) && version < (6, 1);
        if (cx.host.is_live() || too_old) && cx.facts.mglru.is_none() {
            gap.note(t!("this kernel has no multi-generational LRU (CONFIG_LRU_GEN, Linux 6.1); left out"));
            return Ok(());
        }
        let because = Because {
            summary: &t!("protect the working set of the last {ttl} ms", ttl = ttl),
            reason: &say(
                "a host that thrashes answers nobody; an early OOM kill of the right process is better",
            ),
            risk: Risk::Low,
            reboot: false,
        };
        if cx.facts.mglru.as_ref().is_some_and(|mglru| mglru.enabled & 1 == 0) {
            let summary = t!("switch the multi-generational LRU on");
            gap.poke(cx, SWITCH, all_parts(cx), Vec::new(), &Because { summary: &summary, ..because });
        }
        gap.poke(cx, KNOB, &ttl.to_string(), Vec::new(), &because);
        let values = [("path", KNOB), ("value", &ttl.to_string())];
        let text = fill(include_str!("../../templates/tmpfiles.conf"), &values);
        gap.file(cx, FILE, &text, &because)?;
        Ok(())
    }
}

/// The main switch and what a processor with accessed bits in its page tables can use beside it, as the kernel shows it
/// when all of it is on. Xen's paravirtual guests and others have the main switch only.
fn all_parts(cx: &Context<'_>) -> &'static str {
    let is_xen = cx.facts.virtualization.vm.as_deref() == Some("xen");
    if cfg!(target_arch = "x86_64") && !is_xen { "0x0007" } else { "0x0001" }
}
