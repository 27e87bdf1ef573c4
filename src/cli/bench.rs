//! `bench`: measures this host.

mod model;

use std::cell::Cell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;

use self::model::ModelOptions;
use super::bench_profile::{Edited, Named, profile_file, stays};
use super::database::Where;
use super::output::Out;
use super::progress::line_that_stays;
use super::session::Session;
use super::{Answer, Global, Outcome};
use crate::bench::load::Load;
use crate::bench::zswap::Here;
use crate::bench::{self, Kind, Pace, Report, Section, Told, advice, disk};
use crate::host::sandbox::processors;
use crate::host::{Host, terminal};
use crate::render::bench as show;
use crate::render::style::printable;
use crate::t;
use crate::tunable::Context;
use crate::units::Bytes;

/// How long the host is looked at where nothing hangs on it.
const AFTER: Duration = Duration::from_secs(1);

/// Measure this host: what its memory compresses to, how fast its model, OCR, queue and disk are
///
/// Each section ends within its share of the time and gives the spread of its repeats; what can't be measured here says why.
/// Nothing is changed, and what it needs for itself (a database, a file without a name, a server on loopback) is gone at the end.
/// With --write a profile gets the values that differ by more than the spread, after you have seen the difference and said yes.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 measured, though perhaps not all; 1 the answer to --write was no; 2 refused, nothing could be measured, it was stopped, or the \
                  profile could not be written. What was measured is told in each case"
)]
pub(super) struct Bench {
    /// What to measure; default: all of it
    #[arg(value_enum, value_name = "SECTION")]
    sections: Vec<Kind>,
    /// Fewer repeats, two minutes in all
    #[arg(long)]
    quick: bool,
    /// How long it may take in all [default: 10min, with --quick 2min]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    time: Option<Duration>,
    /// Write the values that are better by more than the spread into this profile
    #[arg(long, value_name = "PROFILE")]
    write: Option<PathBuf>,
    /// Measure on a host that is busy with something else
    #[arg(long)]
    force_under_load: bool,
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    reading: ReadingOptions,
    #[command(flatten)]
    place: Where,
    /// A folder on the disk that is measured [default: that of the profile's swap file]
    #[arg(long, value_name = "DIR", help_heading = "The disk")]
    disk_folder: Option<PathBuf>,
    /// The most that is written in all: half of it is a file without a name, half goes to single pages of it; from 32MiB
    #[arg(long, value_name = "SIZE", default_value = "512MiB", help_heading = "The disk")]
    disk_size: Bytes,
}

/// OCR.
#[derive(Debug, Args)]
#[command(next_help_heading = "OCR")]
struct ReadingOptions {
    /// A document to read [default: a page that is made for it]
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
    #[arg(
        help = "The folder with PP-OCR's models [env: CIVICUM_TUNE_OCR_MODELS] [default: /usr/lib/civicum-tune/ocr]",
        long,
        value_name = "DIR"
    )]
    ocr_models: Option<PathBuf>,
    #[arg(
        help = "ONNX Runtime's library [env: ORT_DYLIB_PATH] [default: libonnxruntime.so beside the models]",
        long,
        value_name = "LIB"
    )]
    onnxruntime: Option<PathBuf>,
}

