//! The pixels of one page, read: set straight and upright, by Tesseract, and by PP-OCR where that is asked for or in doubt.

use std::time::Instant;

use anyhow::Context as _;

use super::line::{Area, Line, Source, Word, mean};
use super::pages::{note, out_of_memory, tool_note};
use super::policy::{self, Need, Part};
use super::ppocr::{Engine, Fault};
use super::read::{Reader, missing};
use super::result::{Note, Report};
use super::{Policy, is_latin, tesseract, turned};
use crate::document::Raster;
use crate::document::skew::{self, Straight};
use crate::host::sandbox::Input;
use crate::t;
use crate::units::Bytes;

/// The most that Tesseract may print, in bytes.
const TABLE: usize = 32 << 20;

/// Pages that are less slanted than this are read as they are: both engines forgive so much. In degrees.
const SLANT: f64 = 0.6;
/// The resolution at which Tesseract sees a page under `auto`: a fifth faster than at 200, and no worse on print of 8 points.
const TESSERACT_DPI: f64 = 150.0;

impl Reader<'_> {
    /// Reads pixels. Where something failed on the way, what had been read by then comes along.
    #[allow(clippy::type_complexity)] // told above
    pub(super) fn raster(
        &mut self,
        raster: &Raster,
        dpi: Option<f64>,
        until: Instant,
        report: &mut Report,
    ) -> anyhow::Result<Result<Vec<Line>, (Vec<Line>, Note)>> {
        let slant = skew::slant(raster);
        if slant.abs() < SLANT {
            return self.straight(raster, dpi, until, report);
        }
        let turned = Straight::of(raster, slant);
        let back = |lines| as_before(lines, &turned);
        let read = self.straight(&turned.page, dpi, until, report)?;
        Ok(read.map(back).map_err(|(lines, note)| (back(lines), note)))
    }

    /// The same of a page whose lines are straight.
    #[allow(clippy::type_complexity)] // told above
    fn straight(
        &mut self,
        raster: &Raster,
        dpi: Option<f64>,
        until: Instant,
        report: &mut Report,
    ) -> anyhow::Result<Result<Vec<Line>, (Vec<Line>, Note)>> {
        if self.options.policy == Policy::PpOcr {
            let Some(engine) = self.engine(report)? else { anyhow::bail!(missing("--models")) };
            return Ok(engine.page(raster, until).map_err(|fault| (Vec::new(), fault_note(&fault))));
        }
        let lines = match self.tesseract(raster, dpi, until) {
            Ok(lines) => lines,
            Err(note) => return Ok(Err((Vec::new(), note))),
        };
        if let Some((page, quarter, found)) = self.upright(raster, dpi, &lines, until) {
            let back = |lines| turned::as_before(lines, raster, quarter);
            let read = self.doubted(&page, found, until, report)?;
            return Ok(read.map(back).map_err(|(lines, note)| (back(lines), note)));
        }
        self.doubted(raster, lines, until, report)
    }

    /// The page turned, and what Tesseract reads then, where it lies on its side or stands on its head.
    fn upright(
        &self,
        raster: &Raster,
        dpi: Option<f64>,
        lines: &[Line],
        until: Instant,
    ) -> Option<(Raster, u8, Vec<Line>)> {
        if !turned::is_suspect(lines, has_ink(raster)) {
            return None;
        }
        let (shown, pgm) = self.seen(raster, dpi);
        let args = turned::arguments(&shown);
        let said = self.scratch.run(self.host, ("tesseract", &args), Input::Bytes(&pgm), TABLE, until);
        drop(pgm);
        // A detector that fails, or is not installed, knows nothing.
        let quarter = turned::wanted(&String::from_utf8_lossy(&said.ok()?))?;
        let page = turned::turned(raster, quarter);
        let found = self.tesseract(&page, dpi, until).ok()?;
        (turned::confidence(&found) > turned::confidence(lines)).then_some((page, quarter, found))
    }

    /// What Tesseract read, and of it again what gives reason to doubt.
    #[allow(clippy::type_complexity)] // told above
    fn doubted(
        &mut self,
        raster: &Raster,
        lines: Vec<Line>,
        until: Instant,
        report: &mut Report,
    ) -> anyhow::Result<Result<Vec<Line>, (Vec<Line>, Note)>> {
        if self.options.policy == Policy::Tesseract {
            return Ok(Ok(lines));
        }
        let lines = policy::joined(lines);
        let need = policy::need(&lines, has_ink(raster));
        if need == Need::Nothing {
            return Ok(Ok(lines));
        }
        let Some(engine) = self.engine(report)? else { return Ok(Ok(lines)) };
        match need {
            Need::Parts(parts) => Ok(again(engine, raster, lines, &parts, until)),
            _ => match engine.page(raster, until) {
                // A page that says nothing to PP-OCR, and something to Tesseract, is a picture with a word on it.
                Ok(found) if found.is_empty() => Ok(Ok(lines)),
                Ok(found) => Ok(Ok(found)),
                Err(fault) => Ok(Err((lines, fault_note(&fault)))),
            },
        }
    }

    /// PP-OCR, loaded when it is first needed. Under `auto` a document is read without it, and that is said once.
    fn engine(&mut self, report: &mut Report) -> anyhow::Result<Option<&mut Engine>> {
        if self.engine.is_none() && !self.without {
            let options = self.options;
            let load = |files| Engine::load(self.host, files, options.threads, is_latin(&options.language));
            let load = |files| {
                load(files).with_context(|| {
                    t!(
                        "PP-OCR can't be loaded; --memory {size} may be too little",
                        size = Bytes(options.memory)
                    )
                })
            };
            match options.files.as_ref().map(load) {
                Some(Ok(engine)) => self.engine = Some(engine),
                Some(Err(error)) if options.policy == Policy::PpOcr => return Err(error),
                other => {
                    self.without = true;
                    let why = other
                        .and_then(Result::err)
                        .map_or_else(|| missing("--models"), |error| error.to_string());
                    report.note("pp_ocr_missing", t!("read by Tesseract alone: {why}", why = why), None);
                }
            }
        }
        Ok(self.engine.as_mut())
    }

    /// How Tesseract sees a page. Under `auto` PP-OCR looks at it in full where that matters.
    fn scale(&self, dpi: Option<f64>) -> f64 {
        let finer = dpi.filter(|dpi| self.options.policy == Policy::Auto && *dpi > TESSERACT_DPI * 1.1);
        finer.map_or(1.0, |dpi| TESSERACT_DPI / dpi)
    }

    /// The resolution that it is told, and the page.
    fn seen(&self, raster: &Raster, dpi: Option<f64>) -> (String, Vec<u8>) {
        let scale = self.scale(dpi);
        let pgm = if scale < 1.0 { smaller(raster, scale).to_pgm() } else { raster.to_pgm() };
        (format!("{:.0}", (dpi.unwrap_or(200.0) * scale).clamp(70.0, 2400.0)), pgm)
    }

    fn tesseract(&self, raster: &Raster, dpi: Option<f64>, until: Instant) -> Result<Vec<Line>, Note> {
        let (scale, (shown, pgm)) = (self.scale(dpi), self.seen(raster, dpi));
        let args = tesseract::arguments(&self.options.language, &shown);
        let table = self.scratch.run(self.host, ("tesseract", &args), Input::Bytes(&pgm), TABLE, until);
        let table = table.map_err(|error| {
            tesseract::missing_language(&error, &self.options.language)
                .unwrap_or_else(|| tool_note("tesseract", &error))
        })?;
        let mut lines = tesseract::lines(&String::from_utf8_lossy(&table));
        for word in lines.iter_mut().flat_map(|line| &mut line.words).filter(|_| scale < 1.0) {
            word.place = word.place.scaled(1.0 / scale);
        }
        Ok(lines)
    }
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // sizes of pages
fn smaller(raster: &Raster, scale: f64) -> Raster {
    let length = |pixels: usize| (pixels as f64 * scale).round() as usize;
    raster.resized(length(raster.width), length(raster.height))
}

