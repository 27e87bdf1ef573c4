//! What could carry data off the host, as far as a profile shows it.

use std::net::IpAddr;

use super::Profile;
use super::finding::{Code, Finding};
use super::settings::Settings;

/// Findings about egress, published ports, addresses and secrets in environments.
pub(super) fn check(profile: &Profile, settings: &Settings, findings: &mut Vec<Finding>) {
    if settings.sovereignty.egress {
        if let Some(place) = profile.place(&["sovereignty", "egress"]) {
            let message = "containers may reach the outside: documents could leave the host";
            findings.push(
                Finding::warning(Code::Sovereignty, place, message).help("set it to false, the default"),
            );
        }
    }
    let address = settings.sovereignty.publish_address.parse::<IpAddr>();
    if let (Ok(address), Some(place)) = (address, profile.place(&["sovereignty", "publish_address"])) {
        if !address.is_loopback() {
            let message = format!("published ports will be open on {address}, past the host's firewall");
            let help = "bind 127.0.0.1 and let a proxy on the host face the outside";
            findings.push(Finding::warning(Code::Sovereignty, place, message).help(help));
        }
    }
    for (service, limits) in &settings.services {
        for (name, value) in &limits.environment {
            let Some(place) = profile.place(&["services", service, "environment", name]) else { continue };
            if let Some(host) = outside_host(value) {
                let message = format!("{service} is pointed at {host}, which is not on this host");
                let finding = if settings.sovereignty.egress {
                    Finding::warning(Code::Sovereignty, place, message)
                } else {
                    Finding::error(Code::Sovereignty, place, message)
                };
                findings
                    .push(finding.help("everything runs locally: name a service of this profile instead"));
            }
            if is_secret(name) && !value.is_empty() {
                let message = format!(
                    "`{name}` looks like a secret, and everyone who may inspect containers can read it"
                );
                let help = format!("put it into a file and set {name}_FILE");
                findings.push(Finding::warning(Code::Sovereignty, place, message).help(help));
            }
            if name == "OLLAMA_HOST" && is_loopback(value) {
                let message = "bound to its own loopback, the model can't be reached by the other containers";
                let help = "leave it out: the image listens on its own address, and nothing is published";
                findings.push(Finding::warning(Code::Conflict, place, message).help(help));
            }
        }
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["PASSWORD", "SECRET", "TOKEN", "API_KEY", "PRIVATE_KEY"].iter().any(|end| name.ends_with(end))
}

/// The host of a URL in `value`, if it is neither this machine, nor a container's name, nor a private address.
fn outside_host(value: &str) -> Option<String> {
    let (_, rest) = value.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => host.split(':').next().unwrap_or(host),
    };
    let inside = match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => {
            v4.is_loopback() || v4.is_private() || v4.is_unspecified() || v4.is_link_local()
        }
        // fc00::/7 is the private range.
        Ok(IpAddr::V6(v6)) => v6.is_loopback() || v6.is_unspecified() || v6.segments()[0] & 0xfe00 == 0xfc00,
        // Containers' names have no dot; these endings are never public.
        Err(_) => {
            let host = host.to_ascii_lowercase();
            let private = ["local", "internal", "localhost", "lan", "home.arpa"];
            !host.contains('.') || private.iter().any(|end| host.ends_with(&format!(".{end}")))
        }
    };
    (!inside && !host.is_empty()).then(|| host.to_owned())
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
    fn tells_inside_from_outside() {
        for value in [
            "postgres://u:p@postgres:5432/db",
            "http://127.0.0.1:11434",
            "http://10.0.0.3/x",
            "http://[::1]:80/",
            "http://[fd00::1]/",
            "http://llm.internal",
            "1",
            "a://",
        ] {
            assert_eq!(outside_host(value), None, "{value}");
        }
        for (value, host) in [
            ("postgres://u:p@ep-x.eu.neon.tech/db", "ep-x.eu.neon.tech"),
            ("https://api.example.com?x=1", "api.example.com"),
            ("http://8.8.8.8:80/", "8.8.8.8"),
            ("http://[2001:db8::1]/", "2001:db8::1"),
        ] {
            assert_eq!(outside_host(value).as_deref(), Some(host), "{value}");
        }
    }

    #[test]
    fn tells_secrets_from_their_files() {
        assert!(is_secret("POSTGRES_PASSWORD") && is_secret("openai_api_key"));
        assert!(!is_secret("POSTGRES_PASSWORD_FILE") && !is_secret("TOKENS_MAX"));
    }
}
