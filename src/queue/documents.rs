//! What people and programs do with documents: hand in, ask, cancel, try again.

use serde::Serialize;
use tokio_postgres::{Client, Row};

use super::error::QueueError;
use super::review::Review;
use super::store::Stored;
use crate::t;

/// A document that is handed in.
#[derive(Debug, Clone)]
pub struct NewDocument<'a> {
    /// Its file, which is in the store already.
    pub file: &'a Stored,
    /// What its sender calls it; never a path.
    pub name: &'a str,
    /// The schema of what is to be extracted.
    pub schema: Option<&'a str>,
    /// The same key again is the same document.
    pub key: Option<&'a str>,
    /// Higher comes first, −100 to 100.
    pub priority: i16,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enqueued {
    /// The document's id.
    pub id: i64,
    /// `false`: it had come with this key before.
    pub is_new: bool,
    /// The key stands for another file, or for another schema: this one was not taken in.
    pub is_other: bool,
}

/// All states of a document: those before its end, its ends, and what comes after.
pub const STATES: [&str; 11] = [
    "queued",
    "reading",
    "read",
    "extracting",
    "done",
    "failed",
    "quarantined",
    "cancelled",
    "accepted",
    "rejected",
    "deleted",
];

/// A document, and how far it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Document {
    /// Its number.
    pub id: i64,
    /// One of [`STATES`].
    pub state: String,
    /// `ocr` or `extract`.
    pub stage: Option<String>,
    /// What its sender calls it.
    pub name: String,
    /// Its file.
    pub sha256: String,
    /// Bytes.
    pub bytes: i64,
    /// What is to be extracted.
    pub schema: Option<String>,
    /// The attempt that it is in, or needed.
    pub attempt: Option<i32>,
    /// How often it killed what read it.
    pub crashes: Option<i32>,
    /// Pages or parts that are done, of all; 0 of 0 where that is not known.
    pub progress: (i32, i32),
    /// Somebody asked for its end.
    pub cancel_requested: bool,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// UTC, as all times here.
    pub submitted_at: String,
    /// When its next attempt is due.
    pub due_at: Option<String>,
    /// When its last attempt began.
    pub started_at: Option<String>,
    /// When its last stage ended.
    pub finished_at: Option<String>,
    /// What a person said of it.
    pub review: Option<Review>,
    /// When its file, its results and its name were deleted.
    pub deleted_at: Option<String>,
}

/// One queue in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueueStats {
    /// `ocr` or `extract`.
    pub queue: String,
    /// Due, and not in work.
    pub waiting: i64,
    /// Due later.
    pub delayed: i64,
    /// In work.
    pub running: i64,
    /// How long the longest-waiting has been due, seconds.
    pub oldest_wait_seconds: f64,
    /// Done within the last hour.
    pub done_last_hour: i64,
    /// Failed for good, in the archive.
    pub dead: i64,
    /// Killed their worker too often, in the archive.
    pub quarantined: i64,
    /// The median time in work of those done within the last hour, seconds.
    pub median_seconds: f64,
}

/// The same calls on any session.
#[derive(Clone, Copy)]
pub struct Queued<'a>(pub &'a Client);

