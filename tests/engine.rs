//! The engine is asked once, and each way in which it can fail is told apart. A real engine where there is one (or where
//! we may start one), and stand-ins for what no engine does.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

#[path = "support/must.rs"]
mod must;

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use must::skipped;
use nix::unistd::geteuid;
use serde_json::Value;

fn doctor(socket: &Path, args: &[&str], user: Option<u32>) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
    command.args(["doctor", "--profile", "minimal", "--format", "json"]).args(args);
    command.env_clear().env("DOCKER_HOST", format!("unix://{}", socket.display()));
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    let output = command.output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

/// The words of one check's first answer, with its status.
fn answer(document: &Value, id: &str) -> String {
    let checks = document["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["id"] == id).unwrap();
    let words = if check["status"] == "skip" { &check["reason"] } else { &check["actual"] };
    format!("{}: {}", check["status"].as_str().unwrap(), words.as_str().unwrap())
}

/// Docker must be on the host for its checks to apply; where it is not there is nothing to test here.
fn has_docker() -> bool {
    let there = ["/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd", "/run/docker.sock"]
        .iter()
        .any(|path| Path::new(path).exists());
    if !there {
        skipped("docker", "Docker is not on this machine");
    }
    there
}

/// A stand-in on a socket of its own: what it does with each caller, and how many it had.
struct StandIn {
    folder: tempfile::TempDir,
    calls: Arc<AtomicUsize>,
}

impl StandIn {
    fn new(serve: fn(UnixStream)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        let listener = UnixListener::bind(folder.path().join("docker.sock")).unwrap();
        let count = Arc::clone(&calls);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || serve(stream.unwrap()));
            }
        });
        Self { folder, calls }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }
}

/// Reads a request to the end of its head.
fn hear(stream: &mut UnixStream) -> String {
    let (mut heard, mut byte) = (Vec::new(), [0u8]);
    while !heard.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        heard.push(byte[0]);
    }
    String::from_utf8_lossy(&heard).into_owned()
}

fn reply(mut stream: UnixStream, status: &str, body: &str) {
    let heard = hear(&mut stream);
    assert!(heard.starts_with("GET /") && heard.contains("/info HTTP/1.1\r\n"), "{heard}");
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nApi-Version: 1.44\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    let _ = stream.write_all((head + body).as_bytes());
}

fn well(stream: UnixStream) {
    let body = r#"{"ServerVersion":"25.0.1","Driver":"vfs","LoggingDriver":"json-file","CgroupDriver":"systemd","CgroupVersion":"2","MemoryLimit":true,"SwapLimit":true,"PidsLimit":true,"CpuCfsQuota":true,"SecurityOptions":["name=seccomp,profile=builtin"],"Warnings":null,"Swarm":{"LocalNodeState":"inactive"},"SomethingNew":[1]}"#;
    reply(stream, "200 OK", body);
}

#[test]
fn one_call_and_none_where_nobody_asks() {
    if !has_docker() {
        return;
    }
    let engine = StandIn::new(well);
    // The containers have calls of their own.
    let found = doctor(&engine.socket(), &["--skip", "CONT"], None);
    assert_eq!(engine.calls.load(Ordering::SeqCst), 1);
    let expected = format!("pass: Engine 25.0.1, API 1.44, on {}", engine.socket().display());
    assert_eq!(answer(&found, "CT-DOCKER-001"), expected);
    assert_eq!(answer(&found, "CT-DOCKER-007"), "fail: vfs");
    assert!(answer(&found, "CT-DOCKER-017").starts_with("pass: "));
    assert!(answer(&found, "CT-DOCKER-005").starts_with("skip: the engine on "), "{found}");
    fs::set_permissions(engine.socket(), Permissions::from_mode(0o666)).unwrap();
    let found = doctor(&engine.socket(), &["--only", "CT-DOCKER-017"], None);
    assert!(answer(&found, "CT-DOCKER-017").starts_with("fail: 0666: everybody"), "{found}");
    engine.calls.store(1, Ordering::SeqCst);
    doctor(&engine.socket(), &["--only", "CPU,TIME"], None);
    assert_eq!(engine.calls.load(Ordering::SeqCst), 1);
}

