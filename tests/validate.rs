//! `validate` from outside: saved hosts, the memory table, waivers, the boundaries of every key, hostile files against the
//! clock, and a real JSON Schema validator on what `profile schema` prints.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use civicum_tune::profile::keys::{KEYS, Key, Kind};
use civicum_tune::profile::{self, About, BUNDLED, Code, Finding, Profile, SavedHost, excerpt, schema};
use proptest::prelude::*;
use serde_json::Value as Json;

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn said(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_civicum-tune")).args(args).env_clear().output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn findings_for(text: &str, host: &Json) -> Vec<Finding> {
    let host = SavedHost::parse(host.to_string().as_bytes()).unwrap();
    let read = |_: &Path| Ok(text.as_bytes().to_vec());
    let about = About { host: Some(&host), ..About::default() };
    profile::validate(["p.toml"], &read, &about).files.remove(0).findings
}

fn ubuntu() -> Json {
    let path = top().join("tests/hosts/ubuntu-24.04-cloud/expected/detect.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// A host like the one above, changed at these places.
fn host(changes: &[(&str, Json)]) -> Json {
    let mut host = ubuntu();
    for (pointer, value) in changes {
        *host.pointer_mut(pointer).unwrap() = value.clone();
    }
    host
}

/// What each profile is told on a host, and what not.
#[test]
fn a_profile_for_a_host_that_this_is_not() {
    let swap = r#"swap.size = "4GiB""#;
    let kernel = |release: &str, version: (u32, u32)| {
        host(&[
            ("/kernel/release", release.into()),
            ("/kernel/version", serde_json::json!([version.0, version.1])),
        ])
    };
    let new = kernel("6.17.0-8-generic", (6, 17));
    let newest = kernel("6.18.1", (6, 18));
    let mut old = kernel("5.15.0-122-generic", (5, 15));
    old["kernel"]["modules"]["zsmalloc"] = "loadable".into();
    let unknown = kernel("", (0, 0));
    let table: Vec<(&str, String, Json, &[&str])> = vec![
        ("all is well", format!("zswap.enabled = true\n{swap}"), ubuntu(), &[]),
        ("z3fold is there", format!("zswap.zpool = 'z3fold'\n{swap}"), ubuntu(), &[]),
        (
            "z3fold is gone",
            format!("zswap.zpool = 'z3fold'\n{swap}"),
            new.clone(),
            &["has none of z3fold: z3fold and zbud went in Linux 6.15"],
        ),
        ("one of several is there", format!("zswap.zpool = ['z3fold', 'zsmalloc']\n{swap}"), new, &[]),
        ("no choice any more", format!("zswap.zpool = ['z3fold', 'zsmalloc']\n{swap}"), newest.clone(), &[]),
        (
            "and not this one",
            format!("zswap.zpool = 'zbud'\n{swap}"),
            newest,
            &["always uses zsmalloc, and the profile wants zbud"],
        ),
        (
            "zsmalloc before it wrote back",
            format!("zswap.zpool = 'zsmalloc'\n{swap}"),
            old.clone(),
            &["can't write pages back to disk"],
        ),
        ("zsmalloc as the last resort", format!("zswap.zpool = ['zbud', 'zsmalloc']\n{swap}"), old, &[]),
        ("a kernel that is not told", format!("zswap.zpool = 'z3fold'\n{swap}"), unknown, &[]),
        (
            "a compressor that is not there",
            format!("zswap.compressor = 'deflate'\n{swap}"),
            ubuntu(),
            &["has no compressor deflate"],
        ),
        (
            "no zswap",
            format!("zswap.enabled = true\n{swap}"),
            host(&[("/zswap/available", false.into()), ("/kernel/has_zswap", false.into())]),
            &["has no zswap"],
        ),
        ("zswap off needs nothing", "zswap.enabled = false".into(), host(&[("/kernel/has_zswap", false.into())]), &[]),
        ("no swap", "zswap.enabled = true".into(), ubuntu(), &["zswap has nothing to work with"]),
        (
            "swap of its own",
            "zswap.enabled = true".into(),
            host(&[("/swap", serde_json::json!([{"path": "/swap.img", "kind": "file", "size_bytes": 8_u64 << 30}]))]),
            &[],
        ),
        (
            "zram is no disk",
            "zswap.enabled = true".into(),
            host(&[("/swap", serde_json::json!([{"path": "/dev/zram0", "kind": "partition", "size_bytes": 8_u64 << 30}]))]),
            &["zswap has nothing to work with"],
        ),
        (
            "a pool that swap can't back",
            "zswap.max_pool_percent = 50\nswap.size = '4GiB'".into(),
            ubuntu(),
            &["holds pages worth 8970 MiB at 1.5 to 1"],
        ),
        (
            "a disk that can't hold it",
            swap.into(),
            host(&[("/mounts/0/fstype", "zfs".into())]),
            &["would lie on zfs (/), which can't hold a swap file"],
        ),
        ("read-only", swap.into(), host(&[("/mounts/0/read_only", true.into())]), &["mounted read-only"]),
        ("larger than the disk", "swap.size = '200GiB'".into(), ubuntu(), &["and the file system has 100GiB"]),
        (
            "no systemd",
            format!("{swap}\nswap.persist = 'unit'"),
            host(&[("/init", "openrc-init".into())]),
            &["nothing would start a swap unit"],
        ),
        (
            "control groups of version 1",
            "memory.reserve = '1GiB'\n[services.a]\nmemory = '2GiB'\nmemory_swap = '2GiB'\nmemory_reservation = '1GiB'".into(),
            host(&[("/cgroup", "v1".into())]),
            &["version 1"],
        ),
        (
            "a container",
            "zswap.enabled = true".into(),
            host(&[("/virtualization/container", "lxc".into())]),
            &["the host is a container (lxc)"],
        ),
        ("few CPUs", "memory.reserve = '1GiB'\n[services.a]\nmemory = '2GiB'\nmemory_swap = '2GiB'\ncpus = 8".into(), ubuntu(), &["may use 8 CPUs, but there are 4"]),
        (
            "too little memory",
            "memory.reserve = '4GiB'\n[services.a]\nmemory = '9GiB'\nmemory_swap = '9GiB'".into(),
            ubuntu(),
            &["13312 MiB together, but there are 11960 MiB of RAM"],
        ),
        (
            "too small for it",
            "memory.at_least = '16GiB'".into(),
            ubuntu(),
            &["made for at least 16GiB of RAM, and the host has 11960MiB"],
        ),
    ];
    for (name, text, host, wanted) in table {
        let found = findings_for(&text, &host);
        let shown = excerpt::render_all(&found);
        assert_eq!(found.len(), wanted.len(), "{name}:\n{shown}");
        for words in wanted {
            assert!(shown.contains(words), "{name}: {words}\n{shown}");
        }
    }
}

#[test]
fn every_bundled_profile_on_every_saved_host() {
    let mut tried = 0;
    for entry in fs::read_dir(top().join("tests/hosts")).unwrap() {
        let path = entry.unwrap().path().join("expected/detect.json");
        let Ok(host) = SavedHost::parse(&fs::read(&path).unwrap()) else { continue };
        for bundled in &BUNDLED {
            let about = About { host: Some(&host), ..About::default() };
            let found = profile::validate([bundled.name], &|_| Err(std::io::Error::other("no")), &about);
            let file = &found.files[0];
            // The base is for hosts of other sizes to be built upon, and says so.
            let too_small = bundled.name == "civicum-base"
                || file.findings.iter().any(|f| f.message.contains("is made for at least"));
            assert!(file.valid || too_small, "{}: {}", path.display(), excerpt::render_all(&file.findings));
            tried += 1;
        }
    }
    assert!(tried > 80, "{tried}");
}

#[test]
fn a_bad_host_file_is_trouble_and_says_why() {
    let files = Files::new();
    let good = files.put("p.toml", "");
    for (name, bytes, words) in [
        ("a.json", &b"{"[..], "can't be read as JSON (line 1, column 1): it has to be what `detect"),
        ("b.json", b"{\"schema\":\"civicum-tune/plan/1\"}", "its `schema` is `civicum-tune/plan/1`"),
        ("c.json", b"\xff\x00", "can't be read as JSON"),
        ("d.json", &b"[".repeat(1_000_000), "it has no `schema`"),
        ("e.json", &b" ".repeat(5 << 20), "has at most"),
        ("f.json", &b" ".repeat(9 << 20), "more than the"),
    ] {
        let host = files.put(name, bytes);
        let (status, out, err) = said(&["validate", &good, "--host", &host]);
        assert_eq!((status, out.as_str()), (2, ""), "{name}: {err}");
        assert!(err.starts_with("error: ") && err.contains(words) && err.contains(name), "{name}: {err}");
        let (status, out, _) = said(&["validate", &good, "--host", &host, "--format", "json"]);
        let json: Json = serde_json::from_str(&out).unwrap();
        assert_eq!((status, json["schema"].as_str()), (2, Some("civicum-tune/error/1")));
    }
    for missing in ["/nowhere/host.json", "/proc", "/dev/zero"] {
        assert_eq!(said(&["validate", &good, "--host", missing]).0, 2, "{missing}");
    }
}

#[test]
fn the_memory_table() {
    let files = Files::new();
    let tight = files.put(
        "tight.toml",
        "[memory]\nat_least = '8GiB'\nreserve = '2GiB'\n[swap]\nsize = '4GiB'\n[services.llm]\nmemory = '6500MiB'\nmemory_swap = \
         '6500MiB'\nmemory_reservation = '5000MiB'\n[services.a-very-long-name-that-goes-on-and-on-until-nobody-reads-it-now]\nmemory = '1GiB'\n",
    );
    let (status, out, err) = said(&["validate", &tight, "minimal"]);
    assert_eq!((status, err.as_str()), (1, ""));
    let (_, table) = out.split_once("not valid\n").unwrap();
    assert_eq!(
        table,
        "  Memory in MiB, on the least host that the profile is made for: 8192 MiB
  (memory.at_least)
                                                 limit  reservation  swap  share
  llm                                             6500         5000     0   79 %
  a-very-long-name-that-goes-on-and-on-until-n…   1024            -  1024   12 %
  system                                          2048                      25 %
  sum                                             9572         5000  1024  117 %
  the host has                                    8192               4096
  missing                                         1380

minimal: valid
"
    );
    assert!(table.lines().all(|line| line.chars().count() <= 80 && line.trim_end() == line));
    let (_, out, _) = said(&["validate", &tight, "--color", "always"]);
    assert!(out.contains("\u{1b}[31m  missing"), "{out}");
    // Quiet says only what is wrong.
    let (status, out, _) = said(&["validate", "-q", "civicum-12g"]);
    assert_eq!((status, out.as_str()), (0, ""));
    let (_, out, _) = said(&["validate", "-q", &tight]);
    assert!(out.contains("error[profile/memory-budget]") && !out.contains("the host has"));
    // And as data.
    let (_, out, _) = said(&["validate", "--format", "json", &tight, "minimal", "civicum-12g"]);
    let json: Json = serde_json::from_str(&out).unwrap();
    let memory = &json["files"][0]["memory"];
    assert_eq!(memory["host"]["origin"], "at-least");
    assert_eq!(memory["left_bytes"], -1_447_034_880_i64);
    assert_eq!(memory["services"][0]["name"], "llm");
    assert_eq!(memory["services"][0]["share_percent"], 79.3);
    assert_eq!(memory["services"][1]["reservation_bytes"], Json::Null);
    assert_eq!(json["files"][1]["memory"]["host"]["origin"], "guess");
    let sum: u64 = json["files"][2]["memory"]["services"]
        .as_array()
        .unwrap()
        .iter()
        .map(|service| service["limit_bytes"].as_u64().unwrap())
        .sum();
    assert_eq!(json["files"][2]["memory"]["limits_bytes"], sum);
}

/// What is wrong in a file is told though what it extends is not there, or a rule of it can't be read.
#[test]
fn one_mistake_hides_no_other() {
    let files = Files::new();
    let text = |extends: &str| {
        format!(
            "extends = '{extends}'\nwithout = ['services.proxy']\n[sysctl]\n\"vm.dirty_bytes\" = '64MiB'\n\"vm.dirty_ratio\" = 5\n\
             [services.llm]\nimage = 'ollama/ollama'\nuser = '0:0'\n[services.postgres]\npublish = ['0.0.0.0:5432:5432']\n\
             environment.POSTGRES_PASSWORD = 'hunter2'\n"
        )
    };
    let (status, out, _) = said(&["validate", &files.put("p.toml", text("civicum-12x"))]);
    assert_eq!(status, 1);
    for words in [
        "p.toml:1:11: error[profile/extends]",
        "p.toml:5:20: error[profile/conflict]",
        "p.toml:7:9: error[profile/sovereignty]: ollama/ollama has no digest",
        "p.toml:8:8: warning[profile/hardening]",
        "p.toml:10:13: error[profile/sovereignty]: port 5432",
        "p.toml:11:33: warning[profile/sovereignty]",
        "p.toml: not valid; what is mended may show more",
    ] {
        assert!(out.contains(words), "{words}\n{out}");
    }
    assert_eq!(out.matches("[profile/").count(), 6, "{out}");
    // A file may make a service public, and could be the one that is missing; what it is without may be there.
    let (_, out, _) = said(&["validate", &files.put("q.toml", text("./nowhere.toml"))]);
    assert!(out.contains("has no digest") && !out.contains("port 5432"), "{out}");
    assert!(!out.contains("nothing called"), "{out}");
    // Whatever the worker's rule comes to, the others are too much.
    let big = |llm: &str| {
        format!(
            "extends = 'civicum-12g'\n[services.llm]\nmemory = '{llm}'\n[services.worker]\nmemory = 'min(ram / , 2GiB)'\n"
        )
    };
    let (_, out, _) = said(&["validate", &files.put("big.toml", big("9000MiB"))]);
    assert!(
        out.contains("big.toml:3:10: error[profile/memory-budget]: the limits that can be read come to 10320 MiB already"),
        "{out}"
    );
    assert!(out.contains("big.toml:5:21: error[profile/rule]"), "{out}");
    assert!(out.contains(": 11856 MiB at least") && out.contains("take 1456 MiB off at least"), "{out}");
    // A mistake in another of its keys leaves its limit as it is, and it is counted.
    let other =
        "extends = 'civicum-12g'\n[services.llm]\nmemory = '9000MiB'\n[services.worker]\npublish = ['abc']\n";
    let (_, out, _) = said(&["validate", &files.put("other.toml", other)]);
    assert!(out.contains("the limits come to 12070 MiB (llm 9000, worker 1750"), "{out}");
    assert!(out.contains("take 3206 MiB off, from llm"), "{out}");
    let (_, out, _) = said(&["validate", &files.put("slip.toml", other.replace("publish", "memroy"))]);
    assert!(out.contains("the limits that can be read come to 10320 MiB already"), "{out}");
    let (_, out, _) = said(&["validate", &files.put("fits.toml", big("6000MiB"))]);
    assert_eq!(out.matches("[profile/").count(), 1, "{out}");
    let (_, out, _) =
        said(&["validate", "--format", "json", &files.put("fits.toml", big("6000MiB")), "civicum-12g"]);
    let json: Json = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["files"][0]["complete"], &json["files"][1]["complete"]), (&false.into(), &true.into()));
}

