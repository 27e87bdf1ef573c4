//! One run at a time.

use crate::t;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag, openat};
use nix::sys::stat::{Mode, fchmod};

use super::{Host, HostError, Result, file_of};

/// The exclusive lock; released when dropped, and by the kernel when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: Flock<File>,
}

impl Host {
    /// Takes the lock at `path` or says at once which process holds it.
    pub fn lock(&self, path: &str) -> Result<Lock> {
        self.make_folders(path)?;
        let (folder, name) = self.folder_of(path).map_err(|e| self.error("lock", path, e))?;
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        let fd = openat(&folder, name, flags, Mode::from_bits_truncate(0o600))
            .map_err(|e| self.error("open the lock", path, e.into()))?;
        // Whoever may open it may hold it: an older one was open to all.
        let _ = fchmod(&fd, Mode::from_bits_truncate(0o600));
        match Flock::lock(file_of(fd), FlockArg::LockExclusiveNonblock) {
            Ok(mut file) => {
                // The number inside is for people only; it may be missing.
                let _ = file.set_len(0).and_then(|()| file.rewind());
                let _ = writeln!(&*file, "{}", std::process::id());
                Ok(Lock { _file: file })
            }
            Err((mut file, Errno::EWOULDBLOCK)) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                Err(HostError::because(
                    "start",
                    &self.shown(path),
                    if holder.is_empty() {
                        t!("another civicum-tune is changing this host; wait until it ends")
                    } else {
                        t!(
                            "another civicum-tune (process {holder}) is changing this host; wait until it ends",
                            holder = holder
                        )
                    },
                ))
            }
            Err((_, e)) => Err(self.error("lock", path, e.into())),
        }
    }
}
