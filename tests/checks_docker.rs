//! The checks of the Docker engine: its answers are given, its configuration lies in trees.
#![allow(clippy::unwrap_used, missing_docs)]

mod audit;
mod trees;

use audit::{expect, look};
use civicum_tune::check::all;
use civicum_tune::facts::engine::{Engine, EngineInfo, Silence, Trouble};
use trees::Tree;

const PROFILE: &str = "name = \"p\"\n";

fn healthy() -> EngineInfo {
    EngineInfo {
        socket: "/run/docker.sock".into(),
        version: "28.2.2".into(),
        api: "1.50".into(),
        storage_driver: "overlay2".into(),
        logging_driver: "local".into(),
        cgroup_driver: "systemd".into(),
        cgroup_version: "2".into(),
        live_restore: true,
        root_dir: "/var/lib/docker".into(),
        security_options: ["name=seccomp,profile=builtin", "name=cgroupns"].map(str::to_owned).into(),
        memory_limit: true,
        swap_limit: true,
        pids_limit: true,
        cpu_quota: true,
        ..EngineInfo::default()
    }
}

fn with(change: impl FnOnce(&mut EngineInfo)) -> Engine {
    let mut info = healthy();
    change(&mut info);
    Engine::Answered(Box::new(info))
}

/// A host with Docker, and with this `daemon.json`.
fn tree(daemon_json: Option<&str>) -> Tree {
    let tree = Tree::base();
    tree.put("usr/bin/dockerd", "");
    tree.put("proc/self/mountinfo", "22 1 254:1 / / rw - ext4 /dev/vda1 rw\n");
    if let Some(text) = daemon_json {
        tree.put("etc/docker/daemon.json", text);
    }
    tree
}

#[track_caller]
fn check(tree: &Tree, engine: &Engine, id: &str, expected: &[&str]) {
    expect(id, &look(tree, PROFILE, engine, id), expected);
}

#[test]
fn without_docker_nothing_applies() {
    let tree = Tree::base();
    for check in all().filter(|check| check.area() == "DOCKER") {
        expect(
            check.id,
            &look(&tree, PROFILE, &Engine::Absent, check.id),
            &["n/a: Docker is not on this host"],
        );
    }
}

#[test]
fn a_healthy_engine_passes() {
    let tree = tree(Some("{ \"log-driver\": \"local\", \"live-restore\": true }"));
    for check in all().filter(|check| check.area() == "DOCKER") {
        // A tree has no socket whose mode could be looked at.
        let expected = if check.id == "CT-DOCKER-017" { "n/a: " } else { "pass: " };
        expect(check.id, &look(&tree, PROFILE, &with(|_| ()), check.id), &[expected]);
    }
}

#[test]
fn what_does_not_answer() {
    let tree = tree(None);
    let silent = |trouble| {
        let detail = if trouble == Trouble::NotAnEngine { "bytes".into() } else { String::new() };
        Engine::Silent(Silence { socket: "/run/docker.sock".into(), trouble, detail })
    };
    check(&tree, &Engine::Unasked, "CT-DOCKER-001", &["n/a: only an engine"]);
    check(&tree, &Engine::Absent, "CT-DOCKER-001", &["warn: Docker is installed, and"]);
    for (trouble, expected) in [
        (Trouble::NoPermission, "?: only root and the group of /run/docker.sock may ask"),
        (Trouble::Asleep, "?: the engine sleeps"),
        (Trouble::NoSocket, "warn: DOCKER_HOST names"),
        (Trouble::Refused, "fail: nobody listens"),
        (Trouble::NoAnswer, "fail: no answer within 2 s"),
        (Trouble::NotAnEngine, "warn: what answers on /run/docker.sock is not an engine: bytes"),
    ] {
        check(&tree, &silent(trouble), "CT-DOCKER-001", &[expected]);
        check(&tree, &silent(trouble), "CT-DOCKER-002", &["?: "]);
    }
    // Nobody to ask: what only files tell is told all the same.
    for (id, expected) in [
        ("CT-DOCKER-004", "pass: "),
        ("CT-DOCKER-005", "warn: json-file without max-size"),
        ("CT-DOCKER-006", "warn: live-restore is off"),
        ("CT-DOCKER-007", "n/a: "),
        ("CT-DOCKER-008", "pass: /var/lib/docker lies on ext4"),
        ("CT-DOCKER-012", "n/a: "),
        ("CT-DOCKER-013", "n/a: there is no /etc/docker/daemon.json"),
        ("CT-DOCKER-016", "pass: no tcp:// address"),
        ("CT-DOCKER-019", "pass: "),
    ] {
        check(&tree, &Engine::Unasked, id, &[expected]);
    }
}