#[test]
fn waivers_that_accept_nothing() {
    let text = "[waivers.CT-ZSWAP-999]\nreason = 'x'\nuntil = 2999-01-01\n[waivers.CT-ZSWAP-001]\nreason = 'x'\nuntil = 2024-02-29\n\
                [waivers.CT-WAIVER-001]\nreason = 'x'\nuntil = 2024-03-01\n";
    let files = Files::new();
    let (status, out, _) = said(&["validate", &files.put("w.toml", text)]);
    assert_eq!(status, 0);
    assert!(out.contains("w.toml:1:10: warning[profile/waiver]: there is no check CT-ZSWAP-999"), "{out}");
    assert!(out.contains("did you mean CT-ZSWAP-"), "{out}");
    assert!(
        out.contains("w.toml:6:9: warning[profile/waiver]: the waiver of CT-ZSWAP-001 ended on 2024-02-29"),
        "{out}"
    );
    let read = |_: &Path| Ok(text.as_bytes().to_vec());
    let count = |today: &str| {
        let about = About { today: Some(today), ..About::default() };
        profile::validate(["w.toml"], &read, &about).files[0].findings.len()
    };
    // The last day still counts.
    assert_eq!(["2024-02-29", "2024-03-01", "2024-03-02", "2999-01-02"].map(count), [0, 1, 2, 3]);
    // What has not the form of an id is told once.
    let text = "[waivers.ct-zswap-001]\nreason = 'x'\nuntil = 2999-01-01\n";
    let (_, out, _) = said(&["validate", &files.put("m.toml", text)]);
    assert_eq!(out.matches("[profile/").count(), 1, "{out}");
    assert!(out.contains("is not the id of a check") && out.contains("did you mean CT-ZSWAP-001?"), "{out}");
}

