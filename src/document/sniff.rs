//! What a file is, by its first bytes and not by its name.

/// The types of documents that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PDF
    Pdf,
    /// PNG
    Png,
    /// JPEG
    Jpeg,
    /// TIFF, of any number of pages
    Tiff,
}

/// How many of a file's first bytes are looked at.
pub const HEAD: usize = 1024;

impl Kind {
    /// Its name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Tiff => "tiff",
        }
    }

    /// The type of a file that begins so; `None` for all that is not read.
    pub fn of(head: &[u8]) -> Option<Self> {
        let head = &head[..head.len().min(HEAD)];
        if head.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if head.starts_with(b"\xff\xd8\xff") {
            Some(Self::Jpeg)
        } else if [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|magic| head.starts_with(*magic)) {
            Some(Self::Tiff)
        } else if head.windows(5).any(|window| window == b"%PDF-") {
            // Readers accept it anywhere in the first kilobyte, and mail gateways put lines of theirs before it.
            Some(Self::Pdf)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_the_first_bytes() {
        assert_eq!(Kind::of(b"%PDF-1.7\n"), Some(Kind::Pdf));
        assert_eq!(Kind::of(b"\r\n\r\n%PDF-1.4"), Some(Kind::Pdf));
        assert_eq!(Kind::of(b"\x89PNG\r\n\x1a\n...."), Some(Kind::Png));
        assert_eq!(Kind::of(b"\xff\xd8\xff\xe0"), Some(Kind::Jpeg));
        assert_eq!(Kind::of(b"II*\0\x08"), Some(Kind::Tiff));
        let late = [vec![b' '; HEAD], b"%PDF-1.4".to_vec()].concat();
        for other in [&b""[..], b"%PD", b"Estimados vecinos", b"PK\x03\x04", b"<html>", &late] {
            assert_eq!(Kind::of(other), None, "{other:?}");
        }
    }
}
