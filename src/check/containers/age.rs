//! How old what is in the images is.

use std::time::{Duration, SystemTime};

use super::{Live, Outcome, Scene, each, fix, told};
use crate::t;

const MOST_DAYS: u64 = 90;

pub(super) fn young(scene: &Scene<'_>) -> Vec<Outcome> {
    each(scene, &t!("none is older than {days} days", days = MOST_DAYS), |container| {
        let days = days_between(&container.made_on, &scene.now)?;
        (days > MOST_DAYS).then(|| outcome(container, days))
    })
}

fn outcome(container: &Live, days: u64) -> Outcome {
    let ours = t!("civicum-tune images build --no-cache, then civicum-tune deploy");
    let theirs = t!("pull or build {image} anew, and make the container from it", image = container.image);
    let is_template = container.image.starts_with("civicum/");
    let by_digest = t!("name a newer image in the profile, by its digest, and deploy");
    let way = fix(container, if is_template { ours } else { by_digest }, theirs);
    Outcome::warn(t!("{days} days: of {date}", days = days, date = container.made_on), way)
        .expected(t!("at most {days} days", days = MOST_DAYS))
        .seen(told(container, format!("Config.Image: {}", container.image)))
}

/// From a day to a moment. `None` for a day that is none, lies ahead, or is the one that builds which are to be the same every
/// time put into an image.
fn days_between(day: &str, now: &str) -> Option<u64> {
    let begin = humantime::parse_rfc3339(&format!("{day}T00:00:00Z")).ok()?;
    let now = humantime::parse_rfc3339(now).ok()?;
    let is_real = begin.duration_since(SystemTime::UNIX_EPOCH).ok()? > Duration::from_secs(86_400 * 366);
    is_real.then(|| now.duration_since(begin).ok().map(|age| age.as_secs() / 86_400))?
}

#[cfg(test)]
mod tests {
    use super::days_between;

    #[test]
    fn days() {
        let now = "2026-11-26T10:00:00Z";
        assert_eq!(days_between("2026-11-26", now), Some(0));
        assert_eq!(days_between("2026-08-28", now), Some(90));
        assert_eq!(days_between("2025-11-26", now), Some(365));
        for none in ["", "1970-01-01", "0001-01-01", "2026-11-27", "yesterday", "2026-13-40"] {
            assert_eq!(days_between(none, now), None, "{none}");
        }
    }
}
