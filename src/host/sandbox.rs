//! What stands between us and a document that somebody sent: limits on this process and all that it starts, a private
//! folder for scratch files, and tools that read their document from standard input and end at a deadline.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::fcntl::Flock;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};

use super::command::FOLDERS;
use super::{Host, HostError, Result, leftover, terminal};

/// What a process and each of its children may take at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Memory that is its own: heap, stacks and private maps that can be written, in bytes.
    pub memory: u64,
    /// Processor time in seconds.
    pub cpu: u64,
    /// The largest file that it may write, in bytes.
    pub file: u64,
    /// Open files.
    pub files: u64,
}

/// Sets limits on this process that nothing takes back: all that it starts has them too. No core file is written, since it
/// would hold the document.
pub fn confine(limits: Limits) -> Result<()> {
    let wanted = [
        (Resource::RLIMIT_DATA, limits.memory),
        (Resource::RLIMIT_CPU, limits.cpu),
        (Resource::RLIMIT_FSIZE, limits.file),
        (Resource::RLIMIT_NOFILE, limits.files),
        (Resource::RLIMIT_CORE, 0),
    ];
    // No program that is started has more rights than we, whatever its file says.
    nix::sys::prctl::set_no_new_privs()
        .map_err(|e| HostError::new("set the limits of", Path::new("/proc/self/status"), e.into()))?;
    for (resource, most) in wanted {
        // A tighter limit that we came with stays.
        let (_, hard) = getrlimit(resource).unwrap_or((most, most));
        let most = most.min(hard);
        setrlimit(resource, most, most)
            .map_err(|e| HostError::new("set the limits of", Path::new("/proc/self/limits"), e.into()))?;
    }
    Ok(())
}

/// The most memory that this process and its largest child had, in bytes: no less than what they had at any one time.
pub fn peak_memory() -> u64 {
    let own = getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.max_rss());
    let child = getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0, |usage| usage.max_rss());
    u64::try_from(own + child).unwrap_or(0) * 1024
}

/// How many processors this process may use.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// A folder of our own (0700) below `$TMPDIR`, gone with all that is in it when this is dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    /// That we live.
    _held: Option<Flock<File>>,
}

