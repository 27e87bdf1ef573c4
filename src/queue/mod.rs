//! The document queue in PostgreSQL: short claims with a lease and a fence, and no transaction that stays open while a document is
//! read. Documents and results are files; the rows are small.

mod database;
mod documents;
mod error;
mod jobs;
mod migrate;
mod retention;
mod review;
pub mod schemas;
mod store;

pub use database::{Database, LOCKS, Session};
pub use documents::{Document, Enqueued, NewDocument, QueueStats, Queued, STATES};
pub use error::QueueError;
pub use jobs::{Became, Claim, Held, Made, Queue, Waiting, listen, register};
pub use migrate::{NEWEST, migrate, version};
pub use retention::{Expired, Keep, SweepError, Swept};
pub use review::{Review, ReviewStats, Reviewed, Verdict};
pub use store::{Growing, Store, Stored};
