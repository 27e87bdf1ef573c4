//! The way to the database: kept open, and opened anew when it breaks. Jobs in work outlive it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::log::event;
use crate::queue::{Database, NEWEST, Queue, QueueError, Session, listen, register, version};
use crate::t;

/// The sessions of one worker.
pub(super) struct Link {
    database: Database,
    /// Its number in the database.
    pub worker: i32,
    queue: RefCell<Option<Rc<Queue>>>,
    opened: Notify,
    /// The queue's sessions have ended, and the other one has not.
    wanted: Notify,
    /// When it was opened anew.
    again: Cell<Option<Instant>>,
}

/// The longest pause between two attempts.
const LONGEST: Duration = Duration::from_secs(5);

impl Link {
    /// Writes the worker down. A database that is away is waited for; one whose tables do not suit is not.
    pub(super) async fn open(database: Database, name: &str) -> Result<Self, QueueError> {
        let mut wait = Duration::from_millis(100);
        let worker = loop {
            match begin(&database, name).await {
                Ok(worker) => break worker,
                Err(error) if error.passing => {
                    event("warn", "the database is waited for", &[("error", &error.to_string())]);
                    sleep(wait).await;
                    wait = (wait * 2).min(LONGEST);
                }
                Err(error) => return Err(error),
            }
        };
        let (queue, opened, wanted, again) =
            (RefCell::new(None), Notify::new(), Notify::new(), Cell::new(None));
        Ok(Self { database, worker, queue, opened, wanted, again })
    }

    /// Opens all sessions, however long it takes; gives the one that listens.
    pub(super) async fn listen(&self) -> Session {
        let mut wait = Duration::from_millis(100);
        loop {
            // The lock first: whoever holds jobs must be known to live.
            let opened = async {
                let session = listen(&self.database, self.worker).await?;
                Ok::<_, QueueError>((session, Queue::open(&self.database, self.worker).await?))
            };
            match opened.await {
                Ok((session, queue)) => {
                    *self.queue.borrow_mut() = Some(Rc::new(queue));
                    self.again.set(self.again.get().map(|_| Instant::now()));
                    self.opened.notify_waiters();
                    return session;
                }
                Err(error) => {
                    event("warn", "the database is waited for", &[("error", &error.to_string())]);
                    sleep(wait).await;
                    wait = (wait * 2).min(LONGEST);
                }
            }
        }
    }

    /// The queue, as soon as there is one.
    pub(super) async fn queue(&self) -> Rc<Queue> {
        loop {
            let opened = self.opened.notified();
            if let Some(queue) = self.queue.borrow().as_ref() {
                return Rc::clone(queue);
            }
            opened.await;
        }
    }

    /// Is there a way at this moment?
    pub(super) fn is_open(&self) -> bool {
        self.queue.borrow().is_some()
    }

    /// Was it opened anew within this time?
    pub(super) fn was_away(&self, within: Duration) -> bool {
        self.again.get().is_some_and(|again| again.elapsed() < within)
    }

    /// The listening session has ended: the others are not used any more.
    pub(super) fn broken(&self) {
        self.again.set(Some(Instant::now()));
        *self.queue.borrow_mut() = None;
    }

    /// One of the others may have ended alone: then they are opened anew, by [`Self::reopen`].
    pub(super) fn mend(&self) {
        if self.queue.borrow().as_ref().is_some_and(|queue| queue.is_closed()) {
            self.broken();
            self.wanted.notify_one();
        }
    }

    /// Waits until the others are wanted anew, and opens them.
    pub(super) async fn reopen(&self) {
        self.wanted.notified().await;
        let mut wait = Duration::from_millis(100);
        while !self.is_open() {
            if let Ok(queue) = Queue::open(&self.database, self.worker).await {
                self.queue.borrow_mut().get_or_insert_with(|| Rc::new(queue));
                self.opened.notify_waiters();
            } else {
                sleep(wait).await;
                wait = (wait * 2).min(LONGEST);
            }
        }
    }
}

async fn begin(database: &Database, name: &str) -> Result<i32, QueueError> {
    let session = database.connect().await?;
    let had = version(&session.client).await?;
    if had != NEWEST {
        return Err(QueueError::new(
            t!("the queue can't be used"),
            t!(
                "its tables are of version {had}, and this program needs {newest}: civicum-tune queue migrate",
                had = had,
                newest = NEWEST
            ),
        ));
    }
    register(database, name).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::migrate;

    #[test]
    fn who_asks_for_a_mend_may_be_stopped() {
        let Some(url) = crate::host::terminal::environment("CIVICUM_TUNE_TEST_DATABASE") else { return };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(tokio::task::LocalSet::new().run_until(async {
            let (server, name) =
                (Database::parse(&url, None).unwrap(), format!("ct_{}_link", std::process::id()));
            let server = server.connect().await.unwrap().client;
            server.batch_execute(&format!("create database {name}")).await.unwrap();
            let database = Database::parse(&url, None).unwrap().named(&name);
            migrate(&mut database.connect().await.unwrap().client).await.unwrap();
            let link = Rc::new(Link::open(database, "link").await.unwrap());
            let listens = link.listen().await;
            let opens = Rc::clone(&link);
            tokio::task::spawn_local(async move {
                loop {
                    opens.reopen().await;
                }
            });
            // The others end, and the one that listens does not.
            let pid: i32 = listens.client.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
            let cut =
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> $2";
            server.query(cut, &[&name, &pid]).await.unwrap();
            while !link.queue().await.is_closed() {
                sleep(Duration::from_millis(10)).await;
            }
            // Whoever noticed was at its deadline, and does nothing more.
            link.mend();
            let queue = tokio::time::timeout(Duration::from_secs(10), link.queue()).await;
            queue.expect("nobody opened it").next_due("ocr").await.unwrap();
            drop((link, listens));
            server.batch_execute(&format!("drop database {name} with (force)")).await.unwrap();
        }));
    }
}
