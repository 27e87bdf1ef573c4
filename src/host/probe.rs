//! A file without a name for measuring a disk: past the page cache, and gone with the process, however that ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use nix::fcntl::OFlag;
use nix::sys::statfs::{FsType, TMPFS_MAGIC, fstatfs};

use super::{Host, Result, file_of};
use crate::t;

/// What direct access wants buffers and places to be a multiple of, in bytes.
const ALIGNED: usize = 4096;

/// The file.
pub struct Probe {
    file: File,
}

/// A buffer at an address that direct access takes.
pub struct Buffer {
    bytes: Vec<u8>,
    from: usize,
    size: usize,
}

impl Buffer {
    /// So many bytes, all 0.
    pub fn new(size: usize) -> Self {
        let bytes = vec![0u8; size + ALIGNED];
        let from = bytes.as_ptr().align_offset(ALIGNED).min(ALIGNED);
        Self { bytes, from, size }
    }

    /// What is in it.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.from..self.from + self.size]
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[self.from..self.from + self.size]
    }
}

impl Host {
    /// Makes one in a folder. The error says where that can't be: a file system in memory, one without files that have no name,
    /// or without direct access.
    pub fn probe(&self, folder: &str) -> Result<Probe> {
        let made = || -> io::Result<Probe> {
            let place = self.open_in_root(folder, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
            let kind: FsType = fstatfs(&place)?.filesystem_type();
            if kind == TMPFS_MAGIC {
                return Err(io::Error::other(t!("the file system is in memory")));
            }
            let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_DIRECT;
            Ok(Probe { file: file_of(self.open_in_root(folder, flags)?) })
        };
        made().map_err(|e| self.error("make a file without a name in", folder, e))
    }
}

impl Probe {
    /// Reads a whole buffer.
    pub fn read(&self, into: &mut Buffer, at: u64) -> io::Result<()> {
        self.file.read_exact_at(into.bytes_mut(), at)
    }

    /// Writes a whole buffer.
    pub fn write(&self, from: &Buffer, at: u64) -> io::Result<()> {
        self.file.write_all_at(from.bytes(), at)
    }

    /// Waits until all of it is on the disk.
    pub fn settle(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}