impl Bench {
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        if global.root.is_some() {
            bail!(t!("bench measures the running machine: leave --root out"));
        }
        let time = self.time.unwrap_or(Duration::from_secs(if self.quick { 120 } else { 600 }));
        if time < Duration::from_secs(1) || time > Duration::from_secs(86_400) {
            bail!(t!("--time is from 1s to 1d"));
        }
        if self.measures(Kind::Llm) {
            self.model.check()?;
        }
        if self.disk_size.0 < disk::LEAST {
            bail!(t!("--disk-size is {least} or more", least = Bytes(disk::LEAST)));
        }
        let (mut global, mut named) = (global.clone(), None);
        if let Some(file) = &self.write {
            // What is written has to be there, and to be valid, before minutes are spent.
            if global.profile.is_some() {
                bail!(t!("--write names the profile already: leave --profile out"));
            }
            global.profile = Some(profile_file(file)?);
            named = Some(Named::new(file)?);
        }
        let session = Session::open(&global, false)?;
        if self.write.is_some() && !global.yes && (out.json || !terminal::can_ask()) {
            bail!(t!(
                "--write asks before it writes, and nobody can be asked here: --yes writes what is better; or leave --write out"
            ));
        }
        let models = self.model.files(&session)?;
        self.has_its_folder()?;
        let load = self.load(&session.host, time, out)?;
        terminal::remember_first_interrupt();
        let report = self.measure(&session, &models, load, time, out)?;
        let stopped = report.interrupted;
        terminal::forget_interrupts();
        let measured = report.sections.iter().any(|section| section.tables.is_ok());
        let edited = match named {
            Some(named) if measured && !stopped => named.edited(&report),
            _ => Ok(None),
        };
        let mut document = show::json(&report);
        document["diff"] = edited.as_ref().ok().and_then(|edited| Some(edited.as_ref()?.diff.clone())).into();
        if !out.json {
            out.data(&show::human(&report, out.style));
        }
        let is_other = matches!(edited, Ok(Some(_)));
        let answer = if stopped {
            out.say(&t!("Stopped: what had been measured by then is above."));
            Ok(Answer::Trouble)
        } else if measured {
            self.kept(edited, &report, &global, out)
        } else {
            Ok(Answer::Trouble)
        };
        if out.json {
            // Minutes of measuring are in it, whatever became of the profile.
            document["written"] = (is_other && matches!(answer, Ok(Answer::Yes))).into();
            let answer = answer.unwrap_or_else(|error| {
                let why = printable(&format!("{error:#}"));
                out.say(&format!("{} {why}", out.err_style.bold(&out.err_style.red("error:"))));
                document["error"] = why.into();
                Answer::Trouble
            });
            out.document(&document);
            return Ok(answer);
        }
        answer
    }

    fn measures(&self, kind: Kind) -> bool {
        self.sections.is_empty() || self.sections.contains(&kind)
    }

    /// A mistyped folder is told before a quiet host is waited for.
    fn has_its_folder(&self) -> anyhow::Result<()> {
        let Some(named) = &self.disk_folder else { return Ok(()) };
        Host::at(named).map(|_| ()).with_context(|| {
            t!(
                "--disk-folder {path} can't be used; name a folder on the disk that is to be measured",
                path = named.display()
            )
        })
    }

    /// What becomes of the profile that was named.
    fn kept(
        &self,
        edited: anyhow::Result<Option<Edited>>,
        report: &Report,
        global: &Global,
        out: &Out,
    ) -> Outcome {
        match (edited?, &self.write) {
            (Some(edited), _) => edited.put(global, out),
            (None, Some(file)) => {
                out.say(&stays(&file.display().to_string(), &report.advice));
                Ok(Answer::Yes)
            }
            (None, None) => Ok(Answer::Yes),
        }
    }

    /// How busy the host is; one that is busy with something else is waited for, and refused after that.
    fn load(&self, host: &Host, most: Duration, out: &Out) -> anyhow::Result<Load> {
        if self.force_under_load {
            return Ok(Load::sample(host, AFTER));
        }
        let bar = line_that_stays(out);
        let told = Cell::new(false);
        let said = |text: &str| match &bar {
            Some(bar) => bar.set_message(printable(text)),
            None if !told.replace(true) => out.say(text),
            None => {}
        };
        let load = Load::of_a_quiet_host(host, self.measures(Kind::Disk), most, &said);
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        load.map_err(|why| {
            anyhow::anyhow!(t!(
                "this host is busy: {why}. What is measured now is that; wait, or measure all the same with --force-under-load",
                why = why
            ))
        })
    }

    fn measure(
        &self,
        session: &Session,
        models: &[String],
        load: Load,
        time: Duration,
        out: &Out,
    ) -> anyhow::Result<Report> {
        let begun = Instant::now();
        let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| self.measures(*kind)).collect();
        let here = here(session);
        let bar = line_that_stays(out);
        let mut sections = Vec::new();
        for (at, kind) in kinds.iter().enumerate() {
            if terminal::interrupted() {
                break;
            }
            let share = bench::share((begun + time).saturating_duration_since(Instant::now()), &kinds[at..]);
            let said = |text: &str| match &bar {
                Some(bar) => {
                    bar.set_prefix(format!("[{}/{}] {}", at + 1, kinds.len(), kind.word()));
                    bar.set_message(printable(text));
                }
                None if out.verbose => out.say(&format!("  {text}")),
                None => {}
            };
            if bar.is_none() {
                let seconds = share.as_secs();
                out.say(&t!(
                    "[{at}/{all}] {what}, at most {seconds} s",
                    at = at + 1,
                    all = kinds.len(),
                    what = kind.word(),
                    seconds = seconds
                ));
            }
            let start = Instant::now();
            let pace = Pace::new(start + share, self.quick, &said);
            let found = self.section(*kind, session, models, &here, &pace);
            let (tables, notes) = match found {
                Ok((tables, notes)) => (Ok(tables), notes),
                Err(why) => (Err(why), Vec::new()),
            };
            sections.push(Section { kind: *kind, tables, notes, seconds: start.elapsed().as_secs_f64() });
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        // What it was like at the end tells whether the figures are this host's alone.
        let load_after = Load::sample(&session.host, AFTER);
        let subject = advice::Subject {
            settings: &session.settings,
            here: &here,
            swap_bytes: swap_bytes(session),
            cores: session.facts.cpu.threads.max(1),
            is_rule: &|path| session.chosen.as_ref().is_some_and(|profile| profile.is_rule(path)),
            compares_threads: self.model.starts_servers(),
            quick: self.quick,
            all: self.write.is_some(),
        };
        let (values, claims) = (advice::values(&sections, &subject), advice::claims(&sections, &subject));
        Ok(Report {
            cpu: session.facts.cpu.name.clone(),
            threads: processors(),
            memory_bytes: session.facts.memory.total_bytes,
            kernel: session.facts.kernel.release.clone(),
            load,
            load_after,
            quick: self.quick,
            interrupted: terminal::interrupted(),
            seconds: begun.elapsed().as_secs_f64(),
            sections,
            advice: values,
            claims,
        })
    }

    fn section(
        &self,
        kind: Kind,
        session: &Session,
        models: &[String],
        here: &Here,
        pace: &Pace<'_>,
    ) -> Told<(Vec<bench::Table>, Vec<String>)> {
        let host = &session.host;
        match kind {
            Kind::Zswap => {
                let zswap = &session.settings.zswap;
                let percent =
                    if zswap.manage && zswap.max_pool_percent > 0 { zswap.max_pool_percent } else { 20 };
                let subject = bench::zswap::Subject {
                    here,
                    pool_bytes: session.facts.memory.total_bytes / 100 * u64::from(percent),
                    swap_bytes: swap_bytes(session),
                    model: models.first().cloned(),
                };
                bench::zswap::measure(host, &subject, pace)
            }
            Kind::Disk => {
                let named = self.disk_folder.as_ref().map(std::path::absolute).transpose();
                let named = named.map_err(|why| why.to_string())?;
                let swap = session.settings.swap.path.rsplit_once('/').map_or("/", |(folder, _)| folder);
                let folder =
                    named.map_or_else(|| swap.to_owned(), |path| path.to_string_lossy().into_owned());
                let folder = if folder.is_empty() { "/" } else { &folder };
                disk::measure(host, folder, self.disk_size.0, pace)
            }
            Kind::Queue => {
                let database = self.place.database().map_err(|error| format!("{error:#}"))?;
                let measured = bench::queue::measure(&database, pace);
                if self.place.is_named() {
                    measured
                } else {
                    model::or_in_the_worker(measured, kind, self.quick, session)
                }
            }
            Kind::Ocr => {
                let subject = bench::ocr::Subject {
                    document: self.reading.document.clone(),
                    models: self.reading.ocr_models.clone(),
                    library: self.reading.onnxruntime.clone(),
                };
                bench::ocr::measure(host, &subject, pace)
            }
            Kind::Llm => {
                let found = self.model.subject(session, models);
                let (subject, cores) = if self.model.is_named() {
                    found?
                } else {
                    model::or_in_the_worker(found, kind, self.quick, session)?
                };
                let threads = advice::threads_of(&session.settings, cores);
                bench::llm::measure(host, &subject, cores, threads, pace)
            }
        }
    }
}

/// zswap on this kernel.
fn here(session: &Session) -> Here {
    let Session { host, facts, settings, .. } = session;
    Here::of(&Context { wish: settings, facts, host, remember: None })
}

/// The swap behind zswap, in bytes: what the profile wants, else what there is.
fn swap_bytes(session: &Session) -> u64 {
    let wanted = session.settings.swap.size.0;
    if wanted > 0 { wanted } else { session.facts.memory.swap_total_bytes }
}
