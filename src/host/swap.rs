//! Swap files and the two system calls for them.
//!
//! The header is written here, byte for byte as `mkswap` writes it (version 1): little-endian numbers at
//! offset 1024, the label at 1052, the signature in the last ten bytes of the first page.

use std::ffi::CString;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, FallocateFlags, OFlag, fallocate, openat, renameat};
use nix::libc;
use nix::sys::stat::{Mode, fstatat};
use nix::sys::statfs::{BTRFS_SUPER_MAGIC, fstatfs};
use nix::unistd::{UnlinkatFlags, unlinkat};
use rustix::fs::{RenameFlags, renameat_with};

use super::write::temporary;
use super::{Host, Result, file_of, terminal};

/// What swap files of ours are labelled, so that we know them again (at most 15 bytes).
pub const LABEL: &str = "civicum-tune";
/// The page size that the header is made for, in bytes.
pub const PAGE: u64 = 4096;
/// How much is allocated between two progress reports, in bytes.
const CHUNK: u64 = 128 << 20;

/// What a swap file's header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the area, header page included.
    pub size: u64,
    /// The 16 bytes of the UUID.
    pub uuid: [u8; 16],
    /// The label.
    pub label: String,
}

impl Header {
    /// The first page of the area.
    pub fn encode(&self) -> Vec<u8> {
        let mut page = vec![0u8; 4096];
        let last_page = u32::try_from(self.size / PAGE - 1).unwrap_or(u32::MAX);
        page[1024..1028].copy_from_slice(&1u32.to_le_bytes());
        page[1028..1032].copy_from_slice(&last_page.to_le_bytes());
        page[1036..1052].copy_from_slice(&self.uuid);
        let label = &self.label.as_bytes()[..self.label.len().min(15)];
        page[1052..1052 + label.len()].copy_from_slice(label);
        page[4086..].copy_from_slice(b"SWAPSPACE2");
        page
    }

    /// Reads a first page; `None` where it is no swap area of version 1.
    pub fn decode(page: &[u8]) -> Option<Self> {
        if page.get(4086..4096)? != b"SWAPSPACE2" || page[1024..1028] != 1u32.to_le_bytes() {
            return None;
        }
        let last_page = u32::from_le_bytes(page[1028..1032].try_into().ok()?);
        let label = page[1052..1068].split(|b| *b == 0).next().unwrap_or_default();
        Some(Self {
            size: (u64::from(last_page) + 1) * PAGE,
            uuid: page[1036..1052].try_into().ok()?,
            label: String::from_utf8_lossy(label).into_owned(),
        })
    }
}

/// The sixteen bytes of `8-4-4-4-12` hex digits.
pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let mut bytes = [0u8; 16];
    if digits.len() != 32 {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

impl Host {
    /// The header of the swap area in `path`; `None` where there is no file, or it is not one.
    pub fn swap_header(&self, path: &str) -> Option<Header> {
        use std::io::Read as _;
        let fd = self.open_in_root(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).ok()?;
        let mut page = vec![0u8; 4096];
        file_of(fd).read_exact(&mut page).ok()?;
        Header::decode(&page)
    }

    /// Makes a swap file (0600, fully allocated, no holes) under a temporary name, and renames it when it is whole and
    /// on the disk, unless something is there by then. On btrfs it is not copied on write. `progress` hears the bytes done.
    pub fn create_swap_file(&self, path: &str, header: &Header, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let mut make = || -> io::Result<()> {
            let (folder, name) = self.folder_of(path)?;
            let new = temporary(name);
            self.remove_quietly(&folder, &new)?;
            let made = self.fill_swap_file(path, &folder, &new, header, progress);
            if let Err(e) = made.and_then(|()| self.act("rename", path, || name_it(&folder, &new, name))) {
                self.remove_quietly(&folder, &new)?;
                return Err(e);
            }
            self.sync_folder(&folder, path)
        };
        make().map_err(|e| self.error("make the swap file", path, e))
    }

    fn fill_swap_file(
        &self,
        path: &str,
        folder: &OwnedFd,
        new: &str,
        header: &Header,
        progress: &mut dyn FnMut(u64),
    ) -> io::Result<()> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd =
            self.act("create", path, || Ok(openat(folder, new, flags, Mode::from_bits_truncate(0o600))?))?;
        // The disk itself knows better than the plan: a tree may tell of other mounts than it lies on, or of none.
        let is_btrfs = fstatfs(&fd)?.filesystem_type() == BTRFS_SUPER_MAGIC;
        if is_btrfs {
            no_copy_on_write(&fd)?;
        }
        let mut file = file_of(fd);
        let mut done = 0;
        while done < header.size {
            if terminal::interrupted() {
                return Err(io::Error::new(io::ErrorKind::Interrupted, "you interrupted it"));
            }
            let length = CHUNK.min(header.size - done);
            self.act("allocate", path, || allocate(&mut file, done, length))?;
            done += length;
            progress(done);
        }
        file.seek(SeekFrom::Start(0))?;
        self.act("write", path, || file.write_all(&header.encode()))?;
        self.act("fsync", path, || file.sync_all())
    }

    fn remove_quietly(&self, folder: &OwnedFd, name: &str) -> io::Result<()> {
        match unlinkat(folder, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(e) => Err(self.error("remove", name, e.into()).source),
        }
    }

    /// Removes what a cut may have left beside `path` under the temporary name.
    pub fn sweep(&self, path: &str) -> Result<()> {
        match self.folder_of(path) {
            Ok((folder, name)) => self
                .remove_quietly(&folder, &temporary(name))
                .map_err(|e| self.error("remove the leftover beside", path, e)),
            Err(_) => Ok(()),
        }
    }

    /// Puts a swap area to use. `priority` −1 leaves the choice to the kernel.
    pub fn swap_on(&self, path: &str, priority: i32) -> Result<()> {
        const PREFER: i32 = 0x8000;
        let flags = if priority < 0 { 0 } else { PREFER | (priority & 0x7fff) };
        self.act("swapon", path, || {
            let name = self.live_path(path)?;
            // SAFETY: `name` is a NUL-terminated string that outlives the call; the kernel copies it.
            #[allow(unsafe_code)]
            let result = unsafe { libc::swapon(name.as_ptr(), flags) };
            Errno::result(result).map(drop).map_err(io::Error::from)
        })
        .map_err(|e| self.error("swapon", path, e))
    }

    /// Takes a swap area out of use. The caller has made sure that its content fits in memory.
    pub fn swap_off(&self, path: &str) -> Result<()> {
        self.act("swapoff", path, || {
            let name = self.live_path(path)?;
            // SAFETY: as in `swap_on`.
            #[allow(unsafe_code)]
            let result = unsafe { libc::swapoff(name.as_ptr()) };
            Errno::result(result).map(drop).map_err(io::Error::from)
        })
        .map_err(|e| self.error("swapoff", path, e))
    }

    fn live_path(&self, path: &str) -> io::Result<CString> {
        if !self.is_live() {
            return Err(io::Error::other("swap is put to use on the live host only"));
        }
        CString::new(path).map_err(io::Error::other)
    }
}

