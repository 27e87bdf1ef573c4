//! The memory of other processes, page by page, and memory of our own that nobody else gets to see.

use std::ffi::c_void;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::ptr::NonNull;

use nix::fcntl::OFlag;
use nix::sys::mman::{mlock, munlock};
use nix::sys::resource::{Resource, getrlimit};

use super::{Host, Result, file_of};

/// Bits of an entry in `/proc/PID/pagemap` (Documentation/admin-guide/mm/pagemap.rst): it is in memory, it is of a file.
const PRESENT: u64 = 1 << 63;
const FILE: u64 = 1 << 61;

/// The memory of a process.
pub struct ProcessMemory {
    map: File,
    memory: File,
}

impl Host {
    /// Opens the memory of a process for reading. The kernel lets whoever may trace it.
    pub fn process_memory(&self, pid: u32) -> Result<ProcessMemory> {
        let open = |path: &str| {
            let opened = self.open_in_root(path, OFlag::O_RDONLY | OFlag::O_NOCTTY);
            opened.map(file_of).map_err(|e| self.error("read", path, e))
        };
        Ok(ProcessMemory {
            map: open(&format!("/proc/{pid}/pagemap"))?,
            memory: open(&format!("/proc/{pid}/mem"))?,
        })
    }
}

impl ProcessMemory {
    /// Which pages of these are anonymous and in memory: their numbers from address 0.
    pub fn present(&self, first: u64, count: u64) -> Vec<u64> {
        let mut entries = vec![0u8; usize::try_from(count).unwrap_or(0) * 8];
        let read = self.map.read_at(&mut entries, first * 8).unwrap_or(0);
        let entry = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_ne_bytes);
        let wanted = |bytes: &[u8]| entry(bytes) & (PRESENT | FILE) == PRESENT;
        let all = entries[..read].chunks_exact(8);
        (first..).zip(all).filter(|(_, bytes)| wanted(bytes)).map(|(page, _)| page).collect()
    }

    /// Reads what is at an address; `false` where that can't be read any more.
    pub fn read(&self, address: u64, into: &mut [u8]) -> bool {
        self.memory.read_exact_at(into, address).is_ok()
    }
}

/// `CAP_IPC_LOCK`, with which there is no limit (`linux/capability.h`).
const IPC_LOCK: u32 = 14;

/// How many bytes this process may lock in memory.
pub fn lockable(host: &Host) -> u64 {
    let status = host.value("/proc/self/status").unwrap_or_default();
    let own = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capable = own
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .is_some_and(|bits| bits >> IPC_LOCK & 1 == 1);
    if capable { u64::MAX } else { getrlimit(Resource::RLIMIT_MEMLOCK).map_or(0, |(soft, _)| soft) }
}

/// Memory for what belongs to others: never written to swap where the limit on locked memory allows that, in no core file, and
/// overwritten at the end.
pub struct Locked {
    bytes: Vec<u8>,
    locked: bool,
}

impl Locked {
    /// So many bytes, all 0. From here on this process leaves no core file.
    pub fn new(size: usize) -> Self {
        let _ = nix::sys::prctl::set_dumpable(false);
        let mut bytes = vec![0u8; size];
        let start = NonNull::from(bytes.as_mut_slice()).cast::<c_void>();
        // SAFETY: it is the memory of the vector, which is neither moved nor made larger until it is unlocked.
        #[allow(unsafe_code)]
        let locked = size > 0 && unsafe { mlock(start, size) }.is_ok();
        Self { bytes, locked }
    }

    /// Does the kernel keep it in memory?
    pub fn is_locked(&self) -> bool {
        self.locked
    }

    /// What is in it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, to be filled.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.bytes.fill(0);
        // So that nobody leaves the filling out because nobody reads it.
        std::hint::black_box(&self.bytes);
        if self.locked {
            let start = NonNull::from(self.bytes.as_mut_slice()).cast::<c_void>();
            // SAFETY: the same memory as was locked.
            #[allow(unsafe_code)]
            let _ = unsafe { munlock(start, self.bytes.len()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_locked_while_it_lives() {
        let locked_kib = || {
            let status = Host::live().unwrap().read_text("/proc/self/status").unwrap().unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap().to_owned();
            line.split_whitespace().next().unwrap().parse::<u64>().unwrap()
        };
        let held = Locked::new(32 << 10);
        assert!(!held.locked || locked_kib() >= 32);
        assert!(held.bytes().iter().all(|byte| *byte == 0));
    }
}
