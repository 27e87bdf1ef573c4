//! Pictures as pages: PNG, JPEG and TIFF in shades of grey, within bounds, and as much of a damaged one as there is.

use std::io::Cursor;

use tiff::decoder::DecodingResult;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::Raster;

/// What is wrong with a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It ends before its end.
    Truncated,
    /// It can't be decoded.
    Damaged,
    /// It has more pixels than are decoded.
    TooManyPixels,
}

/// A decoded picture.
#[derive(Debug)]
pub struct Picture {
    /// Its pixels.
    pub raster: Raster,
    /// Pixels per inch, where it says so and it is believable.
    pub dpi: Option<f64>,
    /// It could be decoded in part only; the rest is white or grey.
    pub fault: Option<Fault>,
}

/// The longest side of a picture that is decoded: a line of millions of pixels is no page, and costs more than its pixels.
const LONGEST: usize = 65_535;

fn count(width: usize, height: usize, most: u64) -> Result<usize, Fault> {
    let pixels = width.checked_mul(height).filter(|pixels| *pixels > 0 && width.max(height) <= LONGEST);
    let fits = |pixels: &usize| u64::try_from(*pixels).is_ok_and(|pixels| pixels <= most);
    pixels.filter(fits).ok_or(if width == 0 || height == 0 { Fault::Damaged } else { Fault::TooManyPixels })
}

fn believable(dpi: f64) -> Option<f64> {
    // PNG counts by the metre: 199.9996 is 200.
    (50.0..=2400.0).contains(&dpi).then_some((dpi * 10.0).round() / 10.0)
}

/// A JPEG of at most so many pixels, turned as its camera noted.
pub fn jpeg(bytes: &[u8], most: u64) -> Result<Picture, Fault> {
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|_| Fault::Damaged)?;
    let (width, height) = decoder.dimensions().ok_or(Fault::Damaged)?;
    let pixels = count(width, height, most)?;
    let mut raster = Raster::white(width, height);
    if decoder.output_buffer_size() != Some(pixels) {
        return Err(Fault::Damaged);
    }
    let decoded = decoder.decode_into(&mut raster.pixels);
    // The decoder fills what is missing; the mark of the end tells whether something is.
    let tail = &bytes[bytes.len().saturating_sub(64 << 10)..];
    let whole = tail.windows(2).any(|mark| mark == [0xff, 0xd9]);
    let fault = if whole && decoded.is_ok() {
        None
    } else {
        Some(if whole { Fault::Damaged } else { Fault::Truncated })
    };
    if decoded.is_err() && raster.pixels.iter().all(|pixel| *pixel == 255) {
        return Err(fault.unwrap_or(Fault::Damaged));
    }
    let orientation = decoder.exif().and_then(|exif| orientation(exif)).unwrap_or(1);
    let dpi = jfif_dpi(bytes);
    Ok(Picture { raster: turned(raster, orientation), dpi, fault })
}

/// The density of a JFIF header.
fn jfif_dpi(bytes: &[u8]) -> Option<f64> {
    let at = bytes.windows(5).take(64).position(|window| window == b"JFIF\0")?;
    let (unit, density) = (*bytes.get(at + 7)?, bytes.get(at + 8..at + 10)?);
    let density = f64::from(u16::from_be_bytes([density[0], density[1]]));
    match unit {
        1 => believable(density),
        2 => believable(density * 2.54),
        _ => None,
    }
}

/// The tag of EXIF that says how the camera was held: 1 to 8.
fn orientation(exif: &[u8]) -> Option<u16> {
    let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    let big = match exif.get(..2)? {
        b"MM" => true,
        b"II" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let two: [u8; 2] = exif.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if big { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
    };
    let four: [u8; 4] = exif.get(4..8)?.try_into().ok()?;
    let start =
        usize::try_from(if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }).ok()?;
    let entries = usize::from(short(start)?);
    let entry = (0..entries).map(|n| start + 2 + n * 12).find(|at| short(*at) == Some(0x0112))?;
    short(entry + 8).filter(|value| (1..=8).contains(value))
}

