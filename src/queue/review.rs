//! What people say of results: each review is a row that stays, and the newest counts.

use serde::Serialize;

use super::documents::Queued;
use super::error::QueueError;
use crate::t;

/// What a person says of a document's results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They are right.
    Accepted,
    /// They are not, or there is nothing to be had of it.
    Rejected,
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
        }
    }
}

/// The review that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Review {
    /// `accepted` or `rejected`.
    pub verdict: String,
    /// Who said so.
    pub reviewer: String,
    /// Why, in their words.
    pub note: Option<String>,
    /// When, UTC.
    pub at: String,
}

/// What became of a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reviewed {
    /// It counts.
    Taken,
    /// A document of this state can't be reviewed like that.
    Not(String),
    /// There is no such document.
    Absent,
}

/// What waits for people, and what was deleted, in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReviewStats {
    /// Done, and not reviewed.
    pub waiting: i64,
    /// Failed or quarantined, and not looked at.
    pub failed: i64,
    /// Accepted.
    pub accepted: i64,
    /// Rejected.
    pub rejected: i64,
    /// How long the longest-waiting has been done, seconds.
    pub oldest_wait_seconds: f64,
    /// Not reviewed, and to be deleted within a week.
    pub soon_deleted: i64,
    /// Deleted after their time.
    pub deleted: i64,
    /// Of these, without a review.
    pub deleted_unreviewed: i64,
    /// Files that are still to be deleted.
    pub files_to_delete: i64,
}

impl Queued<'_> {
    /// Takes a review down. `reviewer` has 1 to 100 characters, `note` at most 2000.
    pub async fn review(
        &self,
        id: i64,
        verdict: Verdict,
        reviewer: &str,
        note: Option<&str>,
    ) -> Result<Reviewed, QueueError> {
        let row =
            self.0.query_opt(include_str!("sql/review.sql"), &[&id, &verdict.word(), &reviewer, &note]).await;
        let row = row.map_err(|error| QueueError::of(t!("the review can't be taken down"), &error))?;
        Ok(match row {
            None => Reviewed::Absent,
            Some(row) if row.get(1) => Reviewed::Taken,
            Some(row) => Reviewed::Not(row.get(0)),
        })
    }

    /// Reviews and retention in numbers.
    pub async fn review_stats(&self) -> Result<ReviewStats, QueueError> {
        let row = self.0.query_one(include_str!("sql/reviews.sql"), &[]).await;
        let row = row.map_err(|error| QueueError::of(t!("the queue's numbers can't be read"), &error))?;
        Ok(ReviewStats {
            waiting: row.get("waiting"),
            failed: row.get("failed"),
            accepted: row.get("accepted"),
            rejected: row.get("rejected"),
            oldest_wait_seconds: row.get("oldest_wait"),
            soon_deleted: row.get("soon_deleted"),
            deleted: row.get("deleted"),
            deleted_unreviewed: row.get("deleted_unreviewed"),
            files_to_delete: row.get("files_to_delete"),
        })
    }
}
