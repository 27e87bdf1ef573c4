//! The machine formats of `validate` and `doctor`: against their schemas, and against what is expected.
//! `UPDATE_EXPECTED=1 cargo test --test formats` writes the latter anew; read the difference.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use quick_xml::events::Event;
use serde_json::{Value, json};

const FORMATS: [&str; 3] = ["sarif", "junit", "github"];

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_civicum-tune"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn is_current(name: &str, text: &str) {
    let path = top().join("tests/formats/expected").join(name);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    let differs = wanted.lines().zip(text.lines()).find(|(a, b)| a != b);
    assert!(wanted == text, "{name} differs from what is expected: {differs:?}");
}

fn bad_profiles() -> Vec<String> {
    let room = fs::read_dir(top().join("tests/profiles/bad")).unwrap();
    let mut names: Vec<String> =
        room.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".toml"));
    names.sort();
    assert!(names.len() > 30);
    names
}

fn validate(format: &str, names: &[String]) -> (i32, String) {
    let mut args = vec!["validate", "--format", format, "--"];
    args.extend(names.iter().map(String::as_str));
    let (status, text, said) = run(&top().join("tests/profiles/bad"), &args);
    assert_eq!(said, "");
    (status, text)
}

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let text = fs::read_to_string(top().join("tests/formats/sarif-schema-2.1.0.json")).unwrap();
    // One pattern of the schema has a bracket that only lenient engines read, as the bracket itself.
    let text = text.replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}\\\\]?$");
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
});

/// A SARIF document that is what it should be, beyond what the schema can say.
#[track_caller]
fn sarif(text: &str) -> Value {
    let document: Value = serde_json::from_str(text).unwrap();
    let errors: Vec<String> =
        SCHEMA.iter_errors(&document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    let run = &document["runs"][0];
    let rules: Vec<&str> = run["tool"]["driver"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    assert_eq!(rules.iter().collect::<BTreeSet<_>>().len(), rules.len(), "rules are unique");
    let mut prints = BTreeSet::new();
    for result in run["results"].as_array().into_iter().flatten() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index], result["ruleId"]);
        // The standard, 3.27.10: a level other than none is for kind fail.
        assert_eq!(result["kind"] == "fail", result["level"] != "none", "{result:#}");
        assert!(prints.insert(result["partialFingerprints"].to_string()), "{result:#}");
    }
    document
}

/// Attributes of each element, in order.
fn elements(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let utf8 = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut reader = quick_xml::Reader::from_str(text);
    let mut found = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(element) | Event::Empty(element) => {
                let attributes = element.attributes().map(|attribute| {
                    let attribute = attribute.unwrap();
                    let value = utf8(&attribute.value);
                    let value = quick_xml::escape::unescape(&value).unwrap().into_owned();
                    (utf8(attribute.key.as_ref()), value)
                });
                let name = utf8(element.name().as_ref());
                found.push((name, attributes.collect()));
            }
            Event::Eof => return found,
            _ => {}
        }
    }
}

fn attribute<'a>(element: &'a (String, Vec<(String, String)>), name: &str) -> &'a str {
    &element.1.iter().find(|(own, _)| own == name).unwrap().1
}

/// A JUnit document whose figures add up; the number of its failures and errors.
#[track_caller]
fn junit(text: &str) -> usize {
    let found = elements(text);
    let figure = |element: &(String, Vec<(String, String)>), name: &str| -> usize {
        attribute(element, name).parse().unwrap()
    };
    let sum = |name: &str| -> usize {
        found.iter().filter(|element| element.0 == "testsuite").map(|element| figure(element, name)).sum()
    };
    let count = |name: &str| found.iter().filter(|element| element.0 == name).count();
    assert_eq!(found[0].0, "testsuites");
    let told = ["tests", "failures", "errors"].map(|name| figure(&found[0], name));
    assert_eq!(told, ["tests", "failures", "errors"].map(sum));
    assert_eq!(told, ["testcase", "failure", "error"].map(count));
    assert_eq!(sum("skipped"), count("skipped"));
    told[1] + told[2]
}

