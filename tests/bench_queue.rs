//! `bench queue` on a PostgreSQL server of its own (tests/postgres/start.sh): what it leaves alone, what it drops, and that a
//! server which answers no more holds nobody up. Without a server's programs it is said to be left out.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

const START: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres/start.sh");
const NAMES: &str = "select datname from pg_database where datname like 'civicum_bench%' order by 1";

/// Ends with the test, whatever had been stopped.
struct Server {
    folder: TempDir,
    url: String,
    stopped: Vec<Pid>,
}

impl Server {
    fn new() -> Option<Self> {
        // Its user has to come through all folders above.
        let folder = tempfile::tempdir().unwrap();
        let started = Command::new("bash").arg(START).arg(folder.path()).output().unwrap();
        if started.status.code() == Some(77) {
            // Not through the test's own output, which is shown only where a test fails.
            let _ =
                writeln!(std::io::stderr(), "LEFT OUT: bench queue, since no PostgreSQL server is installed");
            return None;
        }
        let url = String::from_utf8(started.stdout.clone()).unwrap().trim().to_owned();
        assert!(started.status.success() && !url.is_empty(), "{}", err(&started));
        Some(Self { folder, url, stopped: Vec::new() })
    }

    fn psql(&self) -> Command {
        let mut command = Command::new("psql");
        command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", &self.url]);
        command
    }

