//! Every sentence of the program has its translation, none is left over, and every placeholder fits.
//! `UPDATE_EXPECTED=1 cargo test --test lang` adds what is missing to the catalogue, untranslated.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use civicum_tune::check::{self, AREAS, Remedy, Severity};
use civicum_tune::lang::{SPANISH, po};
use civicum_tune::profile::keys::KEYS;
use civicum_tune::profile::{BUNDLED, Code, Profile};
use civicum_tune::tunable::ALL;
use proc_macro2::{TokenStream, TokenTree};

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn literal(tree: Option<&TokenTree>) -> Option<String> {
    let Some(TokenTree::Literal(literal)) = tree else { return None };
    syn::parse_str::<syn::LitStr>(&literal.to_string()).ok().map(|text| text.value())
}

/// The first literal of every `t!(…)` and `say(…)`, at any depth, and the verbs of the host's errors.
fn sentences(tokens: TokenStream, found: &mut BTreeSet<String>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, tree) in trees.iter().enumerate() {
        let TokenTree::Group(group) = tree else { continue };
        let word = |back: usize| at.checked_sub(back).map(|i| trees[i].to_string()).unwrap_or_default();
        let is_verb = (word(1) == "error" && word(3) == "self")
            || (["new", "because"].contains(&word(1).as_str()) && word(4) == "HostError");
        if (word(1) == "!" && word(2) == "t") || word(1) == "say" || is_verb {
            found.extend(literal(group.stream().into_iter().next().as_ref()));
        }
        sentences(group.stream(), found);
    }
}

/// Everything that the program can say: where it is said, and the texts of its registries.
fn said() -> BTreeSet<String> {
    let mut files = Vec::new();
    rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let mut found = BTreeSet::new();
    for file in files.iter().filter(|file| !file.ends_with("lang/mod.rs")) {
        let text = fs::read_to_string(file).unwrap();
        sentences(text.parse().unwrap_or_else(|e| panic!("{}: {e}", file.display())), &mut found);
    }
    let mut add = |text: &str| {
        if !text.is_empty() {
            found.insert(text.to_owned());
        }
    };
    for doc in ALL.iter().map(|tunable| tunable.doc()) {
        [doc.title, doc.why, doc.cost, doc.risk, doc.undo].into_iter().for_each(&mut add);
        if has_words(doc.source) {
            add(doc.source);
        }
    }
    for bundled in &BUNDLED {
        let profile = Profile::load(bundled.name, &|_| Err(std::io::Error::other("no file"))).unwrap();
        add(profile.description());
    }
    for (_, title, _) in &AREAS {
        add(title);
    }
    for check in check::all() {
        [check.title, check.why].into_iter().for_each(&mut add);
        if has_words(check.source) {
            add(check.source);
        }
        if let Remedy::ByHand { cost, risk, undo } = check.remedy {
            [cost, risk, undo].into_iter().for_each(&mut add);
        }
    }
    for code in Code::ALL {
        [code.meaning(), code.remedy()].into_iter().for_each(&mut add);
    }
    let severities = [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
    for severity in severities {
        add(severity.word());
    }
    // The format of a profile. Most defaults are values, which are the same everywhere.
    for key in &KEYS {
        add(key.doc);
        for words in [key.default, key.unit].into_iter().filter(|words| is_said(words)) {
            add(words);
        }
    }
    ["system", "processor", "memory", "swap", "zswap", "disks"].into_iter().for_each(&mut add);
    // The whole command line, and its examples.
    for text in civicum_tune::cli::sentences() {
        add(&text);
    }
    // The names of the parts of an explanation.
    let parts = ["Severity", "Why", "Keys", "Set by", "Costs", "Risk", "Undo", "Way out", "Source"];
    parts.into_iter().chain(["Takes", "Without it", "Example"]).for_each(add);
    found
}

/// Does a source say something, and not only name a document?
fn has_words(source: &str) -> bool {
    let is_english = |word| ["the", "what", "seen", "of", "in", "against"].contains(&word);
    source.split([' ', ':', ',']).any(is_english)
}

/// Is it words, and no value or unit's sign?
fn is_said(text: &str) -> bool {
    let is_a_number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let mut words = text.split_whitespace();
    match (words.next(), words.next()) {
        (Some(first), Some(_)) => !is_a_number(first) || text.split_whitespace().count() > 2,
        (Some(only), None) => {
            let alone = [
                "none",
                "nothing",
                "unknown",
                "bytes",
                "processes",
                "requests",
                "threads",
                "files",
                "documents",
                "pages",
                "pixels",
                "days",
                "CPUs",
            ];
            alone.contains(&only)
        }
        _ => false,
    }
}

/// The names in braces.
fn placeholders(text: &str) -> BTreeSet<&str> {
    let text = text.as_bytes();
    let mut found = BTreeSet::new();
    let mut at = 0;
    while at < text.len() {
        match (text[at], text.get(at + 1)) {
            (b'{', Some(b'{')) | (b'}', Some(b'}')) => at += 1,
            (b'{', _) => {
                let end = text[at..].iter().position(|b| *b == b'}').expect("a brace is left open") + at;
                found.insert(std::str::from_utf8(&text[at + 1..end]).unwrap());
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[test]
fn the_spanish_catalogue_is_whole() {
    let pairs = po::parse(SPANISH);
    let catalogue: BTreeMap<&str, &str> = pairs.iter().map(|(en, es)| (en.as_str(), es.as_str())).collect();
    assert_eq!(catalogue.len(), pairs.len(), "a sentence is there twice");
    let said = said();
    let missing: Vec<&String> = said.iter().filter(|text| !catalogue.contains_key(text.as_str())).collect();
    let stale: Vec<&&str> = catalogue.keys().filter(|text| !said.contains(**text)).collect();
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lang/es.po");
        let header = SPANISH.split("\n\n").next().unwrap();
        let mut text = header.to_owned() + "\n";
        for sentence in &said {
            let known = catalogue.get(sentence.as_str()).copied().unwrap_or_default();
            text += &format!("\nmsgid {}\nmsgstr {}\n", quoted(sentence), quoted(known));
        }
        fs::write(path, text).unwrap();
        return;
    }
    assert!(stale.is_empty(), "nobody says this any more: {stale:#?}");
    assert!(missing.is_empty(), "no translation of: {missing:#?}");
    for (english, spanish) in catalogue {
        assert_eq!(placeholders(english), placeholders(spanish), "{english}\n{spanish}");
    }
}

#[test]
fn placeholders_are_found() {
    assert_eq!(placeholders("{a} {{b}} {c}"), BTreeSet::from(["a", "c"]));
}
