//! The host's own profile: what the next `plan` compares it with.

use super::gap::Because;
use super::{Context, Doc, Gap, Tunable};
use crate::change::Risk;
use crate::host::HostError;
use crate::lang::say;

/// `/etc/civicum-tune/profile.toml`.
pub(super) struct OwnProfile;

pub(crate) const FILE: &str = "/etc/civicum-tune/profile.toml";

impl Tunable for OwnProfile {
    fn doc(&self) -> &'static Doc {
        &Doc {
            id: "profile",
            title: "The host's own profile",
            why: "What was applied must be what is checked later, also when a newer civicum-tune brings other bundled profiles.",
            cost: "One small file.",
            risk: "None.",
            source: "hier(7)",
            undo: "`civicum-tune rollback`.",
            keys: &[],
        }
    }

    fn gap(&self, cx: &Context<'_>, gap: &mut Gap) -> Result<(), HostError> {
        let Some(text) = cx.remember else { return Ok(()) };
        let because = Because {
            summary: &say("keep the profile as the host's own"),
            reason: &say("later runs compare the host with this one; it is yours to edit"),
            risk: Risk::Low,
            reboot: false,
        };
        gap.file(cx, FILE, text, &because)?;
        Ok(())
    }
}
