//! Models and threads take turns, so that a busy moment is one of all of them.

use std::time::{Duration, Instant};

use super::DOCUMENT;
use super::neighbour::Neighbour;
use super::prompt::{TEXT, beginning};
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

/// A number of threads to measure; `None`: nobody told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Threads {
    pub(super) count: Option<usize>,
    /// Only where there is time for it besides the others.
    pub(super) is_spare: bool,
}

/// A model, by its number, with so many threads.
pub(super) struct Way {
    pub(super) model: usize,
    pub(super) threads: Option<usize>,
    /// On a quiet host, and beside a neighbour.
    pub(super) found: [Found; 2],
    is_spare: bool,
    is_out: bool,
}

/// What was measured of one way on one kind of host.
#[derive(Default)]
pub(super) struct Found {
    reads: Vec<f64>,
    writes: Vec<f64>,
    document: Vec<f64>,
    /// Answers that ended early, and do not count.
    short: usize,
}

impl Way {
    pub(super) fn new(model: usize, threads: Threads) -> Self {
        let Threads { count, is_spare } = threads;
        Self { model, threads: count, found: Default::default(), is_spare, is_out: false }
    }

    fn short(&self) -> usize {
        self.found.iter().map(|found| found.short).sum()
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

    /// Ollama can't be told to go on behind the end of a text: some tokens say little of a document.
    fn add(&mut self, speed: llm::Speed, predict: u32) {
        if speed.written < f64::from(predict) * MOST {
            self.short += 1;
            return;
        }
        self.reads.push(speed.reads());
        self.writes.push(speed.writes());
        self.document.push(DOCUMENT.0 / speed.reads() + DOCUMENT.1 / speed.writes());
    }
}

/// The part of the tokens that were asked for, from which on an answer counts.
const MOST: f64 = 0.75;

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

    /// Leaves everything as it was; what it could not, a note tells.
    async fn end(self, pace: &Pace<'_>, notes: &mut Vec<String>);
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
    let (begun, mut done) = (Instant::now(), 0);
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
            if round == 0 && ways[*at].is_spare && !is_time_for_another(ways, begun.elapsed(), done, pace) {
                ways[*at].is_out = true;
                notes.push(t!(
                    "{model}, threads {threads}: no time for it besides the others; give it more with --time",
                    model = models[ways[*at].model].name,
                    threads = word(ways[*at].threads)
                ));
                continue;
            }
            // A slow one must not take the first turn of those behind it.
            let turns = order[turn..].iter().filter(|at| !ways[**at].is_out && !ways[**at].is_spare).count();
            let turns = u32::try_from(turns).unwrap_or(u32::MAX).max(1);
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
            done += 1;
            let why = match servers.turn(model, threads, &mut work, &part).await {
                Ok(true) => continue,
                Ok(false) if pace.is_over() => break 'rounds,
                Ok(false) => t!("its turn was up before it had answered; give it more with --time"),
                Err(why) => why,
            };
            drop_out(models, ways, *at, &why, notes);
        }
    }
    servers.end(pace, notes).await;
    for way in ways.iter().filter(|way| way.short() > 0) {
        notes.push(t!(
            "{model}, threads {threads}: {count} answers ended long before as much was written as was asked for, and do not count",
            model = models[way.model].name,
            threads = word(way.threads),
            count = way.short()
        ));
    }
    for way in ways.iter().filter(|way| !way.is_out && way.runs() + way.short() == 0) {
        notes.push(t!(
            "{model}, threads {threads}: the time was up before its first turn",
            model = models[way.model].name,
            threads = word(way.threads)
        ));
    }
}

/// Would one more leave enough turns for all, if they go on to take as long as those until now?
fn is_time_for_another(ways: &[Way], took: Duration, turns: u32, pace: &Pace<'_>) -> bool {
    let is_in = |way: &&Way| !way.is_out && (!way.is_spare || way.runs() > 0);
    let all = u32::try_from(ways.iter().filter(is_in).count() + 1).unwrap_or(u32::MAX);
    let wanted = all.saturating_mul(ENOUGH).saturating_sub(turns);
    turns > 0 && took / turns * wanted <= pace.left()
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
            found.add(told?, size.predict);
        }
        Ok(true)
    }

    async fn ask(&self, size: Size, pace: &Pace<'_>) -> Option<Told<llm::Speed>> {
        // Otherwise from the first token on, so that nothing of it is remembered.
        let prompt = format!("{:08x} {}", getrandom::u32().unwrap_or(0), beginning(size.bytes));
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
            work.found.iter_mut().for_each(|found| found.add(speed, 1));
            Ok(true)
        }

        async fn end(self, _pace: &Pace<'_>, _notes: &mut Vec<String>) {
            self.0.borrow_mut().push(("end".to_owned(), 0));
        }
    }

    #[test]
    fn turns_go_round_and_what_fails_is_told_once() {
        let models: Vec<Model> =
            ["a", "bad", "c"].map(|name| Model { name: name.to_owned(), ..Model::default() }).into();
        let mut ways: Vec<Way> = (0..3)
            .flat_map(|model| {
                [1, 2].map(|count| Way::new(model, Threads { count: Some(count), is_spare: false }))
            })
            .collect();
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
    fn an_answer_that_ends_early_is_no_repeat() {
        let speed = |written| llm::Speed { read: 9.0, read_seconds: 1.0, written, written_seconds: 1.0 };
        let mut found = Found::default();
        for written in [1.0, 17.0, 18.0, 24.0] {
            found.add(speed(written), 24);
        }
        assert_eq!((found.document.len(), found.short), (2, 2));
    }

    #[test]
    fn a_spare_number_of_threads_only_where_there_is_time() {
        let way = |is_spare| Way::new(0, Threads { count: Some(1), is_spare });
        let ways = [way(false), way(false), way(true)];
        let pace = |seconds| Pace::new(Instant::now() + Duration::from_secs(seconds), true, &|_| {});
        // Two turns took four seconds: seven more are fourteen.
        assert!(is_time_for_another(&ways, Duration::from_secs(4), 2, &pace(15)));
        assert!(!is_time_for_another(&ways, Duration::from_secs(4), 2, &pace(13)));
        assert!(!is_time_for_another(&ways, Duration::ZERO, 0, &pace(99)));
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
