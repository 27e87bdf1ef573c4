//! The model: tokens a second by model, packing and threads, on a quiet host and beside a neighbour that calculates.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Column, Pace, Spread, Table, Told};
use crate::facts::gguf;
use crate::host::Host;
use crate::host::child::{OwnChild, start_server};
use crate::host::sandbox::processors;
use crate::llm::{self, Api, Load, Server};
use crate::t;

/// A document's worth of work, in tokens read and written: what the time for a document is told of.
pub const DOCUMENT: (f64, f64) = (1000.0, 100.0);
/// A text of some 330 tokens.
const TEXT: &str = include_str!("llm_text.txt");

/// Who is asked.
pub enum Subject {
    /// A server that runs already; its models, or these.
    Running(Server, Vec<String>),
    /// A program that speaks as llama.cpp's server does, and GGUF files for it.
    Program(String, Vec<String>),
}

/// One configuration that is asked: the words of its row.
struct Asked {
    model: String,
    packing: String,
    threads: String,
}

#[derive(Default)]
struct Found {
    reads: Vec<f64>,
    writes: Vec<f64>,
    document: Vec<f64>,
}

/// Measures.
pub fn measure(host: &Host, subject: &Subject, pace: &Pace<'_>) -> Told<(Vec<Table>, Vec<String>)> {
    let mut table = table();
    let mut notes = Vec::new();
    super::run(async {
        match subject {
            Subject::Running(server, models) => running(server, models, pace, &mut table, &mut notes).await,
            Subject::Program(program, files) => own(host, program, files, pace, &mut table, &mut notes).await,
        }
    })?;
    if table.rows.is_empty() {
        return Err(if notes.is_empty() { super::too_short() } else { notes.join("; ") });
    }
    notes.push(t!(
        "a document is {read} tokens read and {written} written; busy: one other thread calculates all the time",
        read = DOCUMENT.0,
        written = DOCUMENT.1
    ));
    Ok((vec![table], notes))
}

