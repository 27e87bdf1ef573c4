//! How things are shown to people and to machines.

pub mod budget;
pub mod diff;
pub mod doctor;
pub mod facts;
pub mod json;
pub mod plan;
pub mod style;

pub use style::Style;
