//! The thread that follows the engine's events, for ever: an engine that goes away comes back.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::news::{News, Teller};
use crate::engine::{Client, listen};
use crate::host::Host;

/// The first pause between two attempts, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How long an engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Begins to listen.
pub(super) fn begin(deployment: String, teller: Teller) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name("ears".to_owned())
        .stack_size(512 << 10)
        .spawn(move || follow(&deployment, &teller))
}

fn follow(deployment: &str, teller: &Teller) {
    let mut pause = PAUSES.0;
    // What happened while nobody listened is told afterwards, as far as the engine remembers it.
    let mut since: Option<i64> = None;
    loop {
        let why = match Host::live()
            .map_err(|error| error.to_string())
            .and_then(|host| Client::connect_within(&host, PATIENCE).map_err(|error| error.to_string()))
        {
            Err(why) => why,
            Ok(client) => {
                if !teller.tell(News::EngineUp) {
                    return;
                }
                pause = PAUSES.0;
                let mut heard = true;
                let ended = listen(&client, deployment, since, &mut |told| {
                    since = Some(since.unwrap_or(0).max(told.at_ns + 1));
                    heard = teller.tell(News::Told(told));
                    heard
                });
                if !heard {
                    return;
                }
                ended.map_or_else(|error| error.to_string(), |()| "its events ended".to_owned())
            }
        };
        if !teller.tell(News::EngineAway(why)) {
            return;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSES.1);
    }
}