/// The picture as it was seen: the eight orientations of EXIF.
fn turned(from: Raster, orientation: u16) -> Raster {
    if orientation == 1 { from } else { oriented(&from, orientation) }
}

/// The picture turned clockwise by so many quarters.
pub fn quarters(from: &Raster, quarters: u8) -> Raster {
    oriented(
        from,
        match quarters % 4 {
            0 => 1,
            1 => 6,
            2 => 3,
            _ => 8,
        },
    )
}

fn oriented(from: &Raster, orientation: u16) -> Raster {
    let swaps = orientation >= 5;
    let (width, height) = if swaps { (from.height, from.width) } else { (from.width, from.height) };
    let mut out = Raster::white(width, height);
    for y in 0..height {
        for x in 0..width {
            let (mirrored, upended) = (width - 1 - x, height - 1 - y);
            let (sx, sy) = match orientation {
                1 => (x, y),
                2 => (mirrored, y),
                3 => (mirrored, upended),
                4 => (x, upended),
                5 => (y, x),
                6 => (y, mirrored),
                7 => (upended, mirrored),
                _ => (upended, x),
            };
            out.pixels[y * width + x] = from.pixels[sy * from.width + sx];
        }
    }
    out
}

/// A PNG of at most so many pixels; what is transparent is white.
pub fn png(bytes: &[u8], most: u64) -> Result<Picture, Fault> {
    let limit = usize::try_from(most).unwrap_or(usize::MAX).saturating_mul(4);
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: limit });
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    decoder.set_ignore_text_chunk(true);
    let header = decoder.read_header_info().map_err(|_| Fault::Damaged)?;
    let (width, height) = (header.width as usize, header.height as usize);
    let pixels = count(width, height, most)?;
    let mut reader = decoder.read_info().map_err(|e| png_fault(&e))?;
    let channels = reader.output_color_type().0.samples();
    let size = reader.output_buffer_size().filter(|size| *size == pixels * channels).ok_or(Fault::Damaged)?;
    // What a cut file leaves out stays white.
    let mut buffer = vec![255; size];
    let fault = reader.next_frame(&mut buffer).err().map(|e| png_fault(&e));
    let dpi = reader.info().pixel_dims.filter(|dims| dims.unit == png::Unit::Meter);
    let dpi = dpi.and_then(|dims| believable(f64::from(dims.xppu) * 0.0254));
    if fault.is_some() && buffer.iter().all(|value| *value == 255) {
        return Err(fault.unwrap_or(Fault::Damaged));
    }
    Ok(Picture { raster: Raster { width, height, pixels: grey(buffer, channels) }, dpi, fault })
}

fn png_fault(error: &png::DecodingError) -> Fault {
    match error {
        png::DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Fault::Truncated,
        png::DecodingError::LimitsExceeded => Fault::TooManyPixels,
        _ => Fault::Damaged,
    }
}

/// One byte a pixel, of one to four: grey, grey and alpha, RGB, RGB and alpha.
fn grey(values: Vec<u8>, channels: usize) -> Vec<u8> {
    if channels == 1 {
        return values;
    }
    values.chunks_exact(channels).map(pixel).collect()
}

#[allow(clippy::cast_possible_truncation)] // weights that sum to 256
fn pixel(values: &[u8]) -> u8 {
    let luma =
        |r: u8, g: u8, b: u8| ((u32::from(r) * 77 + u32::from(g) * 150 + u32::from(b) * 29) >> 8) as u8;
    let on_white = |value: u8, alpha: u8| {
        ((u32::from(value) * u32::from(alpha) + 255 * (255 - u32::from(alpha))) / 255) as u8
    };
    match *values {
        [value, alpha] => on_white(value, alpha),
        [r, g, b] => luma(r, g, b),
        [r, g, b, alpha, ..] => on_white(luma(r, g, b), alpha),
        _ => values.first().copied().unwrap_or(255),
    }
}

