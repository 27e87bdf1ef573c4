//! Containers on a real engine: deployed, changed, broken, cut off and taken down. The image is busybox alone.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

#[path = "support/must.rs"]
mod must;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use must::skipped;
use serde_json::Value;

/// A deployment of its own name on the engine that answers. What it made goes when it goes.
struct Stage {
    folder: tempfile::TempDir,
    name: String,
    image: String,
}

impl Stage {
    /// `None` where there is no engine, or nobody who may ask it.
    fn new(name: &str) -> Option<Self> {
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].iter().find(|path| Path::new(path).exists());
        let (Some(busybox), true) = (busybox, nix::unistd::geteuid().is_root()) else {
            skipped("docker", "it takes root and busybox (Debian's busybox-static)");
            return None;
        };
        if !Command::new("docker").arg("version").output().is_ok_and(|output| output.status.success()) {
            skipped("docker", "no Docker engine answers");
            return None;
        }
        let mut stage = Self {
            folder: tempfile::tempdir().unwrap(),
            name: format!("ct{}-{name}", std::process::id()),
            image: String::new(),
        };
        let tree = stage.folder.path().join("tree");
        fs::create_dir_all(tree.join("bin")).unwrap();
        fs::create_dir_all(tree.join("data")).unwrap();
        nix::unistd::chown(&tree.join("data"), Some(65534.into()), Some(65534.into())).unwrap();
        fs::copy(busybox, tree.join("bin/busybox")).unwrap();
        for applet in [
            "sh", "sleep", "httpd", "cat", "ip", "nslookup", "nc", "test", "touch", "false", "ls", "id",
            "wget", "dd",
        ] {
            std::os::unix::fs::symlink("busybox", tree.join("bin").join(applet)).unwrap();
        }
        let tar = stage.folder.path().join("image.tar");
        let packed = Command::new("tar").arg("-C").arg(&tree).arg("-cf").arg(&tar).arg(".").status().unwrap();
        assert!(packed.success());
        let image = docker(&["import", tar.to_str().unwrap()]);
        image.trim().clone_into(&mut stage.image);
        Some(stage)
    }

    fn profile(&self, services: &str) -> PathBuf {
        let path = self.folder.path().join("profile.toml");
        let name = &self.name;
        let services = services.replace("IMAGE", &self.image);
        let text =
            format!("name = \"test\"\n[deployment]\nname = \"{name}\"\ndeadline = \"20s\"\n{services}");
        fs::write(&path, text).unwrap();
        path
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
        command.arg("--profile").arg(self.folder.path().join("profile.toml")).args(args);
        command.env("LC_ALL", "C.UTF-8");
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// The document, and the status.
    fn json(&self, args: &[&str]) -> (Value, i32) {
        let output = self.run(&[args, &["--format", "json", "--yes"]].concat());
        let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        (document, output.status.code().unwrap())
    }

    /// What a deploy does: kind and target of each change, without the deployment's name.
    fn deploy(&self, args: &[&str]) -> (Vec<String>, i32) {
        let (document, status) = self.json(&[&["deploy"], args].concat());
        let word = |change: &Value| {
            let target = change["target"].as_str().unwrap();
            let target = target.strip_prefix(&format!("{}-", self.name)).unwrap_or(target);
            format!("{} {target}", change["kind"].as_str().unwrap())
        };
        let changes = document["changes"].as_array().unwrap_or_else(|| panic!("{document}"));
        (changes.iter().map(word).collect(), status)
    }

    fn inspect(&self, service: &str, what: &str) -> String {
        docker(&["inspect", "--format", what, &format!("{}-{service}", self.name)]).trim().to_owned()
    }

    fn exec(&self, service: &str, script: &str) -> Output {
        let container = format!("{}-{service}", self.name);
        Command::new("docker").args(["exec", &container, "sh", "-c", script]).output().unwrap()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.image.is_empty() {
            return;
        }
        let filter = format!("label=civicum-tune.deployment={}", self.name);
        for (list, remove) in [
            (vec!["ps", "-aq"], vec!["rm", "-fv"]),
            (vec!["network", "ls", "-q"], vec!["network", "rm"]),
            (vec!["volume", "ls", "-q"], vec!["volume", "rm"]),
        ] {
            let found = docker(&[list.as_slice(), &["--filter", &filter]].concat());
            for id in found.split_whitespace() {
                docker(&[remove.as_slice(), &[id]].concat());
            }
        }
        docker(&["rmi", "-f", &self.image]);
        let _ = fs::remove_file(format!("/run/civicum-tune.{}.lock", self.name));
        for entry in fs::read_dir("/var/lib/civicum-tune/dumps").into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&format!("{}-", self.name)) {
                let _ = fs::remove_file(entry.path());
            }
        }
        for folder in [self.name.clone(), format!("{}.mounts", self.name)] {
            let _ = fs::remove_dir_all(format!("/var/lib/civicum-tune/secrets/{folder}"));
        }
    }
}

