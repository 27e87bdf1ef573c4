//! The kernel's log: `/dev/kmsg` on the live host, what a log daemon kept in a tree.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::{Host, Result, file_of};

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelLine {
    /// Seconds since the boot, where the log says.
    pub at_s: Option<f64>,
    /// The message.
    pub text: String,
}

/// Files in which a tree may have the kernel's messages.
const KEPT: [&str; 3] = ["/var/log/kern.log", "/var/log/dmesg", "/var/log/syslog"];
/// The longest record that the kernel hands out, in bytes.
const RECORD: usize = 8192;

impl Host {
    /// The kernel's messages since the boot, as far as its buffer still has them. Root's only where
    /// `kernel.dmesg_restrict` is set.
    pub fn kernel_log(&self) -> Result<Vec<KernelLine>> {
        if self.is_live() {
            return self.kmsg().map_err(|e| self.error("read", "/dev/kmsg", e));
        }
        for path in KEPT {
            if let Some(text) = self.read_text(path)? {
                // The log of everything has the words of programs too; those of the kernel are marked.
                let all = path != KEPT[2];
                let lines = text.lines().filter(|line| all || line.contains(" kernel: "));
                return Ok(lines.map(parse_kept).collect());
            }
        }
        Err(self.error("read", KEPT[0], Errno::ENOENT.into()))
    }

    fn kmsg(&self) -> io::Result<Vec<KernelLine>> {
        KernelLog::open(self)?.take()
    }

    /// The kernel's messages from now on.
    pub fn follow_kernel_log(&self) -> Result<KernelLog> {
        let open = || {
            let mut log = KernelLog::open(self)?;
            log.file.seek(SeekFrom::End(0))?;
            Ok(log)
        };
        open().map_err(|e| self.error("read", "/dev/kmsg", e))
    }
}

/// The kernel's messages, as they come.
pub struct KernelLog {
    file: File,
}

impl KernelLog {
    fn open(host: &Host) -> io::Result<Self> {
        Ok(Self { file: file_of(host.open_in_root("/dev/kmsg", OFlag::O_RDONLY | OFlag::O_NONBLOCK)?) })
    }

    /// What has come since the last time; it waits for nothing.
    pub fn take(&mut self) -> io::Result<Vec<KernelLine>> {
        let mut lines = Vec::new();
        let mut record = vec![0u8; RECORD];
        loop {
            match self.file.read(&mut record) {
                Ok(0) => return Ok(lines),
                Ok(n) => lines.extend(parse_record(&String::from_utf8_lossy(&record[..n]))),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(lines),
                // A record that was overwritten while we read.
                Err(e) if e.raw_os_error() == Some(Errno::EPIPE as i32) => {}
                Err(e) => return Err(e),
            }
        }
    }
}

impl AsFd for KernelLog {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// `6,1234,5678901,-;message` (Documentation/ABI/testing/dev-kmsg); lines behind the first are its dictionary. What a
/// program wrote there (the first number is 8 or more) is not the kernel's.
fn parse_record(record: &str) -> Option<KernelLine> {
    let (head, rest) = record.split_once(';')?;
    let mut fields = head.split(',');
    let _ = fields.next()?.parse::<u32>().ok().filter(|priority| *priority < 8)?;
    let micros: u64 = fields.nth(1)?.parse().ok()?;
    let seconds = std::time::Duration::from_micros(micros).as_secs_f64();
    Some(KernelLine { at_s: Some(seconds), text: rest.lines().next().unwrap_or_default().to_owned() })
}

/// `Nov 25 02:00:00 host kernel: [   12.345678] message`, with or without its parts.
fn parse_kept(line: &str) -> KernelLine {
    let text = line.split_once("kernel: ").map_or(line, |(_, text)| text).trim_start();
    let stamped = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    match stamped.and_then(|(at, text)| Some((at.trim().parse().ok()?, text))) {
        Some((at, text)) => KernelLine { at_s: Some(at), text: text.trim_start().to_owned() },
        None => KernelLine { at_s: None, text: text.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_kept_lines() {
        let line = parse_record("3,99,12500000,-;Out of memory\n SUBSYSTEM=x\n").unwrap();
        assert_eq!((line.at_s, line.text.as_str()), (Some(12.5), "Out of memory"));
        assert_eq!(parse_record("nonsense"), None);
        assert_eq!(parse_record("12,100,12500000,-;Out of memory: Killed process 1 (made up)\n"), None);
        let line = parse_kept("Nov 25 02:00:00 vps kernel: [   12.5] Out of memory");
        assert_eq!((line.at_s, line.text.as_str()), (Some(12.5), "Out of memory"));
        assert_eq!(parse_kept("plain").text, "plain");
    }
}
