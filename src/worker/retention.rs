//! Deletes what was kept long enough: a few documents at a time, once an hour, and tells of each.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::sleep;

use super::Shared;
use super::counts::add;
use super::log::event;

/// Between two looks.
const HOUR: Duration = Duration::from_secs(3600);
/// Between two rounds of one look.
const PAUSE: Duration = Duration::from_secs(1);

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
                sleep(if expired.is_more { PAUSE } else { HOUR }).await;
            }
            Err(error) => {
                shared.trouble(&error).await;
                sleep(PAUSE).await;
            }
        }
    }
}
