//! The checks of the processor, of the time, and of what is open to the outside.
#![allow(clippy::unwrap_used, missing_docs)]

mod audit;
mod trees;

use audit::{expect, look};
use civicum_tune::facts::engine::Engine;
use trees::Tree;

const PROFILE: &str = "name = \"p\"\n";

#[track_caller]
fn check(tree: &Tree, id: &str, expected: &[&str]) {
    expect(id, &look(tree, PROFILE, &Engine::Unasked, id), expected);
}

fn put_cpu(tree: &Tree, vendor: &str, family: u32, model: u32, flags: &str) {
    let one = |n: u32| {
        format!(
            "processor\t: {n}\nvendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: {model}\nmodel name\t: X\nflags\t\t: fpu {flags}\n\n"
        )
    };
    tree.put("proc/cpuinfo", (0..4).map(one).collect::<String>());
}

const V3: &str = "avx avx2 fma f16c bmi2";

#[test]
fn instructions() {
    let usable = format!("{V3} avx512f avx512bw");
    let hypervisor = format!("{V3} hypervisor");
    for (vendor, family, model, flags, expected) in [
        (
            "AuthenticAMD",
            25,
            17,
            usable.as_str(),
            ["pass: avx512f", "pass: avx512f", "pass: X, family 25", "pass: avx"],
        ),
        ("AuthenticAMD", 25, 17, V3, ["n/a: ", "warn: ", "pass: ", "pass: "]),
        ("AuthenticAMD", 25, 17, hypervisor.as_str(), ["n/a: ", "warn: ", "pass: ", "pass: "]),
        (
            "AuthenticAMD",
            25,
            1,
            V3,
            ["n/a: no AVX-512", "n/a: this generation", "warn: this generation", "pass: "],
        ),
        ("GenuineIntel", 6, 0x6a, V3, ["n/a: ", "warn: ", "pass: ", "pass: "]),
        ("GenuineIntel", 6, 0x4f, V3, ["n/a: ", "n/a: ", "warn: ", "pass: "]),
        ("GenuineIntel", 6, 0x9a, V3, ["n/a: ", "?: ", "?: ", "pass: "]),
        ("GenuineIntel", 6, 0x3a, "avx", ["n/a: ", "?: ", "?: ", "fail: missing: avx2 fma f16c"]),
        ("", 0, 0, "", ["n/a: this is not an x86 processor"; 4]),
    ] {
        let tree = Tree::base();
        put_cpu(&tree, vendor, family, model, flags);
        for (id, expected) in ["CT-CPU-001", "CT-CPU-002", "CT-CPU-003", "CT-CPU-004"].iter().zip(expected) {
            check(&tree, id, &[expected]);
        }
    }
    for id in ["CT-CPU-001", "CT-CPU-002", "CT-CPU-003", "CT-CPU-004"] {
        check(&Tree::base(), id, &["?: /proc/cpuinfo is not here"]);
    }
}

#[test]
fn as_many_cpus() {
    let tree = Tree::base();
    let profile = "name = \"p\"\n[services.a]\ncpus = 4\nmemory = \"64MiB\"\n[services.b]\ncpus = 4.5\nmemory = \"64MiB\"\n";
    let id = "CT-CPU-005";
    check(&tree, id, &["n/a: "]);
    expect(id, &look(&tree, profile, &Engine::Unasked, id), &["?: "]);
    put_cpu(&tree, "AuthenticAMD", 25, 17, V3);
    expect(id, &look(&tree, profile, &Engine::Unasked, id), &["fail b: 4.5 CPUs, and the host has 4"]);
    let profile = "name = \"p\"\n[services.a]\ncpus = 4\nmemory = \"64MiB\"\n";
    expect(id, &look(&tree, profile, &Engine::Unasked, id), &["pass: 4 CPUs"]);
}

#[test]
fn stolen_time() {
    let id = "CT-CPU-006";
    let tree = Tree::base();
    check(&tree, id, &["?: /proc/stat is not here"]);
    tree.put("proc/stat", "cpu  100 0 0 850 0 0 0 50 0 0\ncpu0 1\n");
    check(&tree, id, &["n/a: there is no hypervisor"]);
    put_cpu(&tree, "AuthenticAMD", 25, 17, "hypervisor");
    check(&tree, id, &["?: /proc/uptime is not here"]);
    tree.put("proc/uptime", "599.00 1.0\n");
    check(&tree, id, &["?: the host was booted"]);
    tree.put("proc/uptime", "86400.12 1.0\n");
    check(&tree, id, &["warn: 5.0 %"]);
    tree.put("proc/stat", "cpu  100 0 0 851 0 0 0 49 0 0\n");
    check(&tree, id, &["pass: 4.9 %"]);
    tree.put("proc/stat", "nonsense\n");
    check(&tree, id, &["?: /proc/stat does not tell"]);
    tree.put("run/systemd/container", "lxc\n");
    check(&tree, id, &["n/a: this is a lxc container"]);
}

