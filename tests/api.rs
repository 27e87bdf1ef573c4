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
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_civicum-tune"))
            .args(["api", "--most", "1", "--listen", &free.to_string()])
            .arg("--token-file")
            .arg(folder.path().join("token"))
            .arg("--documents")
            .arg(folder.path())
            .env("CIVICUM_TUNE_DATABASE", &place.url)
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