// --- Every key at its boundaries ------------------------------------------------------------------------------

/// The key with a name in the place of each star, and what must stand beside it.
fn written(key: &Key) -> (String, &'static str) {
    let path = match key.path {
        "sysctl.*" => "sysctl.\"vm.swappiness\"".to_owned(),
        path => path
            .replace("environment.*", "environment.X")
            .replace("waivers.*", "waivers.CT-ZRAM-001")
            .replace('*', "a"),
    };
    let beside = match path.rsplit('.').next().unwrap() {
        "memory_reservation" => "services.a.memory = '1TiB'\n",
        "memory_swap" => "services.a.memory = '6MiB'\n",
        "needs" => "services.postgres.memory = '6MiB'\n",
        _ if path == "services.a.reading.memory" => "services.a.memory = '4GiB'\n",
        _ if path.starts_with("services.a.settings.") => "services.a.role = 'postgres'\n",
        "reason" => "waivers.CT-ZRAM-001.until = 2027-03-31\n",
        "until" => "waivers.CT-ZRAM-001.reason = 'x'\n",
        _ => "",
    };
    (path, beside)
}

/// Valid, and then it settles on the host that it is made for; or refused, with a place and what to do.
fn verdict(text: &str) -> bool {
    let bytes = text.as_bytes().to_vec();
    let read = move |_: &Path| Ok(bytes.clone());
    let found = profile::validate(["p.toml"], &read, &About::default()).files.remove(0);
    let shown = excerpt::render_all(&found.findings);
    assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{text}: {shown:?}");
    let loaded = Profile::load("p.toml", &read);
    assert!(!found.valid || loaded.is_ok(), "{text} is called valid, and can't be loaded: {loaded:?}");
    if let Ok(profile) = &loaded {
        let settled = profile.settle(&profile.nominal());
        // Where the host is a guess, what does not fit it is only a warning.
        if found.valid && profile.at_least().is_some() {
            assert!(settled.is_ok(), "{text} is called valid, and does not settle: {settled:?}");
        }
        assert_eq!(found.memory.is_some(), found.memory.is_some() && loaded.is_ok());
    }
    found.valid
}

