//! What each container uses now: one sample of the engine's statistics.

use bollard::errors::Error;
use bollard::models::ContainerStatsResponse;
use bollard::query_parameters::{LogsOptionsBuilder, StatsOptionsBuilder};
use futures_util::StreamExt as _;
use futures_util::future::try_join_all;

use super::client::Client;
use super::error::EngineError;
use crate::t;

/// What a container uses.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Without the file cache that can go at once, bytes.
    pub memory: u64,
    /// CPU time since it was started, ns.
    pub cpu_ns: u64,
    /// Of all CPUs together in the same time, ns.
    pub system_ns: u64,
    /// CPUs that it sees.
    pub cpus: u32,
}

impl Usage {
    /// CPUs in use between the two, in thousandths.
    pub fn cpus_since(self, before: Self) -> Option<u64> {
        let used = self.cpu_ns.checked_sub(before.cpu_ns)?;
        // The engine's figure for the host counts all CPUs.
        let passed = self.system_ns.checked_sub(before.system_ns)? / u64::from(self.cpus.max(1));
        (passed > 0).then(|| used.saturating_mul(1000) / passed)
    }
}

/// What of a log is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Logs {
    /// Go on until the container ends, or the user has enough.
    pub follow: bool,
    /// So many lines from the end.
    pub tail: Option<u32>,
    /// The time before each line.
    pub timestamps: bool,
}

/// Hands each part of a container's log to `take`, as it comes.
pub fn logs(
    client: &Client,
    name: &str,
    wanted: Logs,
    take: &mut dyn FnMut(&str),
) -> Result<(), EngineError> {
    let tail = wanted.tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string());
    let options = LogsOptionsBuilder::default()
        .stdout(true)
        .stderr(true)
        .follow(wanted.follow)
        .timestamps(wanted.timestamps)
        .tail(&tail)
        .build();
    client.run(t!("the log of {name} can't be read", name = name), async {
        let mut stream = std::pin::pin!(client.streams.logs(name, Some(options)));
        while let Some(part) = stream.next().await {
            take(&part?.to_string());
        }
        Ok(())
    })
}

/// One sample of each container, in their order; those that don't run use nothing.
pub fn usage(client: &Client, names: &[&str]) -> Result<Vec<Usage>, EngineError> {
    let samples = try_join_all(names.iter().map(|name| sample(client, name)));
    client.run(t!("the containers' statistics can't be read"), samples)
}

async fn sample(client: &Client, name: &str) -> Result<Usage, Error> {
    let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
    let mut stream = std::pin::pin!(client.docker.stats(name, Some(options)));
    match stream.next().await {
        Some(Ok(found)) => Ok(understand(&found)),
        Some(Err(Error::DockerResponseServerError { status_code: 404 | 409, .. })) | None => {
            Ok(Usage::default())
        }
        Some(Err(error)) => Err(error),
    }
}

fn understand(found: &ContainerStatsResponse) -> Usage {
    let memory = found.memory_stats.clone().unwrap_or_default();
    let figures = memory.stats.unwrap_or_default();
    // cgroup v2 says inactive_file, v1 total_inactive_file; docker stats takes it off too.
    let cache = ["total_inactive_file", "inactive_file"].iter().find_map(|name| figures.get(*name)).copied();
    let cpu = found.cpu_stats.clone().unwrap_or_default();
    Usage {
        memory: memory.usage.unwrap_or(0).saturating_sub(cache.unwrap_or(0)),
        cpu_ns: cpu.cpu_usage.and_then(|usage| usage.total_usage).unwrap_or(0),
        system_ns: cpu.system_cpu_usage.unwrap_or(0),
        cpus: cpu.online_cpus.unwrap_or(0),
    }
}
