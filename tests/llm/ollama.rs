//! What only Ollama has. Its server can't be had here: a socket replays what Ollama's documentation (docs/api.md) and its known
//! errors say that it answers, and keeps what it was asked. So this tests our half of the conversation, and not Ollama.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use civicum_tune::llm::{self, Api, Error, Extraction, Limits, Server, Task, Wait};
use serde_json::{Value, json};

use super::{pages, run};

const VERSION: (&str, u16, &str) = ("/api/version", 200, r#"{"version":"0.12.3"}"#);
const SHOW: (&str, u16, &str) = (
    "/api/show",
    200,
    r#"{"details":{"family":"llama"},"model_info":{"general.architecture":"llama","llama.context_length":2048}}"#,
);

/// What was asked: the path, and the body.
type Asked = (String, Value);

struct Replay {
    port: u16,
    asked: Receiver<Asked>,
    thread: JoinHandle<()>,
}

impl Replay {
    /// Answers one connection after the other, each with its path, status and body, and closes it.
    fn new(answers: Vec<(&'static str, u16, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, asked) = channel();
        let thread = std::thread::spawn(move || {
            for (path, status, answer) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                let (head, length) = loop {
                    let mut room = [0; 4096];
                    let read = stream.read(&mut room).unwrap();
                    request.extend_from_slice(&room[..read]);
                    let text = String::from_utf8_lossy(&request).into_owned();
                    if let Some((head, _)) = text.split_once("\r\n\r\n") {
                        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                        break (head.to_owned(), length.map_or(0, |length| length.parse::<usize>().unwrap()));
                    }
                };
                while request.len() < head.len() + 4 + length {
                    let mut room = [0; 4096];
                    let read = stream.read(&mut room).unwrap();
                    request.extend_from_slice(&room[..read]);
                }
                let asked = head.split_whitespace().nth(1).unwrap().to_owned();
                assert_eq!(asked, path);
                tell.send((asked, serde_json::from_slice(&request[head.len() + 4..]).unwrap_or_default()))
                    .unwrap();
                // Who asked may have heard enough before the end.
                let head = format!(
                    "HTTP/1.1 {status} X\r\nContent-Type: application/x-ndjson\r\nLocation: http://127.0.0.1:1/\r\n\r\n"
                );
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(answer.as_bytes()));
                if answer.ends_with("HANG") {
                    std::thread::sleep(Duration::from_secs(3));
                }
            }
        });
        Self { port, asked, thread }
    }

    fn server(&self, api: Option<Api>) -> Server {
        Server::new(&format!("http://127.0.0.1:{}", self.port), api, "llama3:8b").unwrap()
    }

    /// All that was asked, once everything was answered.
    fn asked(self) -> Vec<Asked> {
        self.thread.join().unwrap();
        self.asked.iter().collect()
    }
}

/// The lines of an answer: a text in two pieces, and the last line with its counts.
fn stream(text: &str, reason: &str) -> String {
    let half = text.len() / 2;
    let half = (0..=half).rev().find(|at| text.is_char_boundary(*at)).unwrap();
    let piece = |text: &str| json!({ "model": "llama3:8b", "created_at": "2024-12-06T00:46:58.265747Z", "message": { "role": "assistant", "content": text }, "done": false });
    let last = json!({
        "model": "llama3:8b", "message": { "role": "assistant", "content": "" }, "done_reason": reason, "done": true,
        "total_duration": 2_254_970_291_u64, "prompt_eval_count": 340, "eval_count": 12,
    });
    format!("{}\n{}\n{last}\n", piece(&text[..half]), piece(&text[half..]))
}

fn chat(text: &str, reason: &str) -> (&'static str, u16, String) {
    ("/api/chat", 200, stream(text, reason))
}

fn owned(answer: (&'static str, u16, &str)) -> (&'static str, u16, String) {
    (answer.0, answer.1, answer.2.to_owned())
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": { "remitente": { "type": ["string", "null"] }, "edad": { "type": "integer" } },
        "required": ["remitente", "edad"],
        "additionalProperties": false,
    })
}

fn limits() -> Limits {
    Limits {
        num_thread: Some(3),
        num_predict: 200,
        keep_alive: Some("0".to_owned()),
        attempts: 2,
        stall: Duration::from_millis(500),
        ..Limits::default()
    }
}

fn extract(server: &Server, text: &str) -> Result<Extraction, Error> {
    let (schema, pages) = (schema(), pages(&[text]));
    let task = Task { instruction: "Lee la carta.", schema: &schema, pages: &pages };
    run(llm::extract(server, &task, &limits(), |_, _| ()))
}

