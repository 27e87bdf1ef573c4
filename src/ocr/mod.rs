//! Reading a document: its own text where that is good, else Tesseract, PP-OCR, or both.
//!
//! One page at a time and one after the other, so that the memory is that of one page. The document is hostile until shown
//! otherwise: tools read it from standard input, in time and in bounds; what they say about it is never passed on.

mod facts;
mod line;
mod pages;
mod policy;
pub mod ppocr;
mod raster;
mod read;
mod result;
mod tesseract;
mod turned;

use std::path::Path;
use std::time::Duration;

pub use ppocr::Files;
pub use read::{faulty, missing, read};
pub use result::{Finding, Note, Page, PageLine, Report, RutFound, SCHEMA};

use crate::host::{Host, terminal};

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Policy {
    /// Tesseract, and PP-OCR what Tesseract is not sure of
    Auto,
    /// PP-OCR alone: the slowest
    PpOcr,
    /// Tesseract alone: the least memory
    Tesseract,
}

/// How a document is read.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who reads.
    pub policy: Policy,
    /// Pixels per inch at which pages of a PDF are drawn.
    pub dpi: u32,
    /// Tesseract's names of the languages, joined by `+`.
    pub language: String,
    /// The most pages of a document.
    pub max_pages: u64,
    /// The most pixels of a page; larger ones are drawn at a lower resolution.
    pub max_pixels: u64,
    /// How long a page may take.
    pub page_timeout: Duration,
    /// Bytes of memory that the process may have; it bounds how large a picture is decoded.
    pub memory: u64,
    /// How many threads PP-OCR has.
    pub threads: usize,
    /// Where PP-OCR's files are; `None` where there are none.
    pub files: Option<Files>,
    /// Is a PDF's own text taken where it is good?
    pub text_layer: bool,
}

/// Is this the static program? It can load no library while it runs, and ONNX Runtime is one: it has no PP-OCR.
pub const STATIC: bool = cfg!(target_feature = "crt-static");

/// Where PP-OCR's files are looked for when nobody says.
pub const FOLDER: &str = "/usr/lib/civicum-tune/ocr";

/// PP-OCR's files: those named, else those of the environment, else those of [`FOLDER`]. `None` where one is missing, and in
/// the static program.
pub fn files(host: &Host, models: Option<&Path>, library: Option<&Path>) -> Option<Files> {
    if STATIC {
        return None;
    }
    let models = models.map(Path::to_owned);
    let models = models.or_else(|| terminal::environment("CIVICUM_TUNE_OCR_MODELS").map(Into::into));
    let models = std::path::absolute(models.unwrap_or_else(|| FOLDER.into())).ok()?;
    let library = library.map(Path::to_owned);
    let library = library.or_else(|| terminal::environment("ORT_DYLIB_PATH").map(Into::into));
    let library = std::path::absolute(library.unwrap_or_else(|| models.join(ppocr::LIBRARY))).ok()?;
    let there = [&models.join(ppocr::DETECTION), &models.join(ppocr::RECOGNITION), &library]
        .iter()
        .all(|path| host.exists(&path.to_string_lossy()));
    there.then_some(Files { models, library })
}

/// Are these languages written in Latin script alone?
fn is_latin(language: &str) -> bool {
    const LATIN: [&str; 20] = [
        "spa", "eng", "por", "cat", "glg", "eus", "fra", "ita", "deu", "nld", "ron", "que", "oci", "lat",
        "dan", "swe", "nor", "fin", "pol", "ces",
    ];
    language.split('+').all(|one| LATIN.contains(&one))
}
