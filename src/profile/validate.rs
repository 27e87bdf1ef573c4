//! `validate`: files checked without touching a host.

use serde::Serialize;

use super::finding::{Code, Finding, Severity, any_error, sort};
use super::load::{self, Reader};

/// The contract's `civicum-tune/validate/1`.
#[derive(Debug, Clone, Serialize)]
pub struct Validation {
    /// `civicum-tune/validate/1`.
    pub schema: &'static str,
    /// One entry a file, in the order in which they were named.
    pub files: Vec<FileValidation>,
}

/// What was found in one file.
#[derive(Debug, Clone, Serialize)]
pub struct FileValidation {
    /// As it was named.
    pub file: String,
    /// There is no error; there may be warnings.
    pub valid: bool,
    /// All findings, those of included profiles too.
    pub findings: Vec<Finding>,
}

impl Validation {
    /// Is every file valid?
    pub fn is_valid(&self) -> bool {
        self.files.iter().all(|file| file.valid)
    }
}

/// Checks files, or bundled profiles by name.
pub fn validate<'f>(files: impl IntoIterator<Item = &'f str>, read: Reader<'_>) -> Validation {
    let files = files.into_iter().map(|file| {
        let findings = check_file(file, read);
        FileValidation { file: file.to_owned(), valid: !any_error(&findings), findings }
    });
    Validation { schema: "civicum-tune/validate/1", files: files.collect() }
}

/// All findings in one file: what is wrong with its text, and on the host that it says it is made for
/// (`memory.at_least`; else one of 12 GB with four CPUs).
pub fn check_file(file: &str, read: Reader<'_>) -> Vec<Finding> {
    let loaded = load::load(file, read);
    let mut findings = loaded.findings;
    let Some(profile) = loaded.profile else { return findings };
    let unread = [Code::Syntax, Code::Extends, Code::Unreadable, Code::TooLarge, Code::NotUtf8];
    if !any_error(&findings) {
        let mut on_host = profile.check(&profile.nominal());
        if profile.at_least().is_none() {
            // The host is a guess then, and what does not fit it may fit the user's.
            let guess = |f: &&mut Finding| matches!(f.code, Code::MemoryBudget | Code::Rule | Code::Host);
            on_host.iter_mut().filter(guess).for_each(|f| f.severity = Severity::Warning);
        }
        findings.extend(on_host);
    } else if !findings.iter().any(|f| unread.contains(&f.code)) {
        findings.extend(profile.check_rules(&profile.nominal()));
    }
    sort(&mut findings);
    findings
}
