//! `bench llm` with a real llama.cpp server and a real model (`CIVICUM_TUNE_LLM_SERVER`, `CIVICUM_TUNE_MODEL`; without them that is said to be
//! left out); an Ollama that others use, too, is in `bench_ollama.rs`.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

#[path = "support/measured.rs"]
mod measured;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use measured::{bench, command, err, folder, left_out, median, row, rows};

/// The command lines of those that serve this model still.
fn servers_with(model: &str) -> Vec<String> {
    let processes = procfs::process::all_processes().unwrap().flatten();
    let lines = processes.filter_map(|process| process.cmdline().ok()).map(|words| words.join(" "));
    lines
        .filter(|line| line.contains("--threads-batch") && line.contains(&format!("--model {model}")))
        .collect()
}

#[test]
fn a_model_behind_a_server_of_its_own() {
    let named = ["CIVICUM_TUNE_LLM_SERVER", "CIVICUM_TUNE_MODEL"].map(|name| std::env::var(name).ok());
    let [Some(program), Some(model)] = named else {
        return left_out("the model, since CIVICUM_TUNE_LLM_SERVER and CIVICUM_TUNE_MODEL are not set");
    };
    // A file that ends in the middle of its weights comes last, and takes nothing from what was measured.
    let folder = folder();
    let broken = folder.path().join("broken.gguf");
    fs::copy(&model, &broken).unwrap();
    fs::OpenOptions::new().write(true).open(&broken).unwrap().set_len(20 << 20).unwrap();
    let both = format!("{model},{}", broken.display());
    let args = ["llm", "--quick", "--time", "150s", "--server-program", &program, "--models", &both];
    let (output, document) = bench(&args);
    assert_eq!(output.status.code(), Some(0), "{document:#}{}", err(&output));
    let notes = document["sections"][0]["notes"].as_array().unwrap();
    let of_it: Vec<_> =
        notes.iter().filter(|note| note.as_str().unwrap().starts_with("broken.gguf")).collect();
    assert!(of_it.len() == 1 && of_it[0].as_str().unwrap().contains("does not start"), "{notes:#?}");
    let found = rows(&document, "llm", "models");
    // Turns: nobody has two more than another, whenever the time was up.
    let runs = || found.iter().map(|row| row["document_seconds"]["runs"].as_u64().unwrap());
    let is_slow = notes.iter().any(|note| note.as_str().unwrap().contains("its turn was up"));
    assert!(is_slow || runs().max().unwrap() - runs().min().unwrap() <= 1, "{found:#?}");
    let file = row(rows(&document, "llm", "files"), &[("family", "gemma3 18×640")]);
    assert!(median(file, "size_mib") > 200.0, "{file:#}");
    for row in found {
        assert_eq!(row["quantization"], "Q4_K_M", "{row:#}");
        assert!(median(row, "prompt_per_second") > median(row, "written_per_second") / 4.0, "{row:#}");
        let document = 1000.0 / median(row, "prompt_per_second") + 100.0 / median(row, "written_per_second");
        let told = &row["document_seconds"];
        assert!(
            told["min"].as_f64().unwrap() * 0.8 < document && document < told["max"].as_f64().unwrap() * 1.2,
            "{row:#}"
        );
    }
    assert!(found.iter().any(|row| row["host"] == "quiet") && found.iter().any(|row| row["host"] == "busy"));
    let still = servers_with(&model);
    assert!(still.is_empty(), "a server is left: {still:?}");
    // A program that is no server: why, and no hanging. The variable of a worker's container is not in its way.
    let args = ["llm", "--time", "30s", "--server-program", "/bin/false", "--models", &model];
    let output = command(&args)
        .args(["--force-under-load", "--format", "json"])
        .env("CIVICUM_TUNE_LLM", "http://127.0.0.1:1")
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2));
    let why = document["sections"][0]["because"].as_str().unwrap();
    assert!(why.contains("/bin/false does not start"), "{why}");
}

#[test]
fn a_server_that_runs_already_tells_its_packing_and_the_environment_its_threads() {
    let named = ["CIVICUM_TUNE_LLM_SERVER", "CIVICUM_TUNE_MODEL"].map(|name| std::env::var(name).ok());
    let [Some(program), Some(model)] = named else {
        return left_out(
            "a server that runs, since CIVICUM_TUNE_LLM_SERVER and CIVICUM_TUNE_MODEL are not set",
        );
    };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let mut server = Command::new(program)
        .args(["--model", &model, "--host", "127.0.0.1", "--port", &port, "--ctx-size", "2048"])
        .args(["--parallel", "1", "--threads", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let is_ready = || {
        let Ok(mut stream) = TcpStream::connect(format!("127.0.0.1:{port}")) else { return false };
        let mut said = String::new();
        write!(stream, "GET /health HTTP/1.0\r\n\r\n").unwrap();
        stream.read_to_string(&mut said).is_ok() && said.split(' ').nth(1) == Some("200")
    };
    while !is_ready() && begun.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(200));
    }
    let output = command(&["llm", "--quick", "--time", "60s", "--force-under-load", "--format", "json"])
        .env("CIVICUM_TUNE_LLM", format!("http://127.0.0.1:{port}"))
        .env("CIVICUM_TUNE_THREADS", "1")
        .output();
    server.kill().unwrap();
    server.wait().unwrap();
    let output = output.unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{document:#}{}", err(&output));
    let of_it = [("quantization", "Q4_K_M"), ("threads", "1"), ("host", "quiet")];
    let found = row(rows(&document, "llm", "models"), &of_it);
    assert!(median(found, "written_per_second") > 0.0, "{found:#}");
}

#[test]
fn where_nothing_is_named_the_way_into_the_deployment_is() {
    let profile = ["--quick", "--time", "10s", "--profile", "civicum-12g"];
    let (output, document) = bench(&[&["llm", "queue"], profile.as_slice()].concat());
    assert_eq!(output.status.code(), Some(2), "{document:#}");
    for section in document["sections"].as_array().unwrap() {
        let command = format!(
            "docker exec civicum-worker civicum-tune bench --quick {}",
            section["name"].as_str().unwrap()
        );
        assert!(section["because"].as_str().unwrap().ends_with(&command), "{section:#}");
    }
    // Whoever names one wants that one.
    let (_, document) = bench(&[&["llm", "--llm", "http://127.0.0.1:1"], profile.as_slice()].concat());
    assert!(!document["sections"][0]["because"].as_str().unwrap().contains("docker"), "{document:#}");
}
