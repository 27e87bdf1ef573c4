//! Whose hand ended a container: somebody's, or that of an engine that goes.
//!
//! An engine that is stopped ends its containers as `docker stop` does; they are to run again when it is back. Whom somebody stopped is to
//! stay down. What tells them apart: an engine that goes takes no question any more before it asks the first container to end. So a
//! question that was put after that, and answered while the engine stayed, says that it was somebody. And what an engine that came back
//! tells of the time before was the engine: one that crashed ends what is left of it when it begins again.

/// How long after it was asked a container may take to end, µs.
const ASKED_US: u64 = 120_000_000;
/// Signals that may end a program.
const ENDING: [i32; 6] = [1, 2, 3, 6, 9, 15];
/// Of those, what somebody who reloads or traces sends.
const RELOADING: [i32; 2] = [1, 6];

/// What is known of one container. Times are µs since boot.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hand {
    asked: Option<Asked>,
    ended: Option<Ended>,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    at: u64,
    whose: Whose,
    reloads: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Open,
    Somebodys,
    TheEngines,
}

#[derive(Debug, Clone, Copy)]
struct Ended {
    at: u64,
    status: i64,
    whose: Whose,
}

impl Hand {
    /// The engine says that it was told to send a signal. `late`: it says so of a time before it came back. False: of a signal that ends nothing.
    pub(super) fn asks(&mut self, at: u64, signal: Option<i32>, late: bool) -> bool {
        if signal.is_some_and(|signal| !ENDING.contains(&signal)) {
            return false;
        }
        let reloads = signal.is_some_and(|signal| RELOADING.contains(&signal));
        // Whom somebody is stopping when the engine goes was stopped by somebody.
        let earlier = self.asked.filter(|asked| asked.whose == Whose::Somebodys && self.is_asked(at));
        let whose = match earlier {
            _ if late => Whose::TheEngines,
            Some(_) => Whose::Somebodys,
            None => Whose::Open,
        };
        self.asked = Some(Asked { at, whose, reloads: reloads && earlier.is_none() });
        true
    }

    /// Was it asked to end, not long ago?
    pub(super) fn is_asked(&self, now: u64) -> bool {
        self.asked.is_some_and(|asked| now.saturating_sub(asked.at) < ASKED_US)
    }

    /// It ended, since it was asked to. True: the engine that did it is back already.
    pub(super) fn ends(&mut self, at: u64, status: i64) -> bool {
        let whose = self.asked.map_or(Whose::Open, |asked| asked.whose);
        self.ended = (whose != Whose::TheEngines).then_some(Ended { at, status, whose });
        whose == Whose::TheEngines
    }

    /// It ended in another way, or runs.
    pub(super) fn lets_go(&mut self) {
        *self = Self::default();
    }

    /// The first look found it down: that may be long ago.
    pub(super) fn found_down(&mut self) {
        self.ended = Some(Ended { at: 0, status: 0, whose: Whose::Somebodys });
    }

    /// The engine, which did not go meanwhile, has answered a question that was put then.
    pub(super) fn answered(&mut self, put: u64) {
        if let Some(asked) = self.asked.as_mut().filter(|asked| !asked.reloads && asked.at < put) {
            if asked.whose == Whose::Open {
                asked.whose = Whose::Somebodys;
            }
        }
        if let Some(ended) = self.ended.as_mut().filter(|ended| ended.at < put) {
            ended.whose = Whose::Somebodys;
        }
    }

    /// Is it down because it was told to?
    pub(super) const fn is_down(&self) -> bool {
        self.ended.is_some()
    }

    /// Does it look as if it went along with the engine?
    pub(super) fn went_along(&self) -> bool {
        self.ended.is_some_and(|ended| ended.whose == Whose::Open)
    }

    /// The engine is back: with which status did this one go along? What it asked as it went is over; who lived on may die of something else.
    pub(super) fn engine_is_back(&mut self) -> Option<i64> {
        self.asked.take_if(|asked| asked.whose == Whose::Open);
        Some(self.ended.take_if(|ended| ended.whose == Whose::Open)?.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: Option<i32> = Some(15);

    #[test]
    fn whom_somebody_stops_stays_down() {
        let mut hand = Hand::default();
        assert!(hand.asks(10, TERM, false) && hand.is_asked(20));
        assert!(!hand.ends(20, 0) && hand.is_down() && hand.went_along());
        hand.answered(20);
        assert!(hand.went_along(), "a question put before its end says nothing");
        hand.answered(21);
        assert!(hand.is_down() && !hand.went_along());
        assert_eq!(hand.engine_is_back(), None);
        assert!(hand.is_down());
        hand.lets_go();
        assert!(!hand.is_down() && !hand.is_asked(30));
    }

    #[test]
    fn who_goes_along_with_the_engine_comes_back_however_long_it_takes() {
        let mut hand = Hand::default();
        hand.asks(10, TERM, false);
        hand.asks(30_000_010, Some(9), false);
        assert!(!hand.ends(30_000_020, 137) && hand.went_along());
        assert_eq!(hand.engine_is_back(), Some(137));
        assert!(!hand.is_down());
    }

    #[test]
    fn whom_somebody_is_stopping_when_the_engine_goes_stays_down() {
        let mut hand = Hand::default();
        hand.asks(10, TERM, false);
        hand.answered(11);
        // The engine asks again, and answers nothing more.
        hand.asks(40, TERM, false);
        assert!(!hand.ends(50, 0));
        assert_eq!(hand.engine_is_back(), None);
        // Long ago it was another matter.
        let mut hand = Hand::default();
        hand.asks(10, TERM, false);
        hand.answered(11);
        hand.asks(ASKED_US + 10, TERM, false);
        hand.ends(ASKED_US + 20, 0);
        assert_eq!(hand.engine_is_back(), Some(0));
    }

    #[test]
    fn who_was_reloaded_before_is_not_taken_for_stopped() {
        let mut hand = Hand::default();
        hand.asks(10, Some(1), false);
        hand.answered(11);
        hand.asks(40, TERM, false);
        hand.ends(50, 0);
        assert_eq!(hand.engine_is_back(), Some(0));
        // One whom that signal ended was ended by somebody.
        hand.asks(60, Some(1), false);
        hand.ends(61, 129);
        hand.answered(62);
        assert_eq!(hand.engine_is_back(), None);
        assert!(!Hand::default().asks(1, Some(10), false), "SIGUSR1 ends nothing");
    }

    #[test]
    fn who_outlives_the_engine_that_asked_it_dies_of_something_else() {
        let mut hand = Hand::default();
        hand.asks(10, TERM, false);
        assert_eq!(hand.engine_is_back(), None);
        hand.answered(20);
        assert!(!hand.is_asked(30));
    }

    #[test]
    fn what_a_new_engine_ended_as_it_began_comes_back() {
        let mut hand = Hand::default();
        hand.asks(10, TERM, true);
        hand.answered(11);
        assert!(hand.ends(12, 0), "to be started again");
        hand.answered(13);
        assert!(!hand.is_down());
    }
}
