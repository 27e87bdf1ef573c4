//! This very program again, as a child that may die without us: one document each.

use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};

use super::sandbox::Scratch;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, Command};

use super::command::FOLDERS;

/// The longest line that a child is heard with, in bytes; the rest of it is lost.
const LINE: u64 = 4 << 10;

/// Whoever started this process takes it along when it dies, however it dies.
pub fn set_parent_death() {
    let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
}

/// A child in a process group of its own. Dropped, it is killed with all that it started.
pub struct OwnChild {
    child: Child,
    group: Option<Pid>,
    words: Option<BufReader<ChildStderr>>,
    /// Last: it goes when nobody writes into it any more.
    _scratch: Option<Scratch>,
}

/// Starts this program with these arguments, its output into `output`. What it needs no name for, it is not told: `without` are
/// variables that it does not get. Its scratch files are in a folder that goes with the child, however it ends.
pub fn start_own(args: &[String], output: File, without: &[&str]) -> io::Result<OwnChild> {
    let scratch = Scratch::new().map_err(io::Error::other)?;
    // Not by its path: that may be another program by now.
    let mut command = Command::new("/proc/self/exe");
    for name in without {
        command.env_remove(name);
    }
    let mut child = command
        .args(args)
        .env("TMPDIR", scratch.path())
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let words = child.stderr.take().map(BufReader::new);
    Ok(OwnChild { child, group, words, _scratch: Some(scratch) })
}

/// Starts another program, for as long as we live: a server that answers us alone. Its output is read as words.
pub fn start_server(program: &str, args: &[String]) -> io::Result<OwnChild> {
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs([("PATH", FOLDERS.join(":").as_str()), ("LC_ALL", "C.UTF-8"), ("HOME", "/nonexistent")])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    // SAFETY: between fork and exec it makes one system call, which is async-signal-safe.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(|| {
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            Ok(())
        });
    }
    let mut child = command.spawn()?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let words = child.stderr.take().map(BufReader::new);
    Ok(OwnChild { child, group, words, _scratch: None })
}

impl OwnChild {
    /// Waits for its end; each line of its standard error goes to `heard`. May be dropped at any time.
    pub async fn ended(&mut self, mut heard: impl FnMut(&str)) -> io::Result<ExitStatus> {
        let mut line = Vec::new();
        while let Some(words) = &mut self.words {
            line.clear();
            match words.take(LINE).read_until(b'\n', &mut line).await? {
                0 => self.words = None,
                _ => heard(String::from_utf8_lossy(&line).trim_end()),
            }
        }
        let status = self.child.wait().await?;
        // What it had started ends with it.
        self.kill();
        self.group = None;
        Ok(status)
    }

    /// Kills it with all that it started, and waits until its memory is free again.
    pub async fn end(mut self) {
        self.kill();
        let _ = self.child.wait().await;
        self.group = None;
    }

    fn kill(&self) {
        if let Some(group) = self.group {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

impl Drop for OwnChild {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The signal that ended it, in the kernel's words.
pub fn killed_by(status: ExitStatus) -> Option<String> {
    let number = status.signal()?;
    Some(Signal::try_from(number).map_or_else(|_| number.to_string(), |signal| signal.as_str().to_owned()))
}
