//! What a person types: the examples of each command's help and man page.
//!
//! A test parses each line with the real command line, and finds an example for every command that is shown.

/// The words of a command behind the program's name (none for the program itself), a line, and what it is for.
#[rustfmt::skip]
const EXAMPLES: &[(&str, &str, &str)] = &[
    ("", "civicum-tune plan", "What would be changed on this host; nothing is"),
    ("", "sudo civicum-tune apply", "Change it, once you have seen the plan and said yes"),
    ("", "civicum-tune doctor", "Audit this host, whoever tuned it"),
    ("", "sudo civicum-tune deploy", "Bring the containers of the profile up"),
    ("detect", "civicum-tune detect", "For people"),
    ("detect", "civicum-tune detect --format json >host.json", "For `validate --host host.json`, anywhere"),
    ("plan", "civicum-tune plan", "What differs from the profile that counts here"),
    ("plan", "civicum-tune plan --profile mine.toml", "What differs from a profile of your own"),
    ("plan", "sudo civicum-tune plan --out /root/plan.json", "To read today and carry out tomorrow"),
    ("plan", "civicum-tune plan --root /mnt/image --profile minimal", "For an image that is mounted there"),
    ("apply", "sudo civicum-tune apply", "Show the plan, ask, and carry it out"),
    ("apply", "sudo civicum-tune apply --profile mine.toml", "The same with your profile, which becomes the host's"),
    ("apply", "sudo civicum-tune apply /root/plan.json", "Exactly the plan that `plan --out` saved"),
    ("apply", "sudo civicum-tune apply --yes", "For a script: nobody is asked"),
    ("doctor", "civicum-tune doctor", "All that is not as it should be, and the way out"),
    ("doctor", "civicum-tune doctor --only ZSWAP,CT-SYSCTL-001 --severity medium", "One area and one check, as far as they weigh"),
    ("doctor", "sudo civicum-tune doctor --strict --format json", "For a monitor: what could not be told fails, too"),
    ("history", "sudo civicum-tune history", "What was applied, and what of it was taken back"),
    ("history", "sudo civicum-tune history 1", "Each change of generation 1"),
    ("history", "sudo civicum-tune history --events --service worker", "What happened to the worker"),
    ("rollback", "sudo civicum-tune rollback", "Take the newest generation back"),
    ("rollback", "sudo civicum-tune rollback 1", "Take everything back: the host is as it was before"),
    ("rollback", "sudo civicum-tune rollback --keep", "Leave what somebody changed since as it is"),
    ("profile", "civicum-tune profile list", "Which there are, and which one fits this host"),
    ("profile", "civicum-tune profile init mine.toml", "Begin one of your own"),
    ("profile list", "civicum-tune profile list", "Which there are, and which one fits this host"),
    ("profile show", "civicum-tune profile show", "The profile that counts here"),
    ("profile show", "civicum-tune profile show civicum-12g", "A bundled one"),
    ("profile init", "civicum-tune profile init mine.toml", "Write it; then edit it, and `validate mine.toml`"),
    ("profile init", "civicum-tune profile init", "Look at it only"),
    ("profile schema", "civicum-tune profile schema >civicum-tune.schema.json", "For an editor that completes and checks TOML"),
    ("validate", "civicum-tune validate mine.toml", "Every mistake at once, each with its place"),
    ("validate", "civicum-tune validate --host host.json mine.toml", "Its memory, kernel and disk for that host, too"),
    ("validate", "civicum-tune validate mine.toml --format github", "In CI: as annotations of GitHub Actions"),
    ("explain", "civicum-tune explain zswap", "A tunable"),
    ("explain", "civicum-tune explain CT-ZSWAP-003", "A check of `doctor`"),
    ("explain", "civicum-tune explain profile/memory-budget", "A finding of `validate`"),
    ("explain", "civicum-tune explain services.worker.reading", "Keys of a profile, and what each is"),
    ("deploy", "sudo civicum-tune deploy --dry-run", "What would be done"),
    ("deploy", "sudo civicum-tune deploy", "Do it, once you have said yes"),
    ("deploy", "sudo civicum-tune deploy worker --profile node.toml", "One service of your profile, and what it needs"),
    ("down", "sudo civicum-tune down", "Databases and documents stay"),
    ("down", "sudo civicum-tune down --data", "They go, too; you are asked before"),
    ("images", "sudo civicum-tune images build", "Make all of them, without a registry"),
    ("images", "sudo civicum-tune images list", "Which are here"),
    ("images build", "sudo civicum-tune images build", "Make all of them, without a registry"),
    ("images build", "sudo civicum-tune images build worker", "The worker's alone, after an upgrade of the program"),
    ("images build", "sudo civicum-tune images build --no-cache", "All anew, with the security updates of today"),
    ("images load", "sudo civicum-tune images load images.tar.gz", "What `docker save` wrote elsewhere"),
    ("images list", "sudo civicum-tune images list", "Which are here"),
    ("status", "sudo civicum-tune status", "Each container once"),
    ("status", "sudo civicum-tune status --watch", "Stay, and show it anew every two seconds"),
    ("render", "civicum-tune render compose >compose.yml", "For `docker compose -f compose.yml up`"),
    ("render", "civicum-tune render kubernetes >manifests.yml", "For `kubectl apply -f manifests.yml`"),
    ("render compose", "civicum-tune render compose >compose.yml", "For `docker compose -f compose.yml up`"),
    ("render swarm", "civicum-tune render swarm >stack.yml", "For `docker stack deploy -c stack.yml NAME`"),
    ("render kubernetes", "civicum-tune render kubernetes >manifests.yml", "For `kubectl apply -f manifests.yml`"),
    ("render systemd", "sudo civicum-tune render systemd --output /etc/containers/systemd", "A file for each unit, where Podman looks for it"),
    ("logs", "sudo civicum-tune logs postgres -f", "All of it, and what comes"),
    ("logs", "sudo civicum-tune logs worker --tail 50 --timestamps", "The last 50 lines, each with its time"),
    ("supervise", "sudo civicum-tune supervise", "In the foreground, to see what it does"),
    ("supervise", "sudo civicum-tune supervise --record looks.jsonl", "The same, and keep what it saw"),
    ("queue", "sudo civicum-tune queue enqueue carta.pdf --schema carta", "Hand a letter in; its number is printed"),
    ("queue", "sudo civicum-tune queue list", "How far the documents are"),
    ("queue", "sudo civicum-tune queue show 1 --text", "What was read in the first one"),
    ("queue migrate", "sudo civicum-tune queue migrate", "The worker and the API do it by themselves"),
    ("queue enqueue", "sudo civicum-tune queue enqueue carta.pdf --schema carta", "Hand a letter in; its number is printed"),
    ("queue enqueue", "sudo civicum-tune queue enqueue --priority 10 urgente.pdf", "Before those that wait"),
    ("queue enqueue", "sudo civicum-tune queue enqueue - --name oficio.pdf <oficio.pdf", "From standard input"),
    ("queue list", "sudo civicum-tune queue list", "How far the documents are"),
    ("queue list", "sudo civicum-tune queue list --state quarantined", "Those that were put aside"),
    ("queue show", "sudo civicum-tune queue show 1", "What its stages made"),
    ("queue show", "sudo civicum-tune queue show 1 --text", "What was read in it"),
    ("queue show", "sudo civicum-tune queue show 1 --format json", "All of it, for a program"),
    ("queue retry", "sudo civicum-tune queue retry 12", "One document"),
    ("queue retry", "sudo civicum-tune queue retry --all", "All that failed or were put aside"),
    ("queue cancel", "sudo civicum-tune queue cancel 12 13", "Two documents that need not be read"),
    ("queue delete", "sudo civicum-tune queue delete 12", "For good; you are asked before"),
    ("queue review", "sudo civicum-tune queue review 1 --accept", "The results are right"),
    ("queue review", "sudo civicum-tune queue review 2 --reject --note \"RUT equivocado\"", "They are not, and why"),
    ("queue stats", "sudo civicum-tune queue stats", "How much waits, and how long"),
    ("worker", "civicum-tune worker --until-empty", "Read what waits, and end; without it, it goes on until SIGTERM"),
    ("api", "civicum-tune api --migrate --token-file /run/secrets/api-token", "As the bundled service `api` does it"),
    ("extract", "civicum-tune extract carta.txt --schema carta --llm http://127.0.0.1:8080", "By the bundled schema, with llama.cpp's server"),
    ("extract", "civicum-tune extract acta.txt --schema acta.json --llm http://127.0.0.1:11434", "By a schema of your own, with a model of Ollama's"),
    ("ocr", "civicum-tune ocr oficio.pdf", "Its text"),
    ("ocr", "civicum-tune ocr oficio.pdf --format json", "Lines with boxes and confidence, and the RUTs in them"),
    ("ocr", "civicum-tune ocr escaneo.tiff --policy tesseract", "With the least memory"),
    ("bench", "sudo civicum-tune bench --quick", "All of it, in two minutes"),
    ("bench", "sudo civicum-tune bench zswap disk", "Two of its sections"),
    ("bench", "sudo civicum-tune bench --write mine.toml", "Put into this profile what is better"),
    ("bench", "sudo civicum-tune bench llm --server-program llama-server --models /srv/models", "Every model of a folder, by threads"),
    ("completions", "civicum-tune completions bash >/etc/bash_completion.d/civicum-tune", "As root, for all who use bash here"),
    ("completions", "civicum-tune completions fish >~/.config/fish/completions/civicum-tune.fish", "For your own fish"),
    ("man", "civicum-tune man apply | man -l -", "Read a page that is not installed"),
    ("man", "civicum-tune man --lang es --out .", "All pages, in Spanish, into this folder"),
];