fn quiet(mut command: Command) -> Command {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const TWO: &str = r#"
[services.db]
image = "IMAGE"
command = ["sleep", "1000"]
memory = "64MiB"
memory_swap = "64MiB"
pids = 32
cpus = 0.5
secrets = ["db-password"]
volumes = ["data:/data"]
health = ["test", "-r", "/run/secrets/db-password"]
stop_timeout = "1s"
[services.web]
image = "IMAGE"
command = ["httpd", "-f", "-p", "8080", "-h", "/tmp"]
memory = "32MiB"
memory_swap = "32MiB"
needs = ["db"]
stop_timeout = "1s"
"#;

#[test]
fn the_whole_life_of_a_deployment() {
    let Some(stage) = Stage::new("life") else { return };
    stage.profile(TWO);
    let all =
        ["make-secret db-password", "make-network inner", "make-volume data", "create db", "create web"];
    assert_eq!(stage.deploy(&["--dry-run"]), (all.map(str::to_owned).to_vec(), 1));
    assert_eq!(
        docker(&["ps", "-aq", "--filter", &format!("name={}", stage.name)]),
        "",
        "a dry run makes nothing"
    );
    assert_eq!(stage.run(&["plan", "--containers"]).status.code(), Some(1));
    assert_eq!(stage.deploy(&[]), (all.map(str::to_owned).to_vec(), 0));

    // As hard as the profile does not say otherwise.
    assert_eq!(stage.inspect("db", "{{.State.Health.Status}}"), "healthy");
    assert_eq!(
        stage.inspect("db", "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.PidsLimit}} {{.HostConfig.NanoCpus}} {{.Config.User}}"),
        "true [ALL] [no-new-privileges] 67108864 67108864 32 500000000 65534:65534"
    );
    if !Path::new("/etc/docker/daemon.json").exists() {
        // Nobody said that logs have an end: these have one.
        let log = stage.inspect("db", "{{.HostConfig.LogConfig.Type}} {{.HostConfig.LogConfig.Config}}");
        assert_eq!(log, "json-file map[max-file:5 max-size:10m]");
    }
    let secret = format!("/var/lib/civicum-tune/secrets/{}/db-password", stage.name);
    let secret = fs::read_to_string(secret).unwrap();
    assert_eq!(secret.len(), 64);
    assert!(
        !stage.inspect("db", "{{json .Config}}").contains(&secret),
        "a secret stands in no label and no variable"
    );
    assert_eq!(stage.exec("db", "cat /run/secrets/db-password").stdout, secret.as_bytes());
    assert!(!stage.exec("db", "touch /x").status.success());
    assert!(stage.exec("db", "echo kept >/data/x").status.success());
    assert!(stage.exec("web", "nslookup db").status.success(), "services find one another by name");

    // A second time nothing is done, and nothing is asked of the engine but to look.
    let ids = |stage: &Stage| (stage.inspect("db", "{{.Id}}"), stage.inspect("web", "{{.Id}}"));
    let before = ids(&stage);
    let begin = docker(&["info", "--format", "{{.SystemTime}}"]);
    assert_eq!(stage.deploy(&[]), (Vec::new(), 0));
    let end = docker(&["info", "--format", "{{.SystemTime}}"]);
    let events = docker(&[
        "events",
        "--since",
        begin.trim(),
        "--until",
        end.trim(),
        "--format",
        "{{.Action}} {{.Actor.Attributes.name}}",
    ]);
    let own = |line: &&str| line.contains(&stage.name) && !line.starts_with("exec_");
    assert_eq!(events.lines().find(own), None, "{events}");

    // Limits change in place.
    stage.profile(&TWO.replace("\"64MiB\"", "\"96MiB\""));
    assert_eq!(stage.deploy(&[]), (vec!["update db".to_owned()], 0));
    assert_eq!(stage.inspect("db", "{{.HostConfig.Memory}}"), "100663296");
    assert_eq!(ids(&stage), before);

    // What can't be changed makes a new container, and the data stays.
    let changed = TWO.replace("\"64MiB\"", "\"96MiB\"").replace("\"1000\"", "\"1001\"");
    stage.profile(&changed);
    assert_eq!(stage.deploy(&["--dry-run"]).1, 1);
    let (document, _) = stage.json(&["deploy", "--dry-run"]);
    assert_eq!(document["changes"][0]["details"][0]["after"], "[\"1001\"]", "{document}");
    assert_eq!(stage.deploy(&[]), (vec!["replace db".to_owned()], 0));
    assert_ne!(stage.inspect("db", "{{.Id}}"), before.0);
    assert_eq!(stage.exec("db", "cat /data/x").stdout, b"kept\n");

    // One that does not get well gives way to the one before.
    let good = stage.inspect("db", "{{.Id}}");
    stage.profile(&changed.replace("[\"test\", \"-r\", \"/run/secrets/db-password\"]", "[\"false\"]"));
    let (document, status) = stage.json(&["deploy"]);
    assert_eq!(status, 2);
    let why = document["failed"][0]["error"].as_str().unwrap();
    assert!(why.contains("the old container is back"), "{why}");
    assert_eq!(stage.inspect("db", "{{.Id}} {{.State.Running}}"), format!("{good} true"));

    // What stopped is started, what went away is made.
    stage.profile(&changed);
    assert_eq!(stage.deploy(&[]).1, 0, "the old one gets well again");
    docker(&["kill", &format!("{}-web", stage.name)]);
    docker(&["stop", "-t", "0", &format!("{}-web", stage.name)]);
    let (document, status) = stage.json(&["status"]);
    assert_eq!((document["services"][1]["state"].as_str(), status), (Some("exited"), 1), "{document}");
    assert_eq!(stage.deploy(&[]), (vec!["start web".to_owned()], 0));
    docker(&["rm", "-f", &format!("{}-web", stage.name)]);
    assert_eq!(stage.deploy(&["web"]), (vec!["create web".to_owned()], 0));
    assert_eq!(stage.json(&["status"]).1, 0);

    // An orphan is named, and goes on request.
    let alone = changed.split("[services.web]").next().unwrap();
    stage.profile(alone);
    let (document, status) = stage.json(&["deploy"]);
    assert_eq!((document["orphans"][0].as_str(), status), (Some(format!("{}-web", stage.name).as_str()), 0));
    assert_eq!(stage.deploy(&["--remove-orphans"]), (vec!["remove web".to_owned()], 0));

    // Down: the data stays, unless it shall not.
    let (document, status) = stage.json(&["down"]);
    assert_eq!((document["removed"].as_array().unwrap().len(), status), (2, 0), "{document}");
    let again = ["make-network inner", "create db"];
    assert_eq!(stage.deploy(&[]), (again.map(str::to_owned).to_vec(), 0));
    assert_eq!(stage.exec("db", "cat /data/x").stdout, b"kept\n");
    let (document, status) = stage.json(&["down", "--data"]);
    assert_eq!((document["removed"].as_array().unwrap().len(), status), (4, 0), "{document}");
    assert_eq!(docker(&["volume", "ls", "-q", "--filter", &format!("name={}", stage.name)]), "");
    for folder in [stage.name.clone(), format!("{}.mounts", stage.name)] {
        assert!(!Path::new("/var/lib/civicum-tune/secrets").join(folder).exists());
    }
}

#[test]
fn other_peoples_containers_and_networks_are_theirs() {
    let Some(stage) = Stage::new("theirs") else { return };
    stage.profile(TWO);
    let name = format!("{}-db", stage.name);
    docker(&["run", "-d", "--name", &name, "--network", "none", &stage.image, "sleep", "1000"]);
    let id = stage.inspect("db", "{{.Id}}");
    let output = stage.run(&["deploy", "--yes"]);
    let text = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text.contains(&format!("the container {name} is not of this deployment")), "{text}");
    assert_eq!(stage.inspect("db", "{{.Id}} {{.State.Running}}"), format!("{id} true"));
    assert_eq!(
        docker(&["network", "ls", "-q", "--filter", &format!("name={}", stage.name)]),
        "",
        "nothing was begun"
    );
    docker(&["rm", "-f", &name]);

    // An image that is not there, a host folder that is not there, a port that is taken.
    stage.profile(&TWO.replacen("IMAGE", &format!("sha256:{}", "0".repeat(64)), 1));
    let output = stage.run(&["deploy", "--yes"]);
    assert_eq!(output.status.code(), Some(2));
    let words: Vec<&str> = std::str::from_utf8(&output.stdout).unwrap().split_whitespace().collect();
    assert!(words.join(" ").contains("civicum-tune images load"), "{words:?}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    // It is told with its owner, before anything is begun.
    let publish = format!("{TWO}publish = [\"{port}:8080\"]\n");
    stage.profile(&publish);
    let blocked = |stage: &Stage| {
        let (document, status) = stage.json(&["deploy"]);
        assert_eq!(status, 2, "{document}");
        document["blocked"][0].as_str().unwrap_or_default().to_owned()
    };
    let why = blocked(&stage);
    let me = format!("(process {})", std::process::id());
    assert!(why.contains(&me) && why.contains(&format!("holds port {port} of 127.0.0.1")), "{why}");
    assert_eq!(docker(&["network", "ls", "-q", "--filter", &format!("name={}", stage.name)]), "");
    drop(taken);
    assert_eq!(stage.deploy(&[]).1, 0, "mended by itself once the port is free");
    // A container that holds its port itself may be replaced.
    stage.profile(&publish.replace("/tmp", "/data"));
    assert_eq!(stage.deploy(&[]), (vec!["replace web".to_owned()], 0));
    // Somebody else's container is named.
    stage.json(&["down"]);
    let other = format!("{}-other", stage.name);
    let open = format!("127.0.0.1:{port}:80");
    docker(&["network", "create", &other]);
    docker(&["run", "-d", "--name", &other, "--network", &other, "-p", &open, &stage.image, "sleep", "1000"]);
    let why = blocked(&stage);
    docker(&["rm", "-f", &other]);
    docker(&["network", "rm", &other]);
    assert!(why.contains(&format!("the container {other} holds port {port}")), "{why}");
    stage
        .profile(&format!("{TWO}publish = [\"192.0.2.1:{port}:8080\"]\n[sovereignty]\npublic = [\"web\"]\n"));
    let why = blocked(&stage);
    assert!(why.contains("is no address of this host"), "{why}");
    stage.profile(TWO);
    assert_eq!(stage.deploy(&[]).1, 0);

    // An image that no template makes is not promised.
    stage.profile(&TWO.replacen("IMAGE", "civicum/nope", 1));
    let why = blocked(&stage);
    assert!(why.contains("no template makes it") && why.contains("civicum/postgres"), "{why}");
}

#[test]
fn a_kill_at_any_moment_is_mended_by_the_next_deploy() {
    let Some(stage) = Stage::new("kill") else { return };
    let began = Instant::now();
    for (round, wait) in
        [5, 20, 40, 70, 110, 160, 220, 300, 420, 600, 900, 1300, 1900].into_iter().enumerate()
    {
        // Each round asks for something else, so that each replaces what the one before made.
        stage.profile(&TWO.replace("\"1000\"", &format!("\"{}\"", 1000 + round)));
        let mut child = quiet(stage.command(&["deploy", "--yes", "-q"])).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        let _ = child.kill();
        child.wait().unwrap();
        let (changes, status) = stage.deploy(&[]);
        assert_eq!(status, 0, "after {wait} ms: {changes:?}");
        assert_eq!(stage.deploy(&[]), (Vec::new(), 0), "after {wait} ms");
        let names =
            docker(&["ps", "-a", "--filter", &format!("name={}", stage.name), "--format", "{{.Names}}"]);
        assert_eq!(names.lines().count(), 2, "after {wait} ms: {names}");
    }
    assert!(began.elapsed() < Duration::from_secs(240));
}

/// One request, as it was written.
fn request(client: &mut UnixStream) -> Vec<u8> {
    let (mut all, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let count = client.read(&mut part).unwrap_or(0);
        all.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&all);
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            body.len() >= length.unwrap_or(0)
        });
        if whole || count == 0 {
            return all;
        }
    }
}

