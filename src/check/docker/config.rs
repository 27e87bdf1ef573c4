//! `daemon.json` and the unit's flags.

use super::{Evidence, Outcome, Scene, absent, configured, place, told};
use crate::facts::dockerd::Dockerd;
use crate::facts::engine::{Engine, EngineInfo};
use crate::t;

/// The answer of the host's own engine, where it gave one.
fn own_engine<'s>(scene: &'s Scene<'_>) -> Option<&'s EngineInfo> {
    match scene.engine() {
        Engine::Answered(info) if info.is_the_hosts() => Some(info),
        _ => None,
    }
}

pub(super) fn logs(scene: &Scene<'_>) -> Vec<Outcome> {
    let dockerd = match configured(scene) {
        Ok(dockerd) => dockerd,
        Err(outcome) => return outcome,
    };
    let engine = own_engine(scene);
    let configured = dockerd.text_of("log-driver").unwrap_or_else(|| "json-file".to_owned());
    let driver = engine.map_or(configured, |info| info.logging_driver.clone());
    let size = dockerd.option("log-opts", "max-size");
    let unlimited = size.as_deref() == Some("-1");
    let evidence = engine.map(|info| told("LoggingDriver", &info.logging_driver));
    let found = match (driver.as_str(), size.as_deref()) {
        ("json-file", None) => Err(t!("json-file without max-size")),
        ("json-file" | "local", Some(_)) if unlimited => {
            Err(t!("{driver} with max-size -1", driver = driver))
        }
        ("json-file" | "local", Some(size)) => {
            Ok(t!("{driver}, {size} for each file", driver = driver, size = size))
        }
        ("local", None) => Ok(t!("local, 100 MB for each container")),
        ("journald", _) => Ok(t!("journald, which has limits of its own")),
        _ => Ok(t!("{driver}, which keeps no file of the engine's", driver = driver)),
    };
    let outcome = match found {
        Ok(actual) => Outcome::pass(actual),
        Err(actual) => Outcome::warn(
            actual,
            t!(
                "put \"log-driver\": \"local\" into {path}, restart the engine, and create the containers anew",
                path = dockerd.path
            ),
        ),
    };
    let key = if dockerd.text_of("log-driver").is_some() { "log-driver" } else { "log-opts" };
    outcome
        .expected(t!("the driver local, or max-size for json-file"))
        .seen_all(evidence)
        .seen(place(dockerd, key))
        .into()
}

pub(super) fn live_restore(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = absent(scene) {
        return outcome.into();
    }
    let (on, evidence) = match scene.engine() {
        Engine::Answered(info) if info.swarm => {
            return Outcome::not_applicable(t!("a swarm's engine can't have live-restore")).into();
        }
        Engine::Answered(info) => (info.live_restore, told("LiveRestoreEnabled", info.live_restore)),
        _ => match configured(scene) {
            Ok(dockerd) => (dockerd.switch("live-restore").unwrap_or(false), place(dockerd, "live-restore")),
            Err(outcome) => return outcome,
        },
    };
    let outcome = if on {
        Outcome::pass(t!("live-restore is on"))
    } else {
        Outcome::warn(
            t!("live-restore is off"),
            t!("put \"live-restore\": true into /etc/docker/daemon.json and run systemctl reload docker"),
        )
    };
    outcome.expected("\"live-restore\": true").seen(evidence).into()
}

pub(super) fn valid(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = absent(scene) {
        return outcome.into();
    }
    let dockerd = scene.dockerd();
    let Some(error) = &dockerd.error else {
        return match &dockerd.text {
            Some(_) => Outcome::pass(t!("{count} keys", count = dockerd.keys.len())),
            None => Outcome::not_applicable(t!("there is no {path}", path = dockerd.path)),
        }
        .seen(Evidence::path(&dockerd.path))
        .into();
    };
    if error.line == 0 {
        let why = t!("{path} can't be read: {reason}", path = dockerd.path, reason = error.message);
        return Outcome::could_not_tell(why).into();
    }
    let actual = t!(
        "line {line}, column {column}: {message}",
        line = error.line,
        column = error.column,
        message = error.message
    );
    let text = dockerd.text.as_deref().unwrap_or_default().lines().nth(error.line - 1).unwrap_or_default();
    let short: String = text.trim().chars().take(120).collect();
    let fix = t!("mend the line, then dockerd --validate --config-file {path}", path = dockerd.path);
    Outcome::fail(actual, fix)
        .expected(t!("one JSON object"))
        .seen(Evidence::line(&dockerd.path, error.line, short))
        .into()
}