#[test]
fn every_key_at_every_boundary() {
    let int = |n: i128| n.to_string();
    let mut tried = 0;
    for key in &KEYS {
        let (path, beside) = written(key);
        let (good, bad): (Vec<String>, Vec<String>) = match key.kind {
            Kind::Bool => {
                (vec!["true".into(), "false".into()], vec!["1".into(), "'true'".into(), "'yes'".into()])
            }
            Kind::Integer { min, max } => {
                let (min, max) = (i128::from(min), i128::from(max));
                (
                    vec![int(min), int(max), int(i128::midpoint(min, max))],
                    vec![
                        int(min - 1),
                        int(max + 1),
                        "1.5".into(),
                        format!("'{min}'"),
                        "nan".into(),
                        "1e3".into(),
                    ],
                )
            }
            Kind::Size { min_mib, vars } => {
                let good = vec![format!("'{}MiB'", min_mib.max(64)), int(i128::from(min_mib.max(64)) << 20)];
                let mut bad = vec![
                    "-1".into(),
                    "'-1MiB'".into(),
                    "1.5".into(),
                    "'1.5'".into(),
                    "'1 GiBB'".into(),
                    "'cores'".into(),
                    "''".into(),
                    "'1MiB'".repeat(200),
                ];
                if min_mib > 0 {
                    bad.push(format!("'{}MiB'", min_mib - 1));
                    bad.push("0".into());
                }
                if vars.is_empty() {
                    bad.push("'ram'".into());
                }
                (good, bad)
            }
            Kind::Count { min, max } => (
                vec![min.to_string(), format!("{max:.1}"), "1".into(), "'cores'".into()],
                vec![
                    "0".into(),
                    format!("{}", max + 1.0),
                    "-0.5".into(),
                    "inf".into(),
                    "-inf".into(),
                    "nan".into(),
                    "'1GiB'".into(),
                    "'ram'".into(),
                ],
            ),
            Kind::Duration { min_ms, max_ms } => (
                vec![format!("'{min_ms}ms'"), format!("'{max_ms}ms'"), "'1.5s'".into()],
                vec![
                    format!("'{}ms'", max_ms + 1),
                    "1000".into(),
                    "'1'".into(),
                    "'-1ms'".into(),
                    "'1 day'".into(),
                ],
            ),
            Kind::Choice(words) => (
                words.iter().map(|word| format!("'{word}'")).collect(),
                vec!["'x'".into(), "''".into(), "true".into()],
            ),
            Kind::Text(_) => (
                vec![key.example.into()],
                vec![
                    "1".into(),
                    "true".into(),
                    "[]".into(),
                    "\"a\\u0000b\"".into(),
                    "\"\\n\"".into(),
                    format!("'{}'", "a ".repeat(5000)),
                ],
            ),
            Kind::List(_) => (
                vec!["[]".into(), key.example.into()],
                vec![
                    "'a'".into(),
                    "[1]".into(),
                    "[['a']]".into(),
                    "[\"\\u0007\"]".into(),
                    "['\u{7}']".into(),
                    "['']".into(),
                ],
            ),
            Kind::Preference(_) => (
                vec!["'auto'".into(), key.example.into()],
                vec!["[]".into(), "['auto', 'zbud']".into(), "''".into(), "1".into()],
            ),
            Kind::Scalar(_) => (
                vec!["''".into(), "1".into(), "1.5".into(), "true".into()],
                vec!["nan".into(), "[]".into(), "\"\\n\"".into()],
            ),
            Kind::Sysctl => (
                vec!["0".into(), "200".into(), "'60'".into()],
                vec!["-1".into(), "201".into(), "'x'".into(), "''".into(), "1.5".into()],
            ),
            Kind::Date => (
                vec!["2027-03-31".into(), "'2027-03-31'".into()],
                vec![
                    "2027-02-30".into(),
                    "'2027-3-1'".into(),
                    "2027-03-31T00:00:00Z".into(),
                    "1".into(),
                    "''".into(),
                ],
            ),
        };
        let never = [
            "99999999999999999999",
            "-9223372036854775809",
            "{}",
            "{ x = 1 }",
            "[{}]",
            "[[[[]]]]",
            "'\u{202e}x'",
            "07:32:00",
        ];
        for value in &good {
            let text = format!("{path} = {value}\n{beside}");
            // On a guessed host sizes may be too much; they are right all the same.
            assert!(
                verdict(&text),
                "{text} should be valid:\n{}",
                excerpt::render_all(&profile::validate::check_file("p.toml", &|_| Ok(text
                    .as_bytes()
                    .to_vec())))
            );
            tried += 1;
        }
        for value in bad.iter().map(String::as_str).chain(never) {
            let text = format!("{path} = {value}\n{beside}");
            let free_text = matches!(key.kind, Kind::Scalar(_))
                || ["description", "waivers.*.reason", "without", "services.*.extraction.instruction"]
                    .contains(&key.path);
            if free_text && value.contains('\u{202e}') {
                continue;
            }
            assert!(!verdict(&text), "{text} should not be valid");
            tried += 1;
        }
    }
    assert!(tried > 500, "{tried}");
}

