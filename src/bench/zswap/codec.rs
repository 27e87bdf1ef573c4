//! The compressors as zswap runs them: each page by itself, into a buffer of two.

use lz4::block::{CompressionMode, compress_to_buffer, decompress_to_buffer};
use zstd_safe::{CCtx, CParameter, DCtx, Strategy};

use super::alloc::PAGE;
use super::lzo::Lzo;
use crate::host::memory::Locked;

/// [`PAGE`] as the library wants it.
const PAGE_I32: i32 = 4096;

/// A compressor of the kernel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// LZ4, with acceleration 1 (`crypto/lz4.c`).
    Lz4,
    /// LZO1X-1 (`crypto/lzo.c`); `lzo-rle` is the same with a short form for runs of zeros.
    Lzo,
    /// Zstandard at level 3, with the parameters for an input of unknown size (`crypto/zstd.c`: `zstd_get_params(3, 0)`).
    Zstd,
}

impl Codec {
    /// All.
    pub const ALL: [Self; 3] = [Self::Lz4, Self::Lzo, Self::Zstd];

    /// The name that the kernel knows it by.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lz4 => "lz4",
            Self::Lzo => "lzo",
            Self::Zstd => "zstd",
        }
    }

    /// Is it the library that the kernel took its code from? LZO's is under the GPL: another one has its ratio, not its speed.
    pub const fn has_the_kernels_speed(self) -> bool {
        !matches!(self, Self::Lzo)
    }
}

/// One of them at work.
pub(super) struct Packer {
    inner: Inner,
    /// What others hold is in it, packed.
    out: Locked,
}

enum Inner {
    Lz4,
    Lzo(Lzo),
    Zstd(Box<CCtx<'static>>, Box<DCtx<'static>>),
}

impl Packer {
    pub(super) fn new(codec: Codec) -> Self {
        let inner = match codec {
            Codec::Lz4 => Inner::Lz4,
            Codec::Lzo => Inner::Lzo(Lzo::new()),
            Codec::Zstd => {
                let mut pack = CCtx::create();
                // Level 3 for an unknown size is {21, 16, 17, 1, 5, 0, dfast} (`lib/zstd/compress/clevels.h`); for a page the
                // library would choose others by itself. What depends on the window it bounds by the page either way.
                for parameter in [
                    CParameter::CompressionLevel(3),
                    CParameter::MinMatch(5),
                    CParameter::SearchLog(1),
                    CParameter::Strategy(Strategy::ZSTD_dfast),
                ] {
                    let _ = pack.set_parameter(parameter);
                }
                Inner::Zstd(Box::new(pack), Box::new(DCtx::create()))
            }
        };
        Self { inner, out: Locked::new(2 * PAGE) }
    }

    /// The page, packed; `None` where the library has no room for it, so that it does not shrink.
    pub(super) fn pack(&mut self, page: &[u8]) -> Option<&[u8]> {
        let out = self.out.bytes_mut();
        let size = match &mut self.inner {
            Inner::Lz4 => compress_to_buffer(page, Some(CompressionMode::FAST(1)), false, out).ok()?,
            Inner::Lzo(lzo) => lzo.pack(page, out),
            Inner::Zstd(pack, _) => pack.compress2(out, page).ok()?,
        };
        self.out.bytes().get(..size)
    }

    /// Unpacks into `page`; was it a page?
    pub(super) fn unpack(&mut self, packed: &[u8], page: &mut [u8]) -> bool {
        match &mut self.inner {
            Inner::Lz4 => decompress_to_buffer(packed, Some(PAGE_I32), page).is_ok_and(|size| size == PAGE),
            Inner::Lzo(_) => lzokay::decompress::decompress(packed, page).is_ok_and(|size| size == PAGE),
            Inner::Zstd(_, unpack) => unpack.decompress(page, packed).is_ok_and(|size| size == PAGE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of text, as programs hold it.
    fn page() -> Vec<u8> {
        let text: String =
            (0..400).map(|n| format!("{{\"id\":{n},\"name\":\"vecina {}\"}},", n * 7919 % 1000)).collect();
        text.as_bytes()[..PAGE].to_vec()
    }

    #[test]
    fn there_and_back() {
        for codec in Codec::ALL {
            let mut packer = Packer::new(codec);
            for page in [page(), vec![0; PAGE]] {
                let packed = packer.pack(&page).unwrap().to_vec();
                assert!(packed.len() < PAGE / 2, "{}: {}", codec.word(), packed.len());
                let mut back = vec![1; PAGE];
                assert!(packer.unpack(&packed, &mut back) && back == page, "{}", codec.word());
                assert!(!packer.unpack(&packed[..packed.len() / 2], &mut back), "{}", codec.word());
            }
        }
    }

    #[test]
    fn zstd_packs_best_and_noise_does_not_shrink() {
        let size = |codec| Packer::new(codec).pack(&page()).map(<[u8]>::len).unwrap();
        assert!(size(Codec::Zstd) < size(Codec::Lz4) && size(Codec::Zstd) < size(Codec::Lzo));
        let mut noise = vec![0; PAGE];
        getrandom::fill(&mut noise).unwrap();
        for codec in Codec::ALL {
            assert!(
                Packer::new(codec).pack(&noise).is_none_or(|packed| packed.len() > PAGE),
                "{}",
                codec.word()
            );
        }
    }
}
