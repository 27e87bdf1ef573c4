//! What is asked of a PostgreSQL server in its container: has it the settings of the profile, and a dump of all it has.

use std::io::{self, Write as _};
use std::time::{Duration, SystemTime};

use super::client::Client;
use super::error::EngineError;
use super::exec::exec;
use crate::container::desired::Service;
use crate::container::role::DATABASE_USER;
use crate::container::settings::{Answer, Difference, differences, question};
use crate::host::{Host, Image, terminal};
use crate::t;
use crate::units::Bytes;

/// A question is answered in milliseconds, but for a server that is busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// A dump takes as long as it takes.
const A_DAY: Duration = Duration::from_secs(86_400);
/// Where dumps are kept, and only root may look.
pub const DUMPS: &str = "/var/lib/civicum-tune/dumps";
/// So many dumps of each database are kept.
const KEPT: usize = 3;
/// With these words `pg_dumpall` ends.
const END: &[u8] = b"-- PostgreSQL database cluster dump complete";

/// One question to the server, over its own socket.
fn ask(
    client: &Client,
    service: &Service,
    action: &str,
    (user, database): (&str, &str),
    sql: &str,
) -> Result<String, EngineError> {
    let words =
        ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", database, "-c", sql];
    let mut said = Vec::new();
    exec(client, &service.container, action, &words, PATIENCE, &mut |part| {
        said.extend_from_slice(part);
        if said.len() > 1 << 20 { Err(io::Error::other("more than 1 MiB")) } else { Ok(()) }
    })?;
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}

fn variable<'s>(service: &'s Service, name: &str) -> &'s str {
    service.fixed.environment.get(name).map_or(DATABASE_USER, String::as_str)
}

/// The settings of the profile that the server does not have.
pub(super) fn unsettled(client: &Client, service: &Service) -> Result<Vec<Difference>, EngineError> {
    if service.settings.is_empty() {
        return Ok(Vec::new());
    }
    let action = t!("the settings of {name} can't be asked", name = service.container);
    let who = (variable(service, "POSTGRES_USER"), variable(service, "POSTGRES_DB"));
    let said = ask(client, service, &action, who, &question(service.settings.keys()))?;
    let answers: Vec<Answer> = serde_json::from_str(&said)
        .map_err(|error| EngineError::new(action, t!("its answer can't be read: {error}", error = error)))?;
    Ok(differences(&service.settings, &answers))
}

/// Writes all that the server has into a file, as `user`, and gives back its path. Older dumps than the last three go.
pub(super) fn dump(
    client: &Client,
    host: &Host,
    service: &Service,
    user: Option<&str>,
) -> Result<String, EngineError> {
    let user = user.unwrap_or_else(|| variable(service, "POSTGRES_USER"));
    let name = &service.container;
    let action = t!("the database of {name} can't be dumped", name = name);
    let fail = |why: String| EngineError::new(action.clone(), why);
    let size = ask(
        client,
        service,
        &action,
        (user, "postgres"),
        "SELECT sum(pg_database_size(oid)) FROM pg_database",
    )?;
    let size: u64 = size.parse().map_err(|_| fail(t!("its size is no number: {size}", size = size)))?;
    host.make_state_folder()
        .and_then(|()| host.make_folder(DUMPS, 0o700))
        .map_err(|error| fail(error.to_string()))?;
    let path = format!("{DUMPS}/{name}-{}.sql", stamp());
    let free = host.space(&path).map_err(|error| fail(error.to_string()))?.free;
    if free < size.saturating_mul(2) {
        return Err(fail(t!(
            "{folder} has {free} free, and twice the database is {twice}; make room, or leave the dump out: --no-dump",
            folder = DUMPS,
            free = Bytes(free),
            twice = Bytes(size.saturating_mul(2))
        )));
    }
    let words = ["pg_dumpall", "-U", user, "--no-password"];
    let mut tail: Vec<u8> = Vec::new();
    let mut fill = |out: &mut dyn io::Write| {
        let mut out = io::BufWriter::with_capacity(256 << 10, out);
        exec(client, name, &action, &words, A_DAY, &mut |part| {
            if terminal::interrupted() {
                return Err(io::Error::other(t!("you interrupted it")));
            }
            tail.extend_from_slice(part);
            let much = tail.len().saturating_sub(256);
            tail.drain(..much);
            out.write_all(part)
        })
        .map_err(|error| io::Error::other(error.reason))?;
        if !tail.windows(END.len()).any(|words| words == END) {
            return Err(io::Error::other(t!("it broke off before its end")));
        }
        out.flush()
    };
    host.write_large(&path, 0o600, &mut fill).map_err(|error| fail(error.to_string()))?;
    prune(host, name).map_err(|error| fail(error.to_string()))?;
    Ok(path)
}

/// Removes all dumps of a database but the last ones.
fn prune(host: &Host, name: &str) -> crate::host::Result<()> {
    let mut dumps: Vec<String> = host.list(DUMPS)?;
    dumps.retain(|file| file.strip_prefix(name).is_some_and(is_stamped));
    dumps.sort();
    let old = dumps.len().saturating_sub(KEPT);
    dumps.iter().take(old).try_for_each(|file| host.replace(&format!("{DUMPS}/{file}"), &Image::Absent))
}

/// Now, as a name that sorts: `20261126T023203Z`.
fn stamp() -> String {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    now.chars().filter(|c| !"-:".contains(*c)).collect()
}

/// Is it what stands behind the database's name in a dump's? `civicum-db` has none of `civicum-db-2`'s.
fn is_stamped(rest: &str) -> bool {
    rest.strip_prefix('-').and_then(|rest| rest.strip_suffix(".sql")).is_some_and(|time| {
        time.len() == 16
            && time.bytes().enumerate().all(|(at, byte)| match at {
                8 => byte == b'T',
                15 => byte == b'Z',
                _ => byte.is_ascii_digit(),
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_dumps() {
        assert!(is_stamped(&format!("-{}.sql", stamp())));
        for rest in [
            "",
            "-2-20261126T023203Z.sql",
            "-20261126T023203Z.sql.gz",
            "20261126T023203Z.sql",
            "-2026112XT023203Z.sql",
        ] {
            assert!(!is_stamped(rest), "{rest}");
        }
    }
}