/// Warnings, however many, hide no error.
#[test]
fn an_error_behind_many_warnings_is_an_error() {
    for count in [99, 100, 101, 199, 201, 1000] {
        let warnings: String =
            (0..count).map(|i| format!("sysctl.\"vm.swappines{}{}\" = 1\n", "x", i)).collect();
        let warnings = warnings.replace("swappinesx", "swappines");
        for error in ["zswap.enabled = 1\n", "sysctl.\"vm.zone_reclaim_mode\" = 9\n", "zswap.enable = true\n"]
        {
            assert!(!verdict(&format!("{warnings}{error}")), "{count} {error}");
        }
        let services: String = (0..count).map(|i| format!("services.s{i}.oom_score_adj = -1000\n")).collect();
        assert!(!verdict(&format!("{services}services.t.image = 'postgres'\n")), "{count}");
    }
}

#[test]
fn hostile_files_take_less_than_a_second() {
    let mib = 1 << 20;
    let files = Files::new();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("million-brackets", format!("a = {}", "[".repeat(1_000_000)).into_bytes()),
        ("fifty-megabytes", vec![b'a'; 50_000_000]),
        ("seven-megabytes", vec![b'\n'; 7 << 20]),
        ("utf8", b"name = \"\xc3\x28\"".to_vec()),
        ("nul", b"[services.\"a\0b\"]\nmemory = '1GiB'\n".to_vec()),
        ("dots", format!("zswap{} = 1", ".a".repeat(500_000)).into_bytes()),
        (
            "services",
            (0..5_000)
                .fold(String::new(), |s, i| s + &format!("services.s{i}.memory = '6MiB'\n"))
                .into_bytes(),
        ),
        (
            "services-and-ports",
            (0..5_000)
                .fold(String::new(), |s, i| s + &format!("services.s{i}.publish = ['{}']\n", i + 1))
                .into_bytes(),
        ),
        (
            "one-port",
            (0..5_000)
                .fold(String::new(), |s, i| s + &format!("services.s{i}.publish = ['80']\n"))
                .into_bytes(),
        ),
        (
            "databases",
            (0..5_000)
                .fold(String::new(), |s, i| s + &format!("services.s{i}.oom_score_adj = -1000\n"))
                .into_bytes(),
        ),
        (
            "variables",
            (0..10_000)
                .fold("[services.a.environment]\n".to_owned(), |s, i| {
                    s + &format!("V{i} = 'http://a{i}.b'\n")
                })
                .into_bytes(),
        ),
        (
            "urls",
            format!(
                "[services.a.environment]\n{}",
                (0..200).fold(String::new(), |s, i| s + &format!("V{i} = '{}'\n", "a://b@c,d:".repeat(400)))
            )
            .into_bytes(),
        ),
        (
            "equals",
            format!(
                "[services.a.environment]\n{}",
                (0..200).fold(String::new(), |s, i| s + &format!("V{i} = '{}'\n", "host=".repeat(800)))
            )
            .into_bytes(),
        ),
        (
            "waivers",
            (100..1000)
                .fold(String::new(), |s, i| {
                    s + &format!("[waivers.CT-AA-{i}]\nreason='x'\nuntil=2020-01-01\n")
                })
                .into_bytes(),
        ),
        (
            "warnings",
            (0..10_000)
                .fold("[sysctl]\n".to_owned(), |s, i| s + &format!("\"vm.swappines{i}\" = 1\n"))
                .into_bytes(),
        ),
        ("keys", (0..20_000).fold(String::new(), |s, i| s + &format!("k{i} = 1\n")).into_bytes()),
        (
            "sysctls",
            (0..10_000).fold("[sysctl]\n".to_owned(), |s, i| s + &format!("\"vm.x{i}\" = 1\n")).into_bytes(),
        ),
        ("strings", "\"".repeat(mib).into_bytes()),
        ("combining", format!("# {}\nx = 1", "a\u{301}".repeat(300_000)).into_bytes()),
    ];
    for (name, bytes) in cases {
        let file = files.put(&format!("{name}.toml"), bytes);
        let begin = Instant::now();
        let (status, out, err) = said(&["validate", &file]);
        let took = begin.elapsed();
        assert!([0, 1].contains(&status), "{name}: {status} {err}");
        assert!(name.starts_with('s') && status == 0 || !out.is_empty(), "{name}");
        // An unoptimised program on a busy machine is given more time: what must not be is a square of the size.
        let most = if cfg!(debug_assertions) { 30 } else { 1 };
        assert!(took < Duration::from_secs(most), "{name} took {took:?}");
        println!("{name}: {took:?}, {} lines", out.lines().count());
        assert!(out.chars().all(|c| c == '\n' || !c.is_control()), "{name}");
    }
}

// --- The schema ----------------------------------------------------------------------------------------------

fn as_json(text: &str) -> Option<Json> {
    serde_json::to_value(toml::from_str::<toml::Value>(text).ok()?).ok().map(plain)
}

/// TOML's dates are texts for a JSON Schema.
fn plain(value: Json) -> Json {
    match value {
        Json::Object(map) => match map.get("$__toml_private_datetime") {
            Some(date) => date.clone(),
            None => map.into_iter().map(|(key, value)| (key, plain(value))).collect(),
        },
        Json::Array(items) => items.into_iter().map(plain).collect(),
        other => other,
    }
}

