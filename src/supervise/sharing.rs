//! When memory is shared out in another way. A pure function, as the ladder is.
//!
//! To read many documents at a time takes the memory of a model that nobody asks. Each change costs a drain and, on the way
//! back, the loading of the model; so it is made in batches: not before the model has been idle for a while and more waits than
//! there are hands, and back only when whoever asks the model has waited for a while, or nothing is left to read.

use super::ladder::Rung;
use crate::container::mode::Mode;
use crate::queue::Waiting;

/// So long must the model be idle, ms.
const IDLE_MS: u64 = 30_000;
/// So long may the worker's own questions to the model wait while documents are read, ms.
const PATIENCE_MS: u64 = 120_000;
/// So long is nothing tried again that did not work, ms.
const AGAIN_MS: u64 = 300_000;
/// A model that takes no more than this of a CPU is idle, thousandths: its health check takes some, too.
const IDLE_CPU: u64 = 30;
/// So long is looked at before that is judged: a health check is short, and would seem much within a moment, ms.
const JUDGED_MS: u64 = 5_000;

/// What bears on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// Since the boot, ms.
    pub at_ms: u64,
    /// The ladder.
    pub rung: Rung,
    /// What waits; none where nobody says.
    pub waiting: Option<Waiting>,
    /// No worker says what it does: it is down, or hangs.
    pub silent: bool,
    /// Documents that the worker reads at a time.
    pub hands: usize,
    /// Documents that it reads now.
    pub reading: usize,
    /// Documents for which it asks the model now.
    pub extracting: usize,
    /// Connections to the model, the worker's among them.
    pub callers: usize,
    /// CPU time of the model since it was started, µs.
    pub model_cpu_us: u64,
}

/// How it is shared out, and what is remembered for the next time.
#[derive(Debug, Clone, Default)]
pub struct Sharing {
    mode: Mode,
    /// Since when the model has been idle, ms, and what CPU time it had taken by then, µs.
    idle_since: Option<(u64, u64)>,
    asked_since: Option<u64>,
    done_since: Option<u64>,
    silent_since: Option<u64>,
    not_before: u64,
    /// Memory was short: until then the model keeps its own, ms.
    short_until: u64,
    /// A change is under way.
    changing: bool,
}

impl Sharing {
    /// As it was found.
    pub fn new(mode: Mode) -> Self {
        Self { mode, ..Self::default() }
    }

    /// How it is shared out.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// A change is under way: to the model's side it takes the worker's claims away.
    pub const fn is_changing(&self) -> bool {
        self.changing
    }

    /// A change was made.
    pub fn is_now(&mut self, mode: Mode) {
        *self = Self { short_until: self.short_until, ..Self::new(mode) };
    }

    /// A change was tried, and could not be made.
    pub fn kept(&mut self, now: u64) {
        self.changing = false;
        // Back must be: the model sleeps.
        self.not_before = now + if self.mode == Mode::Reading { AGAIN_MS / 10 } else { AGAIN_MS };
    }

    /// How long nobody has asked the model, ms.
    fn idle_for(&mut self, look: &Look) -> u64 {
        let now = (look.at_ms, look.model_cpu_us);
        if look.callers > 0 || look.extracting > 0 {
            self.idle_since = None;
            return 0;
        }
        let (since, cpu) = *self.idle_since.get_or_insert(now);
        let passed = look.at_ms.saturating_sub(since);
        let worked = look.model_cpu_us.saturating_sub(cpu) > passed.max(JUDGED_MS) * IDLE_CPU;
        // A model that was started anew has taken less than before.
        if worked || look.model_cpu_us < cpu {
            self.idle_since = Some(now);
            return 0;
        }
        passed
    }

    /// Says what to change to, if anything.
    pub fn step(&mut self, look: &Look) -> Option<Mode> {
        let now = look.at_ms;
        let since = |mark: &mut Option<u64>, holds: bool| -> u64 {
            if !holds {
                *mark = None;
                return 0;
            }
            now.saturating_sub(*mark.get_or_insert(now))
        };
        let waiting = look.waiting.unwrap_or_default();
        let count = |n: i64| usize::try_from(n).unwrap_or(0);
        let idle = self.idle_for(look);
        let asked = look.callers > 0 || look.extracting > 0 || waiting.extract > 0;
        let asked_for = since(&mut self.asked_since, asked);
        let done = look.waiting.is_some() && count(waiting.ocr) + look.reading == 0;
        let done_for = since(&mut self.done_since, done);
        let silent_for = since(&mut self.silent_since, look.silent);
        if look.rung >= Rung::GiveBack {
            self.short_until = now + AGAIN_MS;
        }
        if self.changing || now < self.not_before {
            return None;
        }
        let wanted = match self.mode {
            Mode::Answering => {
                let much = look.waiting.is_some() && count(waiting.ocr) > look.hands;
                let calm = look.rung == Rung::Calm && now >= self.short_until;
                if much && calm && waiting.extract == 0 && idle >= IDLE_MS {
                    Mode::Reading
                } else {
                    Mode::Answering
                }
            }
            Mode::Reading => {
                // Whoever asks and is not our worker sits in front of it.
                let somebody = look.callers > look.extracting;
                let few = look.waiting.is_some() && count(waiting.ocr) + look.reading <= 1;
                if somebody
                    || look.rung >= Rung::GiveBack
                    || asked && few
                    || asked_for >= PATIENCE_MS
                    || done_for >= IDLE_MS
                    || silent_for >= IDLE_MS
                {
                    Mode::Answering
                } else {
                    Mode::Reading
                }
            }
        };
        if wanted == self.mode {
            return None;
        }
        self.changing = true;
        Some(wanted)
    }

