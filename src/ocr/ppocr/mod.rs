//! PP-OCR's detection and recognition models on ONNX Runtime, both loaded while running: neither is part of the program.

mod detect;
mod geometry;
mod recognise;
mod trim;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, anyhow, bail};
use ort::execution_providers::CPUExecutionProvider;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::Tensor;

use crate::document::Raster;
use crate::host::Host;
use crate::ocr::line::{Area, Line, Source, Word, rows};
use crate::t;
use geometry::Slanted;

/// The model that finds lines.
pub const DETECTION: &str = "PP-OCRv6_det_small.onnx";
/// The model that reads them; the list of its characters is in its metadata.
pub const RECOGNITION: &str = "PP-OCRv6_rec_small.onnx";
/// The runtime's file beside the models.
pub const LIBRARY: &str = "libonnxruntime.so";

/// The longer side of the page that the detection sees, in pixels.
const SIDE: usize = 960;
/// The largest model that is loaded, in bytes.
const LARGEST: u64 = 256 << 20;

/// Where the models and the runtime are.
#[derive(Debug, Clone)]
pub struct Files {
    /// The folder with both models.
    pub models: PathBuf,
    /// The runtime.
    pub library: PathBuf,
}

/// Both models, ready to read.
pub(crate) struct Engine {
    detection: Session,
    recognition: Session,
    characters: Vec<String>,
}

/// Why a page was not read.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It took longer than it may.
    Timeout,
    /// The runtime failed; mostly memory. Its words stay here.
    Engine,
}

impl From<ort::Error> for Fault {
    fn from(_: ort::Error) -> Self {
        Self::Engine
    }
}

impl Engine {
    /// Loads the runtime and the models. `latin`: keep the characters of Latin scripts alone, which is faster, smaller and never
    /// reads a Chinese comma.
    pub(crate) fn load(host: &Host, files: &Files, threads: usize, latin: bool) -> anyhow::Result<Self> {
        start(host, &files.library)?;
        let detection = session(&model(host, &files.models.join(DETECTION))?, threads)?;
        let bytes = model(host, &files.models.join(RECOGNITION))?;
        let list = trim::characters(&bytes);
        let list = list.with_context(|| t!("{file} has no list of characters", file = RECOGNITION))?;
        let mut characters = recognise::characters(&list);
        let mut smaller = None;
        if latin {
            let is_latin = |text: &String| text.chars().all(trim::is_latin);
            let keep: Vec<usize> = (0..characters.len()).filter(|at| is_latin(&characters[*at])).collect();
            smaller = trim::model(&bytes, characters.len(), &keep);
            if smaller.is_some() {
                characters = keep.into_iter().map(|at| std::mem::take(&mut characters[at])).collect();
            }
        }
        let recognition = session(smaller.as_deref().unwrap_or(&bytes), threads)?;
        Ok(Self { detection, recognition, characters })
    }

    /// Reads a whole page: finds its lines, and reads each.
    pub(crate) fn page(&mut self, page: &Raster, until: Instant) -> Result<Vec<Line>, Fault> {
        let places = self.find(page)?;
        let mut lines = Vec::with_capacity(places.len());
        for place in places {
            let (text, confidence) = self.recognise(page, &place, until)?;
            if !text.trim().is_empty() && confidence >= 0.5 {
                let word = Word {
                    text: text.trim().to_owned(),
                    place: upright(&place),
                    confidence,
                    source: Source::PpOcr,
                };
                lines.push(Line { words: vec![word] });
            }
        }
        Ok(rows(lines))
    }

    /// Reads what is in a rectangle, which is a line or a part of one.
    #[allow(clippy::cast_precision_loss)] // pixels of a page
    pub(crate) fn part(
        &mut self,
        page: &Raster,
        place: Area,
        until: Instant,
    ) -> Result<(String, f32), Fault> {
        let place =
            Slanted::upright(place.left as f32, place.top as f32, place.width as f32, place.height as f32);
        let (text, confidence) = self.recognise(page, &place, until)?;
        Ok((text.trim().to_owned(), confidence))
    }

    #[allow(clippy::cast_precision_loss)] // sizes of pages
    fn find(&mut self, page: &Raster) -> Result<Vec<Slanted>, Fault> {
        let (width, height) = detect::size(page.width, page.height, SIDE);
        let input = Tensor::from_array(([1, 3, height, width], detect::input(page, width, height)))?;
        let outputs = self.detection.run(ort::inputs![input])?;
        let (_, map) = outputs[0].try_extract_tensor::<f32>()?;
        if map.len() != width * height {
            return Err(Fault::Engine);
        }
        let (across, down) = (page.width as f32 / width as f32, page.height as f32 / height as f32);
        Ok(detect::boxes(map, width, height).into_iter().map(|place| place.scaled(across, down)).collect())
    }

    fn recognise(&mut self, page: &Raster, place: &Slanted, until: Instant) -> Result<(String, f32), Fault> {
        if Instant::now() >= until {
            return Err(Fault::Timeout);
        }
        let (input, width) = recognise::input(page, place);
        let input = Tensor::from_array(([1, 3, recognise::HEIGHT, width], input))?;
        let outputs = self.recognition.run(ort::inputs![input])?;
        let (_, answer) = outputs[0].try_extract_tensor::<f32>()?;
        Ok(recognise::decode(answer, &self.characters))
    }
}

#[allow(clippy::cast_possible_truncation)] // pixels of a page
fn upright(place: &Slanted) -> Area {
    let (left, top, right, bottom) = place.bounds();
    let (left, top) = (left.floor().max(0.0) as i32, top.floor().max(0.0) as i32);
    Area { left, top, width: right.ceil() as i32 - left, height: bottom.ceil() as i32 - top }
}

/// Loads the runtime, once. It says nothing of its own: its words could quote what it reads.
fn start(host: &Host, library: &Path) -> anyhow::Result<()> {
    let shown = library.display();
    if !library.is_absolute() || !host.exists(&library.to_string_lossy()) {
        bail!(t!("there is no ONNX Runtime at {path}", path = shown));
    }
    // The crate panics where the library can't be loaded.
    let path = library.to_string_lossy().into_owned();
    let started = std::panic::catch_unwind(|| {
        ort::init_from(path).with_telemetry(false).with_logger(Box::new(|_, _, _, _, _| {})).commit()
    });
    match started {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            Err(anyhow!(t!("ONNX Runtime at {path} does not start: {why}", path = shown, why = error)))
        }
        Err(_) => bail!(t!("{path} can't be loaded as ONNX Runtime 1.22 or later", path = shown)),
    }
}

fn model(host: &Host, path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    host.open_large(&path.to_string_lossy())?.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Lines have all widths: plans of memory for each of them, and an arena that keeps the largest, cost more than they save.
fn session(model: &[u8], threads: usize) -> ort::Result<Session> {
    Session::builder()?
        .with_execution_providers([CPUExecutionProvider::default().with_arena_allocator(false).build()])?
        .with_optimization_level(GraphOptimizationLevel::Level3)?
        .with_memory_pattern(false)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        // Threads that wait give their core to Tesseract and the database.
        .with_intra_op_spinning(false)?
        .with_log_level(LogLevel::Fatal)?
        .commit_from_memory(model)
}