/// A door to the engine behind which a deploy that was killed is still at work: its request for the container has the name at first, and
/// nothing is to be seen of it; then its container shows up.
fn door_with_a_late_one(folder: &Path) -> String {
    let host = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///run/docker.sock".to_owned());
    let engine = host.strip_prefix("unix://").unwrap().to_owned();
    let path = folder.join("door.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, engine, asked) = (client.unwrap(), engine.clone(), asked.clone());
            std::thread::spawn(move || {
                let request = request(&mut client);
                let is_a_wish = request.starts_with(b"POST")
                    && request.windows(19).any(|part| part == b"/containers/create?");
                let turn = if is_a_wish { asked.fetch_add(1, Ordering::SeqCst) } else { usize::MAX };
                if turn == 0 {
                    let words = r#"{"message":"Conflict. The container name is already in use"}"#;
                    let head = "HTTP/1.1 409 Conflict\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\nContent-Length";
                    return client
                        .write_all(format!("{head}: {}\r\n\r\n{words}", words.len()).as_bytes())
                        .unwrap();
                }
                if turn == 1 {
                    let mut late = UnixStream::connect(&engine).unwrap();
                    late.write_all(&request).unwrap();
                    let mut answer = [0; 12];
                    late.read_exact(&mut answer).unwrap();
                    assert_eq!(&answer, b"HTTP/1.1 201");
                }
                let mut engine = UnixStream::connect(engine).unwrap();
                engine.write_all(&request).unwrap();
                let (mut from, mut to) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                let _ = std::io::copy(&mut engine, &mut client);
                let _ = client.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    format!("unix://{}", path.display())
}

#[test]
fn what_a_killed_deploy_had_asked_for_and_comes_late_is_no_obstacle() {
    let Some(stage) = Stage::new("late") else { return };
    stage.profile(TWO);
    let door = door_with_a_late_one(stage.folder.path());
    let began = Instant::now();
    let output = stage.command(&["deploy", "--yes"]).env("DOCKER_HOST", door).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(stage.deploy(&[]), (Vec::new(), 0));
    // Somebody else's container of that name is left alone, and nobody waits for it to go.
    let other = Stage::new("taken").unwrap();
    other.profile(TWO);
    let name = format!("{}-db", other.name);
    docker(&["create", "--name", &name, &other.image, "sleep", "1"]);
    let began = Instant::now();
    let output = other.run(&["deploy", "--yes"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(began.elapsed() < Duration::from_secs(15), "{output:?}");
    assert_eq!(docker(&["inspect", "--format", "{{.State.Status}}", &name]).trim(), "created");
    docker(&["rm", &name]);
}

#[test]
fn a_sealed_container_reaches_nothing_outside() {
    let Some(stage) = Stage::new("sealed") else { return };
    stage.profile(TWO);
    assert_eq!(stage.deploy(&[]).1, 0);
    // The host listens on all of its addresses, on a port of its own choice.
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let gateway = docker(&[
        "network",
        "inspect",
        &format!("{}-inner", stage.name),
        "--format",
        "{{range .IPAM.Config}}{{.Gateway}}{{end}}",
    ]);
    let addresses = Command::new("ip").args(["-o", "addr"]).output().unwrap();
    let addresses = String::from_utf8_lossy(&addresses.stdout).into_owned();
    let mut targets: Vec<String> = addresses
        .lines()
        .filter_map(|line| line.split_whitespace().nth(3)?.split('/').next().map(str::to_owned))
        .filter(|address| !address.starts_with("127.") && address != "::1" && !address.starts_with("fe80"))
        .collect();
    targets.push(gateway.trim().to_owned());
    assert!(targets.len() > 1, "{targets:?}");
    for target in &targets {
        let tried = stage.exec("db", &format!("nc -w 1 {target} {port} </dev/null"));
        assert!(!tried.status.success(), "{target} was reached");
    }
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "somebody came through");
    let tried = stage.exec("db", "nslookup ct-test.invalid 127.0.0.11");
    assert!(
        !String::from_utf8_lossy(&tried.stdout).contains("NXDOMAIN"),
        "a name server outside answered: {tried:?}"
    );
    let addresses = stage.exec("db", "ip -6 addr");
    assert!(!String::from_utf8_lossy(&addresses.stdout).contains("scope global"), "{addresses:?}");
}

#[test]
fn an_interruption_leaves_what_worked() {
    let Some(stage) = Stage::new("stop") else { return };
    stage.profile(TWO);
    assert_eq!(stage.deploy(&[]).1, 0);
    let good = stage.inspect("db", "{{.Id}}");
    let bad =
        TWO.replace("[\"test\", \"-r\", \"/run/secrets/db-password\"]", "[\"test\", \"-e\", \"/never\"]");
    stage.profile(&bad.replace("\"8080\"", "\"8081\""));
    let mut child = stage.command(&["deploy", "--yes"]);
    let child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while stage.inspect("db.previous", "{{.Id}}") != good
        || stage.inspect("db", "{{.State.Running}}") != "true"
    {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(20));
    }
    // The old one waits, and status says for what.
    let (document, _) = stage.json(&["status"]);
    let kept = document["services"].as_array().unwrap().iter().find(|row| row["kept_for"] == "db");
    assert!(kept.is_some_and(|row| row["state"] == "exited"), "{document}");
    let table = stage.run(&["status"]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(
        table.contains("kept until db is healthy") && !table.contains("no service of the profile"),
        "{table}"
    );

    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(child.id().try_into().unwrap()),
        nix::sys::signal::SIGINT,
    )
    .unwrap();
    let output = child.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("you interrupted it") && words.contains("the old container is back"), "{words}");
    assert!(words.contains(&format!("{}-web was not touched: you interrupted it", stage.name)), "{words}");
    assert_eq!(stage.inspect("db", "{{.Id}} {{.State.Running}}"), format!("{good} true"));
    stage.profile(TWO);
    assert_eq!(stage.deploy(&[]).1, 0);
    assert_eq!(stage.inspect("db", "{{.Id}}"), good);
}

#[test]
fn memory_is_not_taken_from_one_who_uses_it() {
    let Some(stage) = Stage::new("less") else { return };
    let text = TWO.replacen("64MiB\"\nmemory_swap = \"64MiB", "96MiB\"\nmemory_swap = \"96MiB", 1);
    let text = text.replace("secrets =", "tmpfs = [\"/tmp:90MiB\"]\nsecrets =");
    stage.profile(&text);
    assert_eq!(stage.deploy(&[]).1, 0);
    let id = stage.inspect("db", "{{.Id}}");
    assert!(stage.exec("db", "dd if=/dev/zero of=/tmp/x bs=1M count=60").status.success());
    stage.profile(&text.replace("\"96MiB\"", "\"48MiB\""));
    let (document, status) = stage.json(&["deploy"]);
    let why = document["failed"][0]["error"].as_str().unwrap_or_default();
    assert!(status == 2 && why.contains("the kernel would kill in it at 48MiB"), "{document}");
    assert_eq!(
        stage.inspect("db", "{{.Id}} {{.State.Running}} {{.HostConfig.Memory}}"),
        format!("{id} true {}", 96 << 20)
    );
    assert!(stage.exec("db", "dd if=/dev/zero of=/tmp/x bs=1M count=10").status.success());
    assert_eq!(stage.deploy(&[]), (vec!["update db".to_owned()], 0), "what is free is taken");

    // A kill in a container is counted, though its first process lives on.
    assert!(!stage.exec("db", "dd if=/dev/zero of=/tmp/x bs=1M count=80").status.success());
    let (document, _) = stage.json(&["status"]);
    assert_eq!(document["services"][0]["name"], "db");
    assert!(document["services"][0]["oom_kills"].as_u64().unwrap() >= 1, "{document}");
    assert_eq!(stage.inspect("db", "{{.State.Running}}"), "true");
}

#[test]
fn a_member_of_the_engines_group_may_look() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::os::unix::process::CommandExt as _;
    let Some(stage) = Stage::new("member") else { return };
    stage.profile(TWO);
    assert_eq!(stage.deploy(&[]).1, 0);
    let socket =
        std::env::var("DOCKER_HOST").ok().and_then(|url| url.strip_prefix("unix://").map(str::to_owned));
    let socket = socket.unwrap_or_else(|| "/run/docker.sock".to_owned());
    let group = fs::metadata(&socket).unwrap().gid();
    // A program and a profile that everybody may read.
    let room = tempfile::Builder::new().prefix("ct-member-").tempdir_in("/tmp").unwrap();
    fs::set_permissions(room.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (program, profile) = (room.path().join("civicum-tune"), room.path().join("profile.toml"));
    fs::copy(env!("CARGO_BIN_EXE_civicum-tune"), &program).unwrap();
    fs::copy(stage.folder.path().join("profile.toml"), &profile).unwrap();
    fs::set_permissions(&profile, fs::Permissions::from_mode(0o644)).unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(&program);
        command.arg("--profile").arg(&profile).args(args).env("LC_ALL", "C.UTF-8").current_dir("/");
        command.uid(65534).gid(group).output().unwrap()
    };
    let output = run(&["status"]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    if group == 0 || words.contains("there is no Docker engine at") {
        eprintln!("skipped: the engine's socket is in a folder of root's, or has no group of its own");
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("healthy"), "{output:?}");
    assert_eq!(run(&["logs", "db"]).status.code(), Some(0));
    let output = run(&["deploy", "--dry-run"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("are root's"), "{output:?}");
}

#[test]
fn what_is_no_image_is_not_loaded() {
    let Some(stage) = Stage::new("load") else { return };
    let file = stage.folder.path().join("notes.txt");
    fs::write(&file, "not a tar\n".repeat(200)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_civicum-tune"))
        .args(["images", "load"])
        .arg(&file)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && words.contains("is no tar"), "{words}");
}

/// PostgreSQL's image, of the bundled template; it is made where an engine of the tests' own is there for it.
fn postgres() -> bool {
    let is_there = || !docker(&["images", "-q", "civicum/postgres"]).is_empty();
    if !is_there() && std::env::var_os("DOCKER_HOST").is_some() {
        let built = Command::new(env!("CARGO_BIN_EXE_civicum-tune"))
            .args(["images", "build", "postgres"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&built.stderr).into_owned();
        // To make it takes a mirror, and mmdebstrap: test.sh brings that beside an engine of the tests' own.
        if !built.status.success() {
            skipped("images", &said);
        }
    }
    if !is_there() {
        skipped(
            "images",
            "there is no image civicum/postgres; `civicum-tune images build postgres` makes it",
        );
    }
    is_there()
}

const DATABASE: &str = r#"
[services.db]
role = "postgres"
memory = "256MiB"
memory_swap = "256MiB"
[services.db.settings]
shared_buffers = "48MB"
work_mem = "8MB"
random_page_cost = 1.1
autovacuum_naptime = "30s"
jit = false
timezone = "utc"
"#;

#[test]
fn a_database_keeps_its_settings_and_its_data() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(stage) = Stage::new("pg") else { return };
    if !postgres() {
        return;
    }
    let sql = |text: &str| {
        let container = format!("{}-db", stage.name);
        let output = Command::new("docker")
            .args(["exec", &container, "psql", "-XAtq", "-U", "civicum", "-d", "civicum", "-c", text])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let dumps = || {
        let prefix = format!("{}-db-", stage.name);
        let names = fs::read_dir("/var/lib/civicum-tune/dumps").into_iter().flatten();
        let mut found: Vec<PathBuf> = names.map(|entry| entry.unwrap().path()).collect();
        found.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with(&prefix));
        found.sort();
        found
    };
    stage.profile(DATABASE);
    let (changes, status) = stage.deploy(&[]);
    assert_eq!((changes.last().map(String::as_str), status), (Some("create db"), 0), "{changes:?}");
    assert_eq!(sql("SHOW work_mem"), "8MB");
    assert_eq!(audit(&stage, "CT-CONT-015")[0].2, "pass");
    sql("CREATE TABLE papers (id int); INSERT INTO papers SELECT generate_series(1, 1000)");

    // It is dumped before its container goes; nobody but root may read it, and the last three are kept.
    for day in 1..=4 {
        fs::create_dir_all("/var/lib/civicum-tune/dumps").unwrap();
        fs::write(format!("/var/lib/civicum-tune/dumps/{}-db-2020010{day}T000000Z.sql", stage.name), "old")
            .unwrap();
    }
    stage.profile(&DATABASE.replace("48MB", "64MB"));
    assert_eq!(stage.deploy(&["--dry-run"]), (vec!["dump db".to_owned(), "replace db".to_owned()], 1));
    assert_eq!(stage.deploy(&[]), (vec!["dump db".to_owned(), "replace db".to_owned()], 0));
    let kept = dumps();
    assert_eq!(kept.len(), 3, "{kept:?}");
    let newest = kept.last().unwrap();
    assert_eq!(fs::metadata(newest).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(newest).unwrap();
    assert!(text.contains("CREATE TABLE public.papers") && text.contains("\n1000\n"));
    assert_eq!(
        (sql("SHOW shared_buffers"), sql("SELECT count(*) FROM papers")),
        ("64MB".to_owned(), "1000".to_owned())
    );

    // What overrules the profile inside the database is told with both values.
    sql("ALTER DATABASE civicum SET work_mem = '4MB'");
    let found = audit(&stage, "CT-CONT-015");
    assert_eq!(found[0].2, "fail", "{found:?}");
    stage.profile(&DATABASE.replace("48MB", "56MB"));
    let (document, status) = stage.json(&["deploy", "--no-dump"]);
    let why = document["failed"][0]["error"].as_str().unwrap_or_default();
    assert!(
        status == 2 && why.contains("work_mem is 4MB (database), and the profile says 8MB"),
        "{document}"
    );
    assert_eq!(dumps(), kept, "and nothing was dumped");
    sql("ALTER DATABASE civicum RESET work_mem");
    assert_eq!(stage.deploy(&[]), (Vec::new(), 0));

    // Without room for it nothing is begun. The small disk is this command's own.
    stage.profile(&DATABASE.replace("48MB", "72MB"));
    let id = stage.inspect("db", "{{.Id}}");
    let deploy = stage.command(&["deploy", "--yes"]);
    let mut small = Command::new("unshare");
    small.args([
        "-m",
        "sh",
        "-c",
        "mount -t tmpfs -o size=1m none /var/lib/civicum-tune/dumps && exec \"$@\"",
        "sh",
    ]);
    let output = small.arg(deploy.get_program()).args(deploy.get_args()).output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(words.contains("make room, or leave the dump out: --no-dump"), "{words}");
    assert!(words.contains("was not touched: its database is not dumped"), "{words}");
    assert_eq!(stage.inspect("db", "{{.Id}} {{.State.Running}}"), format!("{id} true"));
    // What was dumped is a database again.
    let dump = fs::File::open(dumps().pop().unwrap()).unwrap();
    stage.json(&["down", "--data"]);
    stage.profile(DATABASE);
    assert_eq!(stage.deploy(&[]).1, 0);
    let container = format!("{}-db", stage.name);
    let mut back = Command::new("docker");
    back.args(["exec", "-i", &container, "psql", "-q", "-U", "civicum", "-d", "postgres"]).stdin(dump);
    let output = back.output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    let errors: Vec<&str> = complaints.lines().filter(|line| line.contains("ERROR")).collect();
    // The role and the database are there from the first start.
    assert!(errors.len() == 2 && errors.iter().all(|e| e.ends_with("already exists")), "{complaints}");
    assert_eq!(sql("SELECT count(*) FROM papers"), "1000");
    for dump in dumps() {
        fs::remove_file(dump).unwrap();
    }
}

/// What doctor says of the containers: id, subject without the deployment's name, status.
fn audit(stage: &Stage, only: &str) -> Vec<(String, String, String)> {
    let (document, _) = stage.json(&["doctor", "--only", only]);
    let checks = document["checks"].as_array().unwrap_or_else(|| panic!("{document}"));
    let word = |check: &Value, key: &str| {
        let text = check[key].as_str().unwrap_or_default();
        text.strip_prefix(&format!("{}-", stage.name)).unwrap_or(text).to_owned()
    };
    checks.iter().map(|c| (word(c, "id"), word(c, "subject"), word(c, "status"))).collect()
}

#[test]
fn doctor_looks_at_every_container() {
    let Some(stage) = Stage::new("audit") else { return };
    stage.profile(TWO);
    assert_eq!(stage.deploy(&[]).1, 0);
    let found = audit(&stage, "CONT");
    let own = |subject: &str| ["db", "web", ""].contains(&subject);
    let trouble =
        found.iter().find(|(_, subject, status)| own(subject) && ["fail", "warn"].contains(&status.as_str()));
    assert_eq!(trouble, None, "{found:?}");
    let is = |found: &[(String, String, String)], id: &str, subject: &str, status: &str| {
        assert!(
            found.contains(&(id.to_owned(), subject.to_owned(), status.to_owned())),
            "{id} of {subject} is not {status}: {found:?}"
        );
    };
    is(&found, "CT-CONT-001", "", "pass");

    is(&found, "CT-CONT-016", "", "pass");

    // Somebody else's, that does everything wrong.
    let name = format!("{}-evil", stage.name);
    let tar = stage.folder.path().join("image.tar");
    let old =
        docker(&["import", "--change", "LABEL civicum-tune.packages=2020-02-02", tar.to_str().unwrap()]);
    docker(&[
        "run",
        "-d",
        "--name",
        &name,
        "--pid",
        "host",
        "--network",
        "none",
        "-v",
        "/etc:/host",
        "-e",
        "DATABASE_URL=postgres://u@ep-x.eu-central-1.aws.neon.tech/d",
        "-e",
        "OLLAMA_HOST=0.0.0.0",
        old.trim(),
        "sleep",
        "1000",
    ]);
    docker(&["update", "--memory", "80m", "--memory-swap", "80m", &format!("{}-db", stage.name)]);
    let db: u32 = stage.inspect("db", "{{.State.Pid}}").parse().unwrap();
    fs::write(format!("/proc/{db}/oom_score_adj"), "321").unwrap();
    docker(&["network", "create", &format!("{}-leak", stage.name)]);
    docker(&["network", "connect", &format!("{}-leak", stage.name), &format!("{}-web", stage.name)]);
    let found = audit(&stage, "CONT");
    docker(&["rm", "-f", &name]);
    docker(&["image", "rm", old.trim()]);
    docker(&["network", "disconnect", "-f", &format!("{}-leak", stage.name), &format!("{}-web", stage.name)]);
    docker(&["network", "rm", &format!("{}-leak", stage.name)]);
    is(&found, "CT-CONT-001", "db", "fail");
    is(&found, "CT-CONT-003", "evil", "fail");
    is(&found, "CT-CONT-006", "db", "fail");
    is(&found, "CT-CONT-008", "evil", "fail");
    is(&found, "CT-CONT-009", "web", "fail");
    is(&found, "CT-CONT-011", "evil", "fail");
    is(&found, "CT-CONT-012", "evil", "fail");
    is(&found, "CT-CONT-013", "evil", "warn");
    is(&found, "CT-CONT-016", "evil", "warn");

    // One that stays down after its end.
    stage.profile(&TWO.replace("[services.web]", "[services.web]\nrestart = \"no\""));
    assert_eq!(stage.deploy(&[]).1, 0);
    docker(&["stop", "-t", "0", &format!("{}-db", stage.name)]);
    let found = audit(&stage, "CONT");
    is(&found, "CT-CONT-002", "db", "fail");
    is(&found, "CT-CONT-013", "web", "warn");
}

/// The head of a model of 8 billion parameters, and none of its weights.
fn model(path: &Path) {
    let mut header = b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0".to_vec();
    let mut put = |name: &str, kind: u32, value: &[u8]| {
        header.extend((name.len() as u64).to_le_bytes());
        header.extend(name.as_bytes());
        header.extend(kind.to_le_bytes());
        header.extend(value);
    };
    put("general.architecture", 8, b"\x05\0\0\0\0\0\0\0llama");
    put("llama.block_count", 4, &32_u32.to_le_bytes());
    put("llama.embedding_length", 4, &4096_u32.to_le_bytes());
    put("llama.attention.head_count", 4, &32_u32.to_le_bytes());
    put("llama.attention.head_count_kv", 4, &8_u32.to_le_bytes());
    fs::write(path, &header).unwrap();
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(4_900_000_000).unwrap();
}

#[test]
fn a_model_that_does_not_fit_is_not_deployed() {
    let Some(stage) = Stage::new("model") else { return };
    let file = stage.folder.path().join("model.gguf");
    model(&file);
    let services = format!(
        "[services.llm]\nrole = \"llama-server\"\nimage = \"IMAGE\"\nmemory = \"64MiB\"\nmodel = \"{}\"\n",
        file.display()
    );
    stage.profile(&services);
    let (document, status) = stage.json(&["deploy"]);
    let why = document["blocked"][0].as_str().unwrap_or_default();
    assert!(status == 2 && why.contains("the limit of llm is 64MiB"), "{document}");
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name={}", stage.name)]), "");
}

#[test]
fn without_an_engine() {
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("p.toml");
    fs::write(&profile, "name = \"p\"\n[services.a]\nimage = \"civicum/a\"\n").unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
        command.arg("--profile").arg(&profile).args(args).env("LC_ALL", "C");
        command.env("DOCKER_HOST", format!("unix://{}/none.sock", folder.path().display()));
        command.output().unwrap()
    };
    for args in [["deploy", "--dry-run"], ["status", "-v"], ["down", "-y"], ["logs", "a"]] {
        let output = run(&args);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {words}");
        if nix::unistd::geteuid().is_root() {
            assert!(words.contains("there is no Docker engine at"), "{args:?}: {words}");
        }
    }
    let output = run(&["deploy", "b"]);
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("the profile has no service b; it has a"),
        "{output:?}"
    );
    fs::write(&profile, "name = \"p\"\n[services.a]\nneeds = [\"b\"]\n[services.b]\nneeds = [\"a\"]\n")
        .unwrap();
    let output = run(&["deploy"]);
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("none of these can be started first: a → b → a"),
        "{output:?}"
    );
    let output = run(&["deploy", "--root", "/tmp"]);
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("--root has files, and no Docker engine"),
        "{output:?}"
    );
}