#[test]
fn the_schema_is_a_schema_and_takes_every_bundled_profile() {
    let schema = schema();
    jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("{error}"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    for bundled in &BUNDLED {
        let found: Vec<String> = validator
            .iter_errors(&as_json(bundled.text).unwrap())
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert_eq!(found, Vec::<String>::new(), "{}", bundled.name);
    }
    let text = profile::init(&civicum_tune::facts::Facts::default());
    assert!(validator.is_valid(&as_json(&text).unwrap()), "{text}");
}

/// Never stricter than the program: what the schema refuses, the program refuses too. And of the bad profiles it finds those
/// whose mistake can be said in a schema.
#[test]
fn the_schema_agrees_with_the_program() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let mut refused = Vec::new();
    let mut paths: Vec<PathBuf> =
        fs::read_dir(top().join("tests/profiles/bad")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "toml")) {
        let Some(json) = fs::read_to_string(path).ok().as_deref().and_then(as_json) else { continue };
        let found = profile::validate::check_file(path.to_str().unwrap(), &|path| fs::read(path));
        if validator.is_valid(&json) {
            let plain = [Code::Type, Code::UnknownKey];
            let missed = found.iter().find(|f| f.is_error() && plain.contains(&f.code));
            assert_eq!(missed, None, "{}: the schema should refuse this", path.display());
        } else {
            assert!(found.iter().any(Finding::is_error), "{}", path.display());
            refused.push(path.file_stem().unwrap().to_str().unwrap().to_owned());
        }
    }
    for name in ["images", "names", "ports-written", "types", "unknown-keys", "unsafe"] {
        assert!(refused.iter().any(|refused| refused == name), "{name} is not among {refused:?}");
    }
    for key in &KEYS {
        let (path, _) = written(key);
        let text = format!("{path} = {}\n", key.example);
        assert!(validator.is_valid(&as_json(&text).unwrap()), "{text}");
    }
}

// --- Generated profiles ----------------------------------------------------------------------------------------

fn size() -> impl Strategy<Value = String> {
    prop_oneof![
        (1_u64..20_000).prop_map(|n| format!("'{n}MiB'")),
        (1_u64..30).prop_map(|n| format!("'{n}GiB'")),
        (0_u64..120).prop_map(|n| format!("'{n}% of ram'")),
        (1_u64..9).prop_map(|n| format!("'ram / {n}'")),
        (1_u64..9).prop_map(|n| format!("'min(ram / {n}, 4GiB)'")),
        (0_u64..20_000).prop_map(|n| format!("'max(64MiB, ram - {n}MiB)'")),
        any::<u64>().prop_map(|n| n.to_string()),
        Just("0".to_owned()),
    ]
}

fn service() -> impl Strategy<Value = String> {
    let name = prop_oneof![Just("llm"), Just("postgres"), Just("worker"), Just("proxy")];
    let line = prop_oneof![
        size().prop_map(|s| format!("memory = {s}")),
        size().prop_map(|s| format!("memory_reservation = {s}")),
        size().prop_map(|s| format!("memory_swap = {s}")),
        (-1100_i32..1100).prop_map(|n| format!("oom_score_adj = {n}")),
        (0_u32..100).prop_map(|n| format!("cpus = '{n} * cores / 7'")),
        proptest::collection::vec("(|127\\.0\\.0\\.1:|0\\.0\\.0\\.0:|\\[::\\]:)[1-9][0-9]?:[1-9][0-9]?(/udp)?|[0-9]{1,6}", 0..3)
            .prop_map(|list| format!("publish = {list:?}")),
        "(postgres|civicum/x|a\\.b/c)(:[a-z]{1,3})?(@sha256:[0-9a-f]{64})?".prop_map(|image| format!("image = '{image}'")),
        "(http://|host=|)(postgres|llm|a\\.neon\\.tech|8\\.8\\.8\\.8|\\[::1\\]|%2f|é\\.b|0x7f\\.1)(:[0-9]{1,6})?(/|,|@| )?[ -&(-~]{0,12}"
            .prop_map(|value| format!("environment.DATABASE_URL = '{value}'")),
    ];
    (name, line).prop_map(|(name, line)| format!("services.{name}.{line}\n"))
}

