//! What PP-OCR is to read again after Tesseract: nothing, words here and there, or the whole page.
//!
//! Tesseract is fast and small, PP-OCR exact. A word costs PP-OCR a hundredth of a page, so Tesseract's page is kept and only
//! what gives reason to doubt is read again, together with a neighbour or two.

use std::ops::Range;

use super::line::{Area, Line, Word, apart, mean};
use crate::document::rut;
use crate::document::text_layer::is_wordlike;

/// Words below this confidence are read again.
const WORD: f32 = 0.85;
/// A page below this mean confidence is read again as a whole: its lines were not found well either.
const PAGE: f32 = 0.72;
/// So is one of which this share of the text would be read again.
const SHARE: f64 = 0.45;

/// What is to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    Nothing,
    Parts(Vec<Part>),
    Page,
}

/// Words of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub line: usize,
    pub words: Range<usize>,
}

impl Part {
    pub(crate) fn place(&self, lines: &[Line]) -> Option<Area> {
        let words = lines.get(self.line)?.words.get(self.words.clone())?;
        words.iter().map(|word| word.place).reduce(Area::around)
    }
}

/// Decides about a page that Tesseract read. `has_ink`: is there anything on it?
#[allow(clippy::cast_precision_loss)] // sums of pixels
pub(crate) fn need(lines: &[Line], has_ink: bool) -> Need {
    if lines.is_empty() {
        return if has_ink { Need::Page } else { Need::Nothing };
    }
    if mean(lines.iter().flat_map(|line| &line.words)) < PAGE {
        return Need::Page;
    }
    let parts: Vec<Part> = (0..lines.len()).flat_map(|at| doubtful(at, &lines[at])).collect();
    let all: i64 = lines.iter().map(|line| i64::from(line.place().width)).sum();
    let again: i64 =
        parts.iter().filter_map(|part| part.place(lines)).map(|place| i64::from(place.width)).sum();
    if parts.is_empty() {
        Need::Nothing
    } else if again as f64 > all as f64 * SHARE {
        Need::Page
    } else {
        Need::Parts(parts)
    }
}

/// The doubtful words of a line, each with its neighbours where it is short, and joined where they touch.
fn doubtful(at: usize, line: &Line) -> Vec<Part> {
    let words = &line.words;
    let broken = has_broken_rut(&line.text());
    let doubt = |n: usize| {
        let word = &words[n];
        word.confidence < WORD
            || is_odd(&word.text)
            || (broken && word.text.chars().any(|c| c.is_ascii_digit()))
    };
    let mut parts: Vec<Part> = Vec::new();
    for n in (0..words.len()).filter(|n| doubt(*n)) {
        let place = words[n].place;
        let near = |other: usize| {
            let other = words.get(other)?.place;
            (gap(place, other) < place.height.max(other.height) * 3 / 2).then_some(())
        };
        // A word alone says little to a model of lines.
        let short = place.width < place.height * 4;
        let first = if short && n > 0 && near(n - 1).is_some() { n - 1 } else { n };
        let mut last = if short && near(n + 1).is_some() { n + 1 } else { n };
        // A box that reaches into the next word's was drawn around both: that word would be read twice.
        while words.get(last + 1).is_some_and(|next| gap(words[last].place, next.place) < 0) {
            last += 1;
        }
        // What stands between two words that are far apart is not theirs: a cell of another line.
        let beside = |part: &&mut Part| {
            first < part.words.end
                || (first == part.words.end
                    && first > 0
                    && gap(words[first - 1].place, words[first].place) < place.height * 3)
        };
        match parts.last_mut().filter(beside) {
            Some(part) => part.words.end = last + 1,
            None => parts.push(Part { line: at, words: first..last + 1 }),
        }
    }
    parts
}

/// How much is between two, across; less than nothing where they overlap.
fn gap(one: Area, other: Area) -> i32 {
    one.left.max(other.left) - one.right().min(other.right())
}

/// A RUT whose check digit is wrong, or a line that announces one and has none.
fn has_broken_rut(text: &str) -> bool {
    let found = rut::find(text);
    if !found.is_empty() {
        return found.iter().any(|rut| !rut.valid);
    }
    let announced =
        text.split(|c: char| !c.is_alphanumeric()).any(|word| matches!(word, "RUT" | "RUN" | "R.U.T"));
    announced && text.chars().filter(char::is_ascii_digit).count() >= 5
}

