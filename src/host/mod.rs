//! The one door to the host.
//!
//! Everything that reads or changes the machine goes through [`Host`]: paths are resolved below a root
//! handle as `chroot` would (`openat2` with `RESOLVE_IN_ROOT`), so that `/`, a mounted image and a fixture
//! tree are the same thing and no symbolic link leads out of it. There are two ways to write: *replace* a file
//! (temporary file, fsync, rename, fsync of the folder) and *poke* a kernel file (one write). No other
//! module calls `std::fs`, `std::process::Command` or a system call.

mod checkpoint;
pub mod child;
mod clock;
pub mod command;
pub mod cpuid;
mod error;
pub mod fault;
mod handed;
mod image;
mod kernel_log;
mod leftover;
mod lock;
pub mod memory;
mod nameless;
mod ports;
mod pressure;
pub mod probe;
mod process;
mod read;
pub mod sandbox;
mod state;
mod stream;
pub mod swap;
pub mod terminal;
mod waiting;
mod write;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, fstat};

pub use clock::since_boot;
pub use error::{HostError, Result, hint, in_words};
pub use handed::handed;
pub use image::{Content, Image};
pub use kernel_log::{KernelLine, KernelLog};
pub use lock::Lock;
pub use nameless::PutTime;
pub use pressure::PressureTrigger;
pub use process::Process;
pub use read::{MAX_FILE, Space, Stat};
pub use state::STATE;
pub use waiting::{For, Ready, Waker, wait_for};

use fault::{Fault, Point};

/// A host, or a tree that looks like one.
pub struct Host {
    root: OwnedFd,
    path: PathBuf,
    live: bool,
    seen: RefCell<Option<BTreeMap<String, String>>>,
    fault: Option<Fault>,
}

impl Host {
    /// The machine that we run on.
    pub fn live() -> Result<Self> {
        Self::open(Path::new("/"), true)
    }

    /// The tree below `path`: files only, no runtime value, no command.
    pub fn at(path: &Path) -> Result<Self> {
        Self::open(path, false)
    }

    fn open(path: &Path, live: bool) -> Result<Self> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_RDONLY;
        let root = open(path, flags, Mode::empty())
            .map_err(|e| HostError::new("open the folder", path, e.into()))?;
        let host = Self { root, path: path.to_owned(), live, seen: RefCell::new(None), fault: None };
        // Without openat2 (Linux 5.6) every file would seem absent; systemd's RestrictSUIDSGID= takes it away, for one.
        match host.open_in_root("/", OFlag::O_PATH) {
            Err(error) if error.raw_os_error() == Some(nix::libc::ENOSYS) => {
                Err(HostError::new("use openat2 below", path, error))
            }
            _ => Ok(host),
        }
    }

    /// Is it the same folder on the same file system?
    pub fn is_same_as(&self, other: &Self) -> bool {
        let place = |host: &Self| fstat(&host.root).map(|stat| (stat.st_dev, stat.st_ino));
        place(self).is_ok_and(|own| place(other) == Ok(own))
    }

    /// For tests: `fault` is asked before and after every single operation that changes something.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Is this the running machine (and not a tree given by `--root`)?
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// The path as a person outside the tree would type it.
    pub fn shown(&self, path: &str) -> PathBuf {
        if self.live { PathBuf::from(path) } else { self.path.join(path.trim_start_matches('/')) }
    }

    /// The folder that is this host's `/`.
    pub fn root_path(&self) -> &Path {
        &self.path
    }

    /// From here on remember the SHA-256 of every configuration file and kernel setting that is read.
    pub fn record_seen(&self) {
        *self.seen.borrow_mut() = Some(BTreeMap::new());
    }

    /// What was read since [`Self::record_seen`]: path to SHA-256 in hex, or `absent`.
    pub fn take_seen(&self) -> BTreeMap<String, String> {
        self.seen.borrow_mut().take().unwrap_or_default()
    }

    fn remember(&self, path: &str, bytes: Option<&[u8]>) {
        if let Some(seen) = self.seen.borrow_mut().as_mut() {
            if read::is_stable(path) {
                seen.insert(path.to_owned(), bytes.map_or_else(|| "absent".to_owned(), sha256_hex));
            }
        }
    }

    fn point(&self, point: Point<'_>) -> std::io::Result<()> {
        self.fault.as_ref().map_or(Ok(()), |fault| fault(point))
    }

    fn error(&self, action: &'static str, path: &str, source: std::io::Error) -> HostError {
        HostError::new(action, &self.shown(path), source)
    }
}

/// SHA-256 in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn file_of(fd: OwnedFd) -> File {
    File::from(fd)
}
