//! `bench`: measures this host.

mod model;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;

use self::model::ModelOptions;
use super::database::Where;
use super::output::Out;
use super::progress::line_that_stays;
use super::session::{Session, refused, shell_word};
use super::{Answer, Global, Outcome};
use crate::bench::load::Load;
use crate::bench::{self, Kind, Pace, Report, Section, Told, Verdict, advice};
use crate::host::sandbox::processors;
use crate::host::{Host, Image, terminal};
use crate::profile::{self, Profile, edit};
use crate::render::bench as show;
use crate::render::diff;
use crate::t;
use crate::units::{Bytes, MIB};

/// Measure this host: what its memory compresses to, how fast its model, OCR, queue and disk are
///
/// Each section ends within its share of the time and gives the spread of its repeats; what can't be measured here says why.
/// Nothing is changed, and what it needs for itself (a database, a file without a name, a server on loopback) is gone at the end.
/// With --write a profile gets the values that differ by more than the spread, after you have seen the difference and said yes.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 measured, though perhaps not all; 1 the answer to --write was no; 2 nothing could be measured, or it was stopped"
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
    /// The most that is written there; the file has no name
    #[arg(long, value_name = "SIZE", default_value = "256MiB", help_heading = "The disk")]
    disk_size: Bytes,
}

/// OCR.
#[derive(Debug, Args)]
#[command(next_help_heading = "OCR")]
struct ReadingOptions {
    /// A document to read [default: a page that is made for it]
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
    /// The folder with PP-OCR's models [env: `CIVICUM_TUNE_OCR_MODELS`] [default: /usr/lib/civicum-tune/ocr]
    #[arg(long, value_name = "DIR")]
    ocr_models: Option<PathBuf>,
    /// ONNX Runtime's library [env: `ORT_DYLIB_PATH`] [default: libonnxruntime.so beside the models]
    #[arg(long, value_name = "LIB")]
    onnxruntime: Option<PathBuf>,
}

