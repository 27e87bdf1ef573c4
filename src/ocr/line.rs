//! Lines of words with their places on the page.

/// An upright rectangle in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Area {
    pub left: i32,
    pub top: i32,
    pub width: i32,
    pub height: i32,
}

/// Farther out is nothing: sums of a few of these are far from the ends of an `i32`.
const FAR: i32 = 10_000_000;

impl Area {
    /// With numbers that somebody else wrote.
    pub(crate) fn within([left, top, width, height]: [i32; 4]) -> Self {
        let near = |at: i32| at.clamp(-FAR, FAR);
        Self { left: near(left), top: near(top), width: near(width).max(0), height: near(height).max(0) }
    }

    pub(crate) fn right(self) -> i32 {
        self.left.saturating_add(self.width)
    }

    pub(crate) fn bottom(self) -> i32 {
        self.top.saturating_add(self.height)
    }

    /// On a page of another size.
    pub(crate) fn scaled(self, by: f64) -> Self {
        self.moved(|x, y| (x * by, y * by))
    }

    /// The smallest upright one around its corners, moved.
    #[allow(clippy::cast_possible_truncation)] // pixels of a page
    pub(crate) fn moved(self, to: impl Fn(f64, f64) -> (f64, f64)) -> Self {
        let (left, top) = (f64::from(self.left), f64::from(self.top));
        let (right, bottom) = (f64::from(self.right()), f64::from(self.bottom()));
        let corners = [to(left, top), to(right, top), to(left, bottom), to(right, bottom)];
        let least =
            |of: fn((f64, f64)) -> f64| corners.map(of).into_iter().fold(f64::MAX, f64::min).round() as i32;
        let most =
            |of: fn((f64, f64)) -> f64| corners.map(of).into_iter().fold(f64::MIN, f64::max).round() as i32;
        let (left, top) = (least(|at| at.0), least(|at| at.1));
        let (right, bottom) = (most(|at| at.0), most(|at| at.1));
        Self::within([left, top, right.saturating_sub(left), bottom.saturating_sub(top)])
    }

    /// The smallest one around both.
    pub(crate) fn around(self, other: Self) -> Self {
        let (left, top) = (self.left.min(other.left), self.top.min(other.top));
        let (right, bottom) = (self.right().max(other.right()), self.bottom().max(other.bottom()));
        Self { left, top, width: right - left, height: bottom - top }
    }

    /// Do both stand in one row: does half of the lower one's height overlap?
    pub(crate) fn in_row_with(self, other: Self) -> bool {
        let shared = self.bottom().min(other.bottom()) - self.top.max(other.top);
        shared * 2 >= self.height.min(other.height).max(1)
    }
}

/// Who read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    TextLayer,
    Tesseract,
    PpOcr,
}

impl Source {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::TextLayer => "text-layer",
            Self::Tesseract => "tesseract",
            Self::PpOcr => "pp-ocr",
        }
    }
}

/// A word, or several that were read together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Word {
    pub text: String,
    pub place: Area,
    /// 0 to 1.
    pub confidence: f32,
    pub source: Source,
}

/// A line; it has a word at least.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub words: Vec<Word>,
}

impl Line {
    pub(crate) fn text(&self) -> String {
        let words: Vec<&str> = self.words.iter().map(|word| word.text.as_str()).collect();
        words.join(" ")
    }

    pub(crate) fn place(&self) -> Area {
        let places = self.words.iter().map(|word| word.place);
        places.reduce(Area::around).unwrap_or(Area { left: 0, top: 0, width: 0, height: 0 })
    }

    /// The mean of its words, each as often as it has characters.
    pub(crate) fn confidence(&self) -> f32 {
        mean(self.words.iter())
    }

    /// The one who read most of it.
    pub(crate) fn source(&self) -> Option<Source> {
        let length = |source: Source| -> usize {
            self.words.iter().filter(|word| word.source == source).map(|word| word.text.chars().count()).sum()
        };
        [Source::TextLayer, Source::Tesseract, Source::PpOcr].into_iter().max_by_key(|source| length(*source))
    }
}

/// The confidence of words, weighed by their length.
#[allow(clippy::cast_precision_loss)] // lengths of words
pub(crate) fn mean<'w>(words: impl Iterator<Item = &'w Word>) -> f32 {
    let (sum, count) = words.fold((0.0, 0.0), |(sum, count), word| {
        let length = word.text.chars().count() as f32;
        (sum + word.confidence * length, count + length)
    });
    if count > 0.0 { sum / count } else { 0.0 }
}

