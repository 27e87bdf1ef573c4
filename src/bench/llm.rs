//! The model: tokens a second by model, packing and threads, on a quiet host and beside a neighbour that calculates.

mod neighbour;
mod own;
mod prompt;
mod running;
mod turns;

use self::own::Own;
use self::running::Running;
use self::turns::{Model, Threads, Way, word};
use super::{Column, Pace, Spread, Table, Told};
use crate::host::Host;
use crate::llm::Server;
use crate::t;
use crate::units::MIB;

/// A document's worth of work, in tokens read and written: what the time for a document is told of.
pub const DOCUMENT: (f64, f64) = (1000.0, 100.0);

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

/// Measures; `cores` are the processors of the host, and `profile` has the threads of the profile's model: now, and at most.
pub fn measure(
    host: &Host,
    subject: &Subject,
    cores: usize,
    profile: Option<(usize, usize)>,
    pace: &Pace<'_>,
) -> Told<(Vec<Table>, Vec<String>)> {
    let mut notes = Vec::new();
    let counts = if pace.quick { few(cores, profile) } else { all(cores) };
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

fn all(cores: usize) -> Vec<Threads> {
    (1..=cores).map(|count| Threads { count: Some(count), is_spare: false }).collect()
}

/// The interesting numbers of threads, where time is short: all processors, one less, and what the profile has. Where that leaves
/// nothing that the profile could have instead, one that it could: half of the processors, which are the cores where each is two.
fn few(cores: usize, profile: Option<(usize, usize)>) -> Vec<Threads> {
    let now = profile.map(|(now, _)| now).filter(|now| (1..=cores).contains(now));
    let mut counts: Vec<usize> = now.into_iter().chain([cores.saturating_sub(1).max(1), cores]).collect();
    counts.sort_unstable();
    counts.dedup();
    let spare = profile.and_then(|(now, most)| {
        let has_choice = counts.iter().any(|count| *count != now && *count <= most);
        let could = |count: &usize| *count > 0 && *count <= most && !counts.contains(count);
        [cores / 2, most.saturating_sub(1), 1].into_iter().find(could).filter(|_| !has_choice)
    });
    let sure = counts.into_iter().map(|count| (count, false));
    sure.chain(spare.map(|count| (count, true)))
        .map(|(count, is_spare)| Threads { count: Some(count), is_spare })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_threads_where_time_is_short() {
        let words = |of: Vec<Threads>| -> Vec<String> {
            let spare = |of: &Threads| if of.is_spare { "?" } else { "" };
            of.iter().map(|of| format!("{}{}", of.count.unwrap(), spare(of))).collect()
        };
        assert_eq!(words(all(4)), ["1", "2", "3", "4"]);
        assert_eq!(words(few(4, None)), ["3", "4"]);
        assert_eq!(words(few(1, Some((1, 1)))), ["1"]);
        // The bundled profiles: one core less than the host has, and no more.
        assert_eq!(words(few(2, Some((1, 1)))), ["1", "2"]);
        assert_eq!(words(few(4, Some((3, 3)))), ["3", "4", "2?"]);
        assert_eq!(words(few(16, Some((15, 15)))), ["15", "16", "8?"]);
        // What the profile has is always among them, and a choice of its own needs no other.
        assert_eq!(words(few(8, Some((2, 2)))), ["2", "7", "8", "1?"]);
        assert_eq!(words(few(8, Some((5, 8)))), ["5", "7", "8"]);
    }
}
