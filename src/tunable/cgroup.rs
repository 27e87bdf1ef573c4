//! The unified control group hierarchy (cgroup v2).

use super::{Context, Doc, Gap, Tunable};
use crate::facts::Cgroup;
use crate::host::HostError;
use crate::t;

/// `systemd.unified_cgroup_hierarchy=1`.
pub(super) struct CgroupV2;

const ARG: &str = "systemd.unified_cgroup_hierarchy=1";

impl Tunable for CgroupV2 {
    fn doc(&self) -> &'static Doc {
        &Doc {
            id: "cgroup",
            title: "Control groups v2",
            why: "Only cgroup v2 counts a container's memory, page cache and swap together, protects it (memory.low) and tells \
                  pressure and OOM kills per container. Ubuntu has it since 21.10, Debian since 11.",
            cost: "None.",
            risk: "A program that knows only cgroup v1 (Docker before 20.10, old Java) stops seeing its limits.",
            source: "Linux Documentation/admin-guide/cgroup-v2.rst; systemd(1)",
            undo: "`civicum-tune rollback`, then reboot.",
            keys: &["boot.cgroup_v2"],
        }
    }

    fn gap(&self, cx: &Context<'_>, gap: &mut Gap) -> Result<(), HostError> {
        let old = matches!(cx.facts.cgroup, Cgroup::V1 | Cgroup::Hybrid);
        if cx.wish.boot.cgroup_v2 && old && !cx.has_systemd() {
            gap.block(t!(
                "cgroup v1 is mounted, and without systemd there is no kernel argument that changes it"
            ));
        }
        Ok(())
    }

    fn kernel_args(&self, cx: &Context<'_>) -> Vec<String> {
        let old = matches!(cx.facts.cgroup, Cgroup::V1 | Cgroup::Hybrid);
        let wanted = cx.wish.boot.cgroup_v2 && cx.has_systemd() && (old || cx.already_boots_with(ARG));
        if wanted { vec![ARG.to_owned()] } else { Vec::new() }
    }
}
