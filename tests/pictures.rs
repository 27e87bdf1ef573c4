//! The pictures of the documentation are made from what the program says and from what its code imports, and are current.
//! `UPDATE_EXPECTED=1 cargo test --test pictures` makes them anew.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::cast_precision_loss, missing_docs)]

mod trees;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use trees::{pages, svg};

fn current(name: &str, text: &str) {
    let path = pages::top().join("docs/pictures").join(name);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&path, text).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == text,
        "docs/pictures/{name} is out of date; run: UPDATE_EXPECTED=1 cargo test --test pictures"
    );
}

/// A host of the tests, as a folder in which the program is started: paths in what it says are then the same everywhere.
const HOST: &str = "tests/hosts/ubuntu-24.04-cloud";

fn said(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_civicum-tune"))
        .args(args)
        .current_dir(pages::top().join(HOST))
        .env_clear()
        .output()
        .unwrap();
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&said(&[args, &["--format", "json"]].concat())).unwrap()
}

const MIB: u64 = 1 << 20;

/// A part of a bar: what it is, how much, MiB.
type Part = (String, u64);

/// How long it is in a bar of which the whole width stands for `whole`.
fn long(size: u64, whole: u64) -> f64 {
    const LONG: f64 = 750.0;
    size as f64 / whole as f64 * LONG
}

/// A name and a figure can be read in it.
fn has_room(size: u64, whole: u64) -> bool {
    long(size, whole) > 44.0
}

/// `there` is shared out; it may be less than `whole`, so that two bars have one scale.
fn bar(parts: &[Part], there: u64, whole: u64, y: f64, name: &str) -> String {
    const LEFT: f64 = 150.0;
    let mut out = svg::words(16.0, y + 26.0, 14.0, &format!("{} fill=\"#1b1f27\"", svg::SANS), name);
    out += &svg::rect(LEFT, y, long(there, whole), 42.0, "#e8eaed");
    let mut at = 0;
    for (what, size) in parts {
        let colour = match what.as_str() {
            "llm" => "#3b6fb6",
            "worker" => "#c05a1c",
            "postgres" => "#3f7d4f",
            "proxy" => "#7a4fa3",
            "api" => "#9a6b12",
            _ => "#5c6470",
        };
        let x = LEFT + long(at, whole);
        out += &svg::rect(x, y, (long(*size, whole) - 1.0).max(1.0), 42.0, colour);
        if has_room(*size, whole) {
            let white = format!("{} fill=\"#ffffff\"", svg::SANS);
            out += &svg::words(x + 6.0, y + 17.0, 12.0, &white, what);
            out += &svg::words(x + 6.0, y + 34.0, 12.0, &white, &size.to_string());
        }
        at += size;
    }
    out
}

