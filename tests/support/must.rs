//! What a test does where something of the machine is missing: it says so and passes, unless `CIVICUM_TUNE_MUST` says that it is there.

/// `test.sh` names what it has started (`docker`, `images` on it, `database`): to leave out then what wants that would prove nothing, in silence.
pub(crate) fn skipped(wants: &str, why: &str) {
    let must = std::env::var("CIVICUM_TUNE_MUST").unwrap_or_default();
    let is_there = must.split(',').any(|one| one == wants);
    assert!(
        !is_there,
        "CIVICUM_TUNE_MUST says that there is a {wants} here, and a test wanted to leave out what needs it: {why}"
    );
    eprintln!("skipped: {why}");
}
