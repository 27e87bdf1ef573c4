//! The guides: their commands are carried out on a host of the test's own, in both languages; every command of the whole
//! documentation is understood by the real command line; both languages have the same commands; every link leads somewhere.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

#[path = "support/must.rs"]
mod must;
mod trees;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use must::skipped;
use trees::live::Live;
use trees::pages::{self, Block};

fn guides(folder: &str) -> Vec<String> {
    let mut found: Vec<String> = fs::read_dir(pages::top().join("docs").join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    found
}

/// What a guide's host has beside a fresh server's files: `tests/guides/NAME`. `{ago 90min}` is the time so long ago.
fn lay_over(live: &Live, folder: &Path, below: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.map(|entry| entry.unwrap()) {
        let path = format!("{below}/{}", entry.file_name().into_string().unwrap());
        if entry.path().is_dir() {
            lay_over(live, &entry.path(), &path);
            continue;
        }
        let mut text = fs::read_to_string(entry.path()).unwrap();
        while let Some(at) = text.find("{ago ") {
            let end = at + text[at..].find('}').unwrap();
            let ago: Duration = humantime::parse_duration(&text[at + 5..end]).unwrap();
            let when = humantime::format_rfc3339_seconds(SystemTime::now() - ago).to_string();
            text.replace_range(at..=end, &when);
        }
        live.tree.put(&path, text);
    }
}

/// From its first line to its last: files are put where `file=` says, commands are carried out, what is shown is printed.
fn follow(folder: &str, name: &str, lang: &str) {
    let Some(live) = Live::for_pages() else { return };
    lay_over(&live, &pages::top().join("tests/guides").join(name.trim_end_matches(".md")), "");
    let page = format!("docs/{folder}/{name}");
    let mut profiles = Vec::new();
    for block in pages::blocks(&pages::read(&page)) {
        if let Some(path) = block.value("file") {
            live.tree.put(path, &block.text);
            if block.language == "toml" {
                profiles.push((path.to_owned(), block.has("wrong"), format!("{page}:{}", block.line)));
            }
        }
        if block.has("reboot") {
            live.reboot();
        }
        // The provider gave it more memory, MiB.
        if let Some(mib) = block.value("ram").map(|mib| mib.parse::<u64>().unwrap()) {
            let text = live.tree.text("proc/meminfo");
            let rest = text.split_once('\n').unwrap().1;
            live.tree.put("proc/meminfo", format!("MemTotal: {} kB\n{rest}", mib * 1024));
        }
        if block.language == "console" && !block.has("engine") {
            for example in pages::examples(&block) {
                pages::carry_out(&live, &page, &example, lang);
            }
        }
        // Where there is more memory, a profile is for that.
        for (path, is_wrong, place) in profiles.drain(..) {
            deploys(&live, &path, is_wrong, &place);
        }
    }
}

const NO_IMAGE: &str = "has no image";

/// What a guide writes can be brought up: it is valid on the guide's host, and no service is left without an image. What it
/// calls `wrong` is refused.
fn deploys(live: &Live, profile: &str, is_wrong: bool, place: &str) {
    live.tree.put("root/guide-host.json", live.run(&["detect", "--format", "json"]).stdout);
    live.expect(i32::from(is_wrong), &["validate", "--host", "/root/guide-host.json", profile]);
    if !is_wrong {
        let said = live.expect(0, &["render", "compose", "--profile", profile]);
        assert!(said.contains("\nservices:\n"), "{place}: no deployment:\n{said}");
        assert!(!said.contains(NO_IMAGE), "{place}: it can't be deployed:\n{said}");
    }
}

#[test]
fn a_profile_that_can_not_be_deployed_is_told_from_one_that_can() {
    let Some(live) = Live::for_pages() else { return };
    let said = live.expect(2, &["render", "compose", "--profile", "civicum-12g"]);
    assert!(said.contains(NO_IMAGE), "`deploys` would not see it:\n{said}");
}

#[test]
fn every_command_of_the_guides_does_what_they_show() {
    for name in guides("guides") {
        follow("guides", &name, "C.UTF-8");
    }
}

#[test]
fn every_command_of_the_spanish_guides_does_what_they_show() {
    for name in guides("guias") {
        follow("guias", &name, "es_CL.UTF-8");
    }
}

/// The commands, files and shell lines of a guide, without what is printed and without remarks.
fn skeleton(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for block in pages::blocks(&pages::read(page)).into_iter().filter(|block| block.language != "text") {
        let head = format!("{} {}", block.language, block.words.join(" "));
        found.push(head);
        let without_remark = |line: &str| line.split(" #").next().unwrap_or_default().trim_end().to_owned();
        match block.language.as_str() {
            "console" => {
                found.extend(block.text.lines().filter(|line| line.starts_with("$ ")).map(str::to_owned));
            }
            _ => found.extend(block.text.lines().map(without_remark).filter(|line| !line.starts_with('#'))),
        }
    }
    found
}

#[test]
fn both_languages_have_the_same_commands() {
    let (english, spanish) = (guides("guides"), guides("guias"));
    assert_eq!(english, spanish, "each guide has its twin");
    for name in english {
        let (english, spanish) = (format!("docs/guides/{name}"), format!("docs/guias/{name}"));
        assert_eq!(skeleton(&english), skeleton(&spanish), "{name}");
        for (page, twin) in [(&english, format!("../guias/{name}")), (&spanish, format!("../guides/{name}"))]
        {
            let head: String = pages::read(page).lines().take(5).collect();
            assert!(head.contains(&twin), "{page} does not name its twin {twin} on top");
        }
    }
}

/// The commands of the program in a block: behind `$ ` in a session, anywhere in a script.
fn commands(block: &Block) -> Vec<Vec<String>> {
    let text: String = match block.language.as_str() {
        "console" => block
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("$ "))
            .map(|line| format!("{line}\n"))
            .collect(),
        "sh" | "bash" => block.text.clone(),
        _ => return Vec::new(),
    };
    pages::lines(&text).iter().filter_map(|line| pages::words(line)).collect()
}

