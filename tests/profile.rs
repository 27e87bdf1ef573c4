//! Profiles from outside: bad files against golden texts, hostile input.
#![allow(clippy::disallowed_methods, clippy::format_collect, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use civicum_tune::profile::rule::{Dimension, Rule, Var, Vars};
use civicum_tune::profile::{self, About, Code, Finding, Profile, excerpt};
use proptest::prelude::*;

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    fs::read(path)
}

fn bad() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/profiles/bad")
}

/// The contract: what scripts read. Fields are only ever added.
#[test]
fn validation_as_json() {
    let files = |path: &Path| match path.to_str() {
        Some("bad.toml") => Ok(b"[zswap]\nenabled = 1\n".to_vec()),
        Some("good.toml") => Ok(b"extends = 'minimal'\n".to_vec()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    let validation =
        profile::validate(["bad.toml", "good.toml", "none.toml", "minimal"], &files, &About::default());
    assert!(!validation.is_valid());
    let json = serde_json::to_string(&validation).unwrap();
    assert!(json.starts_with(r#"{"schema":"civicum-tune/validate/1","files":[{"file":"bad.toml","valid":false,"findings":[{"id":"profile/type","severity":"error","message":"#), "{json}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let finding = &json["files"][0]["findings"][0];
    let place = ["line", "column", "end_line", "end_column"].map(|key| finding[key].as_u64());
    assert_eq!(place, [Some(2), Some(11), Some(2), Some(12)]);
    assert_eq!(finding["help"], "write true, without quotes");
    let valid: Vec<_> = json["files"].as_array().unwrap().iter().map(|f| f["valid"].as_bool()).collect();
    assert_eq!(valid, [Some(false), Some(true), Some(false), Some(true)]);
    assert_eq!(json["files"][2]["findings"][0]["id"], "profile/unreadable");
    assert!(json["files"][2]["findings"][0]["line"].is_null());
}

/// Profiles named on the command line are this machine's files, and come through the door.
#[test]
fn files_are_read_through_the_door() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), "extends = \"./b.toml\"\nsysctl.vm.swappiness = 70\n").unwrap();
    fs::write(folder.path().join("b.toml"), "extends = \"minimal\"\n").unwrap();
    let host = civicum_tune::host::Host::live().unwrap();
    let read = profile::reader(&host);
    let path = folder.path().join("a.toml");
    let profile = Profile::load(path.to_str().unwrap(), &read).unwrap();
    let settings = profile.settle(&profile.nominal()).unwrap();
    assert_eq!(
        (settings.sysctl["vm.swappiness"].as_str(), settings.sysctl["vm.page-cluster"].as_str()),
        ("70", "0")
    );
    assert_eq!(profile.sources().count(), 3);
    let missing = Profile::load(folder.path().join("c.toml").to_str().unwrap(), &read).unwrap_err();
    assert_eq!(missing[0].code, Code::Unreadable);
    let folder_itself = format!("{}/", folder.path().display());
    assert_eq!(Profile::load(&folder_itself, &read).unwrap_err()[0].code, Code::Unreadable);
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_rule_or_is_not(text in "\\PC{0,80}|(ram|cores|disk|memory|min|max|of|[0-9]{1,20}|[0-9]\\.[0-9]{1,8}|GiB|TiB|MB|[-+*/(),%]| ){0,30}",
                                    ram in any::<u64>(), cores in any::<u64>(), disk in any::<u64>(), memory in any::<Option<u64>>()) {
        for wanted in [Dimension::Size, Dimension::Number] {
            let result = Rule::parse(&text, wanted, &Var::ALL)
                .and_then(|rule| rule.evaluate(&Vars { ram, cores, disk, memory }));
            if let Err(error) = result {
                prop_assert!(error.span.start <= error.span.end && error.span.end <= text.len());
                prop_assert!(text.get(error.span).is_some());
            }
        }
    }

    /// A sensible rule, against arithmetic done another way.
    #[test]
    fn sensible_rules_are_right(ram in 1_u64 << 20..1 << 45, percent in 0_u64..=100, part in 1_u64..100, cap in 1_u64..1 << 20) {
        let vars = Vars { ram, cores: 4, disk: 0, memory: None };
        let size = |text: String| Rule::parse(&text, Dimension::Size, &Var::ALL).unwrap().size(&vars).unwrap().as_mib();
        prop_assert_eq!(size(format!("{percent}% of ram")), (ram * percent / 100) >> 20);
        prop_assert_eq!(size(format!("ram / {part}")), (ram / part) >> 20);
        prop_assert_eq!(size(format!("min(ram, {cap}MiB)")), (ram >> 20).min(cap));
        let twice = (ram >> 20).max(2 * cap);
        prop_assert_eq!(size(format!("max(ram, 2 * {cap}MiB) - {cap}MiB + 1MiB")), twice - cap + 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// What `show` writes is read back as the same profile, whatever stands in its texts.
    #[test]
    fn what_is_shown_is_read_back(
        description in "\\PC{0,40}",
        value in "\\PC{0,40}|[\"'\\\\#\\[\\]{}= ]{0,20}",
        parameter in "[ -~]{1,20}|-?[0-9]{1,19}|0[0-9]",
        size in "[1-9][0-9]{0,3}(MiB|GiB|MB)|[1-9][0-9]{7,9}|[1-9]% of ram|min\\(ram / [1-9], [1-9]GiB\\)",
        cpus in "[1-9]|0\\.[1-9]{1,6}|'cores / [1-9]'",
        ttl in 1_u64..60_000,
        flag in any::<bool>(),
    ) {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let text = format!(
            "description = {}\nzswap.shrinker = {flag}\nmglru.min_ttl = '{ttl}ms'\nsysctl.\"kernel.x\" = {}\n\
             [services.a]\nmemory = {}\ncpus = {cpus}\nenvironment.X = {}\n",
            quoted(&description), quoted(&parameter), quoted(&size), quoted(&value),
        );
        let Ok(profile) = Profile::parse(&text, "x.toml") else {
            return Err(TestCaseError::reject("refused"));
        };
        let shown = profile.show(None).join("\n");
        let again = Profile::parse(&shown, "y.toml")
            .map_err(|f| TestCaseError::fail(format!("{shown}\n{}", excerpt::render_all(&f))))?;
        let host = profile.nominal();
        let (first, second) = (profile.settle(&host), again.settle(&host));
        prop_assert_eq!(first.is_ok(), second.is_ok());
        if let (Ok(first), Ok(second)) = (first, second) {
            prop_assert_eq!(first, second, "{}", shown);
        }
    }
}
