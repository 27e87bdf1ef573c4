//! Files without a name: gone if nobody keeps them, and whole on the disk before they have one.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::linkat;
use std::os::fd::AsFd as _;

use super::{Host, Result, file_of};

impl Host {
    /// A new file on the file system of `folder`, without a name, to be read and written.
    pub fn nameless(&self, folder: &str) -> Result<File> {
        let made = || -> io::Result<File> {
            let parent = self.open_in_root(folder, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
            let how = OpenHow::new()
                .flags(OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC)
                .mode(Mode::from_bits_truncate(0o600))
                .resolve(ResolveFlag::RESOLVE_IN_ROOT);
            Ok(file_of(openat2(parent.as_fd(), ".", how)?))
        };
        made().map_err(|e| self.error("begin a file in", folder, e))
    }

    /// Puts the file on the disk, then gives it its name. Where the name is taken, the file there stays.
    pub fn keep_nameless(&self, file: &File, path: &str) -> Result<()> {
        let kept = || -> io::Result<()> {
            fchmod(file, Mode::from_bits_truncate(0o640))?;
            file.sync_all()?;
            let (folder, name) = self.folder_of(path)?;
            // The kernel has no other way without a privilege (open(2), O_TMPFILE).
            let own = format!("/proc/self/fd/{}", file.as_raw_fd());
            match linkat(AT_FDCWD, own.as_str(), &folder, name, AtFlags::AT_SYMLINK_FOLLOW) {
                Ok(()) | Err(Errno::EEXIST) => self.sync_folder(&folder, path),
                Err(e) => Err(e.into()),
            }
        };
        kept().map_err(|e| self.error("keep a file as", path, e))
    }
}
