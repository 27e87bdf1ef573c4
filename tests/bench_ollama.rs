//! `bench llm` on an Ollama that others use, too: what it does with its models is looked at from its side, by a server that answers as
//! Ollama's documentation has it. A real one can't be given a model that no host has room for, and is never silent when it is wanted.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

#[path = "support/measured.rs"]
mod measured;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use measured::{bench, command, err};

/// Its models, which of them are in memory, every question, and what is wrong with it.
#[derive(Default)]
struct Ollama {
    loaded: Vec<String>,
    asked: Vec<Value>,
    /// Models behind those that it has anyway.
    others: Vec<String>,
    /// From this question on it takes connections and says nothing.
    silent_from: Option<usize>,
    /// What comes of a model that is loaded again, with nothing to read: how long it takes, and whether it works.
    again: Option<(Duration, bool)>,
    /// Every second answer ends at once.
    is_brief: bool,
}

impl Ollama {
    /// The status and the answer, after so long; `None` where there is none.
    fn answer(&mut self, path: &str, body: &Value) -> Option<(u16, Value, Duration)> {
        let details =
            |size: &str| json!({ "family": "llama", "parameter_size": size, "quantization_level": "Q4_0" });
        if self.silent_from.is_some_and(|from| self.asked.len() >= from) {
            return None;
        }
        let told = match path {
            "/api/version" => json!({ "version": "0.13.0" }),
            "/api/tags" => {
                let sizes = [("works:8b", 1000), ("idle:1b", 1000), ("huge:405b", 1_u64 << 60)];
                let others = self.others.iter().map(|name| (name.as_str(), 1000));
                let all = sizes.into_iter().chain(others);
                let all =
                    all.map(|(name, size)| json!({ "name": name, "size": size, "details": details(name) }));
                json!({ "models": all.collect::<Vec<_>>() })
            }
            "/api/ps" => {
                let models = self.loaded.iter().map(|name| {
                    json!({ "name": name, "size": 1000, "context_length": 8192, "expires_at": "2318-09-14T10:11:12Z" })
                });
                json!({ "models": models.collect::<Vec<_>>() })
            }
            "/api/generate" => {
                self.asked.push(body.clone());
                let name = body["model"].as_str().unwrap().to_owned();
                let again = self.again.filter(|_| body["prompt"].is_null());
                if let Some((after, false)) = again {
                    return Some((500, json!({ "error": "model requires more system memory" }), after));
                }
                // As with OLLAMA_MAX_LOADED_MODELS=1.
                self.loaded.clear();
                self.loaded.extend((body["keep_alive"] != json!(0)).then_some(name));
                let wanted = body["options"]["num_predict"].as_u64().unwrap_or(1);
                let written = if self.is_brief && self.asked.len() % 2 == 0 { 1 } else { wanted };
                let told = json!({ "response": "x", "done": true, "prompt_eval_count": 20,
                    "prompt_eval_duration": 100_000_000, "eval_count": written, "eval_duration": written * 50_000_000 });
                return Some((200, told, again.map_or(Duration::ZERO, |(after, _)| after)));
            }
            other => panic!("{other}"),
        };
        Some((200, told, Duration::ZERO))
    }
}

fn serve(ollama: Arc<Mutex<Ollama>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, ollama) = (stream.unwrap(), Arc::clone(&ollama));
            std::thread::spawn(move || one(stream, &ollama));
        }
    });
    url
}

fn one(mut stream: TcpStream, ollama: &Mutex<Ollama>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).unwrap();
    let Some(path) = first.split(' ').nth(1) else { return };
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
    let answer = ollama.lock().unwrap().answer(path, &body);
    let Some((status, told, after)) = answer else {
        // Until the other side goes.
        let _ = reader.read(&mut [0]);
        return;
    };
    // A load is given up when whoever asked for it goes.
    stream.set_read_timeout(Some(after.max(Duration::from_millis(1)))).unwrap();
    let is_gone = !after.is_zero() && reader.read(&mut [0]).is_ok_and(|size| size == 0);
    if is_gone {
        ollama.lock().unwrap().loaded.clear();
        return;
    }
    let told = told.to_string();
    let _ = write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{told}",
        told.len()
    );
}

fn working() -> Ollama {
    Ollama { loaded: vec!["works:8b".to_owned()], ..Ollama::default() }
}

fn started(ollama: Ollama) -> (Arc<Mutex<Ollama>>, String) {
    let ollama = Arc::new(Mutex::new(ollama));
    let url = serve(Arc::clone(&ollama));
    (ollama, url)
}