fn table() -> Table {
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

/// How many threads: each number of them, or the interesting ones where time is short.
fn counts(quick: bool) -> Vec<usize> {
    let cores = processors();
    let mut counts: Vec<usize> =
        if quick { vec![cores.saturating_sub(1).max(1), cores] } else { (1..=cores).collect() };
    counts.dedup();
    counts
}

/// A server that others use, too: its models and, where it takes them with a question, threads.
async fn running(
    server: &Server,
    models: &[String],
    pace: &Pace<'_>,
    table: &mut Table,
    notes: &mut Vec<String>,
) -> Told<()> {
    let known = async {
        let api = server.probe().await?;
        Ok::<_, llm::Error>((api, llm::served(server, api).await?))
    };
    let (api, mut has) =
        pace.bounded(known).await.ok_or_else(super::too_short)?.map_err(|error| error.to_string())?;
    if !models.is_empty() {
        has.retain(|model| models.contains(&model.name));
        if has.is_empty() {
            return Err(t!("the server has none of these models: {models}", models = models.join(", ")));
        }
    }
    let threads: Vec<Option<usize>> = match api {
        Api::Ollama => counts(pace.quick).into_iter().map(Some).collect(),
        Api::OpenAi => {
            notes.push(t!(
                "a llama.cpp server takes its threads when it starts: --server-program compares them"
            ));
            vec![None]
        }
    };
    let ways: Vec<_> =
        has.iter().flat_map(|model| threads.iter().map(move |threads| (model, *threads))).collect();
    for (at, (model, threads)) in ways.iter().enumerate() {
        if pace.is_over() {
            break;
        }
        let mut server = server.clone();
        server.api = Some(api);
        // A llama.cpp server has one, whatever it is called.
        server.model = if api == Api::Ollama { model.name.clone() } else { String::new() };
        let asked = Asked {
            model: model.name.clone(),
            packing: model.quantization.clone().unwrap_or_else(|| "?".to_owned()),
            threads: threads.map_or_else(|| "?".to_owned(), |threads| threads.to_string()),
        };
        let part = Pace::new(
            Instant::now() + pace.left() / u32::try_from(ways.len() - at).unwrap_or(1),
            pace.quick,
            pace.said,
        );
        let threads = threads.and_then(|threads| u32::try_from(threads).ok());
        ask(&server, api, threads, &asked, &part, table, notes).await;
    }
    Ok(())
}

/// A server of our own for each model and each number of threads, on loopback, gone when it is measured.
async fn own(
    host: &Host,
    program: &str,
    files: &[String],
    pace: &Pace<'_>,
    table: &mut Table,
    notes: &mut Vec<String>,
) -> Told<()> {
    let mut ways = Vec::new();
    for file in files {
        let open = host.open_large(file).map_err(|error| error.to_string())?;
        let bytes = open.metadata().map_or(0, |data| data.len());
        let name = file.rsplit('/').next().unwrap_or(file).to_owned();
        match gguf::parse(std::io::BufReader::new(open), bytes) {
            Ok(header) => {
                let packing = header.quantization().unwrap_or("?").to_owned();
                ways.extend(
                    counts(pace.quick)
                        .into_iter()
                        .map(|threads| (file, name.clone(), packing.clone(), threads)),
                );
            }
            Err(why) => notes.push(t!("{file}: {why}", file = name, why = why)),
        }
    }
    for (at, (file, name, packing, threads)) in ways.iter().enumerate() {
        if pace.is_over() {
            break;
        }
        let until = Instant::now() + pace.left() / u32::try_from(ways.len() - at).unwrap_or(1);
        let part = Pace::new(until, pace.quick, pace.said);
        part.say(&t!("loading {model}, threads: {threads}", model = name, threads = *threads));
        let started = part.bounded(start(host, program, file, *threads)).await;
        let (server, mut child) = match started {
            None => {
                notes.push(t!("{model} was not loaded when its time was up", model = name));
                continue;
            }
            Some(started) => started?,
        };
        let asked = Asked { model: name.clone(), packing: packing.clone(), threads: threads.to_string() };
        let asking = ask(&server, Api::OpenAi, None, &asked, &part, table, notes);
        // What it says has to be read, or it waits for us.
        tokio::select! {
            () = asking => {}
            _ = child.ended(|_| ()) => notes.push(t!("{program} ended by itself", program = program)),
        }
    }
    Ok(())
}

/// Starts a server, and waits until it has its model.
async fn start(host: &Host, program: &str, file: &str, threads: usize) -> Told<(Server, OwnChild)> {
    let port = host.free_port().map_err(|error| error.to_string())?;
    let words = ["--model", file, "--host", "127.0.0.1", "--port", &port.to_string(), "--ctx-size", "2048"];
    let mut args = words.map(str::to_owned).to_vec();
    let threads = threads.to_string();
    args.extend(["--parallel", "1", "--threads", &threads, "--threads-batch", &threads].map(str::to_owned));
    let failed = |why: String| t!("{program} does not start: {why}", program = program, why = why);
    let mut child = start_server(program, &args).map_err(|why| failed(why.to_string()))?;
    let url = format!("http://127.0.0.1:{port}");
    let server = Server::new(&url, Some(Api::OpenAi), "").map_err(|error| error.to_string())?;
    let mut last = String::new();
    let ready = async {
        while !server.is_ready().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let ended = tokio::select! {
        () = ready => None,
        ended = child.ended(|line| if !line.is_empty() { line.clone_into(&mut last); }) => Some(ended),
    };
    match ended {
        None => Ok((server, child)),
        Some(_) => Err(failed(last)),
    }
}

/// Asks quietly and beside a neighbour, in turns, until the time is up.
async fn ask(
    server: &Server,
    api: Api,
    threads: Option<u32>,
    asked: &Asked,
    pace: &Pace<'_>,
    table: &mut Table,
    notes: &mut Vec<String>,
) {
    let mut found = [Found::default(), Found::default()];
    // The first question also loads the model, so it is a short one and does not count.
    let warm = question(server, api, threads, 2, pace).await;
    let mut trouble = warm.and_then(Result::err);
    let rounds = if pace.quick { 3 } else { 7 };
    'rounds: for round in 0..rounds {
        for (is_busy, found) in [false, true].into_iter().zip(&mut found) {
            if pace.is_over() || trouble.is_some() {
                break 'rounds;
            }
            pace.say(&t!(
                "{model}, threads: {threads}, round {round} of {rounds}",
                model = asked.model,
                threads = asked.threads,
                round = round + 1,
                rounds = rounds
            ));
            let neighbour = is_busy.then(Neighbour::start);
            let told = question(server, api, threads, if pace.quick { 24 } else { 64 }, pace).await;
            drop(neighbour);
            match told {
                None => break 'rounds,
                Some(Ok(speed)) => {
                    found.reads.push(speed.reads());
                    found.writes.push(speed.writes());
                    found.document.push(DOCUMENT.0 / speed.reads() + DOCUMENT.1 / speed.writes());
                }
                Some(Err(why)) => trouble = Some(why),
            }
        }
    }
    if let Some(why) = trouble {
        notes.push(t!("{model}: {why}", model = asked.model, why = why));
    }
    for (host, found) in ["quiet", "busy"].into_iter().zip(&found) {
        if found.reads.is_empty() {
            continue;
        }
        let words = [asked.model.as_str(), &asked.packing, &asked.threads, host].map(str::to_owned).to_vec();
        let cells = [&found.reads, &found.writes, &found.document].map(|values| Spread::of(values));
        table.rows.push((words, cells.to_vec()));
    }
}

async fn question(
    server: &Server,
    api: Api,
    threads: Option<u32>,
    predict: u32,
    pace: &Pace<'_>,
) -> Option<Result<llm::Speed, llm::Error>> {
    // Otherwise from the first token on, so that nothing of it is remembered.
    let half = if pace.quick { TEXT.len() / 2 } else { TEXT.len() };
    let end = (0..=half).rev().find(|at| TEXT.is_char_boundary(*at)).unwrap_or(0);
    let prompt = format!("{:08x} {}", getrandom::u32().unwrap_or(0), &TEXT[..end]);
    let load = Load { prompt: &prompt, predict, threads, patience: pace.left() + Duration::from_secs(1) };
    pace.bounded(llm::speed(server, api, &load)).await
}

/// Somebody else who calculates on this host; ends when it is dropped.
struct Neighbour {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<u64>>,
}

impl Neighbour {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut state = 1u64;
            while !told.load(Ordering::Relaxed) {
                for _ in 0..10_000 {
                    state = std::hint::black_box(state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1));
                }
            }
            state
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_takes_processor_time_and_ends() {
        let clock = || {
            let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).unwrap();
            usage.user_time().tv_sec() * 1_000_000 + usage.user_time().tv_usec()
        };
        let begun = clock();
        let neighbour = Neighbour::start();
        std::thread::sleep(Duration::from_millis(400));
        drop(neighbour);
        assert!(clock() - begun > 20_000, "{}", clock() - begun);
    }

    #[test]
    fn few_threads_where_time_is_short() {
        let cores = processors();
        assert_eq!(counts(false).len(), cores);
        assert!(counts(true).len() <= 2 && counts(true).contains(&cores));
    }
}
