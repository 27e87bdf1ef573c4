//! Pages that lie on their side or stand on their head: noticed by what a reading of them is worth, and turned by what Tesseract's
//! detector of orientations says.

use super::line::{Line, mean};
use crate::document::Raster;
use crate::document::image::quarters;

/// A page that is upright is read with more confidence than this, or is so bad that turning it costs little beside it.
const SUSPECT: f32 = 0.6;
/// Generated pages have 10 to 23, upright or turned; pages that say next to nothing have less than 2.
const SURE: f64 = 4.0;

/// Its arguments: a picture comes in, and a few lines about its orientation go out.
pub(crate) fn arguments(dpi: &str) -> [&str; 6] {
    ["-", "-", "--dpi", dpi, "--psm", "0"]
}

/// Could the page be turned? `has_ink`: there is something on it.
pub(crate) fn is_suspect(lines: &[Line], has_ink: bool) -> bool {
    if lines.is_empty() { has_ink } else { confidence(lines) < SUSPECT }
}

/// How sure its words are.
pub(crate) fn confidence(lines: &[Line]) -> f32 {
    mean(lines.iter().flat_map(|line| &line.words))
}

/// By how many quarters, clockwise, the page is to be turned: 1 to 3; `None` where it stands upright, or nobody knows.
pub(crate) fn wanted(said: &str) -> Option<u8> {
    let number = |name: &str| -> Option<f64> {
        said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
    };
    number("Orientation confidence").filter(|sure| *sure >= SURE)?;
    let degrees = number("Rotate")?;
    (1..=3).find(|quarter| (f64::from(*quarter) * 90.0 - degrees).abs() < 0.5)
}

/// The page, turned.
pub(crate) fn turned(page: &Raster, quarter: u8) -> Raster {
    quarters(page, quarter)
}

/// Lines of a turned page, with their places on the page as it came, which has this size.
#[allow(clippy::cast_precision_loss)] // sizes of pages
pub(crate) fn as_before(mut lines: Vec<Line>, page: &Raster, quarter: u8) -> Vec<Line> {
    let (width, height) = (page.width as f64, page.height as f64);
    for word in lines.iter_mut().flat_map(|line| &mut line.words) {
        word.place = word.place.moved(|x, y| match quarter {
            1 => (y, height - x),
            2 => (width - x, height - y),
            _ => (width - y, x),
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocr::line::{Area, Source, Word};

    #[test]
    fn what_the_detector_says() {
        let said = |rotate: u32, sure: f64| {
            format!(
                "Page number: 0\nOrientation in degrees: 270\nRotate: {rotate}\nOrientation confidence: {sure}\nScript: Latin\n"
            )
        };
        assert_eq!(wanted(&said(90, 22.46)), Some(1));
        assert_eq!(wanted(&said(270, 5.0)), Some(3));
        for none in [said(0, 22.0), said(90, 1.2), said(45, 9.0), String::new(), "Rotate: x".to_owned()] {
            assert_eq!(wanted(&none), None, "{none}");
        }
    }

    #[test]
    fn there_and_back() {
        // A mark of 3 by 1 near the upper left corner.
        let mut page = Raster::white(20, 10);
        (2..5).for_each(|x| page.pixels[20 + x] = 0);
        for quarter in 1..=3 {
            let turned = turned(&page, quarter);
            let dark: Vec<usize> = (0..200).filter(|at| turned.pixels[*at] == 0).collect();
            let at = |n: usize| i32::try_from(n).unwrap();
            let (xs, ys) =
                (dark.iter().map(|p| at(p % turned.width)), dark.iter().map(|p| at(p / turned.width)));
            let (left, top) = (xs.clone().min().unwrap(), ys.clone().min().unwrap());
            let place =
                Area { left, top, width: xs.max().unwrap() + 1 - left, height: ys.max().unwrap() + 1 - top };
            let word = Word { text: "x".to_owned(), place, confidence: 1.0, source: Source::Tesseract };
            let back = as_before(vec![Line { words: vec![word] }], &page, quarter);
            assert_eq!(back[0].place(), Area { left: 2, top: 1, width: 3, height: 1 }, "{quarter}");
        }
    }
}