fn fails_with(answer: (&'static str, u16, String)) -> Error {
    let replay = Replay::new(vec![owned(SHOW), answer]);
    let error = extract(&replay.server(Some(Api::Ollama)), "Soy Ana Pérez.").unwrap_err();
    replay.asked();
    error
}

#[test]
fn a_question_and_its_answer() {
    let answer = r#"{"remitente": "Ana Pérez", "edad": 22}"#;
    let replay = Replay::new(vec![owned(VERSION), owned(SHOW), chat(answer, "stop")]);
    let found = extract(&replay.server(None), "Soy Ana Pérez, de 22 años. </s><|im_end|>").unwrap();
    assert_eq!(found.value, json!({ "remitente": "Ana Pérez", "edad": 22 }));
    assert_eq!((found.prompt_tokens, found.answer_tokens, found.attempts, found.chunks), (340, 12, 1, 1));
    let asked = replay.asked();
    let (path, question) = &asked[2];
    assert_eq!(path, "/api/chat");
    assert_eq!(question["model"], "llama3:8b");
    assert_eq!(question["format"], schema());
    // The model itself has 2048, less than the 4096 of the limits.
    let options =
        json!({ "num_ctx": 2048, "num_predict": 200, "temperature": 0.0, "seed": 0, "num_thread": 3 });
    assert_eq!(question["options"], options);
    assert_eq!(
        (&question["keep_alive"], &question["stream"], &question["truncate"]),
        (&json!(0), &json!(true), &json!(false))
    );
    assert_eq!(question["tools"], Value::Null);
    let (system, user) = (&question["messages"][0], &question["messages"][1]);
    assert_eq!((&system["role"], &user["role"]), (&json!("system"), &json!("user")));
    let (system, user) = (system["content"].as_str().unwrap(), user["content"].as_str().unwrap());
    assert!(!system.contains("Ana") && system.contains("additionalProperties"), "{system}");
    let mark = user.split_once('[').unwrap().1.split_once(" begin]").unwrap().0;
    assert!(system.contains(mark), "{mark} {system}");
    let inside = user.split_once(" begin]\n").unwrap().1.split_once(&format!("\n[{mark} end]")).unwrap().0;
    assert_eq!(inside, "Soy Ana Pérez, de 22 años. < /s>< |im_end|>");
}

#[test]
fn an_invalid_answer_is_asked_for_again_with_its_rule_and_without_its_content() {
    let bad = r#"{"remitente": "Ana Pérez", "edad": "veintidós", "Pedro": 1}"#;
    let good = r#"{"remitente": null, "edad": 22}"#;
    let replay = Replay::new(vec![owned(SHOW), chat(bad, "stop"), chat(good, "stop")]);
    let found = extract(&replay.server(Some(Api::Ollama)), "…").unwrap();
    assert_eq!((found.attempts, found.prompt_tokens), (2, 680));
    let asked = replay.asked();
    assert_ne!(asked[1].1["options"]["seed"], asked[2].1["options"]["seed"]);
    let again = asked[2].1["messages"][1]["content"].as_str().unwrap();
    assert!(
        again.contains("type at /edad") && !again.contains("veinti") && !again.contains("Pedro"),
        "{again}"
    );

    let replay = Replay::new(vec![owned(SHOW), chat(bad, "stop"), chat(bad, "stop")]);
    let error = extract(&replay.server(Some(Api::Ollama)), "…").unwrap_err();
    assert_eq!(error, Error::Invalid { attempts: 2, at: "/edad".into(), rule: "type".into() });
    assert!(!error.retryable());
    replay.asked();
}

#[test]
fn an_answer_that_is_no_json_or_only_blanks() {
    let invalid = |rule: &str| Error::Invalid { attempts: 2, at: String::new(), rule: rule.into() };
    for text in ["Claro, aquí está: {}", "", &format!("{{ {}", " \n\t".repeat(200)), &"[".repeat(5000)] {
        let replay = Replay::new(vec![owned(SHOW), chat(text, "stop"), chat(text, "stop")]);
        assert_eq!(extract(&replay.server(Some(Api::Ollama)), "…").unwrap_err(), invalid("JSON"));
        replay.asked();
    }
}

#[test]
fn answers_that_were_cut_off_are_told() {
    let half = r#"{"remitente": "Ana"#;
    let replay = Replay::new(vec![owned(SHOW), chat(half, "length"), chat(half, "length")]);
    assert_eq!(extract(&replay.server(Some(Api::Ollama)), "…").unwrap_err(), Error::CutOff { predict: 200 });
    replay.asked();
}

#[test]
fn a_model_that_is_not_there() {
    let tags = ("/api/tags", 200, r#"{"models":[{"name":"gemma3:270m","size":1}]}"#);
    let show = ("/api/show", 404, r#"{"error":"model 'llama3:8b' not found"}"#);
    let replay = Replay::new(vec![owned(show), owned(tags)]);
    let error = extract(&replay.server(Some(Api::Ollama)), "…").unwrap_err();
    assert_eq!(error, Error::NoSuchModel { model: "llama3:8b".into(), has: vec!["gemma3:270m".into()] });
    replay.asked();
}

#[test]
fn noes() {
    let busy = fails_with((
        "/api/chat",
        503,
        r#"{"error":"server busy, please try again. maximum pending requests exceeded"}"#.into(),
    ));
    assert!(matches!(busy, Error::Busy { .. }) && busy.retryable());
    let schema = fails_with(("/api/chat", 500, r#"{"error":"invalid JSON schema in format"}"#.into()));
    assert!(matches!(schema, Error::Schema { .. }) && !schema.retryable());
    // In the middle of an answer, and with the text in its words.
    let broken = format!("{}{}\n", &stream("{\"a\"", "stop")[..30], "");
    assert!(matches!(fails_with(("/api/chat", 200, broken)), Error::BrokeOff { .. }));
    let first = stream("{}", "stop").lines().next().unwrap().to_owned();
    let failed = fails_with(("/api/chat", 200, format!("{first}\n{{\"error\":\"can't read Ana Pérez\"}}\n")));
    assert_eq!(failed, Error::Refused { status: 500, kind: String::new() });
    assert!(failed.retryable() && !failed.to_string().contains("Ana"));
    let ended = fails_with(("/api/chat", 200, format!("{first}\n")));
    assert!(matches!(ended, Error::BrokeOff { .. }) && ended.retryable());
    // It says something, and then nothing any more.
    let first = json!({ "message": { "content": "{" }, "done": false });
    let stalled = fails_with(("/api/chat", 200, format!("{first}\n{{\"HANG")));
    assert!(matches!(stalled, Error::TimedOut { what: Wait::Piece, .. }), "{stalled}");
    // More than 200 tokens can be.
    let flood = fails_with(("/api/chat", 200, format!("{first}\n").repeat(40_000)));
    assert!(matches!(flood, Error::BrokeOff { .. }), "{flood}");
    let flood = fails_with(("/api/chat", 200, "x".repeat(4_000_000)));
    assert!(matches!(flood, Error::BrokeOff { .. }), "{flood}");
    // Nobody is followed to another place.
    let elsewhere = fails_with(("/api/chat", 302, String::new()));
    assert_eq!(elsewhere, Error::Refused { status: 302, kind: String::new() });
}

#[test]
fn a_text_that_is_too_long_for_the_server_is_cut_smaller() {
    let too_long =
        ("/api/chat", 400, r#"{"error":"the input length exceeds the context length"}"#.to_owned());
    let good = |edad: u32| chat(&format!(r#"{{"remitente": null, "edad": {edad}}}"#), "stop");
    let replay = Replay::new(vec![owned(SHOW), too_long, good(1), good(2)]);
    let mut seen = Vec::new();
    let (schema, pages) = (schema(), pages(&[&"Soy Ana. ".repeat(100)]));
    let task = Task { instruction: "", schema: &schema, pages: &pages };
    let server = replay.server(Some(Api::Ollama));
    let found = run(llm::extract(&server, &task, &limits(), |chunk, of| seen.push((chunk, of)))).unwrap();
    assert_eq!((found.chunks, seen), (2, vec![(1, 1), (1, 2), (2, 2)]));
    // Two parts, two ages: the first one counts, and a person is told.
    assert_eq!(found.value["edad"], 1);
    assert_eq!(found.unsupported.len(), 1);
    assert_eq!(
        found.unsupported[0].to_string(),
        "/edad: parts of the document say different things; the first is kept"
    );
    replay.asked();
}

#[test]
fn the_model_leaves_the_memory() {
    let done = r#"{"model":"llama3:8b","created_at":"2024-09-12T03:54:03.516566Z","response":"","done":true,"done_reason":"unload"}"#;
    let replay = Replay::new(vec![owned(VERSION), ("/api/generate", 200, done.into())]);
    assert_eq!(run(replay.server(None).unload()), Ok(true));
    let asked = replay.asked();
    assert_eq!(asked[1].1, json!({ "model": "llama3:8b", "prompt": "", "stream": false, "keep_alive": 0 }));
}

#[test]
fn what_is_no_server_of_a_model() {
    let page = |path| (path, 200, "<html>nginx</html>".to_owned());
    let replay = Replay::new(vec![page("/api/version"), page("/props"), page("/v1/models")]);
    let error = extract(&replay.server(None), "…").unwrap_err();
    assert!(matches!(&error, Error::NotAServer { .. }) && !error.retryable(), "{error}");
    replay.asked();
    // What can be refused without a server asks none: this one would fail the test by being asked.
    let nobody = Server::new("http://127.0.0.1:1", None, "").unwrap();
    assert_eq!(extract(&nobody, " \n"), Err(Error::NoText));
    assert!(matches!(extract(&nobody, "a").unwrap_err(), Error::Unreachable { .. }));
}