#[test]
fn nodes_and_frequencies() {
    let tree = Tree::base();
    check(&tree, "CT-CPU-007", &["?: "]);
    check(&tree, "CT-CPU-008", &["?: "]);
    tree.put("sys/devices/system/node/node0/cpulist", "0-3\n");
    tree.put("sys/devices/system/cpu/online", "0-3\n");
    put_cpu(&tree, "AuthenticAMD", 25, 17, V3);
    check(&tree, "CT-CPU-007", &["pass: NUMA nodes: 1"]);
    check(&tree, "CT-CPU-008", &["n/a: "]);
    tree.put("sys/devices/system/node/node1/cpulist", "4-7\n");
    check(&tree, "CT-CPU-007", &["warn: NUMA nodes: 2"]);
    let policy =
        |file: &str, text: &str| tree.put(&format!("sys/devices/system/cpu/cpufreq/policy0/{file}"), text);
    for (driver, governor, preference, expected) in [
        ("acpi-cpufreq", "schedutil", "", "pass: acpi-cpufreq: schedutil"),
        ("acpi-cpufreq", "powersave", "", "warn: powersave"),
        (
            "intel_pstate",
            "powersave",
            "balance_performance",
            "pass: intel_pstate: powersave balance_performance",
        ),
        ("amd-pstate-epp", "powersave", "power", "warn: power"),
        ("amd-pstate-epp", "performance", "performance", "pass: "),
        ("intel_cpufreq", "powersave", "", "warn: "),
    ] {
        policy("scaling_driver", driver);
        policy("scaling_governor", governor);
        policy("energy_performance_preference", preference);
        check(&tree, "CT-CPU-008", &[expected]);
    }
}

#[test]
fn who_sets_the_clock() {
    let id = "CT-TIME-001";
    let tree = Tree::base();
    check(&tree, id, &["?: /usr/lib/systemd/system/basic.target is not here"]);
    tree.put("usr/lib/systemd/system/basic.target", "");
    check(&tree, id, &["warn: no program that sets the clock"]);
    tree.put("usr/lib/systemd/systemd-timesyncd", "");
    check(&tree, id, &["warn: systemd-timesyncd is installed, and is not started"]);
    let link = "etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service";
    tree.link(link, "/usr/lib/systemd/system/systemd-timesyncd.service");
    check(&tree, id, &["pass: systemd-timesyncd is started at boot"]);
    tree.link("etc/systemd/system/systemd-timesyncd.service", "/dev/null");
    check(&tree, id, &["warn: systemd-timesyncd"]);
    tree.put("usr/sbin/chronyd", "");
    tree.link(
        "etc/systemd/system/multi-user.target.wants/chrony.service",
        "/usr/lib/systemd/system/chrony.service",
    );
    check(&tree, id, &["pass: chrony"]);
    check(&tree, "CT-TIME-002", &["n/a: only a running kernel"]);
    let old = Tree::base();
    old.put("proc/1/comm", "init\n");
    old.put("usr/sbin/ntpd", "");
    check(&old, id, &["warn: ntpsec is installed"]);
    old.put("etc/rc2.d/S01ntpsec", "");
    check(&old, id, &["pass: ntpsec"]);
    old.put("run/systemd/container", "lxc\n");
    for id in ["CT-TIME-001", "CT-TIME-002", "CT-TIME-003"] {
        check(&old, id, &["n/a: this is a lxc container"]);
    }
}

#[test]
fn clock_sources() {
    let tree = Tree::base();
    check(&tree, "CT-TIME-003", &["?: "]);
    for (name, expected) in
        [("tsc", "pass: tsc"), ("kvm-clock", "pass: "), ("hpet", "warn: hpet"), ("acpi_pm", "warn: ")]
    {
        tree.put("sys/devices/system/clocksource/clocksource0/current_clocksource", format!("{name}\n"));
        check(&tree, "CT-TIME-003", &[expected]);
    }
}

const HEAD: &str = "  sl  local_address rem_address   st\n";

/// A listener in the kernel's words.
fn line(address: &str, port: u16, inode: u32) -> String {
    format!(
        "   0: {address}:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 {inode} 1\n"
    )
}

