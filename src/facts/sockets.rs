//! Who listens on TCP: `/proc/net/tcp` and `tcp6`, and which process that is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::host::Host;

/// A socket that waits for callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Where it listens; an IPv4 address in IPv6 clothes is told as IPv4.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// Names the socket in `/proc/PID/fd`.
    pub inode: u64,
    /// The file that lists it.
    pub file: &'static str,
    /// The line there, from 1.
    pub line: usize,
    /// The line's beginning, as it stands there.
    pub text: String,
}

impl Listener {
    /// Can a packet from another host reach it? Loopback can't; private addresses are the host's own networks.
    pub fn is_outside(&self) -> bool {
        match self.address {
            IpAddr::V4(v4) => {
                let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
                !(v4.is_loopback() || v4.is_private() || v4.is_link_local() || shared)
            }
            IpAddr::V6(v6) => {
                let first = v6.segments()[0];
                // fc00::/7 is private, fe80::/10 the link's own.
                !(v6.is_loopback() || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80)
            }
        }
    }
}

/// Where the kernel lists them.
const FILES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

/// Everybody who listens; `None` where nothing tells.
pub fn read(host: &Host) -> Option<Vec<Listener>> {
    let texts: Vec<_> = FILES.iter().filter_map(|file| Some((*file, host.value(file)?))).collect();
    (!texts.is_empty()).then(|| texts.iter().flat_map(|(file, text)| parse(text, file)).collect())
}

/// How many connections others hold to `port` in the network of process `pid`; `None` where that can't be told.
pub fn callers(host: &Host, pid: u32, port: u16) -> Option<usize> {
    let texts: Vec<String> =
        ["tcp", "tcp6"].iter().filter_map(|file| host.value(&format!("/proc/{pid}/net/{file}"))).collect();
    (!texts.is_empty()).then(|| texts.iter().map(|text| established(text, port)).sum())
}

/// Connections that are established, with `port` at this end.
fn established(text: &str, port: u16) -> usize {
    let port = format!("{port:04X}");
    let is_one = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().take(4).collect();
        let [_, local, _, state] = words.as_slice() else { return false };
        *state == "01" && local.rsplit_once(':').is_some_and(|(_, at)| at == port)
    };
    text.lines().skip(1).filter(is_one).count()
}

/// Reads the text of one of the files. Its numbers are in the byte order of the processor: ours, since a kernel tells
/// only of itself, and little-endian in every tree that we know.
fn parse(text: &str, file: &'static str) -> Vec<Listener> {
    const LISTEN: &str = "0A";
    let lines = text.lines().enumerate().skip(1);
    lines
        .filter_map(|(at, line)| {
            let words: Vec<&str> = line.split_whitespace().take(10).collect();
            let [_, local, remote, LISTEN, .., inode] = words.as_slice() else { return None };
            let (address, port) = local.split_once(':')?;
            Some(Listener {
                address: parse_address(address)?,
                port: u16::from_str_radix(port, 16).ok()?,
                inode: inode.parse().ok()?,
                file,
                line: at + 1,
                text: format!("{local} {remote} {LISTEN}"),
            })
        })
        .collect()
}

fn parse_address(hex: &str) -> Option<IpAddr> {
    if !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at * 8..at * 8 + 8)?, 16).ok()?.swap_bytes());
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut all = 0u128;
            for at in 0..4 {
                all = all << 32 | u128::from(word(at)?);
            }
            let address = Ipv6Addr::from(all);
            Some(address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4))
        }
        _ => None,
    }
}

/// A program that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its number.
    pub pid: u32,
    /// Its name, as `/proc/PID/comm` has it: 15 letters at most.
    pub name: String,
}

/// Everything that runs.
pub fn running(host: &Host) -> Vec<Running> {
    let names = host.list("/proc").unwrap_or_default();
    let pids = names.iter().filter_map(|name| name.parse::<u32>().ok());
    pids.filter_map(|pid| Some(Running { pid, name: host.value(&format!("/proc/{pid}/comm"))? })).collect()
}