/// Is it no word as Spanish, or a language near to it, writes them?
pub(crate) fn is_odd(word: &str) -> bool {
    let core = word.trim_matches(|c: char| ".,;:()¡!¿?\"«»'-–—…".contains(c));
    let chars: Vec<char> = core.chars().collect();
    // Signs that stand where another was: º as * or ”, ² as ?, l as |.
    if core.chars().any(|c| "|*\\~^_={}<>[]”“‘\"`#¿?!¡«»•@€£¥§©®".contains(c)) {
        return true;
    }
    if word.ends_with(['”', '“', '"', '?']) && chars.len() < 3 && chars.iter().all(|c| c.is_alphanumeric())
    {
        return !chars.is_empty();
    }
    let pairs = || chars.iter().zip(chars.iter().skip(1));
    // Letters and digits in one, or brackets inside.
    if pairs()
        .any(|(a, b)| (a.is_alphabetic() && b.is_ascii_digit()) || (a.is_ascii_digit() && b.is_alphabetic()))
    {
        return true;
    }
    if pairs().any(|(a, b)| a.is_alphabetic() && "(),;:".contains(*b)) {
        return true;
    }
    match chars[..] {
        // A dash or a dot alone may have been another sign.
        [] => return word.chars().count() == 1,
        [one] if one.is_alphabetic() => return !"aeoyuAEOYU".contains(one) && !word.ends_with(['.', ')']),
        _ => {}
    }
    if core == "SpA" {
        return false;
    }
    let lower = core.to_lowercase();
    // What becomes of ü: gúe, gúi, and ii of any.
    if ["gúe", "gúi"].iter().any(|part| lower.contains(part)) || core.contains("ii") {
        return true;
    }
    core.split(|c: char| !c.is_alphabetic())
        .filter(|part| part.chars().count() >= 3)
        .any(|part| !is_wordlike(part))
}

/// Lines that Tesseract broke apart in the middle of a word or sentence, or whose words stand between each other, joined; rules of tables that it took for letters, left
/// out.
pub(crate) fn joined(lines: Vec<Line>) -> Vec<Line> {
    let mut found: Vec<Line> = Vec::new();
    for mut line in lines {
        line.words.retain(|word| !word.text.chars().all(|c| "|_—‖¦".contains(c)));
        if line.words.is_empty() {
            continue;
        }
        let place = line.place();
        let beside = found.iter_mut().rev().take(4).find(|other| {
            let at = other.place();
            at.in_row_with(place)
                && gap(at, place) < at.height.min(place.height)
                && line.words.iter().all(|word| other.words.iter().all(|o| apart(o.place, word.place)))
        });
        match beside {
            Some(other) => {
                other.words.append(&mut line.words);
                other.words.sort_by_key(|word| word.place.left);
            }
            None => found.push(line),
        }
    }
    found
}

/// A second reading without the words that follow it in the line: the box of a word may reach over its neighbours.
pub(crate) fn without_next(text: &str, next: &[Word]) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let repeats = (1..=words.len().saturating_sub(1).min(next.len())).rev().find(|count| {
        let same = words[words.len() - count..].iter().zip(next).all(|(word, next)| *word == next.text);
        same && words[words.len() - count..].iter().map(|word| word.chars().count()).sum::<usize>() > 3
    });
    words[..words.len() - repeats.unwrap_or(0)].join(" ")
}

