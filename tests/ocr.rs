//! Documents as they come in, good, bad and hostile, read by the program itself with the real tools.
//!
//! tests/ocr/documents.py makes the documents and says what stands in them. The tests of PP-OCR need its models, which
//! tests/ocr/fetch-models.sh gets; without them they say so and are left out.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

struct Said {
    status: i32,
    document: Value,
    err: String,
}

/// The folder with the documents, made once.
fn documents() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("documents");
        let _ = fs::remove_dir_all(&folder);
        // The distribution's Python, which has the packages.
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ocr/documents.py");
        let made = Command::new("/usr/bin/python3").arg(script).arg(&folder).output().unwrap();
        assert!(
            made.status.success(),
            "it takes python3-reportlab, python3-pil, fonts-liberation, poppler-utils and qpdf:\n{}",
            String::from_utf8_lossy(&made.stderr)
        );
        folder
    })
}

/// Where the models are, if they are here.
fn models() -> Option<String> {
    let named = std::env::var("CIVICUM_TUNE_OCR_MODELS").ok();
    let cached = std::env::var("HOME").map(|home| format!("{home}/.cache/civicum-tune/ocr"));
    let folder = named.or(cached.ok())?;
    let there = Path::new(&folder).join("libonnxruntime.so").exists();
    if !there {
        eprintln!("left out: no models in {folder}; tests/ocr/fetch-models.sh gets them");
    }
    there.then_some(folder)
}

fn run(args: &[&str], models: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
    command.args(["ocr", "--format", "json"]).args(args).env_clear().current_dir(documents());
    // No models by default: what is found in /usr/lib must not change the tests.
    command.env("CIVICUM_TUNE_OCR_MODELS", models.unwrap_or("/nonexistent"));
    command.output().unwrap()
}

fn said(output: &Output) -> Said {
    let out = String::from_utf8(output.stdout.clone()).unwrap();
    Said {
        status: output.status.code().unwrap_or_else(|| panic!("it died: {:?}", output.status)),
        document: serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: `{out}`")),
        err: String::from_utf8(output.stderr.clone()).unwrap(),
    }
}

fn read(args: &[&str]) -> Said {
    said(&run(args, None))
}

fn codes(said: &Said) -> Vec<&str> {
    said.document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["code"].as_str().unwrap())
        .collect()
}

fn truth(name: &str) -> String {
    fs::read_to_string(documents().join(name)).unwrap()
}

/// Character errors per hundred characters, blanks taken as one. (Levenshtein's distance.)
#[allow(clippy::cast_precision_loss)] // lengths of texts
fn error_rate(truth: &str, read: &str) -> f64 {
    let plain =
        |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").chars().collect::<Vec<_>>();
    let (truth, read) = (plain(truth), plain(read));
    let mut row: Vec<usize> = (0..=read.len()).collect();
    for (i, wanted) in truth.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, found) in read.iter().enumerate() {
            let next = (diagonal + usize::from(wanted != found)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], next);
        }
    }
    100.0 * row[read.len()] as f64 / truth.len() as f64
}

fn assert_read(said: &Said, name: &str, most: f64) {
    let rate = error_rate(&truth(name), said.document["text"].as_str().unwrap());
    assert!(rate <= most, "{name}: {rate:.2} % of the characters are wrong:\n{}", said.document["text"]);
    assert_eq!(said.status, 0, "{}", said.err);
}

fn ruts(said: &Said) -> Vec<(&str, bool)> {
    let found = said.document["ruts"].as_array().unwrap().iter();
    found.map(|rut| (rut["rut"].as_str().unwrap(), rut["valid"].as_bool().unwrap())).collect()
}

const RUTS: [(&str, bool); 3] = [("12345678-5", true), ("76543210-3", true), ("9876543-3", true)];

/// A page that lies on its side, or stands on its head, says what it says upright, with boxes on the page as it came.
#[test]
fn a_turned_page_is_turned() {
    let of = |name: &str| read(&["--policy", "tesseract", name]).document;
    let upright = of("letter.png");
    let first = |document: &Value| -> Vec<i64> {
        document["pages"][0]["lines"][0]["box"]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n.as_i64().unwrap())
            .collect()
    };
    let [left, top, width, height] = first(&upright)[..] else { panic!("a box has four numbers") };
    let (across, down) =
        (upright["pages"][0]["width"].as_i64().unwrap(), upright["pages"][0]["height"].as_i64().unwrap());
    for (name, place) in [
        ("turned-90.png", [top, across - left - width, height, width]),
        ("turned-180.png", [across - left - width, down - top - height, width, height]),
        ("turned-270.png", [down - top - height, left, height, width]),
    ] {
        let found = of(name);
        assert_eq!((&found["text"], &found["ruts"]), (&upright["text"], &upright["ruts"]), "{name}");
        let near = first(&found).iter().zip(place).all(|(a, b)| (a - b).abs() <= 2);
        assert!(near, "{name}: {:?}, and not {place:?}", first(&found));
    }
}

