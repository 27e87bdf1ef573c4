//! OCR: pages a minute and memory, each run in a process of its own, as the worker does it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Deserialize;

use super::{Column, Pace, Spread, Table, Told, room};
use crate::host::Host;
use crate::host::child::start_own;
use crate::host::sandbox::{Scratch, processors};
use crate::ocr;
use crate::t;
use crate::units::MIB;

/// What is read, and with what.
#[derive(Debug, Default)]
pub struct Subject {
    /// A document of one's own; without one a page is made.
    pub document: Option<PathBuf>,
    /// The folder with PP-OCR's models.
    pub models: Option<PathBuf>,
    /// ONNX Runtime's library.
    pub library: Option<PathBuf>,
}

/// What of a result is looked at.
#[derive(Deserialize)]
struct Read {
    pages: Vec<Page>,
    text: String,
    peak_memory_bytes: u64,
}

#[derive(Deserialize)]
struct Page {}

/// A way to read: who, with how many threads, how many documents at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Way(&'static str, usize, usize);

impl Way {
    /// Memory that it takes, bytes: as much as its readers took that were measured, or else as those of docs/benchmarks.md.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn need(self, found: &HashMap<Self, Found>) -> u64 {
        let Self(policy, threads, at_once) = self;
        let known = found.iter().filter(|(way, _)| way.0 == policy && way.1 <= threads);
        let most = known.flat_map(|(_, found)| &found.peak).copied().fold(0.0, f64::max);
        let usual = if policy == "tesseract" { 110 } else { 260 };
        let one = if most > 0.0 { most.ceil() as u64 } else { usual };
        one.saturating_mul(MIB).saturating_mul(at_once as u64)
    }
}

#[derive(Default)]
struct Found {
    rate: Vec<f64>,
    peak: Vec<f64>,
    words: Vec<f64>,
}

/// Measures.
pub fn measure(host: &Host, subject: &Subject, pace: &Pace<'_>) -> Told<(Vec<Table>, Vec<String>)> {
    let scratch = Scratch::new().map_err(|error| error.to_string())?;
    let (path, truth) = if let Some(path) = &subject.document {
        (std::path::absolute(path).map_err(|error| error.to_string())?, None)
    } else {
        let (pdf, text) = super::pdf();
        (scratch.put("page.pdf", &pdf).map_err(|error| error.to_string())?, Some(text))
    };
    let mut notes = Vec::new();
    let ways = ways(host, subject, pace.quick, &mut notes)?;
    let mut found: HashMap<Way, Found> = HashMap::new();
    let rounds = if pace.quick { 3 } else { 7 };
    let (mut failed, mut out) = (None, Vec::new());
    super::run(async {
        // The ways take turns, so that a busy moment is one of all of them.
        for round in 0..rounds {
            for way in &ways {
                if pace.is_over() {
                    return Ok(());
                }
                if out.iter().any(|(left_out, _)| left_out == way) {
                    continue;
                }
                if let Some(why) = room::lacks(way.need(&found), room::available(host)) {
                    // What was measured already was not left out: others have the memory now.
                    if !found.contains_key(way) {
                        out.push((*way, why));
                    }
                    continue;
                }
                pace.say(&t!(
                    "{policy}, threads: {threads}, documents at a time: {at_once}, round {round} of {rounds}",
                    policy = way.0,
                    threads = way.1,
                    at_once = way.2,
                    round = round + 1,
                    rounds = rounds
                ));
                match pace.bounded(once(*way, &path, subject, &scratch, truth.as_deref())).await {
                    None => return Ok(()),
                    Some(Ok((rate, peak, words))) => {
                        let entry = found.entry(*way).or_default();
                        entry.rate.push(rate);
                        entry.peak.push(peak);
                        entry.words.extend(words);
                    }
                    Some(Err(why)) => {
                        failed.get_or_insert(why);
                    }
                }
            }
        }
        Ok(())
    })?;
    let told = |(Way(policy, threads, at_once), why): &(Way, String)| {
        t!(
            "{policy}, threads: {threads}, documents at a time: {at_once}: {why}",
            policy = *policy,
            threads = threads,
            at_once = at_once,
            why = why
        )
    };
    let left_out: Vec<String> = out.iter().map(told).collect();
    if found.is_empty() {
        let no_room = (!left_out.is_empty()).then(|| left_out.join("; "));
        return Err(failed.or(no_room).unwrap_or_else(super::too_short));
    }
    notes.extend(failed);
    notes.extend(left_out);
    notes.push(match truth {
        Some(_) => t!("a letter made for this, one page of A4, drawn at 200 pixels an inch; its own text is not looked at"),
        None => t!("the document that was named; its own text is not looked at"),
    });
    let rows = ways.iter().map(|way| {
        let words = [way.0.to_owned(), way.1.to_string(), way.2.to_string()].to_vec();
        let cells = found.get(way).map_or_else(
            || vec![None; 3],
            |found| [&found.rate, &found.peak, &found.words].map(|values| Spread::of(values)).to_vec(),
        );
        (words, cells)
    });
    let table = Table {
        name: "engines",
        title: t!("Pages a minute"),
        labels: vec![("policy", t!("read by")), ("threads", t!("threads")), ("at_once", t!("at a time"))],
        columns: vec![
            Column::new("pages_per_minute", t!("pages/min"), "", 1),
            Column::new("peak_mib", t!("peak of one"), "MiB", 0),
            Column::new("words_percent", t!("words read"), "%", 1),
        ],
        chart: Some("pages_per_minute"),
        rows: rows.collect(),
    };
    Ok((vec![table], notes))
}

