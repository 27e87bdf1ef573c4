//! What was applied, and what of it is not so any more: for `doctor`.

use super::acts::{self, Sight};
use super::generation::{Generations, State};
use crate::check::{Applied, Touched};
use crate::host::Host;
use crate::plan::{Act, Change};

/// Looks at every target of the generations in force. Nothing is run: acts that can't be seen without that are left out.
pub fn look_back(host: &Host) -> Applied {
    let generations = match Generations::read(host) {
        Ok(generations) => generations,
        Err(error) => return Applied { trouble: Some(error.to_string()), ..Applied::default() },
    };
    let mut applied = Applied::default();
    for (generation, state) in &generations.0 {
        match state {
            State::Cut | State::CutWhileUndoing => applied.cut = Some(generation.id),
            State::PartlyRolledBack { .. } => applied.partly = Some(generation.id),
            State::RolledBack { .. } => {}
            State::Applied => {
                applied.generation = Some(generation.id);
                applied.created = Some(generation.created.clone());
                // A later generation that needs none does not spare an earlier one's reboot.
                if generation.changes.iter().any(|change| change.reboot) {
                    applied.needs_reboot = Some(generation.id);
                    applied.rebooted = generation.rebooted_since(host);
                }
                // A later generation's word on a target is the one that counts.
                for change in generation.changes.iter().filter(|change| can_be_seen(change)) {
                    let touched = Touched {
                        generation: generation.id,
                        kind: change.act.kind(),
                        after: change.act.before_and_after().1,
                        changed: changed(host, change),
                    };
                    applied.touched.insert(change.act.target().to_owned(), touched);
                }
            }
        }
    }
    applied
}

fn can_be_seen(change: &Change) -> bool {
    !change.act.settles() && !matches!(change.act, Act::StopUnit { .. })
}

/// What it is now, where that is not what it was made.
fn changed(host: &Host, change: &Change) -> Option<String> {
    // In a file that we share, others' lines are theirs to change.
    if acts::ours_alone_matters(host, &change.act).is_ok_and(|ours| ours) {
        return None;
    }
    match acts::look_after_boot(host, &change.act, false) {
        Ok(Sight::After | Sight::Unseen) => None,
        Ok(Sight::Before) => Some(change.act.before_and_after().0),
        Ok(Sight::Other(what)) => Some(what),
        Err(error) => Some(error.to_string()),
    }
}