#[test]
fn old_engines() {
    let tree = tree(None);
    for (version, api, floor, loopback) in [
        ("20.10.24+dfsg1", "1.41", "warn: Engine 20.10.24+dfsg1, API 1.41", "warn: "),
        ("24.0.7", "1.43", "warn: ", "warn: "),
        ("25.0.0", "1.44", "pass: ", "warn: "),
        ("26.1.5+dfsg1", "1.45", "pass: ", "warn: "),
        ("28.0.0-rc.1", "1.48", "pass: ", "pass: "),
        ("29.1.0", "", "pass: ", "pass: "),
        ("dev", "", "?: the version dev", "?: the version dev"),
    ] {
        let engine = with(|info| (info.version, info.api) = (version.into(), api.into()));
        check(&tree, &engine, "CT-DOCKER-002", &[floor]);
        check(&tree, &engine, "CT-DOCKER-003", &[loopback]);
    }
}

#[test]
fn the_snap() {
    let tree = Tree::base();
    tree.put("snap/bin/docker", "");
    tree.put("var/snap/docker/current/config/daemon.json", "{ \"live-restore\": true }");
    check(&tree, &Engine::Unasked, "CT-DOCKER-004", &["fail: Docker's snap is installed"]);
    check(&tree, &Engine::Unasked, "CT-DOCKER-006", &["pass: "]);
}

#[test]
fn logs() {
    for (json, driver, expected) in [
        ("{}", "json-file", "warn: json-file without max-size"),
        ("{\"log-opts\":{\"max-file\":\"3\"}}", "json-file", "warn: "),
        ("{\"log-opts\":{\"max-size\":\"10m\"}}", "json-file", "pass: json-file, 10m"),
        ("{\"log-opts\":{\"max-size\":\"-1\"}}", "json-file", "warn: json-file with max-size -1"),
        ("{\"log-driver\":\"local\"}", "local", "pass: local, 100 MB"),
        ("{\"log-driver\":\"local\",\"log-opts\":{\"max-size\":\"-1\"}}", "local", "warn: local with"),
        ("{\"log-driver\":\"journald\"}", "journald", "pass: journald"),
        ("{\"log-driver\":\"syslog\"}", "syslog", "pass: syslog"),
        // The file was changed, and the engine still runs with what it was.
        ("{\"log-driver\":\"local\"}", "json-file", "warn: "),
        ("{", "json-file", "?: /etc/docker/daemon.json can't be understood"),
    ] {
        let tree = tree(Some(json));
        check(&tree, &with(|info| info.logging_driver = driver.into()), "CT-DOCKER-005", &[expected]);
    }
    let elsewhere = with(|info| info.socket = "/run/user/1000/docker.sock".into());
    check(&tree(Some("{}")), &elsewhere, "CT-DOCKER-005", &["?: the engine on /run/user/1000/docker.sock"]);
    let by_flag = tree(None);
    by_flag.put(
        "usr/lib/systemd/system/docker.service",
        "[Service]\nExecStart=/usr/bin/dockerd -H fd:// --log-opt max-size=5m\n",
    );
    check(&by_flag, &Engine::Unasked, "CT-DOCKER-005", &["pass: json-file, 5m"]);
}

#[test]
fn live_restore() {
    let off = with(|info| info.live_restore = false);
    check(&tree(None), &off, "CT-DOCKER-006", &["warn: "]);
    let swarm = with(|info| (info.live_restore, info.swarm) = (false, true));
    check(&tree(None), &swarm, "CT-DOCKER-006", &["n/a: a swarm"]);
}

