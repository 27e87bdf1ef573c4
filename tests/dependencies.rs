//! What is in the program: free licences alone, from crates.io alone, nothing that is banned, nothing that asks for a newer
//! Rust than we say. `.cargo/deny.toml` has the rules; `cargo deny` reads the same ones.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

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
