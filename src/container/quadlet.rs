//! The same deployment as units of Podman's Quadlet, which systemd starts and limits.

use super::desired::{Deployment, Network, Service};
use super::notes::Notes;
use crate::profile::container::Protocol;
use crate::profile::mount;
use crate::t;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its name, with its kind behind the dot.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// Where systemd looks for them.
pub const FOLDER: &str = "/etc/containers/systemd";

/// The units, and what they can't say.
pub fn units(deployment: &Deployment) -> (Vec<Unit>, Vec<String>) {
    let mut notes = Notes::default();
    let mut out: Vec<Unit> = deployment.networks.iter().map(network).collect();
    out.extend(
        deployment.volumes.iter().map(|name| Unit {
            name: format!("{name}.volume"),
            text: format!("[Volume]\nVolumeName={name}\n"),
        }),
    );
    out.extend(deployment.services.iter().map(|service| Unit {
        name: format!("{}.container", service.container),
        text: container(deployment, service),
    }));
    told(deployment, &mut notes);
    (out, notes.sentences())
}

fn network(network: &Network) -> Unit {
    let name = &network.name;
    let internal = if network.internal { "Internal=true\n" } else { "" };
    Unit {
        name: format!("{name}.network"),
        text: format!("[Network]\nNetworkName={name}\nDriver=bridge\nIPv6=false\n{internal}"),
    }
}

/// A word as systemd takes it: quoted, with its own escapes, and without the meanings of `%` and `$`.
fn word(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out += "\\n",
            '\t' => out += "\\t",
            '%' => out += "%%",
            '$' => out += "$$",
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn words<'w>(all: impl IntoIterator<Item = &'w String>) -> String {
    all.into_iter().map(|text| word(text)).collect::<Vec<_>>().join(" ")
}

fn container(deployment: &Deployment, service: &Service) -> String {
    let (fixed, limits) = (&service.fixed, &service.limits);
    let mut out = format!("[Unit]\nDescription={} ({})\n", service.name, deployment.name);
    for need in &service.needs {
        let unit = format!("{}-{need}.service", deployment.name);
        // Were it `Requires`, what ends for a moment would take down all that needs it.
        out += &format!("Wants={unit}\nAfter={unit}\n");
    }
    out += "\n[Container]\n";
    let mut line = |key: &str, value: String| out += &format!("{key}={value}\n");
    line("ContainerName", service.container.clone());
    line("HostName", service.name.clone());
    if let Some(image) = &service.image {
        line("Image", image.clone());
    }
    if !fixed.command.is_empty() {
        line("Exec", words(&fixed.command));
    }
    let (uid, gid) = mount::user(&fixed.user).unwrap_or((65534, 65534));
    line("User", uid.to_string());
    line("Group", gid.to_string());
    for (name, value) in &fixed.environment {
        line("Environment", word(&format!("{name}={value}")));
    }
    for network in &fixed.networks {
        line("Network", format!("{}.network", network.name));
    }
    // Found by its name in the profile, as with Docker.
    let mut others = vec![format!("--network-alias={}", service.name)];
    for publish in &fixed.publish {
        line("PublishPort", published(publish));
    }
    for volume in &fixed.volumes {
        let source =
            if volume.is_named() { format!("{}.volume", volume.source) } else { plain(&volume.source) };
        let read_only = if volume.read_only { ":ro" } else { "" };
        line("Volume", format!("{source}:{}{read_only}", plain(&volume.target)));
    }
    for folder in &fixed.tmpfs {
        let mode = if folder.target == "/tmp" { "1777" } else { "0777" };
        let size = folder.size.0;
        line("Tmpfs", format!("{}:rw,nosuid,nodev,noexec,mode={mode},size={size}", plain(&folder.target)));
    }
    for name in &fixed.secrets {
        line(
            "Secret",
            format!("{},type=mount,target={name},uid={uid},gid={gid},mode=0400", secret(deployment, name)),
        );
    }
    line("ReadOnly", (!fixed.writable).to_string());
    // Podman would put folders in memory where none is asked for.
    line("ReadOnlyTmpfs", "false".to_owned());
    line("DropCapability", "all".to_owned());
    for name in &fixed.capabilities {
        line("AddCapability", format!("CAP_{name}"));
    }
    line("NoNewPrivileges", "true".to_owned());
    line("RunInit", "true".to_owned());
    if let Some(test) = &fixed.health {
        if test.is_empty() {
            line("HealthCmd", "none".to_owned());
        } else {
            line("HealthCmd", plain(&serde_json::to_string(&command(test)).unwrap_or_default()));
            line("HealthInterval", "5s".to_owned());
            line("HealthTimeout", "5s".to_owned());
            line("HealthRetries", "3".to_owned());
            line("HealthStartPeriod", "2m".to_owned());
        }
    }
    if let Some(files) = fixed.nofile {
        line("Ulimit", format!("nofile={files}:{files}"));
    }
    if fixed.memlock {
        line("Ulimit", "memlock=-1:-1".to_owned());
    }
    if limits.pids > 0 {
        line("PidsLimit", limits.pids.to_string());
    }
    line("ShmSize", fixed.shm_size.to_string());
    if service.image.as_ref().is_some_and(|image| !image.contains('@')) {
        // A short name is not asked of a registry.
        others.push("--pull=never".to_owned());
    }
    others.push(format!("--stop-timeout={}", fixed.stop_timeout));
    others.extend(fixed.stop_signal.iter().map(|signal| format!("--stop-signal={signal}")));
    others.push(format!("--oom-score-adj={}", fixed.oom_score_adj));
    line("PodmanArgs", others.join(" "));
    out + &run(deployment, service)
}

