//! The sessions with the database. What is asked on one is answered in order, so each kind of question has its own: a long list
//! holds up neither a document that comes in nor a look at one.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::Client;

use crate::queue::{Database, QueueError};

/// Long lists at a time; more wait.
const LISTS: usize = 2;

/// All of them, each opened when it is needed, and anew when it has ended.
pub(super) struct Sessions {
    database: Database,
    write: Slot,
    reads: [Slot; 2],
    lists: [Slot; LISTS],
    turns: Semaphore,
}

#[derive(Default)]
struct Slot(RefCell<Option<Rc<Client>>>);

impl Slot {
    /// How many are waiting for it. One that is not open yet is as good as a free one.
    fn waiting(&self) -> usize {
        self.0.borrow().as_ref().map_or(1, Rc::strong_count)
    }

    async fn client(&self, database: &Database) -> Result<Rc<Client>, QueueError> {
        if let Some(client) = self.0.borrow().as_ref().filter(|client| !client.is_closed()) {
            return Ok(Rc::clone(client));
        }
        let client = Rc::new(database.connect().await?.client);
        *self.0.borrow_mut() = Some(Rc::clone(&client));
        Ok(client)
    }
}

/// The one that the fewest wait for; of equals the first.
fn freest(slots: &[Slot]) -> Option<&Slot> {
    slots.iter().min_by_key(|slot| slot.waiting())
}

impl Sessions {
    pub(super) fn new(database: Database) -> Self {
        let (write, reads, lists) = Default::default();
        Self { database, write, reads, lists, turns: Semaphore::new(LISTS) }
    }

    /// For what changes something.
    pub(super) async fn write(&self) -> Result<Rc<Client>, QueueError> {
        self.write.client(&self.database).await
    }

    /// For questions about one document.
    pub(super) async fn read(&self) -> Result<Rc<Client>, QueueError> {
        freest(&self.reads).unwrap_or(&self.write).client(&self.database).await
    }

    /// For lists; the turn is kept until the list is there.
    pub(super) async fn list(&self) -> Result<(Rc<Client>, Option<SemaphorePermit<'_>>), QueueError> {
        // It is never closed.
        let turn = self.turns.acquire().await.ok();
        Ok((freest(&self.lists).unwrap_or(&self.write).client(&self.database).await?, turn))
    }
}
