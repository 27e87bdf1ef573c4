//! Whether a container works: what its state, its health check and its restarts say together.

use std::time::Duration;

use super::client::Client;
use super::status::{Logs, logs};
use crate::container::observed::Container;
use crate::t;

/// How long a container without a health check must run to count as well.
pub(super) const SETTLED: Duration = Duration::from_secs(1);
/// So often may the engine have restarted a container before we call it a loop.
const RESTARTS: u64 = 3;

/// Is it well (`Ok`), lost (`Err`), or can't one tell yet? It had been restarted so often `before` the waiting.
pub(super) fn verdict(
    found: Option<&Container>,
    before: u64,
    patient: bool,
    late: bool,
    deadline_ms: u64,
) -> Option<Result<(), String>> {
    let Some(found) = found else { return Some(Err(t!("it went away"))) };
    let killed =
        if found.oom_killed { t!(", killed for want of memory within its limit") } else { String::new() };
    if matches!(found.state.as_str(), "exited" | "dead") {
        return Some(Err(t!("it ended with status {code}{killed}", code = found.exit_code, killed = killed)));
    }
    let restarts = found.restarts.saturating_sub(before);
    if restarts >= RESTARTS {
        return Some(Err(t!(
            "it was restarted {count} times, and ended with status {code} at last{killed}",
            count = restarts,
            code = found.exit_code,
            killed = killed
        )));
    }
    // One that stumbled once must stand for longer.
    let enough = if restarts == 0 { SETTLED } else { SETTLED * 10 };
    let settled = !found.health.is_empty() || age(&found.started).is_some_and(|age| age >= enough);
    if found.is_well() && settled {
        return Some(Ok(()));
    }
    // What does not run at the moment counts as unhealthy too, and tells less than its end.
    if found.runs() && found.health == "unhealthy" && !patient {
        return Some(Err(t!("its health check fails: {words}", words = found.health_words)));
    }
    late.then(|| {
        let words = if found.health_words.is_empty() { &found.health } else { &found.health_words };
        let words = if words.is_empty() { &found.state } else { words };
        Err(t!("it was not healthy within {seconds} s: {words}", seconds = deadline_ms / 1000, words = words))
    })
}

/// How long ago that was.
fn age(rfc3339: &str) -> Option<Duration> {
    let then = humantime::parse_rfc3339(rfc3339).ok()?;
    std::time::SystemTime::now().duration_since(then).ok()
}

/// The end of a container's log, for a failure.
pub(super) fn last_words(client: &Client, name: &str) -> String {
    let mut text = String::new();
    let wanted = Logs { tail: Some(8), ..Logs::default() };
    // Without a log there is nothing to add.
    let _ = logs(client, name, wanted, &mut |part| text += part);
    text.lines().map(|line| format!("\n  | {}", line.trim_end())).collect()
}
