//! Services beside one another and each by itself: needs that can't be met, values that have no effect, doors left open.

use super::finding::{Code, Finding, part};
use super::settings::{Service, Settings};
use super::suggest::nearest;
use super::{Place, Profile, worker};
use crate::container::role::{MODEL, Role};
use crate::t;

/// All of it.
pub(super) fn check(profile: &Profile, settings: &Settings, findings: &mut Vec<Finding>) {
    for (name, service) in &settings.services {
        if !profile.broken.holds(&[&format!("services.{name}")]) {
            hardening(profile, name, service, findings);
        }
    }
    if !profile.broken.spares(&["services"]) {
        return;
    }
    missing(profile, settings, findings);
    circles(profile, settings, findings);
    for (name, service) in &settings.services {
        let role = Role::of(name, service.role.as_deref());
        without_effect(profile, name, service, role, findings);
        worker::check(profile, (name, service), settings, findings);
    }
}

/// A service that another one needs, and that is not there.
fn missing(profile: &Profile, settings: &Settings, findings: &mut Vec<Finding>) {
    for (name, service) in &settings.services {
        for (at, need) in service.needs.iter().flatten().enumerate() {
            let Some(place) = profile.item(&["services", name, "needs"], at) else { continue };
            if settings.services.contains_key(need) {
                continue;
            }
            let message = t!("{name} needs {need}, and there is no such service", name = name, need = need);
            let names = settings.services.keys().map(String::as_str).filter(|other| other != name);
            let help = match nearest(need, names) {
                _ if profile.name_place(&["services", need]).is_some() => {
                    t!("[services.{need}] is empty, and an empty section is no service", need = need)
                }
                Some(near) => t!("did you mean \"{near}\"?", near = near),
                None => t!("write [services.{need}], or take it out of the list", need = need),
            };
            findings.push(Finding::error(Code::Value, &place, message).help(help));
        }
    }
}

/// Services of which none can be started first.
fn circles<'s>(profile: &Profile, settings: &'s Settings, findings: &mut Vec<Finding>) {
    let needs = |name: &str| -> Vec<&'s str> {
        let Some((own, service)) = settings.services.get_key_value(name) else { return Vec::new() };
        if let Some(written) = &service.needs {
            let known = |need: &String| settings.services.get_key_value(need).map(|(name, _)| name.as_str());
            return written.iter().filter_map(known).collect();
        }
        let wanted = Role::of(own, service.role.as_deref()).needs();
        let meets = |(other, service): (&'s String, &'s Service)| {
            wanted.contains(&Role::of(other, service.role.as_deref())).then_some(other.as_str())
        };
        settings.services.iter().filter_map(meets).collect()
    };
    let mut told: Vec<&str> = Vec::new();
    for start in settings.services.keys().map(String::as_str) {
        if told.contains(&start) {
            continue;
        }
        let Some(circle) = circle(start, &needs) else { continue };
        told.extend(&circle);
        let written = circle.iter().find_map(|name| profile.place(&["services", name, "needs"]));
        let Some(place) = written.or_else(|| profile.name_place(&["services", start])) else { continue };
        let path: Vec<&str> = circle.iter().chain(circle.first()).copied().collect();
        let message = t!("none of these can be started first: {path}", path = path.join(" → "));
        findings.push(
            Finding::error(Code::Conflict, place, message).help(t!("each arrow is a need; remove one")),
        );
    }
}

/// The shortest way from a service through its needs back to itself.
fn circle<'s>(start: &'s str, needs: &dyn Fn(&str) -> Vec<&'s str>) -> Option<Vec<&'s str>> {
    let mut ways: Vec<Vec<&str>> = vec![vec![start]];
    let mut seen: Vec<&str> = Vec::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in &ways {
            for next in needs(way.last().copied().unwrap_or(start)) {
                if next == start {
                    return Some(way.clone());
                }
                if !seen.contains(&next) {
                    seen.push(next);
                    longer.push([way.as_slice(), &[next]].concat());
                }
            }
        }
        ways = longer;
    }
    None
}

/// What is written, and nobody would ever read.
fn without_effect(profile: &Profile, name: &str, service: &Service, role: Role, findings: &mut Vec<Finding>) {
    let at = |key: &str| profile.place(&["services", name, key]);
    if role != Role::Postgres {
        if let Some(place) = profile.first_place(&["services", name, "settings"]) {
            let message =
                t!("services.{name}.settings are a PostgreSQL server's, and {name} is none", name = name);
            let help = t!("write role = \"postgres\", or remove them");
            findings.push(Finding::error(Code::Conflict, place, message).help(help));
        }
    }
    let mut warn = |place: &Place, message: String, help: String| {
        findings.push(Finding::warning(Code::Conflict, place, message).help(help));
    };
    let own = ["model", "context", "parallel", "threads"];
    for (key, place) in own.into_iter().filter_map(|key| Some((key, at(key)?))) {
        match role {
            Role::LlamaServer => {
                let Some(command) = &service.command else { continue };
                let value = match key {
                    "model" => Some(MODEL.to_owned()),
                    // The server's own number is that of all requests together.
                    "context" => Some(service.tokens().to_string()),
                    "parallel" => service.parallel.map(|n| n.to_string()),
                    _ => service.threads.map(|n| n.to_string()),
                };
                if value.is_some_and(|value| command.contains(&value)) {
                    continue;
                }
                let message = t!(
                    "`{key}` has no effect: the `command` of {name} is written out, and does not say so",
                    key = key,
                    name = name
                );
                let help = match key {
                    "model" => t!("the file is seen as {path}: name it in the command", path = MODEL),
                    _ => t!("write it into the command, or leave the command to the role"),
                };
                warn(place, message, help);
            }
            // The worker says num_thread with each question.
            Role::Ollama => {}
            _ => {
                let message = t!("`{key}` is a model server's, and {name} is none", key = key, name = name);
                warn(place, message, t!("write role = \"llama-server\" or \"ollama\", or remove it"));
            }
        }
    }
}

