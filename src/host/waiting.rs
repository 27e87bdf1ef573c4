//! Waiting for several things at once: pressure, the kernel's log, what other threads have to say.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// Wakes whoever waits, from any thread.
#[derive(Clone)]
pub struct Waker(Arc<EventFd>);

impl Waker {
    /// A new one, not yet woken.
    pub fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self(Arc::new(EventFd::from_flags(flags)?)))
    }

    /// Wakes.
    pub fn wake(&self) {
        let _ = self.0.write(1);
    }

    /// Forgets that it was woken.
    pub fn rest(&self) {
        let _ = self.0.read();
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What is waited for.
pub enum For<'a> {
    /// Pressure: the kernel speaks up.
    Pressure(BorrowedFd<'a>),
    /// Something to read.
    Reading(BorrowedFd<'a>),
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// Nothing yet.
    No,
    /// It is ready.
    Yes,
    /// It is ready for ever: what it belonged to is gone.
    Gone,
}

/// Waits until one of them is ready, the time is over, or a signal comes. Says which are.
pub fn wait_for(all: &[For<'_>], time: Duration) -> Vec<Ready> {
    let mut polled: Vec<PollFd<'_>> = all
        .iter()
        .map(|one| match one {
            For::Pressure(fd) => PollFd::new(*fd, PollFlags::POLLPRI),
            For::Reading(fd) => PollFd::new(*fd, PollFlags::POLLIN),
        })
        .collect();
    let time = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
    match poll(&mut polled, time) {
        Ok(_) => {}
        Err(Errno::EINTR) => return vec![Ready::No; all.len()],
        // Out of memory for the kernel, that is: not a reason to spin.
        Err(_) => std::thread::sleep(Duration::from_millis(50)),
    }
    let ready = |one: &PollFd<'_>| match one.revents() {
        Some(events) if events.intersects(PollFlags::POLLERR | PollFlags::POLLNVAL) => Ready::Gone,
        Some(events) if !events.is_empty() => Ready::Yes,
        _ => Ready::No,
    };
    polled.iter().map(ready).collect()
}
