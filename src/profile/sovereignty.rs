//! What could carry data off the host or let others in, as far as a profile shows it.

use std::net::IpAddr;

use super::Profile;
use super::container::{self, Image, Publish};
use super::destination::{has_password, is_private, is_proxy, outside};
use super::finding::{Code, Finding, part};
use super::hosted::{self, What};
use super::settings::{Service, Settings};
use super::source::Place;
use super::suggest::nearest;
use crate::t;

/// Findings about egress, published ports, images, destinations and secrets in environments, but for those that a value
/// that could not be understood may be the cause of.
pub(super) fn check(profile: &Profile, settings: &Settings, findings: &mut Vec<Finding>) {
    let broken = &profile.broken;
    let mut rules = Rules { profile, settings, findings };
    if broken.spares_but_for_bundled(&["sovereignty"]) {
        rules.egress();
        for (name, service) in &settings.services {
            rules.ports(name, service);
        }
        if broken.spares(&["services"]) {
            rules.publish_address();
            rules.public();
        }
    }
    for (name, service) in &settings.services {
        rules.image(name, service);
        rules.environment(name, service);
    }
}

struct Rules<'r> {
    profile: &'r Profile,
    settings: &'r Settings,
    findings: &'r mut Vec<Finding>,
}

impl Rules<'_> {
    fn egress(&mut self) {
        if !self.settings.sovereignty.egress {
            return;
        }
        if let Some(place) = self.profile.place(&["sovereignty", "egress"]) {
            let message = t!("containers may reach the outside: documents could leave the host");
            self.findings.push(
                Finding::warning(Code::Sovereignty, place, message).help(t!("set it to false, the default")),
            );
        }
    }

    fn publish_address(&mut self) {
        let address = self.settings.sovereignty.publish_address.parse::<IpAddr>();
        let place = self.profile.place(&["sovereignty", "publish_address"]);
        let (Ok(address), Some(place)) = (address, place) else { return };
        // Where every service with a port is public on purpose, there is nothing left to say.
        let public = &self.settings.sovereignty.public;
        let mut open =
            self.settings.services.iter().filter(|(_, service)| !service.publish.is_empty()).peekable();
        let on_purpose = open.peek().is_some() && open.all(|(name, _)| public.contains(name));
        if !address.is_loopback() && !on_purpose {
            let message =
                t!("published ports will be open on {address}, past the host's firewall", address = address);
            let help = t!("bind 127.0.0.1 and let a proxy on the host face the outside");
            self.findings.push(Finding::warning(Code::Sovereignty, place, message).help(help));
        }
    }

    fn public(&mut self) {
        let Some(place) = self.profile.place(&["sovereignty", "public"]) else { return };
        let services = &self.settings.services;
        if services.is_empty() {
            return;
        }
        for name in self.settings.sovereignty.public.iter().filter(|name| !services.contains_key(*name)) {
            let message = t!("there is no service `{name}`", name = name);
            let help = match nearest(name, services.keys().map(String::as_str)) {
                Some(near) => t!("did you mean `{near}`?", near = near),
                None => t!("it lists services of this profile whose ports may be open to the outside"),
            };
            self.findings.push(Finding::warning(Code::Conflict, &part(place, name), message).help(help));
        }
    }

    fn image(&mut self, name: &str, service: &Service) {
        let Some(image) = service.image.as_deref() else { return };
        let Some(place) = self.profile.place(&["services", name, "image"]) else { return };
        if container::image(image) == Some(Image::Floating) {
            let message = t!("{image} has no digest: what it is can change with every pull", image = image);
            let help = t!(
                "pin it: `docker buildx imagetools inspect {image}` shows the digest, or `docker image inspect --format '{{{{index .RepoDigests 0}}}}' {image}` once it is pulled; then write {name}@sha256:…",
                image = image,
                name = image
            );
            self.findings.push(Finding::error(Code::Sovereignty, place, message).help(help));
        }
    }

    fn ports(&mut self, name: &str, service: &Service) {
        if self.settings.sovereignty.public.iter().any(|public| public == name) {
            return;
        }
        for (at, publish) in service.publish.iter().enumerate() {
            if let Some(place) = self.profile.item(&["services", name, "publish"], at) {
                self.port(name, publish, &place);
            }
        }
    }

    fn port(&mut self, name: &str, publish: &Publish, place: &Place) {
        let Publish { address, host_port, .. } = publish;
        if address.is_loopback() {
            return;
        }
        let help = t!(
            "bind 127.0.0.1, or say that it is on purpose: sovereignty.public = [\"{name}\"]",
            name = name
        );
        let finding = if is_private(*address) && !address.is_unspecified() {
            let message = t!(
                "port {port} of {name} is open on {address}, to all of that network",
                port = host_port,
                name = name,
                address = address
            );
            Finding::warning(Code::Sovereignty, place, message)
        } else {
            let message = t!(
                "port {port} of {name} is open on {address}, to everyone and past the host's firewall",
                port = host_port,
                name = name,
                address = address
            );
            Finding::error(Code::Sovereignty, place, message)
        };
        self.findings.push(finding.help(help));
    }

    fn environment(&mut self, service: &str, limits: &Service) {
        for (name, value) in &limits.environment {
            let Some(place) = self.profile.place(&["services", service, "environment", name]) else {
                continue;
            };
            for host in outside(name, value) {
                let (message, help) = pointed(service, name, &host);
                let finding = if self.settings.sovereignty.egress {
                    Finding::warning(Code::Sovereignty, place, message)
                } else {
                    Finding::error(Code::Sovereignty, place, message)
                };
                self.findings.push(finding.help(help));
            }
            if is_secret(name) && !value.is_empty() {
                let message = t!(
                    "`{name}` looks like a secret, and everyone who may inspect containers can read it",
                    name = name
                );
                let help = t!("put it into a file and set {name}_FILE", name = name);
                self.findings.push(Finding::warning(Code::Sovereignty, place, message).help(help));
            } else if has_password(value) {
                let message = t!(
                    "the URL in `{name}` has a password, and everyone who may inspect containers can read it",
                    name = name
                );
                let help =
                    t!("put the password into a file that the program reads, and leave it out of the URL");
                self.findings.push(Finding::warning(Code::Sovereignty, place, message).help(help));
            }
            if name == "OLLAMA_HOST" && is_loopback(value) {
                let message =
                    t!("bound to its own loopback, the model can't be reached by the other containers");
                let help = t!("leave it out: the image listens on its own address, and nothing is published");
                self.findings.push(Finding::warning(Code::Conflict, place, message).help(help));
            }
        }
    }
}