#[track_caller]
fn fits_the_schema_of_junit(text: &str) {
    if let Ok(xmllint) = Command::new("xmllint").arg("--version").output() {
        assert!(xmllint.status.success());
        let file = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::write(file.path(), text).unwrap();
        let xsd = top().join("tests/formats/junit-10.xsd");
        let output = Command::new("xmllint")
            .args(["--noout", "--nonet", "--schema"])
            .args([xsd.as_path(), file.path()])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    } else {
        eprintln!("no xmllint (Debian: libxml2-utils): the schema was not looked at");
    }
}

/// Lines that the runner of GitHub Actions understands; the number of errors.
#[track_caller]
fn github(text: &str) -> usize {
    let (lines, last): (Vec<&str>, _) = {
        let mut lines: Vec<&str> = text.lines().collect();
        let last = lines.pop().unwrap();
        (lines, last)
    };
    if !last.starts_with("::") {
        assert!(last.starts_with("civicum-tune "), "{last}");
    }
    for line in &lines {
        let rest = line.strip_prefix("::").unwrap();
        let (head, message) = rest.split_once("::").unwrap();
        let (command, properties) = head.split_once(' ').unwrap();
        assert!(["error", "warning", "notice"].contains(&command), "{line}");
        assert!(!message.is_empty());
        for property in properties.split(',') {
            let (name, value) = property.split_once('=').unwrap();
            assert!(["file", "line", "endLine", "col", "endColumn", "title"].contains(&name), "{line}");
            assert!(!value.is_empty() && !value.contains(':'), "{line}");
        }
    }
    text.lines().filter(|line| line.starts_with("::error ")).count()
}

/// Well-formed, and of one mind with the exit status.
#[track_caller]
fn sound(format: &str, status: i32, text: &str) {
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{format} has a control character");
    let bad = match format {
        "sarif" => {
            let document = sarif(text);
            assert_eq!(document["runs"][0]["invocations"][0]["exitCode"], status);
            let results = document["runs"][0]["results"].as_array().into_iter().flatten();
            let wrong = |result: &&Value| result["level"] == "error" && result.get("suppressions").is_none();
            usize::from(status == 2) + results.filter(wrong).count()
        }
        "junit" => {
            fits_the_schema_of_junit(text);
            junit(text)
        }
        _ => github(text),
    };
    assert_eq!(bad > 0, status != 0, "{format}, status {status}:\n{text}");
}

