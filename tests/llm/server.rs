//! A llama.cpp server of a test's own, on a loopback port.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use civicum_tune::llm::Server;
use serde_json::{Value, json};

/// One model after the other: two would fight for the cores, and the figures of both would mean nothing.
static ALONE: Mutex<()> = Mutex::new(());

/// The model has no chat template of its own. This is its family's.
const TEMPLATE: &str = "{% for message in messages %}<start_of_turn>{{ message.role }}\n{{ message.content }}<end_of_turn>\n\
                        {% endfor %}<start_of_turn>model\n";

pub(crate) struct Llama {
    child: Child,
    port: u16,
    _alone: MutexGuard<'static, ()>,
}

impl Llama {
    /// One that has its model; `None` where none is named, which is said aloud.
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        let llama = Self::begin(options)?;
        let began = Instant::now();
        while llama.get("/health").is_none_or(|told| told["status"] != "ok") {
            assert!(began.elapsed() < Duration::from_secs(120), "llama-server does not come up");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(llama)
    }

    /// The same, as soon as its program runs.
    pub(crate) fn begin(options: &[&str]) -> Option<Self> {
        let named = ["CIVICUM_TUNE_LLM_SERVER", "CIVICUM_TUNE_MODEL"].map(std::env::var_os);
        let [Some(program), Some(model)] = named else {
            // Not through the test's own output, which is shown only where a test fails.
            let _ = writeln!(
                std::io::stderr(),
                "LEFT OUT: a test of the language model, since CIVICUM_TUNE_LLM_SERVER and CIVICUM_TUNE_MODEL are not set"
            );
            return None;
        };
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(program)
            .arg("--model")
            .arg(model)
            .args([
                "--host",
                "127.0.0.1",
                "--port",
                &port.to_string(),
                "--jinja",
                "--chat-template",
                TEMPLATE,
            ])
            .args(["--threads", "1", "--parallel", "1", "--no-webui", "--slots"])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self { child, port, _alone: alone })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn server(&self, model: &str) -> Server {
        Server::new(&self.url(), None, model).unwrap()
    }

    /// Tokens written so far by the one slot; `None` where it is idle.
    pub(crate) fn written(&self) -> Option<u64> {
        let slots = self.get("/slots")?;
        let slot = &slots[0];
        let written =
            slot["next_token"][0]["n_decoded"].as_u64().or_else(|| slot["next_token"]["n_decoded"].as_u64());
        slot["is_processing"].as_bool()?.then(|| written.expect("a count"))
    }

    pub(crate) fn wait_idle(&self) {
        let began = Instant::now();
        while self.written().is_some() {
            assert!(began.elapsed() < Duration::from_secs(30), "it does not become idle");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn wait_gone(&self) {
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
            assert!(began.elapsed() < Duration::from_secs(30), "it does not go");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How many tokens a text has for this model, control tokens counted as such.
    pub(crate) fn tokens(&self, text: &str) -> usize {
        let told = self
            .call("POST", "/tokenize", &json!({ "content": text, "parse_special": true }).to_string())
            .unwrap();
        told["tokens"].as_array().unwrap().len()
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    fn get(&self, path: &str) -> Option<Value> {
        self.call("GET", path, "")
    }

    /// By hand, so that the client under test is not its own witness.
    fn call(&self, method: &str, path: &str, body: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(format!("{head}{body}").as_bytes()).ok()?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).ok()?;
        serde_json::from_str(reply.split_once("\r\n\r\n")?.1).ok()
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