impl Scratch {
    /// Makes it, and removes those of processes that were killed.
    pub fn new() -> Result<Self> {
        let parent = terminal::environment("TMPDIR").unwrap_or_else(|| "/tmp".to_owned());
        let template = Path::new(&parent).join(format!("{}XXXXXX", leftover::PREFIX));
        leftover::sweep(Path::new(&parent), leftover::YOUNG);
        let path = nix::unistd::mkdtemp(&template)
            .map_err(|e| HostError::new("make a scratch folder in", Path::new(&parent), e.into()))?;
        Ok(Self { _held: leftover::hold(&path), path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new file in it, which only its owner reads; gives its path.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.path.join(name);
        #[allow(clippy::disallowed_methods)] // this is the door
        let made = std::fs::File::create_new(&path).and_then(|mut file| file.write_all(bytes));
        made.map_err(|e| HostError::new("write", &path, e))?;
        Ok(path)
    }

    /// A new file without a name, to be written and read again.
    pub fn file(&self) -> Result<File> {
        let path = self.path.join(format!("{:016x}", getrandom::u64().unwrap_or(0)));
        #[allow(clippy::disallowed_methods)] // this is the door
        let made = std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path).and_then(
            |file| {
                std::fs::remove_file(&path)?;
                Ok(file)
            },
        );
        made.map_err(|e| HostError::new("write", &path, e))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What was killed a moment ago may still end its last write: then it is not empty the first time.
        #[allow(clippy::disallowed_methods)] // this is the door
        let _ = (0..3).find(|_| std::fs::remove_dir_all(&self.path).is_ok());
    }
}

/// What a tool reads from standard input.
#[derive(Debug, Clone, Copy)]
pub enum Input<'i> {
    /// An open file; its content is `/proc/self/fd/0` for a tool that wants a name. No name that somebody chose gets there.
    File(&'i File),
    /// Bytes through a pipe.
    Bytes(&'i [u8]),
}

/// How a tool failed.
#[derive(Debug)]
pub enum ToolError {
    /// It is not there, or it can't be started.
    Start(io::Error),
    /// It did not end in time and was killed.
    Timeout,
    /// It wrote more than it may and was killed.
    TooMuch,
    /// Somebody asked us to stop; it was killed.
    Stopped,
    /// Somebody else killed it: the kernel, for want of memory.
    Killed,
    /// It ended otherwise than well. Its words may quote the document: they are for looking at, never for showing.
    Failed(ExitStatus, String),
}

impl Scratch {
    /// Runs a tool to its end, or kills it at the deadline, and gives what it wrote to standard output: at most `most` bytes.
    /// It stays in our process group, so that who kills the group kills it too. It must start no program of its own: one that
    /// outlives it would hold its output open.
    pub fn run(
        &self,
        host: &Host,
        (name, args): (&str, &[&str]),
        input: Input<'_>,
        most: usize,
        until: Instant,
    ) -> std::result::Result<Vec<u8>, ToolError> {
        let mut child = self.spawn(host, name, args, input).map_err(ToolError::Start)?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            // A host that has no thread to spare is at fault, and not what is read.
            let threads = || -> io::Result<_> {
                let thread = std::thread::Builder::new;
                if let (Some(mut pipe), Input::Bytes(bytes)) = (stdin, input) {
                    // A tool that ends early closes its end: its status tells why.
                    thread().spawn_scoped(scope, move || pipe.write_all(bytes))?;
                }
                thread().spawn_scoped(scope, move || {
                    let mut out = Vec::new();
                    if let Some(pipe) = stdout {
                        let _ = pipe.take(most as u64 + 1).read_to_end(&mut out);
                    }
                    let _ = sender.send(out);
                })?;
                thread().spawn_scoped(scope, move || last_words(stderr))
            };
            let words = match threads() {
                Ok(words) => words,
                Err(error) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(ToolError::Start(error));
                }
            };
            let ended = wait(&mut child, &receiver, most, until);
            if ended.is_err() {
                let _ = child.kill();
                let _ = child.wait();
            }
            let words = words.join().unwrap_or_default();
            let (status, out) = ended?;
            match status.signal() {
                _ if status.success() => Ok(out),
                Some(nix::libc::SIGKILL) => Err(ToolError::Killed),
                // Whoever stops us may tell all that we started, too, and the tool may be the first to hear it.
                Some(nix::libc::SIGTERM | nix::libc::SIGINT | nix::libc::SIGHUP) => Err(ToolError::Stopped),
                _ => Err(ToolError::Failed(status, words)),
            }
        })
    }

    fn spawn(&self, host: &Host, name: &str, args: &[&str], input: Input<'_>) -> io::Result<Child> {
        let path = host.program(name).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        #[allow(clippy::disallowed_methods)] // this is the door
        let mut command = Command::new(path);
        command
            .args(args)
            .env_clear()
            .envs([("PATH", FOLDERS.join(":").as_str()), ("LC_ALL", "C.UTF-8"), ("OMP_THREAD_LIMIT", "1")])
            .env("TMPDIR", &self.path)
            .env("HOME", &self.path)
            .current_dir(&self.path)
            .stdin(match input {
                Input::File(file) => Stdio::from(file.try_clone()?),
                Input::Bytes(_) => Stdio::piped(),
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(folder) = terminal::environment("TESSDATA_PREFIX") {
            command.env("TESSDATA_PREFIX", folder);
        }
        let parent = nix::unistd::getpid();
        // SAFETY: between fork and exec only two system calls are made, both async-signal-safe, and nothing is allocated.
        #[allow(unsafe_code)]
        unsafe {
            command.pre_exec(move || {
                // Whatever kills us, a limit of our own for one, kills the tool too.
                nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
                if nix::unistd::getppid() == parent { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
            });
        }
        command.spawn()
    }
}

fn wait(
    child: &mut Child,
    out: &mpsc::Receiver<Vec<u8>>,
    most: usize,
    until: Instant,
) -> std::result::Result<(ExitStatus, Vec<u8>), ToolError> {
    let mut written = None;
    loop {
        if terminal::interrupted() {
            return Err(ToolError::Stopped);
        }
        if Instant::now() >= until {
            return Err(ToolError::Timeout);
        }
        let pause = Duration::from_millis(20).min(until.saturating_duration_since(Instant::now()));
        if written.is_none() {
            match out.recv_timeout(pause) {
                Ok(bytes) if bytes.len() > most => return Err(ToolError::TooMuch),
                Ok(bytes) => written = Some(bytes),
                Err(_) => continue,
            }
        }
        match child.try_wait() {
            Ok(Some(status)) => return Ok((status, written.unwrap_or_default())),
            Ok(None) => std::thread::sleep(Duration::from_millis(1)),
            Err(e) => return Err(ToolError::Start(e)),
        }
    }
}

/// The first part of what it says; the rest is read and dropped, so that it never waits for us.
fn last_words(pipe: Option<impl io::Read>) -> String {
    let Some(mut pipe) = pipe else { return String::new() };
    let mut said = Vec::new();
    let _ = (&mut pipe).take(8 << 10).read_to_end(&mut said);
    let _ = io::copy(&mut pipe, &mut io::sink());
    String::from_utf8_lossy(&said).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, input: &[u8]) -> std::result::Result<Vec<u8>, ToolError> {
        let scratch = Scratch::new().unwrap();
        let until = Instant::now() + Duration::from_secs(2);
        scratch.run(&Host::live().unwrap(), ("sh", &["-c", script]), Input::Bytes(input), 100, until)
    }

    #[test]
    fn tools_are_bounded_in_time_and_output() {
        assert_eq!(run("cat", b"abc").unwrap(), b"abc");
        assert!(matches!(run("exec sleep 60", b""), Err(ToolError::Timeout)));
        assert!(matches!(run("exec >&-; exec sleep 60", b""), Err(ToolError::Timeout)));
        assert!(matches!(run("exec cat /dev/zero", b""), Err(ToolError::TooMuch)));
        assert!(matches!(run("kill -TERM $$", b""), Err(ToolError::Stopped)));
        // It reads nothing of a large input, and fails.
        let failed = run("echo no >&2; exit 3", &vec![0; 1 << 20]).unwrap_err();
        assert!(
            matches!(failed, ToolError::Failed(status, said) if status.code() == Some(3) && said == "no\n")
        );
    }

    #[test]
    #[allow(clippy::disallowed_methods)]
    fn scratch_is_private_and_goes() {
        use std::os::unix::fs::PermissionsExt as _;
        let scratch = Scratch::new().unwrap();
        let path = scratch.path.clone();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let out = scratch.run(
            &Host::live().unwrap(),
            ("sh", &["-c", "pwd; echo x >left; cat /proc/self/fd/0"]),
            Input::File(&File::open("/etc/hostname").unwrap()),
            10_000,
            Instant::now() + Duration::from_secs(5),
        );
        assert!(String::from_utf8(out.unwrap()).unwrap().starts_with(path.to_str().unwrap()));
        drop(scratch);
        assert!(!path.exists());
    }
}
