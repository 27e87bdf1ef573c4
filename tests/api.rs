//! The documents' HTTP API, on a real PostgreSQL server.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

#[path = "support/database.rs"]
mod database;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use database::Place;
use serde_json::Value;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

struct Served {
    child: Child,
    address: String,
    folder: tempfile::TempDir,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    fn start(place: &Place) -> Self {
        Self::start_with(&place.url)
    }

    fn start_with(url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_civicum-tune"))
            .args(["api", "--most", "1", "--listen", &free.to_string()])
            .arg("--token-file")
            .arg(folder.path().join("token"))
            .arg("--documents")
            .arg(folder.path())
            .env("CIVICUM_TUNE_DATABASE", url)
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let served = Self { child, address: free.to_string(), folder };
        for _ in 0..200 {
            if TcpStream::connect(&served.address).is_ok() {
                return served;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("it does not listen");
    }

    /// The status and the body.
    fn raw(&self, head: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // Whoever is refused early may find the door shut.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        let text = String::from_utf8_lossy(&text).into_owned();
        let status = text.split(' ').nth(1).unwrap_or("0").parse().unwrap();
        (status, text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned())
    }

    fn ask(&self, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {length}\r\n\r\n"
        );
        let (status, body) = self.raw(&head, body);
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }
}

fn api_test(name: &str, test: impl AsyncFnOnce(&Place, &Served)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Some(place) = Place::new(name).await else { return };
        let served = Served::start(&place);
        test(&place, &served).await;
        drop(served);
        place.close().await;
    });
}

const PDF: &[u8] = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n";

#[test]
fn a_document_is_taken_in_and_told_of() {
    api_test("taken", async |place, served| {
        let name = "/v1/documents?name=carta%20n%C2%BA%201.pdf&schema=carta&key=k1&priority=5";
        let (status, told) = served.ask("POST", name, PDF);
        assert_eq!(
            (status, &told["id"], &told["new"], &told["status"]),
            (202, &1.into(), &true.into(), &"/v1/documents/1".into()),
            "{told}"
        );
        let sum = told["sha256"].as_str().unwrap();
        assert_eq!(std::fs::read(served.folder.path().join(&sum[..2]).join(sum)).unwrap(), PDF);
        let (status, told) = served.ask("POST", name, PDF);
        assert_eq!((status, &told["id"], &told["new"]), (200, &1.into(), &false.into()));
        let other = [PDF, b"%another"].concat();
        let (status, told) = served.ask("POST", name, &other);
        assert_eq!(status, 409, "{told}");
        assert_eq!(
            place.one("select count(*) from civicum.trash").await,
            1,
            "what was refused is kept for ever"
        );
        let (status, told) = served.ask("GET", "/v1/documents/1", b"");
        assert_eq!(
            (status, &told["state"], &told["name"]),
            (200, &"queued".into(), &"carta nº 1.pdf".into()),
            "{told}"
        );
        let (status, told) = served.ask("GET", "/v1/documents/1/result/ocr", b"");
        assert_eq!(status, 409, "{told}");
        let (status, told) = served.ask("GET", "/v1/documents?state=queued&most=10", b"");
        assert_eq!((status, told["documents"].as_array().unwrap().len()), (200, 1));
        assert_eq!(served.ask("DELETE", "/v1/documents/1", b"").0, 202);
        assert_eq!(served.ask("DELETE", "/v1/documents/1", b"").0, 409);
        assert_eq!(place.one("select count(*) from civicum.job_archive where state = 'cancelled'").await, 1);
        let (status, told) = served.ask("GET", "/openapi.json", b"");
        assert_eq!((status, &told["openapi"]), (200, &"3.1.0".into()));
        assert!(told["paths"]["/v1/documents"]["post"]["responses"]["409"].is_object());
        assert_eq!(served.ask("GET", "/health", b"").0, 200);
    });
}