/// Its name, what it does, and how the answer begins and goes on.
type Case = (&'static str, fn(UnixStream), &'static str, &'static str);

#[test]
fn each_trouble_by_its_name() {
    if !has_docker() {
        return;
    }
    let hang = |mut stream: UnixStream| {
        let _ = stream.read(&mut [0u8; 4096]);
        std::thread::sleep(Duration::from_secs(60));
    };
    let drip = |mut stream: UnixStream| {
        hear(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while stream.write_all(b"1\r\n \r\n").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let huge = |mut stream: UnixStream| {
        hear(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
        while stream.write_all(&[b' '; 8192]).is_ok() {}
    };
    let endless_head = |mut stream: UnixStream| {
        hear(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n").is_ok() {}
    };
    let garbage = |mut stream: UnixStream| {
        let _ = stream.write_all(b"\x00\xff\x1b[31m220 mail\r\n\r\n");
        let _ = stream.read(&mut [0u8; 4096]);
    };
    let cases: [Case; 10] = [
        ("hang", hang, "fail: ", "no answer within 2 s"),
        ("drip", drip, "fail: ", "no answer within 2 s"),
        ("huge", huge, "warn: ", "more than 4194304 bytes"),
        ("endless head", endless_head, "warn: ", "is not an engine"),
        ("garbage", garbage, "warn: ", "is not an engine"),
        ("goodbye", drop, "warn: ", "is not an engine"),
        ("500", |s| reply(s, "500 Internal Server Error", "{\"message\":\"boom\"}"), "fail: ", "500: boom"),
        ("404", |s| reply(s, "404 Not Found", "<html>"), "fail: ", "404: <html>"),
        ("no fields", |s| reply(s, "200 OK", "{}"), "warn: ", "no ServerVersion"),
        ("no JSON", |s| reply(s, "200 OK", "OK"), "warn: ", "is not an engine"),
    ];
    let probes = cases.map(|(name, serve, status, words)| {
        std::thread::spawn(move || {
            let engine = StandIn::new(serve);
            let begin = Instant::now();
            let found = doctor(&engine.socket(), &["--only", "DOCKER"], None);
            let said = answer(&found, "CT-DOCKER-001");
            assert!(said.starts_with(status) && said.contains(words), "{name}: {said}");
            assert!(answer(&found, "CT-DOCKER-007").starts_with("skip: "), "{name}");
            assert!(begin.elapsed() < Duration::from_secs(20), "{name} took {:?}", begin.elapsed());
        })
    });
    for probe in probes {
        probe.join().unwrap();
    }
}

#[test]
fn sockets_that_lead_nowhere() {
    if !has_docker() {
        return;
    }
    let engine = StandIn::new(well);
    let only = ["--only", "CT-DOCKER-001"];
    // Root opens everything; an ordinary user does not.
    let user = geteuid().is_root().then_some(65534);
    fs::set_permissions(engine.socket(), Permissions::from_mode(if user.is_some() { 0o600 } else { 0 }))
        .unwrap();
    let program_is_open = user.is_none() || {
        let mut probe = Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
        probe.uid(65534).gid(65534).arg("--version").output().is_ok()
    };
    if program_is_open {
        let said = answer(&doctor(&engine.socket(), &only, user), "CT-DOCKER-001");
        assert!(said.starts_with("skip: only root and the group of"), "{said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone.sock");
    let said = answer(&doctor(&gone, &only, None), "CT-DOCKER-001");
    assert!(said.starts_with("warn: DOCKER_HOST names"), "{said}");
    drop(UnixListener::bind(&gone).unwrap());
    let said = answer(&doctor(&gone, &only, None), "CT-DOCKER-001");
    assert!(said.starts_with("fail: nobody listens"), "{said}");
}

/// An engine that answers: the one of `DOCKER_HOST`, the host's, or one that is started for this test and ended with it.
struct Real {
    socket: PathBuf,
    folder: Option<PathBuf>,
}

impl Real {
    fn find() -> Option<Self> {
        let named = std::env::var("DOCKER_HOST").ok();
        let named = named.as_deref().and_then(|url| url.strip_prefix("unix://"));
        let known = [named.unwrap_or("/run/docker.sock"), "/var/run/docker.sock"];
        if let Some(path) = known.into_iter().find(|path| UnixStream::connect(path).is_ok()) {
            return Some(Self { socket: path.into(), folder: None });
        }
        if !geteuid().is_root() || !has_docker() {
            skipped("docker", "no engine answers, and to start one takes root and dockerd");
            return None;
        }
        // Short, for a socket's name has 107 letters at most.
        let folder = std::env::temp_dir().join(format!("ct-engine-{}", std::process::id()));
        let started = Command::new(script()).arg(&folder).output().unwrap();
        let said = String::from_utf8_lossy(&started.stderr);
        let real = Self { socket: folder.join("docker.sock"), folder: Some(folder) };
        if !started.status.success() {
            skipped("docker", &said);
            return None;
        }
        Some(real)
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = Command::new(script()).arg("--stop").arg(folder).status();
        }
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/start.sh")
}

#[test]
fn a_real_engine() {
    let Some(real) = Real::find() else { return };
    // Asked by hand, without the library.
    let mut stream = UnixStream::connect(&real.socket).unwrap();
    stream.write_all(b"GET /info HTTP/1.0\r\nHost: x\r\n\r\n").unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).unwrap();
    let (head, body) = told.split_once("\r\n\r\n").unwrap();
    let info: Value = serde_json::from_str(body).unwrap();
    let api = head.lines().find_map(|line| line.strip_prefix("Api-Version: ")).unwrap();

    let found = doctor(&real.socket, &["--only", "DOCKER"], None);
    let expected = format!("pass: Engine {}, API {api}, on ", info["ServerVersion"].as_str().unwrap());
    assert!(answer(&found, "CT-DOCKER-001").starts_with(&expected), "{found:#}");
    let driver = info["Driver"].as_str().unwrap();
    assert!(answer(&found, "CT-DOCKER-007").ends_with(driver), "{found:#}");
    let evidence = found["checks"].to_string();
    assert!(evidence.contains("GET /info"), "{found:#}");
    // Whatever it is, nothing of an engine that answers is left untold but what its own configuration would tell.
    for id in ["CT-DOCKER-002", "CT-DOCKER-003", "CT-DOCKER-011", "CT-DOCKER-012", "CT-DOCKER-018"] {
        assert!(!answer(&found, id).starts_with("skip: "), "{id}: {}", answer(&found, id));
    }
}
