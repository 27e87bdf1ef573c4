//! From what is to what should be: typed changes, each with its cause.

use serde::Serialize;

use super::desired::{Deployment, Network, Service};
pub use super::difference::{Detail, cpus};
use super::difference::{cause, limits, takes_away};
use super::fingerprint;
use super::images::{TEMPLATES, Template};
use super::observed::{Container, Image, Observed, Owner, Taken, previous};
use super::role::Role;
use crate::t;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What is done.
    pub kind: Kind,
    /// To what: a container's, network's, volume's or secret's name.
    pub target: String,
    /// Why, in words.
    pub reason: String,
    /// What differs.
    pub details: Vec<Detail>,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A secret is made.
    MakeSecret,
    /// A network is made.
    MakeNetwork,
    /// A network is made anew; its containers are made anew too.
    RemakeNetwork,
    /// A volume is made.
    MakeVolume,
    /// A container is made and started.
    Create,
    /// All that a database has is written into a file, before its container goes.
    Dump,
    /// A container is replaced by a new one; the old one comes back if the new one does not get well.
    Replace,
    /// Limits are changed while it runs.
    Update,
    /// A container that is there is started.
    Start,
    /// It runs already; its health is waited for.
    Await,
    /// A container that no service asks for is removed.
    Remove,
}

/// What is to be done, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Changes.
    pub changes: Vec<Change>,
    /// Why it can't be done.
    pub blocked: Vec<String>,
    /// Containers of this deployment that no service asks for, and that stay unless told otherwise.
    pub orphans: Vec<String>,
}

impl Plan {
    /// Is there nothing to do?
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Puts a dump before each change that takes a database's container away. One that does not work has none to give.
    pub fn dump_first(&mut self, wish: &Deployment, observed: &Observed, folder: &str) {
        for service in wish.services.iter().filter(|service| service.role == Role::Postgres) {
            let works = observed.containers.get(&service.container).is_some_and(Container::is_well);
            let goes = |change: &Change| match change.kind {
                Kind::Replace => change.target == service.container,
                Kind::RemakeNetwork => service.fixed.networks.iter().any(|n| n.name == change.target),
                _ => false,
            };
            let Some(at) = self.changes.iter().position(goes).filter(|_| works) else { continue };
            let reason =
                t!("before its container goes, all it has is written into {folder}", folder = folder);
            let target = service.container.clone();
            self.changes.insert(at, Change { kind: Kind::Dump, target, reason, details: Vec::new() });
        }
    }

    fn push(&mut self, kind: Kind, target: &str, reason: String) {
        self.changes.push(Change { kind, target: target.to_owned(), reason, details: Vec::new() });
    }
}

/// Compares the two. Containers that no service asks for are removed where that is wanted, and named where not; where
/// only some services are asked for (`in_part`), the others' containers are no orphans.
pub fn build(wish: &Deployment, observed: &Observed, remove_orphans: bool, in_part: bool) -> Plan {
    let mut plan = Plan::default();
    orphans(wish, observed, remove_orphans, in_part, &mut plan);
    lost_password(wish, observed, &mut plan);
    for secret in wish.secrets.iter().filter(|secret| !observed.secrets.contains_key(*secret)) {
        plan.push(Kind::MakeSecret, secret, t!("it is not there yet"));
    }
    for network in &wish.networks {
        network_change(network, observed, in_part, &mut plan);
    }
    for volume in &wish.volumes {
        match observed.volumes.get(volume) {
            None => plan.push(Kind::MakeVolume, volume, t!("it is not there yet")),
            Some(Owner::Others) => plan.blocked.push(t!(
                "the volume {name} is of another deployment; give deployment.name or the volume another name",
                name = volume
            )),
            // What Compose or a person made is used as it is, and never removed by us.
            Some(Owner::Us | Owner::Unknown) => {}
        }
    }
    two_databases(wish, observed, in_part, &mut plan);
    for service in &wish.services {
        service_change(service, observed, &mut plan);
    }
    plan
}

/// Containers that no service asks for. They go first: one of them may hold a volume, a port or a network.
fn orphans(wish: &Deployment, observed: &Observed, remove: bool, in_part: bool, plan: &mut Plan) {
    let wanted =
        |name: &str| wish.services.iter().any(|s| s.container == name || previous(&s.container) == name);
    for (name, found) in observed.containers.iter().filter(|(name, _)| !wanted(name)) {
        if remove && !in_part {
            plan.push(Kind::Remove, name, t!("no service of the profile asks for it"));
            continue;
        }
        let shared = found.writes.iter().find(|volume| {
            let is_written = |v: &crate::profile::mount::Volume| v.source == **volume && !v.read_only;
            wish.services.iter().any(|service| service.fixed.volumes.iter().any(is_written))
        });
        if let Some(volume) = shared.filter(|_| found.runs() && !in_part) {
            plan.blocked.push(t!(
                "{name}, which no service asks for any more, still writes to the volume {volume}: deploy with --remove-orphans",
                name = name,
                volume = volume
            ));
        } else if !in_part {
            plan.orphans.push(name.clone());
        }
    }
}

