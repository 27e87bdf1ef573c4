//! The pages of the documentation, as the tests read them: their blocks, and the commands that stand in these.

use std::fs;
use std::path::{Path, PathBuf};

use super::live::Live;

/// The repository.
pub fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(page: &str) -> String {
    fs::read_to_string(top().join(page)).unwrap_or_else(|e| panic!("{page}: {e}"))
}

/// All pages of the documentation but the changelog, as paths from the repository's top.
pub fn all() -> Vec<String> {
    let mut found = vec!["README.md".to_owned()];
    for folder in ["docs", "docs/guides", "docs/guias"] {
        let entries = fs::read_dir(top().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let mut pages: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
        pages.sort();
        found.extend(pages.iter().map(|path| path.strip_prefix(top()).unwrap().to_str().unwrap().to_owned()));
    }
    found
}

/// What stands between two fences: ```` ```LANGUAGE WORDS ````.
pub struct Block {
    pub language: String,
    pub words: Vec<String>,
    /// The line of its first fence.
    pub line: usize,
    pub text: String,
}

impl Block {
    pub fn has(&self, word: &str) -> bool {
        self.words.iter().any(|have| have == word)
    }

    /// The value of `NAME=VALUE` behind the fence.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }
}

pub fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut inside = false;
    for (at, line) in page.lines().enumerate() {
        if let Some(fence) = line.trim_start().strip_prefix("```") {
            if !inside {
                let mut words = fence.split_whitespace().map(str::to_owned);
                let language = words.next().unwrap_or_default();
                found.push(Block { language, words: words.collect(), line: at + 1, text: String::new() });
            }
            inside = !inside;
        } else if inside {
            let block = found.last_mut().unwrap();
            block.text += line;
            block.text.push('\n');
        }
    }
    assert!(!inside, "a block is left open");
    found
}

/// A command of a `console` block and what it prints: `$ ` starts a command, `…` stands for what is left out.
pub struct Example {
    pub command: String,
    pub shown: Vec<String>,
    pub statuses: Vec<i32>,
    pub line: usize,
}

/// Commands of the `console` blocks that need no engine. `status=N` behind the fence names another status than success;
/// `plan` and `doctor` may end with 1 as well.
pub fn examples(block: &Block) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    for (at, line) in block.text.lines().enumerate() {
        if let Some(command) = line.strip_prefix("$ ") {
            let status = block.value("status").map(|status| status.parse().unwrap());
            let may_differ = words(command).is_some_and(|w| w.iter().any(|w| w == "plan" || w == "doctor"));
            let statuses =
                status.map_or_else(|| if may_differ { vec![0, 1] } else { vec![0] }, |one| vec![one]);
            let line = block.line + at + 1;
            found.push(Example { command: command.to_owned(), shown: Vec::new(), statuses, line });
        } else if line != "…" {
            found
                .last_mut()
                .unwrap_or_else(|| panic!("line {}: output of no command", block.line))
                .shown
                .push(line.to_owned());
        }
    }
    found
}

/// `…` within a line stands for anything.
fn fits(printed: &str, shown: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = printed.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Carries it out, as `sudo` would, with the locale `lang`; every line that is shown is printed.
/// What goes to a file is there for the commands behind it.
pub fn carry_out(live: &Live, page: &str, example: &Example, lang: &str) {
    let all =
        words(&example.command).unwrap_or_else(|| panic!("{page}:{}: {}", example.line, example.command));
    let mut args: Vec<&str> = all.iter().map(String::as_str).collect();
    // There is nobody to ask in a test.
    if ["apply", "rollback"].contains(&args[0]) && !args.contains(&"--yes") {
        args.push("--yes");
    }
    let output = live.run_in(lang, &args);
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let place = format!("{page}:{}: {}", example.line, example.command);
    if std::env::var_os("CIVICUM_TUNE_SHOW").is_some() {
        println!("### {place}\n{said}");
    }
    assert!(
        example.statuses.contains(&output.status.code().unwrap()),
        "{place}\n{:?}\n{said}",
        output.status
    );
    if let Some(path) = written(&example.command) {
        live.tree.put(path, &output.stdout);
    }
    // In the order in which they are shown.
    let mut rest = said.lines();
    for line in &example.shown {
        let is_there = rest.any(|printed| fits(printed.trim_end(), line));
        assert!(is_there, "{place} does not print `{line}`, or not in this place:\n{said}");
    }
}

/// The file that takes what the command prints: `COMMAND >FILE`.
fn written(command: &str) -> Option<&str> {
    command.rsplit_once(" >").map(|(_, file)| file.trim())
}

/// The words of a command line of `civicum-tune` behind its name; `None` where another program is called. Redirections, pipes
/// and remarks are not part of it.
pub fn words(line: &str) -> Option<Vec<String>> {
    let mut all: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => word.get_or_insert_with(String::new).push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_with(String::new);
            }
            (None, '#') if word.is_none() => break,
            (None, '>' | '<' | '|' | ';' | '&' | ')') => break,
            (None, _) if c.is_whitespace() => all.extend(word.take()),
            (None, _) => word.get_or_insert_with(String::new).push(c),
        }
    }
    all.extend(word);
    // There it is a package's name.
    if all.iter().any(|word| word == "apt") {
        return None;
    }
    let at = all.iter().position(|word| word == "civicum-tune")?;
    Some(all.split_off(at + 1))
}

/// Every command line of a shell's text, pipes and substitutions taken apart.
pub fn lines(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    joined
        .lines()
        .flat_map(|line| {
            line.split(" | ").flat_map(|part| part.split(" && ")).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

/// Does the real command line understand it? `None` is yes.
pub fn misunderstood(args: &[String]) -> Option<String> {
    use clap::error::ErrorKind;
    let all = std::iter::once("civicum-tune".to_owned()).chain(args.iter().cloned());
    let error = civicum_tune::cli::command().try_get_matches_from(all).err()?;
    let is_help = [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion].contains(&error.kind());
    (!is_help).then(|| error.to_string())
}