#[test]
fn bad_profiles_in_every_format() {
    let names = bad_profiles();
    for format in FORMATS {
        let (status, text) = validate(format, &names);
        assert_eq!(status, 1);
        sound(format, status, &text);
        if format != "sarif" {
            is_current(&format!("bad.{format}"), &text);
        }
        // One by one: a file with nothing but warnings has no failure.
        for name in &names {
            let (status, text) = validate(format, std::slice::from_ref(name));
            match format {
                "junit" => assert_eq!(junit(&text) > 0, status == 1, "{text}"),
                "github" => assert_eq!(github(&text) > 0, status == 1, "{text}"),
                _ => {}
            }
        }
    }
    let few = ["budget", "extends-missing", "not-utf8", "sovereignty", "unknown-keys"]
        .map(|name| format!("{name}.toml"));
    let (_, text) = validate("sarif", &few);
    is_current("bad.sarif", &text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[test]
fn a_valid_profile_in_every_format() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::write(folder.path().join("a.toml"), "extends = \"minimal\"\n").unwrap();
    for format in FORMATS {
        let (status, text, _) = run(folder.path(), &["validate", "./a.toml", "--format", format]);
        assert_eq!(status, 0);
        sound(format, status, &text);
        assert!(!text.contains(folder.path().to_str().unwrap()));
    }
    let (_, text, _) = run(folder.path(), &["validate", "./a.toml", "--format", "junit"]);
    assert!(text.contains("tests=\"1\" failures=\"0\""), "{text}");
    let (_, text, _) = run(folder.path(), &["validate", "./a.toml", "--format", "sarif"]);
    let document = sarif(&text);
    assert_eq!(document["runs"][0]["results"], json!([]));
    let location = &document["runs"][0]["artifacts"][0]["location"];
    assert_eq!(location, &json!({ "uri": "a.toml", "uriBaseId": "SRCROOT" }));
}

/// Lines move, and a finding stays the same finding.
#[test]
fn fingerprints() {
    let prints = |text: &str| {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::write(folder.path().join("a.toml"), text).unwrap();
        let (_, text, _) = run(folder.path(), &["validate", "a.toml", "--format", "sarif"]);
        let results = sarif(&text)["runs"][0]["results"].take();
        results.as_array().unwrap().iter().map(|r| r["partialFingerprints"].clone()).collect::<Vec<_>>()
    };
    let before = prints("[zswap]\nenabeld = true\nmax_pool_percent = 400\n");
    let after = prints("# why\n\n[zswap]\n  enabeld = true\nmax_pool_percent = 400\n");
    assert_eq!(before.len(), 2);
    assert_eq!(before, after);
}

#[test]
fn hostile_names_and_texts() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let name = "a,b:c%0A\u{1b}[31m<&\"'>\u{202e}\n::error::x.toml";
    fs::write(folder.path().join(name), "\"\\u0001<&>%\\n::set-env name=a::b]]>\" = 1\n").unwrap();
    for format in FORMATS {
        let (status, text, _) = run(folder.path(), &["validate", name, "--format", format]);
        assert_eq!(status, 1);
        sound(format, status, &text);
    }
}

fn hosts() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(top().join("tests/hosts")).unwrap().map(|e| e.unwrap().path()).collect();
    found.sort();
    found
}

#[test]
fn every_host_in_every_format() {
    for host in hosts() {
        let tree = host.strip_prefix(top()).unwrap().join("tree");
        for format in FORMATS {
            let args = ["doctor", "--root", tree.to_str().unwrap(), "--format", format];
            let (status, text, said) = run(top(), &args);
            assert_eq!(said, "", "{}", host.display());
            sound(format, status, &text);
            assert!(!text.contains(env!("CARGO_MANIFEST_DIR")), "{} leaks where it is", host.display());
        }
    }
}

