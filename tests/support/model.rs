//! A model's server that does what a test wants: it speaks as Ollama does, and has no model.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

/// What it does with a question.
#[derive(Clone, Copy)]
pub(crate) enum Does {
    /// Answers after a while.
    Answers(Duration),
    /// Says no, with this status and these words.
    Refuses(u16, &'static str),
}

pub(crate) struct Model {
    port: u16,
    state: Arc<Mutex<(Does, usize)>>,
}

impl Model {
    pub(crate) fn new(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new((does, 0)));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || answer(stream, &state));
            }
        });
        Self { port, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn now(&self, does: Does) {
        self.state.lock().unwrap().0 = does;
    }

    /// Questions so far.
    pub(crate) fn asked(&self) -> usize {
        self.state.lock().unwrap().1
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<(Does, usize)>) {
    let mut request = Vec::new();
    let mut room = [0; 4096];
    let path = loop {
        let Ok(read @ 1..) = stream.read(&mut room) else { return };
        request.extend_from_slice(&room[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse::<usize>().unwrap());
        if request.len() >= head.len() + 4 + length {
            break head.split_whitespace().nth(1).unwrap().to_owned();
        }
    };
    let (status, body) = match path.as_str() {
        "/api/version" => (200, json!({ "version": "0.12.3" }).to_string()),
        "/api/show" => (200, json!({ "model_info": { "llama.context_length": 8192 } }).to_string()),
        "/api/chat" => {
            let does = {
                let mut state = state.lock().unwrap();
                state.1 += 1;
                state.0
            };
            match does {
                Does::Answers(after) => {
                    std::thread::sleep(after);
                    let message = json!({ "role": "assistant", "content": "{\"edad\": null}" });
                    let last =
                        json!({ "message": message, "done": true, "prompt_eval_count": 9, "eval_count": 5 });
                    (200, last.to_string())
                }
                Does::Refuses(status, words) => (status, json!({ "error": words }).to_string()),
            }
        }
        _ => (404, String::new()),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}