/// What is wrong with a destination, and what to name instead.
fn pointed(service: &str, variable: &str, host: &str) -> (String, String) {
    if is_proxy(variable) {
        let message = t!(
            "all that {service} asks for would go through {host}, which is not on this host",
            service = service,
            host = host
        );
        return (message, t!("take the proxy out: nothing leaves the host"));
    }
    let Some((who, what)) = hosted::of(host) else {
        let message =
            t!("{service} is pointed at {host}, which is not on this host", service = service, host = host);
        return (message, t!("everything runs locally: name a service of this profile instead"));
    };
    match what {
        What::Database => (
            t!(
                "{service} is pointed at {host}: that is {who}, a hosted database",
                service = service,
                host = host,
                who = who
            ),
            t!(
                "keep the data here: run PostgreSQL as a service of this profile, and name that, as in postgres://postgres:5432/…"
            ),
        ),
        What::Model => (
            t!(
                "{service} is pointed at {host}: that is {who}, a hosted language model",
                service = service,
                host = host,
                who = who
            ),
            t!("the model runs here: name the service of this profile that runs it, as in http://llm:11434"),
        ),
        What::Recognition => (
            t!(
                "{service} is pointed at {host}: that is {who}, which reads documents elsewhere",
                service = service,
                host = host,
                who = who
            ),
            t!("documents are read here, by the worker's own OCR: take the address out"),
        ),
        What::Telemetry => (
            t!(
                "{service} is pointed at {host}: that is {who}, which collects errors and traces elsewhere",
                service = service,
                host = host,
                who = who
            ),
            t!("traces carry contents of documents: take the address out, and read the logs here"),
        ),
        What::Cloud => (
            t!("{service} is pointed at {host}: that is {who}", service = service, host = host, who = who),
            t!("everything runs locally: name a service of this profile instead"),
        ),
    }
}

/// Does a variable of this name hold a secret?
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["PASSWORD", "SECRET", "TOKEN", "API_KEY", "PRIVATE_KEY"].iter().any(|end| name.ends_with(end))
}

fn is_loopback(value: &str) -> bool {
    let host = value.split_once("://").map_or(value, |(_, rest)| rest);
    host == "localhost"
        || host.starts_with("localhost:")
        || host.starts_with("127.")
        || host.starts_with("[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_secrets_from_their_files() {
        assert!(is_secret("POSTGRES_PASSWORD") && is_secret("openai_api_key"));
        assert!(!is_secret("POSTGRES_PASSWORD_FILE") && !is_secret("TOKENS_MAX"));
    }
}
