//! Writing: *replace a file* and *poke a kernel file*, and the few acts beside them.

use crate::t;
use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fchmod, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, fsync, symlinkat, unlinkat};
use xattr::FileExt as _;

use super::fault::{Point, When};
use super::image::Image;
use super::{Host, Result, file_of};

/// The temporary name beside a file that is being replaced. A cut leaves at most one, and the next write removes it.
pub(super) fn temporary(name: &str) -> String {
    format!(".{name}.civicum-tune-new")
}

impl Host {
    /// Makes `path` be `image`, atomically: a reader, or a boot after a power cut, finds the old one or the new one whole.
    pub fn replace(&self, path: &str, image: &Image) -> Result<()> {
        self.replace_raw(path, image).map_err(|e| match image {
            Image::Absent => self.error("remove", path, e),
            _ => self.error("replace", path, e),
        })
    }

    fn replace_raw(&self, path: &str, image: &Image) -> io::Result<()> {
        let (folder, name) = self.folder_of(path)?;
        let new = temporary(name);
        match image {
            Image::Absent => {
                self.act("unlink", path, || match unlinkat(&folder, name, UnlinkatFlags::NoRemoveDir) {
                    Err(Errno::ENOENT) => Ok(()),
                    result => Ok(result?),
                })?;
                return self.sync_folder(&folder, path);
            }
            Image::Link { target } => {
                remove_leftover(&folder, &new)?;
                self.act("symlink", path, || Ok(symlinkat(target.as_str(), &folder, new.as_str())?))?;
            }
            Image::File { .. } => {
                remove_leftover(&folder, &new)?;
                if let Err(e) = self.write_new(path, &folder, &new, image) {
                    let _ = remove_leftover(&folder, &new);
                    return Err(e);
                }
            }
            Image::Other { what } => {
                return Err(io::Error::other(t!("{what} can't be put there", what = what)));
            }
        }
        let renamed = self.act("rename", path, || Ok(renameat(&folder, new.as_str(), &folder, name)?));
        if renamed.is_err() {
            let _ = remove_leftover(&folder, &new);
        }
        renamed?;
        self.sync_folder(&folder, path)
    }

    fn write_new(&self, path: &str, folder: &OwnedFd, new: &str, image: &Image) -> io::Result<()> {
        let Image::File { content, mode, uid, gid, xattrs } = image else { return Ok(()) };
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd =
            self.act("create", path, || Ok(openat(folder, new, flags, Mode::from_bits_truncate(0o600))?))?;
        let mut file = file_of(fd);
        self.act("write", path, || file.write_all(&content.0))?;
        fchown_if_needed(&file, *uid, *gid)?;
        fchmod(&file, Mode::from_bits_truncate(*mode))?;
        for (name, value) in xattrs {
            file.set_xattr(OsStr::new(name), &value.0)?;
        }
        self.act("fsync", path, || file.sync_all())
    }

    pub(super) fn sync_folder(&self, folder: &OwnedFd, path: &str) -> io::Result<()> {
        self.act("fsync-folder", path, || Ok(fsync(folder)?))
    }

    /// Writes `value` into a kernel file in one write. The kernel may normalise it: read it back.
    pub fn poke(&self, path: &str, value: &str) -> Result<()> {
        self.poke_raw(path, value).map_err(|e| self.error("write to", path, e))
    }

    fn poke_raw(&self, path: &str, value: &str) -> io::Result<()> {
        let fd = self.open_in_root(path, OFlag::O_WRONLY | OFlag::O_NOCTTY)?;
        let mut file = file_of(fd);
        self.act("poke", path, || match file.write(value.as_bytes())? {
            written if written == value.len() => Ok(()),
            written => Err(io::Error::other(t!(
                "the kernel took {written} of {bytes} bytes",
                written = written,
                bytes = value.len()
            ))),
        })
    }

    /// Appends to a file of ours and waits until it is on the disk.
    pub fn append(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.append_raw(path, bytes).map_err(|e| self.error("append to", path, e))
    }