/// A port that Docker publishes by its helper, which holds the socket (`userland-proxy`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Which process.
    pub pid: u32,
    /// Where it listens.
    pub address: IpAddr,
    /// The port on the host.
    pub port: u16,
    /// Where it leads to: the container's address and port.
    pub to: String,
}

impl Published {
    /// Asks one process; `None` where it is something else, or a port of UDP's.
    pub fn of(host: &Host, running: &Running) -> Option<Self> {
        if running.name != "docker-proxy" {
            return None;
        }
        let line = host.value(&format!("/proc/{}/cmdline", running.pid))?;
        Self::parse(running.pid, &line)
    }

    fn parse(pid: u32, line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split('\0').collect();
        let value = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at + 1).copied()
        };
        if value("-proto")? != "tcp" {
            return None;
        }
        Some(Self {
            pid,
            address: value("-host-ip")?.parse().ok()?,
            port: value("-host-port")?.parse().ok()?,
            to: format!("{}:{}", value("-container-ip")?, value("-container-port")?),
        })
    }
}

/// The process that holds a socket, where we may look: root's answer, and for all else our own processes only.
pub fn holder<'r>(host: &Host, all: &'r [Running], inode: u64) -> Option<&'r Running> {
    let wanted = format!("socket:[{inode}]");
    all.iter().find(|running| {
        let links = host.links(&format!("/proc/{}/fd", running.pid)).unwrap_or_default();
        links.iter().any(|(_, target)| *target == wanted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
        0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   110        0 22222 1 0 100 0 0 10 0\n   \
        1: 00000000:2CAA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 33333 1 0 100 0 0 10 0\n   \
        2: 0100007F:A000 0100007F:1538 01 00000000:00000000 00:00000000 00000000     0        0 44444 1 0 100 0 0 10 0\n";
    const TCP6: &str = "  sl  local_address\n   \
        0: 00000000000000000000000000000000:0947 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 5 1\n   \
        1: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 6 1\n   \
        2: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 7 1\n";

    #[test]
    fn listeners() {
        let found = parse(TCP, FILES[0]);
        let brief: Vec<_> =
            found.iter().map(|l| (l.address.to_string(), l.port, l.inode, l.is_outside())).collect();
        assert_eq!(
            brief,
            [("127.0.0.1".to_owned(), 5432, 22222, false), ("0.0.0.0".to_owned(), 11434, 33333, true)]
        );
        assert_eq!((found[1].line, found[1].text.as_str()), (3, "00000000:2CAA 00000000:0000 0A"));
        let found = parse(TCP6, FILES[1]);
        let brief: Vec<_> = found.iter().map(|l| (l.address.to_string(), l.port, l.is_outside())).collect();
        let expected = [("::", 2375, true), ("127.0.0.1", 80, false), ("2001:db8::1", 80, true)];
        assert_eq!(brief, expected.map(|(address, port, outside)| (address.to_owned(), port, outside)));
    }

    #[test]
    fn nonsense_is_passed_over() {
        for text in [
            "",
            "x",
            "h\n 0: :: 0 0A",
            "h\n0: é0000000000000000000000000000000:0 0 0A 0 0 0 0 0 1",
            "h\n0: 0100007F:FFFFF 0 0A 0 0 0 0 0 1",
        ] {
            assert_eq!(parse(text, FILES[0]), [], "{text}");
        }
    }

    #[test]
    fn what_docker_publishes() {
        let words = "/usr/bin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.17.0.2 -container-port 80 ";
        let line = &words.replace(' ', "\0");
        let found = Published::parse(7, line).unwrap();
        assert_eq!((found.port, found.to.as_str()), (8080, "172.17.0.2:80"));
        assert_eq!(Published::parse(7, "docker-proxy"), None);
    }
}
