//! What a line says: the line cut out of the page for the recognition model, and its answer made into text.

use super::geometry::Slanted;
use crate::document::Raster;

/// The height at which the model sees a line, in pixels.
pub(crate) const HEIGHT: usize = 48;
/// The narrowest that it sees; what is shorter is filled up with grey. (With the 320 of its training, words get a tail of signs.)
const NARROWEST: usize = 160;
/// The widest that it gets: memory grows with it. A line of A4 has about 1500.
const WIDEST: usize = 3200;

/// The line as the model wants it, three equal planes, and its width.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // sizes of lines
pub(crate) fn input(page: &Raster, line: &Slanted) -> (Vec<f32>, usize) {
    let ratio = line.width / line.height.max(1.0);
    let drawn = ((HEIGHT as f32 * ratio).ceil() as usize).clamp(16, WIDEST);
    let width = drawn.max(NARROWEST);
    let mut plane = vec![0f32; HEIGHT * width];
    // Where the line shrinks, several samples make a pixel.
    let times = ((line.height / HEIGHT as f32).round() as usize).clamp(1, 4);
    let step = 1.0 / times as f32;
    for y in 0..HEIGHT {
        for x in 0..drawn {
            let mut sum = 0.0;
            for sy in 0..times {
                for sx in 0..times {
                    let along = (x as f32 + (sx as f32 + 0.5) * step) / drawn as f32;
                    let across = (y as f32 + (sy as f32 + 0.5) * step) / HEIGHT as f32;
                    let (px, py) = line.place(along, across);
                    sum += page.at(px - 0.5, py - 0.5);
                }
            }
            plane[y * width + x] = sum * step * step / 127.5 - 1.0;
        }
    }
    (plane.repeat(3), width)
}

/// Reads the model's answer (for each of `steps` places the probability of each character): the likeliest character of each
/// place, repeats taken as one, blanks left out. Confidence is their mean.
pub(crate) fn decode(answer: &[f32], characters: &[String]) -> (String, f32) {
    let (mut text, mut sum, mut count, mut before) = (String::new(), 0.0, 0.0_f32, 0);
    for place in answer.chunks_exact(characters.len().max(1)) {
        let (mut best, mut most) = (0, f32::MIN);
        for (at, value) in place.iter().enumerate() {
            if *value > most {
                (best, most) = (at, *value);
            }
        }
        if best != 0 && best != before {
            text.push_str(&characters[best]);
            sum += most;
            count += 1.0;
        }
        before = best;
    }
    (text, if count > 0.0 { sum / count } else { 0.0 })
}

/// The characters of the model's metadata, one a line: the blank stands before them, the space behind.
pub(crate) fn characters(list: &str) -> Vec<String> {
    let blank = std::iter::once(String::new());
    blank.chain(list.lines().map(str::to_owned)).chain(std::iter::once(" ".to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_one_and_blanks_part() {
        let known = characters("a\nñ");
        assert_eq!(known, ["", "a", "ñ", " "]);
        let one = |at: usize| (0..4).map(move |i| if i == at { 0.9 } else { 0.1 });
        let answer: Vec<f32> = [1, 1, 0, 1, 2, 2, 3, 1].into_iter().flat_map(one).collect();
        let (text, confidence) = decode(&answer, &known);
        assert_eq!(text, "aañ a");
        assert!((confidence - 0.9).abs() < 1e-6);
        assert_eq!(decode(&[], &known), (String::new(), 0.0));
    }

    #[test]
    fn a_line_is_cut_out_at_the_models_height() {
        let mut page = Raster::white(400, 100);
        for x in 100..300 {
            page.pixels[50 * 400 + x] = 0;
        }
        let (pixels, width) = input(&page, &Slanted::upright(50.0, 38.0, 300.0, 24.0));
        assert_eq!((width, pixels.len()), (600, 3 * 48 * 600));
        // The black row is in the middle, between a quarter and three quarters or so.
        assert!(pixels[24 * 600 + 300] < 0.0 && pixels[24 * 600 + 20] > 0.9 && pixels[2 * 600 + 300] > 0.9);
        // A short one is filled up.
        assert_eq!(input(&page, &Slanted::upright(0.0, 0.0, 20.0, 20.0)).1, NARROWEST);
    }
}
