//! Deletes what was kept long enough: a few documents at a time, once an hour, and tells of each.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::sleep;

use super::Shared;
use super::counts::add;
use super::log::event;
use crate::queue::SweepError;

/// Between two looks.
const HOUR: Duration = Duration::from_secs(3600);
/// Between two rounds of one look.
const PAUSE: Duration = Duration::from_secs(1);
/// What has been in the folder for so long has been enqueued, if it ever is.
const SETTLED: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn run(shared: Rc<Shared>) {
    let keep = shared.worker.keep;
    loop {
        let queue = shared.link.queue().await;
        let expired = match queue.tell_keep(keep).await {
            Ok(()) => queue.expire(keep, &shared.worker.store).await,
            Err(error) => Err(error),
        };
        match expired {
            Ok(expired) => {
                let counts = &shared.counts;
                add(&counts.deleted, (expired.reviewed.len() + expired.unreviewed.len()) as u64);
                add(&counts.deleted_unreviewed, expired.unreviewed.len() as u64);
                add(&counts.files_deleted, expired.files);
                for document in &expired.reviewed {
                    event("info", "a document was deleted after its time", &[("document", document)]);
                }
                for document in &expired.unreviewed {
                    event("warn", "a document was deleted that nobody reviewed", &[("document", document)]);
                }
                if expired.is_more {
                    sleep(PAUSE).await;
                } else {
                    sweep(&shared).await;
                    sleep(HOUR).await;
                }
            }
            Err(error) => {
                shared.trouble(&error).await;
                sleep(PAUSE).await;
            }
        }
    }
}

/// Finds what lies in the folder and belongs to nobody.
async fn sweep(shared: &Shared) {
    let queue = shared.link.queue().await;
    match queue.sweep(&shared.worker.store, SETTLED).await {
        Ok(swept) => {
            add(&shared.counts.files_unnamed, swept.unnamed);
            add(&shared.counts.files_deleted, swept.halves);
            if swept.unnamed + swept.halves > 0 {
                let found: [(&str, &dyn std::fmt::Display); 2] =
                    [("files", &swept.unnamed), ("halves", &swept.halves)];
                event("warn", "files that no row names: they go in a day", &found);
            }
        }
        Err(SweepError::Rows(error)) => shared.trouble(&error).await,
        Err(SweepError::Files(error)) => {
            event("warn", "the documents' folder can't be looked through", &[("error", &error.to_string())]);
        }
    }
}