#[test]
fn every_command_of_the_documentation_is_understood() {
    let (mut count, mut wrong) = (0, Vec::new());
    for page in pages::all() {
        let text = pages::read(&page);
        for block in pages::blocks(&text) {
            for args in commands(&block) {
                count += 1;
                if let Some(error) = pages::misunderstood(&args) {
                    wrong.push(format!("{page}:{}: {args:?}\n{error}", block.line));
                }
            }
        }
    }
    assert!(count > 200, "only {count} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What stands between backquotes and begins with the program's name is a command too, if only its beginning.
#[test]
fn every_command_within_a_sentence_is_understood() {
    use clap::error::ErrorKind;
    let mut wrong = Vec::new();
    for page in pages::all() {
        let text = pages::read(&page);
        let mut inside = false;
        let prose = text.lines().filter(|line| {
            let is_fence = line.trim_start().starts_with("```");
            inside ^= is_fence;
            !inside && !is_fence
        });
        for span in prose.flat_map(|line| line.split('`').skip(1).step_by(2)) {
            let span = span.strip_prefix("sudo ").unwrap_or(span);
            if !span.starts_with("civicum-tune ") {
                continue;
            }
            let args = pages::words(span).unwrap();
            let all = std::iter::once("civicum-tune".to_owned()).chain(args);
            let Err(error) = civicum_tune::cli::command().try_get_matches_from(all) else { continue };
            let is_a_beginning = [
                ErrorKind::DisplayHelp,
                ErrorKind::DisplayVersion,
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
                ErrorKind::MissingRequiredArgument,
                ErrorKind::MissingSubcommand,
            ];
            // An option without its value is one, too.
            if !is_a_beginning.contains(&error.kind()) && !span.ends_with("--root") {
                wrong.push(format!("{page}: `{span}`: {error}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_script_of_the_documentation_is_one() {
    for page in pages::all() {
        for block in pages::blocks(&pages::read(&page)).iter().filter(|block| block.language == "sh") {
            let mut bash =
                Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            bash.stdin.take().unwrap().write_all(block.text.as_bytes()).unwrap();
            let output = bash.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{page}:{}: {said}", block.line);
        }
    }
}

/// Guides use four kinds of blocks with commands in them, so that none escapes its test.
#[test]
fn every_block_of_a_guide_is_of_a_kind_that_is_tested() {
    for folder in ["guides", "guias"] {
        for name in guides(folder) {
            for block in pages::blocks(&pages::read(&format!("docs/{folder}/{name}"))) {
                let place = format!("docs/{folder}/{name}:{}", block.line);
                let known = ["console", "sh", "toml", "json", "text", "rust"];
                assert!(known.contains(&block.language.as_str()), "{place}: {}", block.language);
                if block.language == "console" {
                    let sessions = block.text.lines().filter_map(|line| line.strip_prefix("$ "));
                    for command in sessions {
                        assert!(
                            pages::words(command).is_some(),
                            "{place}: `{command}` belongs into a block of sh"
                        );
                    }
                }
                // tests/whole/guides.py carries out what has this word.
                let needs_it = ["docker ", "127.0.0.1:", "/dumps", "/root/backup", "civicum-tune queue"]
                    .iter()
                    .any(|part| block.text.contains(part));
                assert!(
                    block.language != "sh" || block.has("deployed") == needs_it,
                    "{place}: `sh deployed` is what needs a deployment, and nothing else"
                );
                if block.language == "toml" && block.value("file").is_none() {
                    assert!(
                        block.has("part"),
                        "{place}: name its file (file=/root/mine.toml), or call it a part"
                    );
                }
            }
        }
    }
}

/// Lines of code that a guide quotes stand in the file that `from=` names.
#[test]
fn every_quoted_line_of_code_is_in_its_file() {
    let mut count = 0;
    for name in guides("guides") {
        for block in pages::blocks(&pages::read(&format!("docs/guides/{name}"))) {
            let Some(file) = block.value("from") else { continue };
            let code = pages::read(file);
            let there: BTreeSet<&str> = code.lines().map(str::trim).collect();
            for line in block.text.lines().map(str::trim).filter(|line| *line != "…") {
                assert!(there.contains(line), "{name}:{}: `{line}` is not in {file}", block.line);
                count += 1;
            }
        }
    }
    assert!(count > 10);
}

/// Times that were measured are those of the page that measured them.
#[test]
fn every_measured_time_stands_where_it_was_measured() {
    let measured = pages::read("docs/benchmarks.md");
    for folder in ["guides", "guias"] {
        let text = pages::read(&format!("docs/{folder}/comparison.md"));
        let words: Vec<&str> = text.split_whitespace().collect();
        // Spanish writes a decimal comma.
        let times: Vec<String> =
            words.windows(2).filter(|pair| pair[1] == "ms").map(|pair| pair[0].replace(',', ".")).collect();
        assert!(times.len() >= 4, "{times:?}");
        for time in times {
            let cell = [format!("| {time} "), format!("| {time} |")];
            assert!(cell.iter().any(|cell| measured.contains(cell)), "nobody has measured {time} ms");
        }
    }
}

/// What is said of another tool has a source, each source is used, and both languages name the same ones.
#[test]
fn every_word_about_another_tool_has_its_source() {
    let mut all = Vec::new();
    for (folder, better) in [("guides", "**Better there:**"), ("guias", "**Mejor allá:**")] {
        let text = pages::read(&format!("docs/{folder}/comparison.md"));
        let is_source = |line: &&str| line.starts_with('[') && line.contains("]: https://");
        let sources: BTreeSet<&str> =
            text.lines().filter(is_source).map(|line| line[1..].split(']').next().unwrap()).collect();
        let used: BTreeSet<&str> =
            text.match_indices("][").map(|(at, _)| text[at + 2..].split(']').next().unwrap()).collect();
        assert_eq!(used, sources, "{folder}: what is named and what is listed");
        let claims: Vec<&str> =
            text.split("\n\n").filter(|paragraph| paragraph.starts_with(better)).collect();
        assert_eq!(claims.len(), 6, "{folder}");
        for claim in claims {
            assert!(claim.contains("]["), "{folder}: no source: {claim}");
        }
        all.push(sources.iter().map(|&source| source.to_owned()).collect::<BTreeSet<String>>());
    }
    assert_eq!(all[0], all[1]);
}

/// Services of the guides' names, of busybox alone, on the engine that answers. What was made goes with it.
struct Stage {
    folder: tempfile::TempDir,
    name: String,
    image: String,
}

fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Stage {
    fn new() -> Option<Self> {
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
        let answers =
            Command::new("docker").arg("version").output().is_ok_and(|output| output.status.success());
        let (Some(busybox), true, true) = (busybox, answers, nix::unistd::geteuid().is_root()) else {
            skipped("docker", "it takes root, busybox and a Docker engine that answers");
            return None;
        };
        let mut stage = Self {
            folder: tempfile::tempdir().unwrap(),
            name: format!("ct{}-guides", std::process::id()),
            image: String::new(),
        };
        let (tree, tar) = (stage.folder.path().join("tree"), stage.folder.path().join("image.tar"));
        fs::create_dir_all(tree.join("bin")).unwrap();
        fs::copy(busybox, tree.join("bin/busybox")).unwrap();
        std::os::unix::fs::symlink("busybox", tree.join("bin/sleep")).unwrap();
        assert!(
            Command::new("tar")
                .arg("-C")
                .arg(&tree)
                .arg("-cf")
                .arg(&tar)
                .arg(".")
                .status()
                .unwrap()
                .success()
        );
        stage.image = docker(&["import", tar.to_str().unwrap()]);
        let mut text = format!(
            "name = \"guides\"\n[deployment]\nname = \"{}\"\ndeadline = \"20s\"\n[memory]\nreserve = \"256MiB\"\n",
            stage.name
        );
        for service in ["postgres", "llm", "worker", "api", "proxy"] {
            text += &format!(
                "[services.{service}]\nrole = \"plain\"\nimage = \"{}\"\ncommand = [\"sleep\", \"1000\"]\n\
                 memory = \"32MiB\"\nmemory_swap = \"32MiB\"\npids = 32\ncpus = 0.5\nstop_timeout = \"1s\"\n",
                stage.image
            );
        }
        fs::write(stage.folder.path().join("profile.toml"), text).unwrap();
        Some(stage)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let filter = format!("label=civicum-tune.deployment={}", self.name);
        for id in docker(&["ps", "-aq", "--filter", &filter]).split_whitespace() {
            docker(&["rm", "-fv", id]);
        }
        for id in docker(&["network", "ls", "-q", "--filter", &filter]).split_whitespace() {
            docker(&["network", "rm", id]);
        }
        docker(&["rmi", "-f", &self.image]);
        let _ = fs::remove_file(format!("/run/civicum-tune.{}.lock", self.name));
    }
}

/// Where an engine answers, what the guides do with containers is done, but for what takes a database (`queue`), a mirror of
/// packages (`images build`) or has no end (`--watch`). tests/whole/guides.py does these, with a deployment.
#[test]
fn an_engine_does_what_the_guides_ask_of_it() {
    let order = ["first-document.md", "after-an-oom.md", "security-model.md", "day-2.md"];
    let mut all = Vec::new();
    for name in guides("guides") {
        let blocks = pages::blocks(&pages::read(&format!("docs/guides/{name}")));
        let asked: Vec<_> = blocks.iter().filter(|block| block.has("engine")).flat_map(commands).collect();
        assert!(asked.is_empty() || order.contains(&name.as_str()), "{name} has no place in the order");
        all.push((order.iter().position(|one| *one == name), asked));
    }
    all.sort_by_key(|(place, _)| *place);
    let is_done_here = |args: &Vec<String>| {
        args[0] != "queue"
            && args[..2.min(args.len())] != ["images", "build"]
            && !args.contains(&"--watch".to_owned())
    };
    let all: Vec<_> = all.into_iter().flat_map(|(_, asked)| asked).filter(is_done_here).collect();
    assert!(all.len() > 8, "the guides hardly speak to the engine");
    let Some(stage) = Stage::new() else { return };
    for args in all {
        let output = Command::new(env!("CARGO_BIN_EXE_civicum-tune"))
            .arg("--profile")
            .arg(stage.folder.path().join("profile.toml"))
            .arg("--yes")
            .args(&args)
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        let wanted: &[i32] = if ["plan", "doctor"].contains(&args[0].as_str()) { &[0, 1] } else { &[0] };
        assert!(wanted.contains(&output.status.code().unwrap()), "{args:?}: {output:?}");
    }
}

/// The names of a page's headings, as GitHub makes anchors of them.
fn anchors(text: &str) -> BTreeSet<String> {
    let heading =
        |line: &str| line.starts_with('#').then(|| line.trim_start_matches('#').trim().to_lowercase());
    let anchor = |title: String| -> String {
        let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    text.lines().filter_map(heading).map(anchor).collect()
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages::all() {
        let text = pages::read(&page);
        let folder = pages::top().join(&page).parent().unwrap().to_owned();
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap();
            if target.starts_with("https://") || target.starts_with("http://") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let to = if path.is_empty() { pages::top().join(&page) } else { folder.join(path) };
            assert!(to.exists(), "{page}: {target}");
            if !anchor.is_empty() {
                let there = anchors(&fs::read_to_string(&to).unwrap());
                assert!(there.contains(anchor), "{page}: {target}: there is no such heading");
            }
        }
    }
}

#[test]
fn the_index_names_every_page() {
    let index = pages::read("docs/README.md");
    for page in pages::all().iter().filter(|page| !["README.md", "docs/README.md"].contains(&page.as_str())) {
        let path = page.strip_prefix("docs/").unwrap();
        assert!(index.contains(&format!("]({path})")), "docs/README.md does not name {path}");
    }
    assert!(pages::read("README.md").contains("](docs/README.md)"), "the README does not name the index");
}

/// What is said in the guides is said in lines of a bounded length.
#[test]
fn lines_of_the_guides_are_not_too_long() {
    for page in pages::all().iter().filter(|page| page.contains("/gui") || page.ends_with("docs/README.md")) {
        for (at, line) in pages::read(page).lines().enumerate() {
            assert!(line.chars().count() <= 140, "{page}:{}: {} columns", at + 1, line.chars().count());
        }
    }
}
