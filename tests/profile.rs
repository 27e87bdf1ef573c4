//! Profiles from outside: bad files against golden texts, hostile input.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use civicum_tune::profile::{self, Code, Finding, Profile, excerpt};
use proptest::prelude::*;

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    fs::read(path)
}

fn bad() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/profiles/bad")
}

/// Every file of the folder gives exactly the findings beside it. `UPDATE_EXPECTED=1` writes them anew.
#[test]
fn bad_profiles_say_what_is_wrong() {
    let mut files: Vec<PathBuf> = fs::read_dir(bad()).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let mut wrong = Vec::new();
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "toml")) {
        let folder = format!("{}/", bad().display());
        let found: String = profile::validate::check_file(file.to_str().unwrap(), &read)
            .iter()
            .map(excerpt::render)
            .collect::<Vec<_>>()
            .join("\n")
            .replace(&folder, "");
        assert!(!found.is_empty(), "{} has nothing wrong with it", file.display());
        let expected = file.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&expected, &found).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != found {
            wrong.push(format!("{}:\n{found}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "not as expected (UPDATE_EXPECTED=1 accepts):\n{}", wrong.join("\n"));
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "expected")) {
        assert!(file.with_extension("toml").is_file(), "{} is left over", file.display());
    }
}

fn findings(text: &[u8]) -> Vec<Finding> {
    let text = text.to_vec();
    profile::validate::check_file("p.toml", &|_| Ok(text.clone()))
}

/// Runs on a thread with the stack of a thread of the test harness, and must not take long.
fn hostile(name: &str, text: &[u8], code: Code) {
    let start = Instant::now();
    let found = findings(text);
    assert!(found.iter().any(|f| f.code == code), "{name}: {found:?}");
    assert!(found.len() <= 200, "{name}: {} findings", found.len());
    for finding in &found {
        let shown = excerpt::render(finding);
        assert!(shown.len() < 4000, "{name}: {}", shown.len());
        assert!(!shown.contains('\u{1b}'), "{name}");
    }
    eprintln!("{name} {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(20), "{name} took {:?}", start.elapsed());
}

#[test]
fn hostile_files_give_findings() {
    let mib = 1 << 20;
    hostile("50 MB", &vec![b'#'; 50_000_000], Code::TooLarge);
    hostile("one byte too many", &vec![b'#'; mib + 1], Code::TooLarge);
    hostile("brackets", format!("a = {}", "[".repeat(mib - 10)).as_bytes(), Code::Syntax);
    hostile(
        "closed brackets",
        format!("a = {}{}", "[".repeat(500_000), "]".repeat(500_000)).as_bytes(),
        Code::Syntax,
    );
    hostile("braces", format!("a = {}", "{a=".repeat(300_000)).as_bytes(), Code::Syntax);
    hostile("headers", "[".repeat(mib - 10).as_bytes(), Code::Syntax);
    hostile("dots", format!("a{} = 1", ".a".repeat(500_000)).as_bytes(), Code::Syntax);
    hostile("dotted header", format!("[a{}]", ".a".repeat(500_000)).as_bytes(), Code::Syntax);
    hostile("dotted sysctl", format!("[sysctl]\na{} = 1", ".a".repeat(70)).as_bytes(), Code::Value);
    hostile("tables", "[a.b.c]\n".repeat(100_000).as_bytes(), Code::DuplicateKey);
    hostile(
        "keys",
        (0..60_000).map(|i| format!("k{i} = 1\n")).collect::<String>().as_bytes(),
        Code::UnknownKey,
    );
    hostile("quotes", "\"".repeat(mib).as_bytes(), Code::Syntax);
    hostile("equals", "=".repeat(mib).as_bytes(), Code::Syntax);
    hostile("lines", "=\n".repeat(mib / 2).as_bytes(), Code::Syntax);
    hostile("NUL", b"name = \"a\0b\"\n", Code::Syntax);
    hostile("bytes", b"name = \"a\"\ndescription = \"\xff\"\n", Code::NotUtf8);
    hostile(
        "latin 1",
        "name = \"a\" # \u{f1}".chars().map(|c| c as u8).collect::<Vec<u8>>().as_slice(),
        Code::NotUtf8,
    );
    hostile("escape", b"\"a\\u001b[31m\" = 1\n", Code::UnknownKey);
    hostile("raw escape", b"\x1b[31m = 1\n", Code::Syntax);
    hostile("rule", format!("[swap]\nsize = \"{}\"", "(".repeat(mib - 100)).as_bytes(), Code::Rule);
    hostile("numbers", b"[swap]\nsize = 99999999999999999999999999\n", Code::Range);
    hostile("name", format!("name = \"{}\"", "a".repeat(mib - 100)).as_bytes(), Code::Value);
    hostile("long key", format!("{} = 1", "a".repeat(mib - 100)).as_bytes(), Code::UnknownKey);
    hostile("words", format!("zswap.compressor = \"{}\"", "a".repeat(mib - 100)).as_bytes(), Code::Value);
    hostile("list", format!("without = [{}]", "\"a\",".repeat(200_000)).as_bytes(), Code::Value);
    let args: String = (0..100_000).map(|i| format!("\"{i}\",")).collect();
    hostile("long list", format!("boot.kernel_args = [{args}]").as_bytes(), Code::Value);
}

#[test]
fn an_empty_file_is_a_profile_that_wants_nothing() {
    for text in ["", "\n", "# nothing\n", "\u{feff}", "\u{feff}# nothing\n"] {
        let profile = Profile::parse(text, "/etc/x.toml").unwrap();
        let settings = profile.settle(&profile.nominal()).unwrap();
        assert_eq!(settings.name, "x");
        assert!(!settings.zswap.manage && settings.sysctl.is_empty() && settings.services.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}|[\\[\\]{}=.,\"'#a-z0-9 \n\t]{0,200}") {
        for finding in findings(text.as_bytes()) {
            let _ = excerpt::render(&finding);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for finding in findings(&bytes) {
            let _ = excerpt::render(&finding);
        }
    }

    /// The format's own words in any order and with any values: as near to a profile as chance gets.
    #[test]
    fn any_values_of_known_keys_are_read_or_refused(
        lines in proptest::collection::vec(
            ("(name|extends|without|zswap|zswap\\.(enabled|zpool|compressor)|swap\\.(size|path)|sysctl\\.(vm\\.swappiness|\"vm.dirty_bytes\"|vm)|services\\.(a|\"b.c\")\\.(memory|memory_swap|cpus|environment\\.X)|mglru\\.min_ttl|memory\\.(reserve|at_least))",
             "(-?[0-9]{1,20}|[0-9]\\.[0-9]e[0-9]|true|\\[\\]|\\[\"a\", 1\\]|\\{\\}|\"(ram|cores|disk|memory|min|max|[0-9]{1,3}(\\.[0-9])?|GiB|MB|[-+*/(),% ]| of ){0,9}\"|'[ -~]{0,20}'|1979-05-27)"),
            0..12)
    ) {
        let text: String = lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        for finding in findings(text.as_bytes()) {
            let _ = excerpt::render(&finding);
        }
    }
}
