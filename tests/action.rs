//! The GitHub action and the pre-commit hook's definition, as far as a machine without GitHub can try them.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use saphyr::{LoadableYamlNode as _, Yaml};

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn yaml(name: &str) -> Yaml<'static> {
    let text: &'static str = fs::read_to_string(top().join(name)).unwrap().leak();
    Yaml::load_from_str(text).unwrap().remove(0)
}

fn text(node: &Yaml<'_>, key: &str) -> String {
    node.as_mapping_get(key).and_then(|node| node.as_str()).unwrap_or_default().to_owned()
}

/// A repository in which the action runs, with the files that a runner gives a step.
struct Job {
    folder: tempfile::TempDir,
    inputs: BTreeMap<String, String>,
    path: String,
}

struct Ran {
    status: i32,
    log: String,
    outputs: BTreeMap<String, String>,
}

impl Job {
    fn new(inputs: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::create_dir_all(folder.path().join("repo/profiles")).unwrap();
        fs::create_dir_all(folder.path().join("bin")).unwrap();
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        let action = yaml("action.yml");
        for (name, input) in action.as_mapping_get("inputs").unwrap().as_mapping().unwrap() {
            all.insert(name.as_str().unwrap().to_owned(), text(input, "default"));
        }
        for (name, value) in inputs {
            assert!(all.insert((*name).to_owned(), (*value).to_owned()).is_some(), "no input {name}");
        }
        let path = format!("{}:/usr/bin:/bin", folder.path().join("bin").display());
        Self { folder, inputs: all, path }
    }

    fn put(&self, name: &str, text: &str) {
        let file = self.repo().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn repo(&self) -> PathBuf {
        self.folder.path().join("repo")
    }

    fn program(&self, name: &str, script: &str) {
        let file = self.folder.path().join("bin").join(name);
        fs::write(&file, script).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What the runner puts in the place of `${{ … }}`.
    fn expand(&self, expression: &str, outputs: &BTreeMap<String, String>) -> String {
        let Some(inner) = expression.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}")) else {
            assert!(!expression.contains("${{"), "{expression}");
            return expression.to_owned();
        };
        let inner = inner.trim();
        if let Some(name) = inner.strip_prefix("inputs.") {
            return self.inputs[name].clone();
        }
        if inner == "github.action_path" {
            return top().to_string_lossy().into_owned();
        }
        outputs.get(inner).cloned().unwrap_or_default()
    }

