//! Repeats: their middle and their spread, and whether two of them differ.

/// The repeats of one measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
    /// How many there were.
    pub runs: usize,
}

/// How two measurements compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every repeat of the first was better than every repeat of the second.
    Better,
    /// The other way round.
    Worse,
    /// Their repeats overlap.
    NoDifference,
    /// There are too few repeats to say, or there is nothing to compare with.
    CouldNotTell,
}

/// Repeats of each without which nothing is said: the spread of fewer is chance.
pub(super) const ENOUGH: u32 = 3;

impl Spread {
    /// Of these values; `None` of none, and of what is no number.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        Some(Self { median: quantile(&sorted, 0.5), min, max, runs: sorted.len() })
    }

    /// A value that has no spread: it follows from others.
    pub const fn exact(value: f64) -> Self {
        Self { median: value, min: value, max: value, runs: 1 }
    }

    /// Each value seen through a function that keeps their order, or turns it round.
    #[must_use]
    pub fn map(self, change: impl Fn(f64) -> f64) -> Self {
        let (one, other) = (change(self.min), change(self.max));
        Self { median: change(self.median), min: one.min(other), max: one.max(other), runs: self.runs }
    }

    /// Are there enough repeats to say anything?
    pub const fn is_enough(&self) -> bool {
        self.runs >= ENOUGH as usize
    }

    /// Does it differ by more than the repeats do among themselves?
    pub const fn against(&self, other: &Self, more_is_better: bool) -> Verdict {
        if !self.is_enough() || !other.is_enough() {
            return Verdict::CouldNotTell;
        }
        let (above, below) = (self.min > other.max, self.max < other.min);
        match (above, below, more_is_better) {
            (true, _, true) | (_, true, false) => Verdict::Better,
            (true, _, false) | (_, true, true) => Verdict::Worse,
            _ => Verdict::NoDifference,
        }
    }
}

/// The value below which this share of sorted values lies, between two of them where it falls there.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    #[allow(clippy::cast_precision_loss)]
    let at = last as f64 * share.clamp(0.0, 1.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let low = at as usize;
    let (one, other) = (sorted[low], sorted[(low + 1).min(last)]);
    one + (other - one) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::float_cmp)] // Values that are exact.
    fn the_middle_and_the_ends() {
        let odd = Spread::of(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!((odd.median, odd.min, odd.max, odd.runs), (2.0, 1.0, 3.0, 3));
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert_eq!(Spread::of(&[f64::NAN, 7.0]).unwrap().runs, 1);
        assert_eq!(Spread::of(&[]), None);
        let hundred: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!(
            (quantile(&hundred, 0.99), quantile(&hundred, 0.0), quantile(&hundred, 1.0)),
            (99.0, 0.0, 100.0)
        );
        let turned = Spread::of(&[1.0, 2.0, 4.0]).unwrap().map(|value| 4.0 / value);
        assert_eq!((turned.median, turned.min, turned.max), (2.0, 1.0, 4.0));
    }

    #[test]
    fn a_difference_is_more_than_the_spread() {
        let of = |values: &[f64]| Spread::of(values).unwrap();
        let (low, high, wide) = (of(&[10.0, 10.5, 11.0]), of(&[12.0, 12.5, 13.0]), of(&[9.0, 10.0, 12.5]));
        assert_eq!(high.against(&low, true), Verdict::Better);
        assert_eq!(high.against(&low, false), Verdict::Worse);
        assert_eq!(low.against(&high, false), Verdict::Better);
        assert_eq!(high.against(&wide, true), Verdict::NoDifference);
        // Two runs have hardly a spread to compare with.
        assert_eq!(of(&[100.0, 101.0]).against(&low, true), Verdict::CouldNotTell);
        assert_eq!(low.against(&of(&[100.0]), true), Verdict::CouldNotTell);
        assert_eq!(Spread::exact(1.0).against(&Spread::exact(2.0), true), Verdict::CouldNotTell);
    }
}
