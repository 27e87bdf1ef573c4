//! The engine's own API, one call after the other or side by side: the one place where the program waits asynchronously.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, Docker};

use super::ask::{named_elsewhere, named_socket};
use super::error::{EngineError, way_out};
use super::transport::{ApiVersion, MOST, UNBOUNDED, carry};
use crate::container::weight::Scale;
use crate::facts::engine::{SOCKETS, Trouble};
use crate::host::Host;
use crate::t;

/// How long the engine may take to begin its answer. Making and stopping containers takes it seconds.
const PATIENCE: Duration = Duration::from_secs(120);
/// To load an image of gigabytes, or to stop a database, takes as long as it takes.
const A_DAY: Duration = Duration::from_secs(86_400);
/// The oldest API that has what we need: health checks, `CgroupnsMode`, updates of the process limit.
const OLDEST_API: (u32, u32) = (1, 41);

/// A connection to the engine.
pub struct Client {
    runtime: tokio::runtime::Runtime,
    pub(super) docker: Docker,
    /// For logs and builds: without an end of its own.
    pub(super) streams: Docker,
    /// The socket that is spoken through.
    pub socket: String,
    /// The newest API that the engine speaks.
    pub api: String,
    /// What its runtime makes of CPU shares.
    pub(super) scale: Scale,
}

impl Client {
    /// Finds the engine, and asks whether it is new enough.
    pub fn connect(host: &Host) -> Result<Self, EngineError> {
        Self::connect_within(host, PATIENCE)
    }

    /// The same, with so much patience for each answer's beginning.
    pub fn connect_within(host: &Host, patience: Duration) -> Result<Self, EngineError> {
        let action = || t!("the Docker engine can't be used");
        if let Some(url) = named_elsewhere() {
            let why = t!(
                "DOCKER_HOST is {url}: only an engine of this host's own is spoken to, as in unix:///run/docker.sock",
                url = url
            );
            return Err(EngineError::new(action(), why));
        }
        let socket = named_socket()
            .or_else(|| SOCKETS.into_iter().find(|path| host.exists(path)).map(str::to_owned))
            .unwrap_or_else(|| SOCKETS[0].to_owned());
        if !host.exists(&socket) {
            return Err(EngineError::new(action(), way_out(Trouble::NoSocket, &socket, "")));
        }
        if socket.starts_with("/run/snap.docker")
            || host.exists("/snap/docker/current") && !host.exists("/usr/bin/dockerd")
        {
            return Err(EngineError::new(
                action(),
                t!(
                    "it is the snap package, which hides the host's folders from containers; install Docker's own package or docker.io instead"
                ),
            ));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| EngineError::new(action(), error.to_string()))?;
        let seen = ApiVersion::default();
        let door = |most: usize, patience: Duration| {
            let (path, kept) = (socket.clone(), Arc::clone(&seen));
            Docker::connect_with_custom_transport(
                move |request| carry(path.clone(), request, most, Arc::clone(&kept)),
                Some("http://docker"),
                patience.as_secs(),
                API_DEFAULT_VERSION,
            )
            .map_err(|error| EngineError::of(action(), &socket, &error))
        };
        let (docker, streams) = (door(MOST, patience)?, door(UNBOUNDED, A_DAY)?);
        let mut client = Self {
            runtime,
            docker,
            streams,
            socket: socket.clone(),
            api: String::new(),
            scale: Scale::Shares,
        };
        let told = client.run(action(), client.docker.version())?;
        client.api = seen.lock().ok().and_then(|mut api| api.take()).or(told.api_version).unwrap_or_default();
        let parts = told.components.unwrap_or_default();
        let runc = parts.into_iter().find(|part| part.name == "runc").map(|part| part.version);
        client.scale = Scale::of(host.exists("/sys/fs/cgroup/cgroup.controllers"), runc.as_deref());
        if version(&client.api).is_none_or(|api| api < OLDEST_API) {
            let oldest = format!("{}.{}", OLDEST_API.0, OLDEST_API.1);
            return Err(EngineError::new(
                action(),
                t!(
                    "it speaks API {api}, and {oldest} (Docker Engine 20.10) is the least",
                    api = if client.api.is_empty() { "?" } else { &client.api },
                    oldest = oldest
                ),
            ));
        }
        Ok(client)
    }

    /// Does the engine speak at least this API?
    pub fn speaks(&self, major: u32, minor: u32) -> bool {
        version(&self.api).is_some_and(|api| api >= (major, minor))
    }

    /// Waits for a call.
    pub(super) fn run<T>(
        &self,
        action: impl Into<String>,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, EngineError> {
        self.runtime.block_on(call).map_err(|error| EngineError::of(action, &self.socket, &error))
    }

    /// Waits for a while.
    pub fn pause(&self, time: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(time).await });
    }
}

fn version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