/// What there is to compare on this host.
fn ways(host: &Host, subject: &Subject, quick: bool, notes: &mut Vec<String>) -> Told<Vec<Way>> {
    let cores = processors();
    let mut counts: Vec<usize> = if quick { vec![1, cores] } else { (1..=cores).collect() };
    counts.dedup();
    let missing = |name: &str| host.program(name).is_none();
    if missing("pdftoppm") || missing("pdfinfo") {
        return Err(t!(
            "{program} is not installed; on Debian and Ubuntu: apt-get install {packages}",
            program = "pdfinfo, pdftoppm",
            packages = "poppler-utils"
        ));
    }
    let has_tesseract = !missing("tesseract");
    let has_models = ocr::files(host, subject.models.as_deref(), subject.library.as_deref()).is_some();
    let mut ways = Vec::new();
    if has_tesseract {
        // It has one thread (more make it slower), so that processors are used by more documents at a time.
        ways.extend(counts.iter().map(|at_once| Way("tesseract", 1, *at_once)));
    } else {
        notes.push(t!(
            "{program} is not installed; on Debian and Ubuntu: apt-get install {packages}",
            program = "tesseract",
            packages = "tesseract-ocr tesseract-ocr-spa"
        ));
    }
    if has_models {
        ways.extend(counts.iter().map(|threads| Way("pp-ocr", *threads, 1)));
    } else {
        notes.push(ocr::missing("--ocr-models"));
    }
    if has_tesseract && has_models {
        ways.push(Way("auto", cores.min(4), 1));
    }
    if ways.is_empty() { Err(notes.join("; ")) } else { Ok(ways) }
}

/// One round of a way: pages a minute, the largest peak of a reader in MiB, and the percent of the words that were read.
async fn once(
    way: Way,
    path: &Path,
    subject: &Subject,
    scratch: &Scratch,
    truth: Option<&str>,
) -> Told<(f64, f64, Option<f64>)> {
    let Way(policy, threads, at_once) = way;
    let threads = threads.to_string();
    let mut args: Vec<String> =
        // With --progress it ends when we do, however that happens.
        ["ocr", "--progress", "--format", "json", "--text-layer", "never", "--policy", policy, "--threads", &threads]
            .map(str::to_owned)
            .to_vec();
    for (name, folder) in [("--models", &subject.models), ("--onnxruntime", &subject.library)] {
        if let Some(folder) = folder {
            args.extend([name.to_owned(), folder.to_string_lossy().into_owned()]);
        }
    }
    args.extend(["--".to_owned(), path.to_string_lossy().into_owned()]);
    let begun = Instant::now();
    let readers = (0..at_once).map(|_| async {
        let output = scratch.file().map_err(|error| error.to_string())?;
        let mut words = String::new();
        let started = output.try_clone().and_then(|output| start_own(&args, output, &[]));
        let mut child = started.map_err(|error| error.to_string())?;
        let heard = |line: &str| {
            if !line.starts_with('{') {
                line.clone_into(&mut words);
            }
        };
        let status = child.ended(heard).await.map_err(|error| error.to_string())?;
        let mut output = output;
        std::io::Seek::rewind(&mut output).map_err(|error| error.to_string())?;
        if !status.success() {
            // What is wrong with a document stands in what is printed of it.
            let told: Option<serde_json::Value> =
                serde_json::from_reader(std::io::BufReader::new(output)).ok();
            let finding = told.as_ref().and_then(|told| told["findings"][0]["message"].as_str());
            let why = finding.unwrap_or(&words);
            return Err(t!("{policy} did not read it: {words}", policy = policy, words = why));
        }
        serde_json::from_reader::<_, Read>(std::io::BufReader::new(output)).map_err(|error| error.to_string())
    });
    let read: Told<Vec<Read>> = futures_util::future::join_all(readers).await.into_iter().collect();
    let (read, took) = (read?, begun.elapsed().as_secs_f64());
    let pages: usize = read.iter().map(|one| one.pages.len()).sum();
    let peak = read.iter().map(|one| one.peak_memory_bytes).max().unwrap_or(0);
    #[allow(clippy::cast_precision_loss)]
    let (rate, peak) = (pages as f64 * 60.0 / took, peak as f64 / f64::from(1 << 20));
    let words = truth.zip(read.first()).map(|(truth, read)| words_read(truth, &read.text));
    Ok((rate, peak, words))
}

/// Percent of the words of `truth` that are in `read`, as often as they stand there.
fn words_read(truth: &str, read: &str) -> f64 {
    let mut there: HashMap<&str, u32> = HashMap::new();
    for word in read.split_whitespace() {
        *there.entry(word).or_default() += 1;
    }
    let (mut all, mut found) = (0u32, 0u32);
    for word in truth.split_whitespace() {
        all += 1;
        if let Some(left) = there.get_mut(word).filter(|left| **left > 0) {
            *left -= 1;
            found += 1;
        }
    }
    f64::from(found) * 100.0 / f64::from(all.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_take_what_one_of_them_took() {
        let mut found = HashMap::new();
        let need = |way: Way, found: &HashMap<Way, Found>| way.need(found) / MIB;
        assert_eq!((need(Way("tesseract", 1, 4), &found), need(Way("pp-ocr", 2, 1), &found)), (440, 260));
        found.insert(Way("tesseract", 1, 1), Found { peak: vec![300.2, 290.0], ..Found::default() });
        assert_eq!((need(Way("tesseract", 1, 4), &found), need(Way("auto", 2, 1), &found)), (1204, 260));
    }

    #[test]
    #[allow(clippy::float_cmp)] // Exact by how they were chosen.
    fn words_count_as_often_as_they_stand_there() {
        assert_eq!(words_read("a b a c", "c a\nb x"), 75.0);
        assert_eq!(words_read("a", ""), 0.0);
    }
}
