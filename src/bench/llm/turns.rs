//! Models and threads take turns, so that a busy moment is one of all of them.

use std::time::{Duration, Instant};

use super::neighbour::Neighbour;
use super::{DOCUMENT, TEXT};
use crate::bench::spread::ENOUGH;
use crate::bench::{Cell, Pace, Spread, Told};
use crate::llm::{self, Api, Load, Server};
use crate::t;

/// A model, whoever serves it.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    /// Its name.
    pub(super) name: String,
    /// Where it lies, or the name by which its server knows it.
    pub(super) place: String,
    /// How its weights are packed.
    pub(super) packing: Option<String>,
    /// What it is, whatever its packing: only those of one family can be compared.
    pub(super) family: Option<String>,
    /// Its weights, bytes; 0 where nobody tells.
    pub(super) bytes: u64,
    /// Memory that it takes at most, bytes.
    pub(super) need: u64,
}

/// A model, by its number, with so many threads; `None`: nobody told.
pub(super) struct Way {
    pub(super) model: usize,
    pub(super) threads: Option<usize>,
    /// On a quiet host, and beside a neighbour.
    pub(super) found: [Found; 2],
    is_out: bool,
}

/// What was measured of one way on one kind of host.
#[derive(Default)]
pub(super) struct Found {
    reads: Vec<f64>,
    writes: Vec<f64>,
    document: Vec<f64>,
}

impl Way {
    pub(super) fn new(model: usize, threads: Option<usize>) -> Self {
        Self { model, threads, found: Default::default(), is_out: false }
    }

    fn runs(&self) -> usize {
        self.found.iter().map(|found| found.document.len()).sum()
    }
}

impl Found {
    /// The figures of a row; `None` where nothing was measured.
    pub(super) fn cells(&self) -> Option<Vec<Cell>> {
        let cells = [&self.reads, &self.writes, &self.document].map(|values| Spread::of(values));
        (!self.document.is_empty()).then(|| cells.to_vec())
    }

    fn add(&mut self, speed: llm::Speed) {
        self.reads.push(speed.reads());
        self.writes.push(speed.writes());
        self.document.push(DOCUMENT.0 / speed.reads() + DOCUMENT.1 / speed.writes());
    }
}

/// How much is asked: the same of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Bytes of the text that is read, some four a token.
    bytes: usize,
    /// Tokens that are written.
    predict: u32,
}

impl Size {
    const WARM: Self = Self { bytes: 80, predict: 2 };

    /// As much as this speed allows in so much time, to a sixth of the whole: fewer tokens would say little of a document.
    fn fitting(speed: llm::Speed, each: Duration, is_quick: bool) -> Self {
        let (bytes, predict) = if is_quick { (TEXT.len() / 2, 24) } else { (TEXT.len(), 64) };
        #[allow(clippy::cast_precision_loss)]
        let whole = bytes as f64 / 4.0 / speed.reads() + f64::from(predict) / speed.writes();
        let share = (each.as_secs_f64() / whole).clamp(1.0 / 6.0, 1.0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        Self { bytes: (bytes as f64 * share) as usize, predict: ((f64::from(predict) * share) as u32).max(8) }
    }
}

/// What a turn is for.
pub(super) struct Work<'a> {
    found: &'a mut [Found; 2],
    size: &'a mut Option<Size>,
    /// Time for each question, for as many rounds as it takes to say anything.
    each: Duration,
}

/// Whoever has the models.
pub(super) trait Servers {
    /// Asks a model with so many threads once on a quiet host and once beside a neighbour. `false` where its time was up before.
    async fn turn(
        &mut self,
        model: &Model,
        threads: Option<usize>,
        work: &mut Work<'_>,
        pace: &Pace<'_>,
    ) -> Told<bool>;

    /// Leaves everything as it was.
    async fn end(self);
}

