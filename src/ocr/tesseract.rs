//! What Tesseract prints in its TSV format, as lines of words.

use super::line::{Area, Line, Source, Word};
use super::pages::note;
use super::result::Note;
use crate::host::sandbox::ToolError;
use crate::t;

/// Its arguments: a picture comes in, and a table goes out.
pub(crate) fn arguments<'a>(language: &'a str, dpi: &'a str) -> Vec<&'a str> {
    vec!["-", "-", "-l", language, "--dpi", dpi, "--psm", "3", "tsv"]
}

/// It has none of the languages: this machine lacks something, and the document nothing. Its own `--list-langs` would tell that
/// before, but takes 70 ms of each document.
pub(super) fn missing_language(error: &ToolError, language: &str) -> Option<Note> {
    let ToolError::Failed(_, words) = error else { return None };
    let lacks =
        ["Error opening data file", "couldn't load any languages"].iter().all(|said| words.contains(said));
    lacks.then(|| {
        note(
            "tool_missing",
            t!(
                "Tesseract does not have the language {language}; on Debian and Ubuntu: apt-get install {packages}",
                language = language,
                packages = format!("tesseract-ocr-{}", language.replace('_', "-").replace('+', " tesseract-ocr-"))
            ),
        )
    })
}

/// Reads its table. A row is: level, page, block, paragraph, line, word, left, top, width, height, confidence, text.
pub(crate) fn lines(table: &str) -> Vec<Line> {
    let mut found: Vec<Line> = Vec::new();
    let mut before = None;
    for row in table.lines() {
        let cells: Vec<&str> = row.splitn(12, '\t').collect();
        let [level, _, block, paragraph, line, _, left, top, width, height, confidence, text] = cells[..]
        else {
            continue;
        };
        let text = text.trim();
        if level != "5" || text.is_empty() {
            continue;
        }
        let numbers = [left, top, width, height].map(|cell| cell.parse::<i32>().ok());
        let ([Some(left), Some(top), Some(width), Some(height)], Ok(confidence)) =
            (numbers, confidence.parse::<f32>())
        else {
            continue;
        };
        let word = Word {
            text: text.to_owned(),
            place: Area::within([left, top, width, height]),
            confidence: (confidence / 100.0).clamp(0.0, 1.0),
            source: Source::Tesseract,
        };
        let key = Some((block.to_owned(), paragraph.to_owned(), line.to_owned()));
        match found.last_mut().filter(|_| before == key) {
            Some(line) => line.words.push(word),
            None => found.push(Line { words: vec![word] }),
        }
        before = key;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table() {
        let table = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n\
                     1\t1\t0\t0\t0\t0\t0\t0\t1654\t2339\t-1\t\n\
                     5\t1\t1\t1\t1\t1\t10\t20\t30\t12\t96.5\tÑuñoa,\n5\t1\t1\t1\t1\t2\t50\t20\t30\t12\t12\ta\tb\n\
                     5\t1\t1\t1\t2\t1\t10\t40\t30\t12\t90\t \n5\t1\t1\t1\t2\t1\t10\t40\t30\t12\t90\tfin\n5\t1\tx\n5\t1\t1\t1\t3\t1\tx\t40\t30\t12\t90\tno\n";
        let lines = lines(table);
        assert_eq!(lines.iter().map(Line::text).collect::<Vec<_>>(), ["Ñuñoa, a\tb", "fin"]);
        assert_eq!(lines[0].place(), Area { left: 10, top: 20, width: 70, height: 12 });
        assert!((lines[0].words[1].confidence - 0.12).abs() < 1e-6);
    }
}
