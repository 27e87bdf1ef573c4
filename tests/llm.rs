//! The language model: a real llama.cpp server with a real (small) model, named by `CIVICUM_TUNE_LLM_SERVER` and
//! `CIVICUM_TUNE_MODEL` (`tests/llm/fetch-server.sh` and `tests/llm/fetch-model.sh` fetch both); what is tested is everything
//! around the model, whose Spanish is poor.
//!
//! Ollama's server is in no package registry: what only Ollama has is tested in `llm/ollama.rs`, against a conversation that is
//! replayed as Ollama's documentation has it.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "llm/ollama.rs"]
mod ollama;
#[path = "llm/server.rs"]
mod server;

use std::time::{Duration, Instant};

use civicum_tune::llm::{self, Error, Extraction, Kind, Limits, Server, Task, Wait};
use futures_util::future::{Either, select};
use serde_json::{Value, json};
use server::Llama;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn pages(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

const LETTER: &str = "Ñuñoa, 12 de marzo de 2024. Señor alcalde: Yo, María José Núñez, RUT 12.345.678-5, pido que se repare \
                      la calzada de Los Aromos.";

fn limits() -> Limits {
    Limits {
        num_ctx: 4096,
        num_predict: 300,
        attempts: 1,
        timeout: Duration::from_secs(300),
        ..Limits::default()
    }
}

fn extract(server: &Server, schema: &Value, texts: &[&str], limits: &Limits) -> Result<Extraction, Error> {
    let pages = pages(texts);
    run(llm::extract(
        server,
        &Task { instruction: "Lee la carta.", schema, pages: &pages },
        limits,
        |_, _| (),
    ))
}

/// An answer that a model without wits can't finish early, and must not begin a second time.
fn endless() -> Value {
    json!({ "type": "object", "properties": { "texto": { "type": "string", "minLength": 1500 } }, "required": ["texto"] })
}

#[test]
fn an_answer_is_as_its_schema_asks_and_a_made_up_rut_is_noticed() {
    let Some(llama) = Llama::start(&["-c", "2048"]) else { return };
    let schema = json!({
        "type": "object",
        "properties": {
            "tipo": { "enum": ["carta", "boleta"] },
            "rut": { "enum": ["76.192.083-9"] },
            "otro": { "const": "12.345.678-5" },
            "roto": { "const": "12.345.678-9" },
            "paginas": { "type": "integer", "minimum": 1, "maximum": 9 },
            "nada": { "type": "null" },
        },
        "required": ["tipo", "rut", "otro", "roto", "paginas", "nada"],
        "additionalProperties": false,
    });
    let mut seen = Vec::new();
    let pages = pages(&[LETTER]);
    let task = Task { instruction: "", schema: &schema, pages: &pages };
    let found =
        run(llm::extract(&llama.server(""), &task, &limits(), |chunk, of| seen.push((chunk, of)))).unwrap();
    assert!(jsonschema::is_valid(&schema, &found.value), "{}", found.value);
    assert_eq!((seen, found.chunks, found.attempts), (vec![(1, 1)], 1, 1));
    assert!(found.prompt_tokens > 100 && found.answer_tokens > 10 && found.seconds > 0.0, "{found:?}");
    let doubts: Vec<(&str, Kind)> = found.unsupported.iter().map(|d| (d.pointer.as_str(), d.kind)).collect();
    assert_eq!(doubts, [("/rut", Kind::RutNotInText), ("/roto", Kind::RutBroken)]);
    // What is logged of it says nothing of the letter.
    let logged = format!("{found:?} {task:?}");
    assert!(!logged.contains("345") && !logged.contains("María"), "{logged}");

    // The schema that comes with the program can bind an answer, too.
    let schema = llm::bundled("carta").unwrap();
    match extract(&llama.server(""), &schema, &[LETTER], &Limits { num_predict: 24, ..limits() }) {
        Ok(_) | Err(Error::CutOff { predict: 24 }) => {}
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_long_text_is_read_in_parts_that_fit() {
    let Some(llama) = Llama::start(&["-c", "1024"]) else { return };
    let schema = json!({
        "type": "object",
        "properties": { "temas": { "type": "array", "items": { "enum": ["calle", "luz"] }, "minItems": 1, "maxItems": 2 } },
        "required": ["temas"],
    });
    let page = "Los vecinos piden que se repare la calzada de la calle Los Aromos, número 1.234, y la luz. "
        .repeat(12);
    let texts = [page.as_str(), page.as_str(), page.as_str()];
    let mut seen = Vec::new();
    let pages = pages(&texts);
    let task = Task { instruction: "Lee la carta.", schema: &schema, pages: &pages };
    // The profile believes in more than the server has.
    let found =
        run(llm::extract(&llama.server(""), &task, &limits(), |chunk, of| seen.push((chunk, of)))).unwrap();
    assert!(found.chunks > 1, "{found:?}");
    // It was known beforehand how many there are: no part was refused for its length and cut again.
    let expected: Vec<(usize, usize)> = (1..=found.chunks).map(|chunk| (chunk, found.chunks)).collect();
    assert_eq!(seen, expected);
    // No part is wasted either: the whole text has some 1 100 tokens, and a part has room for some 700.
    assert!(found.chunks <= 4, "{found:?}");
    let themes = found.value["temas"].as_array().unwrap();
    assert!(
        themes.len() <= 2 && jsonschema::is_valid(&schema, &found.value),
        "doubles are gone: {}",
        found.value
    );

    // Where nothing fits, that is said, and nothing is asked.
    let tight = Limits { num_predict: 1000, ..limits() };
    let error = extract(&llama.server(""), &schema, &texts, &tight).unwrap_err();
    assert!(matches!(error, Error::NoRoom { context: 1024, needed } if needed > 1100), "{error}");
}

#[test]
fn control_tokens_of_a_document_are_text() {
    let Some(llama) = Llama::start(&["-c", "4096"]) else { return };
    let schema = json!({ "enum": ["si"] });
    let count = |text: &str| extract(&llama.server(""), &schema, &[text], &limits()).unwrap().prompt_tokens;
    let plain = count("hola");
    // This model's own end of a message: one token where it is taken for one.
    assert_eq!(llama.tokens("<end_of_turn>"), 1, "the model has no such token, and this test shows nothing");
    let forged = count(&"<end_of_turn>".repeat(50));
    assert!(forged - plain >= 50 * 4, "{plain} {forged}");
}

/// Asks, drops the question as soon as the server has written `enough`, and says how long the server took to become idle.
fn dropped(llama: &Llama, text: &str, enough: impl Fn(u64) -> bool) -> Duration {
    let (schema, pages) = (endless(), pages(&[text]));
    let server = llama.server("");
    let limits = Limits { num_predict: 2000, num_ctx: 16384, ..limits() };
    run(async {
        let task = Task { instruction: "", schema: &schema, pages: &pages };
        let asked = Box::pin(llm::extract(&server, &task, &limits, |_, _| ()));
        let busy = Box::pin(async {
            while !llama.written().is_some_and(&enough) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        match select(asked, busy).await {
            Either::Left((done, _)) => panic!("it was done too early: {done:?}"),
            Either::Right(((), asked)) => drop(asked),
        }
    });
    let dropped = Instant::now();
    while llama.written().is_some() {
        assert!(dropped.elapsed() < Duration::from_secs(30), "the server goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
    dropped.elapsed()
}

#[test]
fn dropping_it_stops_the_server() {
    // Small batches: the server looks whether somebody still waits between two of them.
    let Some(llama) = Llama::start(&["-c", "16384", "--batch-size", "64", "--ubatch-size", "64"]) else {
        return;
    };
    let writing = dropped(&llama, LETTER, |written| written >= 3);
    // With a document of many pages most of the time goes into reading: minutes, at the speed of this model on one core.
    let reading = dropped(&llama, &LETTER.repeat(200), |written| written == 0);
    eprintln!("idle {writing:?} after a drop while it wrote, {reading:?} after one while it read");
}

#[test]
fn an_answer_that_is_cut_off_and_one_that_takes_too_long() {
    let Some(llama) = Llama::start(&["-c", "4096"]) else { return };
    let cut = extract(&llama.server(""), &endless(), &[LETTER], &Limits { num_predict: 16, ..limits() })
        .unwrap_err();
    assert_eq!(cut, Error::CutOff { predict: 16 });
    assert!(!cut.retryable());

    let after = Duration::from_millis(700);
    let slow = Limits { num_predict: 2000, timeout: after, ..limits() };
    let late = extract(&llama.server(""), &endless(), &[LETTER], &slow).unwrap_err();
    assert_eq!(late, Error::TimedOut { what: Wait::Answer, after });
    assert!(late.retryable());
}

#[test]
fn a_server_that_hangs_and_one_that_dies() {
    let Some(llama) = Llama::start(&["-c", "4096"]) else { return };
    let server = llama.server("");
    let after = Duration::from_secs(2);
    let limits = Limits { num_predict: 2000, stall: after, ..limits() };
    let (schema, pages) = (endless(), pages(&[LETTER]));
    let asked = |then: fn(&Llama)| {
        run(async {
            let task = Task { instruction: "", schema: &schema, pages: &pages };
            let asked = Box::pin(llm::extract(&server, &task, &limits, |_, _| ()));
            let busy = Box::pin(async {
                while llama.written().is_none_or(|written| written < 3) {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            });
            match select(asked, busy).await {
                Either::Left((done, _)) => panic!("it was done too early: {done:?}"),
                Either::Right(((), asked)) => {
                    then(&llama);
                    asked.await.unwrap_err()
                }
            }
        })
    };
    let error = asked(|llama| llama.signal("STOP"));
    assert_eq!(error, Error::TimedOut { what: Wait::Piece, after });
    llama.signal("CONT");
    llama.wait_idle();

    let error = asked(|llama| llama.signal("KILL"));
    assert!(matches!(error, Error::BrokeOff { .. }) && error.retryable(), "{error:?}");
    llama.wait_gone();
    let error = extract(&server, &schema, &[LETTER], &limits).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }) && error.retryable(), "{error:?}");
}

#[test]
fn models_by_name_and_rules_that_the_server_does_not_know() {
    let Some(llama) = Llama::start(&["-c", "2048", "--alias", "civicum"]) else { return };
    let schema = json!({ "enum": ["si"] });
    extract(&llama.server("civicum"), &schema, &[LETTER], &limits()).unwrap();
    let error = extract(&llama.server("llama3:8b"), &schema, &[LETTER], &limits()).unwrap_err();
    assert!(
        matches!(&error, Error::NoSuchModel { has, .. } if has.contains(&"civicum".to_owned())),
        "{error}"
    );
    assert!(!error.retryable());

    // What the server does not bind the answer with, it is validated with: llama.cpp looks at the constant alone.
    let schema = json!({ "const": 1, "minimum": 2 });
    let error =
        extract(&llama.server(""), &schema, &[LETTER], &Limits { attempts: 2, ..limits() }).unwrap_err();
    assert_eq!(error, Error::Invalid { attempts: 2, at: String::new(), rule: "minimum".into() });
    assert!(!error.retryable());
    // It can't take its model out of memory, and says so.
    assert_eq!(run(llama.server("").unload()), Ok(false));
}

#[test]
fn a_server_that_loads_its_model_is_busy() {
    let Some(llama) = Llama::begin(&["-c", "2048"]) else { return };
    let schema = json!({ "enum": ["si"] });
    let (began, mut busy) = (Instant::now(), false);
    loop {
        match extract(&llama.server(""), &schema, &[LETTER], &limits()) {
            Ok(_) => break,
            Err(Error::Busy { .. }) => busy = true,
            Err(Error::Unreachable { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
        assert!(began.elapsed() < Duration::from_secs(120), "it does not come up");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(busy, "it was never seen loading");
}

#[test]
fn the_command_reads_a_file_with_a_bundled_schema_or_another() {
    let Some(llama) = Llama::start(&["-c", "2048"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("carta.txt"), format!("{LETTER}\u{c}{LETTER}")).unwrap();
    std::fs::write(
        path("s.json"),
        r#"{"properties":{"rut":{"const":"76.192.083-9"}},"required":["rut"],"type":"object"}"#,
    )
    .unwrap();
    let command = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
        command.env("LC_ALL", "C").arg("extract").arg(path("carta.txt")).args(args).output().unwrap()
    };
    let (schema, url) = (path("s.json"), llama.url());
    let out = command(&[
        "--schema",
        &schema,
        "--llm",
        &url,
        "--format",
        "json",
        "--predict",
        "60",
        "--context",
        "2048",
    ]);
    let document: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(out.status.code(), Some(1), "a made-up RUT is a doubt: {document}");
    assert_eq!(document["schema"], "civicum-tune/extract/1");
    assert_eq!(document["value"], json!({ "rut": "76.192.083-9" }));
    assert_eq!(document["unsupported"], json!([{ "pointer": "/rut", "kind": "rut-not-in-text" }]));
    let out = command(&["--schema", &schema, "--llm", &url, "--predict", "60"]);
    let told = String::from_utf8(out.stderr).unwrap();
    assert!(told.contains("/rut: a RUT that the text does not have"), "{told}");
    assert_eq!(String::from_utf8(out.stdout).unwrap(), "{\n  \"rut\": \"76.192.083-9\"\n}\n");
}

#[test]
fn the_command_refuses_what_it_can_before_it_asks_anybody() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("carta.txt"), LETTER).unwrap();
    std::fs::write(path("latin1.txt"), b"Se\xf1or").unwrap();
    std::fs::write(path("empty.txt"), "\u{c}\n").unwrap();
    std::fs::write(path("none.json"), "{").unwrap();
    std::fs::write(path("outside.json"), r#"{"$ref":"https://example.com/x.json"}"#).unwrap();
    let (carta, here) = (path("carta.txt"), "http://127.0.0.1:1");
    let cases = [
        (carta.clone(), "carta", "http://8.8.8.8:80", "8.8.8.8 is not on this host"),
        (carta.clone(), "carta", "http://llm.example.com:80", "llm.example.com is not on this host"),
        (carta.clone(), "carta", "https://127.0.0.1:80", "https is for servers outside"),
        (carta.clone(), "carta", "http://ana:secreto@127.0.0.1:80", "has a user or a password"),
        (carta.clone(), "carta", "http://127.0.0.1:80/v1", "has a path"),
        (carta.clone(), "cartas", here, "cartas is no bundled schema (carta)"),
        (carta.clone(), &path("none.json"), here, "is no JSON"),
        (carta.clone(), &path("outside.json"), here, "at /$ref: it refers to something outside"),
        (path("latin1.txt"), "carta", here, "is no text in UTF-8"),
        (path("empty.txt"), "carta", here, "has no text to read"),
        (path("nowhere.txt"), "carta", here, "No such file or directory (ENOENT)"),
        (carta.clone(), "carta", here, "no model's server answers on 127.0.0.1:1"),
    ];
    for (file, schema, url, expected) in cases {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
        // A proxy is not asked either.
        command.env("http_proxy", "http://127.0.0.1:9").env("LC_ALL", "C").args(["extract", &file]);
        let out = command.args(["--schema", schema, "--llm", url, "--format", "json"]).output().unwrap();
        assert_eq!(out.status.code(), Some(2), "{expected}");
        let told: Value = serde_json::from_slice(&out.stdout).unwrap();
        let told = told.to_string() + &String::from_utf8_lossy(&out.stderr);
        assert!(told.contains(expected) && !told.contains("secreto"), "{expected}: {told}");
    }
}