#[test]
fn a_text_layer_is_taken_as_it_is() {
    let said = read(&["text-layer.pdf"]);
    assert_read(&said, "text-layer.txt", 1.0);
    assert_eq!(ruts(&said), RUTS);
    let document = &said.document;
    assert_eq!(document["schema"], "civicum-tune/ocr/1");
    assert_eq!(
        (&document["file"]["type"], document["findings"].as_array().unwrap().len()),
        (&"pdf".into(), 0)
    );
    assert_eq!(document["file"]["sha256"].as_str().unwrap().len(), 64);
    let page = &document["pages"][0];
    assert_eq!(
        (&page["engine"], &page["width"], &page["height"]),
        (&"text-layer".into(), &1654.into(), &2339.into())
    );
    // Boxes are pixels of the page, at the resolution that is told.
    let title = &page["lines"][0]["box"];
    assert!((180..=210).contains(&title[0].as_i64().unwrap()), "{title}");
    assert!((100..=190).contains(&title[1].as_i64().unwrap()), "{title}");
    // And it is not taken where that is not wanted.
    let drawn = read(&["text-layer.pdf", "--text-layer", "never", "--policy", "tesseract"]);
    assert_eq!(drawn.document["pages"][1]["engine"], "tesseract");
    assert_read(&drawn, "text-layer.txt", 4.0);
}

#[test]
fn tesseract_reads_scans_with_accents_tables_and_ruts() {
    for (file, text, most) in [
        ("letter.png", "letter.txt", 3.0),
        ("skewed.jpg", "skewed.txt", 6.0),
        ("noisy.jpg", "noisy.txt", 3.0),
        ("scan.pdf", "scan.txt", 3.0),
        ("fax.tiff", "fax.txt", 4.0),
    ] {
        let said = read(&["--policy", "tesseract", file]);
        assert_read(&said, text, most);
        assert_eq!(said.document["pages"][0]["engine"], "tesseract", "{file}");
        assert_eq!(said.document["pages"][0]["dpi"].to_string(), "200.0", "{file}");
        if text != "noisy.txt" {
            assert_eq!(ruts(&said), RUTS, "{file}");
        }
    }
}

#[test]
fn without_models_auto_reads_and_says_what_is_missing() {
    let said = read(&["letter.png"]);
    assert_read(&said, "letter.txt", 3.0);
    assert_eq!(codes(&said), ["pp_ocr_missing"]);
    let refused = read(&["--policy", "pp-ocr", "letter.png"]);
    assert_eq!((refused.status, &refused.document["schema"]), (2, &"civicum-tune/error/1".into()));
    assert!(refused.err.contains("docs/ocr.md"), "{}", refused.err);
}

#[test]
fn pp_ocr_reads_them_better() {
    let Some(models) = models() else { return };
    for (policy, file, text, most) in [
        ("pp-ocr", "letter.png", "letter.txt", 0.4),
        ("pp-ocr", "skewed.jpg", "skewed.txt", 0.8),
        ("auto", "letter.png", "letter.txt", 0.8),
        ("auto", "noisy.jpg", "noisy.txt", 0.6),
    ] {
        let said = said(&run(&["--policy", policy, file], Some(&models)));
        assert_read(&said, text, most);
        assert!(codes(&said).is_empty(), "{:?}", codes(&said));
        // As the issue asks: one page in flight under 700 MiB.
        let peak = said.document["peak_memory_bytes"].as_u64().unwrap() >> 20;
        assert!(peak < 700, "{policy} {file}: {peak} MiB");
        if policy == "pp-ocr" {
            assert_eq!(said.document["pages"][0]["engine"], "pp-ocr");
        }
    }
}

#[test]
fn twenty_pages_are_told_one_by_one() {
    let said = read(&["--progress", "twenty.pdf"]);
    assert_read(&said, "twenty.txt", 1.0);
    let told: Vec<Value> = said.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.len(), 20);
    assert_eq!((&told[2]["page"], &told[2]["of"]), (&3.into(), &20.into()));
    let few = read(&["--max-pages", "19", "twenty.pdf"]);
    assert_eq!((few.status, codes(&few)), (2, vec!["too_many_pages"]));
}