/// Compose v2: the one that the environment names, else Docker's plugin.
fn compose() -> Option<Command> {
    if let Ok(program) = std::env::var("CIVICUM_TUNE_COMPOSE") {
        return Some(Command::new(program));
    }
    let mut plugin = Command::new("docker");
    let there = plugin.args(["compose", "version"]).output().is_ok_and(|output| output.status.success());
    let mut command = Command::new("docker");
    command.arg("compose");
    there.then_some(command)
}

/// What of `docker inspect` a user would notice, in one order.
fn essence(stage: &Stage, service: &str) -> Value {
    let found: Value = serde_json::from_str(&stage.inspect(service, "{{json .}}")).unwrap();
    let pick = |from: &Value, names: &[&str]| -> Value {
        names
            .iter()
            .map(|name| ((*name).to_owned(), tidy(&from[*name])))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let mounts = found["Mounts"].as_array().unwrap().iter().map(|mount| {
        let is_volume = mount["Type"] == "volume";
        pick(
            mount,
            if is_volume { &["Type", "Name", "Destination", "RW"] } else { &["Type", "Destination", "RW"] },
        )
    });
    let mut mounts: Vec<Value> = mounts.collect();
    mounts.sort_by_key(|mount| mount["Destination"].to_string());
    let networks: Vec<&String> = found["NetworkSettings"]["Networks"].as_object().unwrap().keys().collect();
    serde_json::json!({
        "config": pick(&found["Config"], &["User", "Env", "Cmd", "Healthcheck", "StopSignal", "StopTimeout", "Hostname", "ExposedPorts"]),
        "host": pick(&found["HostConfig"], &[
            "Memory", "MemoryReservation", "MemorySwap", "NanoCpus", "CpuShares", "PidsLimit", "RestartPolicy", "OomScoreAdj",
            "Ulimits", "ShmSize", "ReadonlyRootfs", "CapDrop", "CapAdd", "SecurityOpt", "Init", "Dns", "Tmpfs", "PortBindings",
            "Privileged", "NetworkMode",
        ]),
        "mounts": mounts,
        "networks": networks,
    })
}

/// The engine's empty lists, empty maps and nulls mean the same; the order of variables means nothing.
fn tidy(value: &Value) -> Value {
    match value {
        Value::Array(items) if items.is_empty() => Value::Null,
        Value::Object(entries) if entries.is_empty() => Value::Null,
        Value::Array(items) => {
            let mut items = items.clone();
            if items.iter().all(|item| item.as_str().is_some_and(|text| text.contains('='))) {
                items.sort_by_key(Value::to_string);
            }
            items.into()
        }
        other => other.clone(),
    }
}

#[test]
fn compose_makes_the_same_of_the_file() {
    let Some(stage) = Stage::new("compose") else { return };
    let Some(mut compose) = compose() else {
        eprintln!("skipped: there is no Compose v2");
        return;
    };
    let api = docker(&["version", "--format", "{{.Server.APIVersion}}"]);
    if api.trim().trim_start_matches("1.").parse::<u32>().is_ok_and(|minor| minor < 44) {
        eprintln!(
            "skipped: Compose refuses `start_interval` for an engine before 25 (API 1.44), and this one is {api}"
        );
        return;
    }
    let rest = r#"
publish = ["127.0.0.1:0PORT:8080"]
cpu_weight = 200
memory_reservation = "16MiB"
oom_score_adj = 500
nofile = 4096
restart = "on-failure"
capabilities = ["NET_BIND_SERVICE"]
tmpfs = ["/tmp:8MiB", "/run"]
[services.web.environment]
PRICE = "$5 and ${HOME}"
"#;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    stage.profile(&format!("{TWO}{}", rest.replace("0PORT", &free.to_string())));
    assert_eq!(stage.deploy(&[]).1, 0);
    let ours = ["db", "web"].map(|service| essence(&stage, service));
    let secret = fs::read(format!("/var/lib/civicum-tune/secrets/{}/db-password", stage.name)).unwrap();
    stage.json(&["down"]);

    let folder = stage.folder.path();
    fs::create_dir(folder.join("secrets")).unwrap();
    fs::write(folder.join("secrets/db-password"), secret).unwrap();
    let file = folder.join("compose.yml");
    fs::write(&file, stage.run(&["render", "compose"]).stdout).unwrap();
    compose.arg("-f").arg(&file);
    let run = |args: &[&str]| {
        let mut command = Command::new(compose.get_program());
        let output = command.args(compose.get_args()).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let read: Value = serde_json::from_str(&run(&["config", "--format", "json"])).unwrap();
    assert_eq!(read["services"]["web"]["environment"]["PRICE"], "$$5 and $${HOME}");
    run(&["up", "-d", "--wait"]);
    let theirs = ["db", "web"].map(|service| essence(&stage, service));
    run(&["down", "-v"]);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(format!("{ours:#}"), format!("{theirs:#}"));
    }
}

#[test]
fn what_holds_data_is_never_put_at_risk() {
    let Some(stage) = Stage::new("data") else { return };
    stage.profile(TWO);
    assert_eq!(stage.deploy(&[]).1, 0);

    // Renamed in the profile: the old one still writes to the volume, so the new one waits.
    let renamed =
        TWO.replace("[services.db]", "[services.base]").replace("needs = [\"db\"]", "needs = [\"base\"]");
    stage.profile(&renamed);
    let (document, status) = stage.json(&["deploy", "--dry-run"]);
    assert_eq!(status, 2, "{document}");
    let output = stage.run(&["deploy", "--yes"]);
    let words = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("still writes to the volume") && words.contains("--remove-orphans"), "{words}");
    let (changes, status) = stage.deploy(&["--remove-orphans"]);
    assert_eq!((changes[0].as_str(), status), ("remove db", 0), "the old one goes first: {changes:?}");
    stage.profile(TWO);
    assert_eq!(stage.deploy(&["--remove-orphans"]).1, 0);
    // Nor is a second server put on a database's volume where only that one is asked for.
    stage.profile(&renamed.replace("[services.base]", "[services.base]\nrole = \"postgres\""));
    let output = stage.run(&["deploy", "base", "--yes"]);
    let words = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("a second server on it would destroy the data"), "{words}");
    assert_eq!(output.status.code(), Some(2));
    stage.profile(TWO);

    // A limit that is taken away needs a new container.
    stage.profile(&TWO.replace("cpus = 0.5\n", ""));
    assert_eq!(stage.deploy(&[]), (vec!["replace db".to_owned()], 0));
    assert_eq!(stage.deploy(&[]), (Vec::new(), 0));

    // While the new one is not proved, the old one is kept down whatever its policy; then it has its own policy again, and
    // the secret that it had, though the new one runs as somebody else.
    let always = TWO.replace("cpus = 0.5\n", "restart = \"always\"\n");
    stage.profile(&always);
    stage.deploy(&[]);
    let good = stage.inspect("db", "{{.Id}}");
    let bad = always.replace("[\"test\", \"-r\", \"/run/secrets/db-password\"]", "[\"false\"]");
    stage.profile(&bad.replace("[services.db]", "[services.db]\nuser = \"1001:1001\""));
    let mut child = quiet(stage.command(&["deploy", "--yes", "-q"])).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while stage.inspect("db.previous", "{{.Id}}") != good {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(
        stage.inspect("db.previous", "{{.HostConfig.RestartPolicy.Name}} {{.State.Running}}"),
        "no false"
    );
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert_eq!(
        stage.inspect("db", "{{.Id}} {{.HostConfig.RestartPolicy.Name}} {{.State.Running}}"),
        format!("{good} always true")
    );
    assert_eq!(stage.exec("db", "cat /run/secrets/db-password").stdout.len(), 64);

    // Cut off while the new one was not proved, and another one asked for: what was proved is what comes back.
    let mut child = quiet(stage.command(&["deploy", "--yes", "-q"])).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while stage.inspect("db", "{{.State.Running}} {{.Config.User}}") != "true 1001:1001" {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    stage.profile(&bad.replace("[services.db]", "[services.db]\nuser = \"1002:1002\""));
    let (document, status) = stage.json(&["deploy"]);
    assert_eq!(status, 2, "{document}");
    assert_eq!(stage.inspect("db", "{{.Id}} {{.State.Running}}"), format!("{good} true"));

    // Volumes that somebody else made are used and stay; those of another deployment are not touched at all.
    stage.profile(TWO);
    assert_eq!(stage.deploy(&[]).1, 0);
    stage.json(&["down", "--data"]);
    let volume = format!("{}-data", stage.name);
    docker(&["volume", "create", &volume]);
    assert_eq!(stage.deploy(&[]).1, 0);
    assert_eq!(stage.deploy(&[]), (Vec::new(), 0));
    stage.json(&["down", "--data"]);
    assert_eq!(docker(&["volume", "ls", "-q", "--filter", &format!("name={volume}")]).trim(), volume);
    docker(&["volume", "rm", &volume]);
    docker(&["volume", "create", "--label", "civicum-tune.deployment=another", &volume]);
    let output = stage.run(&["deploy", "--yes"]);
    assert_eq!(output.status.code(), Some(2));
    docker(&["volume", "rm", &volume]);

    // A database that lost its name still runs on its volume: no second one is started on it.
    stage.profile(&TWO.replace("[services.db]", "[services.db]\nrole = \"postgres\""));
    assert_eq!(stage.deploy(&[]).1, 0);
    let (db, lost) = (format!("{}-db", stage.name), format!("{}-lost", stage.name));
    docker(&["rename", &db, &lost]);
    let output = stage.run(&["deploy", "--yes"]);
    let words = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(output.status.code() == Some(2) && words.contains("would destroy the data"), "{words}");
    docker(&["rename", &lost, &db]);
    // One that is cut off from its network does not count as well.
    docker(&[
        "network",
        "disconnect",
        "-f",
        &format!("{}-inner", stage.name),
        &format!("{}-web", stage.name),
    ]);
    assert_eq!(stage.deploy(&[]), (vec!["replace web".to_owned()], 0));
    stage.json(&["down", "--data"]);

    // Status has something to say where nothing runs.
    let (document, status) = stage.json(&["status"]);
    assert_eq!((document["services"][0]["state"].as_str(), status), (Some("absent"), 1), "{document}");
}

/// Runs what it is given in a terminal of its own, where it can be asked.
fn in_a_terminal(command: &Command) -> std::process::Child {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let mut script = Command::new("script");
    script.args(["-qec", &line.join(" "), "/dev/null"]).env("LC_ALL", "C.UTF-8");
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

#[test]
fn who_is_asked_keeps_nobody_else_waiting() {
    use std::io::{Read as _, Write as _};
    let Some(stage) = Stage::new("asked") else { return };
    stage.profile(TWO);
    let mut asked = in_a_terminal(&stage.command(&["deploy"]));
    let mut seen = Vec::new();
    let mut screen = asked.stdout.take().unwrap();
    let mut byte = [0];
    while !seen.ends_with(b"[y/N]") && screen.read(&mut byte).unwrap() == 1 {
        seen.push(byte[0]);
    }
    assert!(seen.ends_with(b"[y/N]"), "{}", String::from_utf8_lossy(&seen));
    // Meanwhile somebody else does it.
    assert_eq!(stage.deploy(&[]).1, 0);
    let ids = (stage.inspect("db", "{{.Id}}"), stage.inspect("web", "{{.Id}}"));
    asked.stdin.take().unwrap().write_all(b"y\n").unwrap();
    let mut rest = String::new();
    screen.read_to_string(&mut rest).unwrap();
    assert_eq!(asked.wait().unwrap().code(), Some(2), "{rest}");
    let words = rest.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("has changed meanwhile, and nothing was done"), "{rest}");
    assert_eq!((stage.inspect("db", "{{.Id}}"), stage.inspect("web", "{{.Id}}")), ids);
}

#[test]
fn what_one_service_lacks_leaves_no_other_down() {
    let Some(stage) = Stage::new("lacks") else { return };
    let folder = stage.folder.path().join("shown");
    fs::create_dir(&folder).unwrap();
    let shown = format!("memory = \"32MiB\"\nvolumes = [\"{}:/shown:ro\"]", folder.display());
    let two = TWO.replace("needs = [\"db\"]", "").replacen("memory = \"32MiB\"", &shown, 1);
    stage.profile(&(two + "[services.other]\nimage = \"IMAGE\"\ncommand = [\"sleep\", \"1000\"]\nmemory = \"16MiB\"\nstop_timeout = \"1s\"\n"));
    assert_eq!(stage.deploy(&[]).1, 0);
    let told = stage.folder.path().join("events");
    let mut supervisor = stage.command(&["supervise", "--listen", "none", "--format", "json"]);
    let mut supervisor = supervisor.stdout(fs::File::create(&told).unwrap()).spawn().unwrap();
    // It must have seen them, to know that they were deployed.
    std::thread::sleep(Duration::from_secs(3));
    fs::remove_dir(&folder).unwrap();
    let old = stage.inspect("db", "{{.Id}}");
    for service in ["web", "db"] {
        docker(&["rm", "-f", &format!("{}-{service}", stage.name)]);
    }
    let event = |kind: &str| {
        let events = fs::read_to_string(&told).unwrap();
        events.lines().find(|line| line.contains(&format!("\"kind\":\"{kind}\""))).map(str::to_owned)
    };
    let until = Instant::now() + Duration::from_secs(60);
    while event("pending").is_none() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(100));
    }
    let (mended, pending) = (event("mended"), event("pending"));
    let is_up = stage.inspect("db", "{{.State.Running}}") == "true";
    let new = stage.inspect("db", "{{.Id}}");
    let id = nix::unistd::Pid::from_raw(supervisor.id().try_into().unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::SIGTERM).unwrap();
    supervisor.wait().unwrap();
    assert!(mended.is_some_and(|event| event.contains("-db") && !event.contains("-web")), "{pending:?}");
    assert!(is_up && new != old);
    assert!(pending.is_some_and(|event| event.contains("/shown") && event.contains("web")));
}

#[test]
fn who_takes_all_down_gets_no_more_than_is_asked_for() {
    let Some(stage) = Stage::new("gone") else { return };
    stage.profile(TWO);
    assert_eq!(stage.deploy(&[]).1, 0);
    let told = stage.folder.path().join("events");
    let mut supervisor = stage.command(&["supervise", "--listen", "none", "--format", "json"]);
    let mut supervisor = supervisor.stdout(fs::File::create(&told).unwrap()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(stage.json(&["down"]).1, 0);
    let until = Instant::now() + Duration::from_secs(20);
    while !fs::read_to_string(&told).unwrap().contains("\"gone\"") && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(100));
    }
    // One alone, as for a dump that is read in again: the other would come in the way.
    assert_eq!(stage.deploy(&["db"]).1, 0);
    std::thread::sleep(Duration::from_secs(12));
    let others = stage.inspect("web", "{{.Id}}");
    let is_up = stage.inspect("db", "{{.State.Running}}");
    let id = nix::unistd::Pid::from_raw(supervisor.id().try_into().unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::SIGTERM).unwrap();
    supervisor.wait().unwrap();
    assert_eq!((others.as_str(), is_up.as_str()), ("", "true"), "{}", fs::read_to_string(&told).unwrap());
}
