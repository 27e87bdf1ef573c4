//! civicum-tune makes a small Linux server right for AI work, and keeps it right.
//!
//! The way through: a [`profile`] says what is wanted, [`facts`] say what the host is, the
//! [`tunable`]s turn both into a [`plan`] of typed changes, and [`apply`] carries the plan out under a
//! journal. Only [`host`] touches the machine. [`render`] shows things to people; [`cli`] binds it all.

pub mod apply;
pub mod change;
pub mod cli;
pub mod facts;
pub mod host;
pub mod plan;
pub mod profile;
pub mod render;
pub mod sysctl_name;
pub mod tunable;
pub mod units;
