//! `bench` as a process, and what its document says.
#![allow(dead_code)] // each test needs a part of it

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// On the disk of the build: /tmp may be in memory.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
    command.arg("bench").args(args).env_remove("CIVICUM_TUNE_LLM").env_remove("CIVICUM_TUNE_DATABASE");
    // The tests' own variable for a file has the name of a worker's for a model.
    command.env_remove("CIVICUM_TUNE_MODEL").env_remove("CIVICUM_TUNE_THREADS");
    command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

pub(crate) fn bench(args: &[&str]) -> (Output, Value) {
    let output = command(args).args(["--force-under-load", "--format", "json"]).output().unwrap();
    let out = String::from_utf8(output.stdout.clone()).unwrap();
    let document = serde_json::from_str(&out).unwrap_or_else(|why| panic!("{why}: {out}{}", err(&output)));
    (output, document)
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn left_out(what: &str) {
    // Not through the test's own output, which is shown only where a test fails.
    let _ = writeln!(std::io::stderr(), "LEFT OUT: bench: {what}");
}

/// The section's rows of one table.
pub(crate) fn rows<'d>(document: &'d Value, section: &str, table: &str) -> &'d Vec<Value> {
    let sections = document["sections"].as_array().unwrap();
    let found = sections.iter().find(|known| known["name"] == section).unwrap();
    assert_eq!(found["status"], "measured", "{found:#}");
    found["tables"][table].as_array().unwrap()
}

pub(crate) fn row<'d>(rows: &'d [Value], words: &[(&str, &str)]) -> &'d Value {
    rows.iter().find(|row| words.iter().all(|(name, word)| row[*name] == *word)).unwrap()
}

pub(crate) fn median(row: &Value, figure: &str) -> f64 {
    let found = &row[figure];
    let part = |name: &str| found[name].as_f64().unwrap_or_else(|| panic!("{figure}: {row:#}"));
    assert!(part("min") <= part("median") && part("median") <= part("max"), "{row:#}");
    part("median")
}