#[test]
fn one_host_as_expected() {
    let root = "tests/hosts/ubuntu-24.04-cloud/tree";
    for format in FORMATS {
        let profile = "tests/formats/waived.toml";
        let args = [
            "doctor",
            "--root",
            root,
            "--profile",
            profile,
            "--only",
            "ZSWAP,MEM,SWAP,DRIFT",
            "--format",
            format,
        ];
        let (status, text, _) = run(top(), &args);
        sound(format, status, &text);
        if format != "sarif" {
            is_current(&format!("host.{format}"), &text);
            continue;
        }
        let mut document = sarif(&text);
        // Checks of other areas come and go.
        let run = &mut document["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array_mut().unwrap();
        rules.retain(|rule| rule["id"].as_str().unwrap().starts_with("CT-ZSWAP"));
        for result in run["results"].as_array_mut().unwrap() {
            result.as_object_mut().unwrap().remove("ruleIndex");
        }
        let suppressed =
            run["results"].as_array().unwrap().iter().filter(|r| r.get("suppressions").is_some());
        assert!(suppressed.count() > 0, "the waiver shows");
        is_current("host.sarif", &format!("{document:#}\n").replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }
}

#[test]
fn a_failure_is_one_document_too() {
    let lines: [&[&str]; 5] = [
        &["doctor", "--root", "/does/not/exist"],
        &["doctor", "--only", "CT-NO-001", "--root", "tests/hosts/debian-13/tree"],
        &["plan"],
        &["validate"],
        &["doctor", "--bogus"],
    ];
    for line in lines {
        for format in ["json", "sarif", "junit", "github"] {
            if format == "json" && line == ["plan"] {
                continue;
            }
            let option = format!("--format={format}");
            let (status, text, said) = run(top(), &[line, &[option.as_str()]].concat());
            assert_eq!(status, 2, "{line:?} {format}");
            assert!(said.starts_with("error:"), "{said}");
            match format {
                "json" => {
                    let document: Value = serde_json::from_str(&text).unwrap();
                    assert_eq!(document["schema"], "civicum-tune/error/1");
                }
                "sarif" => {
                    sound(format, status, &text);
                    let run = &sarif(&text)["runs"][0];
                    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
                    assert!(run.get("results").is_none());
                }
                _ => sound(format, status, &text),
            }
        }
        if line != ["plan"] {
            assert_eq!(run(top(), line).1, "", "nothing for a person on standard output");
        }
    }
    for command in ["detect", "plan", "history", "explain"] {
        let (status, _, said) = run(top(), &[command, "--format", "sarif"]);
        assert_eq!(status, 2);
        assert!(said.contains("has the formats human and json"), "{said}");
    }
}

/// Every example of docs/formats.md: the profile that it shows, and each line that it shows of what is printed.
/// The fields that `docs/formats.md` names of each JSON document are those that the commands print, in that order.
#[test]
fn the_page_names_every_field_of_a_document() {
    let folder = tempfile::tempdir().unwrap();
    let copied = std::process::Command::new("cp")
        .args(["-r", "tests/hosts/ubuntu-24.04-cloud/tree"])
        .arg(folder.path().join("tree"))
        .current_dir(top())
        .status();
    assert!(copied.unwrap().success());
    let root = folder.path().join("tree").to_str().unwrap().to_owned();
    let at = |words: &str| format!("{words} --root {root} --format json");
    let commands = [
        ("plan/1", at("plan --profile minimal")),
        ("apply/1", at("apply --yes --profile minimal")),
        ("history/1", at("history")),
        ("generation/1", at("history 1")),
        ("doctor/1", at("doctor")),
        ("rollback/1", at("rollback --yes")),
        ("validate/1", "validate minimal --format json".to_owned()),
        ("explain/1", "explain CT-ZSWAP-003 --format json".to_owned()),
        (
            "bench/1",
            "bench ocr --time 1s --document /etc/hostname --force-under-load --format json".to_owned(),
        ),
        ("error/1", "explain nothing-at-all --format json".to_owned()),
    ];
    let page = fs::read_to_string(top().join("docs/formats.md")).unwrap();
    let rows: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| `") && line.contains("/1` |")).collect();
    assert_eq!(rows.len(), commands.len());
    for (kind, command) in &commands {
        let row = rows.iter().find(|row| row.starts_with(&format!("| `{kind}`"))).unwrap();
        let named: Vec<&str> = row.rsplit(" | ").next().unwrap().split('`').skip(1).step_by(2).collect();
        let said = run(top(), &command.split(' ').collect::<Vec<_>>()).1;
        let document: Value = serde_json::from_str(&said).unwrap();
        let keys: Vec<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!((keys[0], &keys[1..]), ("schema", &named[..]), "{command}");
        assert_eq!(document["schema"], format!("civicum-tune/{kind}"));
    }
}

#[test]
fn the_examples_of_the_page() {
    let page = fs::read_to_string(top().join("docs/formats.md")).unwrap();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (_, rest) = page.split_once("```toml\n").unwrap();
    fs::create_dir(folder.path().join("profiles")).unwrap();
    fs::write(folder.path().join("profiles/server.toml"), rest.split_once("```").unwrap().0).unwrap();
    let mut count = 0;
    for block in page.split("```console\n$ civicum-tune ").skip(1) {
        let block = block.split_once("```").unwrap().0;
        let (command, shown) = block.split_once('\n').unwrap();
        let (_, text, _) = run(folder.path(), &command.split(' ').collect::<Vec<_>>());
        let mut printed = text.lines();
        for line in shown.lines().filter(|line| line.trim() != "…") {
            assert!(printed.any(|printed| printed == line), "{command} does not print `{line}`:\n{text}");
        }
        count += 1;
    }
    assert_eq!(count, FORMATS.len());
}
