//! What is the host's fault, and what is the document's: a worker on a real PostgreSQL server whose model is away, whose tools
//! are not there, and who is stopped.
//!
//! Where a real llama.cpp server is named (as in `llm.rs`), it is killed in the middle of an answer.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "support/database.rs"]
mod database;
#[path = "llm/server.rs"]
#[allow(dead_code)]
mod llama;
#[path = "support/model.rs"]
mod model;
#[path = "support/stage.rs"]
#[allow(dead_code)]
mod stage;

use std::time::{Duration, Instant};

use civicum_tune::queue::{Queue, listen, register};
use model::{Does, Model};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use stage::{Stage, TEXT, children, long, pdf, worker_test};

/// Writes a schema down; gives the options of a worker that asks it of this server.
fn asks(stage: &Stage<'_>, schema: &str, url: &str) -> Vec<String> {
    let folder = stage.folder.path().join("schemas");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("edad.json"), schema).unwrap();
    let folder = folder.to_str().unwrap();
    ["--llm", url, "--model", "m", "--schemas", folder].map(str::to_owned).to_vec()
}

const SCHEMA: &str =
    r#"{"type":"object","properties":{"edad":{"type":["integer","null"]}},"required":["edad"]}"#;

fn words(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// Waits until the log tells so.
async fn told(stage: &Stage<'_>, what: &[&str]) {
    let begun = Instant::now();
    while !stage.log().lines().any(|line| what.iter().all(|word| line.contains(word))) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", stage.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn claimed(stage: &Stage<'_>) -> usize {
    let is_claim = |line: &&str| line.contains(r#""event":"claimed","stage":"extract""#);
    stage.log().lines().filter(is_claim).count()
}

#[test]
fn an_outage_of_the_model_costs_no_attempt_and_its_stage_rests() {
    worker_test("outage", async |stage| {
        let model = Model::new(Does::Refuses(500, "llama runner process has terminated: exit status 2"));
        let mut ids = Vec::new();
        for name in ["uno.pdf", "dos.pdf", "tres.pdf", "cuatro.pdf"] {
            let file = [pdf(1, TEXT), format!("%{name}").into_bytes()].concat();
            ids.push(stage.asking(name, &file, Some("edad")).await);
        }
        let worker = stage.worker(&words(&asks(stage, SCHEMA, &model.url())));
        told(stage, &["postponed", "extract", "no model"]).await;
        for id in &ids {
            stage.until(*id, &["read"]).await;
        }
        tokio::time::sleep(Duration::from_secs(7)).await;
        // One found out; the others were left alone, and nobody lost an attempt.
        assert_eq!((claimed(stage), model.asked()), (1, 1), "{}", stage.log());
        for id in &ids {
            let document = stage.document(*id).await;
            assert_eq!((document.state.as_str(), document.attempt), ("read", Some(0)), "{document:?}");
        }
        model.now(Does::Refuses(
            500,
            "model requires more system memory (5.6 GiB) than is available (2.1 GiB)",
        ));
        told(stage, &["postponed", "no model", r#""document":2"#]).await;
        model.now(Does::Answers(Duration::ZERO));
        for id in &ids {
            let document = stage.until(*id, &["done"]).await;
            assert_eq!(document.attempt, Some(1), "{document:?}");
        }
        drop(worker);
    });
}

#[test]
fn a_document_with_more_parts_than_there_is_time_for_ends_at_once() {
    worker_test("parts", async |stage| {
        let model = Model::new(Does::Answers(Duration::from_millis(300)));
        let mut options = asks(stage, SCHEMA, &model.url());
        options.extend(["--context=1024", "--predict=64", "--extract-deadline=6s"].map(str::to_owned));
        let id = stage.asking("largo.pdf", &pdf(60, TEXT), Some("edad")).await;
        let worker = stage.worker(&words(&options));
        let document = stage.until(id, &["failed"]).await;
        let why = document.last_error.clone().unwrap_or_default();
        assert!(why.starts_with("too_long: ") && document.attempt == Some(1), "{document:?}");
        assert!(why.contains("6 s") && why.contains(" parts"), "{why}");
        assert!(model.asked() < 5, "it went on for {} parts", model.asked());
        drop(worker);
    });
}

#[test]
fn a_model_that_is_killed_in_the_middle_of_an_answer_costs_no_attempt() {
    worker_test("killed_model", async |stage| {
        let Some(llama) = llama::Llama::start(&["-c", "2048"]) else { return };
        let endless = r#"{"type":"object","properties":{"texto":{"type":"string","minLength":1500}},"required":["texto"]}"#;
        let mut options = asks(stage, endless, &llama.url());
        options.retain(|option| option != "--model" && option != "m");
        options.extend(["--context=2048", "--predict=1000"].map(str::to_owned));
        let id = stage.asking("carta.pdf", &pdf(1, "Soy Ana"), Some("edad")).await;
        let worker = stage.worker(&words(&options));
        let begun = Instant::now();
        while llama.written().is_none_or(|written| written < 3) {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not write\n{}", stage.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        llama.signal("KILL");
        let document = stage.until(id, &["read"]).await;
        assert_eq!(document.attempt, Some(0), "{document:?}");
        assert!(document.last_error.as_deref().unwrap().starts_with("no model: "), "{document:?}");
        drop(worker);
    });
}

#[test]
fn a_language_that_is_not_there_and_a_reader_that_is_stopped_cost_no_attempt() {
    worker_test("reader", async |stage| {
        let slow = ["--ocr-option", "--text-layer=never"];
        let id = stage.enqueue("largo.pdf", &long(12)).await;
        let worker = stage.worker(&[&slow[..], &["--ocr-option", "--language=xyz"]].concat());
        told(stage, &["postponed", "tool_missing"]).await;
        let document = stage.until(id, &["queued"]).await;
        assert_eq!(document.attempt, Some(0), "{document:?}");
        assert!(document.last_error.as_deref().unwrap().contains("xyz"), "{document:?}");
        drop(worker);
        let now = "with now as (update civicum.job set run_at = now() returning id) select count(*) from now";
        stage.place.one(now).await;
        let worker = stage.worker(&slow);
        stage.until(id, &["reading"]).await;
        let reader = loop {
            let tools = children(worker.0.id()).iter().flat_map(|reader| children(*reader)).count();
            if tools > 0 {
                break children(worker.0.id())[0];
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        // As a service manager does it: to all of them.
        for pid in children(reader).into_iter().chain([reader]) {
            let _ = kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGTERM);
        }
        told(stage, &["postponed", "stopped"]).await;
        let document = stage.until(id, &["queued"]).await;
        assert_eq!((document.attempt, document.crashes), (Some(0), Some(0)), "{document:?}");
        drop(worker);
    });
}

#[test]
fn what_is_not_due_wakes_nobody() {
    worker_test("wake", async |stage| {
        let database = stage.place.database();
        let worker = register(&database, "wake").await.unwrap();
        let mut hears = listen(&database, worker).await.unwrap();
        let queue = Queue::open(&database, worker).await.unwrap();
        stage.enqueue("carta.pdf", b"x").await;
        let mut woken = async || {
            let next = hears.notices.recv();
            tokio::time::timeout(Duration::from_millis(500), next).await.is_ok()
        };
        assert!(woken().await, "nobody was told of a new one");
        let minute = Duration::from_secs(60);
        for (wait, wakes) in [(Duration::ZERO, true), (Duration::from_secs(20), false)] {
            let claims = queue.claim("ocr", 1, minute).await.unwrap();
            queue.release(&claims, wait, Some("no model")).await.unwrap();
            assert_eq!(woken().await, wakes, "{wait:?}");
        }
    });
}
