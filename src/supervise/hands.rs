//! The thread that has the engine do things: it may wait for the engine, and the ladder never does.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::news::{News, Teller};
use super::run::Again;
use super::switch;
use crate::container::desired::{Deployment, Service};
use crate::container::mode::Mode;
use crate::container::observed::{Observed, previous};
use crate::container::plan::{self, Kind};
use crate::engine::{self, Client, EngineError, Progress, Wait, deploy, look_around, observe};
use crate::host::{Host, since_boot};

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// Look at all containers.
    Look,
    /// Start this service's container.
    Start(String),
    /// Stop this service's container for a while.
    Stop(String),
    /// Kill this service's container, and start it again; it was decided then, ms.
    Kill(String, u64),
    /// Bring back what is missing of these services, with limits for this mode.
    Mend(Mode, BTreeSet<String>),
    /// Share memory out in another way.
    Switch(Mode),
    /// Say so when all before is done.
    Rest,
}

/// A kill that comes later than this after it was decided is for a shortage that is over, or for which it was decided again, ms.
const STALE_MS: u64 = 10_000;

/// How long an engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Begins to wait for orders.
pub(super) fn begin(
    wish: Deployment,
    again: Again,
    teller: Teller,
) -> std::io::Result<(Sender<Order>, JoinHandle<()>)> {
    let (sender, orders) = channel();
    let thread = thread::Builder::new()
        .name("hands".to_owned())
        .stack_size(1 << 20)
        .spawn(move || obey(&Wish { wish, again }, &orders, &teller))?;
    Ok((sender, thread))
}

/// What is asked for, and how to learn whether it still is.
struct Wish {
    wish: Deployment,
    again: Again,
}

fn obey(wish: &Wish, orders: &Receiver<Order>, teller: &Teller) {
    let Ok(host) = Host::live() else { return };
    let mut client: Option<Client> = None;
    while let Ok(order) = orders.recv() {
        if order == Order::Rest {
            teller.tell(News::Rested);
            continue;
        }
        if client.is_none() {
            client = Client::connect_within(&host, PATIENCE).ok();
        }
        let Some(engine) = &client else {
            // That it is away is told by the ears.
            refuse(&order, "the engine does not answer", teller);
            teller.tell(News::Unseen);
            continue;
        };
        let done = carry_out(engine, &host, wish, &order, teller);
        if let Err(error) = &done {
            refuse(&order, &error.to_string(), teller);
        }
        // What was done is done, whether it can be looked at or not.
        let asked = u64::try_from(since_boot().as_micros()).unwrap_or(u64::MAX);
        let looked = look_around(engine, &host, &wish.wish);
        let lost =
            [done.err(), looked.as_ref().err().cloned()].into_iter().flatten().any(|error| error.status == 0);
        teller.tell(looked.map_or(News::Unseen, |seen| News::Seen(seen.containers, asked)));
        if lost {
            client = None;
        }
    }
}

fn refuse(order: &Order, why: &str, teller: &Teller) {
    match order {
        Order::Start(service) | Order::Stop(service) | Order::Kill(service, _) => {
            teller.tell(News::Failed(service.clone(), why.to_owned()));
        }
        Order::Switch(_) => {
            teller.tell(News::Kept(why.to_owned()));
        }
        Order::Look | Order::Mend(..) | Order::Rest => {}
    }
}

fn carry_out(
    client: &Client,
    host: &Host,
    asked: &Wish,
    order: &Order,
    teller: &Teller,
) -> Result<(), EngineError> {
    let wish = &asked.wish;
    let of = |name: &String| wish.services.iter().find(|service| service.name == *name);
    match order {
        Order::Look | Order::Rest => {}
        Order::Start(name) => {
            if let Some(service) = of(name) {
                client.start(&service.container)?;
            }
        }
        Order::Stop(name) => {
            if let Some(service) = of(name) {
                teller.tell(News::Ending(name.clone()));
                client.stop(&service.container, service.fixed.stop_timeout)?;
            }
        }
        Order::Kill(name, decided_ms) => {
            let late = since_boot().as_millis().saturating_sub(u128::from(*decided_ms));
            if let Some(service) = of(name).filter(|_| late <= u128::from(STALE_MS)) {
                teller.tell(News::Ending(name.clone()));
                client.kill(&service.container)?;
                client.start(&service.container)?;
            }
        }
        Order::Mend(mode, known) => mend(client, host, asked, *mode, known, teller)?,
        Order::Switch(mode) => {
            let ending = |name: &str| {
                teller.tell(News::Ending(name.to_owned()));
            };
            match switch::to(client, host, wish, *mode, &ending) {
                Ok(()) => teller.tell(News::Switched(*mode)),
                Err(why) => teller.tell(News::Kept(why)),
            };
        }
    }
    Ok(())
}

