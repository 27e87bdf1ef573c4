//! `bench llm` with a real llama.cpp server and a real model (`CIVICUM_TUNE_LLM_SERVER`, `CIVICUM_TUNE_MODEL`; without them that is said to be
//! left out), and on an Ollama that others use, too: what it does with its models is looked at from its side, by a server that answers as
//! Ollama's documentation has it. A real one can't be given a model that no host has room for.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

#[path = "support/measured.rs"]
mod measured;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

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

/// Its models, which of them are in memory, and every question.
#[derive(Default)]
struct Ollama {
    loaded: Vec<String>,
    asked: Vec<Value>,
}

impl Ollama {
    fn answer(&mut self, path: &str, body: &Value) -> Value {
        let details =
            |size: &str| json!({ "family": "llama", "parameter_size": size, "quantization_level": "Q4_0" });
        match path {
            "/api/version" => json!({ "version": "0.13.0" }),
            "/api/tags" => json!({ "models": [
                { "name": "works:8b", "size": 1000, "details": details("8.0B") },
                { "name": "idle:1b", "size": 1000, "details": details("1.0B") },
                { "name": "huge:405b", "size": 1_u64 << 60, "details": details("405B") },
            ] }),
            "/api/ps" => {
                let models = self.loaded.iter().map(|name| {
                    json!({ "name": name, "size": 1000, "context_length": 8192, "expires_at": "2318-09-14T10:11:12Z" })
                });
                json!({ "models": models.collect::<Vec<_>>() })
            }
            "/api/generate" => {
                self.asked.push(body.clone());
                let name = body["model"].as_str().unwrap().to_owned();
                // As with OLLAMA_MAX_LOADED_MODELS=1.
                self.loaded.clear();
                self.loaded.extend((body["keep_alive"] != json!(0)).then_some(name));
                json!({ "response": "x", "done": true, "prompt_eval_count": 20, "prompt_eval_duration": 100_000_000,
                    "eval_count": 8, "eval_duration": 400_000_000 })
            }
            other => panic!("{other}"),
        }
    }
}

fn serve(ollama: Arc<Mutex<Ollama>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut first, mut length) = (String::new(), 0);
            reader.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body = serde_json::from_slice(&body).unwrap_or_default();
            let path = first.split(' ').nth(1).unwrap();
            let told = ollama.lock().unwrap().answer(path, &body).to_string();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{told}",
                told.len()
            )
            .unwrap();
        }
    });
    url
}

#[test]
fn an_ollama_is_left_with_what_it_had_in_memory() {
    let ollama = Arc::new(Mutex::new(Ollama { loaded: vec!["works:8b".to_owned()], asked: Vec::new() }));
    let url = serve(Arc::clone(&ollama));
    let of =
        |more: &[&'static str]| [&["llm", "--quick", "--time", "30s", "--llm", url.as_str()], more].concat();
    let names = || -> Vec<String> {
        let mut names: Vec<String> = ollama
            .lock()
            .unwrap()
            .asked
            .drain(..)
            .map(|asked| asked["model"].as_str().unwrap().to_owned())
            .collect();
        names.dedup();
        names
    };

    // Nobody named one: the one that it works with, with its own context, and for as long as it had been wanted.
    let document = bench(&of(&[])).1;
    assert_eq!(document["sections"][0]["status"], "measured", "{document:#}");
    let asked = ollama.lock().unwrap().asked.clone();
    assert!(asked.len() > 6);
    for question in &asked {
        assert_eq!(
            (&question["options"]["num_ctx"], &question["keep_alive"]),
            (&json!(8192), &json!(-1)),
            "{question}"
        );
    }
    // Its threads take turns: never all rounds of one before the next.
    let threads: Vec<u64> =
        asked.iter().map(|asked| asked["options"]["num_thread"].as_u64().unwrap()).collect();
    let mut turns = threads.clone();
    turns.dedup();
    let kinds = threads.iter().collect::<std::collections::BTreeSet<_>>().len();
    assert!(kinds == 1 || turns.len() >= 4, "{turns:?}");
    assert_eq!(names(), ["works:8b"]);
    assert_eq!(ollama.lock().unwrap().loaded, ["works:8b"]);

    // Others are loaded where they are named and there is room, and leave; what was there before is there again.
    let document = bench(&of(&["--llm-model", "idle:1b,huge:405b"])).1;
    let notes = document["sections"][0]["notes"].to_string();
    assert!(notes.contains("huge:405b: it needs") && notes.contains("are available"), "{notes}");
    let rows = document["sections"][0]["tables"]["models"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["model"] == "idle:1b"), "{rows:#?}");
    assert_eq!(names(), ["idle:1b", "works:8b"]);
    assert_eq!(ollama.lock().unwrap().loaded, ["works:8b"]);

    // It has several, and none in memory: none is loaded for nothing.
    ollama.lock().unwrap().loaded.clear();
    let document = bench(&of(&[])).1;
    let why = document["sections"][0]["because"].as_str().unwrap();
    assert!(why.contains("--llm-model") && why.contains("idle:1b"), "{why}");
    assert!(names().is_empty());
}
