//! The supervisor of the containers, as a service of systemd's.

use super::gap::Because;
use super::template::fill;
use super::{Context, Doc, Gap, Tunable};
use crate::change::Risk;
use crate::host::HostError;
use crate::lang::say;
use crate::t;

/// `civicum-tune-supervise.service`.
pub(super) struct Supervisor;

/// The service.
pub(crate) const UNIT: &str = "/etc/systemd/system/civicum-tune-supervise.service";
const WANTS: &str = "/etc/systemd/system/multi-user.target.wants/civicum-tune-supervise.service";
/// Memory that stays for it.
const SLICE: &str = "/etc/systemd/system/civicum.slice";

/// Where the program is installed.
const PROGRAMS: [&str; 2] = ["/usr/bin/civicum-tune", "/usr/local/bin/civicum-tune"];

impl Tunable for Supervisor {
    fn doc(&self) -> &'static Doc {
        &Doc {
            id: "supervisor",
            title: "Supervisor of the containers",
            why: "When memory runs short, somebody must give way before the kernel chooses: the supervisor has the worker stop \
                  taking documents, then give back those in work, and kills it as a last resort. It starts what died, and keeps \
                  a history of all that.",
            cost: "Less than 20 MiB of memory, and less than half a per cent of one CPU.",
            risk: "None for the containers: it touches none without a cause, and a supervisor that ends leaves them running.",
            source: "systemd.exec(5), systemd.resource-control(5); Linux Documentation/accounting/psi.rst",
            undo: "`civicum-tune rollback`; until the next boot also: systemctl stop civicum-tune-supervise.",
            keys: &[],
        }
    }

    fn gap(&self, cx: &Context<'_>, gap: &mut Gap) -> Result<(), HostError> {
        if cx.wish.services.is_empty() || !cx.has_systemd() {
            return let_go(cx, gap);
        }
        let there = cx.host.read_text(UNIT)?.unwrap_or_default();
        let mut installed = PROGRAMS.into_iter().filter(|path| cx.host.exists(path));
        // A second one beside the one that is started is no reason to change the service.
        let started = installed.clone().find(|path| there.contains(&format!("\nExecStart={path} ")));
        let Some(program) = started.or_else(|| installed.next()) else {
            if cx.host.is_live() {
                gap.note(t!(
                    "the supervisor can't be a service before the program is at its place: {places}",
                    places = PROGRAMS.join(", ")
                ));
            }
            return Ok(());
        };
        let because = Because {
            summary: &say("supervise the containers"),
            reason: &say("the right one gives way when memory runs short, and what died is started again"),
            risk: Risk::Low,
            reboot: false,
        };
        let unit = fill(include_str!("../../templates/supervise.service"), &[("program", program)]);
        let mut changed = gap.file(cx, SLICE, include_str!("../../templates/civicum.slice"), &because)?;
        changed |= gap.file(cx, UNIT, &unit, &because)?;
        let summary = say("start it at boot");
        changed |= gap.link(
            cx,
            WANTS,
            "../civicum-tune-supervise.service",
            &Because { summary: &summary, ..because },
        )?;
        if changed && cx.host.is_live() {
            gap.note(t!(
                "the supervisor begins at the next boot; at once with: systemctl daemon-reload && systemctl restart civicum-tune-supervise"
            ));
        }
        Ok(())
    }
}

/// The profile has no containers any more, or nobody is there to run a service.
fn let_go(cx: &Context<'_>, gap: &mut Gap) -> Result<(), HostError> {
    let because = Because {
        summary: &say("the profile has no containers any more"),
        reason: &say("a supervisor without containers has nothing to do"),
        risk: Risk::Low,
        reboot: false,
    };
    gap.no_link(cx, WANTS, &because)?;
    gap.no_file(cx, UNIT, &because)?;
    gap.no_file(cx, SLICE, &because)?;
    Ok(())
}