/// Which of two readings of the same words is taken: PP-OCR's, unless it saw next to nothing.
pub(crate) fn takes_second(first: (&str, f32), second: (&str, f32)) -> bool {
    let (before, after) = (first.0.chars().count(), second.0.chars().count());
    if after == 0 || second.1 < 0.5 {
        return false;
    }
    let count = |text| rut::find(text).into_iter().filter(|rut| rut.valid).count();
    if count(first.0) > count(second.0) {
        return false;
    }
    // Half of it missing: the box was wrong.
    after * 2 >= before && second.1 + 0.1 >= first.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocr::line::Source;

    fn line(words: &[(&str, f32)]) -> Line {
        let word = |(at, (text, confidence)): (usize, &(&str, f32))| Word {
            text: (*text).to_owned(),
            place: Area { left: i32::try_from(at).unwrap() * 130, top: 0, width: 120, height: 20 },
            confidence: *confidence,
            source: Source::Tesseract,
        };
        Line { words: words.iter().enumerate().map(word).collect() }
    }

    fn sure(text: &str) -> Line {
        line(&text.split(' ').map(|word| (word, 0.96)).collect::<Vec<_>>())
    }

    #[test]
    fn a_clean_page_is_kept_and_an_empty_one_looked_at_again() {
        let clean =
            sure("La Dirección de Obras resuelve acoger la solicitud de doña María, RUT 12.345.678-5");
        assert_eq!(need(&[clean], true), Need::Nothing);
        assert_eq!(need(&[], true), Need::Page);
        assert_eq!(need(&[], false), Need::Nothing);
        assert_eq!(need(&[line(&[("Xq", 0.3), ("solicitud", 0.8)])], true), Need::Page);
    }

    #[test]
    fn doubtful_words_alone_are_read_again() {
        let mut doubtful = line(&[("según", 0.96); 9]);
        doubtful.words[4].confidence = 0.4;
        let parts = |words| Need::Parts(vec![Part { line: 0, words }]);
        assert_eq!(need(&[doubtful.clone()], true), parts(4..5));
        // A short one takes its neighbours along.
        doubtful.words[4].place.width = 50;
        doubtful.words[5].place.left = doubtful.words[4].place.right() + 10;
        assert_eq!(need(&[doubtful.clone()], true), parts(3..6));
        // Too many: the page.
        for word in &mut doubtful.words[0..6] {
            word.confidence = 0.8;
        }
        assert_eq!(need(&[doubtful], true), Need::Page);
        let broken =
            sure("cédula de identidad y RUT 12.345.673-5 domiciliada en calle Río Baker de esta comuna");
        assert_eq!(need(&[broken], true), parts(5..6));
        assert!(has_broken_rut("RUT 12.345.67B-5") && !has_broken_rut("RUT según ficha"));
    }

    #[test]
    fn odd_words() {
        for odd in [
            "N*",
            "N”",
            "m?",
            "cigiieñal",
            "pingúino",
            "7F3A",
            "s",
            "publico(Onunoa",
            "qwrtz",
            "só|o",
            "dEl",
            "-",
            "Miiller",
        ] {
            assert!(is_odd(odd), "{odd}");
        }
        for plain in [
            "Ñuñoa,",
            "(RUT",
            "12.345.678-5",
            "y",
            "O'Higgins",
            "¿Qué",
            "«después",
            "S.A.",
            "38,75",
            "SpA",
            "II",
            "a)",
            "08:30",
            "N°",
            "e-mail",
            "3.417/2022",
        ] {
            assert!(!is_odd(plain), "{plain}");
        }
    }

    #[test]
    fn broken_lines_are_joined_and_rules_left_out() {
        let (mut first, mut second, below) = (sure("Para consulta"), sure("s escriba |"), sure("otra cosa"));
        for word in &mut second.words {
            word.place.left += 252;
        }
        second.words[0].place.width = 10;
        second.words[1].place.left = 270;
        first.words[1].place.width = 120;
        let mut below = below;
        for word in &mut below.words {
            word.place.top = 30;
        }
        let found = joined(vec![first, second, below]);
        assert_eq!(
            found.iter().map(Line::text).collect::<Vec<_>>(),
            ["Para consulta s escriba", "otra cosa"]
        );
    }

    #[test]
    fn cells_between_the_words_of_another_line_are_put_there() {
        let (mut outer, mut inner) = (sure("2 1"), sure("Mantención de"));
        outer.words[0].place.width = 20;
        outer.words[1].place.left = 500;
        for word in &mut inner.words {
            word.place.left += 60;
        }
        // Far apart, they are two parts, and not one with all that stands between.
        assert_eq!(
            doubtful(0, &{
                let mut far = line(&[("2", 0.3), ("1", 0.3)]);
                far.words[1].place.left = 500;
                far
            })
            .len(),
            2
        );
        let found = joined(vec![outer, inner]);
        assert_eq!(found.iter().map(Line::text).collect::<Vec<_>>(), ["2 Mantención de 1"]);
    }

    #[test]
    fn no_word_is_read_twice() {
        let next = sure("de 2020. en").words;
        assert_eq!(without_next("8.270, de 2020.", &next), "8.270,");
        assert_eq!(without_next("cerca de", &next), "cerca de");
        assert_eq!(without_next("de 2020.", &next), "de 2020.");
        assert_eq!(without_next("x", &[]), "x");
    }

    #[test]
    fn the_second_reading_has_to_be_worth_it() {
        assert!(takes_second(("N*", 0.3), ("Nº", 0.99)));
        assert!(!takes_second(("palabra", 0.7), ("", 0.0)));
        assert!(!takes_second(("una palabra larga", 0.7), ("una", 0.9)));
        assert!(!takes_second(("12.345.678-5", 0.6), ("12.345.673-5", 0.99)));
        assert!(!takes_second(("x", 0.9), ("y", 0.6)));
    }
}
