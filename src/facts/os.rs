//! The distribution: `os-release(5)`.

use super::Os;
use crate::host::Host;

/// Reads the text of an os-release file.
pub(super) fn parse(text: &str) -> Os {
    let mut os = Os::default();
    for line in text.lines() {
        let Some((key, value)) = line.trim().split_once('=') else { continue };
        let value = value.trim().trim_matches(['"', '\'']).to_owned();
        match key {
            "ID" => os.id = value,
            "VERSION_ID" => os.version = value,
            "PRETTY_NAME" => os.name = value,
            "ID_LIKE" => os.like = value.split_whitespace().map(str::to_owned).collect(),
            _ => {}
        }
    }
    os
}

pub(super) fn read(host: &Host) -> Os {
    let text = ["/etc/os-release", "/usr/lib/os-release"].iter().find_map(|path| host.value(path));
    text.map(|text| parse(&text)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_carriage_returns_are_no_part_of_a_value() {
        let os = parse("PRETTY_NAME=\"Ubuntu 24.04.1 LTS\"\r\nID=ubuntu\r\nID_LIKE=\"debian x\"\nnonsense\n");
        assert_eq!((os.name.as_str(), os.id.as_str(), os.like.len()), ("Ubuntu 24.04.1 LTS", "ubuntu", 2));
    }
}
