//! Files too large for memory, written as they come.

use std::io::{self, Write};

use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::write::temporary;
use super::{Host, Result, file_of};

impl Host {
    /// Makes a new file of ours of what `fill` writes, atomically: it has its name once all of it is on the disk. Where
    /// `fill` fails, nothing is left. `mode` are its permission bits.
    pub fn write_large(
        &self,
        path: &str,
        mode: u32,
        fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> Result<()> {
        self.write_large_raw(path, mode, fill).map_err(|e| self.error("write", path, e))
    }

    fn write_large_raw(
        &self,
        path: &str,
        mode: u32,
        fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let (folder, name) = self.folder_of(path)?;
        let new = temporary(name);
        let _ = unlinkat(&folder, new.as_str(), UnlinkatFlags::NoRemoveDir);
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut file = file_of(openat(&folder, new.as_str(), flags, Mode::from_bits_truncate(0o600))?);
        let filled = fill(&mut file)
            .and_then(|()| Ok(fchmod(&file, Mode::from_bits_truncate(mode))?))
            .and_then(|()| self.act("fsync", path, || file.sync_all()))
            .and_then(|()| self.act("rename", path, || Ok(renameat(&folder, new.as_str(), &folder, name)?)));
        if filled.is_err() {
            let _ = unlinkat(&folder, new.as_str(), UnlinkatFlags::NoRemoveDir);
        }
        filled?;
        self.sync_folder(&folder, path)
    }
}
