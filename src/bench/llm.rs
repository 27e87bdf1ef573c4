//! The model: tokens a second by model, packing and threads, on a quiet host and beside a neighbour that calculates.

mod neighbour;
mod own;
mod room;
mod running;
mod turns;

use self::own::Own;
use self::running::Running;
use self::turns::{Model, Way, word};
use super::{Column, Pace, Spread, Table, Told};
use crate::host::Host;
use crate::llm::Server;
use crate::t;
use crate::units::MIB;

/// A document's worth of work, in tokens read and written: what the time for a document is told of.
pub const DOCUMENT: (f64, f64) = (1000.0, 100.0);
/// A text of some 330 tokens.
const TEXT: &str = include_str!("llm/text.txt");

/// Who is asked.
pub enum Subject {
    /// A server that runs already.
    Running(Standing),
    /// A program that speaks as llama.cpp's server does, and GGUF files for it.
    Program(String, Vec<String>),
}

/// A server that runs already.
pub struct Standing {
    /// Where it is.
    pub server: Server,
    /// Only these of its models; empty: those that it works with.
    pub models: Vec<String>,
    /// Tokens of context that whoever uses it asks for, where that is known.
    pub context: Option<u32>,
    /// Threads that it was started with, where that is known.
    pub threads: Option<usize>,
}

/// Measures; `cores` are the processors of the host.
pub fn measure(
    host: &Host,
    subject: &Subject,
    cores: usize,
    pace: &Pace<'_>,
) -> Told<(Vec<Table>, Vec<String>)> {
    let mut notes = Vec::new();
    let counts = counts(pace.quick, cores);
    let (models, ways) = super::run(async {
        let (models, mut ways);
        match subject {
            Subject::Running(standing) => {
                let running;
                (running, models, ways) = Running::new(host, standing, &counts, pace, &mut notes).await?;
                turns::take(&models, &mut ways, running, pace, &mut notes).await;
            }
            Subject::Program(program, files) => {
                let own;
                (own, models, ways) = Own::new(host, program, files, &counts, &mut notes);
                turns::take(&models, &mut ways, own, pace, &mut notes).await;
            }
        }
        Ok((models, ways))
    })?;
    let table = speeds(&models, &ways);
    if table.rows.is_empty() {
        return Err(if notes.is_empty() { super::too_short() } else { notes.join("; ") });
    }
    notes.push(t!(
        "a document is {read} tokens read and {written} written; busy: one other thread calculates all the time",
        read = DOCUMENT.0,
        written = DOCUMENT.1
    ));
    Ok((vec![table, files(&models)], notes))
}

/// An empty table of speeds.
pub(super) fn table() -> Table {
    Table {
        name: "models",
        title: t!("Tokens a second"),
        labels: vec![
            ("model", t!("model")),
            ("quantization", t!("packing")),
            ("threads", t!("threads")),
            ("host", t!("host")),
        ],
        columns: vec![
            Column::new("prompt_per_second", t!("reads"), "t/s", 1),
            Column::new("written_per_second", t!("writes"), "t/s", 1),
            Column::new("document_seconds", t!("a document"), "s", 1),
        ],
        chart: Some("written_per_second"),
        rows: Vec::new(),
    }
}

fn speeds(models: &[Model], ways: &[Way]) -> Table {
    let mut table = table();
    for way in ways {
        let model = &models[way.model];
        for (host, found) in ["quiet", "busy"].into_iter().zip(&way.found) {
            let Some(cells) = found.cells() else { continue };
            let words = [model.name.clone(), or_unknown(model.packing.as_ref()), word(way.threads)];
            table.rows.push((words.into_iter().chain([host.to_owned()]).collect(), cells));
        }
    }
    table
}

/// What the models are: only those of one family can be compared.
#[allow(clippy::cast_precision_loss)]
fn files(models: &[Model]) -> Table {
    let row = |model: &Model| {
        let words = [Some(&model.name), model.packing.as_ref(), model.family.as_ref()].map(or_unknown);
        let size = (model.bytes > 0).then(|| Spread::exact(model.bytes as f64 / MIB as f64));
        (words.to_vec(), vec![size])
    };
    Table {
        name: "files",
        title: t!("The models"),
        labels: vec![("model", t!("model")), ("quantization", t!("packing")), ("family", t!("family"))],
        columns: vec![Column::new("size_mib", t!("size"), "MiB", 0)],
        chart: None,
        rows: models.iter().map(row).collect(),
    }
}

fn or_unknown(word: Option<&String>) -> String {
    word.map_or_else(|| "?".to_owned(), Clone::clone)
}

/// How many threads: each number of them, or the interesting ones where time is short.
fn counts(quick: bool, cores: usize) -> Vec<usize> {
    let mut counts: Vec<usize> =
        if quick { vec![cores.saturating_sub(1).max(1), cores] } else { (1..=cores).collect() };
    counts.dedup();
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_threads_where_time_is_short() {
        assert_eq!(counts(false, 4), [1, 2, 3, 4]);
        assert_eq!((counts(true, 4), counts(true, 1)), (vec![3, 4], vec![1]));
    }
}
