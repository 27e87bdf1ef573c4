//! What a file is: its size, its sum, its first bytes.

use std::fs::File;
use std::io::{Read as _, Seek as _};

use sha2::{Digest as _, Sha256};

use super::result::FileFacts;
use crate::document::HEAD;

/// All of it in one reading.
pub(super) fn facts(mut file: &File) -> std::io::Result<(FileFacts, Vec<u8>)> {
    use std::fmt::Write as _;
    file.rewind()?;
    let (mut hash, mut bytes, mut head) = (Sha256::new(), 0, Vec::new());
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        if head.len() < HEAD {
            head.extend_from_slice(&buffer[..count.min(HEAD)]);
        }
        hash.update(&buffer[..count]);
        bytes += count as u64;
    }
    let sha256 = hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Ok((FileFacts { sha256, bytes, kind: "unknown" }, head))
}
