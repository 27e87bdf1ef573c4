//! What the supervisor's other threads have to say to its one place of decision, and how they say it.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::container::mode::Mode;
use crate::container::observed::Container;
use crate::engine::Told;
use crate::host::Waker;
use crate::worker::State;

/// What is said.
#[derive(Debug)]
pub(super) enum News {
    /// The engine tells of a container.
    Told(Told),
    /// The engine answers, and will tell from now on.
    EngineUp,
    /// It does not, and why.
    EngineAway(String),
    /// The deployment's containers as they are now, by name; the engine was asked then, µs since boot.
    Seen(BTreeMap<String, Container>, u64),
    /// They could not be looked at.
    Unseen,
    /// What the worker in this container (by its id) says of itself.
    Worker(String, State),
    /// This service's container is ended now, as was ordered.
    Ending(String),
    /// All orders are carried out.
    Rested,
    /// The profile asks for something else now.
    Changed,
    /// The worker in this container (by its id) has not answered for a while, and why.
    Silent(String, String),
    /// Somebody holds so many connections to the model in this container (by its id).
    Callers(String, usize),
    /// What was seen in one look, and is taken in as one.
    Together(Vec<Self>),
    /// Models were unloaded.
    Unloaded(Vec<String>),
    /// An order could not be carried out: of which service, and why.
    Failed(String, String),
    /// What was missing was brought back.
    Mended(Vec<String>),
    /// What is left to `deploy`.
    Pending(Vec<String>),
    /// Somebody else changes this deployment now.
    Busy,
    /// Memory is shared out in this way now.
    Switched(Mode),
    /// It could not be shared out anew, and why.
    Kept(String),
}

/// Where a thread puts its news.
#[derive(Clone)]
pub(super) struct Teller {
    sender: Sender<News>,
    waker: Waker,
}

impl Teller {
    /// A way to tell, and the other end of it.
    pub(super) fn new(waker: Waker) -> (Self, Receiver<News>) {
        let (sender, receiver) = channel();
        (Self { sender, waker }, receiver)
    }

    /// Tells. False: nobody listens any more.
    pub(super) fn tell(&self, news: News) -> bool {
        let heard = self.sender.send(news).is_ok();
        self.waker.wake();
        heard
    }
}
