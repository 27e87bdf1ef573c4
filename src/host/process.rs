//! Processes of containers: told something, or spoken to, from outside and without the container engine.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::time::Duration;

use nix::libc;
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::Signal;

use super::Host;

/// A process that can't be mistaken for another one that got its number later.
pub struct Process {
    pidfd: OwnedFd,
}

impl Host {
    /// The process `pid`, if it is one of the container `id`: the name of its control group says so.
    pub fn process_in(&self, pid: u32, id: &str) -> Option<Process> {
        let number = libc::pid_t::try_from(pid).ok().filter(|pid| *pid > 1 && id.len() >= 12)?;
        // SAFETY: takes two numbers and gives a new file descriptor or -1.
        #[allow(unsafe_code)]
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, number, 0) };
        let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
        // SAFETY: it was just opened, and nobody else has it.
        #[allow(unsafe_code)]
        let pidfd = unsafe { OwnedFd::from_raw_fd(fd) };
        // Asked after the descriptor is there: from now on the number can't pass on unnoticed.
        let groups = self.read_text(&format!("/proc/{pid}/cgroup")).ok().flatten()?;
        groups.contains(id).then_some(Process { pidfd })
    }
}

impl Process {
    /// Speaks to a TCP port on 127.0.0.1 inside its container, whose network has no door to the host.
    pub fn connect(self, port: u16, patience: Duration) -> io::Result<TcpStream> {
        // A thread of its own, which ends here: the socket stays in the network in which it was made. A network that is asked for by
        // the process (Linux 5.8) can't be another one's; and the links of /proc to it lead out of any root.
        let dial = move || {
            setns(&self.pidfd, CloneFlags::CLONE_NEWNET)?;
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let stream = TcpStream::connect_timeout(&address, patience)?;
            stream.set_read_timeout(Some(patience))?;
            stream.set_write_timeout(Some(patience))?;
            Ok(stream)
        };
        let thread = std::thread::Builder::new().name("dial".to_owned()).stack_size(128 << 10).spawn(dial)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread ended")))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let none = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: the descriptor is open, and no siginfo is handed over.
        #[allow(unsafe_code)]
        let sent = unsafe {
            libc::syscall(libc::SYS_pidfd_send_signal, self.pidfd.as_raw_fd(), signal as i32, none, 0)
        };
        if sent == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
