//! The schemas that documents name: those of this program, and those of a folder of one's own.

use serde_json::Value;

use crate::host::Host;
use crate::llm;

/// A name is a word, never a path.
pub fn is_name(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(letter)
}

/// The schema of that name: one's own wins over a bundled one.
pub fn named(name: &str, folder: Option<&str>) -> Option<Value> {
    if !is_name(name) {
        return None;
    }
    let own = folder.and_then(|folder| {
        let host = Host::at(folder.as_ref()).ok()?;
        serde_json::from_slice(&host.read(&format!("/{name}.json")).ok()??).ok()
    });
    own.or_else(|| llm::bundled(name))
}

/// The names that there are.
pub fn names(folder: Option<&str>) -> Vec<String> {
    let mut names: Vec<String> = llm::BUNDLED.iter().map(|(name, _)| (*name).to_owned()).collect();
    let files = folder.and_then(|folder| Host::at(folder.as_ref()).ok()?.list("/").ok()).unwrap_or_default();
    let own = files.iter().filter_map(|file| file.strip_suffix(".json")).filter(|name| is_name(name));
    names.extend(own.map(str::to_owned));
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods)] // the test's own folder
    fn ones_own_schema_wins_and_a_name_is_no_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        std::fs::write(folder.path().join("carta.json"), "{\"type\":\"string\"}").unwrap();
        std::fs::write(folder.path().join("broken.json"), "{").unwrap();
        std::fs::write(folder.path().join("Not A Name.json"), "{}").unwrap();
        assert_eq!(named("carta", Some(path)).unwrap()["type"], "string");
        assert_eq!(named("carta", None).unwrap()["type"], "object");
        for name in ["broken", "../carta", "/etc/passwd", "", "carta.json", "Carta", "absent"] {
            assert!(named(name, Some(path)).is_none(), "{name}");
        }
        assert_eq!(names(Some(path)), ["broken", "carta"]);
    }
}