/// Lines of a page that was set straight, with their places on the page as it came.
fn as_before(mut lines: Vec<Line>, turned: &Straight) -> Vec<Line> {
    for word in lines.iter_mut().flat_map(|line| &mut line.words) {
        word.place = word.place.moved(|x, y| turned.before(x, y));
    }
    lines
}

fn fault_note(fault: &Fault) -> Note {
    match fault {
        Fault::Timeout => note("timeout", t!("{program} took longer than a page may", program = "PP-OCR")),
        // The runtime fails for want of memory, and for nothing else once its models are loaded.
        Fault::Engine => out_of_memory(),
    }
}

/// Reads doubtful words again. At the end of its time it keeps what it has.
fn again(
    engine: &mut Engine,
    raster: &Raster,
    mut lines: Vec<Line>,
    parts: &[Part],
    until: Instant,
) -> Result<Vec<Line>, (Vec<Line>, Note)> {
    // From the end, so that the places of the words before stay the same.
    for part in parts.iter().rev() {
        let Some(place) = part.place(&lines) else { continue };
        let words = &lines[part.line].words[part.words.clone()];
        let text: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let before = (text.join(" "), mean(words.iter()));
        let (text, confidence) = match engine.part(raster, with_margin(place), until) {
            Ok(read) => read,
            Err(fault) => return Err((lines, fault_note(&fault))),
        };
        let text = policy::without_next(&text, &lines[part.line].words[part.words.end..]);
        if policy::takes_second((&before.0, before.1), (&text, confidence)) {
            let word = Word { text, place, confidence, source: Source::PpOcr };
            lines[part.line].words.splice(part.words.clone(), [word]);
        }
    }
    Ok(lines)
}

/// The models are used to some white around their text.
fn with_margin(place: Area) -> Area {
    let (aside, above) = (place.height / 5 + 1, place.height / 6 + 1);
    Area {
        left: place.left - aside,
        top: place.top - above,
        width: place.width + 2 * aside,
        height: place.height + 2 * above,
    }
}

/// Is there anything dark on the page? One pixel in ten thousand.
fn has_ink(raster: &Raster) -> bool {
    raster.pixels.iter().filter(|pixel| **pixel < 128).count() * 10_000 > raster.pixels.len()
}
