//! Claiming: as many jobs as there are hands free, and then silence until somebody tells, a hand is free, or a job is due.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::timeout;

use super::counts::add;
use super::{Shared, Stage, job};

/// How long nothing is asked when nobody tells anything: a net under NOTIFY.
const SLOW: Duration = Duration::from_secs(5);
/// A claim's own deadline comes after the worker's: who claimed it stops it first.
const LATER: Duration = Duration::from_secs(60);

/// Claims jobs of one stage until the worker drains, or nothing waits any more and that was to be the end.
pub(super) async fn run(shared: Rc<Shared>, stage: Stage) {
    let deadline = shared.deadline(stage);
    if shared.hands(stage) == 0 {
        return;
    }
    while !shared.draining.get() {
        let busy = shared.running.of(stage);
        let idle = shared.hands(stage).saturating_sub(busy);
        // Where the host was at fault, one job tries after a while whether it still is.
        let (free, mut wait) = match shared.postponed.rest(stage) {
            None => (idle, SLOW),
            Some(rest) if !rest.is_zero() => (0, rest.min(SLOW)),
            Some(_) => (if busy == 0 { idle.min(1) } else { 0 }, SLOW),
        };
        if free > 0 && !shared.paused.get() {
            let queue = shared.link.queue().await;
            let claimed =
                queue.claim(stage.name(), i64::try_from(free).unwrap_or(i64::MAX), deadline + LATER).await;
            let claims = match claimed {
                Ok(claims) => claims,
                Err(error) => {
                    shared.trouble(&error).await;
                    continue;
                }
            };
            add(&shared.counts.claimed, claims.len() as u64);
            let all = claims.len() == free;
            for claim in claims {
                let told = shared.running.begin(stage, &claim);
                spawn_local(job::run(Rc::clone(&shared), stage, claim, told));
            }
            if !all {
                match queue.next_due(stage.name()).await {
                    Ok(Some(due)) => wait = wait.min(due.max(Duration::from_millis(1))),
                    Ok(None) if shared.worker.until_empty && nothing_left(&shared).await => return,
                    Ok(None) => {}
                    Err(error) => shared.trouble(&error).await,
                }
            }
        }
        let _ = timeout(wait, shared.wake(stage).notified()).await;
    }
}

/// Nothing is in work that could still hand something on, and nothing waits that a hand of ours is for.
async fn nothing_left(shared: &Shared) -> bool {
    let queue = shared.link.queue().await;
    for stage in [Stage::Ocr, Stage::Extract] {
        let has_hands = shared.hands(stage) > 0;
        if has_hands && !matches!(queue.next_due(stage.name()).await, Ok(None)) {
            return false;
        }
    }
    shared.running.len() == 0
}
