//! Who can reach the engine, and what stands between a container and the host.

use std::net::IpAddr;

use super::{Evidence, Outcome, Scene, absent, answered, configured, place, told};
use crate::facts::engine::{Engine, SOCKETS};
use crate::t;

/// An address that the engine is told to listen on: is it on the network, and beyond this host?
fn reach(host: &str) -> Option<bool> {
    let address = host.strip_prefix("tcp://")?;
    let name = match address.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => address.rsplit_once(':').map_or(address, |(name, _)| name),
    };
    // Without an address it is localhost.
    let local = name.is_empty() || name == "localhost";
    Some(!local && name.parse::<IpAddr>().map_or(true, |ip| !ip.is_loopback()))
}

pub(super) fn tcp(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = absent(scene) {
        return outcome.into();
    }
    let expected = t!("the Unix socket alone, or TLS that verifies its callers");
    let fix = t!(
        "take the tcp:// address out of the line and restart the engine; use DOCKER_HOST=ssh://USER@HOST instead"
    );
    let mut found = Vec::new();
    let dockerd = scene.dockerd();
    let verifies = dockerd.switch("tlsverify") == Some(true);
    let hosts: Vec<_> = dockerd.hosts();
    for (host, file, line) in hosts.iter().filter(|_| !verifies) {
        let evidence = Evidence::line(file, *line, host);
        let outcome = match reach(host) {
            Some(true) => Outcome::fail(t!("{host} without tlsverify", host = host), &fix),
            // Every program on this host, whoever runs it, may call.
            Some(false) => Outcome::warn(t!("{host} without tlsverify", host = host), &fix),
            None => continue,
        };
        found.push(outcome.expected(&expected).seen(evidence));
    }
    if found.is_empty() && !verifies {
        let listeners = scene.listeners().unwrap_or_default();
        if let Some(open) = listeners.iter().find(|open| open.port == 2375 && open.is_outside()) {
            let actual = t!("port {port} is open on {address}", port = open.port, address = open.address);
            let evidence = Evidence::line(open.file, open.line, &open.text);
            found.push(Outcome::fail(actual, &fix).expected(&expected).seen(evidence));
        }
    }
    if found.is_empty() {
        if let Engine::Answered(info) = scene.engine() {
            let open = info.warnings.iter().filter(|warning| warning.contains("API is accessible on http"));
            found.extend(open.map(|warning| {
                Outcome::fail(warning.as_str(), &fix).expected(&expected).seen(told("Warnings", warning))
            }));
        }
    }
    if !found.is_empty() {
        return found;
    }
    if let Err(outcome) = configured(scene) {
        return outcome;
    }
    let tcp = hosts.iter().any(|(host, ..)| reach(host).is_some());
    Outcome::pass(if tcp { t!("on TCP, and tlsverify is set") } else { t!("no tcp:// address is set") })
        .into()
}

/// A group of `/etc/group` by its number: its name and its members.
fn group(text: &str, gid: u32) -> Option<(&str, &str)> {
    text.lines().find_map(|line| {
        let mut parts = line.split(':');
        let (name, number, members) = (parts.next()?, parts.nth(1)?, parts.next()?);
        (number.parse() == Ok(gid)).then_some((name, members))
    })
}

pub(super) fn socket(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = absent(scene) {
        return outcome.into();
    }
    if !scene.is_live() {
        return Outcome::not_applicable(t!("a tree's sockets are nobody's")).into();
    }
    let asked = match scene.engine() {
        Engine::Answered(info) => Some(info.socket.as_str()),
        Engine::Silent(silence) => Some(silence.socket.as_str()),
        Engine::Absent | Engine::Unasked => None,
    };
    let mut sockets = asked.into_iter().chain(SOCKETS);
    let found = sockets.find_map(|path| Some((path, scene.host().stat_of_target(path)?)));
    let Some((path, access)) = found else {
        return Outcome::not_applicable(t!("the engine is not running")).into();
    };
    let groups = scene.host().value("/etc/group").unwrap_or_default();
    let number = access.gid.to_string();
    let (name, members) = group(&groups, access.gid).unwrap_or((&number, ""));
    let shown = format!("{:04o}", access.mode);
    let evidence = Evidence::file(path, format!("{shown} {}:{name}", access.uid));
    let outcome = if access.mode & 0o002 != 0 {
        Outcome::fail(
            t!("{mode}: everybody on this host", mode = shown),
            t!("chmod 0660 {path}, and SocketMode=0660 in docker.socket", path = path),
        )
    } else if access.gid == 0 || members.is_empty() {
        Outcome::pass(t!("{mode}, group {group} without members", mode = shown, group = name))
    } else {
        Outcome::pass(t!(
            "{mode}, group {group}: {members}, each as good as root",
            mode = shown,
            group = name,
            members = members.replace(',', ", ")
        ))
    };
    outcome.expected("0660").seen(evidence).into()
}