    /// A model that is to sleep is awake: it was started anew, in the small limit of one that sleeps. It must have its memory back
    /// at once. Gives what to change to.
    pub fn woken(&mut self, now: u64) -> Option<Mode> {
        if self.mode != Mode::Reading || self.changing || now < self.not_before {
            return None;
        }
        self.changing = true;
        Some(Mode::Answering)
    }

    /// A model sleeps that is not to: a change broke off. It is brought back as any is.
    pub fn asleep(&mut self) {
        if self.mode == Mode::Answering && !self.changing {
            *self = Self::new(Mode::Reading);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(at_s: u64, ocr: i64, extract: i64) -> Look {
        let waiting = Some(Waiting { ocr, extract });
        Look { at_ms: at_s * 1000, waiting, hands: 2, reading: 2, ..Look::default() }
    }

    #[test]
    fn a_backlog_and_an_idle_model() {
        let mut sharing = Sharing::default();
        let mut at = 0;
        while sharing.step(&look(at, 40, 0)).is_none() {
            at += 5;
            assert!(at < 100);
        }
        assert_eq!(at, 30);
        assert!(sharing.is_changing());
        assert_eq!(sharing.step(&look(at + 5, 40, 0)), None);
        sharing.is_now(Mode::Reading);
        assert_eq!(sharing.step(&look(at + 10, 30, 0)), None);
    }

    /// 25 ms every ten seconds, whatever moment they fall into.
    #[test]
    fn a_health_check_is_nobodys_question() {
        let mut sharing = Sharing::default();
        let with = |at: u64| Look { model_cpu_us: at / 10 * 25_000, ..look(at, 40, 0) };
        let changed = (0..60).find(|at| sharing.step(&with(*at)).is_some());
        assert_eq!(changed, Some(30));
        // Two seconds of work within them are a question that fell between two looks.
        let mut sharing = Sharing::default();
        let with = |at: u64| Look { model_cpu_us: if at >= 20 { 2_000_000 } else { 0 }, ..look(at, 40, 0) };
        let changed = (0..90).find(|at| sharing.step(&with(*at)).is_some());
        assert_eq!(changed, Some(50));
    }

    #[test]
    fn no_change_for_few_or_while_the_model_works() {
        let mut sharing = Sharing::default();
        for at in 0..60 {
            assert_eq!(sharing.step(&look(at * 5, 2, 0)), None);
        }
        for at in 60..120 {
            let busy = Look { model_cpu_us: at * 5 * 500_000, ..look(at * 5, 40, 0) };
            assert_eq!(sharing.step(&busy), None);
        }
        for at in 120..180 {
            assert_eq!(sharing.step(&look(at * 5, 40, 3)), None, "somebody waits for the model");
        }
    }

    #[test]
    fn back_at_once_for_a_person_later_for_the_worker() {
        let mut sharing = Sharing::new(Mode::Reading);
        assert_eq!(sharing.step(&Look { callers: 1, ..look(0, 40, 0) }), Some(Mode::Answering));
        let mut sharing = Sharing::new(Mode::Reading);
        let own = |at| Look { callers: 1, extracting: 1, ..look(at, 40, 3) };
        for at in 0..12 {
            assert_eq!(sharing.step(&own(at * 10)), None);
        }
        assert_eq!(sharing.step(&own(120)), Some(Mode::Answering));
        sharing.kept(120_000);
        assert_eq!(sharing.step(&own(130)), None);
        assert_eq!(sharing.step(&own(150)), Some(Mode::Answering));
    }

    #[test]
    fn back_when_no_worker_says_anything() {
        let mut sharing = Sharing::new(Mode::Reading);
        let silent = |at: u64| Look { at_ms: at * 1000, silent: true, ..Look::default() };
        let changed = (0..90).find(|at| sharing.step(&silent(*at)).is_some());
        assert_eq!(changed, Some(30));
    }

    #[test]
    fn a_model_that_woke_up_by_itself_gets_its_memory_back() {
        let mut sharing = Sharing::new(Mode::Reading);
        assert_eq!(sharing.woken(0), Some(Mode::Answering));
        assert_eq!(sharing.woken(1), None, "it is under way");
        sharing.kept(2);
        assert_eq!(sharing.woken(3), None, "not again at once");
        assert_eq!(sharing.woken(30_002), Some(Mode::Answering));
        sharing.is_now(Mode::Answering);
        assert_eq!(sharing.woken(30_003), None);
        sharing.asleep();
        assert_eq!(sharing.mode(), Mode::Reading);
    }

    #[test]
    fn back_when_all_is_read_or_memory_runs_short() {
        let mut sharing = Sharing::new(Mode::Reading);
        let done = |at| Look { reading: 0, ..look(at, 0, 0) };
        for at in 0..6 {
            assert_eq!(sharing.step(&done(at * 5)), None);
        }
        assert_eq!(sharing.step(&done(30)), Some(Mode::Answering));
        let mut sharing = Sharing::new(Mode::Reading);
        let short = Look { rung: Rung::GiveBack, ..look(0, 40, 0) };
        assert_eq!(sharing.step(&short), Some(Mode::Answering));
        // And not to and fro while the host stays as it is.
        sharing.is_now(Mode::Answering);
        let again = (1..900).find(|at| sharing.step(&look(*at, 40, 0)).is_some());
        assert_eq!(again, Some(AGAIN_MS / 1000));
    }
}