fn section() -> impl Strategy<Value = String> {
    prop_oneof![
        size().prop_map(|s| format!("memory.reserve = {s}\n")),
        (0_u64..64).prop_map(|n| format!("memory.at_least = '{n}GiB'\n")),
        size().prop_map(|s| format!("swap.size = {s}\n")),
        size().prop_map(|s| format!("sysctl.\"vm.min_free_kbytes\" = {s}\n")),
        size().prop_map(|s| format!("sysctl.\"vm.dirty_bytes\" = {s}\n")),
        (0_u32..110).prop_map(|n| format!("zswap.max_pool_percent = {n}\n")),
        Just("zswap.zpool = ['z3fold', 'zbud']\n".to_owned()),
        Just("sovereignty.public = ['proxy', 'nobody']\n".to_owned()),
        Just("sovereignty.publish_address = '0.0.0.0'\n".to_owned()),
        any::<bool>().prop_map(|on| format!("sovereignty.egress = {on}\n")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    /// Never a panic; what is called valid settles, and its limits fit; a saved host is no exception.
    #[test]
    fn what_is_called_valid_settles(
        sections in proptest::collection::vec(section(), 0..5),
        services in proptest::collection::vec(service(), 0..10),
        ram in prop_oneof![1_u64 << 20..1 << 36, any::<u64>()],
        threads in 0_u64..256,
    ) {
        let mut lines: Vec<String> = Vec::new();
        for line in sections.into_iter().chain(services) {
            let key = line.split(" = ").next().unwrap().to_owned();
            if !lines.iter().any(|other| other.split(" = ").next() == Some(&key)) {
                lines.push(line);
            }
        }
        let text = lines.concat();
        verdict(&text);
        let json = serde_json::json!({
            "schema": "civicum-tune/detect/1", "memory": { "total_bytes": ram.max(1 << 20) }, "cpu": { "threads": threads },
        });
        let host = SavedHost::parse(json.to_string().as_bytes()).unwrap();
        let bytes = text.as_bytes().to_vec();
        let read = move |_: &Path| Ok(bytes.clone());
        let about = About { host: Some(&host), today: Some("2026-01-01"), checks: Some(&[]), model: None };
        let found = profile::validate(["p.toml"], &read, &about).files.remove(0);
        let _ = excerpt::render_all(&found.findings);
        if let Some(memory) = &found.memory {
            let table = civicum_tune::render::budget::human(memory, civicum_tune::render::Style::default());
            prop_assert!(table.lines().all(|line| line.chars().count() <= 80), "{}", table);
            prop_assert!(!found.valid || memory.left_bytes >= 0, "{}\n{}", text, table);
        }
    }

    /// Whatever a host file holds, it is read or refused in words.
    #[test]
    fn any_host_file_is_read_or_refused(text in "\\PC{0,80}|[\\[\\]{}:,\"a-z0-9 ]{0,120}", at in 0_usize..2000, with in "[\\[\\]{}:,\"0-9e.-]{0,4}") {
        let _ = SavedHost::parse(text.as_bytes());
        let mut real = ubuntu().to_string();
        let at = at.min(real.len());
        if real.is_char_boundary(at) {
            real.insert_str(at, &with);
            let _ = SavedHost::parse(real.as_bytes());
            real.truncate(at);
            if let Err(why) = SavedHost::parse(real.as_bytes()) {
                prop_assert!(why.lines().count() == 2 && why.chars().all(|c| c == '\n' || !c.is_control()));
            }
        }
    }
}

/// One mistake does not hide another: a file with many is told what each of them is told alone.
#[test]
fn many_mistakes_are_all_told_at_once() {
    const PORT: &str = "[services.web]\nmemory = \"1GiB\"\npublish = [\"0.0.0.0:80:80\"]\n";
    const BUDGET: &str =
        "[memory]\nat_least = \"4GiB\"\nreserve = \"1GiB\"\n[services.llm]\nmemory = \"9GiB\"\n";
    const WAIVERS: &str = "[waivers.CT-NOTHING-001]\nreason = \"r\"\nuntil = \"2999-01-01\"\n\
                           [waivers.CT-SWAP-001]\nuntil = \"2999-01-01\"\n\
                           [waivers.CT-SWAP-002]\nreason = \"r\"\nuntil = \"2020-01-01\"\n";
    const RULE: &str = "[swap]\nsize = \"1GiB - 9GiB\"\n";
    const BAD: &str = "[zswap]\ncompresor = \"lz4\"\nmax_pool_percent = 200\n";
    let alone = [PORT, BUDGET, WAIVERS, RULE, BAD];
    let files = Files::new();
    let codes = |text: &str| -> Vec<String> {
        let (_, out, _) = said(&["validate", "--format", "json", &files.put("p.toml", text)]);
        let document: Json = serde_json::from_str(&out).unwrap();
        let found = document["files"][0]["findings"].as_array().unwrap();
        let mut all: Vec<String> = found.iter().map(|f| f["message"].as_str().unwrap().to_owned()).collect();
        all.sort();
        all
    };
    let together = codes(&alone.concat());
    assert_eq!(codes(WAIVERS).len(), 3);
    for one in alone {
        let own = codes(one);
        assert!(!own.is_empty(), "{one}");
        // The sum of the whole file has another service in it.
        for message in own.iter().filter(|message| !message.contains("nothing is kept")) {
            let sum = message.starts_with("the limits come to");
            let same = |other: &String| other == message || sum && other.starts_with("the limits come to");
            assert!(together.iter().any(same), "{message}\nnot in {together:#?}");
        }
    }
    // What could not be understood is not held against the rest.
    for (text, told) in [
        ("[services.llm]\nmemory = \"9 apples\"\nmemory_swap = \"memory + 1GiB\"\n", 1),
        ("[waivers.CT-SWAP-001]\nreason = 7\nuntil = \"2999-01-01\"\n", 1),
        ("[waivers.CT-SWAP-001]\nreason = 7\n[waivers.CT-SWAP-002]\nreason = \"r\"\n", 2),
        ("extends = \"Civicum-12g\"\n[services.llm]\nmemory_swap = \"memory + 1GiB\"\n", 1),
        ("extends = 12\n[sovereignty]\npublic = [\"proxy\"]\n[services.web]\nmemory = \"1GiB\"\n", 1),
        (
            "extends = \"civicum-12g\"\nwithout = \"sysctl.vm.dirty_bytes\"\nsysctl.\"vm.dirty_ratio\" = 9\n",
            1,
        ),
        (
            "[sovereignty]\npublic = [\"proxy\"]\n[services.llm]\nmemory = \"1GiB\"\n\
             [services.proxy]\nmemory = \"9 apples\"\n",
            1,
        ),
        (
            "[sovereignty]\npublish_address = \"192.168.1.300\"\n[services.a]\n\
             publish = [\"127.0.0.1:8080:80\"]\n[services.b]\npublish = [\"8080:80\"]\n",
            // That neither has a limit is told too.
            3,
        ),
        ("[services.a]\nfoo = 1\n[services.b]\nmemory = \"40GiB\"\n", 1),
    ] {
        let found = codes(text);
        assert_eq!(found.len(), told, "{text}: {found:#?}");
    }
}

/// A model's own header against the limit of its service: read from the file, where it is at hand.
#[test]
fn a_model_that_does_not_fit_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("llama.gguf");
    let mut header = b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0".to_vec();
    let mut put = |name: &str, kind: u32, value: &[u8]| {
        header.extend((name.len() as u64).to_le_bytes());
        header.extend(name.as_bytes());
        header.extend(kind.to_le_bytes());
        header.extend(value);
    };
    put("general.architecture", 8, b"\x05\0\0\0\0\0\0\0llama");
    put("llama.block_count", 4, &32_u32.to_le_bytes());
    put("llama.embedding_length", 4, &4096_u32.to_le_bytes());
    put("llama.attention.head_count", 4, &32_u32.to_le_bytes());
    put("llama.attention.head_count_kv", 4, &8_u32.to_le_bytes());
    std::fs::write(&model, &header).unwrap();
    // 4.6 GiB of weights, none of them on the disk.
    std::fs::OpenOptions::new().write(true).open(&model).unwrap().set_len(4_900_000_000).unwrap();
    let profile = folder.path().join("p.toml");
    let run = |memory: &str, path: &Path| {
        let text = format!(
            "name = \"p\"\n[memory]\nat_least = \"10GiB\"\nreserve = \"1GiB\"\n[services.llm]\nrole = \"llama-server\"\n\
             memory = \"{memory}\"\nmemory_swap = \"{memory}\"\nmodel = \"{}\"\ncontext = 4096\n",
            path.display()
        );
        std::fs::write(&profile, text).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
        let output = command.arg("validate").arg(&profile).env("LC_ALL", "C").output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    };
    // 4672 MiB of weights, 512 MiB of context, and 112 MiB for the rest.
    let (text, status) = run("5GiB", &model);
    assert_eq!(status, Some(1), "{text}");
    assert!(
        text.contains("at a context of 4096 tokens needs up to 5.1GiB, and the limit of llm is 5GiB"),
        "{text}"
    );
    let (text, status) = run("6GiB", &model);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("with 4096 tokens of context needs up to"), "{text}");
    // Where the model is not, nothing is said of it.
    let (text, status) = run("5GiB", Path::new("/srv/not-there.gguf"));
    assert_eq!((status, text.contains("tokens")), (Some(0), false), "{text}");
    std::fs::write(&model, "no model").unwrap();
    let (text, status) = run("5GiB", &model);
    assert_eq!((status, text.contains("it is no GGUF file")), (Some(1), true), "{text}");
}

