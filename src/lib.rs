//! civicum-tune makes a small Linux server right for AI work, and keeps it right.
//!
//! The way through: a [`profile`] says what is wanted, [`facts`] say what the host is, the
//! [`tunable`]s turn both into a [`plan`] of typed changes, and [`apply`] carries the plan out under a
//! journal; [`check`]s audit the same host against the same profile. Only [`host`] touches the machine,
//! and only [`engine`] calls Docker. [`mod@bench`] measures what a profile can't know.
//! [`render`] shows things to people, in the language that [`lang`] knows; [`cli`] binds it all.

pub mod api;
pub mod apply;
pub mod bench;
pub mod change;
pub mod check;
pub mod cli;
pub mod container;
pub mod document;
pub mod engine;
pub mod facts;
pub mod host;
mod http;
pub mod lang;
pub mod llm;
pub mod ocr;
pub mod plan;
pub mod profile;
pub mod queue;
pub mod render;
pub mod supervise;
pub mod sysctl_name;
pub mod tunable;
pub mod units;
pub mod worker;