fn notes(document: &Value) -> String {
    let section = &document["sections"][0];
    format!("{}{}", section["because"], section["notes"])
}

#[test]
fn an_ollama_is_left_with_what_it_had_in_memory() {
    let (ollama, url) = started(working());
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
        // Behind the end of a sentence a model has nothing to say.
        assert!(question["prompt"].as_str().unwrap().ends_with(char::is_alphanumeric), "{question}");
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

#[test]
fn the_last_of_many_models_is_found() {
    let others = (0..40).map(|number| format!("other:{number}")).collect();
    let (_ollama, url) = started(Ollama { others, ..working() });
    let document = bench(&["llm", "--quick", "--time", "20s", "--llm", &url, "--llm-model", "other:39"]).1;
    assert_eq!(document["sections"][0]["tables"]["models"][0]["model"], "other:39", "{document:#}");
}

#[test]
fn an_answer_that_ends_at_once_is_no_repeat() {
    let (ollama, url) = started(Ollama { is_brief: true, ..working() });
    let document = bench(&["llm", "--quick", "--time", "20s", "--llm", &url]).1;
    let said = notes(&document);
    assert!(said.contains("do not count"), "{said}");
    let asked = ollama.lock().unwrap().asked.clone();
    let whole =
        asked.iter().step_by(2).filter(|asked| asked["options"]["num_predict"].as_u64() > Some(2)).count();
    let rows = document["sections"][0]["tables"]["models"].as_array().cloned().unwrap_or_default();
    let runs: u64 = rows.iter().map(|row| row["document_seconds"]["runs"].as_u64().unwrap()).sum();
    assert!(runs > 0 && runs <= whole as u64, "{runs} of {whole}: {rows:#?}");
}

#[test]
fn a_silent_server_holds_nobody_up() {
    // It tells of itself, answers some questions, and then nothing any more: neither a question nor which models it has.
    for (from, model) in [(0, "works:8b"), (3, "idle:1b")] {
        let (ollama, url) = started(working());
        let begun = Instant::now();
        let child = command(&["llm", "--quick", "--time", "6s", "--llm", &url, "--llm-model", model])
            .args(["--force-under-load", "--format", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The first questions are about itself.
        while ollama.lock().unwrap().asked.len() < from.max(1) {
            assert!(begun.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(5));
        }
        ollama.lock().unwrap().silent_from = Some(0);
        let output = child.wait_with_output().unwrap();
        // Ten seconds for what has to be tidied up, and some for looking at the host.
        assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let said = notes(&document);
        assert!(
            said.contains("works:8b: in memory before; whether still, the server did not tell"),
            "{said}"
        );
        // Nobody knows that it is gone.
        assert!(ollama.lock().unwrap().asked.iter().all(|asked| !asked["prompt"].is_null()));
        let is_told = said.contains("idle:1b: the server was not told to drop it from memory");
        assert_eq!(is_told, model == "idle:1b", "{said}");
    }
}

#[test]
fn a_signal_is_heard_while_it_tidies_up() {
    // The model that it works with takes a minute to load again.
    let (ollama, url) = started(Ollama { again: Some((Duration::from_secs(60), true)), ..working() });
    let child = command(&["llm", "--quick", "--time", "6s", "--llm", &url, "--llm-model", "idle:1b"])
        .args(["--force-under-load", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !ollama.lock().unwrap().asked.iter().any(|asked| asked["prompt"].is_null()) {
        assert!(begun.elapsed() < Duration::from_secs(30), "it was never loaded again");
        std::thread::sleep(Duration::from_millis(20));
    }
    let begun = Instant::now();
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let said = notes(&document);
    assert!(said.contains("works:8b: in memory before, and could not be loaded again"), "{said}");
}

#[test]
fn what_was_in_memory_is_loaded_again_however_long_it_takes() {
    let again = Duration::from_secs(33);
    let (ollama, url) = started(Ollama { again: Some((again, true)), ..working() });
    let document = bench(&["llm", "--quick", "--time", "6s", "--llm", &url, "--llm-model", "idle:1b"]).1;
    assert_eq!(ollama.lock().unwrap().loaded, ["works:8b"]);
    assert!(!notes(&document).contains("works:8b"), "{document:#}");
    // Where that fails, it is said.
    let (_ollama, url) = started(Ollama { again: Some((Duration::ZERO, false)), ..working() });
    let document = bench(&["llm", "--quick", "--time", "6s", "--llm", &url, "--llm-model", "idle:1b"]).1;
    let said = notes(&document);
    assert!(said.contains("works:8b: in memory before, and could not be loaded again"), "{said}");
    assert!(said.contains("The next question to it loads it"), "{said}");
}
