//! The few programs of the host that we run: fixed names, fixed arguments, no shell, a deadline.

use crate::t;
use std::io::{self, BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::fault::{Point, When};
use super::{Host, HostError, Result};

/// Where the host's programs are looked for.
pub(super) const FOLDERS: [&str; 6] =
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"];
/// The most that we take of what a program prints, in bytes.
const KEEP: usize = 4 << 20;

/// What a program printed, and how it ended.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// The last lines of standard error.
    pub stderr: String,
}

enum Heard {
    Out(Vec<u8>),
    Line(String),
}

impl Host {
    /// Where the host has this program, if it has it.
    pub fn program(&self, name: &str) -> Option<String> {
        FOLDERS.iter().map(|folder| format!("{folder}/{name}")).find(|path| self.exists(path))
    }

    /// Runs a program of the live host to its end, or kills it (and all that it started) at the deadline. Its lines on
    /// standard error go to `heard`. A non-zero exit is an error that carries the program's last words.
    pub fn run(
        &self,
        name: &str,
        args: &[&str],
        deadline: Duration,
        heard: &mut dyn FnMut(&str),
    ) -> Result<Output> {
        let path = self.program(name).unwrap_or_else(|| name.to_owned());
        let mut ran = || -> io::Result<Output> {
            if !self.is_live() {
                return Err(io::Error::other(t!("no command is run under --root")));
            }
            self.point(Point { act: "command", path: &path, when: When::Before })?;
            let output = spawn_and_wait(&path, args, deadline, heard)?;
            self.point(Point { act: "command", path: &path, when: When::After })?;
            Ok(output)
        };
        let output = ran().map_err(|e| self.error("run", &path, e))?;
        if output.status.success() {
            return Ok(output);
        }
        let said = output.stderr.trim();
        let said = if said.is_empty() { t!("it said nothing") } else { t!("it said: {said}", said = said) };
        let command = format!("{path} {}", args.join(" "));
        Err(HostError::because(
            "run",
            std::path::Path::new(command.trim()),
            format!("{}; {said}", output.status),
        ))
    }
}

fn spawn_and_wait(
    path: &str,
    args: &[&str],
    deadline: Duration,
    heard: &mut dyn FnMut(&str),
) -> io::Result<Output> {
    #[allow(clippy::disallowed_methods)] // this is the door
    // Its own process group: Ctrl-C at our terminal reaches us alone, and the deadline reaches all that it started.
    let mut child = Command::new(path)
        .args(args)
        .env_clear()
        .envs([("PATH", FOLDERS.join(":").as_str()), ("LC_ALL", "C"), ("HOME", "/root")])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let (sender, receiver) = mpsc::channel();
    let readers = [
        child.stdout.take().map(|out| {
            let sender = sender.clone();
            std::thread::spawn(move || read_out(out, &sender))
        }),
        child.stderr.take().map(|err| std::thread::spawn(move || read_lines(err, &sender))),
    ];
    let until = Instant::now() + deadline;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::<String>::new());
    loop {
        match receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Heard::Out(bytes)) if stdout.len() + bytes.len() <= KEEP => stdout.extend(bytes),
            // What it prints is put in place as a file: a part of it must never pass for the whole.
            Ok(Heard::Out(_)) => {
                kill_all(&mut child);
                return Err(io::Error::other(t!(
                    "it printed more than {most} bytes and was killed",
                    most = KEEP
                )));
            }
            Ok(Heard::Line(line)) => {
                heard(&line);
                stderr.push(line);
                if stderr.len() > 20 {
                    stderr.remove(0);
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                kill_all(&mut child);
                return Err(io::Error::other(t!(
                    "it did not end within {seconds} s and was killed",
                    seconds = deadline.as_secs()
                )));
            }
        }
    }
    let status = wait_until(&mut child, until, deadline)?;
    for reader in readers.into_iter().flatten() {
        let _ = reader.join();
    }
    Ok(Output { status, stdout, stderr: stderr.join("\n") })
}

/// A program may close its output and still run: the deadline holds for that too.
fn wait_until(child: &mut Child, until: Instant, deadline: Duration) -> io::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= until {
            kill_all(child);
            return Err(io::Error::other(t!(
                "it did not end within {seconds} s and was killed",
                seconds = deadline.as_secs()
            )));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn kill_all(child: &mut Child) {
    if let Ok(group) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let _ = child.wait();
}

fn read_out(mut from: impl Read, to: &mpsc::Sender<Heard>) {
    let mut buffer = [0u8; 16 << 10];
    while let Ok(n) = from.read(&mut buffer) {
        if n == 0 || to.send(Heard::Out(buffer[..n].to_vec())).is_err() {
            break;
        }
    }
}

fn read_lines(from: impl Read, to: &mpsc::Sender<Heard>) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    // Bounded: a program that prints no newline must not fill our memory.
    while let Ok(n) = (&mut from).take(64 << 10).read_until(b'\n', &mut line) {
        if n == 0 || to.send(Heard::Line(String::from_utf8_lossy(&line).trim_end().to_owned())).is_err() {
            break;
        }
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str) -> (Result<Output>, Duration) {
        let start = Instant::now();
        let ran = Host::live().unwrap().run("sh", &["-c", script], Duration::from_secs(1), &mut |_| {});
        (ran, start.elapsed())
    }

    #[test]
    fn what_hangs_is_killed_with_all_that_it_started() {
        let marker = tempfile::NamedTempFile::new().unwrap();
        let later = format!("(sleep 3; echo alive >{}) &", marker.path().display());
        for script in [
            format!("{later} sleep 60"),
            // Its output closed, it still runs.
            format!("{later} exec >&- 2>&-; sleep 60"),
            // It ended, and what it left behind holds its output.
            "sleep 60 &".to_owned(),
        ] {
            let (ran, took) = run(&script);
            let said = ran.unwrap_err().to_string();
            assert!(said.contains("did not end within 1 s and was killed"), "{script}: {said}");
            assert!(took < Duration::from_secs(20), "{script}: {took:?}");
        }
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(marker.as_file().metadata().unwrap().len(), 0, "what it had started lives on");
    }

    #[test]
    fn its_last_words_are_kept_and_its_output_is_bounded() {
        let said = run("echo first; echo why >&2; exit 7").0.unwrap_err().to_string();
        assert!(said.contains("exit status: 7") && said.contains("it said: why"), "{said}");
        assert_eq!(run("printf whole").0.unwrap().stdout, b"whole");
        let said = run("exec cat /dev/zero").0.unwrap_err().to_string();
        assert!(said.contains("printed more than"), "{said}");
    }
}
