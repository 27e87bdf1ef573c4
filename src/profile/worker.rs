//! A worker's own keys: where they have no effect, and where they contradict what stands around them.

use super::Profile;
use super::finding::{Code, Finding};
use super::settings::{Service, Settings};
use crate::container::role::Role;
use crate::t;
use crate::units::Bytes;

/// The sections that are a worker's.
const SECTIONS: [&str; 3] = ["reading", "extraction", "retention"];
/// A question needs so many tokens besides the answer, at least.
const QUESTION: u64 = 256;

/// One service.
pub(super) fn check(
    profile: &Profile,
    (name, service): (&str, &Service),
    settings: &Settings,
    findings: &mut Vec<Finding>,
) {
    let role = Role::of(name, service.role.as_deref());
    if role != Role::Worker {
        without_effect(profile, name, role, findings);
        return;
    }
    overruled(profile, name, findings);
    memory(profile, name, service, findings);
    context(profile, name, service, settings, findings);
}

fn without_effect(profile: &Profile, name: &str, role: Role, findings: &mut Vec<Finding>) {
    let mut warn = |place, message: String, help: String| {
        findings.push(Finding::warning(Code::Conflict, place, message).help(help));
    };
    for section in SECTIONS {
        if let Some(place) = profile.first_place(&["services", name, section]) {
            let message = t!(
                "services.{name}.{section} is a worker's, and {name} is none",
                name = name,
                section = section
            );
            warn(place, message, t!("write role = \"worker\", or remove it"));
        }
    }
    if let Some(place) = profile.place(&["services", name, "schemas"]).filter(|_| role != Role::Api) {
        let message = t!("`schemas` is for a worker and an API, and {name} is neither", name = name);
        warn(place, message, t!("write role = \"worker\" or \"api\", or remove it"));
    }
}

/// A variable of the same meaning wins over the key.
fn overruled(profile: &Profile, name: &str, findings: &mut Vec<Finding>) {
    const PAIRS: [(&[&str], &str); 19] = [
        (&["schemas"], "SCHEMAS"),
        (&["reading", "policy"], "OCR_POLICY"),
        (&["reading", "jobs"], "OCR_JOBS"),
        (&["reading", "memory"], "OCR_MEMORY"),
        (&["reading", "threads"], "OCR_THREADS"),
        (&["reading", "language"], "OCR_LANGUAGE"),
        (&["reading", "dpi"], "OCR_DPI"),
        (&["reading", "max_pages"], "OCR_MAX_PAGES"),
        (&["reading", "max_pixels"], "OCR_MAX_PIXELS"),
        (&["reading", "page_timeout"], "OCR_PAGE_TIMEOUT"),
        (&["reading", "deadline"], "OCR_DEADLINE"),
        (&["reading", "text_layer"], "OCR_TEXT_LAYER"),
        (&["extraction", "jobs"], "EXTRACT_JOBS"),
        (&["extraction", "deadline"], "EXTRACT_DEADLINE"),
        (&["extraction", "predict"], "PREDICT"),
        (&["extraction", "instruction"], "INSTRUCTION"),
        (&["retention", "reviewed"], "KEEP_REVIEWED"),
        (&["retention", "unreviewed"], "KEEP_UNREVIEWED"),
        (&["retention", "archive"], "KEEP_DAYS"),
    ];
    for (key, variable) in PAIRS {
        let variable = format!("CIVICUM_TUNE_{variable}");
        let path = [&["services", name], key].concat();
        let (Some(place), Some(_)) =
            (profile.place(&path), profile.place(&["services", name, "environment", &variable]))
        else {
            continue;
        };
        let message = t!(
            "`{key}` has no effect: the variable {variable} of {name} says the same, and wins",
            key = key.join("."),
            variable = variable,
            name = name
        );
        findings.push(Finding::warning(Code::Conflict, place, message).help(t!("remove one of them")));
    }
}

