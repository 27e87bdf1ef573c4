//! `ocr`: reads one document here and now.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Out;
use super::{Answer, Global, Outcome};
use crate::host::sandbox::{Limits, confine, processors};
use crate::host::{Host, terminal};
use crate::ocr::{self, Options, Policy, Report};
use crate::render;
use crate::t;
use crate::units::{Bytes, GIB};

/// Read one document here and now: a PDF's own text, else OCR of its pages
///
/// PDF, PNG, JPEG and TIFF, told apart by their content. Nothing leaves this host, and nothing that the document holds can
/// reach it: it is read in bounds of pages, pixels, time and memory that this process sets on itself and its tools.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 read, perhaps with findings on single pages; 2 it can't be read, and the findings say why"
)]
pub(super) struct OcrCommand {
    /// The document
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Who reads what has no text of its own
    #[arg(long, env = "CIVICUM_TUNE_OCR_POLICY", value_enum, default_value_t = Policy::Auto)]
    policy: Policy,
    /// Pixels per inch at which a PDF's pages are drawn
    #[arg(long, env = "CIVICUM_TUNE_OCR_DPI", default_value_t = 200, value_parser = clap::value_parser!(u32).range(72..=1200))]
    dpi: u32,
    /// The document's languages, as Tesseract names them
    #[arg(long, env = "CIVICUM_TUNE_OCR_LANGUAGE", default_value = "spa", value_name = "LANGUAGE", value_parser = language)]
    language: String,
    /// A document with more pages is not read
    #[arg(long, env = "CIVICUM_TUNE_OCR_MAX_PAGES", default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    max_pages: u64,
    /// The most pixels of a page; a larger one is drawn smaller
    #[arg(long, env = "CIVICUM_TUNE_OCR_MAX_PIXELS", default_value_t = 20_000_000, value_name = "N", value_parser = clap::value_parser!(u64).range(10_000..=400_000_000))]
    max_pixels: u64,
    /// How long a page may take
    #[arg(long, env = "CIVICUM_TUNE_OCR_PAGE_TIMEOUT", default_value = "60s", value_name = "TIME", value_parser = humantime::parse_duration)]
    page_timeout: Duration,
    /// The most memory of this process and of each of its tools
    #[arg(long, env = "CIVICUM_TUNE_OCR_MEMORY", default_value = "1GiB", value_name = "SIZE")]
    memory: Bytes,
    /// Threads of PP-OCR [default: the processors, at most 4]
    #[arg(long, env = "CIVICUM_TUNE_OCR_THREADS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: Option<u16>,
    #[arg(
        help = "The folder with PP-OCR's models [env: CIVICUM_TUNE_OCR_MODELS] [default: /usr/lib/civicum-tune/ocr]",
        long,
        value_name = "DIR"
    )]
    models: Option<PathBuf>,
    #[arg(
        help = "ONNX Runtime's library [env: ORT_DYLIB_PATH] [default: libonnxruntime.so beside the models]",
        long,
        value_name = "LIB"
    )]
    onnxruntime: Option<PathBuf>,
    /// Take a PDF's own text where it is good
    #[arg(long, env = "CIVICUM_TUNE_OCR_TEXT_LAYER", value_name = "WHEN", value_enum, default_value_t = TextLayer::Auto)]
    text_layer: TextLayer,
    /// Tell every page that is done on standard error, as a line of JSON
    #[arg(long)]
    progress: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TextLayer {
    /// Where it is good
    Auto,
    /// Never: read what is seen
    Never,
}

fn language(text: &str) -> Result<String, String> {
    let plain = |one: &str| {
        (2..=40).contains(&one.len())
            && !one.starts_with(['_', '/'])
            && one.chars().all(|c| c.is_ascii_alphanumeric() || "_/".contains(c))
    };
    if text.split('+').all(plain) {
        Ok(text.to_owned())
    } else {
        Err(t!("names of languages have letters, digits and `_`, and are joined by `+`: spa, spa+eng"))
    }
}

