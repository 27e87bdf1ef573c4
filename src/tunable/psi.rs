//! Pressure stall information, which the supervisor's decisions rest on.

use super::{Context, Doc, Gap, Tunable};
use crate::facts;
use crate::host::HostError;
use crate::t;

/// `psi=1`.
pub(super) struct Psi;

const ARG: &str = "psi=1";

impl Tunable for Psi {
    fn doc(&self) -> &'static Doc {
        &Doc {
            id: "psi",
            title: "Pressure stall information",
            why: "PSI says for how long work has been waiting for memory. It is the earliest honest sign that a host runs short, \
                  seconds before the OOM killer; the supervisor acts on it.",
            cost: "A little bookkeeping when tasks wait.",
            risk: "None known.",
            source: "Linux Documentation/accounting/psi.rst",
            undo: "`civicum-tune rollback`, then reboot.",
            keys: &["boot.psi"],
        }
    }

    fn gap(&self, cx: &Context<'_>, gap: &mut Gap) -> Result<(), HostError> {
        if cx.wish.boot.psi && cx.facts.psi == facts::Psi::Absent {
            gap.block(t!(
                "this kernel was built without PSI (CONFIG_PSI); a distribution's generic kernel has it"
            ));
        }
        Ok(())
    }

    fn kernel_args(&self, cx: &Context<'_>) -> Vec<String> {
        let wanted = cx.wish.boot.psi && (cx.facts.psi == facts::Psi::Off || cx.already_boots_with(ARG));
        if wanted { vec![ARG.to_owned()] } else { Vec::new() }
    }
}
