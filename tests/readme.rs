//! Every command of the README is carried out, in its order, on a host of the test's own; every line that the README
//! shows is printed.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod trees;

use std::fs;
use std::path::Path;

use trees::live::Live;
use trees::{BASE, Tree};

struct Example {
    command: String,
    shown: Vec<String>,
}

/// The `console` blocks: `$ ` starts a command, what follows is what it prints, `…` stands for what is left out.
fn examples(readme: &str) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        match (line, line.strip_prefix("$ ")) {
            ("```console", _) => inside = true,
            ("```", _) => inside = false,
            (_, Some(command)) if inside => {
                found.push(Example { command: command.to_owned(), shown: Vec::new() });
            }
            _ if inside && line != "…" => found.last_mut().unwrap().shown.push(line.to_owned()),
            _ => {}
        }
    }
    found
}

#[test]
fn every_example_of_the_readme() {
    let Some(live) = Live::new() else { return };
    let t = &live.tree;
    // Enough swap is there, so that no real swap is turned on.
    t.put("proc/swaps", "Filename Type Size Used Priority\n/swap.img file 16777212 0 -2\n");
    t.put("proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
    t.put("sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
    let saved =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hosts/ubuntu-24.04-cloud/expected/detect.json");
    t.put("root/host.json", fs::read(saved).unwrap());
    for (path, text) in BASE.iter().filter(|(path, _)| !path.starts_with("proc") && !path.starts_with("sys/"))
    {
        t.put(&format!("mnt/image/{path}"), text);
    }
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let examples = examples(&readme);
    assert!(examples.len() > 12, "the README has lost its examples");
    for Example { command, shown } in examples {
        let words: Vec<&str> = command.split_whitespace().filter(|word| *word != "sudo").collect();
        assert_eq!(words[0], "civicum-tune", "{command}");
        let mut args = words[1..].to_vec();
        // There is nobody to ask in a test.
        if ["apply", "rollback"].contains(&args[0]) && !args.contains(&"--yes") {
            args.push("--yes");
        }
        let output = live.run(&args);
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let wanted = if ["plan", "doctor"].contains(&args[0]) { [0, 1] } else { [0, 0] };
        assert!(wanted.contains(&output.status.code().unwrap()), "{command}\n{said}");
        for line in shown {
            assert!(
                said.lines().any(|printed| printed.trim_end() == line),
                "{command} does not print `{line}`:\n{said}"
            );
        }
    }
}

#[test]
fn every_profile_of_the_readme_is_valid() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let blocks: Vec<&str> =
        readme.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 2, "the README has lost its profiles");
    for text in blocks {
        let tree = Tree::empty();
        tree.put("mine.toml", text);
        let status = std::process::Command::new(env!("CARGO_BIN_EXE_civicum-tune"))
            .arg("validate")
            .arg(tree.at("mine.toml"))
            .status()
            .unwrap();
        assert!(status.success(), "{text}");
    }
}

#[test]
fn every_page_that_the_readme_names_is_there() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(top.join("README.md")).unwrap();
    for (at, _) in readme.match_indices("](") {
        let target = readme[at + 2..].split(')').next().unwrap();
        assert!(target.starts_with("https://") || top.join(target).exists(), "{target}");
    }
}
