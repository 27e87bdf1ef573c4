//! What `[services.*]` says of a container's image and ports: two small grammars.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

/// Where an image comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image {
    /// `sha256:…`: one that is on the host already.
    Local,
    /// `civicum/NAME`: made on the host from a template of this program.
    Template,
    /// From a registry, and by its digest always the same.
    Pinned,
    /// From a registry, and whatever its tag means on the day.
    Floating,
}

/// What the words of an image are, after the grammar of `docker pull`: `[REGISTRY/]NAME[:TAG][@sha256:HEX]`.
pub fn image(text: &str) -> Option<Image> {
    if let Some(id) = text.strip_prefix("sha256:") {
        return is_sha256(id).then_some(Image::Local);
    }
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (text, None),
    };
    if digest.is_some_and(|digest| !digest.strip_prefix("sha256:").is_some_and(is_sha256)) {
        return None;
    }
    // A colon behind the last slash parts a tag; one before it a registry's port.
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match name[last..].find(':') {
        Some(colon) => (&name[..last + colon], Some(&name[last + colon + 1..])),
        None => (name, None),
    };
    if tag.is_some_and(|tag| !is_tag(tag)) || name.len() > 255 {
        return None;
    }
    let mut parts: Vec<&str> = name.split('/').collect();
    if parts.len() > 1 && is_registry(parts[0]) {
        parts.remove(0);
    }
    if !parts.iter().all(|part| is_component(part)) {
        return None;
    }
    Some(match (digest, parts.as_slice()) {
        (Some(_), _) => Image::Pinned,
        (None, ["civicum", _]) if name.starts_with("civicum/") => Image::Template,
        (None, _) => Image::Floating,
    })
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_tag(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .enumerate()
            .all(|(at, b)| b == b'_' || b.is_ascii_alphanumeric() || (at > 0 && matches!(b, b'.' | b'-')))
}

/// `HOST[:PORT]`; without a dot, a port, or being `localhost` it is the first part of a name.
fn is_registry(text: &str) -> bool {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b == b'-' || b.is_ascii_alphanumeric())
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let host_fits = host.split('.').all(label);
    match port {
        Some(port) => host_fits && port_number(port).is_some(),
        None => host_fits && (host.contains('.') || host == "localhost"),
    }
}

/// Lower-case letters and digits, parted by one dot, one or two underscores, or dashes.
fn is_component(text: &str) -> bool {
    let mut parted = true;
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        if first.is_ascii_lowercase() || first.is_ascii_digit() {
            (parted, rest) = (false, others);
            continue;
        }
        let dashes = rest.iter().take_while(|b| **b == b'-').count();
        let length = match rest {
            _ if dashes > 0 => dashes,
            [b'_', b'_', ..] => 2,
            [b'.' | b'_', ..] => 1,
            _ => return false,
        };
        if parted {
            return false;
        }
        (parted, rest) = (true, &rest[length..]);
    }
    !parted
}

/// How a port counts its packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

/// A port of the container that the host opens: `PORT`, `HOSTPORT:PORT` or `ADDRESS:HOSTPORT:PORT`, with `/udp` behind it
/// where it is not TCP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// The host's address; where none is written, `sovereignty.publish_address`.
    pub address: IpAddr,
    /// The host's port.
    pub host_port: u16,
    /// The container's port.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
}

impl Publish {
    /// Reads one; `default` is the address where none is written. The error is what is wrong, in words.
    pub fn parse(text: &str, default: IpAddr) -> Result<Self, String> {
        let (ports, protocol) = match text.split_once('/') {
            None | Some((_, "tcp")) => (text.split('/').next().unwrap_or(text), Protocol::Tcp),
            Some((ports, "udp")) => (ports, Protocol::Udp),
            Some((_, other)) => return Err(crate::t!("`{other}` is neither tcp nor udp", other = other)),
        };
        let bracketed = ports.starts_with('[');
        let (address, ports) = match ports.strip_prefix('[') {
            Some(rest) => match rest.split_once("]:") {
                Some((address, ports)) => (Some(address), ports),
                None => return Err(crate::t!("`{text}` has a bracket that nothing closes", text = text)),
            },
            None => match ports.rsplitn(3, ':').collect::<Vec<_>>().as_slice() {
                [_, _, address] => (Some(*address), &ports[address.len() + 1..]),
                _ => (None, ports),
            },
        };
        if address.is_some() && !ports.contains(':') {
            return Err(crate::t!("`{text}` has an address, and only one of two ports", text = text));
        }
        let address = match address {
            None => default,
            Some(address) => match address.parse::<IpAddr>() {
                Ok(IpAddr::V6(_)) if !bracketed => {
                    return Err(crate::t!("an IPv6 address stands in brackets, as in [::1]:80:80"));
                }
                Ok(address) => address,
                Err(_) => return Err(crate::t!("`{address}` is not an IP address", address = address)),
            },
        };
        let (host_port, port) = ports.split_once(':').unwrap_or((ports, ports));
        let number = |port: &str| {
            port_number(port).ok_or_else(|| crate::t!("`{port}` is not a port: 1 to 65535", port = port))
        };
        Ok(Self { address, host_port: number(host_port)?, port: number(port)?, protocol })
    }