/// The two ways in which the memory is shared out, and the swap behind them.
fn budget(words: &[&str; 7]) -> String {
    let [title, answering, reading, swap, system, free, small] = words;
    let account =
        json(&["validate", "civicum-12g", "--host", "expected/detect.json"])["files"][0]["memory"].take();
    let mib = |value: &Value| value.as_u64().unwrap() / MIB;
    let (ram, reserve) = (mib(&account["ram_bytes"]), mib(&account["reserve_bytes"]));
    let services = account["services"].as_array().unwrap();
    let of = |key: &str| -> Vec<Part> {
        services.iter().map(|one| (one["name"].as_str().unwrap().to_owned(), mib(&one[key]))).collect()
    };
    let mut limits = of("limit_bytes");
    // The limits of the other way are those of the resolved profile, on the same host.
    let shown = json(&["profile", "show", "civicum-12g", "--root", "tree"]);
    let values = shown["values"].as_array().unwrap();
    let other = |name: &str| {
        let path = format!("services.{name}.memory_reading");
        let value = values.iter().find(|value| value["path"] == path.as_str())?;
        let text = value["result"].as_str().or_else(|| value["value"].as_str())?;
        Some(text.strip_suffix("MiB").unwrap().parse::<u64>().unwrap())
    };
    let mut others: Vec<Part> =
        limits.iter().map(|(name, limit)| (name.clone(), other(name).unwrap_or(*limit))).collect();
    assert_ne!(limits, others, "the profile has two ways");
    let sum = |parts: &[Part]| parts.iter().map(|(_, size)| size).sum::<u64>() + reserve;
    assert_eq!(sum(&limits), mib(&account["sum_bytes"]), "the parts are the sum");
    assert_eq!(sum(&others), mib(&account["reading_bytes"]), "in the other way too");
    limits.push(((*system).to_owned(), reserve));
    others.push(((*system).to_owned(), reserve));
    let swapped = of("swap_bytes");
    let there = mib(&account["swap_bytes"]);
    let used: u64 = swapped.iter().map(|(_, size)| size).sum();
    let mut behind = swapped.clone();
    behind.push(((*free).to_owned(), there - used));
    let dark = format!("{} fill=\"#1b1f27\"", svg::SANS);
    let mut body = "<rect width=\"920\" height=\"250\" rx=\"8\" fill=\"#ffffff\"/>\n".to_owned();
    body += &svg::words(
        16.0,
        28.0,
        15.0,
        &format!("{dark} font-weight=\"bold\""),
        &title.replace("{ram}", &ram.to_string()),
    );
    body += &bar(&limits, ram, ram, 46.0, answering);
    body += &bar(&others, ram, ram, 106.0, reading);
    // In the memory's scale: as long as it is beside that.
    body += &bar(&behind, there, ram, 166.0, &swap.replace("{swap}", &there.to_string()));
    let nameless: Vec<String> = limits
        .iter()
        .zip(&swapped)
        .filter_map(|((name, limit), (_, swap))| match (has_room(*limit, ram), has_room(*swap, ram)) {
            (true, true) => None,
            (true, false) => Some(format!("{name} (swap {swap})")),
            (false, true) => Some(format!("{name} {limit}")),
            (false, false) => Some(format!("{name} {limit} (swap {swap})")),
        })
        .collect();
    body += &svg::words(150.0, 234.0, 12.0, &dark, &format!("{small}: {}", nameless.join(", ")));
    svg::picture(920.0, 250.0, &title.replace("{ram}", &ram.to_string()), &body)
}

#[test]
fn the_memory_budget() {
    let english = [
        "civicum-12g on a host with {ram} MiB: limits in MiB",
        "answering",
        "reading",
        "swap, {swap} MiB",
        "system",
        "nobody's",
        "too small for their names",
    ];
    let spanish = [
        "civicum-12g en un host con {ram} MiB: límites en MiB",
        "respondiendo",
        "leyendo",
        "swap, {swap} MiB",
        "sistema",
        "de nadie",
        "muy chicos para su nombre",
    ];
    current("memory-budget.svg", &budget(&english));
    current("memory-budget.es.svg", &budget(&spanish));
}

/// Which lines of an output a picture shows: from the one that begins with the first to before the one that begins with the
/// second; behind `*` stands what it has anywhere.
fn cut(text: &str, ranges: &[(&str, &str)]) -> String {
    let plain = |line: &str| {
        let mut parts = line.split('\x1b');
        let first = parts.next().unwrap_or_default().to_owned();
        first + &parts.map(|part| part.split_once('m').map_or("", |(_, rest)| rest)).collect::<String>()
    };
    let lines: Vec<&str> = text.lines().collect();
    let find = |from: usize, start: &str| {
        (from..lines.len())
            .find(|at| {
                let line = plain(lines[*at]);
                start.strip_prefix('*').map_or_else(|| line.starts_with(start), |part| line.contains(part))
            })
            .unwrap_or_else(|| panic!("nothing begins with `{start}`"))
    };
    let (mut out, mut at): (Vec<String>, usize) = (Vec::new(), 0);
    for (start, end) in ranges {
        let begin = find(at, start);
        if begin > at {
            out.push("\x1b[2m…\x1b[0m".to_owned());
        }
        at = if end.is_empty() { lines.len() } else { find(begin + 1, end) };
        out.extend(lines[begin..at].iter().map(|line| (*line).to_owned()));
    }
    if at < lines.len() {
        out.push("\x1b[2m…\x1b[0m".to_owned());
    }
    out.join("\n")
}