/// Two servers on one data folder destroy it: in containers neither sees the other's lock.
fn two_databases(wish: &Deployment, observed: &Observed, in_part: bool, plan: &mut Plan) {
    let servers: Vec<&Service> =
        wish.services.iter().filter(|service| service.role == Role::Postgres).collect();
    let is_asked_for =
        |name: &str| wish.services.iter().any(|s| s.container == name || previous(&s.container) == name);
    // Where all services are asked for, such a one is an orphan, of which more is said.
    for server in servers.iter().filter(|server| in_part && !runs(observed, &server.container)) {
        let writes = |volume: &str| server.fixed.volumes.iter().any(|v| v.source == volume && !v.read_only);
        let others = observed.containers.iter().filter(|(name, found)| !is_asked_for(name) && found.runs());
        for (who, volume) in
            others.filter_map(|(n, found)| Some((n, found.writes.iter().find(|v| writes(v))?)))
        {
            plan.blocked.push(t!(
                "{who} runs and writes to the database's volume {volume}, and a second server on it would destroy the data; stop it first: docker stop {who}",
                who = who,
                volume = volume
            ));
        }
    }
    for (who, volume) in &observed.holders {
        if servers.iter().any(|server| server.fixed.volumes.iter().any(|v| v.source == *volume)) {
            plan.blocked.push(t!(
                "{who} runs and writes to the database's volume {volume}, and a second server on it would destroy the data; stop it first: docker stop {who}",
                who = who,
                volume = volume
            ));
        }
    }
    for (at, one) in servers.iter().enumerate() {
        for other in &servers[at + 1..] {
            let shared =
                one.fixed.volumes.iter().find(|v| other.fixed.volumes.iter().any(|o| o.source == v.source));
            if let Some(volume) = shared {
                plan.blocked.push(t!(
                    "{one} and {other} are two PostgreSQL servers on one volume, {volume}: give one of them other `volumes`",
                    one = one.name,
                    other = other.name,
                    volume = volume.source
                ));
            }
        }
    }
}

fn runs(observed: &Observed, container: &str) -> bool {
    observed.containers.get(container).is_some_and(Container::runs)
}

/// A database whose password is gone would keep the old one, and a new one would lock everybody out.
fn lost_password(wish: &Deployment, observed: &Observed, plan: &mut Plan) {
    for service in wish.services.iter().filter(|service| service.role == Role::Postgres) {
        let has_data = service.fixed.volumes.iter().any(|volume| {
            let is_filled = observed.folders.get(&volume.source).copied().unwrap_or(false);
            is_filled || observed.volumes.contains_key(&volume.source)
        });
        let lost = service.fixed.secrets.iter().find(|name| !observed.secrets.contains_key(*name));
        if let Some(name) = lost.filter(|_| has_data) {
            plan.blocked.push(t!(
                "the secret {name} is not there, and the volume of {service} is: put the file back into /var/lib/civicum-tune/secrets/{deployment}, or remove the volume",
                name = name,
                service = service.name,
                deployment = wish.name
            ));
        }
    }
}

fn network_change(network: &Network, observed: &Observed, in_part: bool, plan: &mut Plan) {
    match observed.networks.get(&network.name) {
        None => plan.push(Kind::MakeNetwork, &network.name, t!("it is not there yet")),
        Some(None) => plan.blocked.push(t!(
            "the network {name} is not of this deployment; remove it, or give deployment.name another value",
            name = network.name
        )),
        Some(Some(print)) if *print != fingerprint::of_network(network) && in_part => {
            plan.blocked.push(t!(
                "the network {name} has to be made anew, and all containers with it: name no service",
                name = network.name
            ));
        }
        Some(Some(print)) if *print != fingerprint::of_network(network) => {
            plan.push(Kind::RemakeNetwork, &network.name, t!("it was made from another description"));
        }
        Some(Some(_)) => {}
    }
}