/// A turn for each, again and again, until the time is up. What fails drops out, and a note says why; the others go on.
pub(super) async fn take(
    models: &[Model],
    ways: &mut [Way],
    mut servers: impl Servers,
    pace: &Pace<'_>,
    notes: &mut Vec<String>,
) {
    let rounds = if pace.quick { ENOUGH } else { 7 };
    // What is left of it is for loading.
    let questions = u32::try_from(ways.len()).unwrap_or(u32::MAX).saturating_mul(2 * ENOUGH).max(1);
    let (each, mut size) = (pace.left().mul_f64(0.7) / questions, None);
    'rounds: for round in 0..rounds {
        let mut order: Vec<usize> = (0..ways.len()).collect();
        if round % 2 == 1 {
            // What grows steadily, such as heat, is no one's more than another's.
            order.reverse();
        }
        for (turn, at) in order.iter().enumerate() {
            if ways[*at].is_out {
                continue;
            }
            if pace.is_over() {
                break 'rounds;
            }
            // A slow one must not take the first turn of those behind it.
            let turns = u32::try_from(order.len() - turn).unwrap_or(1);
            let until = if round == 0 { Instant::now() + pace.left() / turns } else { pace.until() };
            let part = Pace::new(until, pace.quick, pace.said);
            let (model, threads) = (&models[ways[*at].model], ways[*at].threads);
            part.say(&t!(
                "{model}, threads: {threads}, round {round} of {rounds}",
                model = model.name,
                threads = word(threads),
                round = round + 1,
                rounds = rounds
            ));
            let mut work = Work { found: &mut ways[*at].found, size: &mut size, each };
            let why = match servers.turn(model, threads, &mut work, &part).await {
                Ok(true) => continue,
                Ok(false) if pace.is_over() => break 'rounds,
                Ok(false) => t!("its turn was up before it had answered; give it more with --time"),
                Err(why) => why,
            };
            drop_out(models, ways, *at, &why, notes);
        }
    }
    servers.end().await;
    for way in ways.iter().filter(|way| !way.is_out && way.runs() == 0) {
        notes.push(t!(
            "{model}, threads {threads}: the time was up before its first turn",
            model = models[way.model].name,
            threads = word(way.threads)
        ));
    }
}

/// A model of which nothing was ever measured is out with all its threads, and told of once.
fn drop_out(models: &[Model], ways: &mut [Way], at: usize, why: &str, notes: &mut Vec<String>) {
    let (model, threads) = (ways[at].model, ways[at].threads);
    let name = &models[model].name;
    let is_whole = ways.iter().filter(|way| way.model == model).all(|way| way.runs() == 0);
    for (number, way) in ways.iter_mut().enumerate() {
        way.is_out |= number == at || (is_whole && way.model == model);
    }
    notes.push(match threads {
        Some(threads) if !is_whole => {
            t!("{model}, threads {threads}: {why}", model = name, threads = threads, why = why)
        }
        _ => t!("{model}: {why}", model = name, why = why),
    });
}

/// How threads are written in a row.
pub(super) fn word(threads: Option<usize>) -> String {
    threads.map_or_else(|| "?".to_owned(), |threads| threads.to_string())
}

/// Whom to ask, and how.
pub(super) struct Asked<'a> {
    pub(super) server: &'a Server,
    pub(super) api: Api,
    /// With the question, where the server takes them.
    pub(super) threads: Option<usize>,
    pub(super) context: Option<u32>,
    /// Seconds, where the server takes them.
    pub(super) keep_alive: Option<i64>,
}