#[test]
fn what_is_wrong_is_refused_with_its_reason() {
    api_test("refused", async |place, served| {
        for (head, body, status, words) in [
            (
                "GET /v1/documents HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                &b""[..],
                401,
                "Bearer TOKEN",
            ),
            (
                "GET /v1/documents HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer wrong\r\n\r\n",
                b"",
                401,
                "Bearer TOKEN",
            ),
        ] {
            let (found, text) = served.raw(head, body);
            assert!(found == status && text.contains(words), "{head}: {found} {text}");
        }
        let large = vec![b'x'; (1 << 20) + 1];
        for (method, path, body, status, words) in [
            ("GET", "/v1/documents/7", &b""[..], 404, "no document"),
            ("GET", "/v1/documents/0", b"", 404, "whole number"),
            ("GET", "/v1/documents/1'%20or%201=1", b"", 404, "whole number"),
            ("GET", "/v1/documents/9999999999999999999999", b"", 404, "whole number"),
            ("GET", "/v1/documents/../../etc/passwd", b"", 404, "no such path"),
            ("PATCH", "/v1/documents", b"", 405, "method"),
            ("GET", "/v1/documents?most=0", b"", 400, "most takes"),
            ("GET", "/v1/documents?where=1", b"", 400, "no parameter"),
            ("POST", "/v1/documents?priority=x", PDF, 400, "priority takes"),
            ("POST", "/v1/documents?schema=../carta", PDF, 400, "there are: carta"),
            ("POST", "/v1/documents?name=a%00b", PDF, 400, "control character"),
            ("POST", "/v1/documents", b"", 400, "empty"),
            ("POST", "/v1/documents", &large, 413, "1048576 bytes"),
        ] {
            let (found, told) = served.ask(method, path, body);
            assert!(
                found == status && told["detail"].as_str().is_some_and(|detail| detail.contains(words)),
                "{path}: {found} {told}"
            );
        }
        // Refused in the middle of a body: the answer arrives all the same, and the connection is not reset.
        for _ in 0..20 {
            let head = "POST /v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer no\r\nContent-Length: 8388608\r\n\r\n";
            let mut stream = TcpStream::connect(&served.address).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            for _ in 0..128 {
                stream.write_all(&vec![b'x'; 65_536]).unwrap();
            }
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            assert!(text.starts_with("HTTP/1.1 401"), "{text}");
        }
        // A body whose size nobody told is cut off at the same place.
        let head = format!(
            "POST /v1/documents HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        let mut body = format!("{:x}\r\n", large.len()).into_bytes();
        body.extend(&large);
        body.extend(b"\r\n0\r\n\r\n");
        assert_eq!(served.raw(&head, &body).0, 413);
        let multipart = format!(
            "POST /v1/documents HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 3\r\n\r\n"
        );
        let (status, text) = served.raw(&multipart, b"--x");
        assert!(status == 415 && text.contains("--data-binary"), "{status} {text}");
        assert_eq!(place.one("select count(*) from civicum.document").await, 0);
        // SQL in a name is a name.
        let (status, _) =
            served.ask("POST", "/v1/documents?name='%3B%20drop%20table%20civicum.job%3B%20--", PDF);
        assert_eq!(status, 202);
        assert_eq!(
            place
                .one("select count(*) from civicum.document where name = '''; drop table civicum.job; --'")
                .await,
            1
        );
        let kept = walk(served.folder.path());
        assert_eq!(kept, 2, "the token and one document, and nothing of what was refused");
    });
}

fn walk(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { walk(&path) } else { 1 }).sum()
}

/// As if a worker had read it.
async fn done(place: &Place, id: i64) {
    let sql = "with gone as (delete from civicum.job where document_id = $1 returning *), \
               ended as (update civicum.document set ended = 'done', ended_at = now() where id = $1) insert into civicum.job_archive \
               (id, queue, state, document_id, priority, attempt, max_attempts, crashes, max_crashes, created_at) \
               select id, queue, 'done', document_id, priority, 1, 5, 0, 2, created_at from gone";
    assert_eq!(place.session().await.client.execute(sql, &[&id]).await.unwrap(), 1);
}