/// Where a container is less confined than it could be, as the profile wants it.
fn hardening(profile: &Profile, name: &str, service: &Service, findings: &mut Vec<Finding>) {
    // With these a container can load modules, read every file, or undo what confines it.
    const RULING: [&str; 11] = [
        "ALL",
        "SYS_ADMIN",
        "SYS_MODULE",
        "SYS_PTRACE",
        "SYS_RAWIO",
        "DAC_READ_SEARCH",
        "BPF",
        "PERFMON",
        "SYS_BOOT",
        "NET_ADMIN",
        "MAC_ADMIN",
    ];
    let at = |key: &str| profile.place(&["services", name, key]);
    let mut warn = |place: &Place, message: String, help: String| {
        findings.push(Finding::warning(Code::Hardening, place, message).help(help));
    };
    let is_root = service.user.as_deref().and_then(super::mount::user).is_some_and(|(uid, _)| uid == 0);
    if let Some(place) = at("user").filter(|_| is_root) {
        let message = t!("{name} runs as root", name = name);
        warn(
            place,
            message,
            t!("take a user of its own, for example \"65534:65534\", unless its image needs root"),
        );
    }
    if let Some(place) = at("writable").filter(|_| service.writable) {
        let message = t!("{name} may write to its own programs, and whoever breaks in stays", name = name);
        warn(place, message, t!("give it `volumes` or `tmpfs` where it has to write"));
    }
    for capability in service.capabilities.iter().filter(|name| RULING.contains(&name.as_str())) {
        let Some(place) = at("capabilities") else { continue };
        let message = t!("with {capability} {name} can rule the host", capability = capability, name = name);
        warn(&part(place, capability), message, t!("name only what it needs, as in NET_BIND_SERVICE"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let text = format!("name = \"x\"\n{text}");
        let profile = Profile::parse(&text, "x.toml").unwrap();
        let mut found = profile.check(&profile.nominal());
        found.retain(|finding| finding.code != Code::MemoryBudget);
        found.iter().map(|f| format!("{}:{} {}", f.span.unwrap().line, f.code, f.message)).collect()
    }

    #[test]
    fn needs_that_cannot_be_met() {
        let text = "[services.web]\nneeds = [\"db\", \"dbs\"]\n[services.db]\npids = 9\n";
        assert_eq!(told(text), ["3:profile/value web needs dbs, and there is no such service"]);
        let text =
            "[services.a]\nneeds = [\"b\"]\n[services.b]\nneeds = [\"c\"]\n[services.c]\nneeds = [\"b\"]\n";
        assert_eq!(told(text), ["5:profile/conflict none of these can be started first: b → c → b"]);
        let text = "[services.a]\nneeds = [\"a\"]\n";
        assert_eq!(told(text), ["3:profile/conflict none of these can be started first: a → a"]);
        // The proxy needs the API by its role.
        let text = "[services.proxy]\npids = 9\n[services.api]\nneeds = [\"proxy\"]\n";
        assert_eq!(told(text), ["5:profile/conflict none of these can be started first: api → proxy → api"]);
    }

    #[test]
    fn what_has_no_effect() {
        let text = "[services.llm]\nrole = \"llama-server\"\nmodel = \"/m.gguf\"\ncontext = 2048\nparallel = 2\nthreads = 3\n";
        assert_eq!(told(text), [""; 0]);
        let with = |command: &str| told(&format!("{text}command = {command}\n"));
        assert_eq!(with("[\"llama-server\"]").len(), 4);
        assert_eq!(
            with(
                "[\"llama-server\", \"-m\", \"/models/model.gguf\", \"-c\", \"4096\", \"-np\", \"2\", \"-t\", \"3\"]"
            ),
            [""; 0]
        );
        assert_eq!(told("[services.llm]\nthreads = 2\n"), [""; 0]);
        assert_eq!(
            told("[services.x]\ncontext = 4096\n"),
            ["3:profile/conflict `context` is a model server's, and x is none"]
        );
        assert_eq!(
            told("[services.x.settings]\nwork_mem = \"8MB\"\n"),
            ["3:profile/conflict services.x.settings are a PostgreSQL server's, and x is none"]
        );
    }

    #[test]
    fn doors_left_open() {
        let text =
            "[services.x]\nuser = \"0:0\"\nwritable = true\ncapabilities = [\"NET_BIND_SERVICE\", \"ALL\"]\n";
        let found = told(text);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.iter().all(|line| line.contains("profile/hardening")), "{found:?}");
        assert_eq!(told("[services.x]\nuser = \"1:0\"\nwritable = false\n"), [""; 0]);
    }
}