    /// Would the two ask for the same port of the host?
    pub fn collides(&self, other: &Self) -> bool {
        let same_family = self.address.is_ipv4() == other.address.is_ipv4();
        let overlap = self.address == other.address
            || same_family && (self.address.is_unspecified() || other.address.is_unspecified());
        overlap && self.host_port == other.host_port && self.protocol == other.protocol
    }
}

impl fmt::Display for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let udp = if self.protocol == Protocol::Udp { "/udp" } else { "" };
        let Self { address, host_port, port, .. } = self;
        match address {
            IpAddr::V4(_) => write!(f, "{address}:{host_port}:{port}{udp}"),
            IpAddr::V6(_) => write!(f, "[{address}]:{host_port}:{port}{udp}"),
        }
    }
}

/// The address of ports where nothing is said.
pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn port_number(text: &str) -> Option<u16> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn images() {
        let pinned = format!("@sha256:{HEX}");
        for (text, kind) in [
            (format!("sha256:{HEX}"), Image::Local),
            ("civicum/ocr".to_owned(), Image::Template),
            ("civicum/ocr:1.0".to_owned(), Image::Template),
            (format!("postgres{pinned}"), Image::Pinned),
            (format!("postgres:17{pinned}"), Image::Pinned),
            (format!("ghcr.io/a/b-c/d__e.f:V1.2-x{pinned}"), Image::Pinned),
            (format!("localhost:5000/a{pinned}"), Image::Pinned),
            (format!("registry:5000/a{pinned}"), Image::Pinned),
            ("postgres".to_owned(), Image::Floating),
            ("postgres:latest".to_owned(), Image::Floating),
            ("registry:5000/a".to_owned(), Image::Floating),
            ("evil.example/civicum/ocr".to_owned(), Image::Floating),
            ("civicum/a/b".to_owned(), Image::Floating),
            ("localhost/civicum/ocr".to_owned(), Image::Floating),
        ] {
            assert_eq!(image(&text), Some(kind), "{text}");
        }
        for text in [
            "",
            "/",
            "a/",
            "/a",
            "A",
            "a:",
            "a@",
            "a@sha256:",
            "a@sha256:00",
            "a@md5:00",
            "sha256:00",
            "a b",
            "a__",
            "_a",
            "a..b",
            "a___b",
            "a:b:c",
            "-a",
            "http://a",
            "a:-x",
            "civicum/",
            "x:99999/a",
            "a@sha256:é",
            "é",
            ":",
            "@",
            "a\0",
        ] {
            assert_eq!(image(text), None, "{text}");
        }
        assert_eq!(image(&format!("sha256:{}", HEX.to_uppercase())), None);
        assert_eq!(image(&"a".repeat(256)), None);
    }

    fn read(text: &str) -> Option<String> {
        Publish::parse(text, LOOPBACK).ok().map(|p| p.to_string())
    }

    #[test]
    fn ports() {
        for (text, shown) in [
            ("80", "127.0.0.1:80:80"),
            ("8080:80", "127.0.0.1:8080:80"),
            ("0.0.0.0:443:8443", "0.0.0.0:443:8443"),
            ("53/udp", "127.0.0.1:53:53/udp"),
            ("53:53/tcp", "127.0.0.1:53:53"),
            ("[::1]:1:65535", "[::1]:1:65535"),
            ("[::]:443:443/udp", "[::]:443:443/udp"),
        ] {
            assert_eq!(read(text).as_deref(), Some(shown), "{text}");
        }
        for text in [
            "",
            "::1:80:80",
            "0",
            "65536",
            "a",
            "80:",
            ":80",
            "80:0",
            "80-90",
            "+80",
            "080",
            "1.2.3:80:80",
            "[::1]:80",
            "[::1:80:80",
            "80/sctp",
            "80/tcp/udp",
            "80/",
            "127.0.0.1:80",
            "127.0.0.1::80",
            " 80",
            "80 ",
            "8８",
            "0.0.0.0:443:8443:1",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn two_of_one_port() {
        let at = |text: &str| Publish::parse(text, LOOPBACK).unwrap();
        assert!(at("80").collides(&at("80:81")));
        assert!(at("80").collides(&at("0.0.0.0:80:80")));
        assert!(!at("80").collides(&at("80/udp")));
        assert!(!at("80").collides(&at("127.0.0.2:80:80")));
        assert!(!at("80").collides(&at("[::]:80:80")));
    }
}
