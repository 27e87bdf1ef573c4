//! The generated pages of `docs/` are current. `UPDATE_EXPECTED=1 cargo test --test docs` writes them anew.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use civicum_tune::check;
use civicum_tune::profile::keys::KEYS;
use civicum_tune::profile::reference::reference;
use civicum_tune::render::explain;
use civicum_tune::tunable::ALL;

fn current(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&path, text).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "docs/{name} is out of date; run: UPDATE_EXPECTED=1 cargo test --test docs");
}

#[test]
fn the_reference_of_the_tunables() {
    let mut text = String::from(
        "# What is set, and why\n\nEach of these is also `civicum-tune explain ID`. This page is generated from the program.\n",
    );
    for doc in ALL.iter().map(|tunable| tunable.doc()) {
        text += &format!(
            "\n## {}: {}\n\n{}\n\n- **Costs:** {}\n- **Risk:** {}\n- **Source:** {}\n- **Undo:** {}\n",
            doc.id, doc.title, doc.why, doc.cost, doc.risk, doc.source, doc.undo
        );
        if !doc.keys.is_empty() {
            text += &format!("- **Keys:** `{}`\n", doc.keys.join("`, `"));
        }
    }
    current("tunables.md", &text);
}

#[test]
fn the_reference_of_the_checks() {
    let count = check::all().count();
    let mut text = format!(
        "# What `doctor` checks\n\nEach of these {count} checks is also `civicum-tune explain ID`. This page is generated from the program.\n\n\
         A check has four answers: it passes, it finds something (`fail` or `warn`), it does not apply to this host, or it could not\n\
         tell. The last is never a pass, and with `--strict` a failure. What is found can be accepted for a time in the profile:\n\
         `[waivers.ID]` with a `reason` and a last day, `until`.\n"
    );
    for (area, title, checks) in &check::AREAS {
        text += &format!("\n## {area}: {title}\n");
        text.extend(checks.iter().map(|check| explain::markdown(&explain::Entry::of_check(check))));
    }
    current("checks.md", &text);
}

#[test]
fn the_reference_of_the_profile() {
    let text = format!(
        "# Every key of a profile\n\n`civicum-tune explain services.worker.memory` says the same of one key, and `civicum-tune explain services.worker` lists a section;\n`civicum-tune profile schema` prints all of it for editors, as a JSON Schema. This page is generated from the program.\n\n{}",
        reference()
    );
    current("profile-reference.md", &text);
}

#[test]
fn every_tunable_says_all_about_itself() {
    let docs: Vec<_> = ALL.iter().map(|tunable| tunable.doc()).collect();
    let ids: BTreeSet<_> = docs.iter().map(|doc| doc.id).collect();
    assert_eq!(ids.len(), docs.len(), "ids are unique");
    let followed: BTreeSet<&str> = docs.iter().flat_map(|doc| doc.keys).copied().collect();
    let of_the_host = KEYS.iter().map(|key| key.path).filter(|path| {
        let first = path.split('.').next().unwrap();
        ["zswap", "swap", "sysctl", "zram", "boot", "mglru"].contains(&first)
    });
    assert_eq!(followed, of_the_host.collect(), "each key of the host is followed by a tunable");
    for doc in docs {
        for text in [doc.id, doc.title, doc.why, doc.cost, doc.risk, doc.source, doc.undo] {
            assert!(!text.is_empty(), "{}", doc.id);
            assert!(!text.contains("  "), "{}: {text}", doc.id);
        }
    }
    // One file each: no file of the room that the registry forgot.
    let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tunable");
    let files = fs::read_dir(room).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let count = files.filter(|name| !["mod.rs", "gap.rs", "template.rs"].contains(&name.as_str())).count();
    assert_eq!(count, ALL.len());
}
