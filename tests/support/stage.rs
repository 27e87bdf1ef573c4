//! Workers on a database of a test's own, and documents for them.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use civicum_tune::queue::{Document, NewDocument, Queued, Store};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::database::Place;

/// A worker and its folder of documents.
pub(crate) struct Stage<'a> {
    pub(crate) place: &'a Place,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) struct Worker(pub(crate) Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Worker {
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), signal).unwrap();
    }
}

impl Stage<'_> {
    pub(crate) fn worker(&self, args: &[&str]) -> Worker {
        let mut command = Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
        command.args(["worker", "--ocr-policy", "tesseract"]).args(args);
        command
            .env("CIVICUM_TUNE_DATABASE", &self.place.url)
            .env("CIVICUM_TUNE_DOCUMENTS", self.folder.path())
            .env("TMPDIR", self.folder.path().join("tmp"));
        let _ = std::fs::create_dir(self.folder.path().join("tmp"));
        let log =
            std::fs::File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        Worker(command.stdin(Stdio::null()).stderr(log).spawn().unwrap())
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub(crate) async fn enqueue(&self, name: &str, bytes: &[u8]) -> i64 {
        self.asking(name, bytes, None).await
    }

    /// With a schema.
    pub(crate) async fn asking(&self, name: &str, bytes: &[u8], schema: Option<&str>) -> i64 {
        let file = Store::open(self.folder.path().to_str().unwrap()).unwrap().put(bytes).unwrap();
        let new = NewDocument { file: &file, name, schema, key: None, priority: 0 };
        Queued(&self.place.session().await.client).enqueue(&new).await.unwrap().id
    }

    pub(crate) async fn document(&self, id: i64) -> Document {
        Queued(&self.place.session().await.client).documents(Some(id), None, 1).await.unwrap().remove(0)
    }

    pub(crate) async fn until(&self, id: i64, states: &[&str]) -> Document {
        let begun = Instant::now();
        loop {
            let document = self.document(id).await;
            if states.contains(&document.state.as_str()) {
                return document;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{document:?}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn result(&self, id: i64) -> Value {
        let results = Queued(&self.place.session().await.client).results(id).await.unwrap();
        let store = Store::open(self.folder.path().to_str().unwrap()).unwrap();
        serde_json::from_reader(store.open_file(&results[0].1).unwrap()).unwrap()
    }
}

pub(crate) fn worker_test(name: &str, test: impl AsyncFnOnce(&Stage<'_>)) {
    if !["/usr/bin/tesseract", "/usr/bin/pdftoppm"].iter().all(|tool| Path::new(tool).exists()) {
        eprintln!("skipped: it takes tesseract-ocr and poppler-utils");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Some(place) = Place::new(name).await else { return };
        let stage = Stage { place: &place, folder: tempfile::tempdir().unwrap() };
        test(&stage).await;
        drop(stage);
        place.close().await;
    });
}

/// A PDF of so many pages with a text layer.
pub(crate) fn pdf(pages: usize, text: &str) -> Vec<u8> {
    let mut out = b"%PDF-1.4\n".to_vec();
    let mut at = Vec::new();
    let kids: String = (0..pages).map(|page| format!("{} 0 R ", 4 + 2 * page)).collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Count {pages} /Kids [ {kids}] >>"),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
    ];
    for page in 0..pages {
        let lines: String = (0..20)
            .map(|line| format!("1 0 0 1 72 {} Tm ({text} {page}.{line}) Tj\n", 760 - 30 * line))
            .collect();
        let content = format!("BT /F1 12 Tf {lines}ET");
        let number = 5 + 2 * page;
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents {number} 0 R >>"
        ));
        objects.push(format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()));
    }
    for (number, object) in objects.iter().enumerate() {
        at.push(out.len());
        out.extend(format!("{} 0 obj\n{object}\nendobj\n", number + 1).bytes());
    }
    let start = out.len();
    out.extend(format!("xref\n0 {}\n0000000000 65535 f \n", at.len() + 1).bytes());
    for offset in &at {
        out.extend(format!("{offset:010} 00000 n \n").bytes());
    }
    out.extend(
        format!("trailer << /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n", at.len() + 1).bytes(),
    );
    out
}

/// With `--text-layer=never` each page takes Tesseract a second.
pub(crate) fn long(pages: usize) -> Vec<u8> {
    pdf(pages, TEXT)
}

pub(crate) const TEXT: &str =
    "Estimado vecino: la municipalidad informa que su solicitud fue acogida, RUT 12.345.678-5, oficio";

/// The processes that a process started.
pub(crate) fn children(of: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}
