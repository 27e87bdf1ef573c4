//! What goes on beside the jobs: the way to the database, the leases, and what others lost.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::sleep;

use super::Shared;
use super::log::event;
use super::running::Stop;
use crate::queue::QueueError;

/// How often leases are renewed.
const BEAT: Duration = Duration::from_secs(15);
/// How often lost jobs are looked for.
const REAP: Duration = Duration::from_secs(1);
/// After the database was away, its other workers have so much time to renew their leases before anybody takes them for lost.
const AWAY: Duration = Duration::from_secs(20);
/// How often the archive is put in order.
const KEEP: Duration = Duration::from_secs(3600);

/// Hears what is told, and opens the sessions anew when they break.
pub(super) async fn keep_link(shared: Rc<Shared>) {
    loop {
        let mut session = shared.link.listen().await;
        // What was told while nobody listened.
        shared.wake_all();
        shared.beat.notify_one();
        while let Some(channel) = session.notices.recv().await {
            if channel == "civicum_cancel" { shared.beat.notify_one() } else { shared.wake_all() }
        }
        event("warn", "the database's session ended", &[]);
        shared.link.broken();
    }
}

/// Opens the queue's sessions anew where they ended alone. A task of its own: whoever notices may be stopped at any time.
pub(super) async fn keep_queue(shared: Rc<Shared>) {
    loop {
        shared.link.reopen().await;
    }
}

/// Renews the leases; what is not ours any more is stopped.
pub(super) async fn beats(shared: Rc<Shared>) {
    loop {
        tokio::select! {
            () = sleep(BEAT) => {}
            () = shared.beat.notified() => {}
        }
        let held = shared.running.held();
        if held.is_empty() {
            continue;
        }
        let queue = shared.link.queue().await;
        match queue.beat(&held).await {
            Ok(ours) => {
                for one in &held {
                    match ours.iter().find(|(job, _)| *job == one.job) {
                        None => shared.running.stop(one.job, one.fence, Stop::Lost),
                        Some((_, true)) => shared.running.stop(one.job, one.fence, Stop::Cancel),
                        Some((_, false)) => {}
                    }
                }
            }
            Err(error) => shared.trouble(&error).await,
        }
    }
}

/// Gives back what others lost, and keeps the archive in order.
pub(super) async fn reaps(shared: Rc<Shared>) {
    let mut kept: Option<tokio::time::Instant> = None;
    loop {
        sleep(REAP).await;
        let queue = shared.link.queue().await;
        if shared.link.was_away(AWAY) {
            continue;
        }
        match queue.reap().await {
            Ok(lost) => {
                for (job, became) in lost {
                    shared.counts.reaped.set(shared.counts.reaped.get() + 1);
                    event(
                        "warn",
                        "a lost job was given back",
                        &[("job", &job), ("became", &format!("{became:?}").to_lowercase())],
                    );
                }
            }
            Err(error) => shared.trouble(&error).await,
        }
        if kept.is_none_or(|kept| kept.elapsed() > KEEP) {
            if let Err(error) = queue.keep_archive(shared.worker.keep_days).await {
                shared.trouble(&error).await;
            }
            kept = Some(tokio::time::Instant::now());
        }
    }
}

impl Shared {
    /// What the database said is logged; its sessions are opened anew where they are gone.
    pub(super) async fn trouble(&self, error: &QueueError) {
        event("warn", "the database did not do it", &[("error", &error.to_string())]);
        self.link.mend();
        sleep(Duration::from_millis(200)).await;
    }
}
