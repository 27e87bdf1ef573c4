//! What went wrong at the door: what was tried, on which path, why, and what to do about it.

use crate::lang::say;
use crate::t;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// The result of anything done through the door.
pub type Result<T> = std::result::Result<T, HostError>;

/// A failed operation on the host.
#[derive(Debug)]
pub struct HostError {
    /// What was tried, as a verb: `read`, `replace`, …
    pub action: &'static str,
    /// On what.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&t!(
            "cannot {action} {path}: {why}",
            action = say(self.action),
            path = self.path.display(),
            why = self.reason()
        ))
    }
}

impl std::error::Error for HostError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
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
        in_words(&self.source) + &hint(&self.source).map(|hint| format!("; {hint}")).unwrap_or_default()
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

/// What the kernel said, in the language that is spoken, and the number's name for who looks it up.
pub fn in_words(error: &io::Error) -> String {
    let errno = match (error.raw_os_error(), error.kind()) {
        (Some(number), _) => Errno::from_raw(number),
        (None, io::ErrorKind::NotFound) if error.get_ref().is_none() => Errno::ENOENT,
        _ => return error.to_string(),
    };
    let words = match errno {
        Errno::ENOENT => t!("No such file or directory"),
        Errno::EACCES => t!("Permission denied"),
        Errno::EPERM => t!("Operation not permitted"),
        Errno::ENOTDIR => t!("Not a directory"),
        Errno::EISDIR => t!("Is a directory"),
        Errno::ENOSPC => t!("No space left on device"),
        Errno::EROFS => t!("Read-only file system"),
        Errno::EXDEV => t!("Cross-device link"),
        Errno::EIO => t!("I/O error"),
        Errno::ELOOP => t!("Too many symbolic links encountered"),
        Errno::EDQUOT => t!("Quota exceeded"),
        Errno::EBUSY => t!("Device or resource busy"),
        Errno::EMFILE => t!("Too many open files"),
        Errno::ENAMETOOLONG => t!("File name too long"),
        Errno::EINVAL => t!("Invalid argument"),
        Errno::EEXIST => t!("File exists"),
        Errno::ECONNREFUSED => t!("Connection refused"),
        Errno::ETXTBSY => t!("Text file busy"),
        Errno::ENOMEM => t!("Out of memory"),
        Errno::EFBIG => t!("File too large"),
        Errno::ENODEV => t!("No such device"),
        Errno::ENXIO => t!("No such device or address"),
        Errno::EADDRINUSE => t!("Address already in use"),
        Errno::ETIMEDOUT => t!("Connection timed out"),
        Errno::ENOTEMPTY => t!("Directory not empty"),
        Errno::ENOSYS => t!("Function not implemented"),
        other => other.desc().to_owned(),
    };
    format!("{words} ({errno:?})")
}

/// What to do about it, where that is known.
pub fn hint(error: &io::Error) -> Option<String> {
    Some(match Errno::from_raw(error.raw_os_error()?) {
        Errno::EACCES => t!("run it as root (sudo)"),
        Errno::EPERM => t!(
            "run it as root (sudo); if you are, the file may be immutable (lsattr) or the kernel locked down"
        ),
        Errno::ENOSPC => t!("free some space on that file system and run it again"),
        Errno::EDQUOT => t!("the disk quota is used up; free some space and run it again"),
        Errno::EROFS => t!(
            "the file system is mounted read-only; after an error the kernel does that by itself, see `dmesg`"
        ),
        Errno::ELOOP => t!("its symbolic links go in a circle, or lead where none may be followed"),
        Errno::EXDEV => t!(
            "it leads out of the root, or to a pipe or another thing that is open, and only a regular file will do"
        ),
        Errno::ENOSYS => t!("this needs Linux 5.6 or later"),
        _ => return None,
    })
}
