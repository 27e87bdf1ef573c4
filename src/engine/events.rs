//! What the engine tells of a deployment's containers, as it happens.

use std::collections::HashMap;

use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt as _;

use super::client::Client;
use super::error::EngineError;
use crate::container::label;
use crate::t;

/// Something happened to a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The service.
    pub service: String,
    /// The container's name.
    pub container: String,
    /// The container's id.
    pub id: String,
    /// `start`, `die`, `kill`, …
    pub action: String,
    /// With `die`: the exit status.
    pub status: Option<i64>,
    /// With `kill`: the signal's number.
    pub signal: Option<i32>,
    /// When, by the engine's clock, ns since 1970.
    pub at_ns: i64,
}

/// What is listened for; what the engine's own health checks do all the time is not.
const ACTIONS: [&str; 13] = [
    "create",
    "start",
    "die",
    "oom",
    "kill",
    "stop",
    "restart",
    "pause",
    "unpause",
    "destroy",
    "rename",
    "update",
    "health_status",
];

/// Hands on what happens to the containers of `deployment`, from `since_ns` on, until the engine goes away or `take` has
/// enough.
pub fn listen(
    client: &Client,
    deployment: &str,
    since_ns: Option<i64>,
    take: &mut dyn FnMut(Told) -> bool,
) -> Result<(), EngineError> {
    let filters: HashMap<&str, Vec<String>> = HashMap::from([
        ("type", vec!["container".to_owned()]),
        ("event", ACTIONS.map(str::to_owned).to_vec()),
        ("label", vec![format!("{}={deployment}", label::DEPLOYMENT)]),
    ]);
    let mut options = EventsOptionsBuilder::default().filters(&filters);
    let since =
        since_ns.map(|ns| format!("{}.{:09}", ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000)));
    if let Some(since) = &since {
        options = options.since(since);
    }
    client.run(t!("the engine's events can't be followed"), async {
        let mut stream = std::pin::pin!(client.streams.events(Some(options.build())));
        while let Some(message) = stream.next().await {
            let message = message?;
            let actor = message.actor.unwrap_or_default();
            let mut attributes = actor.attributes.unwrap_or_default();
            let Some(service) = attributes.remove(label::SERVICE) else { continue };
            let told = Told {
                service,
                container: attributes.remove("name").unwrap_or_default(),
                id: actor.id.unwrap_or_default(),
                action: message.action.unwrap_or_default(),
                status: attributes.get("exitCode").and_then(|code| code.parse().ok()),
                signal: attributes.get("signal").and_then(|signal| signal.parse().ok()),
                at_ns: message.time_nano.unwrap_or(0),
            };
            if !take(told) {
                break;
            }
        }
        Ok(())
    })
}
