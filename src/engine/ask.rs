//! One question to the engine that is there: what are you?

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{LocalNodeState, SystemInfo};
use bollard::{API_DEFAULT_VERSION, Docker};

use super::transport::{ApiVersion, MOST, carry};
use crate::facts::engine::{Engine, EngineInfo, SOCKETS, Silence, Trouble};
use crate::host::{Host, terminal};

/// How long an engine may take to answer; a healthy one needs a few milliseconds.
const DEADLINE: Duration = Duration::from_secs(2);

/// Asks the host's engine, or the one whose socket `DOCKER_HOST` names. It is one call, and none where there is no
/// socket. An address on the network is passed over: what answers there is not this host.
pub fn ask(host: &Host) -> Engine {
    if !host.is_live() {
        return Engine::Unasked;
    }
    let named = named_socket();
    let silent = |socket: &str, trouble, detail: String| {
        Engine::Silent(Silence { socket: socket.to_owned(), trouble, detail })
    };
    let socket = match &named {
        Some(path) if host.exists(path) => path.as_str(),
        Some(path) => return silent(path, Trouble::NoSocket, String::new()),
        None => match SOCKETS.into_iter().find(|path| host.exists(path)) {
            Some(path) => path,
            None => return Engine::Absent,
        },
    };
    if SOCKETS.contains(&socket) && is_asleep(host) {
        return silent(socket, Trouble::Asleep, String::new());
    }
    match call(socket) {
        Ok(info) => Engine::Answered(Box::new(info)),
        Err((trouble, detail)) => silent(socket, trouble, detail),
    }
}

/// The socket that `DOCKER_HOST` names.
pub(super) fn named_socket() -> Option<String> {
    terminal::environment("DOCKER_HOST")
        .and_then(|url| url.strip_prefix("unix://").map(str::to_owned))
        .filter(|path| path.starts_with('/'))
}

/// What `DOCKER_HOST` names where that is no socket of this host.
pub(super) fn named_elsewhere() -> Option<String> {
    let named = terminal::environment("DOCKER_HOST").filter(|url| !url.is_empty());
    named.filter(|_| named_socket().is_none())
}

/// systemd holds the socket of an engine that does not run, and would start it for us.
fn is_asleep(host: &Host) -> bool {
    const UNITS: [&str; 3] = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
    // The groups of the running service: unified, and as systemd has them beside version 1.
    const RUNS: [&str; 3] = [
        "/sys/fs/cgroup/system.slice/docker.service",
        "/sys/fs/cgroup/systemd/system.slice/docker.service",
        "/sys/fs/cgroup/unified/system.slice/docker.service",
    ];
    host.value("/proc/1/comm").as_deref() == Some("systemd")
        && UNITS.iter().any(|folder| host.exists(&format!("{folder}/docker.socket")))
        && !host.exists("/run/docker.pid")
        && !RUNS.iter().any(|group| host.exists(group))
}

pub(super) type Refusal = (Trouble, String);

fn call(socket: &str) -> Result<EngineInfo, Refusal> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| (Trouble::NoAnswer, error.to_string()))?;
    let api = ApiVersion::default();
    let answer = runtime.block_on(async {
        let (path, kept) = (socket.to_owned(), Arc::clone(&api));
        let docker = Docker::connect_with_custom_transport(
            move |request| carry(path.clone(), request, MOST, Arc::clone(&kept)),
            Some("http://docker"),
            DEADLINE.as_secs(),
            API_DEFAULT_VERSION,
        )?;
        // bollard's own time limit covers the head of the reply alone.
        tokio::time::timeout(DEADLINE, docker.info()).await.unwrap_or(Err(Error::RequestTimeoutError))
    });
    let info = answer.map_err(|error| refusal(&error))?;
    let api = api.lock().ok().and_then(|mut api| api.take());
    understand(socket, info, api)
}

pub(super) fn refusal(error: &Error) -> Refusal {
    match error {
        Error::RequestTimeoutError => (Trouble::NoAnswer, String::new()),
        Error::DockerResponseServerError { status_code, message } => {
            (Trouble::Failed, format!("{status_code}: {}", brief(message)))
        }
        Error::IOError { err } => match err.kind() {
            io::ErrorKind::PermissionDenied => (Trouble::NoPermission, String::new()),
            io::ErrorKind::ConnectionRefused => (Trouble::Refused, String::new()),
            io::ErrorKind::NotFound => (Trouble::NoSocket, String::new()),
            // Its queue of callers is full.
            io::ErrorKind::WouldBlock => (Trouble::NoAnswer, String::new()),
            _ => (Trouble::NotAnEngine, err.to_string()),
        },
        Error::JsonDataError { message, .. } => (Trouble::NotAnEngine, brief(message)),
        Error::HyperResponseError { err } => {
            let cause = err.source().map_or_else(|| err.to_string(), |cause| format!("{err}: {cause}"));
            (Trouble::NotAnEngine, cause)
        }
        other => (Trouble::NotAnEngine, brief(&other.to_string())),
    }
}

/// The beginning of somebody else's words.
fn brief(text: &str) -> String {
    text.trim().chars().take(200).collect()
}

fn understand(socket: &str, info: SystemInfo, api: Option<String>) -> Result<EngineInfo, Refusal> {
    let Some(version) = info.server_version.filter(|version| !version.is_empty()) else {
        return Err((Trouble::NotAnEngine, "no ServerVersion in GET /info".to_owned()));
    };
    let swarm = info.swarm.and_then(|swarm| swarm.local_node_state);
    Ok(EngineInfo {
        socket: socket.to_owned(),
        version,
        api: api.unwrap_or_default(),
        storage_driver: info.driver.unwrap_or_default(),
        logging_driver: info.logging_driver.unwrap_or_default(),
        cgroup_driver: info.cgroup_driver.map(|driver| driver.to_string()).unwrap_or_default(),
        cgroup_version: info.cgroup_version.map(|version| version.to_string()).unwrap_or_default(),
        live_restore: info.live_restore_enabled.unwrap_or(false),
        swarm: swarm.is_some_and(|state| !matches!(state, LocalNodeState::EMPTY | LocalNodeState::INACTIVE)),
        root_dir: info.docker_root_dir.unwrap_or_default(),
        security_options: info.security_options.unwrap_or_default(),
        warnings: info.warnings.unwrap_or_default(),
        containers_running: info.containers_running.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
        memory_limit: info.memory_limit.unwrap_or(false),
        swap_limit: info.swap_limit.unwrap_or(false),
        pids_limit: info.pids_limit.unwrap_or(false),
        cpu_quota: info.cpu_cfs_quota.unwrap_or(false),
    })
}
