//! What a worker has counted since its start.

use std::cell::Cell;

/// Counters.
#[derive(Default)]
pub(super) struct Counts {
    /// Jobs that were claimed.
    pub claimed: Cell<u64>,
    /// Jobs whose result was stored.
    pub done: Cell<u64>,
    /// Jobs that were given back because they failed.
    pub failed: Cell<u64>,
    /// Children that were killed.
    pub crashed: Cell<u64>,
    /// Results that came too late: somebody else had the job.
    pub stale: Cell<u64>,
    /// Jobs of others that were found lost.
    pub reaped: Cell<u64>,
    /// Documents that were deleted after their time.
    pub deleted: Cell<u64>,
    /// Of these, without a review.
    pub deleted_unreviewed: Cell<u64>,
    /// Files that were deleted.
    pub files_deleted: Cell<u64>,
    /// Files that no row named.
    pub files_unnamed: Cell<u64>,
    /// Pages that were read.
    pub pages: Cell<u64>,
    /// Time that jobs were in work, ms.
    pub busy_ms: Cell<u64>,
}

/// One more.
pub(super) fn add(counter: &Cell<u64>, more: u64) {
    counter.set(counter.get().saturating_add(more));
}