#[test]
fn open_ports() {
    let tree = Tree::base();
    for id in ["CT-NET-001", "CT-NET-002", "CT-NET-003"] {
        check(&tree, id, &["?: /proc/net/tcp is not here"]);
    }
    tree.put(
        "proc/net/tcp",
        HEAD.to_owned() + &line("0100007F", 5432, 1) + &line("00000000", 22, 2) + &line("0500000A", 6379, 3),
    );
    for id in ["CT-NET-001", "CT-NET-002", "CT-NET-003"] {
        check(&tree, id, &["pass: nobody listens outside on"]);
    }
    tree.put(
        "proc/net/tcp",
        HEAD.to_owned()
            + &line("00000000", 5432, 11)
            + &line("00000000", 11434, 12)
            + &line("00000000", 9100, 13),
    );
    tree.put("proc/net/tcp6", HEAD.to_owned() + &line(&"0".repeat(32), 5432, 14));
    tree.put("proc/77/comm", "postgres\n");
    tree.link("proc/77/fd/3", "socket:[11]");
    check(
        &tree,
        "CT-NET-001",
        &["fail PostgreSQL: port 5432 is open on 0.0.0.0, ::, by postgres (process 77)"],
    );
    check(&tree, "CT-NET-002", &["fail Ollama: port 11434 is open on 0.0.0.0"]);
    check(&tree, "CT-NET-003", &["warn node_exporter: "]);
    tree.put("etc/ufw/ufw.conf", "# x\nENABLED=yes\n");
    check(
        &tree,
        "CT-NET-001",
        &["warn PostgreSQL: port 5432 is open on 0.0.0.0, ::, by postgres (process 77); ufw is on"],
    );
    tree.put("run/systemd/container", "docker\n");
    check(&tree, "CT-NET-001", &["n/a: a docker container"]);
}

#[test]
fn a_model_on_another_port() {
    let tree = Tree::base();
    tree.put("proc/net/tcp", HEAD.to_owned() + &line("00000000", 8080, 11) + &line("00000000", 80, 12));
    tree.put("proc/77/comm", "llama-server\n");
    tree.link("proc/77/fd/3", "socket:[11]");
    tree.link("proc/77/fd/4", "/dev/null");
    tree.put("proc/78/comm", "nginx\n");
    tree.link("proc/78/fd/3", "socket:[12]");
    check(
        &tree,
        "CT-NET-002",
        &["fail llama-server: port 8080 is open on 0.0.0.0, by llama-server (process 77)"],
    );
}

#[test]
fn published_ports() {
    let proxy = |address: &str, port: u16| {
        format!("/usr/bin/docker-proxy -proto tcp -host-ip {address} -host-port {port} -container-ip 172.18.0.2 -container-port 80 ").replace(' ', "\0")
    };
    let tree = Tree::base();
    check(&tree, "CT-NET-004", &["n/a: Docker is not"]);
    check(&tree, "CT-NET-005", &["n/a: ufw is not"]);
    tree.put("usr/bin/dockerd", "");
    check(&tree, "CT-NET-004", &["?: /proc/net/tcp is not here"]);
    tree.put("proc/net/tcp", HEAD.to_owned() + &line("0100007F", 8081, 1) + &line("00000000", 8080, 2));
    tree.put("proc/50/comm", "docker-proxy\n");
    tree.put("proc/50/cmdline", proxy("127.0.0.1", 8081));
    check(&tree, "CT-NET-004", &["pass: nothing is published beyond"]);
    tree.put("proc/51/comm", "docker-proxy\n");
    tree.put("proc/51/cmdline", proxy("0.0.0.0", 8080));
    check(&tree, "CT-NET-004", &["warn 8080, 0.0.0.0: 0.0.0.0"]);
    tree.put("etc/ufw/ufw.conf", "ENABLED=yes\n");
    check(&tree, "CT-NET-005", &["warn 8080, 0.0.0.0: ufw is on, and port 8080"]);
    tree.put("etc/ufw/after.rules", "*filter\n:DOCKER-USER - [0:0]\n");
    check(&tree, "CT-NET-005", &["pass: ufw's rules are in the chain"]);
    let open = "name = \"p\"\n[sovereignty]\npublish_address = \"0.0.0.0\"\n";
    expect(
        "CT-NET-004",
        &look(&tree, open, &Engine::Unasked, "CT-NET-004"),
        &["n/a: the profile publishes on 0.0.0.0"],
    );
    tree.put("etc/docker/daemon.json", "{\"userland-proxy\": false}");
    check(&tree, "CT-NET-004", &["?: userland-proxy"]);
}