#[test]
fn storage() {
    for (driver, expected) in [
        ("overlay2", "pass: "),
        ("overlayfs", "pass: "),
        ("zfs", "pass: "),
        ("vfs", "fail: vfs"),
        ("devicemapper", "fail: "),
        ("aufs", "fail: "),
        ("else", "?: we do not know"),
    ] {
        check(&tree(None), &with(|info| info.storage_driver = driver.into()), "CT-DOCKER-007", &[expected]);
    }
    check(&tree(Some("{\"storage-driver\":\"vfs\"}")), &Engine::Unasked, "CT-DOCKER-007", &["fail: vfs"]);
    for (fstype, expected) in [
        ("ext4", "pass: "),
        ("xfs", "pass: "),
        ("tmpfs", "fail: /var/lib/docker lies on tmpfs"),
        ("nfs4", "warn: "),
        ("overlay", "warn: "),
    ] {
        let tree = tree(None);
        let text = format!("22 1 254:1 / / rw - ext4 a rw\n30 22 0:1 / /var/lib/docker rw - {fstype} b rw\n");
        tree.put("proc/self/mountinfo", text);
        check(&tree, &with(|_| ()), "CT-DOCKER-008", &[expected]);
    }
    let blind = Tree::base();
    blind.put("usr/bin/dockerd", "");
    check(&blind, &Engine::Unasked, "CT-DOCKER-008", &["?: /proc/self/mountinfo is not here"]);
}

#[test]
fn control_groups() {
    let tree = tree(None);
    for (version, driver, of_version, of_driver) in [
        ("2", "systemd", "pass: 2", "pass: systemd"),
        ("2", "cgroupfs", "pass: ", "warn: cgroupfs"),
        ("2", "none", "pass: ", "fail: none"),
        ("1", "cgroupfs", "warn: 1", "n/a: on cgroup v1"),
        ("", "", "?: ", "?: "),
    ] {
        let engine = with(|info| {
            (info.cgroup_version, info.cgroup_driver) = (version.into(), driver.into());
        });
        check(&tree, &engine, "CT-DOCKER-009", &[of_version]);
        check(&tree, &engine, "CT-DOCKER-010", &[of_driver]);
    }
    let engine = with(|info| (info.memory_limit, info.swap_limit) = (false, false));
    check(&tree, &engine, "CT-DOCKER-011", &["fail MemoryLimit: ", "warn SwapLimit: "]);
    let inside = Tree::base();
    inside.put("usr/bin/dockerd", "");
    inside.put("run/systemd/container", "lxc\n");
    check(&inside, &with(|info| info.cgroup_version = "1".into()), "CT-DOCKER-009", &["n/a: this is a lxc"]);
}

#[test]
fn warnings_of_its_own() {
    let of = |texts: &[&str]| with(|info| info.warnings = texts.iter().map(|t| (*t).to_owned()).collect());
    let tree = tree(None);
    check(
        &tree,
        &of(&["WARNING: No io.weight support", "WARNING: No swap limit support"]),
        "CT-DOCKER-012",
        &["pass: "],
    );
    let engine = of(&["WARNING: bridge-nf-call-iptables is disabled", "WARNING: No cpuset support"]);
    check(&tree, &engine, "CT-DOCKER-012", &["warn: bridge-nf-call", "warn: No cpuset support"]);
}

#[test]
fn daemon_json() {
    for (text, expected) in [
        ("{}", "pass: 0 keys"),
        ("", "pass: 0 keys"),
        ("{\n  \"debug\": true,\n}\n", "fail: line 3, column 1: trailing comma"),
        ("[]", "fail: line 1, column 1: "),
        ("{ 'a': 1 }", "fail: line 1, column 3: "),
        ("\u{1b}[31m", "fail: line 1, column 1: "),
    ] {
        check(&tree(Some(text)), &Engine::Unasked, "CT-DOCKER-013", &[expected]);
    }
}

#[test]
fn set_twice() {
    let unit =
        "[Service]\nExecStart=/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock\n";
    let stock = tree(Some("{ \"hosts\": [\"unix:///run/docker.sock\"], \"debug\": true }"));
    stock.put("usr/lib/systemd/system/docker.service", unit);
    check(&stock, &Engine::Unasked, "CT-DOCKER-014", &["fail hosts: hosts is in daemon.json"]);
    // The drop-in that the documentation recommends.
    stock.put(
        "etc/systemd/system/docker.service.d/override.conf",
        "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd\n",
    );
    check(&stock, &Engine::Unasked, "CT-DOCKER-014", &["pass: "]);
    let options = tree(Some("{ \"log-opts\": {} }"));
    options.put("etc/default/docker", "DOCKER_OPTS=\"--log-opt max-size=1m\"\n");
    options.put(
        "usr/lib/systemd/system/docker.service",
        "[Service]\nExecStart=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS\n",
    );
    check(&options, &Engine::Unasked, "CT-DOCKER-014", &["fail log-opts: "]);
}