    fn append_raw(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let (folder, name) = self.folder_of(path)?;
        let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let is_new = fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_err();
        let mut file = file_of(openat(&folder, name, flags, Mode::from_bits_truncate(0o600))?);
        self.act("append", path, || file.write_all(bytes))?;
        self.act("fsync", path, || file.sync_data())?;
        if is_new { self.sync_folder(&folder, path) } else { Ok(()) }
    }

    /// Makes one folder with these permission bits; one that is there already is left as it is. Says whether it made it.
    pub fn make_folder(&self, path: &str, mode: u32) -> Result<bool> {
        let made = || -> io::Result<bool> {
            let (folder, name) = self.folder_of(path)?;
            let made =
                self.act("mkdir", path, || match mkdirat(&folder, name, Mode::from_bits_truncate(mode)) {
                    Ok(()) => Ok(true),
                    Err(Errno::EEXIST) if self.exists(path) => Ok(false),
                    Err(Errno::EEXIST) => {
                        Err(io::Error::other(t!("there is a symbolic link that leads nowhere; remove it")))
                    }
                    Err(e) => Err(e.into()),
                })?;
            if made {
                self.sync_folder(&folder, path)?;
            }
            Ok(made)
        };
        made().map_err(|e| self.error("make the folder", path, e))
    }

    /// Makes the folders above `path` that are missing (0755).
    pub fn make_folders(&self, path: &str) -> Result<()> {
        for folder in self.missing_folders(path) {
            self.make_folder(&folder, 0o755)?;
        }
        Ok(())
    }

    /// The folders above `path` that are missing, outermost first.
    pub fn missing_folders(&self, path: &str) -> Vec<String> {
        let mut missing = Vec::new();
        let mut at = path;
        while let Some((folder, _)) = at.rsplit_once('/').filter(|(folder, _)| !folder.is_empty()) {
            if self.exists(folder) {
                break;
            }
            missing.push(folder.to_owned());
            at = folder;
        }
        missing.reverse();
        missing
    }

    /// Removes a folder if it is empty; says whether it is gone.
    pub fn remove_empty_folder(&self, path: &str) -> Result<bool> {
        let removed = || -> io::Result<bool> {
            let (folder, name) = self.folder_of(path)?;
            let gone =
                self.act("rmdir", path, || match unlinkat(&folder, name, UnlinkatFlags::RemoveDir) {
                    Ok(()) | Err(Errno::ENOENT) => Ok(true),
                    Err(Errno::ENOTEMPTY | Errno::EEXIST) => Ok(false),
                    Err(e) => Err(e.into()),
                })?;
            self.sync_folder(&folder, path)?;
            Ok(gone)
        };
        removed().map_err(|e| self.error("remove the folder", path, e))
    }

    /// Renames a file of ours within one folder, and waits until that is on the disk.
    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        let renamed = || -> io::Result<()> {
            let (folder, name) = self.folder_of(from)?;
            let (target, new) = self.folder_of(to)?;
            self.act("rename", to, || Ok(renameat(&folder, name, &target, new)?))?;
            self.sync_folder(&target, to)
        };
        renamed().map_err(|e| self.error("rename", from, e))
    }

    /// Does `act` between its two fault points.
    pub(super) fn act<T>(
        &self,
        act: &'static str,
        path: &str,
        work: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        self.point(Point { act, path, when: When::Before })?;
        let done = work()?;
        self.point(Point { act, path, when: When::After })?;
        Ok(done)
    }
}

/// Removes what an earlier cut may have left under the temporary name.
fn remove_leftover(folder: &OwnedFd, name: &str) -> io::Result<()> {
    match unlinkat(folder, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Gives the file its owner; a process that is not root may keep what it is itself.
fn fchown_if_needed(file: &impl AsFd, uid: u32, gid: u32) -> io::Result<()> {
    let (own_uid, own_gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    if own_uid.as_raw() == uid && own_gid.as_raw() == gid {
        return Ok(());
    }
    match fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))) {
        Ok(()) => Ok(()),
        // An ordinary user who works on a tree of their own can't give files away, and need not.
        Err(Errno::EPERM) if !own_uid.is_root() => Ok(()),
        Err(e) => Err(e.into()),
    }
}
