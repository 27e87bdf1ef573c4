//! The pages of a document, one at a time, as pixels or as text that the document brings along.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::time::Instant;

use super::Options;
use super::line::{Area, Line, Source, Word, chained};
use super::result::{Note, rounded};
use crate::document::image::{self, Picture, Tiff};
use crate::document::{Kind, Raster, pdf, text_layer};
use crate::host::sandbox::{Input, Scratch, ToolError};
use crate::host::{Host, in_words};
use crate::t;

/// What pdfinfo, pdfimages and pdftotext may print, in bytes.
const WORDS: usize = 32 << 20;
/// The largest picture file that is read, in bytes.
const LARGEST: u64 = 256 << 20;
/// The lowest resolution at which a page is still drawn: below it nothing can be read.
const LEAST_DPI: f64 = 50.0;
/// The name of a tool's standard input, for tools that want a name.
const STDIN: &str = "/proc/self/fd/0";

/// A page before it is read.
pub(super) enum Sheet {
    /// The document's own text.
    Text { lines: Vec<Line>, width: u64, height: u64, dpi: f64 },
    /// Pixels.
    Drawn { raster: Raster, dpi: Option<f64>, note: Option<Note> },
}

/// A document that is open.
pub(super) struct Document<'d> {
    host: &'d Host,
    scratch: &'d Scratch,
    options: &'d Options,
    inner: Inner<'d>,
    /// How many pages it has.
    pub pages: u64,
}