/// What a supervisor brings back by itself. Who stopped a container wants it stopped, and what replaces one is for somebody who
/// sees the plan: both are `deploy`'s.
const OWN: [Kind; 4] = [Kind::MakeNetwork, Kind::MakeVolume, Kind::Create, Kind::Update];

fn mend(
    client: &Client,
    host: &Host,
    asked: &Wish,
    mode: Mode,
    known: &BTreeSet<String>,
    teller: &Teller,
) -> Result<(), EngineError> {
    // What an old profile asks for is not to be brought back. One that is just being written is read the next time.
    match (asked.again)() {
        Some(now) if now == asked.wish => {}
        Some(_) => {
            teller.tell(News::Changed);
            return Ok(());
        }
        None => {
            teller.tell(News::Busy);
            return Ok(());
        }
    }
    let wish = &asked.wish.clone().in_mode(mode);
    // Somebody deploys, or takes down: what is missing is being made, or is not wanted.
    let Ok(_lock) = host.lock(&wish.lock()) else {
        teller.tell(News::Busy);
        return Ok(());
    };
    let mut observed = observe(client, host, wish)?;
    if observed.containers.is_empty() {
        return Ok(());
    }
    observed.taken = engine::taken(host, wish, &observed);
    let (wish, blocked) = possible(wish, &observed);
    let mut plan = plan::build(&wish, &observed, false, !blocked.is_empty());
    let words = |change: &plan::Change| format!("{:?} {}", change.kind, change.target).to_lowercase();
    // What was never there was not deployed: that is for somebody who does.
    let is_known = |change: &plan::Change| {
        let service = wish.services.iter().find(|service| service.container == change.target);
        service.is_none_or(|service| known.contains(&service.name))
    };
    // A `deploy` that was cut off left the old one aside: the next one brings back whichever works.
    let is_cut_off = |change: &plan::Change| observed.containers.contains_key(&previous(&change.target));
    let is_own =
        |change: &plan::Change| OWN.contains(&change.kind) && is_known(change) && !is_cut_off(change);
    let mut left: Vec<String> = plan
        .changes
        .iter()
        .filter(|change| !is_own(change) && !matches!(change.kind, Kind::Await | Kind::Start))
        .map(words)
        .collect();
    left.extend(blocked);
    plan.changes.retain(is_own);
    // Two that can't be there together, each possible alone.
    if !plan.changes.is_empty() && plan.blocked.is_empty() {
        let done = deploy(client, host, &wish, &observed, &plan, Wait::No, &mut Quiet)?;
        teller.tell(News::Mended(done.done.iter().map(words).collect()));
        for (change, why) in &done.failed {
            let of = wish.services.iter().find(|service| service.container == change.target);
            let name = of.map_or(&change.target, |service| &service.name);
            teller.tell(News::Failed(name.clone(), why.clone()));
        }
    }
    teller.tell(News::Pending(left));
    Ok(())
}

/// The services for which something can be done, and why nothing can be for the others: what one of them lacks is no reason to leave
/// the rest down.
fn possible(wish: &Deployment, observed: &Observed) -> (Deployment, BTreeSet<String>) {
    let alone = |service: &Service| {
        let alone = wish.clone().only(std::slice::from_ref(&service.name)).ok()?;
        Some(plan::build(&alone, observed, false, true).blocked)
    };
    let whole = plan::build(wish, observed, false, false).blocked;
    if whole.is_empty() {
        return (wish.clone(), BTreeSet::new());
    }
    let free = wish.services.iter().filter(|service| alone(service).is_some_and(|why| why.is_empty()));
    let free: Vec<String> = free.map(|service| service.name.clone()).collect();
    let mut rest = wish.clone();
    if free.is_empty() {
        rest.services.clear();
    } else if let Ok(some) = wish.clone().only(&free) {
        rest = some;
    }
    (rest, whole.into_iter().collect())
}

struct Quiet;

impl Progress for Quiet {
    fn begin(&mut self, _: usize, _: usize, _: &plan::Change) {}
    fn waits(&mut self, _: &str, _: &str) {}
    fn done(&mut self, _: &plan::Change) {}
}