fn service_change(service: &Service, observed: &Observed, plan: &mut Plan) {
    let name = &service.container;
    if observed.strangers.contains(name) || observed.strangers.contains(&previous(name)) {
        plan.blocked.push(t!(
            "the container {name} is not of this deployment; remove or rename it, or give deployment.name another value",
            name = name
        ));
        return;
    }
    let Some(image) = &service.image else {
        plan.blocked.push(t!(
            "{service} has no image: write services.{service}.image with its digest, or another role",
            service = service.name
        ));
        return;
    };
    let Some(Image { id: image_id, volumes }) = observed.images.get(image) else {
        plan.blocked.push(missing_image(&service.name, image));
        return;
    };
    let covered = |path: &&String| {
        let fixed = &service.fixed;
        fixed.volumes.iter().any(|v| path.starts_with(&v.target))
            || fixed.tmpfs.iter().any(|t| path.starts_with(&t.target))
    };
    let bound =
        service.fixed.volumes.iter().find(|v| !v.is_named() && !observed.folders.contains_key(&v.source));
    if let Some(volume) = bound {
        plan.blocked.push(t!(
            "{path}, which {service} wants to see, is not on this host",
            path = volume.source,
            service = service.name
        ));
        return;
    }
    // The official PostgreSQL image of 18 and later names the folder above its data.
    let is_known = |path: &&String| service.role == Role::Postgres && path.starts_with("/var/lib/postgresql");
    if let Some(path) = volumes.iter().find(|path| !covered(path) && !is_known(path)) {
        plan.blocked.push(t!(
            "the image of {service} keeps data in {path}, which would be lost with the container: write volumes = [\"data:{path}\"], or tmpfs = [\"{path}\"]",
            service = service.name,
            path = path
        ));
        return;
    }
    let print = fingerprint::of_container(&service.fixed, image_id, &observed.secrets);
    let runs_so =
        observed.containers.get(name).is_some_and(|found| found.runs() && found.fingerprint == print);
    let is_taken = |taken: &&Taken| service.fixed.publish.contains(&taken.publish);
    if let Some(taken) = observed.taken.iter().find(is_taken).filter(|_| !runs_so) {
        plan.blocked.push(taken_port(&service.name, taken));
        return;
    }
    let older = observed.containers.contains_key(&previous(name));
    match observed.containers.get(name) {
        // An upgrade was cut off between the two: the old one is there under its other name.
        None if older => plan.push(Kind::Create, name, t!("its replacement was cut off")),
        None => plan.push(Kind::Create, name, t!("it is not there yet")),
        Some(found) if found.fingerprint != print => {
            let (reason, details) = cause(service, found, image_id);
            plan.changes.push(Change { kind: Kind::Replace, target: name.clone(), reason, details });
        }
        Some(found) if cut_off(service, found).is_some() => {
            let network = cut_off(service, found).unwrap_or_default();
            plan.push(Kind::Replace, name, t!("it is cut off from the network {network}", network = network));
        }
        Some(found) => {
            let details = found.limits.as_ref().map_or_else(Vec::new, |now| limits(now, &service.limits));
            // The engine takes a nought for "as it is".
            let taken_away = found.limits.as_ref().is_some_and(|now| takes_away(now, &service.limits));
            if taken_away {
                let reason = t!("a limit is taken away, which can't be done while it runs");
                plan.changes.push(Change { kind: Kind::Replace, target: name.clone(), reason, details });
                return;
            }
            if !details.is_empty() {
                let kind = Kind::Update;
                let reason = t!("limits differ, and can be changed while it runs");
                plan.changes.push(Change { kind, target: name.clone(), reason, details });
            }
            if service.asleep && found.state == "paused" {
                // Whoever put it to sleep wakes it up.
            } else if !found.runs() {
                plan.push(Kind::Start, name, t!("it is {state}", state = found.state));
            } else if !found.is_well() {
                plan.push(Kind::Await, name, t!("its health is: {health}", health = found.health));
            } else if older {
                plan.push(Kind::Remove, &previous(name), t!("the new one is well"));
            }
        }
    }
}

/// A network that it should be on, and is not.
fn cut_off<'s>(service: &'s Service, found: &Container) -> Option<&'s str> {
    let names = service.fixed.networks.iter().map(|network| network.name.as_str());
    names.into_iter().find(|name| found.runs() && !found.networks.iter().any(|on| on == name))
}

/// A port that could not be opened once the old container had stopped.
fn taken_port(service: &str, taken: &Taken) -> String {
    let publish = &taken.publish;
    match &taken.who {
        Some(who) => t!(
            "{who} holds port {port} of {address}, which {service} wants: stop it, or publish another port",
            who = who,
            port = publish.host_port,
            address = publish.address,
            service = service
        ),
        None => t!(
            "{address}, on which {service} wants port {port}, is no address of this host",
            port = publish.host_port,
            address = publish.address,
            service = service
        ),
    }
}

/// Is it what a template makes, whatever its tag?
fn is_made_from(image: &str, template: &Template) -> bool {
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split(':').next() == Some(template.name)
}

/// How an image that is not there gets there.
fn missing_image(service: &str, image: &str) -> String {
    use crate::profile::container::{Image, image as kind};
    match kind(image) {
        Some(Image::Template) if !TEMPLATES.iter().any(|template| is_made_from(image, template)) => t!(
            "the image {image} of {service} is not there, and no template makes it; there are: {names}",
            image = image,
            service = service,
            names = TEMPLATES.map(|template| template.image()).join(", ")
        ),
        Some(Image::Template) => t!(
            "the image {image} of {service} is not there; it is made with: civicum-tune images build",
            image = image,
            service = service
        ),
        Some(Image::Local) => t!(
            "the image {image} of {service} is not there; bring it with: civicum-tune images load FILE",
            image = image,
            service = service
        ),
        _ => t!(
            "the image {image} of {service} is not there; fetch it with: docker pull {image}",
            image = image,
            service = service
        ),
    }
}
