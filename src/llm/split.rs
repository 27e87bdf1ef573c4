//! Cutting a document that is longer than the context: between pages where that fills a chunk well enough, else between
//! paragraphs, sentences, words, and at last anywhere.

use std::ops::Range;

use super::prompt::defused;
use super::tokens::{Ruler, floor};

/// A chunk repeats at most this part of its size from the one before, so that a sentence on the edge is read as a whole.
const OVERLAP: usize = 12;
/// A cut is looked for in what is behind this part of a chunk: earlier ones would make many small chunks.
const FILLED: usize = 3;

/// A document as the model gets to read it.
pub(super) struct Document {
    pub(super) text: String,
    /// Where pages begin, but for the first.
    pages: Vec<usize>,
}

impl Document {
    pub(super) fn new(pages: &[String]) -> Self {
        let mut text = String::new();
        let mut begins = Vec::new();
        for page in pages.iter().map(|page| page.trim()).filter(|page| !page.is_empty()) {
            if !text.is_empty() {
                text += "\n\n";
                begins.push(text.len());
            }
            text += &defused(page);
        }
        Self { text, pages: begins }
    }

    /// Chunks of `room` tokens at most, from `from` to the end.
    pub(super) fn split(&self, ruler: &Ruler, from: usize, room: usize) -> Vec<Range<usize>> {
        let mut chunks = Vec::new();
        let mut start = from;
        loop {
            start += self.text[start..].len() - self.text[start..].trim_start().len();
            if start >= self.text.len() {
                return chunks;
            }
            let most = ruler.end(start, room);
            if most >= self.text.len() {
                chunks.push(start..self.text.len());
                return chunks;
            }
            let end = self.cut(start, most);
            chunks.push(start..end);
            // Room for what is new is always left, so this comes to an end.
            start = self.again(ruler, start, end, room / OVERLAP);
        }
    }

    /// The best place to cut, behind `start` and not behind `most`.
    fn cut(&self, start: usize, most: usize) -> usize {
        let most = floor(&self.text, most);
        let first = self.text[start..].chars().next().map_or(1, char::len_utf8);
        let most = most.max(start + first);
        let least = floor(&self.text, start + (most - start) / FILLED).max(start);
        let inside = |at: &usize| *at > least && *at <= most;
        if let Some(page) = self.pages.iter().rev().copied().find(inside) {
            return page;
        }
        let part = &self.text[least..most];
        let behind = |found: Option<usize>| found.map(|at| least + at).filter(inside);
        behind(part.rfind("\n\n").map(|at| at + 2))
            .or_else(|| behind(last_sentence(part)))
            .or_else(|| behind(part.rfind(char::is_whitespace).map(|at| at + 1)))
            .map_or(most, |at| floor(&self.text, at))
    }

    /// Where the chunk behind `start..end` begins: at the last whole sentence that fits into `overlap` tokens, or word.
    fn again(&self, ruler: &Ruler, start: usize, end: usize, overlap: usize) -> usize {
        let from =
            floor(&self.text, ruler.start(end, overlap)).max(floor(&self.text, start + (end - start) / 2));
        let part = &self.text[from..end];
        let begins = first_sentence(part).or_else(|| part.find(char::is_whitespace));
        begins.map_or(end, |at| from + at).min(end)
    }
}

const MARKS: [&str; 6] = [". ", ".\n", "? ", "?\n", "! ", "!\n"];

/// Behind the last sentence that ends in this part, or its last line.
fn last_sentence(part: &str) -> Option<usize> {
    let sentence = MARKS.iter().filter_map(|mark| part.rfind(mark)).max().map(|at| at + 2);
    sentence.or_else(|| part.rfind('\n').map(|at| at + 1))
}

/// Behind the first one.
fn first_sentence(part: &str) -> Option<usize> {
    let sentence = MARKS.iter().filter_map(|mark| part.find(mark)).min().map(|at| at + 2);
    sentence.or_else(|| part.find('\n').map(|at| at + 1)).filter(|at| *at < part.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunks(pages: &[&str], room: usize) -> Vec<String> {
        let pages: Vec<String> = pages.iter().map(|page| (*page).to_owned()).collect();
        let document = Document::new(&pages);
        let ruler = Ruler::estimated(&document.text);
        let parts = document.split(&ruler, 0, room);
        parts.into_iter().map(|part| document.text[part].trim_end().to_owned()).collect()
    }

    #[test]
    fn what_fits_is_one_chunk() {
        assert_eq!(chunks(&["uno dos", " ", "tres"], 100), ["uno dos\n\ntres"]);
        assert!(chunks(&["", " \n"], 100).is_empty());
    }

    #[test]
    fn pages_come_first_then_paragraphs_sentences_and_words() {
        // Each word here is one token, and each line's end another.
        assert_eq!(chunks(&["uno dos uno dos", "uno dos"], 6), ["uno dos uno dos", "uno dos"]);
        assert_eq!(chunks(&["a b c d\n\ne f g h"], 6), ["a b c d", "e f g h"]);
        assert_eq!(chunks(&["a b c. d e f"], 5), ["a b c.", "d e f"]);
        assert_eq!(chunks(&["a b c d e f"], 4), ["a b c d", "e f"]);
        assert_eq!(chunks(&["123456789"], 4), ["1234", "5678", "9"]);
    }

    #[test]
    fn a_little_is_read_twice() {
        let sentences: String = (0..40).map(|n| format!("esta es la frase {n:02}. ")).collect();
        let found = chunks(&[&sentences], 160);
        assert!(found.len() > 2);
        for pair in found.windows(2) {
            let last = pair[0].rsplit_once(". ").unwrap().1;
            assert!(pair[1].starts_with(last), "{pair:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn nothing_is_lost(text in "[a-zñ0-9 .\n😀<|]{0,400}", room in 1usize..80) {
            let document = Document::new(&[text.clone(), text]);
            let ruler = Ruler::estimated(&document.text);
            let parts = document.split(&ruler, 0, room);
            let mut covered = 0;
            for part in &parts {
                prop_assert!(document.text[covered.min(part.start)..part.start].trim().is_empty());
                prop_assert!(part.end > covered);
                // A character can have more tokens than there is room for.
                let one = document.text[part.clone()].chars().count() == 1;
                prop_assert!(one || ruler.tokens(part.clone()) <= room);
                covered = part.end;
            }
            prop_assert!(document.text[covered..].trim().is_empty());
        }
    }
}
