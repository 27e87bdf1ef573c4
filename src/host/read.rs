//! Reading: bounded, never through a link out of the root, never blocked by a FIFO.

use crate::t;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use nix::sys::statvfs::fstatvfs;
use xattr::FileExt as _;

use super::image::{Content, Image};
use super::{Host, Result, file_of};

/// The largest file that we take for configuration, in bytes (8 MiB: a kernel's `modules.dep` has about 1 MiB).
pub const MAX_FILE: u64 = 8 << 20;

/// Room on a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Free for root.
    pub free: u64,
    /// In all.
    pub total: u64,
    /// Names that can still be made; 0 of 0 where the file system makes as many as it likes.
    pub inodes_free: u64,
    /// In all.
    pub inodes: u64,
}

/// Who owns what is at a path, and who may do what with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Its type in words: `a regular file`, `a folder`, …
    pub what: String,
    /// It is a regular file.
    pub is_file: bool,
    /// It is a symbolic link.
    pub is_link: bool,
    /// Permission bits, as in `0o644`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Host {
    /// The file's bytes; `None` where there is no such file. An error names a file larger than [`MAX_FILE`],
    /// or something that is no regular file.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let bytes = match self.read_bounded(path) {
            Ok(bytes) => Some(bytes),
            Err(e) if is_absent(&e) => None,
            Err(e) => return Err(self.error("read", path, e)),
        };
        self.remember(path, bytes.as_deref());
        Ok(bytes)
    }

    /// Opens a file that is too large to be read at once: images of containers have gigabytes.
    pub fn open_large(&self, path: &str) -> Result<std::fs::File> {
        let opened = self.open_in_root(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK).and_then(|fd| {
            let file = file_of(fd);
            if file.metadata()?.is_file() {
                Ok(file)
            } else {
                Err(io::Error::other(t!("it is no regular file")))
            }
        });
        opened.map_err(|e| self.error("read", path, e))
    }

    /// The file as text; bytes that are not UTF-8 become U+FFFD. `None` where there is no such file.
    pub fn read_text(&self, path: &str) -> Result<Option<String>> {
        Ok(self.read(path)?.map(|bytes| match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
        }))
    }

    /// A kernel file's value without blanks at its ends; `None` where it is absent, or can't be read or told.
    pub fn value(&self, path: &str) -> Option<String> {
        self.read_text(path).ok().flatten().map(|text| text.trim().to_owned())
    }

    fn read_bounded(&self, path: &str) -> io::Result<Vec<u8>> {
        let fd = self.open_in_root(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)?;
        let stat = fstat(&fd)?;
        refuse_unless_regular(&stat)?;
        // A file of the kernel's says 0, and some are made anew for each read: few and large ones are best.
        let size = if stat.st_size == 0 { 16 << 10 } else { usize::try_from(stat.st_size).unwrap_or(0) };
        let mut bytes = Vec::with_capacity(size.min(1 << 20) + 1);
        file_of(fd).take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE {
            let size = u64::try_from(stat.st_size).unwrap_or(0).max(MAX_FILE + 1);
            return Err(too_large(size));
        }
        Ok(bytes)
    }

    pub(super) fn open_in_root(&self, path: &str, flags: OFlag) -> io::Result<OwnedFd> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .mode(Mode::empty())
            .resolve(ResolveFlag::RESOLVE_IN_ROOT);
        Ok(openat2(self.root.as_fd(), relative(path).as_c_str(), how)?)
    }

    /// The folder that holds `path`, and the last part of the name.
    pub(super) fn folder_of<'p>(&self, path: &'p str) -> io::Result<(OwnedFd, &'p str)> {
        let trimmed = path.trim_end_matches('/');
        let (folder, name) = trimmed.rsplit_once('/').unwrap_or(("", trimmed));
        if name.is_empty() || name == ".." || name == "." {
            return Err(io::Error::other(t!("the path does not name a file")));
        }
        let fd = self.open_in_root(folder, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        Ok((fd, name))
    }

    /// The names in a folder, sorted; none where it is absent.
    pub fn list(&self, path: &str) -> Result<Vec<String>> {
        let mut names = self
            .list_raw(path)
            .or_else(|e| if is_absent(&e) { Ok(Vec::new()) } else { Err(self.error("list", path, e)) })?;
        names.sort_unstable();
        Ok(names)
    }

    fn list_raw(&self, path: &str) -> io::Result<Vec<String>> {
        let fd = self.open_in_root(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        let mut dir = Dir::from_fd(fd)?;
        let mut names = Vec::new();
        for entry in dir.iter() {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Is there anything at this path (links followed inside the root)?
    pub fn exists(&self, path: &str) -> bool {
        let found = self.open_in_root(path, OFlag::O_PATH).is_ok();
        self.remember(path, found.then_some(b"".as_slice()));
        found
    }

    /// Seconds since the epoch at which the file's content last changed.
    pub fn mtime(&self, path: &str) -> Option<i64> {
        let fd = self.open_in_root(path, OFlag::O_PATH).ok()?;
        Some(fstat(&fd).ok()?.st_mtime)
    }

    /// The file's size in bytes.
    pub fn size(&self, path: &str) -> Option<u64> {
        let fd = self.open_in_root(path, OFlag::O_PATH).ok()?;
        u64::try_from(fstat(&fd).ok()?.st_size).ok()
    }

    /// Owner and mode of what is at `path` (of a link itself, not of what it points to); `None` where there is nothing.
    pub fn stat(&self, path: &str) -> Result<Option<Stat>> {
        let found = self
            .open_in_root(path, OFlag::O_PATH | OFlag::O_NOFOLLOW)
            .and_then(|fd| Ok(fstat(&fd)?))
            .map(|stat| as_stat(&stat));
        match found {
            Ok(stat) => Ok(Some(stat)),
            Err(e) if is_absent(&e) => Ok(None),
            Err(e) => Err(self.error("look at", path, e)),
        }
    }

    /// The file that this program was started from; `None` under `--root`.
    pub fn own_program(&self) -> Option<String> {
        let path = self.live.then(std::env::current_exe)?.ok()?;
        Some(path.to_string_lossy().into_owned())
    }

    /// The same of what is there in the end, links followed inside the root; a socket too.
    pub fn stat_of_target(&self, path: &str) -> Option<Stat> {
        Some(as_stat(&fstat(self.open_in_root(path, OFlag::O_PATH).ok()?).ok()?))
    }

    /// Are both names of one thing? Not where one of them is not there.
    pub fn is_same(&self, one: &str, other: &str) -> bool {
        let place =
            |path| fstat(self.open_in_root(path, OFlag::O_PATH).ok()?).ok().map(|s| (s.st_dev, s.st_ino));
        place(one).is_some_and(|found| place(other) == Some(found))
    }

    /// The symbolic links in a folder: their names and where they point, as stored.
    pub fn links(&self, path: &str) -> Result<Vec<(String, String)>> {
        let names = self.list(path)?;
        let folder = self
            .open_in_root(path, OFlag::O_PATH | OFlag::O_DIRECTORY)
            .map_err(|e| self.error("list", path, e))?;
        let target = |name: &String| readlinkat(&folder, name.as_str()).ok();
        let found = names.into_iter().filter_map(|name| Some((target(&name)?, name)));
        Ok(found.map(|(target, name)| (name, target.to_string_lossy().into_owned())).collect())
    }

    /// Where a symbolic link points, as stored.
    pub fn read_link(&self, path: &str) -> Option<String> {
        let (folder, name) = self.folder_of(path).ok()?;
        Some(readlinkat(&folder, name).ok()?.to_string_lossy().into_owned())
    }

    /// All that it takes to put back what is at `path` (a link itself, not what it points to).
    pub fn image(&self, path: &str) -> Result<Image> {
        let image = self.image_raw(path).map_err(|e| self.error("read", path, e))?;
        self.remember(path, image.bytes());
        Ok(image)
    }

    fn image_raw(&self, path: &str) -> io::Result<Image> {
        let (folder, name) = match self.folder_of(path) {
            Ok(found) => found,
            Err(e) if is_absent(&e) => return Ok(Image::Absent),
            Err(e) => return Err(e),
        };
        let stat = match fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::ENOENT) => return Ok(Image::Absent),
            Err(e) => return Err(e.into()),
        };
        match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
            SFlag::S_IFLNK => {
                let target = readlinkat(&folder, name)?;
                Ok(Image::Link { target: target.to_string_lossy().into_owned() })
            }
            SFlag::S_IFREG => {
                let content = Content(self.read_bounded(path)?);
                Ok(Image::File {
                    content,
                    mode: stat.st_mode & 0o7777,
                    uid: stat.st_uid,
                    gid: stat.st_gid,
                    xattrs: self.xattrs(path)?,
                })
            }
            _ => Ok(Image::Other { what: type_name(&stat) }),
        }
    }

    fn xattrs(&self, path: &str) -> io::Result<BTreeMap<String, Content>> {
        let file = file_of(self.open_in_root(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?);
        let names = match file.list_xattr() {
            Ok(names) => names,
            Err(e) if e.raw_os_error() == Some(Errno::EOPNOTSUPP as i32) => return Ok(BTreeMap::new()),
            Err(e) => return Err(e),
        };
        let mut found = BTreeMap::new();
        for name in names {
            if let Some(value) = file.get_xattr(&name)? {
                found.insert(name.to_string_lossy().into_owned(), Content(value));
            }
        }
        Ok(found)
    }

    /// Room on the file system of the nearest folder above `path` that exists.
    pub fn space(&self, path: &str) -> Result<Space> {
        let fd = self.nearest_folder(path).map_err(|e| self.error("look at the file system of", path, e))?;
        let stat = fstatvfs(&fd).map_err(|e| self.error("ask for free space at", path, e.into()))?;
        let block = stat.fragment_size();
        Ok(Space {
            free: stat.blocks_available() * block,
            total: stat.blocks() * block,
            inodes_free: stat.files_available(),
            inodes: stat.files(),
        })
    }

    pub(super) fn nearest_folder(&self, path: &str) -> io::Result<OwnedFd> {
        let mut at = path.trim_end_matches('/');
        loop {
            at = at.rsplit_once('/').map_or("", |(folder, _)| folder);
            match self.open_in_root(at, OFlag::O_RDONLY | OFlag::O_DIRECTORY) {
                Err(e) if !at.is_empty() && e.raw_os_error() == Some(Errno::ENOENT as i32) => {}
                found => return found,
            }
        }
    }

    /// `uname -r` of the running kernel; `None` under `--root`.
    pub fn running_kernel(&self) -> Option<String> {
        let release = nix::sys::utsname::uname().ok()?.release().to_string_lossy().into_owned();
        self.live.then_some(release)
    }

    /// Are we root? Under `--root` the kernel's own answers decide, so this is only about the live host.
    pub fn may_change(&self) -> bool {
        !self.live || nix::unistd::geteuid().is_root()
    }
}

fn as_stat(stat: &FileStat) -> Stat {
    Stat {
        what: type_name(stat),
        is_file: is_type(stat, SFlag::S_IFREG),
        is_link: is_type(stat, SFlag::S_IFLNK),
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
    }
}

fn is_absent(error: &io::Error) -> bool {
    [Errno::ENOENT, Errno::ENOTDIR].iter().any(|e| error.raw_os_error() == Some(*e as i32))
}

pub(super) fn too_large(size: u64) -> io::Error {
    let message = t!(
        "it has {size} bytes, more than the {most} that we take for a configuration file",
        size = size,
        most = MAX_FILE
    );
    io::Error::new(io::ErrorKind::FileTooLarge, message)
}

fn refuse_unless_regular(stat: &FileStat) -> io::Result<()> {
    if is_type(stat, SFlag::S_IFREG) {
        return Ok(());
    }
    Err(io::Error::other(t!("it is {what}, not a regular file", what = type_name(stat))))
}

fn is_type(stat: &FileStat, kind: SFlag) -> bool {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) == kind
}

fn type_name(stat: &FileStat) -> String {
    match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFDIR => t!("a folder"),
        SFlag::S_IFLNK => t!("a symbolic link"),
        SFlag::S_IFIFO => t!("a FIFO"),
        SFlag::S_IFSOCK => t!("a socket"),
        SFlag::S_IFBLK => t!("a block device"),
        SFlag::S_IFCHR => t!("a character device"),
        _ => t!("a regular file"),
    }
}

/// `openat2` below the root wants a relative name; the root itself is `.`.
pub(super) fn relative(path: &str) -> CString {
    let name = path.trim_start_matches('/');
    let name = if name.is_empty() { "." } else { name };
    CString::new(name.replace('\0', "\u{fffd}")).unwrap_or_default()
}

/// Files whose content means configuration: everything but the kernel's counters and lists that move by themselves.
pub(super) fn is_stable(path: &str) -> bool {
    const MOVING: [&str; 3] = ["/proc/", "/sys/block/", "/sys/fs/cgroup"];
    const SETTINGS: [&str; 2] = ["/proc/sys/", "/proc/cmdline"];
    SETTINGS.iter().any(|s| path.starts_with(s)) || !MOVING.iter().any(|m| path.starts_with(m))
}