/// Lines that were found without an order, as one reads them: rows from the top, each from the left. What stands in one row
/// becomes one line, as the cells of a table do.
pub(crate) fn rows(mut lines: Vec<Line>) -> Vec<Line> {
    lines.sort_by_key(|line| line.place().top * 2 + line.place().height);
    let mut rows: Vec<Vec<Line>> = Vec::new();
    for line in lines {
        let place = line.place();
        // Of the last rows, since a slanted line may reach past its neighbour.
        let row = rows.iter_mut().rev().take(3).find(|row| {
            let last = row.iter().min_by_key(|other| (other.place().left - place.left).abs());
            last.is_some_and(|last| last.place().in_row_with(place))
                && row.iter().all(|other| apart(other.place(), place))
        });
        match row {
            Some(row) => row.push(line),
            None => rows.push(vec![line]),
        }
    }
    rows.into_iter()
        .map(|mut row| {
            row.sort_by_key(|line| line.place().left);
            Line { words: row.into_iter().flat_map(|line| line.words).collect() }
        })
        .collect()
}

/// Lines in reading order, in which what follows to the right in the same row is one line with what is before: the cells of a
/// table's row, and not the columns of a newspaper.
pub(crate) fn chained(lines: Vec<Line>) -> Vec<Line> {
    let mut found: Vec<Line> = Vec::new();
    for mut line in lines {
        let place = line.place();
        let last = found.last_mut().filter(|last| {
            last.words
                .last()
                .is_some_and(|word| word.place.right() <= place.left && word.place.in_row_with(place))
        });
        match last {
            Some(last) => last.words.append(&mut line.words),
            None => found.push(line),
        }
    }
    found
}

/// Do they stand beside each other? Two that overlap are two lines, however near.
pub(crate) fn apart(one: Area, other: Area) -> bool {
    let shared = one.right().min(other.right()) - one.left.max(other.left);
    shared * 2 <= one.height.min(other.height)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, left: i32, top: i32, width: i32) -> Line {
        let place = Area { left, top, width, height: 20 };
        Line { words: vec![Word { text: text.to_owned(), place, confidence: 1.0, source: Source::PpOcr }] }
    }

    #[test]
    fn rows_of_a_table_and_of_prose() {
        let found = rows(vec![
            line("d", 300, 52, 50),
            line("prose", 0, 0, 400),
            line("c", 100, 48, 50),
            line("b", 0, 50, 50),
            line("next", 0, 74, 400),
        ]);
        assert_eq!(found.iter().map(Line::text).collect::<Vec<_>>(), ["prose", "b c d", "next"]);
    }

    #[test]
    fn numbers_of_others_do_not_overflow() {
        let far = Area::within([i32::MIN, i32::MAX, i32::MAX, -5]);
        let lines = [far, far.scaled(1e30), far.moved(|x, y| (-x, y * 1e300)), Area::within([0, 0, 9, 9])]
            .map(|place| Line { words: vec![Word { place, ..line("a", 0, 0, 1).words.remove(0) }] });
        assert!(far.around(lines[2].place()).width > 0 && apart(far, far) == apart(far, far));
        assert_eq!(rows(lines.to_vec()).iter().map(|row| row.words.len()).sum::<usize>(), 4);
        assert_eq!(chained(lines.to_vec()).iter().map(|row| row.words.len()).sum::<usize>(), 4);
    }

    #[test]
    fn cells_in_order_are_one_row() {
        let found = chained(vec![
            line("a", 0, 0, 50),
            line("b", 60, 2, 50),
            line("c", 0, 30, 50),
            line("d", 200, 0, 50),
        ]);
        assert_eq!(found.iter().map(Line::text).collect::<Vec<_>>(), ["a b", "c", "d"]);
    }

    #[test]
    fn confidence_counts_characters() {
        let mut one = line("abc", 0, 0, 10);
        one.words.extend(line("d", 10, 0, 10).words);
        one.words[0].confidence = 0.6;
        assert!((one.confidence() - 0.7).abs() < 1e-6);
        assert_eq!((one.source(), one.place().width), (Some(Source::PpOcr), 20));
    }
}