#[test]
fn the_plan() {
    let command = ["plan", "--root", "tree", "--profile", "civicum-12g"];
    let text = said(&[&command[..], &["--color", "always"]].concat());
    let shown = cut(
        &text,
        &[("Profile ", "profile "), ("swap ", "  /etc/systemd "), ("sysctl ", "mglru "), ("boot ", "")],
    );
    current("plan.svg", &svg::terminal(&format!("civicum-tune {}", command.join(" ")), &shown));
}

#[test]
fn the_doctor() {
    let command = ["doctor", "--root", "tree"];
    let text = said(&[&command[..], &["--color", "always"]].concat());
    let shown =
        cut(&text, &[("Ubuntu", "Kernel parameters"), ("Docker Engine", "Could not tell"), ("*passed,", "")]);
    current("doctor.svg", &svg::terminal(&format!("civicum-tune {}", command.join(" ")), &shown));
}

/// `status` needs an engine with a deployment: where `CIVICUM_TUNE_PICTURE_PROFILE` names a profile that is deployed there, its
/// picture is made. It is not compared, since it is another one each second.
#[test]
fn the_status_of_a_deployment_that_is_there() {
    let Some(profile) = std::env::var_os("CIVICUM_TUNE_PICTURE_PROFILE") else {
        eprintln!("skipped: CIVICUM_TUNE_PICTURE_PROFILE names no profile of a deployment");
        return;
    };
    let output = Command::new(env!("CARGO_BIN_EXE_civicum-tune"))
        .args(["status", "--color", "always", "--profile"])
        .arg(profile)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::write(pages::top().join("docs/pictures/status.svg"), svg::terminal("civicum-tune status", &text))
        .unwrap();
}

/// The rooms, from the command line down to what needs nobody. A room imports from rows below its own.
const ROWS: [&[&str]; 11] = [
    &["cli"],
    &["render"],
    &["supervise", "bench"],
    &["engine", "worker", "api"],
    &["apply"],
    &["plan", "check"],
    &["tunable", "container", "queue"],
    &["profile"],
    &["facts", "change", "llm", "ocr"],
    &["host", "units"],
    &["lang", "sysctl_name", "http", "document"],
];

/// What goes the other way all the same; docs/guides/architecture.md says why.
const UPWARDS: [(&str, &str); 3] = [("check", "supervise"), ("facts", "container"), ("profile", "container")];

/// Whom each room imports, as the code has it; tests within the rooms don't count.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    fn walk(folder: &Path, room: Option<&str>, found: &mut BTreeMap<String, BTreeSet<String>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let room = room.unwrap_or_else(|| name.trim_end_matches(".rs")).to_owned();
            if path.is_dir() {
                walk(&path, Some(&room), found);
            } else if name.ends_with(".rs")
                && !name.ends_with("_tests.rs")
                && !["lib", "main"].contains(&room.as_str())
            {
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]").next().unwrap();
                let code: String =
                    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
                let known = found.entry(room.clone()).or_default();
                for (at, _) in code.match_indices("crate::") {
                    if code[..at].ends_with(['$', ':']) {
                        continue;
                    }
                    let rest = &code[at + 7..];
                    let group = rest.strip_prefix('{').map(|rest| rest.split('}').next().unwrap_or_default());
                    for word in
                        group.unwrap_or(rest).split(',').take(if group.is_some() { usize::MAX } else { 1 })
                    {
                        let word: String =
                            word.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                        if !word.is_empty() && word != room && word != "t" {
                            known.insert(word);
                        }
                    }
                }
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&pages::top().join("src"), None, &mut found);
    found
}