    fn sql(&self, text: &str) -> String {
        let done = self.psql().args(["-c", text]).output().unwrap();
        assert!(done.status.success(), "{}", err(&done));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    fn bench(&self, time: &str) -> Child {
        Command::new(env!("CARGO_BIN_EXE_civicum-tune"))
            .args(["bench", "queue", "--quick", "--force-under-load", "--format", "json", "--time", time])
            .args(["--database", &self.url])
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Waits until a measurement has filled its database, and gives the name.
    fn database_of(&self, child: &Child) -> String {
        let own = format!("civicum_bench_{}_", child.id());
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let busy = format!(
                "select datname from pg_stat_activity where starts_with(datname, '{own}') and query like '%claim%' limit 1"
            );
            let found = self.sql(&busy);
            if !found.is_empty() {
                return found;
            }
            assert!(Instant::now() < until, "no database {own}… was made");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// All its processes stand still: connections stay open, and nobody answers.
    fn stop(&mut self) {
        let main = fs::read_to_string(self.folder.path().join("data/postmaster.pid")).unwrap();
        let main = main.lines().next().unwrap().to_owned();
        let children = fs::read_to_string(format!("/proc/{main}/task/{main}/children")).unwrap();
        self.stopped = std::iter::once(main.as_str())
            .chain(children.split_whitespace())
            .map(|pid| Pid::from_raw(pid.parse().unwrap()))
            .collect();
        for pid in &self.stopped {
            let _ = kill(*pid, Signal::SIGSTOP);
        }
    }

    fn go_on(&mut self) {
        for pid in self.stopped.drain(..) {
            let _ = kill(pid, Signal::SIGCONT);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.go_on();
        let _ = Command::new("bash").arg(START).arg("--stop").arg(self.folder.path()).status();
    }
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|why| panic!("{why}: {}{}", String::from_utf8_lossy(&output.stdout), err(output)))
}

/// All that the section says besides its tables.
fn words(document: &Value) -> String {
    let section = &document["sections"][0];
    format!("{} {}", section["notes"], section["because"])
}

#[test]
fn in_a_database_of_its_own_and_no_other_is_touched() {
    let Some(server) = Server::new() else { return };
    // A measurement that was killed in its middle.
    let mut killed = server.bench("60s");
    let left = server.database_of(&killed);
    killed.kill().unwrap();
    killed.wait().unwrap();
    // Whoever made these may well be the same user.
    for name in [
        "civicum_bench_mine",
        "civicum_bench_1_left_behind",
        "civicum_bench_1_0123abcd",
        "civicum_benchmarks",
    ] {
        server.sql(&format!("create database {name}"));
    }
    server.sql("comment on database civicum_bench_1_0123abcd is 'the figures of May'");
    // Another measurement has just made its own, and is not connected to it yet.
    let mut other = server.psql().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut typed = other.stdin.take().unwrap();
    writeln!(
        typed,
        "create database civicum_bench_2_0123abcd;\n\
         select format('comment on database civicum_bench_2_0123abcd is ''civicum-tune bench, session %s since %s''', pid, \
         extract(epoch from backend_start)) from pg_stat_activity where pid = pg_backend_pid() \\gexec\n\\echo made"
    )
    .unwrap();
    let mut heard = String::new();
    BufReader::new(other.stdout.take().unwrap()).read_line(&mut heard).unwrap();
    assert_eq!(heard, "made\n");

    let until = Instant::now() + Duration::from_secs(10);
    while server.sql(&format!("select count(*) from pg_stat_activity where datname = '{left}'")) != "0" {
        assert!(Instant::now() < until, "the server does not notice that its client is gone");
        std::thread::sleep(Duration::from_millis(50));
    }
    let output = server.bench("15s").wait_with_output().unwrap();
    let told = document(&output);
    assert_eq!(output.status.code(), Some(0), "{told:#}{}", err(&output));
    let all = "civicum_bench_1_0123abcd\ncivicum_bench_1_left_behind\ncivicum_bench_2_0123abcd\ncivicum_bench_mine\ncivicum_benchmarks";
    assert_eq!(server.sql(NAMES), all);
    let said = words(&told);
    assert!(said.contains(&format!("dropped the database {left},")), "{said}");
    assert!(said.contains("civicum_bench_1_0123abcd has a name") && !said.contains("mine"), "{said}");
    assert_eq!(said.matches("dropped").count(), 1, "{said}");
    let rows = told["sections"][0]["tables"]["claims"].as_array().unwrap();
    let median = |at: usize, figure: &str| rows[at][figure]["median"].as_f64().unwrap();
    assert!(median(0, "p50_ms") > 0.0 && median(0, "p50_ms") <= median(0, "p99_ms"), "{rows:#?}");
    assert!(median(1, "per_second") > 1.0, "{rows:#?}");

    // Once that session is gone, so is what it made.
    drop(typed);
    other.wait().unwrap();
    let output = server.bench("15s").wait_with_output().unwrap();
    let said = words(&document(&output));
    assert!(said.contains("dropped the database civicum_bench_2_0123abcd,"), "{said}");
    assert!(!server.sql(NAMES).contains("civicum_bench_2"));
}

#[test]
fn a_server_that_answers_no_more_holds_nobody_up() {
    let Some(mut server) = Server::new() else { return };
    let undropped = |told: &Value, name: &str| {
        let said = words(told);
        assert!(said.contains(&format!("the database {name} could not be dropped")), "{said}");
    };
    // The time is up: it ends with what it had, and with the ten seconds that the server has to drop the database.
    let begun = Instant::now();
    let child = server.bench("15s");
    let name = server.database_of(&child);
    server.stop();
    let output = child.wait_with_output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());
    undropped(&document(&output), &name);
    server.go_on();

    // Ctrl-C, the same.
    let child = server.bench("120s");
    let name = server.database_of(&child);
    server.stop();
    let begun = Instant::now();
    signal(&child, Signal::SIGINT);
    let output = child.wait_with_output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    let told = document(&output);
    assert_eq!(told["interrupted"], true);
    undropped(&told, &name);
    server.go_on();

    // And whoever does not want to wait for that presses it again. Twice in a moment is once.
    let child = server.bench("120s");
    server.database_of(&child);
    server.stop();
    let begun = Instant::now();
    signal(&child, Signal::SIGTERM);
    signal(&child, Signal::SIGINT);
    std::thread::sleep(Duration::from_secs(1));
    signal(&child, Signal::SIGTERM);
    let output = child.wait_with_output().unwrap();
    let took = begun.elapsed();
    assert_eq!(output.status.signal(), Some(15), "{took:?} {}", err(&output));
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(5), "{took:?}");
    server.go_on();
    // What all of them left is gone after the next one.
    let output = server.bench("15s").wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(server.sql(NAMES), "");
}
