//! The thread that has the engine do things: it may wait for the engine, and the ladder never does.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use super::news::{News, Teller};
use super::switch;
use crate::container::desired::Deployment;
use crate::container::mode::Mode;
use crate::container::plan::{self, Kind};
use crate::engine::{self, Client, EngineError, Progress, deploy, look_around, observe};
use crate::host::Host;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// Look at all containers.
    Look,
    /// Start this service's container.
    Start(String),
    /// Stop this service's container for a while.
    Stop(String),
    /// Kill this service's container, and start it again.
    Kill(String),
    /// Bring back what is missing, with limits for this mode.
    Mend(Mode),
    /// Share memory out in another way.
    Switch(Mode),
}

/// How long an engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Begins to wait for orders.
pub(super) fn begin(wish: Deployment, teller: Teller) -> std::io::Result<Sender<Order>> {
    let (sender, orders) = channel();
    thread::Builder::new()
        .name("hands".to_owned())
        .stack_size(1 << 20)
        .spawn(move || obey(&wish, &orders, &teller))?;
    Ok(sender)
}

fn obey(wish: &Deployment, orders: &Receiver<Order>, teller: &Teller) {
    let Ok(host) = Host::live() else { return };
    let mut client: Option<Client> = None;
    while let Ok(order) = orders.recv() {
        if client.is_none() {
            client = Client::connect_within(&host, PATIENCE).ok();
        }
        let Some(engine) = &client else {
            // That it is away is told by the ears.
            refuse(&order, "the engine does not answer", teller);
            continue;
        };
        if let Err(error) = carry_out(engine, &host, wish, &order, teller) {
            refuse(&order, &error.to_string(), teller);
            if error.status == 0 {
                client = None;
            }
        }
    }
}

fn refuse(order: &Order, why: &str, teller: &Teller) {
    match order {
        Order::Start(service) | Order::Stop(service) | Order::Kill(service) => {
            teller.tell(News::Failed(service.clone(), why.to_owned()));
        }
        Order::Switch(_) => {
            teller.tell(News::Kept(why.to_owned()));
        }
        Order::Look | Order::Mend(_) => {}
    }
    teller.tell(News::Unseen);
}

fn carry_out(
    client: &Client,
    host: &Host,
    wish: &Deployment,
    order: &Order,
    teller: &Teller,
) -> Result<(), EngineError> {
    let of = |name: &String| wish.services.iter().find(|service| service.name == *name);
    match order {
        Order::Look => {}
        Order::Start(name) => {
            if let Some(service) = of(name) {
                client.start(&service.container)?;
            }
        }
        Order::Stop(name) => {
            if let Some(service) = of(name) {
                client.stop(&service.container, service.fixed.stop_timeout)?;
            }
        }
        Order::Kill(name) => {
            if let Some(service) = of(name) {
                client.kill(&service.container)?;
                client.start(&service.container)?;
            }
        }
        Order::Mend(mode) => mend(client, host, &wish.clone().in_mode(*mode), teller)?,
        Order::Switch(mode) => {
            match switch::to(client, host, wish, *mode) {
                Ok(()) => teller.tell(News::Switched(*mode)),
                Err(why) => teller.tell(News::Kept(why)),
            };
        }
    }
    teller.tell(News::Seen(look_around(client, host, wish)?.containers));
    Ok(())
}

/// What a supervisor brings back by itself. Who stopped a container wants it stopped, and what replaces one is for somebody who
/// sees the plan: both are `deploy`'s.
const OWN: [Kind; 4] = [Kind::MakeNetwork, Kind::MakeVolume, Kind::Create, Kind::Update];

fn mend(client: &Client, host: &Host, wish: &Deployment, teller: &Teller) -> Result<(), EngineError> {
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
    let mut plan = plan::build(wish, &observed, false, false);
    let words = |change: &plan::Change| format!("{:?} {}", change.kind, change.target).to_lowercase();
    let mut left: Vec<String> = plan
        .changes
        .iter()
        .filter(|change| !OWN.contains(&change.kind) && !matches!(change.kind, Kind::Await | Kind::Start))
        .map(words)
        .collect();
    left.extend(plan.blocked.iter().cloned());
    if plan.blocked.is_empty() {
        plan.changes.retain(|change| OWN.contains(&change.kind));
        if !plan.changes.is_empty() {
            let done = deploy(client, host, wish, &observed, &plan, &mut Quiet)?;
            teller.tell(News::Mended(done.done.iter().map(words).collect()));
            for (change, why) in &done.failed {
                teller.tell(News::Failed(change.target.clone(), why.clone()));
            }
        }
    }
    teller.tell(News::Pending(left));
    Ok(())
}

struct Quiet;

impl Progress for Quiet {
    fn begin(&mut self, _: usize, _: usize, _: &plan::Change) {}
    fn waits(&mut self, _: &str, _: &str) {}
    fn done(&mut self, _: &plan::Change) {}
}
