//! One document from its file to its report.

use std::fs::File;
use std::time::Instant;

use super::facts::facts;
use super::line::{Line, Source};
use super::pages::{Document, Sheet, bytes, note};
use super::ppocr::Engine;
use super::result::{Note, Page, PageLine, Report, rounded};
use super::{Options, Policy};
use crate::document::Kind;
use crate::host::sandbox::{Scratch, peak_memory};
use crate::host::{Host, terminal};
use crate::t;

/// The most text of a document, in bytes, where each line counts as 64 more: a book of 1000 pages has 3 MiB. Results are read
/// as a whole by those who want them.
const TEXT: usize = 16 << 20;

/// Reads the document in `file`. `progress` hears the page that is done and how many there are. An error is about this machine
/// (a program that is missing); all that is wrong with the document is in the report.
pub fn read(
    host: &Host,
    file: &File,
    options: &Options,
    progress: &mut dyn FnMut(u64, u64),
) -> anyhow::Result<Report> {
    let begin = Instant::now();
    let mut reader = Reader { host, scratch: Scratch::new()?, options, engine: None, without: false };
    let (mut facts, head) = facts(file)?;
    let kind = Kind::of(&head);
    facts.kind = kind.map_or("unknown", Kind::name);
    let empty = facts.bytes == 0;
    let mut report = Report::of(facts);
    let found = match kind {
        _ if empty => Err(note("empty", t!("the file is empty"))),
        None => Err(note("not_a_document", t!("it is no PDF, PNG, JPEG or TIFF, whatever its name says"))),
        Some(kind) => reader.document(kind, file, &mut report, progress)?,
    };
    if let Err(note) = found {
        report.note(note.code, note.message, None);
        report.failed = true;
    }
    report.seconds = rounded(begin.elapsed().as_secs_f64());
    report.peak_memory_bytes = peak_memory();
    Ok(report)
}

/// What there is to say of a document over which this program failed.
pub fn faulty(file: &File) -> Report {
    let mut report = Report::of(facts(file).map(|(facts, _)| facts).unwrap_or_default());
    report.note(
        "fault",
        t!("the program has a fault that this document brought to light; please report it, without the document"),
        None,
    );
    report.failed = true;
    report
}

pub(super) struct Reader<'r> {
    pub(super) host: &'r Host,
    pub(super) scratch: Scratch,
    pub(super) options: &'r Options,
    pub(super) engine: Option<Engine>,
    /// Policy `auto` has no PP-OCR; it was said.
    pub(super) without: bool,
}

impl Reader<'_> {
    fn document(
        &mut self,
        kind: Kind,
        file: &File,
        report: &mut Report,
        progress: &mut dyn FnMut(u64, u64),
    ) -> anyhow::Result<Result<(), Note>> {
        let bytes = match bytes(kind, file) {
            Ok(bytes) => bytes,
            Err(note) => return Ok(Err(note)),
        };
        let scratch = Scratch::new()?;
        let mut document = match Document::open((self.host, &scratch, self.options), kind, file, &bytes) {
            Ok(document) => document,
            Err(note) => return Ok(Err(note)),
        };
        let (mut first_fault, mut said) = (None, 0_usize);
        for number in 1..=document.pages {
            if terminal::interrupted() {
                return Ok(Err(note("stopped", t!("somebody asked to stop"))));
            }
            let begin = Instant::now();
            let until = begin + self.options.page_timeout;
            let mut page = match document.page(number, until) {
                Ok(sheet) => self.sheet(number, sheet, until, report)?,
                Err(note) => unread(number, note),
            };
            page.seconds = rounded(begin.elapsed().as_secs_f64());
            said = said.saturating_add(weight(&page));
            if said > TEXT {
                let most = TEXT >> 20;
                page = unread(
                    number,
                    note(
                        "too_much_text",
                        t!("the document has more than {most} MiB of text up to here", most = most),
                    ),
                );
            }
            let (fault, lines) = (page.finding.clone(), page.lines.len());
            if let Some(stop) = fault.as_ref().filter(|note| ["stopped", "tool_missing"].contains(&note.code))
            {
                return Ok(Err(stop.clone()));
            }
            report.push(page);
            progress(number, document.pages);
            if lines == 0 {
                first_fault = first_fault.or(fault);
            }
        }
        // Not a page of it could be read: then the document can't.
        let failed = report.pages.iter().all(|page| page.lines.is_empty() && page.finding.is_some());
        match first_fault.filter(|_| failed) {
            Some(fault) => {
                report.findings.retain(|finding| finding.page != Some(1) || finding.code != fault.code);
                Ok(Err(fault))
            }
            None => Ok(Ok(())),
        }
    }

    fn sheet(
        &mut self,
        number: u64,
        sheet: Sheet,
        until: Instant,
        report: &mut Report,
    ) -> anyhow::Result<Page> {
        let (lines, width, height, dpi, finding) = match sheet {
            Sheet::Text { lines, width, height, dpi } => (lines, width, height, Some(dpi), None),
            Sheet::Drawn { raster, dpi, note } => {
                let (width, height) = (raster.width as u64, raster.height as u64);
                let (lines, fault) = match self.raster(&raster, dpi, until, report)? {
                    Ok(lines) => (lines, None),
                    Err((lines, fault)) => (lines, Some(fault)),
                };
                (lines, width, height, dpi, fault.or(note))
            }
        };
        let confidence = super::line::mean(lines.iter().flat_map(|line| &line.words));
        let lines_out: Vec<PageLine> = lines.iter().map(PageLine::of).collect();
        let text = lines_out.iter().fold(String::new(), |text, line| text + &line.text + "\n");
        Ok(Page {
            number,
            width,
            height,
            dpi,
            engine: self.engine_of(&lines),
            confidence: rounded(f64::from(confidence)),
            lines: lines_out,
            text,
            seconds: 0.0,
            finding,
        })
    }

    fn engine_of(&self, lines: &[Line]) -> &'static str {
        let mut sources = lines.iter().flat_map(|line| &line.words).map(|word| word.source);
        let Some(first) = sources.next() else {
            return match self.options.policy {
                Policy::Auto => "auto",
                Policy::PpOcr => Source::PpOcr.name(),
                Policy::Tesseract => Source::Tesseract.name(),
            };
        };
        if sources.all(|source| source == first) { first.name() } else { "auto" }
    }
}

/// What to say when PP-OCR's files are not where they are looked for, and where the option says that names their folder.
pub fn missing(option: &str) -> String {
    if super::STATIC {
        return t!(
            "this is the static civicum-tune, which can't load ONNX Runtime and so has no PP-OCR; read with --policy tesseract, \
             or use the program of the Debian package"
        );
    }
    t!(
        "PP-OCR's models or its ONNX Runtime are not in {folder}, nor where {option}, --onnxruntime, CIVICUM_TUNE_OCR_MODELS or \
         ORT_DYLIB_PATH say; docs/ocr.md tells how to get them",
        folder = super::FOLDER,
        option = option
    )
}

fn weight(page: &Page) -> usize {
    page.lines.iter().map(|line| line.text.len() + 64).sum()
}

fn unread(number: u64, note: Note) -> Page {
    Page {
        number,
        width: 0,
        height: 0,
        dpi: None,
        engine: "auto",
        confidence: 0.0,
        lines: Vec::new(),
        text: String::new(),
        seconds: 0.0,
        finding: Some(note),
    }
}