/// The pages of a TIFF, one after the other.
pub struct Tiff<'b> {
    decoder: tiff::decoder::Decoder<Cursor<&'b [u8]>>,
    most: u64,
    begun: bool,
}

impl<'b> Tiff<'b> {
    /// Opens it; each page may have so many pixels.
    pub fn new(bytes: &'b [u8], most: u64) -> Result<Self, Fault> {
        let mut limits = tiff::decoder::Limits::default();
        limits.decoding_buffer_size = usize::try_from(most).unwrap_or(usize::MAX).saturating_mul(4);
        limits.intermediate_buffer_size = limits.decoding_buffer_size;
        let decoder = tiff::decoder::Decoder::new(Cursor::new(bytes)).map_err(|e| tiff_fault(&e))?;
        Ok(Self { decoder: decoder.with_limits(limits), most, begun: false })
    }

    /// How many pages there are, counted up to `most`.
    pub fn count(bytes: &[u8], most: usize) -> Result<usize, Fault> {
        let mut decoder = tiff::decoder::Decoder::new(Cursor::new(bytes)).map_err(|e| tiff_fault(&e))?;
        let mut count = 1;
        while count < most && decoder.more_images() && decoder.next_image().is_ok() {
            count += 1;
        }
        Ok(count)
    }

    /// The next page; `None` behind the last.
    pub fn next_page(&mut self) -> Option<Result<Picture, Fault>> {
        if self.begun {
            if !self.decoder.more_images() {
                return None;
            }
            if let Err(e) = self.decoder.next_image() {
                return Some(Err(tiff_fault(&e)));
            }
        }
        self.begun = true;
        Some(self.page())
    }

    fn page(&mut self) -> Result<Picture, Fault> {
        use tiff::tags::Tag;
        let fault = |e: tiff::TiffError| tiff_fault(&e);
        let (width, height) = self.decoder.dimensions().map_err(fault)?;
        let (width, height) = (width as usize, height as usize);
        let pixels = count(width, height, self.most)?;
        let color = self.decoder.colortype().map_err(fault)?;
        let centimetres = self.decoder.get_tag_u32(Tag::ResolutionUnit).is_ok_and(|unit| unit == 3);
        let dpi = match self.decoder.get_tag(Tag::XResolution) {
            Ok(tiff::decoder::ifd::Value::Rational(over, under)) if under > 0 => {
                believable(f64::from(over) / f64::from(under) * if centimetres { 2.54 } else { 1.0 })
            }
            _ => None,
        };
        let bytes = match self.decoder.read_image().map_err(fault)? {
            DecodingResult::U8(values) => values,
            #[allow(clippy::cast_possible_truncation)] // the high byte
            DecodingResult::U16(values) => values.into_iter().map(|value| (value >> 8) as u8).collect(),
            _ => return Err(Fault::Damaged),
        };
        let pixels = shades(color, bytes, width, pixels).ok_or(Fault::Damaged)?;
        Ok(Picture { raster: Raster { width, height, pixels }, dpi, fault: None })
    }
}

fn shades(color: tiff::ColorType, bytes: Vec<u8>, width: usize, pixels: usize) -> Option<Vec<u8>> {
    use tiff::ColorType as Color;
    let out = match color {
        Color::Gray(8 | 16) => bytes,
        Color::GrayA(8 | 16) => grey(bytes, 2),
        Color::RGB(8 | 16) => grey(bytes, 3),
        Color::RGBA(8 | 16) => grey(bytes, 4),
        // The luma comes first.
        Color::YCbCr(8) => bytes.chunks_exact(3).map(|values| values[0]).collect(),
        Color::CMYK(8) => bytes.chunks_exact(4).map(ink).collect(),
        // Bits, each row beginning with a new byte.
        Color::Gray(1) if bytes.len() != pixels => {
            let row = width.div_ceil(8);
            let bits = |row: &[u8]| -> Vec<u8> {
                (0..width).map(|x| if row[x / 8] & (0x80 >> (x % 8)) == 0 { 0 } else { 255 }).collect()
            };
            bytes.chunks_exact(row).flat_map(bits).collect()
        }
        Color::Gray(1) => bytes.into_iter().map(|bit| if bit == 0 { 0 } else { 255 }).collect(),
        _ => return None,
    };
    (out.len() == pixels).then_some(out)
}

