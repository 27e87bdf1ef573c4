//! What `render` makes is read by those for whom it is made: Docker's own CLI, the published schemas of Kubernetes, Podman's
//! quadlet. `tests/engine/fetch-renderers.sh` brings the latter two.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

#[path = "support/must.rs"]
mod must;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use must::skipped;
use serde_json::Value;

const PROFILE: &str = r#"
name = "town"
[deployment]
name = "town"
deadline = "90s"
[sovereignty]
public = ["proxy"]
[services.postgres]
memory = "1GiB"
memory_swap = "1GiB"
memory_reservation = "512MiB"
cpus = 1.5
cpu_weight = 200
oom_score_adj = -500
pids = 128
shm_size = "128MiB"
nofile = 4096
[services.postgres.settings]
work_mem = "8MB"
[services.llm]
role = "llama-server"
model = "/srv/model.gguf"
memory = "4GiB"
memlock = true
[services.proxy]
image = "civicum/proxy"
memory = "64MiB"
needs = ["llm"]
publish = ["0.0.0.0:443:8080", "127.0.0.1:8081:8080"]
capabilities = ["NET_BIND_SERVICE"]
[services.proxy.environment]
PRICE = "$5 is 100 % ${HOME} \"q\" back\\slash $(HOME)"
[services.extra]
image = "civicum/extra"
memory = "64MiB"
restart = "on-failure"
command = ["sh", "-c", "echo \"$HOME\" 'x' %n; sleep 9"]
volumes = ["shared_1:/data", "/srv/in:/in:ro"]
health = ["true"]
"#;

struct Room(tempfile::TempDir);

impl Room {
    fn new() -> Self {
        let room = Self(tempfile::tempdir().unwrap());
        fs::write(room.path("profile.toml"), PROFILE).unwrap();
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn render(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
        command.arg("--profile").arg(self.path("profile.toml")).arg("render").args(args);
        command.env("LC_ALL", "C.UTF-8").output().unwrap()
    }

    /// A file of it, whose head tells what standard error told.
    fn file(&self, kind: &str) -> PathBuf {
        let output = self.render(&[kind]);
        assert!(output.status.success(), "{output:?}");
        let (text, told) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(told.lines().count() > 3, "{told}");
        for line in told.lines() {
            assert!(text.contains(&format!("# - {line}\n")), "{line} is not in the file");
        }
        let path = self.path(kind);
        fs::write(&path, text).unwrap();
        path
    }
}

/// A tool that `fetch-renderers.sh` has brought, or that the system has.
fn tool(name: &str, elsewhere: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("CIVICUM_TUNE_CACHE").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/civicum-tune"),
        PathBuf::from,
    );
    let found =
        [cache.join("renderers/bin").join(name), PathBuf::from(elsewhere)].into_iter().find(|p| p.exists());
    if found.is_none() {
        eprintln!("skipped: there is no {name}; tests/engine/fetch-renderers.sh brings it");
    }
    found
}