impl Asked<'_> {
    /// Both questions of a turn, after a short one that does not count: the model may have to be loaded for it.
    pub(super) async fn both(&self, work: &mut Work<'_>, pace: &Pace<'_>) -> Told<bool> {
        let Some(warm) = self.ask(Size::WARM, pace).await else { return Ok(false) };
        warm?;
        let size = if let Some(size) = *work.size {
            size
        } else {
            let Some(speed) = self.ask(Size::WARM, pace).await else { return Ok(false) };
            *work.size.insert(Size::fitting(speed?, work.each, pace.quick))
        };
        for (is_busy, found) in [false, true].into_iter().zip(work.found.iter_mut()) {
            let neighbour = is_busy.then(Neighbour::start);
            let told = self.ask(size, pace).await;
            drop(neighbour);
            let Some(told) = told else { return Ok(false) };
            found.add(told?);
        }
        Ok(true)
    }

    async fn ask(&self, size: Size, pace: &Pace<'_>) -> Option<Told<llm::Speed>> {
        let end = (0..=size.bytes.min(TEXT.len())).rev().find(|at| TEXT.is_char_boundary(*at)).unwrap_or(0);
        // Otherwise from the first token on, so that nothing of it is remembered.
        let prompt = format!("{:08x} {}", getrandom::u32().unwrap_or(0), &TEXT[..end]);
        let load = Load {
            prompt: &prompt,
            predict: size.predict,
            threads: self.threads.and_then(|threads| u32::try_from(threads).ok()),
            context: self.context,
            keep_alive: self.keep_alive,
            patience: pace.left() + Duration::from_secs(1),
        };
        let told = pace.bounded(llm::speed(self.server, self.api, &load)).await?;
        Some(told.map_err(|error| error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// Who had a turn, as they came; model 1 fails with 2 threads from the start, and model 2 with 1 thread after a while.
    struct Log(Rc<RefCell<Vec<(String, usize)>>>);

    impl Servers for Log {
        async fn turn(
            &mut self,
            model: &Model,
            threads: Option<usize>,
            work: &mut Work<'_>,
            _pace: &Pace<'_>,
        ) -> Told<bool> {
            let mut log = self.0.borrow_mut();
            log.push((model.name.clone(), threads.unwrap()));
            if model.name == "bad" || (model.name == "c" && threads == Some(1) && log.len() > 6) {
                return Err("no".to_owned());
            }
            let speed = llm::Speed { read: 1.0, read_seconds: 1.0, written: 1.0, written_seconds: 1.0 };
            work.found.iter_mut().for_each(|found| found.add(speed));
            Ok(true)
        }

        async fn end(self) {
            self.0.borrow_mut().push(("end".to_owned(), 0));
        }
    }

    #[test]
    fn turns_go_round_and_what_fails_is_told_once() {
        let models: Vec<Model> =
            ["a", "bad", "c"].map(|name| Model { name: name.to_owned(), ..Model::default() }).into();
        let mut ways: Vec<Way> =
            (0..3).flat_map(|model| [1, 2].map(|threads| Way::new(model, Some(threads)))).collect();
        let (log, mut notes) = (Rc::default(), Vec::new());
        let until = Instant::now() + Duration::from_secs(60);
        let pace = Pace::new(until, true, &|_| {});
        crate::bench::run(async {
            take(&models, &mut ways, Log(Rc::clone(&log)), &pace, &mut notes).await;
            Ok(())
        })
        .unwrap();
        let turns: Vec<String> = log.borrow().iter().map(|(name, n)| format!("{name}{n}")).collect();
        let wanted = "a1 a2 bad1 c1 c2 c2 c1 a2 a1 a1 a2 c2 end0";
        assert_eq!(turns.join(" "), wanted);
        assert_eq!(notes, ["bad: no", "c, threads 1: no"]);
        let runs: Vec<usize> = ways.iter().map(Way::runs).collect();
        assert_eq!(runs, [6, 6, 0, 0, 2, 6]);
    }

    #[test]
    fn a_slow_model_is_asked_less() {
        let speed = |reads: f64, writes: f64| llm::Speed {
            read: reads,
            read_seconds: 1.0,
            written: writes,
            written_seconds: 1.0,
        };
        let whole = Size { bytes: TEXT.len(), predict: 64 };
        assert_eq!(Size::fitting(speed(1000.0, 100.0), Duration::from_secs(10), false), whole);
        // Eight billion parameters on four processors: the whole would take some half a minute.
        let some = Size::fitting(speed(20.0, 5.0), Duration::from_secs(7), false);
        assert!((8..24).contains(&some.predict) && some.bytes < TEXT.len() / 2, "{some:?}");
        let least = Size::fitting(speed(0.1, 0.1), Duration::ZERO, true);
        assert_eq!(least, Size { bytes: TEXT.len() / 12, predict: 8 });
    }
}