impl Bench {
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        if global.root.is_some() {
            bail!(t!("bench measures the running machine: leave --root out"));
        }
        let time = self.time.unwrap_or(Duration::from_secs(if self.quick { 120 } else { 600 }));
        if time < Duration::from_secs(1) || time > Duration::from_secs(86_400) {
            bail!(t!("--time is from 1s to 1day"));
        }
        self.model.check()?;
        let mut global = global.clone();
        if let Some(file) = &self.write {
            // What is written has to be there, and to be valid, before minutes are spent.
            if global.profile.is_some() {
                bail!(t!("--write names the profile already: leave --profile out"));
            }
            global.profile = Some(profile_file(file)?);
        }
        let session = Session::open(&global, false)?;
        let load = Load::read(&session.host);
        if let Some(why) = load.is_busy().filter(|_| !self.force_under_load) {
            bail!(t!(
                "this host is busy: {why}. What is measured now is that; wait, or measure all the same with --force-under-load",
                why = why
            ));
        }
        terminal::remember_first_interrupt();
        let report = self.measure(&session, load.to_string(), time, out)?;
        let stopped = report.interrupted;
        terminal::forget_interrupts();
        let measured = report.sections.iter().any(|section| section.tables.is_ok());
        let edited = match &self.write {
            Some(file) if measured && !stopped => edited(file, &report)?,
            _ => None,
        };
        let mut document = show::json(&report);
        document["diff"] = edited.as_ref().map(|edited| edited.diff.clone()).into();
        if !out.json {
            out.data(&show::human(&report, out.style));
        }
        if stopped {
            if out.json {
                out.document(&document);
            }
            out.say(&t!("Stopped: what had been measured by then is above."));
            return Ok(Answer::Trouble);
        }
        let answer = match (&edited, &self.write) {
            (Some(edited), _) => self.put(edited, &global, out)?,
            (None, Some(file)) => {
                out.say(&stays(&file.display().to_string(), &report.advice));
                Answer::Yes
            }
            (None, None) => Answer::Yes,
        };
        if out.json {
            document["written"] = (edited.is_some() && answer == Answer::Yes).into();
            out.document(&document);
        }
        Ok(if measured { answer } else { Answer::Trouble })
    }

    fn measure(&self, session: &Session, load: String, time: Duration, out: &Out) -> anyhow::Result<Report> {
        let begun = Instant::now();
        let asked = |kind: &Kind| self.sections.is_empty() || self.sections.contains(kind);
        let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(asked).collect();
        let models = self.model.files(session)?;
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
                    bar.set_message(crate::render::style::printable(text));
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
            let found = self.section(*kind, session, &models, &pace);
            let (tables, notes) = match found {
                Ok((tables, notes)) => (Ok(tables), notes),
                Err(why) => (Err(why), Vec::new()),
            };
            sections.push(Section { kind: *kind, tables, notes, seconds: start.elapsed().as_secs_f64() });
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        let subject = advice::Subject {
            settings: &session.settings,
            kernel: session.facts.kernel.version,
            swap_bytes: swap_bytes(session),
            cores: session.facts.cpu.threads.max(1),
            is_rule: &|path| session.chosen.as_ref().is_some_and(|profile| profile.is_rule(path)),
            all: self.write.is_some(),
        };
        let (values, claims) = (advice::values(&sections, &subject), advice::claims(&sections, &subject));
        Ok(Report {
            cpu: session.facts.cpu.name.clone(),
            threads: processors(),
            memory_bytes: session.facts.memory.total_bytes,
            kernel: session.facts.kernel.release.clone(),
            load,
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
        pace: &Pace<'_>,
    ) -> Told<(Vec<bench::Table>, Vec<String>)> {
        let host = &session.host;
        match kind {
            Kind::Zswap => {
                let zswap = &session.settings.zswap;
                let percent =
                    if zswap.manage && zswap.max_pool_percent > 0 { zswap.max_pool_percent } else { 20 };
                let subject = bench::zswap::Subject {
                    kernel: session.facts.kernel.version,
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
                bench::disk::measure(host, folder, self.disk_size.0.max(32 * MIB), pace)
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
                bench::llm::measure(host, &subject, cores, pace)
            }
        }
    }

    /// Shows the difference, asks, and writes it.
    fn put(&self, edited: &Edited, global: &Global, out: &Out) -> Outcome {
        if !out.json {
            out.data(&format!("\n{}", diff::coloured(&edited.diff, out.style, "")));
        }
        if !global.yes {
            if out.json || !terminal::can_ask() {
                bail!(t!("nobody can be asked here: --yes writes it, or take over the difference by hand"));
            }
            if !terminal::ask(&t!("Write this? [y/N]")) {
                out.say(&t!("Nothing was written."));
                return Ok(Answer::Differs);
            }
        }
        edited.folder.replace(&edited.name, &edited.after)?;
        let commands = edited
            .next
            .iter()
            .map(|verb| format!("civicum-tune {verb} --profile {}", shell_word(&edited.shown)));
        out.say(&t!(
            "Wrote {file}. Next: {commands}",
            file = edited.shown,
            commands = commands.collect::<Vec<_>>().join("; ")
        ));
        Ok(Answer::Yes)
    }
}

/// The swap behind zswap, in bytes: what the profile wants, else what there is.
fn swap_bytes(session: &Session) -> u64 {
    let wanted = session.settings.swap.size.0;
    if wanted > 0 { wanted } else { session.facts.memory.swap_total_bytes }
}

/// A profile's file before and after.
struct Edited {
    folder: Host,
    name: String,
    shown: String,
    after: Image,
    diff: String,
    /// The commands with which it takes effect.
    next: Vec<&'static str>,
}

/// Why nothing is written: nothing is better, or it could not be told.
fn stays(file: &str, values: &[advice::Advice]) -> String {
    if values.is_empty() {
        return t!("{file} stays as it is: it has no value that was measured.", file = file);
    }
    let unknown = values.iter().filter(|value| value.verdict == Verdict::CouldNotTell);
    let unknown: Vec<String> =
        unknown.map(|value| format!("  {}: {}", value.key.join("."), value.why)).collect();
    if unknown.is_empty() {
        return t!("{file} stays as it is: no other value is better by more than the spread.", file = file);
    }
    let head = t!("{file} stays as it is. What could not be told, and what is missing:", file = file);
    format!("{head}\n{}", unknown.join("\n"))
}

/// The absolute path of a profile that is a plain file.
fn profile_file(file: &Path) -> anyhow::Result<String> {
    let path = std::path::absolute(file)?.to_string_lossy().into_owned();
    match Host::live()?.stat(&path)? {
        Some(stat) if stat.is_file => Ok(path),
        Some(stat) => bail!(t!(
            "--write {file}: it is {what}, and only a plain file is replaced",
            file = file.display(),
            what = stat.what
        )),
        None => bail!(t!(
            "--write {file}: there is no such file; make one: civicum-tune profile init {file}",
            file = file.display()
        )),
    }
}

/// The profile with the values that are better; `None` where none is.
fn edited(file: &Path, report: &Report) -> anyhow::Result<Option<Edited>> {
    let better: Vec<_> = report.advice.iter().filter(|advice| advice.verdict == Verdict::Better).collect();
    if better.is_empty() {
        return Ok(None);
    }
    let path = std::path::absolute(file)?;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        bail!(t!("{path} does not name a file", path = file.display()));
    };
    let (folder, name) = (Host::at(parent)?, format!("/{}", name.to_string_lossy()));
    let before = folder.image(&name)?;
    let keys: Vec<Vec<&str>> =
        better.iter().map(|advice| advice.key.iter().map(String::as_str).collect()).collect();
    let best = better.iter().filter_map(|advice| advice.best.as_ref());
    let values: Vec<(&[&str], &edit::New)> = keys.iter().map(Vec::as_slice).zip(best).collect();
    // The host's values are `apply`'s, which `plan` shows first; those of services are `deploy`'s.
    let is_service = |key: &Vec<&str>| key.first() == Some(&"services");
    let host = keys.iter().any(|key| !is_service(key)).then_some("plan");
    let next = host.into_iter().chain(keys.iter().any(is_service).then_some("deploy")).collect();
    let text = edit::set(&before.text(), &values).map_err(|why| anyhow::anyhow!(why));
    let text = text.with_context(|| t!("{path} can't be changed", path = file.display()))?;
    // What it has become is read as any profile is, before it is put anywhere.
    let here = Host::live()?;
    let others = profile::reader(&here);
    let read = |wanted: &Path| {
        if std::path::absolute(wanted)? == path { Ok(text.clone().into_bytes()) } else { others(wanted) }
    };
    Profile::load(&path.to_string_lossy(), &read).map_err(|findings| refused(&findings))?;
    let after = before.with_bytes(text.clone());
    let shown = file.display().to_string();
    let diff = diff::unified(&shown, &before, &after);
    Ok(Some(Edited { folder, name, shown, after, diff, next }))
}