/// An engine refuses such a file: it is printed, and no success.
#[test]
fn a_service_without_an_image_is_trouble() {
    let room = Room::new();
    let text = PROFILE.replace("image = \"civicum/extra\"\n", "");
    fs::write(room.path("profile.toml"), text).unwrap();
    let folder = room.path("units");
    fs::create_dir(&folder).unwrap();
    let units = folder.to_str().unwrap();
    for args in
        [&["compose", "-q"][..], &["swarm"], &["kubernetes"], &["systemd"], &["systemd", "--output", units]]
    {
        let output = room.render(args);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
        assert!(told.contains("error: extra has no image: write services.extra.image"), "{args:?}: {told}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(args.len() > 2 || text.contains("# extra has no image"), "{args:?}: {text}");
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
}

#[test]
fn docker_reads_the_stack() {
    let room = Room::new();
    let file = room.file("swarm");
    let read = Command::new("docker").args(["stack", "config", "-c"]).arg(&file).output();
    let Ok(read) = read else {
        skipped("docker", "there is no docker");
        return;
    };
    let told = String::from_utf8_lossy(&read.stderr).into_owned();
    if told.contains("is not a docker command")
        || told.contains("unknown command")
        || told.contains("unknown shorthand flag")
    {
        eprintln!("skipped: this docker has no `stack config`");
        return;
    }
    assert!(read.status.success(), "{told}");
    assert!(!told.contains("unsupported"), "{told}");
    let text = String::from_utf8(read.stdout).unwrap();
    for line in [
        "PRICE: $5 is 100 % ${HOME} \"q\" back\\slash $(HOME)",
        "memory: \"1073741824\"",
        "- node.labels.civicum-tune.data == town",
        "internal: true",
        "order: stop-first",
        "external: true",
        "o: rw,nosuid,nodev,noexec,mode=0750,uid=999,gid=999,size=16777216",
        "nocopy: true",
    ] {
        assert!(text.lines().any(|found| found.trim() == line), "{line} is not in:\n{text}");
    }
    assert!(!text.contains("8081"), "a port for this host alone is not opened to all");
}

#[test]
fn the_published_schemas_hold_the_manifests() {
    let room = Room::new();
    let file = room.file("kubernetes");
    let list: Value =
        serde_json::from_slice(&room.render(&["kubernetes", "--format", "json"]).stdout).unwrap();
    let items = list["items"].as_array().unwrap();
    for item in
        items.iter().filter(|item| ["Deployment", "StatefulSet"].contains(&item["kind"].as_str().unwrap()))
    {
        let pod = &item["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{item:#}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        let own = &pod["containers"][0]["securityContext"];
        assert_eq!(own["readOnlyRootFilesystem"], true);
        assert_eq!(own["capabilities"]["drop"][0], "ALL");
        assert!(!pod.to_string().contains("valueFrom"), "a secret is a file, and no variable");
    }
    assert!(items.iter().all(|item| item["kind"] != "Secret"), "secrets are named, and not written down");
    let Some(validator) = tool("kubernetes-validate", "/usr/bin/kubernetes-validate") else { return };
    let read = Command::new(validator).arg("--strict").arg(&file).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let told = [read.stdout, read.stderr].concat();
    let passed = String::from_utf8_lossy(&told).lines().filter(|line| line.contains(" passed ")).count();
    assert_eq!(passed, items.len());
}

#[test]
fn quadlet_reads_the_units() {
    let room = Room::new();
    room.file("systemd");
    let folder = room.path("units");
    let output = room.render(&["systemd", "--output", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "a folder that is not there is not made up: {output:?}");
    fs::create_dir(&folder).unwrap();
    let output = room.render(&["systemd", "--output", folder.to_str().unwrap()]);
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    let Some(quadlet) = tool("quadlet", "/usr/libexec/podman/quadlet") else { return };
    let read = Command::new(quadlet).arg("--dryrun").env("QUADLET_UNIT_DIRS", &folder).output().unwrap();
    let told = String::from_utf8_lossy(&read.stderr).into_owned();
    assert!(read.status.success(), "{told}");
    let strange =
        |line: &&str| !line.contains("Loading source unit") && !line.contains("not a fully qualified");
    assert_eq!(told.lines().find(strange), None);
    let text = String::from_utf8(read.stdout).unwrap();
    let made = fs::read_dir(&folder).unwrap().count();
    assert_eq!(text.lines().filter(|line| line.starts_with("---")).count(), made, "a service for each unit");
    let start = |name: &str| {
        let unit = text.split(&format!("---{name}.service---")).nth(1).unwrap();
        unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap().to_owned()
    };
    // As systemd takes its words: `$$` is a dollar, `%%` a per cent.
    let extra = start("town-extra");
    assert!(extra.ends_with(r#"civicum/extra sh -c "echo \"$$HOME\" 'x' %%n; sleep 9""#), "{extra}");
    let proxy = start("town-proxy");
    assert!(proxy.contains(r#"--env "PRICE=$$5 is 100 %% $${HOME} \"q\" back\\slash $$(HOME)""#), "{proxy}");
    for part in [
        "--read-only",
        "--cap-drop all",
        "--security-opt=no-new-privileges",
        "--user 33:33",
        "--publish 127.0.0.1:8081:8080",
        "--network town-inner --network town-edge",
        "--pull=never",
    ] {
        assert!(proxy.contains(part), "{part} is not in {proxy}");
    }
}

#[test]
fn a_folder_is_not_filled_through_a_link() {
    let room = Room::new();
    let folder = room.path("units");
    fs::create_dir(&folder).unwrap();
    let victim = room.path("victim");
    fs::write(&victim, "kept").unwrap();
    std::os::unix::fs::symlink(&victim, folder.join("town-postgres.container")).unwrap();
    let output = room.render(&["systemd", "--output", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(fs::read_to_string(Path::new(&victim)).unwrap(), "kept");
}
