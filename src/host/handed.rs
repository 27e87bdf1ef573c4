//! What a shell hands over by its number: standard input, or a pipe as in `<(…)`.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::read::{MAX_FILE, too_large};
use super::{HostError, Result};

/// The bytes of what is open here already, where `path` names such a thing; `None` for every other path. Below the door's root
/// no link leads to it.
pub fn handed(path: &Path) -> Option<Result<Vec<u8>>> {
    let text = path.to_str()?;
    let number = ["/dev/fd/", "/proc/self/fd/"].iter().find_map(|folder| text.strip_prefix(folder));
    let is_number = number.is_some_and(|number| number.parse::<u16>().is_ok());
    (is_number || text == "/dev/stdin").then(|| read(path).map_err(|e| HostError::new("read", path, e)))
}

#[allow(clippy::disallowed_methods)] // this is the door
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE { Err(too_large(MAX_FILE + 1)) } else { Ok(bytes) }
}