enum Inner<'d> {
    Pdf { file: &'d File, info: pdf::Info },
    Tiff(Box<Tiff<'d>>),
    Picture(Kind, &'d [u8]),
}

/// The bytes of a picture's file; a PDF is left to the tools.
pub(super) fn bytes(kind: Kind, file: &File) -> Result<Vec<u8>, Note> {
    let mut bytes = Vec::new();
    if kind == Kind::Pdf {
        return Ok(bytes);
    }
    let mut file = file;
    let read = file.rewind().and_then(|()| file.take(LARGEST + 1).read_to_end(&mut bytes));
    if read.is_err() {
        return Err(note("damaged", t!("the file can't be read to its end")));
    }
    if bytes.len() as u64 > LARGEST {
        return Err(note(
            "too_large",
            t!("a picture of more than {most} MiB is not read", most = LARGEST >> 20),
        ));
    }
    Ok(bytes)
}

pub(super) fn note(code: &'static str, message: String) -> Note {
    Note { code, message }
}

impl<'d> Document<'d> {
    /// Looks at the whole: is it what it says, may it be read, how many pages are there?
    pub(super) fn open(
        (host, scratch, options): (&'d Host, &'d Scratch, &'d Options),
        kind: Kind,
        file: &'d File,
        bytes: &'d [u8],
    ) -> Result<Self, Note> {
        let too_many = |pages: u64| {
            note(
                "too_many_pages",
                t!(
                    "it has {pages} pages, more than the {most} that are read",
                    pages = pages,
                    most = options.max_pages
                ),
            )
        };
        let (inner, pages) = match kind {
            Kind::Pdf => {
                let info = pdf_info(host, scratch, options, file)?;
                let pages = info.pages;
                (Inner::Pdf { file, info }, pages)
            }
            Kind::Tiff => {
                let most = usize::try_from(options.max_pages).unwrap_or(usize::MAX).saturating_add(1);
                let pages = Tiff::count(bytes, most).map_err(picture_note)? as u64;
                (Inner::Tiff(Box::new(Tiff::new(bytes, decoded(options)).map_err(picture_note)?)), pages)
            }
            Kind::Png | Kind::Jpeg => (Inner::Picture(kind, bytes), 1),
        };
        if pages > options.max_pages {
            return Err(too_many(pages));
        }
        if pages == 0 {
            return Err(note("empty", t!("it has no page")));
        }
        Ok(Self { host, scratch, options, inner, pages })
    }

    /// The page of this number; pages are asked for in their order.
    pub(super) fn page(&mut self, number: u64, until: Instant) -> Result<Sheet, Note> {
        let options = self.options;
        let picture = match &mut self.inner {
            Inner::Pdf { .. } => return self.pdf_page(number, until),
            Inner::Picture(Kind::Png, bytes) => image::png(bytes, decoded(options)),
            Inner::Picture(_, bytes) => image::jpeg(bytes, decoded(options)),
            Inner::Tiff(pages) => pages.next_page().unwrap_or(Err(image::Fault::Damaged)),
        };
        let picture = picture.map_err(picture_note)?;
        Ok(bounded(picture, options.max_pixels))
    }

    fn pdf_page(&self, number: u64, until: Instant) -> Result<Sheet, Note> {
        let Inner::Pdf { file, info } = &self.inner else { return Err(damaged()) };
        let at = usize::try_from(number - 1).unwrap_or(usize::MAX);
        let size = info.sizes.get(at).copied().flatten();
        let size = size.ok_or_else(|| note("damaged_page", t!("the page has no size")))?;
        let wanted = f64::from(self.options.dpi);
        let dpi = pdf::bounded_dpi(size, wanted, self.options.max_pixels);
        if self.options.text_layer {
            if let Some(sheet) = self.own_text(file, number, size, dpi, until)? {
                return Ok(sheet);
            }
        }
        if dpi < LEAST_DPI {
            let (width, height) = (inches(size.0), inches(size.1));
            return Err(note(
                "too_many_pixels",
                t!(
                    "the page measures {width} by {height} inches: within the bound of {most} pixels nothing on it could be read",
                    width = width,
                    height = height,
                    most = self.options.max_pixels
                ),
            ));
        }
        let raster = self.draw(file, number, size, dpi, until)?;
        Ok(Sheet::Drawn { raster, dpi: Some(rounded(dpi)), note: None })
    }

    /// The page's own text, where it has a good one.
    fn own_text(
        &self,
        file: &File,
        number: u64,
        size: (f64, f64),
        dpi: f64,
        until: Instant,
    ) -> Result<Option<Sheet>, Note> {
        let number = number.to_string();
        let range = ["-f", &number, "-l", &number];
        let run = |name: &str, args: &[&str]| {
            self.scratch.run(self.host, (name, &[&range, args].concat()), Input::File(file), WORDS, until)
        };
        // A layer that can't be read is none; the pixels may be good all the same.
        let layer = match run("pdftotext", &["-bbox-layout", "-cropbox", "-enc", "UTF-8", STDIN, "-"]) {
            Ok(layer) => layer,
            Err(ToolError::Failed(..) | ToolError::TooMuch) => return Ok(None),
            Err(error) => return Err(tool_note("pdftotext", &error)),
        };
        let (layer_size, lines) = text_layer::lines(&String::from_utf8_lossy(&layer));
        let text: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        let text = text.join("\n");
        if text_layer::judge(&text, 0.0).is_err() {
            return Ok(None);
        }
        let list = match run("pdfimages", &["-list", STDIN]) {
            Ok(list) => list,
            Err(ToolError::Failed(..) | ToolError::TooMuch) => return Ok(None),
            Err(error) => return Err(tool_note("pdfimages", &error)),
        };
        let covered = pdf::covered(&String::from_utf8_lossy(&list), size);
        if text_layer::judge(&text, covered).is_err() {
            return Ok(None);
        }
        let (width, height) = layer_size.unwrap_or(size);
        let pixels = |points: f64| (points * dpi / 72.0).round();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        // a page within its bound of pixels
        let sheet = Sheet::Text {
            width: pixels(width) as u64,
            height: pixels(height) as u64,
            dpi: rounded(dpi),
            lines: chained(
                lines
                    .into_iter()
                    .map(|line| {
                        let [left, top, right, bottom] = line.place.map(|at| pixels(at) as i32);
                        let place =
                            Area::within([left, top, right.saturating_sub(left), bottom.saturating_sub(top)]);
                        Line {
                            words: vec![Word {
                                text: line.text,
                                place,
                                confidence: 1.0,
                                source: Source::TextLayer,
                            }],
                        }
                    })
                    .collect(),
            ),
        };
        Ok(Some(sheet))
    }

    fn draw(
        &self,
        file: &File,
        number: u64,
        size: (f64, f64),
        dpi: f64,
        until: Instant,
    ) -> Result<Raster, Note> {
        // The longer side is told, and not the resolution: a unit of the PDF's own making can't make it larger.
        let side = (size.0.max(size.1) * dpi / 72.0).round().max(1.0);
        let (number, side) = (number.to_string(), format!("{side:.0}"));
        let args = ["-gray", "-cropbox", "-f", &number, "-l", &number, "-scale-to", &side, STDIN];
        let most = usize::try_from(self.options.max_pixels).unwrap_or(usize::MAX).saturating_add(64);
        let drawn = self.scratch.run(self.host, ("pdftoppm", &args), Input::File(file), most, until);
        let pgm = drawn.map_err(|error| match error {
            ToolError::TooMuch => {
                note("too_many_pixels", t!("the page has more pixels when drawn than its size says"))
            }
            error => tool_note("pdftoppm", &error),
        })?;
        Raster::from_pgm(&pgm, self.options.max_pixels)
            .ok_or_else(|| note("damaged_page", t!("the page can't be drawn")))
    }
}

#[allow(clippy::cast_possible_truncation)] // shown only
fn inches(points: f64) -> i64 {
    (points / 72.0).round() as i64
}

/// How many pixels a picture may have when it is decoded: three times those of a page, as far as the memory allows. A JPEG may
/// take six bytes for each while it is decoded, and one more in grey.
fn decoded(options: &Options) -> u64 {
    (options.max_pixels.saturating_mul(3)).min(options.memory / 14)
}

/// A picture within its bound of pixels.
fn bounded(picture: Picture, most: u64) -> Sheet {
    let Picture { mut raster, mut dpi, fault } = picture;
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    // sizes of pages
    if (raster.width * raster.height) as u64 > most {
        let scale = (most as f64 / (raster.width * raster.height) as f64).sqrt();
        let smaller = |length: usize| ((length as f64 * scale).floor() as usize).max(1);
        raster = raster.resized(smaller(raster.width), smaller(raster.height));
        dpi = dpi.map(|dpi| rounded(dpi * scale));
    }
    let note = fault.map(picture_note).map(|found| match found.code {
        "truncated" => note("truncated", t!("the file ends before its end: what was there has been read")),
        code => note(code, t!("the picture is damaged: what could be decoded has been read")),
    });
    Sheet::Drawn { raster, dpi, note }
}

fn picture_note(fault: image::Fault) -> Note {
    match fault {
        image::Fault::Truncated => note("truncated", t!("the file ends before its first row of pixels")),
        image::Fault::Damaged => damaged(),
        image::Fault::TooManyPixels => {
            note("too_many_pixels", t!("the picture has more pixels than are decoded"))
        }
    }
}

fn damaged() -> Note {
    note("damaged", t!("it can't be decoded"))
}

fn pdf_info(host: &Host, scratch: &Scratch, options: &Options, file: &File) -> Result<pdf::Info, Note> {
    let last = options.max_pages.to_string();
    let until = Instant::now() + options.page_timeout;
    let said =
        scratch.run(host, ("pdfinfo", &["-f", "1", "-l", &last, STDIN]), Input::File(file), WORDS, until);
    let said = said.map_err(|error| match &error {
        ToolError::Failed(_, words) if words.contains("Incorrect password") => {
            note("encrypted", t!("it is encrypted: who sent it has to send it without a password"))
        }
        ToolError::Failed(_, words) if is_out_of_memory(words) => out_of_memory(),
        ToolError::Failed(..) => note("damaged", t!("it begins like a PDF and can't be read as one")),
        error => tool_note("pdfinfo", error),
    })?;
    pdf::info(&String::from_utf8_lossy(&said)).ok_or_else(damaged)
}

/// A tool's words may quote the document: they are looked at, and not shown.
pub(super) fn tool_note(name: &str, error: &ToolError) -> Note {
    match error {
        ToolError::Start(e) => {
            note("tool_missing", t!("{program} does not start: {why}", program = name, why = in_words(e)))
        }
        ToolError::Timeout => note("timeout", t!("{program} took longer than a page may", program = name)),
        ToolError::TooMuch => {
            note("damaged_page", t!("{program} wrote more than any page has", program = name))
        }
        ToolError::Killed => {
            note("killed", t!("the kernel killed {program} for want of memory", program = name))
        }
        ToolError::Stopped => note("stopped", t!("somebody asked to stop")),
        ToolError::Failed(_, words) if is_out_of_memory(words) => out_of_memory(),
        ToolError::Failed(status, _) => {
            note("damaged_page", t!("{program} failed on it ({status})", program = name, status = status))
        }
    }
}

fn is_out_of_memory(words: &str) -> bool {
    ["Out of memory", "out of memory", "bad_alloc", "Cannot allocate memory"]
        .iter()
        .any(|said| words.contains(said))
}

pub(super) fn out_of_memory() -> Note {
    note("out_of_memory", t!("it takes more memory than it may have"))
}
