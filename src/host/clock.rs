//! What the kernel thinks of its clock.

use std::io;

use nix::libc;

use super::Host;

impl Host {
    /// Does the kernel hold its clock for synchronised (`adjtimex(2)`, which only looks here)? The clock of a tree is
    /// nobody's.
    pub fn clock_is_synchronised(&self) -> io::Result<bool> {
        if !self.is_live() {
            return Err(io::Error::other("a tree has no clock"));
        }
        // SAFETY: all zeros are a valid `timex`, and `modes` 0 asks the kernel to change nothing.
        #[allow(unsafe_code)]
        let (state, asked) = unsafe {
            let mut asked: libc::timex = std::mem::zeroed();
            (libc::adjtimex(&raw mut asked), asked)
        };
        if state == -1 {
            return Err(io::Error::last_os_error());
        }
        Ok(asked.status & libc::STA_UNSYNC == 0)
    }
}

/// Time since the boot, sleep included: nobody can set it.
pub fn since_boot() -> std::time::Duration {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Into::into).unwrap_or_default()
}