/// Those of a command: lines, and what they are for.
pub(super) fn of(path: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    EXAMPLES.iter().filter(move |(own, ..)| *own == path).map(|(_, line, purpose)| (*line, *purpose))
}

/// What they are for, all of them.
pub(super) fn purposes() -> impl Iterator<Item = &'static str> {
    EXAMPLES.iter().map(|(.., purpose)| *purpose)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of the program's own part of a line: no `sudo`, nothing behind a pipe, no redirection.
    fn words(line: &str) -> Vec<String> {
        let own = line.split(['|', '<', '>']);
        let own = own.into_iter().next().unwrap_or_default();
        let mut quoted = false;
        let mut words = vec![String::new()];
        for c in own.trim().chars() {
            match c {
                '"' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut().unwrap().push(c),
            }
        }
        words.into_iter().skip_while(|word| word == "sudo").collect()
    }

    fn shown(command: &clap::Command, path: &str, found: &mut Vec<String>) {
        found.push(path.to_owned());
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            shown(sub, format!("{path} {}", sub.get_name()).trim(), found);
        }
    }

    #[test]
    fn every_example_is_understood() {
        for (path, line, purpose) in EXAMPLES {
            let words = words(line);
            assert!(words.join(" ").starts_with(format!("civicum-tune {path}").trim()), "{path}: {line}");
            if let Err(error) = crate::cli::understood(words.into_iter()) {
                panic!("{line}: {error:#}");
            }
            assert!(!purpose.ends_with('.') && purpose.len() < 72, "{purpose}");
            assert!(line.len() <= 78, "80 columns have no room for {line}");
        }
    }

    #[test]
    fn every_command_has_one_to_four() {
        let mut all = Vec::new();
        shown(&crate::cli::command(), "", &mut all);
        for path in &all {
            assert!((1..=4).contains(&of(path).count()), "{path}: {}", of(path).count());
        }
        assert!(EXAMPLES.iter().all(|(path, ..)| all.iter().any(|known| known == path)), "of no command");
    }
}