/// What `deploy` would find out late, `validate` says at once, each at its place.
#[test]
fn services_that_could_not_be_deployed() {
    let files = Files::new();
    let file = files.put(
        "s.toml",
        "name = \"s\"\n[deployment]\ndeadline = \"0s\"\n[services.a]\nmemory = 512\nports = [\"80\"]\n\
         [services.b]\nmemory = \"64MiB\"\nneeds = [\"c\"]\nuser = \"0:0\"\n[services.c]\nmemory = \"64MiB\"\nneeds = [\"b\", \"bb\"]\n\
         [services.c.settings]\nwork_mem = \"8MB\"\n",
    );
    let (status, out, _) = said(&["validate", &file]);
    assert_eq!(status, 1, "{out}");
    for line in [
        "s.toml:3:12: error[profile/range]: 0ms is too short",
        "s.toml:5:10: error[profile/range]: `services.a.memory` is 512 bytes, and the least is 6MiB",
        "s.toml:6:1: error[profile/unknown-key]: unknown key `ports` in [services.a]",
    ] {
        assert!(out.contains(line), "{line}\n{out}");
    }
    assert!(out.contains("write \"512MiB\""), "{out}");
    assert!(out.contains("did you mean `publish`?"), "{out}");

    // Where everything is understood, the services are held against one another.
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace("\"0s\"", "\"1s\"").replace("512", "\"512MiB\"").replace("ports", "publish");
    let file = files.put("s.toml", text);
    let (status, out, _) = said(&["validate", &file]);
    assert_eq!(status, 1, "{out}");
    for line in [
        "s.toml:9:9: error[profile/conflict]: none of these can be started first: b → c → b",
        "s.toml:10:8: warning[profile/hardening]: b runs as root",
        "s.toml:13:16: error[profile/value]: c needs bb, and there is no such service",
        "s.toml:15:12: error[profile/conflict]: services.c.settings are a PostgreSQL server's, and c is none",
    ] {
        assert!(out.contains(line), "{line}\n{out}");
    }
}

/// Settings stand as PostgreSQL's own file has them: numbers with and without a point, and truth values.
#[test]
fn settings_of_every_kind() {
    let text = "name = 's'\n[services.postgres]\nmemory = '1GiB'\n[services.postgres.settings]\n\
                random_page_cost = 1.1\nmax_connections = 50\nautovacuum = true\nwork_mem = '8MB'\n";
    let profile = Profile::parse(text, "s.toml").unwrap();
    let settings = profile.settle(&profile.nominal()).unwrap().services["postgres"].settings.clone();
    let pairs: Vec<(&str, &str)> =
        settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        pairs,
        [("autovacuum", "true"), ("max_connections", "50"), ("random_page_cost", "1.1"), ("work_mem", "8MB")]
    );
    assert!(Profile::parse(&text.replace("1.1", "nan"), "s.toml").is_err());
    assert!(Profile::parse(&text.replace("1.1", "inf"), "s.toml").is_err());
}

/// A bundled profile can't be opened and edited: what is too much is shown where somebody wrote it.
#[test]
fn too_much_memory_is_shown_in_ones_own_file() {
    let text = "name = \"x\"\nextends = \"civicum-12g\"\n[services.worker]\nmemory = \"2000MiB\"\n";
    let found = findings_for(text, &ubuntu());
    let one = found.iter().find(|finding| finding.code == Code::MemoryBudget).unwrap();
    assert_eq!((one.file.as_str(), one.span.map(|span| span.line)), ("p.toml", Some(4)), "{found:?}");
    // Where nobody did, the largest of the bundled ones is all that there is.
    let found = findings_for(
        "name = \"x\"\nextends = \"civicum-12g\"\n[memory]\nreserve = \"6GiB\"\nat_least = \"10GiB\"\n",
        &ubuntu(),
    );
    assert!(found.iter().any(|finding| finding.file == "civicum-12g"), "{found:?}");
}