pub(super) fn conflicts(scene: &Scene<'_>) -> Vec<Outcome> {
    let dockerd = match configured(scene) {
        Ok(dockerd) => dockerd,
        Err(outcome) => return outcome,
    };
    if dockerd.keys.is_empty() || dockerd.flags.is_empty() {
        return Outcome::pass(t!("only one of them sets anything")).into();
    }
    let twice: Vec<&str> =
        dockerd.keys.keys().map(String::as_str).filter(|key| dockerd.flag(key).is_some()).collect();
    if twice.is_empty() {
        return Outcome::pass(t!("no key is set twice")).into();
    }
    twice
        .into_iter()
        .map(|key| {
            let file = dockerd.line_of(key).map_or_else(
                || Evidence::path(&dockerd.path),
                |line| Evidence::line(&dockerd.path, line, format!("\"{key}\"")),
            );
            let fix = if key == "hosts" {
                t!(
                    "systemctl edit docker, with an empty ExecStart= and then the same without -H; or take hosts out of {path}",
                    path = dockerd.path
                )
            } else {
                t!("take {key} out of {path}, or the flag out of the unit", key = key, path = dockerd.path)
            };
            Outcome::fail(t!("{key} is in daemon.json and among the flags", key = key), fix)
                .of(key)
                .seen(file)
                .seen(place(dockerd, key))
        })
        .collect()
}

/// What is configured and what runs, for the keys of which the engine tells.
fn compared(scene: &Scene<'_>, dockerd: &Dockerd, info: &EngineInfo) -> Vec<(&'static str, String, String)> {
    let mut found = Vec::new();
    let mut add = |key, wanted: Option<String>, runs: &str| {
        if let Some(wanted) = wanted {
            found.push((key, wanted, runs.to_owned()));
        }
    };
    add("log-driver", dockerd.text_of("log-driver"), &info.logging_driver);
    // With containerd's image store the driver has another name.
    if info.storage_driver != "overlayfs" {
        add("storage-driver", dockerd.text_of("storage-driver"), &info.storage_driver);
    }
    if !info.swarm {
        let wanted = dockerd.switch("live-restore").map(|on| on.to_string());
        add("live-restore", wanted, &info.live_restore.to_string());
    }
    add("exec-opts", dockerd.option("exec-opts", "native.cgroupdriver"), &info.cgroup_driver);
    // With userns-remap the engine adds a folder of its own, and a link is told by where it leads.
    if dockerd.text_of("userns-remap").is_none() {
        let wanted = dockerd.text_of("data-root").filter(|path| !scene.host().is_same(path, &info.root_dir));
        add("data-root", wanted, &info.root_dir);
    }
    found
}

pub(super) fn in_force(scene: &Scene<'_>) -> Vec<Outcome> {
    let dockerd = match configured(scene) {
        Ok(dockerd) => dockerd,
        Err(outcome) => return outcome,
    };
    let info = match super::answered(scene) {
        Ok(info) => info,
        Err(outcome) => return outcome,
    };
    let compared = compared(scene, dockerd, info);
    let differing: Vec<Outcome> = compared
        .iter()
        .filter(|(_, wanted, runs)| wanted.trim_end_matches('/') != runs.trim_end_matches('/'))
        .map(|(key, wanted, runs)| {
            Outcome::warn(runs.as_str(), t!("systemctl restart docker, at a time that suits you"))
                .of(*key)
                .expected(wanted.as_str())
                .seen(place(dockerd, key))
                .seen(told(key, runs))
        })
        .collect();
    match (differing.is_empty(), compared.is_empty()) {
        (false, _) => differing,
        (true, true) => Outcome::pass(t!("nothing is configured of which the engine tells")).into(),
        (true, false) => Outcome::pass(t!("{count} settings are in force", count = compared.len())).into(),
    }
}