#[test]
fn a_result_waits_for_its_review_and_every_review_stays() {
    api_test("review", async |place, served| {
        for _ in 0..2 {
            assert_eq!(served.ask("POST", "/v1/documents?name=a.pdf", PDF).0, 202);
        }
        let yes = br#"{"verdict": "accepted", "reviewer": "Ana", "note": "bien"}"#;
        let (status, told) = served.ask("POST", "/v1/documents/1/review", yes);
        assert!(status == 409 && told["detail"].as_str().unwrap().contains("is queued"), "{told}");
        done(place, 1).await;
        let (status, told) = served.ask("POST", "/v1/documents/1/review", yes);
        assert_eq!(
            (status, &told["state"], &told["review"]["reviewer"]),
            (200, &"accepted".into(), &"Ana".into()),
            "{told}"
        );
        let no = br#"{"verdict": "rejected", "reviewer": "Luis '); drop table civicum.review; --"}"#;
        let (status, told) = served.ask("POST", "/v1/documents/1/review", no);
        assert_eq!(
            (status, &told["state"], &told["review"]["note"]),
            (200, &"rejected".into(), &Value::Null),
            "{told}"
        );
        assert_eq!(place.one("select count(*) from civicum.review").await, 2);
        let (_, told) = served.ask("GET", "/v1/documents?state=rejected", b"");
        assert_eq!(told["documents"].as_array().unwrap().len(), 1, "{told}");
        let (status, told) = served.ask("GET", "/v1/documents?state=gone", b"");
        assert!(status == 400 && told["detail"].as_str().unwrap().contains("accepted"), "{told}");
        let long = format!(r#"{{"verdict": "accepted", "reviewer": "A", "note": "{}"}}"#, "x".repeat(2001));
        let huge = vec![b' '; 17 << 10];
        for (body, status) in [
            (&b""[..], 400),
            (b"[]", 400),
            (br#"{"verdict": "done", "reviewer": "A"}"#, 400),
            (br#"{"verdict": "accepted"}"#, 400),
            (br#"{"verdict": "accepted", "reviewer": " "}"#, 400),
            (br#"{"verdict": "accepted", "reviewer": "a\u0000"}"#, 400),
            (br#"{"verdict": "accepted", "reviewer": "a", "id": 2}"#, 400),
            (long.as_bytes(), 400),
            (&huge, 413),
        ] {
            let (found, told) = served.ask("POST", "/v1/documents/1/review", body);
            assert_eq!(found, status, "{told}");
        }
        assert_eq!(served.ask("POST", "/v1/documents/99/review", yes).0, 404);
        assert_eq!(served.ask("GET", "/v1/documents/1/review", b"").0, 405);
        assert_eq!(place.one("select count(*) from civicum.review").await, 2);
    });
}

#[test]
fn a_slow_list_holds_up_nobody() {
    api_test("slow", async |place, served| {
        assert_eq!(served.ask("POST", "/v1/documents", PDF).0, 202);
        std::thread::scope(|scope| {
            // Lists need it, a document that comes in does not.
            let lock =
                "begin; lock table civicum.review in access exclusive mode; select pg_sleep(4); commit";
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async { place.session().await.client.batch_execute(lock).await.unwrap() });
            });
            std::thread::sleep(Duration::from_millis(700));
            let lists: Vec<_> =
                (0..6).map(|_| scope.spawn(|| served.ask("GET", "/v1/documents", b"").0)).collect();
            std::thread::sleep(Duration::from_millis(300));
            let begun = std::time::Instant::now();
            assert_eq!(served.ask("POST", "/v1/documents", PDF).0, 202);
            assert_eq!(served.ask("GET", "/health", b"").0, 200);
            assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
            assert!(lists.iter().all(|list| !list.is_finished()));
            for list in lists {
                assert_eq!(list.join().unwrap(), 200);
            }
        });
    });
}

#[test]
fn without_a_database_nothing_is_kept() {
    api_test("away", async |place, _| {
        let away = Served::start_with(&place.url.replace("/ct_", "/absent_"));
        let (status, told) = away.ask("POST", "/v1/documents", PDF);
        assert_eq!(status, 503, "{told}");
        assert_eq!(walk(away.folder.path()), 1, "a file lies there, besides the token");
    });
}

#[test]
fn who_is_served_at_the_end_has_his_answer() {
    api_test("drain", async |place, served| {
        let mut stream = TcpStream::connect(&served.address).unwrap();
        let mut idle = TcpStream::connect(&served.address).unwrap();
        let head = format!(
            "POST /v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {}\r\n\r\n",
            PDF.len()
        );
        let (first, second) = PDF.split_at(20);
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(first)).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        let pid = nix::unistd::Pid::from_raw(i32::try_from(served.child.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        assert!(TcpStream::connect(&served.address).is_err(), "it takes somebody new");
        let mut text = String::new();
        assert_eq!(idle.read_to_string(&mut text).unwrap(), 0);
        stream.write_all(second).unwrap();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 202"), "{text}");
        assert_eq!(place.one("select count(*) from civicum.job").await, 1);
        drop((stream, idle));
        let begun = std::time::Instant::now();
        while std::fs::read_to_string(format!("/proc/{}/stat", served.child.id())).unwrap().contains(") S ") {
            assert!(begun.elapsed() < Duration::from_secs(3), "it does not end");
            std::thread::sleep(Duration::from_millis(50));
        }
    });
}

#[test]
fn nobody_is_served_without_a_token_but_on_loopback() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_civicum-tune"))
        .args(["api", "--listen", "0.0.0.0:0", "--documents"])
        .arg(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("--token-file"), "{said}");
}
