//! Where the lines are: the detection model's map of text, made into rectangles.
//!
//! The model answers with the probability of text for each pixel, of a core that is thinner than the text (differentiable
//! binarization). Each connected core gets the smallest rectangle around it, which is then grown by its area over its
//! perimeter.

use super::geometry::{Slanted, smallest_around};
use crate::document::Raster;

/// A pixel with this probability or more is text.
/// A pixel with this probability or more is text.
const PIXEL: f32 = 0.2;
/// A rectangle whose pixels have less than this on average is none.
const BOX: f32 = 0.45;
/// How far a core is grown, in areas over perimeters.
const GROWTH: f32 = 1.6;
/// Cores with fewer pixels across are dirt.
const LEAST: f32 = 2.0;
/// The most lines of a page; a map with more is noise.
const MOST: usize = 2000;

/// The size at which the model sees a page: its longer side at most `side`, both multiples of 32.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // sizes of pages
pub(crate) fn size(width: usize, height: usize, side: usize) -> (usize, usize) {
    let ratio = (side as f64 / width.max(height) as f64).min(1.0);
    let round = |length: usize| ((length as f64 * ratio / 32.0).round() as usize).max(1) * 32;
    (round(width), round(height))
}

/// The page as the model wants it: three equal planes, from -1 (black) to 1 (white).
pub(crate) fn input(page: &Raster, width: usize, height: usize) -> Vec<f32> {
    let small = page.resized(width, height);
    let plane: Vec<f32> = small.pixels.iter().map(|pixel| f32::from(*pixel) / 127.5 - 1.0).collect();
    plane.repeat(3)
}

/// The rectangles of a map of probabilities, on the map's scale.
pub(crate) fn boxes(map: &[f32], width: usize, height: usize) -> Vec<Slanted> {
    let mut found = Vec::new();
    for core in cores(map, width, height) {
        if found.len() == MOST {
            break;
        }
        let Some(rectangle) = smallest_around(&core) else { continue };
        if rectangle.width.min(rectangle.height) < LEAST || score(map, width, height, &rectangle) < BOX {
            continue;
        }
        let (a, b) = (rectangle.width, rectangle.height);
        found.push(rectangle.grown(a * b * GROWTH / (2.0 * (a + b))));
    }
    found
}

/// The connected cores: for each the ends of its rows, which is all that its hull needs.
#[allow(clippy::cast_precision_loss)] // positions on a map
fn cores(map: &[f32], width: usize, height: usize) -> Vec<Vec<(f32, f32)>> {
    let mut left: Vec<bool> = map.iter().take(width * height).map(|value| *value > PIXEL).collect();
    let mut found = Vec::new();
    let mut stack = Vec::new();
    for start in 0..left.len() {
        if !std::mem::take(&mut left[start]) {
            continue;
        }
        let mut rows = std::collections::BTreeMap::<usize, (usize, usize)>::new();
        stack.push(start);
        while let Some(at) = stack.pop() {
            let (x, y) = (at % width, at / width);
            let row = rows.entry(y).or_insert((x, x));
            *row = (row.0.min(x), row.1.max(x));
            for ny in y.saturating_sub(1)..(y + 2).min(height) {
                for nx in x.saturating_sub(1)..(x + 2).min(width) {
                    if std::mem::take(&mut left[ny * width + nx]) {
                        stack.push(ny * width + nx);
                    }
                }
            }
        }
        let ends =
            rows.iter().flat_map(|(y, (from, to))| [(*from as f32, *y as f32), (*to as f32, *y as f32)]);
        found.push(ends.collect());
    }
    found
}

/// The mean probability inside a rectangle.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // positions on a map
fn score(map: &[f32], width: usize, height: usize, rectangle: &Slanted) -> f32 {
    let (left, top, right, bottom) = rectangle.bounds();
    let (mut sum, mut count) = (0.0, 0.0_f32);
    for y in top.floor().max(0.0) as usize..=(bottom.ceil().max(0.0) as usize).min(height.saturating_sub(1)) {
        for x in
            left.floor().max(0.0) as usize..=(right.ceil().max(0.0) as usize).min(width.saturating_sub(1))
        {
            if rectangle.holds(x as f32, y as f32) {
                sum += map[y * width + x];
                count += 1.0;
            }
        }
    }
    if count > 0.0 { sum / count } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_and_dirt() {
        let (width, height) = (64, 40);
        let mut map = vec![0.0; width * height];
        for y in 0..height {
            for x in 0..width {
                if (4..60).contains(&x) && ((5..9).contains(&y) || (20..25).contains(&y))
                    || (x, y) == (30, 35)
                {
                    map[y * width + x] = 0.9;
                }
            }
        }
        let found = boxes(&map, width, height);
        assert_eq!(found.len(), 2, "{found:?}");
        let (left, top, right, bottom) = found[0].bounds();
        assert!(left < 4.0 && right > 59.0 && top < 5.0 && bottom > 8.0, "{found:?}");
        // Weak all over: no line.
        assert!(boxes(&vec![0.3; width * height], width, height).is_empty());
    }

    #[test]
    fn sizes_are_multiples_of_32() {
        assert_eq!(size(1654, 2339, 960), (672, 960));
        assert_eq!(size(100, 20, 960), (96, 32));
        assert_eq!(size(1, 100_000, 960), (32, 960));
    }
}
