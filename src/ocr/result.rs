//! What comes out: one JSON document, `civicum-tune/ocr/1`.

use serde::Serialize;

use super::line::Line;
use crate::document::rut;

/// Its name and version.
pub const SCHEMA: &str = "civicum-tune/ocr/1";

/// All that was read of a document, and all that was found wrong with it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// [`SCHEMA`]
    pub schema: &'static str,
    /// The file.
    pub file: FileFacts,
    /// Its pages, in their order; those behind a stop are missing.
    pub pages: Vec<Page>,
    /// The text of all pages, with a form feed between two.
    pub text: String,
    /// The RUTs of all pages.
    pub ruts: Vec<RutFound>,
    /// What was found wrong.
    pub findings: Vec<Finding>,
    /// How long it took.
    pub seconds: f64,
    /// The most memory that this process and its largest child had, added.
    pub peak_memory_bytes: u64,
    /// Could nothing be read at all?
    #[serde(skip)]
    pub failed: bool,
}

/// The file that was read.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FileFacts {
    /// SHA-256 of its content in hex.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// `pdf`, `png`, `jpeg`, `tiff`; `unknown` for all else.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// A page.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    /// From 1.
    pub number: u64,
    /// Pixels across, in which the boxes count.
    pub width: u64,
    /// Pixels down.
    pub height: u64,
    /// Pixels per inch; `None` for a picture that does not say.
    pub dpi: Option<f64>,
    /// `text-layer`, `tesseract`, `pp-ocr`, or `auto` where two engines read it.
    pub engine: &'static str,
    /// 0 to 1: the mean of its words, each as often as it has characters.
    pub confidence: f64,
    /// Its lines, in reading order.
    pub lines: Vec<PageLine>,
    /// The lines' text.
    pub text: String,
    /// How long it took.
    pub seconds: f64,
    /// What is wrong with it.
    pub finding: Option<Note>,
}

/// A line of a page.
#[derive(Debug, Clone, Serialize)]
pub struct PageLine {
    /// What it says.
    pub text: String,
    /// Left, top, width and height in pixels.
    #[serde(rename = "box")]
    pub place: [i32; 4],
    /// 0 to 1.
    pub confidence: f64,
    /// Who read most of it.
    pub engine: &'static str,
}

/// A RUT, and where it is.
#[derive(Debug, Clone, Serialize)]
pub struct RutFound {
    /// As it is written.
    pub text: String,
    /// Digits, dash, check digit.
    pub rut: String,
    /// Is the check digit right?
    pub valid: bool,
    /// On which page.
    pub page: u64,
}

/// What is wrong with a page.
#[derive(Debug, Clone, Serialize)]
pub struct Note {
    /// A stable name.
    pub code: &'static str,
    /// For people. It never quotes the document.
    pub message: String,
}

/// What is wrong with a document, or a page of it.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// A stable name.
    pub code: &'static str,
    /// For people. It never quotes the document.
    pub message: String,
    /// On which page; `None` for the whole document.
    pub page: Option<u64>,
}

/// To three places: more is not known.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

impl PageLine {
    pub(crate) fn of(line: &Line) -> Self {
        let place = line.place();
        Self {
            text: line.text(),
            place: [place.left, place.top, place.width, place.height],
            confidence: rounded(f64::from(line.confidence())),
            engine: line.source().map_or("tesseract", super::line::Source::name),
        }
    }
}

impl Report {
    pub(crate) fn of(file: FileFacts) -> Self {
        Self {
            schema: SCHEMA,
            file,
            pages: Vec::new(),
            text: String::new(),
            ruts: Vec::new(),
            findings: Vec::new(),
            seconds: 0.0,
            peak_memory_bytes: 0,
            failed: false,
        }
    }

    pub(crate) fn note(&mut self, code: &'static str, message: String, page: Option<u64>) {
        self.findings.push(Finding { code, message, page });
    }

    pub(crate) fn push(&mut self, page: Page) {
        if let Some(note) = &page.finding {
            self.note(note.code, note.message.clone(), Some(page.number));
        }
        let found = rut::find(&page.text).into_iter();
        self.ruts.extend(found.map(|rut| RutFound {
            text: rut.text,
            rut: rut.plain,
            valid: rut.valid,
            page: page.number,
        }));
        if !self.pages.is_empty() {
            self.text.push('\u{c}');
        }
        self.text.push_str(&page.text);
        self.pages.push(page);
    }
}
