//! What is in the program: free licences alone, from crates.io alone, nothing that is banned, nothing that asks for a newer
//! Rust than we say. `.cargo/deny.toml` has the rules; `cargo deny` reads the same ones. And what the pages name is in the package.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, Licensee};
use toml::Table;

/// Every package of Cargo.lock, as cargo describes it. They are here already: the tests were built of them.
fn packages() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let Value::Array(packages) = metadata["packages"].take() else { panic!("no packages") };
    assert!(packages.len() > 150, "{} packages", packages.len());
    packages
}

fn rules() -> Table {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".cargo/deny.toml")).unwrap();
    text.parse().unwrap()
}

fn texts(list: &toml::Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

fn name(package: &Value) -> String {
    format!("{} {}", package["name"].as_str().unwrap(), package["version"].as_str().unwrap())
}

/// Whether an expression of SPDX can be met with the licences of the list.
fn is_free(expression: &str, allowed: &[Licensee]) -> bool {
    // Older crates write `MIT/Apache-2.0` for `or`.
    let expression = Expression::parse(&expression.replace('/', " OR ")).unwrap();
    expression.evaluate(|asked| allowed.iter().any(|one| one.satisfies(asked)))
}

fn allowed() -> Vec<Licensee> {
    texts(&rules()["licenses"]["allow"]).iter().map(|text| Licensee::parse(text).unwrap()).collect()
}

#[test]
fn every_library_is_free() {
    let allowed = allowed();
    for package in packages() {
        let licence = package["license"].as_str();
        let licence = licence.unwrap_or_else(|| panic!("{} does not say its licence", name(&package)));
        assert!(is_free(licence, &allowed), "{}: {licence} is not in .cargo/deny.toml", name(&package));
    }
}

#[test]
fn a_licence_with_conditions_would_be_found() {
    let allowed = allowed();
    for (expression, free) in [
        ("GPL-3.0-only", false),
        ("MIT AND AGPL-3.0-or-later", false),
        ("BUSL-1.1", false),
        ("LGPL-2.1-or-later OR MIT", true),
        ("MIT/Apache-2.0", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
    ] {
        assert_eq!(is_free(expression, &allowed), free, "{expression}");
    }
}

#[test]
fn every_library_comes_from_the_registry() {
    let rules = rules();
    let registries = texts(&rules["sources"]["allow-registry"]);
    for package in packages().iter().filter(|package| package["name"] != env!("CARGO_PKG_NAME")) {
        let source = package["source"].as_str().unwrap_or("a folder");
        let known = registries.iter().any(|registry| source == format!("registry+{registry}"));
        assert!(known, "{} comes from {source}", name(package));
    }
}

#[test]
fn nothing_banned_is_in() {
    let rules = rules();
    let banned = rules["bans"]["deny"].as_array().unwrap();
    let banned: Vec<_> = banned.iter().map(|one| one["crate"].as_str().unwrap()).collect();
    for package in packages() {
        assert!(!banned.contains(&package["name"].as_str().unwrap()), "{} is banned", name(&package));
    }
}

/// `1.85` and `1.85.0` are one version.
fn version(text: &str) -> Vec<u32> {
    let mut parts: Vec<u32> = text.split('.').map(|part| part.parse().unwrap()).collect();
    parts.resize(3, 0);
    parts
}

#[test]
fn the_rust_that_we_ask_for_is_enough() {
    let ours = version(env!("CARGO_PKG_RUST_VERSION"));
    for package in packages() {
        let Some(theirs) = package["rust_version"].as_str() else { continue };
        assert!(version(theirs) <= ours, "{} asks for Rust {theirs}", name(&package));
    }
}

/// The Debian package's assets that come from the repository as they are: each file of it, and where it is put.
fn packaged() -> BTreeMap<String, String> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest: Table = fs::read_to_string(top.join("Cargo.toml")).unwrap().parse().unwrap();
    let mut found = BTreeMap::new();
    for asset in manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap() {
        let asset = texts(asset);
        let [from, to, _mode] = asset.as_slice() else { panic!("{asset:?}") };
        if from.starts_with("target/") {
            continue;
        }
        let (folder, name) = from.rsplit_once('/').unwrap_or(("", from));
        let (begin, end) = name.split_once('*').unwrap_or((name, ""));
        let entries = fs::read_dir(top.join(folder)).unwrap().map(|entry| entry.unwrap());
        let names = entries.map(|entry| entry.file_name().into_string().unwrap()).filter(|file| {
            if name.contains('*') { file.starts_with(begin) && file.ends_with(end) } else { file == name }
        });
        let before = found.len();
        for file in names {
            let place = if to.ends_with('/') { format!("/{to}{file}") } else { format!("/{to}") };
            found.insert(format!("{folder}/{file}").trim_start_matches('/').to_owned(), place);
        }
        assert!(found.len() > before, "the package asks for {from}, and there is none");
    }
    found
}

/// `a/b/../c` is `a/c`.
fn plain(path: &Path) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.to_str().unwrap().split('/').filter(|part| !["", "."].contains(part)) {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

/// Who reads the pages from the package finds what they name: by the link, or by the place that the same section names.
#[test]
fn what_the_pages_name_is_in_the_package() {
    // The package has our own licences where Debian wants them: in its file `copyright`.
    const OF_THE_REPOSITORY: [&str; 4] = ["src/", "tests/", ".cargo/", "docs/licenses/"];
    // Who changes the program has the repository.
    const OF_CONTRIBUTORS: [&str; 3] = [
        "docs/CONTRIBUTING.md",
        "docs/guides/adding-a-tunable-or-check.md",
        "docs/guias/adding-a-tunable-or-check.md",
    ];
    const EXAMPLES: &str = "/usr/share/doc/civicum-tune/";
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packaged = packaged();
    let (mut links, mut places) = (0, 0);
    let pages = packaged.iter().filter(|(page, _)| page.ends_with(".md"));
    for (page, put) in pages.filter(|(page, _)| !OF_CONTRIBUTORS.contains(&page.as_str())) {
        let text = fs::read_to_string(top.join(page)).unwrap();
        for section in text.split("\n## ") {
            for (at, _) in section.match_indices("](") {
                let target = section[at + 2..].split([')', '#']).next().unwrap();
                if target.is_empty() || target.starts_with("http") {
                    continue;
                }
                links += 1;
                let folder = |path: &str| Path::new(path).parent().unwrap().to_owned();
                let file = plain(&folder(page).join(target));
                let reached = format!("/{}", plain(&folder(put).join(target)));
                if packaged.get(&file) != Some(&reached)
                    && !OF_THE_REPOSITORY.iter().any(|room| file.starts_with(room))
                    && !page.starts_with("templates/")
                {
                    let place = packaged.get(&file);
                    let place = place.unwrap_or_else(|| panic!("{page}: {file} is not in the package"));
                    assert!(section.contains(place), "{page}: {file} is {place} in the package; say so");
                }
            }
            for span in section.split('`').skip(1).step_by(2) {
                if !span.starts_with("templates/") || span == "templates/" {
                    continue;
                }
                // A folder is there if something in it is.
                let is_meant = |file: &str| file == span || span.ends_with('/') && file.starts_with(span);
                let (file, place) = packaged
                    .iter()
                    .find(|(file, _)| is_meant(file))
                    .unwrap_or_else(|| panic!("{page}: {span} is not in the package"));
                let place = &place[..place.len() - (file.len() - span.len())];
                assert!(section.contains(place), "{page}: {span} is {place} in the package; say so");
            }
        }
        for (at, _) in text.match_indices(EXAMPLES) {
            let rest = text[at..].split(|c: char| !c.is_ascii_alphanumeric() && !"/._-".contains(c)).next();
            let place = rest.unwrap().trim_end_matches('.');
            let is_there =
                packaged.values().any(|put| put == place || place.ends_with('/') && put.starts_with(place));
            assert!(is_there, "{page}: the package has no {place}");
            places += 1;
        }
    }
    assert!(links > 100 && places > 10, "{links} links and {places} places were looked at");
}

/// The words of the licences that Cargo.toml names are there, and the package's are the same.
#[test]
fn the_own_licences_have_their_words() {
    let read = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let told: Table = read("Cargo.toml").parse().unwrap();
    assert_eq!(told["package"]["license"].as_str(), Some("MIT OR Apache-2.0"));
    for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(
            read("README.md").contains(&format!("(docs/licenses/{name})")),
            "README.md does not lead to {name}"
        );
    }
    assert!(read("docs/licenses/LICENSE-APACHE").contains("END OF TERMS AND CONDITIONS"));
    let words =
        |text: &str| text.split_whitespace().filter(|word| *word != ".").collect::<Vec<_>>().join(" ");
    let packed = read("templates/debian/copyright");
    let (_, packed) = packed.split_once("License: Expat\n").unwrap();
    let (packed, _) = packed.split_once("\nLicense: ").unwrap();
    let mit = read("docs/licenses/LICENSE-MIT");
    assert!(words(&mit).ends_with(&words(packed)));
    assert!(mit.contains("the civicum-tune maintainers"), "nobody holds the rights");
}