impl Queued<'_> {
    /// Hands a document in.
    pub async fn enqueue(&self, new: &NewDocument<'_>) -> Result<Enqueued, QueueError> {
        let bytes = i64::try_from(new.file.bytes).unwrap_or(i64::MAX);
        let row = self
            .0
            .query_one(
                include_str!("sql/enqueue.sql"),
                &[&new.file.sha256, &bytes, &new.name, &new.schema, &new.key, &new.priority],
            )
            .await
            .map_err(|error| QueueError::of(t!("the document can't be enqueued"), &error))?;
        // Two with one key at the same moment: the second can't see the first one's row yet.
        let Some(id) = row.get(0) else {
            let mut error = QueueError::new(
                t!("the document can't be enqueued"),
                t!("the same key comes in just now; ask again"),
            );
            error.passing = true;
            return Err(error);
        };
        Ok(Enqueued { id, is_new: row.get(1), is_other: row.get(2) })
    }

    /// Documents, the newest first: one, or those in a state, or all; `most` at most.
    pub async fn documents(
        &self,
        id: Option<i64>,
        state: Option<&str>,
        most: i64,
    ) -> Result<Vec<Document>, QueueError> {
        let rows = self.0.query(include_str!("sql/documents.sql"), &[&id, &state, &most]).await;
        let rows = rows.map_err(|error| QueueError::of(t!("the documents can't be listed"), &error))?;
        Ok(rows.iter().map(document).collect())
    }

    /// The results' files, by stage.
    pub async fn results(&self, id: i64) -> Result<Vec<(String, String)>, QueueError> {
        let sql = "select stage, sha256 from civicum.result where document_id = $1 order by stage desc";
        let rows = self.0.query(sql, &[&id]).await;
        let rows = rows.map_err(|error| QueueError::of(t!("the results can't be listed"), &error))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Cancels what waits, and asks for the end of what runs. Gives how many of each.
    pub async fn cancel(&self, id: i64) -> Result<(i64, i64), QueueError> {
        for _ in 0..2 {
            let (cancelled, asked, is_open) = self.cancel_once(id).await?;
            if cancelled + asked > 0 || !is_open {
                return Ok((cancelled, asked));
            }
        }
        self.cancel_once(id).await.map(|(cancelled, asked, _)| (cancelled, asked))
    }

    /// The same, and whether the document is open: where it is and there was nothing, its stage ended at this moment, and the next one
    /// began, which a statement that had begun before does not see.
    async fn cancel_once(&self, id: i64) -> Result<(i64, i64, bool), QueueError> {
        let row = self.0.query_one(include_str!("sql/cancel.sql"), &[&id]).await;
        let row = row.map_err(|error| QueueError::of(t!("the document can't be cancelled"), &error))?;
        Ok((row.get(0), row.get(1), row.get(2)))
    }

    /// Deletes a document whose work has ended; `false`: it has not, or nothing is left of it.
    pub async fn delete(&self, id: i64) -> Result<bool, QueueError> {
        let row = self.0.query_one(include_str!("sql/delete.sql"), &[&id]).await;
        let row = row.map_err(|error| QueueError::of(t!("the document can't be deleted"), &error))?;
        Ok(row.get::<_, i64>(0) > 0)
    }

    /// A file was kept, and is no document now: unless another one needs it, it goes after a while.
    pub async fn drop_file(&self, sha256: &str) -> Result<(), QueueError> {
        let sql = "insert into civicum.trash (sha256) values ($1) on conflict (sha256) do nothing";
        let done = self.0.execute(sql, &[&sha256]).await;
        done.map(drop).map_err(|error| QueueError::of(t!("old documents can't be deleted"), &error))
    }

    /// Starts anew what did not succeed: one document, or all that failed or are quarantined. Gives how many.
    pub async fn retry(&self, id: Option<i64>) -> Result<i64, QueueError> {
        let row = self.0.query_one(include_str!("sql/retry.sql"), &[&id]).await;
        let row = row.map_err(|error| QueueError::of(t!("nothing can be tried again"), &error))?;
        Ok(row.get(0))
    }

    /// All queues in numbers.
    pub async fn stats(&self) -> Result<Vec<QueueStats>, QueueError> {
        let rows = self.0.query(include_str!("sql/stats.sql"), &[]).await;
        let rows = rows.map_err(|error| QueueError::of(t!("the queue's numbers can't be read"), &error))?;
        Ok(rows.iter().map(stats).collect())
    }
}

fn document(row: &Row) -> Document {
    Document {
        id: row.get("id"),
        state: row.get::<_, Option<String>>("state").unwrap_or_else(|| "queued".to_owned()),
        stage: row.get("stage"),
        name: row.get("name"),
        sha256: row.get("sha256"),
        bytes: row.get("bytes"),
        schema: row.get("schema"),
        attempt: row.get("attempt"),
        crashes: row.get("crashes"),
        progress: (row.get("progress_done"), row.get("progress_total")),
        cancel_requested: row.get("cancel_requested"),
        last_error: row.get("last_error"),
        submitted_at: row.get("submitted_at"),
        due_at: row.get("run_at"),
        started_at: row.get("started_at"),
        finished_at: row.get("finished_at"),
        review: row.get::<_, Option<String>>("verdict").map(|verdict| Review {
            verdict,
            reviewer: row.get("reviewer"),
            note: row.get("note"),
            at: row.get("reviewed_at"),
        }),
        deleted_at: row.get("deleted_at"),
    }
}

fn stats(row: &Row) -> QueueStats {
    QueueStats {
        queue: row.get("queue"),
        waiting: row.get("waiting"),
        delayed: row.get("delayed"),
        running: row.get("running"),
        oldest_wait_seconds: row.get("oldest_wait"),
        done_last_hour: row.get("done_last_hour"),
        dead: row.get("dead"),
        quarantined: row.get("quarantined"),
        median_seconds: row.get("median_seconds"),
    }
}
