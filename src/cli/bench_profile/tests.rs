//! The way from a report to the file, with a report that was made: no measured speed decides here. The question is asked on a
//! terminal of its own, by a process of its own, since a test has no standard input that it could give away.
#![allow(clippy::disallowed_methods)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser as _;

use super::*;
use crate::bench::load::Load;
use crate::cli::Cli;
use crate::profile::edit::New;

const PROFILE: &str = "# Of this server.\r\nname = \"server\"\r\nextends = \"minimal\"\r\n\r\n[zswap]\r\nenabled = true\r\n\
                       compressor = \"zstd\" # packs best\r\n";
/// Which file the process on the terminal works on.
const FILE: &str = "CIVICUM_TUNE_TEST_PROFILE";

fn report(best: &str) -> Report {
    let better = advice::Advice {
        key: ["zswap", "compressor"].map(str::to_owned).to_vec(),
        now: "zstd".to_owned(),
        best: Some(New::Text(best.to_owned())),
        verdict: Verdict::Better,
        why: String::new(),
    };
    Report {
        cpu: String::new(),
        threads: 1,
        memory_bytes: 1 << 30,
        kernel: String::new(),
        load: Load::default(),
        load_after: Load::default(),
        quick: true,
        interrupted: false,
        seconds: 1.0,
        sections: Vec::new(),
        advice: vec![better],
        claims: Vec::new(),
    }
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    fs::write(&file, PROFILE).unwrap();
    (folder, file)
}

fn global(words: &[&str]) -> (Global, Out) {
    let words = [&["civicum-tune", "bench", "--lang", "en", "--color", "never"], words].concat();
    let global = Cli::try_parse_from(words).unwrap().global;
    let out = Out::new(&global, "bench");
    (global, out)
}

#[test]
fn what_is_better_is_written_and_nothing_else_changes() {
    let (folder, file) = file();
    let edited = Named::new(&file).unwrap().edited(&report("lz4")).unwrap().unwrap();
    assert!(edited.diff.contains("+compressor = \"lz4\" # packs best"), "{}", edited.diff);
    assert_eq!(edited.next, ["plan"]);
    let (global, out) = global(&["--yes", "--quiet"]);
    assert!(matches!(edited.put(&global, &out), Ok(Answer::Yes)));
    assert_eq!(fs::read_to_string(&file).unwrap(), PROFILE.replace("\"zstd\"", "\"lz4\""));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    // What `validate` would refuse is not put anywhere.
    let why = Named::new(&file).unwrap().edited(&report("no such thing")).err().unwrap();
    assert!(why.to_string().contains("compressor"), "{why}");
}

#[test]
fn what_somebody_else_wrote_meanwhile_stays() {
    // While it was measured.
    let (_folder, file) = file();
    let named = Named::new(&file).unwrap();
    let other = PROFILE.replace("packs best", "packs best of all");
    fs::write(&file, &other).unwrap();
    let why = named.edited(&report("lz4")).err().unwrap().to_string();
    assert!(why.contains("server.toml") && why.contains("somebody else"), "{why}");
    // Between the difference and the answer.
    let edited = Named::new(&file).unwrap().edited(&report("lz4")).unwrap().unwrap();
    fs::write(&file, PROFILE).unwrap();
    let (global, out) = global(&["--yes", "--quiet"]);
    let why = edited.put(&global, &out).err().unwrap().to_string();
    assert!(why.contains("somebody else"), "{why}");
    assert_eq!(fs::read_to_string(&file).unwrap(), PROFILE);
}

/// What the process on the terminal does; without one it is nothing.
#[test]
fn on_the_terminal() {
    let Some(file) = terminal::environment(FILE) else { return };
    let edited = Named::new(Path::new(&file)).unwrap().edited(&report("lz4")).unwrap().unwrap();
    let (global, out) = global(&[]);
    let words = match edited.put(&global, &out) {
        Ok(Answer::Yes) => "ANSWERED yes".to_owned(),
        Ok(_) => "ANSWERED no".to_owned(),
        Err(why) => format!("ANSWERED {why}"),
    };
    println!("{words}");
}

/// The test above on a terminal, the other end of it, and what it has said by now.
struct Asked(Child, fs::File, String);

impl Asked {
    /// None where there are no terminals at all, as in a bare chroot.
    fn about(file: &Path) -> Option<Self> {
        let Ok(ends) = nix::pty::openpty(None, None) else {
            assert!(!Path::new("/dev/ptmx").exists(), "no terminal can be opened");
            eprintln!("skipped: there is no /dev/ptmx");
            return None;
        };
        let end = || Stdio::from(ends.slave.try_clone().unwrap());
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "cli::bench_profile::tests::on_the_terminal", "--nocapture"])
            .env(FILE, file)
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn();
        let master: OwnedFd = ends.master;
        Some(Self(child.unwrap(), master.into(), String::new()))
    }

    fn until(&mut self, words: &str) {
        let until = Instant::now() + Duration::from_secs(60);
        while !self.2.contains(words) {
            let mut some = [0; 4096];
            let size = self.1.read(&mut some).unwrap_or(0);
            self.2 += &String::from_utf8_lossy(&some[..size]);
            assert!(size > 0 && Instant::now() < until, "{}", self.2);
        }
    }

    fn answer(mut self, answer: &str) -> String {
        self.1.write_all(answer.as_bytes()).unwrap();
        self.until("test result");
        self.0.wait().unwrap();
        self.2
    }
}

#[test]
fn nothing_is_written_before_a_yes() {
    let (_folder, file) = file();
    for (answer, wanted) in [("\n", "ANSWERED no"), ("n\n", "ANSWERED no"), ("y\n", "ANSWERED yes")] {
        let Some(mut asked) = Asked::about(&file) else { return };
        asked.until("Write this? [y/N]");
        assert!(asked.2.contains("+compressor = \"lz4\""), "{}", asked.2);
        assert_eq!(fs::read_to_string(&file).unwrap(), PROFILE);
        let said = asked.answer(answer);
        assert!(said.contains(wanted), "{answer:?}: {said}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), PROFILE.replace("\"zstd\"", "\"lz4\""));
}

#[test]
fn what_is_written_while_the_question_stands_there_stays() {
    let (_folder, file) = file();
    let Some(mut asked) = Asked::about(&file) else { return };
    asked.until("Write this? [y/N]");
    let other = PROFILE.replace("zstd", "lzo");
    fs::write(&file, &other).unwrap();
    let said = asked.answer("y\n");
    assert!(said.contains("ANSWERED somebody else has changed"), "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), other);
}
