//! How things are shown to people and to machines.

pub mod bench;
pub mod budget;
pub mod deploy;
pub mod diagnostic;
pub mod diff;
pub mod doctor;
pub mod events;
pub mod explain;
pub mod facts;
pub mod github;
pub mod json;
pub mod junit;
pub mod plan;
pub mod queue;
pub mod sarif;
pub mod status;
pub mod style;
pub mod table;
pub mod yaml;

pub use style::Style;