#[test]
fn changed_since_the_start() {
    let same = tree(Some(
        "{ \"log-driver\": \"local\", \"storage-driver\": \"overlay2\", \"data-root\": \"/var/lib/docker/\" }",
    ));
    check(&same, &with(|_| ()), "CT-DOCKER-015", &["pass: 3 settings are in force"]);
    let other = tree(Some(
        "{\n\"log-driver\": \"journald\",\n\"live-restore\": false, \"data-root\": \"/srv/docker\",\n\"exec-opts\": [\"native.cgroupdriver=cgroupfs\"] }",
    ));
    check(
        &other,
        &with(|_| ()),
        "CT-DOCKER-015",
        &[
            "warn log-driver: local",
            "warn live-restore: true",
            "warn exec-opts: systemd",
            "warn data-root: /var/lib/docker",
        ],
    );
    // A link to where it runs is no change.
    let linked = tree(Some("{ \"data-root\": \"/docker\" }"));
    linked.put("var/lib/docker/x", "");
    linked.link("docker", "var/lib/docker");
    check(&linked, &with(|_| ()), "CT-DOCKER-015", &["pass: "]);
}

#[test]
fn on_the_network() {
    let by_flag = |flags: &str| {
        let tree = tree(None);
        tree.put(
            "etc/systemd/system/docker.service",
            format!("[Service]\nExecStart=/usr/bin/dockerd {flags}\n"),
        );
        tree
    };
    for (flags, expected) in [
        ("-H fd://", "pass: no tcp://"),
        ("-H tcp://0.0.0.0:2375", "fail: tcp://0.0.0.0:2375 without tlsverify"),
        ("-H tcp://0.0.0.0:2376 --tls", "fail: "),
        ("-H tcp://0.0.0.0:2376 --tlsverify --tlscacert=/c", "pass: on TCP, and tlsverify"),
        ("-H tcp://127.0.0.1:2375", "warn: "),
    ] {
        check(&by_flag(flags), &Engine::Unasked, "CT-DOCKER-016", &[expected]);
    }
    let by_file = tree(Some("{\n  \"hosts\": [\"fd://\", \"tcp://[::]:2375\"]\n}"));
    let found = look(&by_file, PROFILE, &Engine::Unasked, "CT-DOCKER-016");
    expect("CT-DOCKER-016", &found, &["fail: tcp://[::]:2375"]);
    assert_eq!(found[0].evidence[0].to_string(), "/etc/docker/daemon.json:2: tcp://[::]:2375");
    let listening = tree(None);
    listening.put("proc/net/tcp", "head\n 0: 00000000:0947 00000000:0000 0A 0:0 00:0 0 0 0 1 1\n");
    check(&listening, &Engine::Unasked, "CT-DOCKER-016", &["fail: port 2375 is open on 0.0.0.0"]);
    let warns = with(|info| {
        info.warnings = vec!["WARNING: API is accessible on http://0.0.0.0:9 without encryption.".into()];
    });
    check(&tree(None), &warns, "CT-DOCKER-016", &["fail: WARNING: API is accessible"]);
    check(&tree(Some("{")), &Engine::Unasked, "CT-DOCKER-016", &["?: "]);
}

#[test]
fn confinement() {
    let of = |options: &[&str]| {
        with(|info| info.security_options = options.iter().map(|t| (*t).to_owned()).collect())
    };
    let plain = tree(None);
    check(&plain, &of(&[]), "CT-DOCKER-018", &["warn seccomp: "]);
    check(&plain, &of(&["name=seccomp,profile=unconfined"]), "CT-DOCKER-018", &["warn seccomp: "]);
    check(
        &plain,
        &of(&["name=seccomp,profile=default", "name=rootless"]),
        "CT-DOCKER-018",
        &["pass: root in a container is an ordinary user"],
    );
    let apparmor = tree(None);
    apparmor.put("sys/module/apparmor/parameters/enabled", "Y\n");
    check(&apparmor, &of(&["name=seccomp,profile=default"]), "CT-DOCKER-018", &["warn AppArmor: "]);
    check(
        &apparmor,
        &of(&["name=apparmor", "name=seccomp,profile=default"]),
        "CT-DOCKER-018",
        &["pass: root in a container is root here"],
    );
    check(
        &tree(Some("{\"iptables\": false}")),
        &Engine::Unasked,
        "CT-DOCKER-019",
        &["fail: iptables is switched off"],
    );
}
