//! What somebody may have meant by a key that is not ours.

use super::keys::KEYS;
use super::sysctl;
use crate::t;

/// Our word for what Compose, the engine or a person calls otherwise.
pub(super) fn otherwise(name: &str) -> Option<&'static str> {
    const WORDS: [(&str, &str); 24] = [
        ("ports", "publish"),
        ("port", "publish"),
        ("expose", "publish"),
        ("mem_limit", "memory"),
        ("memory_limit", "memory"),
        ("limit", "memory"),
        ("mem_reservation", "memory_reservation"),
        ("memswap_limit", "memory_swap"),
        ("swap", "memory_swap"),
        ("cpu_shares", "cpu_weight"),
        ("cpu_count", "cpus"),
        ("nano_cpus", "cpus"),
        ("pids_limit", "pids"),
        ("depends_on", "needs"),
        ("requires", "needs"),
        ("env", "environment"),
        ("healthcheck", "health"),
        ("cap_add", "capabilities"),
        ("args", "command"),
        ("entrypoint", "command"),
        ("mounts", "volumes"),
        ("stop_grace_period", "stop_timeout"),
        ("num_ctx", "context"),
        ("timeout", "deadline"),
    ];
    WORDS.iter().find(|(theirs, _)| *theirs == name).map(|(_, ours)| *ours)
}

/// Where a key of this name does belong.
pub(super) fn elsewhere(name: &str) -> Option<String> {
    let plain = crate::sysctl_name::dotted(name);
    let known = sysctl::KNOWN.iter().find(|k| k.name == plain || k.name.rsplit('.').next() == Some(name));
    if let Some(known) = known {
        return Some(t!("kernel parameters belong to [sysctl]: \"{name}\" = …", name = known.name));
    }
    let key = KEYS.iter().find(|key| key.path.rsplit('.').next() == Some(name))?;
    let (section, _) = key.path.rsplit_once('.')?;
    Some(t!("`{name}` belongs to [{section}]", name = name, section = section.replace('*', "NAME")))
}
