//! What a worker is told of its work, as the variables that it reads.

use crate::profile::mount::Volume;
use crate::profile::settings::Service;
use crate::units::Millis;

use super::role::Role;

/// Where a worker and an API see the schemas of one's own.
const SCHEMAS: &str = "/schemas";

/// Variables that the profile may overrule.
pub(super) fn environment(role: Role, written: &Service) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut tell = |name: &str, value: Option<String>| {
        found.extend(value.map(|value| (format!("CIVICUM_TUNE_{name}"), value)));
    };
    if matches!(role, Role::Worker | Role::Api) {
        tell("SCHEMAS", written.schemas.as_ref().map(|_| SCHEMAS.to_owned()));
    }
    if role != Role::Worker {
        return found;
    }
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let span = |ms: Option<u64>| ms.map(|ms| Millis(ms).to_string());
    let reading = &written.reading;
    tell("OCR_POLICY", reading.policy.clone());
    tell("OCR_JOBS", number(reading.jobs));
    tell("OCR_JOBS_MOST", most(written).map(|jobs| jobs.to_string()));
    // Where it is not said, the worker goes by its own limit, which may change while it runs.
    tell("OCR_MEMORY", reading.memory.map(|bytes| bytes.0.to_string()));
    tell("OCR_THREADS", number(reading.threads));
    tell("OCR_LANGUAGE", reading.language.clone());
    tell("OCR_DPI", number(reading.dpi));
    tell("OCR_MAX_PAGES", number(reading.max_pages));
    tell("OCR_MAX_PIXELS", number(reading.max_pixels));
    tell("OCR_PAGE_TIMEOUT", span(reading.page_timeout_ms));
    tell("OCR_DEADLINE", span(reading.deadline_ms));
    tell("OCR_TEXT_LAYER", reading.text_layer.clone());
    let extraction = &written.extraction;
    tell("EXTRACT_JOBS", number(extraction.jobs));
    tell("EXTRACT_DEADLINE", span(extraction.deadline_ms));
    tell("PREDICT", number(extraction.predict));
    tell("INSTRUCTION", extraction.instruction.clone());
    let retention = &written.retention;
    tell("KEEP_REVIEWED", number(retention.reviewed));
    tell("KEEP_UNREVIEWED", number(retention.unreviewed));
    tell("KEEP_DAYS", number(retention.archive));
    // What is in work ends, or is given back, before the engine kills.
    let grace = |ms: u64| Millis((ms / 1000 * 1000).saturating_sub(5000)).to_string();
    tell("GRACE", written.stop_timeout_ms.map(grace));
    found
}

/// The most documents at a time: as many as the CPUs are, where the limit grows while the model sleeps.
fn most(written: &Service) -> Option<u64> {
    let cpus = written.cpus.unwrap_or(1.0).ceil();
    let cpus = (1..=64_u32).rev().find(|whole| f64::from(*whole) <= cpus).unwrap_or(1);
    written.memory_reading.map(|_| u64::from(cpus))
}

/// The folder with schemas of one's own.
pub(super) fn schemas(role: Role, written: &Service) -> Option<Volume> {
    let source = written.schemas.clone().filter(|_| matches!(role, Role::Worker | Role::Api))?;
    Some(Volume { source, target: SCHEMAS.to_owned(), read_only: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    fn told(text: &str) -> Vec<String> {
        let profile = Profile::parse(&format!("name = \"x\"\n{text}"), "x.toml").unwrap();
        let settings = profile.settle(&profile.nominal()).unwrap();
        let told = environment(Role::Worker, &settings.services["worker"]);
        told.iter().map(|(name, value)| format!("{}={value}", &name[13..])).collect()
    }

    #[test]
    fn keys_become_variables() {
        let text = "[services.worker]\nmemory = \"1000MiB\"\nstop_timeout = \"90s\"\n[services.worker.reading]\njobs = 2\n\
                    threads = \"max(1, cores / 2)\"\npage_timeout = \"90s\"\nlanguage = \"spa+eng\"\n\
                    [services.worker.extraction]\npredict = 256\n[services.worker.retention]\nreviewed = 30\n";
        assert_eq!(
            told(text),
            [
                "OCR_JOBS=2",
                "OCR_THREADS=2",
                "OCR_LANGUAGE=spa+eng",
                "OCR_PAGE_TIMEOUT=90s",
                "PREDICT=256",
                "KEEP_REVIEWED=30",
                "GRACE=85s",
            ]
        );
        assert_eq!(told("[services.worker]\npids = 9\n"), [""; 0]);
        // A limit alone says nothing that a container would have to be made anew for.
        assert_eq!(told("[services.worker]\nmemory = \"1GiB\"\n"), [""; 0]);
        let own = "[services.worker]\nmemory = \"1GiB\"\nreading.memory = \"512MiB\"\n";
        assert_eq!(told(own), ["OCR_MEMORY=536870912"]);
    }
}