impl OcrCommand {
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        if self.progress {
            // Whoever reads the progress is a worker: what it started ends with it, however it ends.
            crate::host::child::set_parent_death();
        }
        if global.root.is_some() {
            bail!(t!("ocr reads a file of the running machine: leave --root out"));
        }
        let host = Host::live()?;
        let options = self.options(&host)?;
        self.needs(&host, &options)?;
        // Opened by its whole path, so that it is a file whatever its name looks like; nobody else gets to see the name.
        let path = std::path::absolute(&self.file)?;
        let file = host.open_large(&path.to_string_lossy())?;
        // From here on the document is near: limits first, no word of a panic, and Ctrl-C between two steps.
        confine(self.limits(&options))?;
        quiet_panics();
        terminal::remember_first_interrupt();
        let mut shown = Shown::new(out, self.progress);
        let report =
            guarded(&file, || ocr::read(&host, &file, &options, &mut |page, of| shown.page(page, of)));
        drop(shown);
        let report = report?;
        show(&report, out)?;
        Ok(if report.failed { Answer::Trouble } else { Answer::Yes })
    }

    fn options(&self, host: &Host) -> anyhow::Result<Options> {
        let least = Bytes::mib(64);
        if self.memory < least {
            bail!(t!(
                "--memory {size} is less than {least}, which no engine can do with",
                size = self.memory,
                least = least
            ));
        }
        if self.page_timeout.is_zero() {
            bail!(t!("--page-timeout has to be longer than nothing"));
        }
        let files = ocr::files(host, self.models.as_deref(), self.onnxruntime.as_deref());
        Ok(Options {
            policy: self.policy,
            dpi: self.dpi,
            language: self.language.clone(),
            max_pages: self.max_pages,
            // A page is there up to four times: drawn, read, set straight, and on its way to a tool.
            max_pixels: self.max_pixels.min(self.memory.0 / 8),
            page_timeout: self.page_timeout,
            memory: self.memory.0,
            threads: self.threads.map_or_else(|| processors().min(4), usize::from),
            files,
            text_layer: self.text_layer == TextLayer::Auto,
        })
    }

    /// What this machine lacks is told before the document is touched.
    fn needs(&self, host: &Host, options: &Options) -> anyhow::Result<()> {
        if self.policy == Policy::PpOcr && options.files.is_none() {
            bail!(ocr::missing("--models"));
        }
        let mut needed = vec![("pdfinfo", "poppler-utils"), ("pdftoppm", "poppler-utils")];
        if self.policy != Policy::PpOcr {
            needed.push(("tesseract", "tesseract-ocr tesseract-ocr-spa"));
        }
        for (program, packages) in needed {
            if host.program(program).is_none() {
                bail!(t!(
                    "{program} is not installed; on Debian and Ubuntu: apt-get install {packages}",
                    program = program,
                    packages = packages
                ));
            }
        }
        Ok(())
    }

    fn limits(&self, options: &Options) -> Limits {
        let pages = options.page_timeout.as_secs().max(1).saturating_mul(self.max_pages);
        let threads = u64::try_from(options.threads).unwrap_or(1);
        Limits {
            memory: self.memory.0,
            cpu: pages.saturating_mul(threads).saturating_add(60),
            file: GIB / 4,
            files: 256,
        }
    }
}

/// A fault of this program's is found with the document that brings it to light: the next one may be read all the same.
fn guarded(file: &File, read: impl FnOnce() -> anyhow::Result<Report>) -> anyhow::Result<Report> {
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
    read.unwrap_or_else(|_| Ok(ocr::faulty(file)))
}

/// A panic's message may quote the text that it happened on: only its place is told.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, ToString::to_string);
        let _ = writeln!(std::io::stderr(), "panic at {place}");
    }));
}

fn show(report: &Report, out: &Out) -> anyhow::Result<()> {
    if out.json {
        out.document(&serde_json::to_value(report)?);
        return Ok(());
    }
    out.data(&render::style::printable(&report.text.replace('\u{c}', "\n")));
    for finding in &report.findings {
        let words = match finding.page {
            Some(page) => t!("page {page}: {message}", page = page, message = finding.message),
            None => finding.message.clone(),
        };
        out.say(&format!("{} {words} ({})", out.err_style.yellow("!"), finding.code));
    }
    Ok(())
}

/// Which page is done.
struct Shown {
    lines: bool,
    bar: Option<ProgressBar>,
}

impl Shown {
    fn new(out: &Out, lines: bool) -> Self {
        let animated = terminal::stderr_is_terminal() && !out.quiet && !lines;
        let bar = animated.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} ({eta})");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self { lines, bar }
    }

    fn page(&mut self, page: u64, of: u64) {
        if self.lines {
            let _ = writeln!(std::io::stderr(), "{{\"page\":{page},\"of\":{of}}}");
        }
        if let Some(bar) = &self.bar {
            bar.set_length(of);
            bar.set_position(page);
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_finding() {
        let report = guarded(&tempfile::tempfile().unwrap(), || panic!("Ana")).unwrap();
        assert_eq!((report.failed, report.findings.len()), (true, 1));
        let finding = &report.findings[0];
        assert_eq!((finding.code, finding.page), ("fault", None));
        assert!(!finding.message.contains("Ana"));
    }
}