    fn run(&self) -> Ran {
        let action = yaml("action.yml");
        let runs = action.as_mapping_get("runs").unwrap();
        assert_eq!(text(runs, "using"), "composite");
        let mut outputs = BTreeMap::new();
        let (mut status, mut log) = (0, String::new());
        for step in runs.as_mapping_get("steps").unwrap().as_sequence().unwrap() {
            let script = text(step, "run");
            assert!(!script.contains("${{"), "nothing is written into a script");
            assert_eq!(text(step, "shell"), "bash");
            let file = self.folder.path().join("output");
            fs::write(&file, "").unwrap();
            let script_file = self.folder.path().join("script.sh");
            fs::write(&script_file, script).unwrap();
            let mut command = Command::new("bash");
            // As the runner does it.
            command.args(["--noprofile", "--norc", "-e", "-o", "pipefail"]).arg(&script_file);
            command.current_dir(self.repo()).env_clear().env("PATH", &self.path).stdin(Stdio::null());
            command.env("GITHUB_OUTPUT", &file).env("RUNNER_TEMP", self.folder.path().join("temp"));
            for (name, value) in step.as_mapping_get("env").unwrap().as_mapping().unwrap() {
                let value = self.expand(value.as_str().unwrap(), &outputs);
                command.env(name.as_str().unwrap(), value);
            }
            let output = command.output().unwrap();
            log += &String::from_utf8(output.stdout).unwrap();
            log += &String::from_utf8(output.stderr).unwrap();
            for line in fs::read_to_string(&file).unwrap().lines() {
                let (name, value) = line.split_once('=').unwrap();
                outputs.insert(format!("steps.{}.outputs.{name}", text(step, "id")), value.to_owned());
            }
            status = output.status.code().unwrap();
            if status != 0 {
                break;
            }
        }
        let declared = action.as_mapping_get("outputs").unwrap().as_mapping().unwrap();
        let of = |(name, output): (&Yaml<'_>, &Yaml<'_>)| {
            (name.as_str().unwrap().to_owned(), self.expand(&text(output, "value"), &outputs))
        };
        let outputs = declared.iter().map(of).collect();
        Ran { status, log, outputs }
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_civicum-tune");
const GOOD: &str = "extends = \"minimal\"\n";
const BAD: &str = "[zswap]\nenabeld = true\n";

#[test]
fn good_profiles_pass() {
    let job = Job::new(&[("binary", PROGRAM)]);
    job.put("profiles/a.toml", GOOD);
    job.put("profiles/b c.toml", GOOD);
    let ran = job.run();
    assert_eq!(ran.status, 0, "{}", ran.log);
    assert!(ran.log.contains("profiles checked: 2, not valid: 0"), "{}", ran.log);
    assert_eq!(ran.outputs["sarif"], "");
    assert!(Path::new(&ran.outputs["binary"]).is_absolute());
}

#[test]
fn a_bad_profile_fails_and_sarif_is_there() {
    let patterns = "profiles/*.toml\n\n  hosts/**/*.toml  \r\n-x.toml";
    let job = Job::new(&[("binary", PROGRAM), ("profiles", patterns), ("sarif", "out/my findings.sarif")]);
    job.put("profiles/a.toml", GOOD);
    job.put("hosts/x/y/b c.toml", BAD);
    job.put("-x.toml", GOOD);
    let ran = job.run();
    assert_eq!(ran.status, 1, "{}", ran.log);
    assert!(ran.log.contains("::error file=hosts/x/y/b c.toml,line=2,"), "{}", ran.log);
    assert!(ran.log.contains("profiles checked: 3, not valid: 1"), "{}", ran.log);
    assert_eq!(ran.outputs["sarif"], "out/my findings.sarif");
    let sarif = fs::read_to_string(job.repo().join("out/my findings.sarif")).unwrap();
    let sarif: serde_json::Value = serde_json::from_str(&sarif).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "profile/unknown-key");
}

#[test]
fn inputs_are_never_carried_out() {
    let evil = "$(touch gone)`touch gone`;touch gone\n\"; touch gone; \"";
    for (name, one) in [("profiles", evil), ("binary", evil), ("version", evil), ("sarif", evil)] {
        let mut inputs = vec![(name, one)];
        if name != "binary" {
            inputs.push(("binary", PROGRAM));
        }
        let job = Job::new(&inputs);
        job.put("profiles/a.toml", GOOD);
        let ran = job.run();
        assert_ne!(ran.status, 0, "{name}");
        assert!(!job.repo().join("gone").exists(), "{name}: {}", ran.log);
        assert!(ran.log.starts_with("::error "), "{name}: {}", ran.log);
    }
    // A name in the repository neither.
    let job = Job::new(&[("binary", PROGRAM)]);
    job.put("profiles/$(touch gone);touch gone.toml", GOOD);
    let ran = job.run();
    assert_eq!(ran.status, 0, "{}", ran.log);
    assert!(!job.repo().join("gone").exists());
}

#[test]
fn nothing_to_check_is_a_failure() {
    let ran = Job::new(&[("binary", PROGRAM)]).run();
    assert_eq!(
        (ran.status, ran.log.as_str()),
        (2, "::error title=civicum-tune::no file matches profiles: profiles/*.toml\n")
    );
}

#[test]
fn the_version_is_the_one_asked_for() {
    let job = Job::new(&[("binary", PROGRAM), ("version", "99.0.0")]);
    job.put("profiles/a.toml", GOOD);
    let ran = job.run();
    assert_eq!(ran.status, 2);
    assert!(ran.log.contains("version 99.0.0 was asked for"), "{}", ran.log);
    // On the PATH: taken when it is the version that was asked for.
    let job = Job::new(&[("version", env!("CARGO_PKG_VERSION"))]);
    job.put("profiles/a.toml", GOOD);
    job.program("civicum-tune", &format!("#!/bin/sh\nexec {PROGRAM} \"$@\"\n"));
    assert_eq!(job.run().status, 0);
}

/// `cargo install` of the action's own source. (A stand-in for cargo: the build itself is cargo's business.)
#[test]
fn it_is_built_where_no_binary_is_given() {
    let job = Job::new(&[]);
    job.put("profiles/a.toml", GOOD);
    let source = top().display();
    job.program(
        "cargo",
        &format!(
            "#!/bin/bash\n[ \"$*\" = \"install --locked --quiet --path {source} --root $RUNNER_TEMP/civicum-tune\" ] || exit 9\n\
             mkdir -p \"$RUNNER_TEMP/civicum-tune/bin\" && ln -s {PROGRAM} \"$RUNNER_TEMP/civicum-tune/bin/\"\n"
        ),
    );
    let ran = job.run();
    assert_eq!(ran.status, 0, "{}", ran.log);
}

#[test]
fn the_scripts_of_the_action_are_clean() {
    let action = yaml("action.yml");
    let steps = action.as_mapping_get("runs").unwrap().as_mapping_get("steps").unwrap();
    for step in steps.as_sequence().unwrap() {
        let file = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::write(file.path(), text(step, "run")).unwrap();
        let Ok(output) = Command::new("shellcheck").args(["--shell", "bash"]).arg(file.path()).output()
        else {
            eprintln!("no shellcheck: the scripts were not looked at");
            return;
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn the_hooks_are_whole() {
    let hooks = yaml(".pre-commit-hooks.yaml");
    let hooks = hooks.as_sequence().unwrap();
    let languages: Vec<String> = hooks.iter().map(|hook| text(hook, "language")).collect();
    assert_eq!(languages, ["rust", "system"]);
    for hook in hooks {
        assert_eq!(text(hook, "entry"), "civicum-tune validate");
        for key in ["id", "name", "description", "files"] {
            assert!(!text(hook, key).is_empty(), "{key}");
        }
    }
    assert_eq!(text(&hooks[0], "files"), text(&hooks[1], "files"));
}
