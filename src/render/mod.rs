//! How things are shown to people and to machines.

pub mod diff;
pub mod doctor;
pub mod explain;
pub mod facts;
pub mod json;
pub mod plan;
pub mod style;

pub use style::Style;
