//! Where tests cut the power.
//!
//! Every operation that changes the host passes a [`Point`] before and after the act. A test gives
//! [`super::Host::with_fault`] a function that counts them and, at the one it wants, returns an error (a full disk,
//! a read-only file system) or kills the process. Without one, a point costs nothing.

use std::fmt;
use std::io;

/// The function that a test hands in.
pub type Fault = Box<dyn Fn(Point<'_>) -> io::Result<()>>;

/// One moment in one operation.
#[derive(Debug, Clone, Copy)]
pub struct Point<'a> {
    /// The act: `create`, `write`, `fsync`, `rename`, `fsync-folder`, `unlink`, `poke`, `command`, …
    pub act: &'static str,
    /// On what.
    pub path: &'a str,
    /// Before the act (an error stops it) or after it.
    pub when: When,
}

/// Before or after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The act has not happened.
    Before,
    /// The act has happened.
    After,
}

impl fmt::Display for Point<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = if self.when == When::Before { "before" } else { "after" };
        write!(f, "{when} {} {}", self.act, self.path)
    }
}
