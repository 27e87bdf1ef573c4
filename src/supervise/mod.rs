//! The supervisor: keeps the deployment up, and lets the right one give way when memory runs short.
//!
//! One place decides, from numbers alone ([`ladder`], [`keeper`]); it never waits for the engine. Three threads serve it: the
//! ears hear the engine's events, the eyes ask what runs in the containers, the hands have the engine do things.

mod act;
pub mod attribute;
mod ears;
pub mod event;
mod eyes;
mod hand;
mod hands;
mod hear;
pub mod history;
mod inside;
pub mod keeper;
mod kills;
pub mod ladder;
pub mod metrics;
mod news;
mod run;
pub mod sample;
pub mod sharing;
mod snapshot;
mod switch;
mod ward;
mod watch;
mod word;

pub use run::{Counts, Supervisor};
pub use snapshot::{One, Snapshot};
pub use word::{STATE_FOLDER, Word, state_file};
