//! Ports of the host that services want, and that somebody else holds.

use std::io::ErrorKind;

use bollard::models::{ContainerSummary, PortSummary};

use super::observe::name_of;
use crate::container::desired::Deployment;
use crate::container::observed::{Observed, Taken};
use crate::facts::sockets;
use crate::host::Host;
use crate::profile::container::{Protocol, Publish};
use crate::t;

/// The ports that a container has opened, with its name, and whether it is the deployment's.
pub(super) fn published(container: &ContainerSummary, is_ours: bool) -> Vec<(Publish, String, bool)> {
    let name = name_of(container).unwrap_or_default();
    let ports = container.ports.iter().flatten();
    ports.filter_map(|port| Some((understand(port)?, name.clone(), is_ours))).collect()
}

fn understand(port: &PortSummary) -> Option<Publish> {
    let is_udp = port.typ.is_some_and(|kind| kind.to_string() == "udp");
    Some(Publish {
        address: port.ip.as_deref()?.parse().ok()?,
        host_port: port.public_port?,
        port: port.private_port,
        protocol: if is_udp { Protocol::Udp } else { Protocol::Tcp },
    })
}

/// Which ports somebody else holds. What a container of the deployment holds is free for the deployment: it goes with its
/// container. Each of the others is opened for a moment, so that this is for those who mean to open it.
pub fn taken(host: &Host, wish: &Deployment, observed: &Observed) -> Vec<Taken> {
    let mut found = Vec::new();
    for publish in wish.services.iter().flat_map(|service| &service.fixed.publish) {
        let mut others = observed.published.iter().filter(|(other, ..)| other.collides(publish));
        let who = match others.next() {
            Some((_, _, true)) => continue,
            Some((_, name, false)) => t!("the container {name}", name = name),
            None => {
                match host.try_port(publish.address, publish.host_port, publish.protocol == Protocol::Udp) {
                    Ok(()) => continue,
                    Err(error) if error.kind() == ErrorKind::AddrInUse => holder(host, publish),
                    Err(error) if error.kind() == ErrorKind::AddrNotAvailable => String::new(),
                    // What the engine may do, we may not: it will tell.
                    Err(_) => continue,
                }
            }
        };
        found.push(Taken { publish: publish.clone(), who: (!who.is_empty()).then_some(who) });
    }
    found
}

/// The program that listens there, as far as we may look.
fn holder(host: &Host, publish: &Publish) -> String {
    let unknown = || t!("another program");
    if publish.protocol == Protocol::Udp {
        return unknown();
    }
    let all = sockets::read(host).unwrap_or_default();
    let on_port = |listener: &&sockets::Listener| listener.port == publish.host_port;
    let fits = |listener: &&sockets::Listener| {
        listener.address == publish.address
            || listener.address.is_unspecified()
            || publish.address.is_unspecified()
    };
    let Some(listener) = all.iter().find(|l| on_port(l) && fits(l)) else { return unknown() };
    let running = sockets::running(host);
    sockets::holder(host, &running, listener.inode).map_or_else(unknown, |holder| {
        t!("{program} (process {pid})", program = holder.name, pid = holder.pid)
    })
}
