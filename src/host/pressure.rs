//! The kernel tells when programs wait for memory: PSI triggers (Linux Documentation/accounting/psi.rst).

use std::io::Write as _;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::{Host, Result, file_of};

/// A threshold that the kernel watches. While this exists, `poll` tells of it with `POLLPRI`, at most once in its window.
pub struct PressureTrigger {
    file: std::fs::File,
}

impl AsFd for PressureTrigger {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Host {
    /// Asks to be told when tasks waited for memory for `stall` within `window`: `full` when all of them did at the same
    /// time, else when some did. `path` is `/proc/pressure/memory`, or a control group's `memory.pressure`. The kernel takes
    /// windows of 500 ms to 10 s.
    pub fn pressure_trigger(
        &self,
        path: &str,
        full: bool,
        stall: Duration,
        window: Duration,
    ) -> Result<PressureTrigger> {
        let made = |times: u32| {
            let mut file = file_of(self.open_in_root(path, OFlag::O_RDWR | OFlag::O_NONBLOCK)?);
            let kind = if full { "full" } else { "some" };
            // The kernel wants the NUL: without it the last digit is lost on some versions.
            let words = format!("{kind} {} {}\0", (stall * times).as_micros(), (window * times).as_micros());
            file.write_all(words.as_bytes())?;
            Ok(PressureTrigger { file })
        };
        // Without CAP_SYS_RESOURCE the kernel takes windows of whole 2 s only, from Linux 6.5 on.
        let made = made(1).or_else(|error: std::io::Error| {
            if error.raw_os_error() == Some(Errno::EINVAL as i32) { made(2) } else { Err(error) }
        });
        made.map_err(|error| self.error("watch", path, error))
    }
}