#[test]
fn what_can_not_be_read_says_why() {
    for (file, code) in [
        ("encrypted.pdf", "encrypted"),
        ("empty.pdf", "empty"),
        ("text.pdf", "not_a_document"),
        ("broken.pdf", "damaged"),
        ("many-pages.pdf", "too_many_pages"),
        ("large-page.pdf", "too_many_pixels"),
        ("large.png", "too_many_pixels"),
    ] {
        let said = read(&[file]);
        assert_eq!((said.status, codes(&said)), (2, vec![code]), "{file}: {}", said.document);
        let message = said.document["findings"][0]["message"].as_str().unwrap();
        assert!(message.len() > 10 && !message.contains("vecinos"), "{file}: {message}");
        assert_eq!(said.document["text"], "", "{file}");
        let peak = said.document["peak_memory_bytes"].as_u64().unwrap() >> 20;
        assert!(peak < 300, "{file}: {peak} MiB");
    }
    // What is not there is no document.
    let absent = read(&["absent.pdf"]);
    assert_eq!((absent.status, &absent.document["schema"]), (2, &"civicum-tune/error/1".into()));
    assert_eq!(read(&["."]).status, 2);
}

#[test]
fn of_a_cut_picture_the_part_that_is_there_is_read() {
    for file in ["truncated.jpg", "truncated.png"] {
        let said = read(&["--policy", "tesseract", file]);
        assert_eq!((said.status, codes(&said)), (0, vec!["truncated"]), "{file}");
        assert!(said.document["text"].as_str().unwrap().contains("De nuestra consideración"), "{file}");
        assert_eq!(said.document["pages"][0]["finding"]["code"], "truncated", "{file}");
    }
    let blank = read(&["blank.png"]);
    assert_eq!((blank.status, codes(&blank), blank.document["text"].as_str()), (0, vec![], Some("")));
}

#[test]
fn hostile_names_are_names() {
    for file in ["-o.pdf", "--help", "$(touch x).png", "a\nb;rm -rf ~.png"] {
        let said = read(&["--policy", "tesseract", "--", file]);
        assert_eq!(said.status, 0, "{file}: {}", said.err);
        assert!(said.document["text"].as_str().unwrap().contains("PEÑALOLÉN"), "{file}");
    }
    assert!(!documents().join("x").exists());
    for language in ["-h", "../spa", "spa;id", "", "s"] {
        assert_eq!(read(&["--language", language, "letter.png"]).status, 2, "{language}");
    }
}

#[test]
fn time_and_memory_are_bounded_and_nothing_is_left_behind() {
    let scratch = tempfile::tempdir().unwrap();
    let limited = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
        command.args(["ocr", "--format", "json", "--policy", "tesseract"]).args(args).env_clear();
        said(&command.current_dir(documents()).env("TMPDIR", scratch.path()).output().unwrap())
    };
    let slow = limited(&["--page-timeout", "100ms", "ruling.png"]);
    assert_eq!((slow.status, codes(&slow)), (2, vec!["timeout"]), "{}", slow.document);
    // Tesseract does with 64 MiB, PP-OCR does not: it is left out, or it fails, and each says so.
    let small = limited(&["--memory", "64MiB", "letter.png"]);
    assert_eq!((small.status, codes(&small)), (0, vec![]), "{}", small.document);
    assert_eq!(limited(&["--memory", "32MiB", "letter.png"]).status, 2);
    if let Some(models) = models() {
        let auto = said(&run(&["--memory", "100MiB", "letter.png"], Some(&models)));
        assert_eq!((auto.status, codes(&auto)), (0, vec!["pp_ocr_missing"]), "{}", auto.document);
        let alone = said(&run(&["--policy", "pp-ocr", "--memory", "200MiB", "letter.png"], Some(&models)));
        assert_eq!((alone.status, codes(&alone)), (2, vec!["out_of_memory"]), "{}", alone.document);
    }
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "scratch is left behind");
}

#[test]
fn no_word_of_the_document_reaches_the_messages() {
    for args in
        [&["--progress", "letter.png"][..], &["broken.pdf"], &["truncated.jpg"], &["-v", "encrypted.pdf"]]
    {
        let said = read(args);
        let findings = said.document["findings"].to_string();
        for word in ["PEÑALOLÉN", "12.345.678-5", "Rocío", "secreto"] {
            assert!(!said.err.contains(word) && !findings.contains(word), "{args:?}: {}", said.err);
        }
    }
}
