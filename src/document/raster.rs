//! A page as pixels: one byte each, from black (0) to white (255).

/// A page in shades of grey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raster {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// The rows one after the other, from the top.
    pub pixels: Vec<u8>,
}

impl Raster {
    /// A white page.
    pub fn white(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![255; width * height] }
    }

    /// Reads Netpbm's binary grey format (`P5`, at most 255). `None` where it is something else, cut off, or has more than
    /// `most` pixels.
    pub fn from_pgm(bytes: &[u8], most: u64) -> Option<Self> {
        let (width, height, start) = pgm_header(bytes)?;
        let count = width.checked_mul(height)?;
        if count == 0 || u64::try_from(count).ok()? > most {
            return None;
        }
        let pixels = bytes.get(start..start.checked_add(count)?)?.to_vec();
        Some(Self { width, height, pixels })
    }

    /// The same in Netpbm's format.
    pub fn to_pgm(&self) -> Vec<u8> {
        let mut out = format!("P5\n{} {}\n255\n", self.width, self.height).into_bytes();
        out.extend_from_slice(&self.pixels);
        out
    }

    /// The page at another size. Each new pixel is the average of what it covers, or lies between its neighbours where the
    /// page grows.
    #[must_use]
    pub fn resized(&self, width: usize, height: usize) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        if (width, height) == (self.width, self.height) {
            return self.clone();
        }
        let columns = spans(self.width, width);
        let rows = spans(self.height, height);
        // Columns first, one source row at a time and no more of them than a target row needs.
        let mut out = vec![0u8; width * height];
        let mut sum = vec![0f32; width];
        let mut line = vec![0f32; width];
        for (y, row) in rows.iter().enumerate() {
            sum.fill(0.0);
            for (step, weight) in row.weights.iter().enumerate() {
                let at = (row.first + step) * self.width;
                let source = &self.pixels[at..at + self.width];
                for (value, column) in line.iter_mut().zip(&columns) {
                    let covered = &source[column.first..column.first + column.weights.len()];
                    *value = covered.iter().zip(&column.weights).map(|(p, w)| f32::from(*p) * w).sum();
                }
                for (sum, value) in sum.iter_mut().zip(&line) {
                    *sum += value * weight;
                }
            }
            for (pixel, sum) in out[y * width..(y + 1) * width].iter_mut().zip(&sum) {
                *pixel = to_byte(*sum);
            }
        }
        Self { width, height, pixels: out }
    }

    /// The value at a place between pixels; white outside.
    pub fn at(&self, x: f32, y: f32) -> f32 {
        let (fx, fy) = (x.floor(), y.floor());
        #[allow(clippy::cast_possible_truncation)] // pages have far fewer pixels than an i32 counts
        let (ix, iy) = (fx as i64, fy as i64);
        let (dx, dy) = (x - fx, y - fy);
        let pixel = |x: i64, y: i64| {
            let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
            (x < self.width && y < self.height).then(|| f32::from(self.pixels[y * self.width + x]))
        };
        let pixel = |x, y| pixel(x, y).unwrap_or(255.0);
        let top = pixel(ix, iy) * (1.0 - dx) + pixel(ix + 1, iy) * dx;
        let bottom = pixel(ix, iy + 1) * (1.0 - dx) + pixel(ix + 1, iy + 1) * dx;
        top * (1.0 - dy) + bottom * dy
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped to a byte
fn to_byte(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

/// What of the source a target pixel is made of.
struct Span {
    first: usize,
    weights: Vec<f32>,
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // sizes of pages
fn spans(from: usize, to: usize) -> Vec<Span> {
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    (0..to)
        .map(|at| {
            let centre = (at as f64 + 0.5) * scale;
            let first = (centre - reach).floor().max(0.0) as usize;
            let last = ((centre + reach).ceil() as usize).min(from);
            let weight = |i: usize| (1.0 - ((i as f64 + 0.5 - centre) / reach).abs()).max(0.0);
            let mut weights: Vec<f32> = (first..last).map(|i| weight(i) as f32).collect();
            let sum: f32 = weights.iter().sum();
            for weight in &mut weights {
                *weight /= sum;
            }
            Span { first, weights }
        })
        .collect()
}

/// Width, height, and where the pixels begin.
fn pgm_header(bytes: &[u8]) -> Option<(usize, usize, usize)> {
    let mut at = bytes.starts_with(b"P5").then_some(2)?;
    let mut numbers = [0usize; 3];
    for number in &mut numbers {
        loop {
            match *bytes.get(at)? {
                b'#' => at += bytes[at..].iter().position(|b| *b == b'\n')?,
                b if b.is_ascii_whitespace() => at += 1,
                _ => break,
            }
        }
        let digits = bytes[at..].iter().take(9).take_while(|b| b.is_ascii_digit()).count();
        *number = std::str::from_utf8(&bytes[at..at + digits]).ok()?.parse().ok()?;
        at += digits;
    }
    let [width, height, most] = numbers;
    // One blank, then the pixels.
    (most == 255 && bytes.get(at)?.is_ascii_whitespace()).then_some((width, height, at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn netpbm_there_and_back() {
        let page = Raster { width: 3, height: 2, pixels: vec![0, 10, 255, 7, 8, 9] };
        assert_eq!(Raster::from_pgm(&page.to_pgm(), 6), Some(page.clone()));
        assert_eq!(Raster::from_pgm(&page.to_pgm(), 5), None);
        assert_eq!(Raster::from_pgm(b"P5 # note\n3 2 255 abcdef", 9).unwrap().pixels, b"abcdef");
        for bad in [
            &b"P5 3 2 255 abcde"[..],
            b"P6 1 1 255 abc",
            b"P5 3",
            b"P5 0 9 255 ",
            b"P5 1 1 65535 ab",
            b"",
            b"P5 99999999999 1 255 a",
        ] {
            assert_eq!(Raster::from_pgm(bad, 1 << 40), None, "{bad:?}");
        }
    }

    #[test]
    fn other_sizes_keep_the_grey() {
        let page = Raster { width: 40, height: 30, pixels: vec![77; 1200] };
        for (width, height) in [(1, 1), (13, 7), (80, 91)] {
            assert!(page.resized(width, height).pixels.iter().all(|pixel| *pixel == 77));
        }
        let half = Raster { width: 4, height: 1, pixels: vec![0, 0, 200, 200] }.resized(2, 1);
        assert!(half.pixels[0] < 60 && half.pixels[1] > 140, "{half:?}");
    }
}
