//! Files without a name: gone if nobody keeps them, and whole on the disk before they have one.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag, openat2, renameat};
use nix::sys::stat::{Mode, fchmod, fstatat};
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};
// nix has this one for glibc alone, and the static program is built with musl.
use rustix::fs::{RenameFlags, renameat_with};
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

    /// Puts the file on the disk, then gives it its name, in the place of a file that has it.
    pub fn keep_nameless(&self, file: &File, path: &str) -> Result<()> {
        let kept = || -> io::Result<()> {
            fchmod(file, Mode::from_bits_truncate(0o640))?;
            file.sync_all()?;
            let (folder, name) = self.folder_of(path)?;
            // The kernel has no other way without a privilege (open(2), O_TMPFILE).
            let own = format!("/proc/self/fd/{}", file.as_raw_fd());
            match linkat(AT_FDCWD, own.as_str(), &folder, name, AtFlags::AT_SYMLINK_FOLLOW) {
                Ok(()) => {}
                // A file that is the same as far as the name tells, but may be on its way out: see `discard`.
                Err(Errno::EEXIST) => {
                    let new = format!(".{name}.{}-{}", std::process::id(), file.as_raw_fd());
                    let _ = unlinkat(&folder, new.as_str(), UnlinkatFlags::NoRemoveDir);
                    linkat(AT_FDCWD, own.as_str(), &folder, new.as_str(), AtFlags::AT_SYMLINK_FOLLOW)?;
                    renameat(&folder, new.as_str(), &folder, name)?;
                }
                Err(e) => return Err(e.into()),
            }
            self.sync_folder(&folder, path)
        };
        kept().map_err(|e| self.error("keep a file as", path, e))
    }

    /// Deletes a file that nobody put there within `young`; `false`: it was put there within it. It is taken away before its age is
    /// looked at, so that it can't be replaced in between: a young one gets its name back, unless the name is taken by then.
    pub fn discard(&self, path: &str, young: Duration) -> Result<bool> {
        let gone = || -> io::Result<bool> {
            let (folder, name) = match self.folder_of(path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(true),
                found => found?,
            };
            let age = |name: &str| -> io::Result<Option<Duration>> {
                match fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
                    Ok(stat) => {
                        let put = UNIX_EPOCH + Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
                        Ok(Some(SystemTime::now().duration_since(put).unwrap_or_default()))
                    }
                    Err(Errno::ENOENT) => Ok(None),
                    Err(e) => Err(e.into()),
                }
            };
            match age(name)? {
                None => return Ok(true),
                Some(age) if age < young => return Ok(false),
                Some(_) => {}
            }
            let aside = aside(name);
            renameat(&folder, name, &folder, aside.as_str())?;
            let came_lately = age(&aside)?.is_some_and(|age| age < young);
            let back = || renameat_with(&folder, aside.as_str(), &folder, name, RenameFlags::NOREPLACE);
            if came_lately && back().is_ok() {
                return Ok(false);
            }
            unlinkat(&folder, aside.as_str(), UnlinkatFlags::NoRemoveDir)?;
            self.sync_folder(&folder, path)?;
            Ok(!came_lately)
        };
        gone().map_err(|e| self.error("delete", path, e))
    }

    /// What a folder holds, and since when each has been there, Unix seconds: when it was written, and when it got its name.
    pub fn put_times(&self, folder: &str) -> Result<Vec<PutTime>> {
        let times = || -> io::Result<Vec<PutTime>> {
            let at = self.open_in_root(folder, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
            let mut found = Vec::new();
            for name in self.list(folder).map_err(io::Error::other)? {
                match fstatat(&at, name.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                    Ok(stat) => found.push(PutTime { name, written: stat.st_mtime, named: stat.st_ctime }),
                    Err(Errno::ENOENT) => {}
                    Err(e) => return Err(e.into()),
                }
            }
            Ok(found)
        };
        times().map_err(|e| self.error("look at", folder, e))
    }

    /// Deletes what `keep_nameless` left behind where it was ended before its last step.
    pub fn delete_half(&self, path: &str) -> Result<()> {
        let deleted = || -> io::Result<()> {
            let (folder, name) = self.folder_of(path)?;
            Ok(unlinkat(&folder, name, UnlinkatFlags::NoRemoveDir)?)
        };
        deleted().map_err(|e| self.error("delete", path, e))
    }

    /// Gives a file back the name that a `discard` had taken away, and was ended before it deleted it.
    pub fn give_back_name(&self, path: &str) -> Result<()> {
        let given = || -> io::Result<()> {
            let (folder, name) = self.folder_of(path)?;
            match renameat_with(&folder, aside(name).as_str(), &folder, name, RenameFlags::NOREPLACE) {
                // The same bytes came again since.
                Err(rustix::io::Errno::EXIST) => {
                    unlinkat(&folder, aside(name).as_str(), UnlinkatFlags::NoRemoveDir)?;
                }
                done => done?,
            }
            self.sync_folder(&folder, path)
        };
        given().map_err(|e| self.error("keep a file as", path, e))
    }
}

/// What stands in a folder, and since when.
pub struct PutTime {
    /// Its name.
    pub name: String,
    /// When it was written.
    pub written: i64,
    /// When it got its name, or lost another.
    pub named: i64,
}

/// What a file is called while it is taken away.
fn aside(name: &str) -> String {
    format!(".{name}.goes")
}