/// What cyan, magenta, yellow and black leave of the paper's white.
#[allow(clippy::cast_possible_truncation)] // weights that sum to 256
fn ink(values: &[u8]) -> u8 {
    let light = |at: usize| u32::from(255 - values[at]) * u32::from(255 - values[3]) / 255;
    ((light(0) * 77 + light(1) * 150 + light(2) * 29) >> 8) as u8
}

fn tiff_fault(error: &tiff::TiffError) -> Fault {
    match error {
        tiff::TiffError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Fault::Truncated,
        tiff::TiffError::LimitsExceeded => Fault::TooManyPixels,
        _ => Fault::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_png(width: u32, height: u32, values: &[u8], color: png::ColorType) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, width, height);
        encoder.set_color(color);
        encoder.set_compression(png::Compression::NoCompression);
        encoder.write_header().unwrap().write_image_data(values).unwrap();
        out
    }

    #[test]
    fn colours_become_grey_and_what_is_clear_becomes_white() {
        let bytes = a_png(2, 1, &[255, 0, 0, 255, 0, 0, 0, 0], png::ColorType::Rgba);
        let picture = png(&bytes, 10).unwrap();
        assert_eq!((picture.raster.pixels, picture.fault), (vec![76, 255], None));
        assert_eq!(png(&bytes, 1).unwrap_err(), Fault::TooManyPixels);
        let strip = a_png(70_000, 1, &vec![0; 70_000], png::ColorType::Grayscale);
        assert_eq!(png(&strip, 1 << 30).unwrap_err(), Fault::TooManyPixels);
    }

    #[test]
    fn of_a_cut_png_the_first_rows_are_kept() {
        let bytes = a_png(100, 1000, &vec![7; 100_000], png::ColorType::Grayscale);
        let picture = png(&bytes[..60_000], 1 << 20).unwrap();
        assert_eq!(picture.fault, Some(Fault::Truncated));
        assert_eq!((picture.raster.pixels[0], picture.raster.pixels[99_999]), (7, 255));
        for length in [0, 8, 20, 33, 50] {
            assert!(png(&bytes[..length], 1 << 20).is_err(), "{length}");
        }
    }

    #[test]
    fn how_the_camera_was_held() {
        let exif = |value: u8| {
            [b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".as_slice(), &[value, 0, 0, 0, 0, 0, 0]]
                .concat()
        };
        assert_eq!((orientation(&exif(6)), orientation(&exif(9)), orientation(b"MM")), (Some(6), None, None));
        let from = Raster { width: 2, height: 1, pixels: vec![1, 2] };
        assert_eq!(turned(from.clone(), 6), Raster { width: 1, height: 2, pixels: vec![1, 2] });
        assert_eq!(turned(from.clone(), 3).pixels, [2, 1]);
        assert_eq!(turned(from, 8).pixels, [2, 1]);
    }

    #[test]
    fn rubbish_is_refused() {
        for bytes in [
            &b""[..],
            b"\xff\xd8\xff",
            b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\x01\0\x48\0\x48\0\0",
            b"II*\0\xff\xff\xff\x7f",
            b"\x89PNG\r\n\x1a\n",
        ] {
            assert!(jpeg(bytes, 1000).is_err() && png(bytes, 1000).is_err(), "{bytes:?}");
            assert!(
                Tiff::new(bytes, 1000).is_err()
                    || Tiff::new(bytes, 1000).unwrap().next_page().unwrap().is_err()
            );
        }
    }
}