/// What documents may take side by side, and what the container may.
fn memory(profile: &Profile, name: &str, service: &Service, findings: &mut Vec<Finding>) {
    let (Some(each), Some(limit)) = (service.reading.memory, service.memory) else { return };
    let jobs = service.reading.jobs.unwrap_or(1).max(1);
    // The process, and one tool at a time.
    let most = Bytes(each.0.saturating_mul(2 * jobs));
    let Some(place) = profile.place(&["services", name, "reading", "memory"]).filter(|_| most > limit) else {
        return;
    };
    let message = t!(
        "reading may take {most} ({jobs} at a time, each a process and a tool of {each}), and {name} has {limit}: a document could end the whole worker",
        most = most,
        jobs = jobs,
        each = each,
        name = name,
        limit = limit
    );
    let least = Bytes::mib(64);
    let fits = Bytes::mib((limit.0 / (2 * jobs)) >> 20).max(least);
    findings.push(Finding::warning(Code::Conflict, place, message).help(t!(
        "at most {fits}, or a rule: \"memory / {parts}\"",
        fits = fits,
        parts = 2 * jobs
    )));
}

/// The answer and the question share the model's context.
fn context(
    profile: &Profile,
    name: &str,
    service: &Service,
    settings: &Settings,
    findings: &mut Vec<Finding>,
) {
    let is_model = |(name, service): &(&String, &Service)| {
        matches!(Role::of(name, service.role.as_deref()), Role::Ollama | Role::LlamaServer)
    };
    let Some((model, of)) = settings.services.iter().find(is_model) else { return };
    let (context, predict) = (of.context.unwrap_or(4096), service.extraction.predict.unwrap_or(1024));
    let Some(place) = profile
        .place(&["services", name, "extraction", "predict"])
        .or_else(|| profile.place(&["services", model, "context"]))
        .filter(|_| predict + QUESTION > context)
    else {
        return;
    };
    let message = t!(
        "an answer of {predict} tokens leaves no room for a text in the {context} of {model}",
        predict = predict,
        context = context,
        model = model
    );
    findings.push(
        Finding::warning(Code::Conflict, place, message)
            .help(t!("make `context` of the model larger, or `extraction.predict` smaller")),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let profile = Profile::parse(&format!("name = \"x\"\n{text}"), "x.toml").unwrap();
        let mut found = profile.check(&profile.nominal());
        found.retain(|finding| finding.code != Code::MemoryBudget);
        found.iter().map(|f| format!("{}: {}", f.span.unwrap().line, f.message)).collect()
    }

    #[test]
    fn keys_of_a_worker() {
        let found = told("[services.x]\nreading.jobs = 2\nretention.reviewed = 3\nschemas = \"/srv/s\"\n");
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("3: services.x.reading is a worker's"), "{found:?}");
        let worker = "[services.worker]\nmemory = \"1GiB\"\nreading.memory = \"memory / 2\"\n";
        assert_eq!(told(worker), [""; 0]);
        let found = told(&format!("{worker}reading.jobs = 2\n"));
        assert!(found.len() == 1 && found[0].starts_with("4: reading may take 2GiB"), "{found:?}");
        let found = told(&format!("{worker}environment.CIVICUM_TUNE_OCR_MEMORY = \"1GiB\"\n"));
        assert!(found.len() == 1 && found[0].starts_with("4: `reading.memory` has no effect"), "{found:?}");
        let found = told("[services.worker]\nextraction.predict = 4000\n[services.llm]\npids = 9\n");
        assert!(found.len() == 1 && found[0].starts_with("3: an answer of 4000 tokens"), "{found:?}");
        for bad in [
            "reading.jobs = 65",
            "reading.language = \"../spa\"",
            "reading.language = \"-l\"",
            "schemas = \"srv\"",
            "schemas = \"/a/../b\"",
            "reading.dpi = 71",
            "retention.reviewed = 0",
            "extraction.deadline = \"0s\"",
            "reading.ocr = 1",
        ] {
            assert!(Profile::parse(&format!("[services.worker]\n{bad}\n"), "x.toml").is_err(), "{bad}");
        }
    }
}
