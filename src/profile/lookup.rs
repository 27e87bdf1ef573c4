//! From a path in a file to what the table of keys says about it.

use super::keys::{KEYS, Key, NAMES};
use super::shape::Shape;

/// What a path leads to.
#[derive(Debug, Clone, Copy)]
pub enum Lookup {
    /// A key.
    Key(&'static Key),
    /// A table with keys in it.
    Section,
    /// Nothing.
    Unknown,
}

/// What `path` leads to.
pub fn lookup(path: &[String]) -> Lookup {
    let mut found = Lookup::Unknown;
    for key in &KEYS {
        let mut pattern = key.path.split('.');
        if path.iter().all(|part| pattern.next().is_some_and(|p| p == "*" || p == part)) {
            match pattern.next() {
                None => return Lookup::Key(key),
                Some(_) => found = Lookup::Section,
            }
        }
    }
    found
}

/// The names that could stand in place of the last part of `path`.
pub fn siblings(path: &[String]) -> Vec<&'static str> {
    let Some((_, folder)) = path.split_last() else { return Vec::new() };
    let mut names = Vec::new();
    for key in &KEYS {
        let mut pattern = key.path.split('.');
        if folder.iter().all(|part| pattern.next().is_some_and(|p| p == "*" || p == part)) {
            if let Some(name) = pattern.next().filter(|name| *name != "*" && !names.contains(name)) {
                names.push(name);
            }
        }
    }
    names
}

/// The form that the last part of `path` must have, where it is a name of the user's choice.
pub fn name_shape(path: &[String]) -> Option<Shape> {
    NAMES
        .iter()
        .find(|(pattern, _)| {
            let parts: Vec<&str> = pattern.split('.').collect();
            parts.len() == path.len() && parts.iter().zip(path).all(|(p, part)| *p == "*" || p == part)
        })
        .map(|(_, shape)| *shape)
}

/// The position in the table of the key at `path`, for showing things in the table's order.
pub fn rank(path: &[String]) -> usize {
    match lookup(path) {
        Lookup::Key(key) => KEYS.iter().position(|k| k.path == key.path).unwrap_or(KEYS.len()),
        Lookup::Section | Lookup::Unknown => KEYS.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn paths_lead_to_keys_and_sections() {
        assert!(matches!(lookup(&path("zswap.compressor")), Lookup::Key(k) if k.path == "zswap.compressor"));
        assert!(matches!(lookup(&path("services.llm.cpus")), Lookup::Key(k) if k.path == "services.*.cpus"));
        assert!(matches!(lookup(&path("services.llm.environment")), Lookup::Section));
        assert!(matches!(lookup(&path("services")), Lookup::Section));
        assert!(matches!(lookup(&path("zswap.compresor")), Lookup::Unknown));
        assert!(matches!(lookup(&path("name.x")), Lookup::Unknown));
        assert_eq!(siblings(&path("boot.x")), ["manage", "kernel_args", "psi", "cgroup_v2"]);
        assert_eq!(name_shape(&path("services.llm")), Some(Shape::ServiceName));
        assert_eq!(name_shape(&path("zswap.enabled")), None);
    }
}
