//! Documents that were kept long enough: their rows lose what they say of them, then their files go, a few at a time.

use std::time::Duration;

use super::error::QueueError;
use super::jobs::Queue;
use super::store::Store;
use crate::host::HostError;
use crate::t;

/// Why a look through the folder ended early.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub enum SweepError {
    /// The folder.
    Files(#[from] HostError),
    /// The database.
    Rows(#[from] QueueError),
}

/// How long documents are kept, days; `None`: for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// After a review, or a cancelling.
    pub reviewed: Option<i32>,
    /// After their end, where nobody reviewed them.
    pub unreviewed: Option<i32>,
}

/// What one round deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expired {
    /// Documents that were reviewed or cancelled.
    pub reviewed: Vec<i64>,
    /// Documents that nobody reviewed.
    pub unreviewed: Vec<i64>,
    /// Files.
    pub files: u64,
    /// There may be more.
    pub is_more: bool,
}

/// So many documents, and so many files, a round.
const BATCH: i64 = 20;
/// A file that came so lately may be one that is just being enqueued.
const YOUNG: Duration = Duration::from_secs(3600);

/// What a look through the folder found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Files that no row names: they are deleted in a day.
    pub unnamed: u64,
    /// Halves that a process left behind which was ended: they are deleted.
    pub halves: u64,
}

impl Queue {
    /// Looks through the folder for files that have been there for longer than `young` and that no row names: what was kept and then
    /// refused, and results of a worker that was ended in between. They go a day later, as all files do: if no row names them then.
    /// Those that are older than the database's own tables stay: they are another database's, or this one was lost.
    pub async fn sweep(&self, store: &Store, young: Duration) -> Result<Swept, SweepError> {
        let mut swept = Swept::default();
        for folder in store.folders()? {
            let settled = store.settled(&folder, young)?;
            swept.halves += settled.deleted;
            for part in settled.files.chunks(1000) {
                let sums: Vec<&str> = part.iter().map(|(sha256, _)| sha256.as_str()).collect();
                #[allow(clippy::cast_precision_loss)] // seconds since 1970
                let written: Vec<f64> = part.iter().map(|(_, at)| *at as f64).collect();
                let added = self.work.execute(include_str!("sql/sweep.sql"), &[&sums, &written]).await;
                swept.unnamed +=
                    added.map_err(|error| QueueError::of(t!("old documents can't be deleted"), &error))?;
            }
        }
        Ok(swept)
    }

    /// Lets everybody know what this worker will delete.
    pub async fn tell_keep(&self, keep: Keep) -> Result<(), QueueError> {
        let sql = "update civicum.worker set keep_unreviewed = $2 where id = $1";
        let done = self.work.execute(sql, &[&self.worker, &keep.unreviewed]).await;
        done.map(drop).map_err(|error| QueueError::of(t!("the worker can't be written down"), &error))
    }

    /// One round. A file goes when no document and no result that is kept needs it any more.
    pub async fn expire(&self, keep: Keep, store: &Store) -> Result<Expired, QueueError> {
        let failed = |error| QueueError::of(t!("old documents can't be deleted"), &error);
        let mut expired = Expired::default();
        if keep != Keep::default() {
            let days = |days: Option<i32>| days.map(f64::from);
            let sql = include_str!("sql/expire.sql");
            let rows = self.work.query(sql, &[&days(keep.reviewed), &days(keep.unreviewed), &BATCH]).await;
            for row in rows.map_err(failed)? {
                let list = if row.get(1) { &mut expired.unreviewed } else { &mut expired.reviewed };
                list.push(row.get(0));
            }
        }
        let sql = "select t.sha256, exists (select from civicum.document d where d.sha256 = t.sha256 and d.deleted_at is null) \
                   or exists (select from civicum.result r where r.sha256 = t.sha256) \
                   from civicum.trash t where t.since <= now() order by t.since limit $1";
        let rows = self.work.query(sql, &[&BATCH]).await.map_err(failed)?;
        let full = |found: usize| i64::try_from(found) == Ok(BATCH);
        expired.is_more = full(rows.len()) || full(expired.reviewed.len() + expired.unreviewed.len());
        for row in rows {
            let (sha256, is_needed): (String, bool) = (row.get(0), row.get(1));
            let gone = !is_needed && store.discard(&sha256, YOUNG).is_ok_and(|gone| gone);
            expired.files += u64::from(gone);
            let sql = if gone || is_needed {
                "delete from civicum.trash where sha256 = $1"
            } else {
                // Later: it is young, or the disk does not want it.
                "update civicum.trash set since = now() + interval '1 hour' where sha256 = $1"
            };
            self.work.execute(sql, &[&sha256]).await.map_err(failed)?;
        }
        Ok(expired)
    }
}
