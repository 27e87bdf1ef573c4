//! The text that a PDF brings along: lines with their places, and whether it can be trusted.

use quick_xml::escape::unescape;

/// A line of a text layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it says.
    pub text: String,
    /// Left, top, right and bottom in points.
    pub place: [f64; 4],
}

/// The lines of one page, and its size, of what `pdftotext -bbox-layout` prints.
pub fn lines(text: &str) -> (Option<(f64, f64)>, Vec<Line>) {
    let (mut size, mut found) = (None, Vec::new());
    let mut line: Option<Line> = None;
    for row in text.lines().map(str::trim) {
        if let Some(rest) = row.strip_prefix("<page ") {
            size = size.or_else(|| Some((attribute(rest, "width")?, attribute(rest, "height")?)));
        } else if let Some(rest) = row.strip_prefix("<line ") {
            let place = ["xMin", "yMin", "xMax", "yMax"].map(|name| attribute(rest, name).unwrap_or(0.0));
            line = Some(Line { text: String::new(), place });
        } else if let Some(rest) = row.strip_prefix("<word ") {
            let word =
                rest.split_once('>').and_then(|(_, word)| word.strip_suffix("</word>")).unwrap_or_default();
            let word = unescape(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned);
            if let Some(line) = &mut line {
                if !line.text.is_empty() {
                    line.text.push(' ');
                }
                line.text.extend(word.chars().filter(|c| !c.is_control()));
            }
        } else if row == "</line>" {
            found.extend(line.take().filter(|line| !line.text.trim().is_empty()));
        }
    }
    (size, found)
}

fn attribute(tag: &str, name: &str) -> Option<f64> {
    let value = tag.split_once(&format!("{name}=\""))?.1.split('"').next()?;
    value.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Why a page's own text is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Hardly a letter: a scan, or letters that are drawn as curves.
    Empty,
    /// A picture fills the page, and the text is a stamp or a footer on it.
    Stamp,
    /// Characters that no text has: fonts without a proper map.
    Garbage,
    /// Letters, but no words.
    NoWords,
}

/// The least letters of a page that says something.
const LETTERS: usize = 20;
/// The least letters of a page that a picture fills: a scan that was read before has more.
const LETTERS_ON_PICTURE: usize = 250;

/// Can a page's own text be taken? `covered` is how much of it the largest picture fills, from 0 to 1.
pub fn judge(text: &str, covered: f64) -> Result<(), Fault> {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    if letters < LETTERS {
        return Err(Fault::Empty);
    }
    if covered > 0.5 && letters < LETTERS_ON_PICTURE {
        return Err(Fault::Stamp);
    }
    let (shown, odd) = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .fold((0_usize, 0_usize), |(all, odd), c| (all + 1, odd + usize::from(is_odd(c))));
    if odd * 50 > shown {
        return Err(Fault::Garbage);
    }
    // A quarter of what is printed being neither letter nor digit is no prose, no form and no table.
    let plain = text.chars().filter(|c| c.is_alphanumeric()).count();
    if plain * 2 < shown {
        return Err(Fault::Garbage);
    }
    // In every language of Latin script a third of the letters or more are vowels; shifted fonts have other letters there.
    let latin = text.chars().filter(|c| c.is_alphabetic() && (*c as u32) < 0x250).count();
    if latin * 2 > letters && text.chars().filter(|c| is_vowel(*c)).count() * 4 < latin {
        return Err(Fault::NoWords);
    }
    let (mut words, mut wordlike) = (0_usize, 0_usize);
    for word in text.split(|c: char| !c.is_alphabetic()).filter(|word| word.chars().count() >= 3) {
        words += 1;
        wordlike += usize::from(is_wordlike(word));
    }
    if words == 0 || wordlike * 10 < words * 7 { Err(Fault::NoWords) } else { Ok(()) }
}

/// Control characters, private ones, the replacement character, and marks that only a wrong map makes.
fn is_odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{fffd}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'.. | '\u{250}'..='\u{2af}' | '\u{fff0}'..='\u{ffff}')
}

fn is_vowel(c: char) -> bool {
    "aeiouáéíóúüàèìòùâêîôûäëïöãõåæøœAEIOUÁÉÍÓÚÜÀÈÌÒÙÂÊÎÔÛÄËÏÖÃÕÅÆØŒ".contains(c)
}

/// Does it look like a word of a language in Latin script: a vowel, no long run of consonants, capitals at the beginning or
/// everywhere? Words of other scripts pass.
pub(crate) fn is_wordlike(word: &str) -> bool {
    let is_vowel = |c: char| is_vowel(c) || "yY".contains(c);
    if word.chars().all(|c| c as u32 > 0x24f) {
        return true;
    }
    let (mut run, mut longest, mut vowels) = (0, 0, 0);
    for c in word.chars() {
        run = if is_vowel(c) { 0 } else { run + 1 };
        vowels += usize::from(is_vowel(c));
        longest = longest.max(run);
    }
    let all_capitals = !word.chars().any(char::is_lowercase);
    let capital_inside =
        word.chars().zip(word.chars().skip(1)).any(|(a, b)| a.is_lowercase() && b.is_uppercase());
    (all_capitals && word.chars().count() <= 5)
        || (vowels > 0 && longest <= 4 && (all_capitals || !capital_inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pdftotext_prints() {
        let text = "<doc>\n  <page width=\"595.3\" height=\"841.9\">\n <block>\n  <line xMin=\"72\" yMin=\"57.5\" xMax=\"300\" yMax=\"70\">\n\
                    <word xMin=\"72\" yMin=\"57\" xMax=\"90\" yMax=\"70\">Ñuñoa</word>\n<word xMin=\"72\">a&amp;b</word>\n</line>\n\
                    <line xMin=\"1\" yMin=\"2\" xMax=\"3\" yMax=\"4\">\n</line>\n";
        let (size, lines) = lines(text);
        assert_eq!(size, Some((595.3, 841.9)));
        assert_eq!(lines, [Line { text: "Ñuñoa a&b".to_owned(), place: [72.0, 57.5, 300.0, 70.0] }]);
    }

    #[test]
    fn good_and_bad_layers() {
        let prose = "El interesado podrá interponer recurso de reposición dentro del plazo de cinco días, RUT 12.345.678-5. ";
        assert_eq!(judge(prose, 0.0), Ok(()));
        assert_eq!(judge(prose, 1.0), Err(Fault::Stamp));
        assert_eq!(judge(&prose.repeat(5), 1.0), Ok(()));
        assert_eq!(judge("12 34", 0.0), Err(Fault::Empty));
        assert_eq!(judge(&"\u{f8f1}\u{fffd}abc".repeat(20), 0.0), Err(Fault::Garbage));
        assert_eq!(judge(&"(/#$ %&x) ".repeat(30), 0.0), Err(Fault::Garbage));
        // A font whose letters are shifted by some places.
        let shifted: String = prose
            .chars()
            .map(|c| if c.is_ascii_lowercase() { char::from((c as u8 - b'a' + 10) % 26 + b'a') } else { c })
            .collect();
        assert_eq!(judge(&shifted, 0.0), Err(Fault::NoWords), "{shifted}");
    }
}