pub(super) fn confined(scene: &Scene<'_>) -> Vec<Outcome> {
    let info = match answered(scene) {
        Ok(info) => info,
        Err(outcome) => return outcome,
    };
    let options = &info.security_options;
    let has =
        |name: &str| options.iter().any(|option| option == name || option.starts_with(&format!("{name},")));
    let evidence = || told("SecurityOptions", options.join(" "));
    let mut found = Vec::new();
    let unconfined = options
        .iter()
        .any(|option| option.starts_with("name=seccomp") && option.contains("profile=unconfined"));
    if !has("name=seccomp") || unconfined {
        let fix = t!(
            "take seccomp-profile out of the engine's configuration, or boot a kernel with CONFIG_SECCOMP_FILTER"
        );
        found.push(Outcome::warn(t!("no seccomp profile"), fix).of("seccomp").seen(evidence()));
    }
    // Inside a container, and for a user's own engine, AppArmor is somebody else's to load.
    let ours = scene.container().is_none() && !has("name=rootless");
    let apparmor = scene.host().value("/sys/module/apparmor/parameters/enabled").as_deref() == Some("Y");
    if ours && apparmor && !has("name=apparmor") && !has("name=selinux") {
        let fix = t!("apt install apparmor, and restart the engine");
        let outcome = Outcome::warn(t!("the kernel has AppArmor, and the engine does not use it"), fix);
        found.push(outcome.of("AppArmor").seen(evidence()));
    }
    if !found.is_empty() {
        return found;
    }
    let whose = if has("name=rootless") {
        t!("root in a container is an ordinary user here: the engine is rootless")
    } else if has("name=userns") {
        t!("root in a container is an ordinary user here: userns-remap")
    } else {
        t!("root in a container is root here, held by the kernel's filters")
    };
    Outcome::pass(whose).seen(evidence()).into()
}

pub(super) fn iptables(scene: &Scene<'_>) -> Vec<Outcome> {
    let dockerd = match configured(scene) {
        Ok(dockerd) => dockerd,
        Err(outcome) => return outcome,
    };
    if dockerd.switch("iptables") == Some(false) {
        let fix = t!(
            "take iptables out of {path} and restart the engine; own rules go into the chain DOCKER-USER",
            path = dockerd.path
        );
        return Outcome::fail(t!("iptables is switched off"), fix)
            .expected("true")
            .seen(place(dockerd, "iptables"))
            .into();
    }
    Outcome::pass(t!("iptables is not switched off")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (host, beyond) in [
            ("tcp://0.0.0.0:2375", Some(true)),
            ("tcp://[::]:2375", Some(true)),
            ("tcp://server:2375", Some(true)),
            ("tcp://10.0.0.1", Some(true)),
            ("tcp://127.0.0.1:2375", Some(false)),
            ("tcp://[::1]:2375", Some(false)),
            ("tcp://localhost:2375", Some(false)),
            ("tcp://:2375", Some(false)),
            ("tcp://", Some(false)),
            ("unix:///run/docker.sock", None),
            ("fd://", None),
            ("", None),
        ] {
            assert_eq!(reach(host), beyond, "{host}");
        }
    }

    #[test]
    fn groups() {
        let text = "root:x:0:\ndocker:x:998:a,b\nodd\n";
        assert_eq!(group(text, 998), Some(("docker", "a,b")));
        assert_eq!(group(text, 1), None);
    }
}