/// What systemd does: starting, waiting, stopping, and the limits, which hold for the service's whole control group.
fn run(deployment: &Deployment, service: &Service) -> String {
    let limits = &service.limits;
    let mut out = String::from("\n[Service]\n");
    let mut line = |key: &str, value: String| out += &format!("{key}={value}\n");
    let restart = match limits.restart.as_str() {
        "no" => "no",
        "on-failure" => "on-failure",
        _ => "always",
    };
    line("Restart", restart.to_owned());
    line("RestartSec", "5".to_owned());
    line("TimeoutStartSec", deployment.deadline_ms.div_ceil(1000).max(1).to_string());
    line("TimeoutStopSec", (service.fixed.stop_timeout + 10).to_string());
    if service.fixed.health.as_ref().is_some_and(|test| !test.is_empty()) {
        // It counts as started once it is healthy, so that what needs it waits.
        line("ExecStartPost", format!("/usr/bin/podman wait --condition=healthy {}", service.container));
    }
    if limits.memory > 0 {
        line("MemoryMax", limits.memory.to_string());
        if limits.memory_swap > 0 {
            line("MemorySwapMax", limits.memory_swap.saturating_sub(limits.memory).to_string());
        }
    }
    if limits.memory_reservation > 0 {
        line("MemoryLow", limits.memory_reservation.to_string());
    }
    if limits.nano_cpus > 0 {
        // In per cent of one CPU.
        line("CPUQuota", format!("{}%", limits.nano_cpus.div_ceil(10_000_000)));
    }
    if limits.cpu_weight > 0 {
        line("CPUWeight", limits.cpu_weight.to_string());
    }
    out + "\n[Install]\nWantedBy=multi-user.target\n"
}

/// A path or a command without the meanings of `%` and `$`.
fn plain(text: &str) -> String {
    text.replace('%', "%%").replace('$', "$$")
}

fn published(publish: &crate::profile::container::Publish) -> String {
    let udp = if publish.protocol == Protocol::Udp { "/udp" } else { "" };
    let address = if publish.address.is_ipv6() {
        format!("[{}]", publish.address)
    } else {
        publish.address.to_string()
    };
    format!("{address}:{}:{}{udp}", publish.host_port, publish.port)
}

/// As Podman reads a list: one word alone it would hand to a shell.
fn command(test: &[String]) -> Vec<String> {
    if let [only] = test { vec!["CMD".to_owned(), only.clone()] } else { test.to_vec() }
}

fn secret(deployment: &Deployment, name: &str) -> String {
    format!("{}-{name}", deployment.name)
}

/// What the units have no words for, and what has to be there before.
fn told(deployment: &Deployment, notes: &mut Notes) {
    notes.general(t!(
        "Podman 4.9 or newer; the files go to {folder}, then: systemctl daemon-reload",
        folder = FOLDER
    ));
    let commands: Vec<String> = deployment
        .secrets
        .iter()
        .map(|name| {
            format!(
                "head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \\n' | podman secret create {} -",
                secret(deployment, name)
            )
        })
        .collect();
    notes.some(commands, |all| t!("secrets are made before: {commands}", commands = all));
    notes.general(t!(
        "Podman's internal networks still reach the host's own addresses: what listens there must be closed by the host's firewall"
    ));
    let door = Notes::names(deployment, &|s| s.fixed.networks.iter().any(|n| !n.internal && !n.masquerade));
    notes.some(door, |all| {
        t!(
            "{all} has a way out, since Podman hides every address behind the host's; close it in the host's firewall",
            all = all
        )
    });
    let folders = deployment.services.iter().filter(|s| s.fixed.tmpfs.iter().any(|f| f.target != "/tmp"));
    notes.some(folders.map(|s| s.name.clone()), |all| {
        t!(
            "folders in memory of {all} are open to all users of its container: their owner can't be written",
            all = all
        )
    });
    let made: Vec<String> = deployment.services.iter().filter_map(|s| s.image.clone()).collect();
    let mut made: Vec<String> = made.into_iter().filter(|image| !image.contains('@')).collect();
    made.sort();
    made.dedup();
    notes.some(made, |all| {
        t!("{all} must be among Podman's own images: docker save, and there: podman load", all = all)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::notes::tests::deployment;

    fn text(name: &str) -> String {
        let (units, _) = units(&deployment());
        units.into_iter().find(|unit| unit.name == name).unwrap_or_else(|| panic!("{name}")).text
    }

    #[test]
    fn systemd_holds_the_limits() {
        let database = text("town-postgres.container");
        for line in [
            "MemoryMax=1073741824",
            "MemorySwapMax=0",
            "MemoryLow=536870912",
            "CPUQuota=150%",
            "CPUWeight=200",
            "PidsLimit=128",
            "Volume=town-postgres-data.volume:/var/lib/postgresql/data",
            "ExecStartPost=/usr/bin/podman wait --condition=healthy town-postgres",
        ] {
            assert!(database.lines().any(|found| found == line), "{line} is not in:\n{database}");
        }
        assert!(database.contains("--oom-score-adj=-500"), "{database}");
        assert!(text("town-inner.network").contains("Internal=true"));
        assert!(!text("town-edge.network").contains("Internal"));
    }

    #[test]
    fn nothing_in_a_word_means_anything_to_systemd() {
        assert_eq!(word("a \"b\" \\ 5 % $HOME\n"), r#""a \"b\" \\ 5 %% $$HOME\n""#);
        assert!(text("town-proxy.container").contains(r#"Environment="PRICE=$$5 is 100 %%""#));
    }
}
