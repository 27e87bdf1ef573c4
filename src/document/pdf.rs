//! What Poppler's `pdfinfo` and `pdfimages` tell of a PDF, and the sizes at which its pages are drawn.

/// What a PDF says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// How many pages it says that it has.
    pub pages: u64,
    /// Width and height of the first pages as they are shown, in points (1/72 inch); `None` where it is not told.
    pub sizes: Vec<Option<(f64, f64)>>,
}

/// Reads what `pdfinfo -f 1 -l N` prints.
pub fn info(text: &str) -> Option<Info> {
    let mut pages = None;
    let mut sizes: Vec<Option<(f64, f64)>> = Vec::new();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let mut words = key.split_whitespace();
        match (words.next(), words.next().and_then(|n| n.parse::<usize>().ok()), words.next()) {
            (Some("Pages"), None, None) => pages = value.trim().parse().ok(),
            (Some("Page"), Some(number @ 1..=100_000), Some("size")) => {
                sizes.resize(sizes.len().max(number), None);
                sizes[number - 1] = size(value);
            }
            // It follows the page's size.
            (Some("Page"), Some(number), Some("rot")) if matches!(value.trim(), "90" | "270") => {
                if let Some(Some((width, height))) = number.checked_sub(1).and_then(|at| sizes.get_mut(at)) {
                    std::mem::swap(width, height);
                }
            }
            _ => {}
        }
    }
    Some(Info { pages: pages?, sizes })
}

/// `595.276 x 841.89 pts (A4)`
fn size(text: &str) -> Option<(f64, f64)> {
    let mut words = text.split_whitespace();
    let width: f64 = words.next()?.parse().ok()?;
    let height: f64 = words.nth(1)?.parse().ok()?;
    (width.is_finite() && height.is_finite() && width > 0.0 && height > 0.0).then_some((width, height))
}

/// The longest side of a page, in pixels: no engine takes a longer one.
const LONGEST: f64 = 32_000.0;

/// The resolution at which a page is drawn: the one asked for, or the highest that keeps it within so many pixels, and each side
/// within 32 000.
pub fn bounded_dpi((width, height): (f64, f64), dpi: f64, most: u64) -> f64 {
    #[allow(clippy::cast_precision_loss)] // far below 2^52
    let most = most as f64;
    let pixels = width * height * dpi * dpi / (72.0 * 72.0);
    // A little less, since both sides are rounded up.
    let dpi = if pixels > most * 0.998 { dpi * (most * 0.998 / pixels).sqrt() } else { dpi };
    // A strip has few pixels however long it is.
    dpi.min(LONGEST * 72.0 / width.max(height))
}

/// How much of a page its largest picture covers, from 0 to 1: `pdfimages -list` of that page alone.
pub fn covered(list: &str, (width, height): (f64, f64)) -> f64 {
    let area = width * height / (72.0 * 72.0);
    let inches = |line: &str| -> Option<f64> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words.get(at)?.parse::<f64>().ok();
        let (across, down) = (number(12)?, number(13)?);
        (across > 0.0 && down > 0.0).then_some(number(3)? / across * (number(4)? / down))
    };
    list.lines().skip(2).filter_map(inches).fold(0.0, |most: f64, one| most.max(one / area)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pdfinfo_prints() {
        let text = "Title:           a: b\nPages:           3\nEncrypted:       no\nPage    1 size:  595.276 x 841.89 pts (A4)\n\
                    Page    1 rot:   0\nPage    2 size:  612 x 792 pts (letter)\nPage    2 rot:   90\nPage    3 size:  0 x inf pts\n";
        let info = info(text).unwrap();
        assert_eq!(info.pages, 3);
        assert_eq!(info.sizes, [Some((595.276, 841.89)), Some((792.0, 612.0)), None]);
        for bad in
            ["", "Pages: many\n", "Page 0 size: 1 x 1 pts\n", "Page 99999999999 size: 1 x 1\nPage 7 rot: 90"]
        {
            assert_eq!(super::info(bad), None, "{bad}");
        }
    }

    #[test]
    fn pages_are_drawn_within_bounds() {
        let a4 = (595.0, 842.0);
        assert!((bounded_dpi(a4, 200.0, 20_000_000) - 200.0).abs() < 1e-9);
        let dpi = bounded_dpi((14400.0, 14400.0), 200.0, 20_000_000);
        assert!((20.0..22.5).contains(&dpi), "{dpi}");
        assert!(bounded_dpi((1e9, 1e9), 200.0, 1000) < 0.01);
        let dpi = bounded_dpi((1e9, 1e-3), 200.0, 20_000_000);
        assert!(dpi > 0.0 && 1e9 * dpi / 72.0 < 32_001.0, "{dpi}");
    }

    #[test]
    fn what_pdfimages_prints() {
        let list = "page   num  type   width height color comp bpc  enc interp  object ID x-ppi y-ppi size ratio\n\
                    --------------------------------------------------------------------------------------------\n   \
                    1     0 image    1654  2339  gray    1   8  jpeg   no         8  0   200   200  310K 8.2%\n   \
                    1     1 image     100   100  rgb     3   8  image  no         9  0   200   200  1K 3%\n";
        assert!(covered(list, (595.4, 842.0)) > 0.99);
        assert!(covered(list, (2000.0, 2000.0)) < 0.15);
        assert!(covered("", (1.0, 1.0)) < 0.01);
    }
}
