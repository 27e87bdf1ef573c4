//! How slanted the lines of a page are, and the page set straight.

use super::Raster;

/// The largest slant that is looked for, in degrees.
const MOST: f64 = 6.0;
/// The page is made so much smaller before it is measured.
const SMALLER: usize = 4;

/// The slant of a page's lines in degrees, positive where they sink to the right; 0 where none is plain. The rows of a straight
/// page are dark or light, those of a slanted one grey: the angle is taken at which neighbouring rows differ most.
pub fn slant(page: &Raster) -> f64 {
    let small = page.resized(page.width / SMALLER, page.height / SMALLER);
    let mean =
        small.pixels.iter().map(|pixel| u64::from(*pixel)).sum::<u64>() / small.pixels.len().max(1) as u64;
    // Twice as far from white as the paper's own grey.
    let limit = u8::try_from(mean.saturating_sub(40)).unwrap_or(0);
    let dark: Vec<(f64, f64)> = (0..small.pixels.len())
        .filter(|at| small.pixels[*at] < limit)
        .map(|at| (place(at % small.width), place(at / small.width)))
        .collect();
    if dark.len() < 200 {
        return 0.0;
    }
    let best = |from: f64, to: f64, step: f64| {
        let mut best = (0.0, 0.0);
        let mut angle = from;
        while angle <= to + step / 2.0 {
            let found = contrast(&dark, small.height, angle);
            if found > best.1 {
                best = (angle, found);
            }
            angle += step;
        }
        best
    };
    let (rough, _) = best(-MOST, MOST, 0.4);
    let (angle, found) = best(rough - 0.4, rough + 0.4, 0.1);
    if found > contrast(&dark, small.height, 0.0) * 1.1 { angle } else { 0.0 }
}

#[allow(clippy::cast_precision_loss)] // a position on a page
fn place(at: usize) -> f64 {
    at as f64
}

/// How much neighbouring rows differ when the lines sink by this angle.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a position on a page
fn contrast(dark: &[(f64, f64)], height: usize, degrees: f64) -> f64 {
    let fall = degrees.to_radians().tan();
    let mut rows = vec![0_f64; height + 2];
    for (x, y) in dark {
        let row = y - x * fall;
        if row >= 0.0 {
            if let Some(count) = rows.get_mut(row as usize) {
                *count += 1.0;
            }
        }
    }
    rows.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum()
}

/// A page that was turned, and how a place on it is found on the page as it was.
#[derive(Debug)]
pub struct Straight {
    /// The page with straight lines: larger, so that no corner is lost.
    pub page: Raster,
    turn: (f64, f64),
    centres: ((f64, f64), (f64, f64)),
}

impl Straight {
    /// Turns a page whose lines sink by so many degrees.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // sizes of pages
    pub fn of(page: &Raster, degrees: f64) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let (width, height) = (place(page.width), place(page.height));
        let wide = (width * cos + height * sin.abs()).ceil();
        let high = (height * cos + width * sin.abs()).ceil();
        let centres = ((wide / 2.0, high / 2.0), (width / 2.0, height / 2.0));
        let mut straight =
            Self { page: Raster::white(wide as usize, high as usize), turn: (cos, sin), centres };
        let mut pixels = std::mem::take(&mut straight.page.pixels);
        for (y, row) in pixels.chunks_exact_mut(straight.page.width.max(1)).enumerate() {
            for (x, pixel) in row.iter_mut().enumerate() {
                let (fx, fy) = straight.before(place(x), place(y));
                *pixel = page.at(fx as f32, fy as f32).round() as u8;
            }
        }
        straight.page.pixels = pixels;
        straight
    }

    /// Where a place of the straight page was before.
    pub fn before(&self, x: f64, y: f64) -> (f64, f64) {
        let ((cx, cy), (ox, oy)) = self.centres;
        let (cos, sin) = self.turn;
        let (dx, dy) = (x - cx, y - cy);
        (ox + dx * cos - dy * sin, oy + dx * sin + dy * cos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of dashes, as words are.
    fn lined() -> Raster {
        let mut page = Raster::white(800, 1000);
        for y in (100..900).filter(|y| y % 30 < 12) {
            for x in (80..720).filter(|x| x % 50 < 40) {
                page.pixels[y * 800 + x] = 20;
            }
        }
        page
    }

    #[test]
    fn slants_are_found_and_straightened() {
        let page = lined();
        assert!(slant(&page).abs() < 0.05);
        assert!(slant(&Raster::white(800, 1000)).abs() < 0.05);
        for degrees in [-4.0, -1.0, 2.5] {
            // To turn a straight page makes it slanted the other way.
            let slanted = Straight::of(&page, -degrees).page;
            let found = slant(&slanted);
            assert!((found - degrees).abs() < 0.3, "{degrees}: {found}");
            let straight = Straight::of(&slanted, found);
            assert!(slant(&straight.page).abs() < 0.3);
            let (x, y) = straight.before(straight.centres.0.0, straight.centres.0.1);
            assert!(
                (x - place(slanted.width) / 2.0).abs() < 0.01
                    && (y - place(slanted.height) / 2.0).abs() < 0.01
            );
        }
    }
}
