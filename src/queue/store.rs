//! Files named by their SHA-256, in one folder: documents and results.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::host::{Host, HostError};

/// A folder that holds files by their SHA-256. Nothing in it is ever changed.
pub struct Store {
    host: Host,
    shown: String,
}

/// A file that is in the store, and on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stored {
    /// Its name: 64 hexadecimal digits.
    pub sha256: String,
    /// Bytes.
    pub bytes: u64,
}

/// A file that is still being written. It has no name before it is kept, and is gone if it never is.
pub struct Growing {
    /// The file.
    pub file: File,
    sum: Sha256,
    bytes: u64,
}

impl Growing {
    /// Adds to it.
    pub fn add(&mut self, part: &[u8]) -> io::Result<()> {
        self.sum.update(part);
        self.bytes += part.len() as u64;
        self.file.write_all(part)
    }

    /// Adds all that a reader has.
    pub fn fill(&mut self, mut from: impl Read) -> io::Result<()> {
        let mut part = vec![0; 64 << 10];
        loop {
            match from.read(&mut part) {
                Ok(0) => return Ok(()),
                Ok(read) => self.add(&part[..read])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Bytes so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Store {
    /// Opens the folder, which must be there.
    pub fn open(folder: &str) -> Result<Self, HostError> {
        Ok(Self { host: Host::at(folder.as_ref())?, shown: folder.to_owned() })
    }

    /// Where it is.
    pub fn folder(&self) -> &str {
        &self.shown
    }

    /// Where a file of it is, whether it is there or not.
    pub fn path(&self, sha256: &str) -> String {
        format!("{}{}", self.shown.trim_end_matches('/'), place(sha256))
    }

    /// Begins a file.
    pub fn begin(&self) -> Result<Growing, HostError> {
        Ok(Growing { file: self.host.nameless("/")?, sum: Sha256::new(), bytes: 0 })
    }

    /// Ends a file: it is on the disk under its name. One that is there already is the same, and makes room for it.
    pub fn keep(&self, growing: Growing) -> Result<Stored, HostError> {
        use std::fmt::Write as _;
        let digest = growing.sum.finalize();
        let sha256 = digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let path = place(&sha256);
        self.host.make_folders(&path)?;
        self.host.keep_nameless(&growing.file, &path)?;
        Ok(Stored { sha256, bytes: growing.bytes })
    }

    /// Ends a file that somebody else wrote into.
    pub fn seal(&self, growing: Growing) -> anyhow::Result<Stored> {
        let mut growing = growing;
        growing.file.seek(SeekFrom::Start(0))?;
        (growing.sum, growing.bytes) = (Sha256::new(), 0);
        let mut part = vec![0; 64 << 10];
        loop {
            match growing.file.read(&mut part)? {
                0 => return Ok(self.keep(growing)?),
                read => {
                    growing.sum.update(&part[..read]);
                    growing.bytes += read as u64;
                }
            }
        }
    }

    /// Takes in all that a reader has.
    pub fn put(&self, from: impl Read) -> anyhow::Result<Stored> {
        let mut growing = self.begin()?;
        growing.fill(from)?;
        Ok(self.keep(growing)?)
    }

    /// Deletes a file of it, unless it came within `young`. `false`: it is still there. Whoever keeps the same bytes at this moment
    /// has a file afterwards, whoever is first.
    pub fn discard(&self, sha256: &str, young: Duration) -> Result<bool, HostError> {
        self.host.discard(&place(sha256), young)
    }

    /// The folders that files of it lie in.
    pub(super) fn folders(&self) -> Result<Vec<String>, HostError> {
        let is_folder = |name: &String| name.len() == 2 && is_hex(name);
        Ok(self.host.list("/")?.into_iter().filter(is_folder).collect())
    }

    /// The files of one folder that have been there for longer than `young`, each with the time it was written. What a process left
    /// behind that was ended while it put a file there, or took it away, is put right by the way: `.SUM.goes` has its name again, and
    /// `.SUM.PROCESS-FILE` is deleted, which is counted.
    pub(super) fn settled(&self, folder: &str, young: Duration) -> Result<Settled, HostError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(young);
        let limit = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let mut settled = Settled::default();
        for put in self.host.put_times(&format!("/{folder}"))? {
            let (sha256, rest) = match put.name.strip_prefix('.') {
                Some(hidden) => hidden.split_once('.').unwrap_or((hidden, "")),
                None => (put.name.as_str(), ""),
            };
            // Whatever else lies there is not ours.
            let is_ours = sha256.len() == 64 && is_hex(sha256) && sha256.starts_with(folder);
            if !is_ours || put.named.max(put.written) > limit {
                continue;
            }
            if put.name == sha256 {
                settled.files.push((sha256.to_owned(), put.written));
            } else if rest == "goes" {
                self.host.give_back_name(&place(sha256))?;
                settled.files.push((sha256.to_owned(), put.written));
            } else if rest
                .split_once('-')
                .is_some_and(|(process, file)| is_number(process) && is_number(file))
            {
                self.host.delete_half(&format!("/{folder}/{}", put.name))?;
                settled.deleted += 1;
            }
        }
        Ok(settled)
    }

    /// Opens a file of it.
    pub fn open_file(&self, sha256: &str) -> Result<File, HostError> {
        self.host.open_large(&place(sha256))
    }
}

/// What lies in one folder for a while already.
#[derive(Default)]
pub(super) struct Settled {
    /// Files, and when each was written, Unix seconds.
    pub files: Vec<(String, i64)>,
    /// Halves that were left behind, and are deleted.
    pub deleted: u64,
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A folder holds a 256th of all, so that none grows too large.
fn place(sha256: &str) -> String {
    format!("/{}/{sha256}", sha256.get(..2).unwrap_or("00"))
}