/// Gives the finished file its name, unless somebody took that name while it was being made.
fn name_it(folder: &OwnedFd, new: &str, name: &str) -> io::Result<()> {
    // nix has this call with glibc alone.
    match renameat_with(folder, new, folder, name, RenameFlags::NOREPLACE) {
        // Not every file system can say "unless it is there"; then a look has to do.
        Err(rustix::io::Errno::INVAL) if fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_err() => {
            Ok(renameat(folder, new, folder, name)?)
        }
        Err(rustix::io::Errno::INVAL) => Err(Errno::EEXIST.into()),
        result => Ok(result?),
    }
}

/// Gives the file real blocks. A file system without `fallocate` gets zeros written.
fn allocate(file: &mut std::fs::File, offset: u64, length: u64) -> io::Result<()> {
    let too_large = |_| io::Error::from(Errno::EFBIG);
    let (from, len) = (i64::try_from(offset).map_err(too_large)?, i64::try_from(length).map_err(too_large)?);
    match fallocate(&*file, FallocateFlags::empty(), from, len) {
        Ok(()) => Ok(()),
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => {
            let zeros = vec![0u8; 1 << 20];
            file.seek(SeekFrom::Start(offset))?;
            let mut left = length;
            while left > 0 {
                let part = usize::try_from(left).unwrap_or(usize::MAX).min(zeros.len());
                file.write_all(&zeros[..part])?;
                left -= part as u64;
            }
            Ok(())
        }
        Err(e) => Err(e.into()),
    }
}

mod flags {
    //! `FS_IOC_GETFLAGS` and `FS_IOC_SETFLAGS`.
    #![allow(missing_docs)]
    use nix::libc;
    nix::ioctl_read!(get, b'f', 1, libc::c_long);
    nix::ioctl_write_ptr!(set, b'f', 2, libc::c_long);
}

/// btrfs: a swap file must not be copied on write, which can be said only while the file is empty.
fn no_copy_on_write(fd: &OwnedFd) -> io::Result<()> {
    const FS_NOCOW_FL: libc::c_long = 0x0080_0000;
    let mut attributes: libc::c_long = 0;
    // SAFETY: both calls pass a valid descriptor and a pointer to a `c_long` that lives through the call.
    #[allow(unsafe_code)]
    unsafe {
        flags::get(fd.as_raw_fd(), &raw mut attributes)?;
        attributes |= FS_NOCOW_FL;
        flags::set(fd.as_raw_fd(), &raw const attributes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back() {
        let header = Header { size: 40 * PAGE, uuid: *b"0123456789abcdef", label: LABEL.into() };
        let page = header.encode();
        assert_eq!(Header::decode(&page), Some(header));
        assert_eq!(Header::decode(&[0; 4096]), None);
        assert_eq!(Header::decode(b"short"), None);
    }

    #[test]
    fn uuids() {
        assert_eq!(parse_uuid("00000000-0000-0000-0000-0000000000ff").map(|u| u[15]), Some(255));
        assert_eq!(parse_uuid("00000000"), None);
        assert_eq!(parse_uuid("zz000000-0000-0000-0000-000000000000"), None);
    }
}
