//! What went wrong at the door: what was tried, on which path, why, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// The result of anything done through the door.
pub type Result<T> = std::result::Result<T, HostError>;

/// A failed operation on the host.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {}{}", .path.display(), reason(.source), hint(.source).map(|h| format!("; {h}")).unwrap_or_default())]
pub struct HostError {
    /// What was tried, as a verb: `read`, `replace`, …
    pub action: &'static str,
    /// On what.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

impl HostError {
    /// A failure of `action` on `path`.
    pub fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self { action, path: path.to_owned(), source }
    }

    /// A failure that the kernel did not report, but we found out.
    pub fn because(action: &'static str, path: &Path, reason: impl Into<String>) -> Self {
        Self::new(action, path, io::Error::other(reason.into()))
    }

    /// Why, and what to do, without the path.
    pub fn reason(&self) -> String {
        reason(&self.source) + &hint(&self.source).map(|hint| format!("; {hint}")).unwrap_or_default()
    }

    /// The kernel's error number, if it was the kernel that refused.
    pub fn errno(&self) -> Option<Errno> {
        self.source.raw_os_error().map(Errno::from_raw)
    }

    /// The file is not there.
    pub fn is_absent(&self) -> bool {
        matches!(self.errno(), Some(Errno::ENOENT | Errno::ENOTDIR))
    }
}

fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => {
            let errno = Errno::from_raw(number);
            format!("{} ({errno:?})", errno.desc())
        }
        None => error.to_string(),
    }
}

fn hint(error: &io::Error) -> Option<&'static str> {
    Some(match Errno::from_raw(error.raw_os_error()?) {
        Errno::EACCES => "run it as root (sudo)",
        Errno::EPERM => {
            "run it as root (sudo); if you are, the file may be immutable (lsattr) or the kernel locked down"
        }
        Errno::ENOSPC => "free some space on that file system and run it again",
        Errno::EDQUOT => "the disk quota is used up; free some space and run it again",
        Errno::EROFS => {
            "the file system is mounted read-only; after an error the kernel does that by itself, see `dmesg`"
        }
        Errno::ELOOP => "its symbolic links go in a circle, or lead where none may be followed",
        Errno::EXDEV => "a symbolic link in it leads out of the root",
        Errno::ENOSYS => "this needs Linux 5.6 or later",
        _ => return None,
    })
}
