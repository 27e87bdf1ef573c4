//! `validate`: files checked without touching a host.

use serde::Serialize;

use super::account::Account;
use super::finding::{Code, Finding, Severity, any_error, cap, sort};
use super::layer::MAX_FINDINGS;
use super::load::{self, Reader};
pub use super::model::ReadModel;
use super::saved_host::SavedHost;
use super::settings::Settings;
use super::suggest::nearest;
use super::target::{Origin, Target};
use super::{Numbers, Profile, model};
use crate::t;

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
    /// The memory arithmetic, where every rule has a result.
    pub memory: Option<Account>,
    /// Every check was made: nothing was left out for want of what could not be understood.
    pub complete: bool,
}

/// What is known besides the files.
#[derive(Debug, Clone, Copy, Default)]
pub struct About<'a> {
    /// The host to check for; without it, the one that a profile says it is made for.
    pub host: Option<&'a SavedHost>,
    /// Today, year-month-day; without it, no waiver has expired.
    pub today: Option<&'a str>,
    /// Reads the header of a model's file; `None` where there is no such file.
    pub model: Option<ReadModel>,
    /// The ids of all checks; without them, any id will do.
    pub checks: Option<&'a [&'a str]>,
}

impl Validation {
    /// Is every file valid?
    pub fn is_valid(&self) -> bool {
        self.files.iter().all(|file| file.valid)
    }

    /// The files that could not be looked into, so that nobody knows whether they are valid.
    pub fn unread(&self) -> Vec<&str> {
        self.files.iter().filter(|file| file.is_unread()).map(|file| file.file.as_str()).collect()
    }
}

impl FileValidation {
    /// Could it not be had at all? What it extends is another matter, and has a place.
    pub fn is_unread(&self) -> bool {
        self.findings.iter().any(|f| f.code == Code::Unreadable && f.span.is_none())
    }
}

/// Checks files, or bundled profiles by name.
pub fn validate<'f>(
    files: impl IntoIterator<Item = &'f str>,
    read: Reader<'_>,
    about: &About<'_>,
) -> Validation {
    let files = files.into_iter().map(|file| {
        let (findings, memory, complete) = check(file, read, about);
        FileValidation { file: file.to_owned(), valid: !any_error(&findings), findings, memory, complete }
    });
    Validation { schema: "civicum-tune/validate/1", files: files.collect() }
}

/// All findings in one file, with nothing known besides.
pub fn check_file(file: &str, read: Reader<'_>) -> Vec<Finding> {
    check(file, read, &About::default()).0
}

/// What is wrong with the text of a file, and on the host: the one named, or the one that the file says it is made for
/// (`memory.at_least`), or one of 12 GB with four CPUs.
fn check(file: &str, read: Reader<'_>, about: &About<'_>) -> (Vec<Finding>, Option<Account>, bool) {
    let loaded = load::load(file, read);
    let mut findings = loaded.findings;
    let Some(profile) = loaded.profile else { return (findings, None, false) };
    let (target, disk_is_guess) = target(&profile, about);
    // What the parser made of a line that is no TOML is a guess, and so is all that would be said of it.
    if findings.iter().any(|f| f.code == Code::Syntax) {
        cap(&mut findings, 2 * MAX_FINDINGS);
        sort(&mut findings);
        return (findings, None, false);
    }
    let is_sound = !any_error(&findings);
    let (settings, is_complete, mut on_host) = profile.evaluate(&target);
    if target.origin == Origin::Guess {
        // What does not fit such a host may fit the user's.
        let guess = |f: &&mut Finding| matches!(f.code, Code::MemoryBudget | Code::Rule | Code::Host);
        on_host.iter_mut().filter(guess).for_each(|f| f.severity = Severity::Warning);
    }
    findings.extend(on_host);
    waivers(&profile, &settings, about, &mut findings);
    let needs = model::check(&profile, &settings, about.model, &mut findings);
    let memory = (is_sound && is_complete).then(|| Account::new(&settings, &target, disk_is_guess, needs));
    cap(&mut findings, 2 * MAX_FINDINGS);
    sort(&mut findings);
    (findings, memory, is_complete && profile.broken.is_whole())
}

/// The host to check for, and whether the size of its disk is a guess.
fn target<'a>(profile: &Profile, about: &About<'a>) -> (Target<'a>, bool) {
    let Some(host) = about.host else {
        let origin = if profile.at_least().is_some() { Origin::AtLeast } else { Origin::Guess };
        return (Target { numbers: profile.nominal(), origin, host: None }, true);
    };
    let (numbers, disk_is_guess): (Numbers, bool) = host.numbers(profile.swap_path());
    (Target { numbers, origin: Origin::Told, host: Some(host) }, disk_is_guess)
}

/// A waiver that accepts nothing, or nothing any more.
fn waivers(profile: &Profile, settings: &Settings, about: &About<'_>, findings: &mut Vec<Finding>) {
    for (id, waiver) in &settings.waivers {
        if let (Some(checks), Some(place)) = (about.checks, profile.name_place(&["waivers", id])) {
            let malformed = |f: &&mut Finding| f.code == Code::Value && f.span == Some(place.span());
            if let Some(told) = findings.iter_mut().find(malformed) {
                if let Some(near) = nearest(&id.to_ascii_uppercase(), checks.iter().copied()) {
                    told.help = Some(t!("did you mean {near}?", near = near));
                }
            } else if !checks.iter().any(|check| check == id) {
                let message = t!("there is no check {id}, so the waiver accepts nothing", id = id);
                let help = match nearest(id, checks.iter().copied()) {
                    Some(near) => t!("did you mean {near}?", near = near),
                    None => t!("`civicum-tune doctor -v` lists the checks"),
                };
                findings.push(Finding::warning(Code::Waiver, place, message).help(help));
            }
        }
        // Both days are written year-month-day, which sorts as it is; the last day counts.
        let expired = about.today.is_some_and(|today| today > waiver.until.as_str());
        if let Some(place) = profile.place(&["waivers", id, "until"]).filter(|_| expired) {
            let message = t!(
                "the waiver of {id} ended on {until}, and its finding counts again",
                id = id,
                until = waiver.until
            );
            let help = t!("mend what {id} finds, or give the waiver a later day", id = id);
            findings.push(Finding::warning(Code::Waiver, place, message).help(help));
        }
    }
}