fn row(room: &str) -> usize {
    ROWS.iter()
        .position(|rooms| rooms.contains(&room))
        .unwrap_or_else(|| panic!("the room {room} has no row in ROWS"))
}

#[test]
fn imports_run_one_way() {
    let imports = imports();
    let placed: BTreeSet<&str> = ROWS.iter().copied().flatten().copied().collect();
    let there: BTreeSet<&str> = imports.keys().map(String::as_str).collect();
    assert_eq!(placed, there, "each room has its row, and no row a room that is gone");
    let mut upwards = BTreeSet::new();
    for (room, others) in &imports {
        for other in others {
            // 0 is the top.
            if row(other) <= row(room) {
                upwards.insert((room.as_str(), other.as_str()));
            }
        }
    }
    assert_eq!(
        upwards,
        BTreeSet::from(UPWARDS),
        "imports against the direction (docs/guides/architecture.md)"
    );
}

#[test]
fn the_page_of_the_architecture_names_every_room() {
    for page in ["docs/guides/architecture.md", "docs/guias/architecture.md"] {
        let text = pages::read(page);
        let word = if page.contains("guias") { "piezas" } else { "rooms" };
        let count = format!("{} {word}", ROWS.concat().len());
        assert!(text.contains(&count), "{page} does not say that there are {count}");
        for room in ROWS.concat() {
            assert!(text.contains(&format!("| `{room}` |")), "{page} says nothing of the room {room}");
        }
        for (room, other) in UPWARDS {
            assert!(
                text.contains(&format!("`{room} ↑{other}`")),
                "{page} does not say why {room} imports {other}"
            );
        }
    }
}

#[test]
fn the_architecture() {
    const WIDTH: f64 = 920.0;
    const HIGH: f64 = 66.0;
    let imports = imports();
    let height = HIGH.mul_add(ROWS.len() as f64, 16.0);
    let mut body = format!("<rect width=\"{WIDTH}\" height=\"{height}\" rx=\"8\" fill=\"#ffffff\"/>\n");
    for (at, rooms) in ROWS.iter().enumerate() {
        let y = HIGH.mul_add(at as f64, 12.0);
        let long = (WIDTH - 24.0) / rooms.len() as f64;
        for (place, room) in rooms.iter().enumerate() {
            let x = long.mul_add(place as f64, 12.0);
            body += &svg::rect(x + 3.0, y, long - 6.0, HIGH - 10.0, "#e9eef6");
            let dark = format!("{} fill=\"#1b1f27\"", svg::SANS);
            body += &svg::words(x + 13.0, y + 19.0, 14.0, &format!("{dark} font-weight=\"bold\""), room);
            let (mut lines, mut line) = (Vec::<String>::new(), String::new());
            for other in &imports[*room] {
                let arrow = if UPWARDS.contains(&(room, other.as_str())) { "↑" } else { "" };
                let word = format!("{arrow}{other}");
                if !line.is_empty() && (line.len() + word.len() + 2) as f64 * 5.7 > long - 26.0 {
                    lines.push(std::mem::take(&mut line) + ",");
                }
                line += if line.is_empty() { "" } else { ", " };
                line += &word;
            }
            lines.push(line);
            assert!(lines.len() <= 2, "{room} imports more than its box has room for: {lines:?}");
            for (at, line) in lines.iter().enumerate() {
                body += &svg::words(x + 13.0, 14.0f64.mul_add(at as f64, y + 34.0), 11.0, &dark, line);
            }
        }
    }
    current(
        "architecture.svg",
        &svg::picture(WIDTH, height, "The rooms of civicum-tune and whom each imports", &body),
    );
}
