//! The engine itself: does it answer, how old is it, where does it come from?

use super::{Evidence, Outcome, Scene, absent, answered, told, words};
use crate::facts::engine::{Engine, SOCKETS, Trouble};
use crate::t;

const START: &str = "systemctl enable --now docker";

pub(super) fn answers(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = absent(scene) {
        return outcome.into();
    }
    let silence = match scene.engine() {
        Engine::Answered(info) => {
            let said = t!(
                "Engine {version}, API {api}, on {socket}",
                version = info.version,
                api = info.api,
                socket = info.socket
            );
            return Outcome::pass(said).seen(told("ServerVersion", &info.version)).into();
        }
        Engine::Unasked => {
            let why = t!("only an engine that runs can tell, and a tree has none");
            return Outcome::not_applicable(why).into();
        }
        Engine::Absent => {
            return Outcome::warn(t!("Docker is installed, and its engine is not running"), START)
                .seen(Evidence::path(SOCKETS[0]))
                .into();
        }
        Engine::Silent(silence) => silence,
    };
    let evidence = Evidence::path(&silence.socket);
    match silence.trouble {
        Trouble::NoPermission | Trouble::Asleep => Outcome::could_not_tell(words(silence)),
        Trouble::NoSocket => Outcome::warn(words(silence), "unset DOCKER_HOST").seen(evidence),
        Trouble::Refused => Outcome::fail(words(silence), "systemctl restart docker").seen(evidence),
        Trouble::NoAnswer | Trouble::Failed => {
            Outcome::fail(words(silence), "journalctl --unit docker --since -1h").seen(evidence)
        }
        Trouble::NotAnEngine => {
            Outcome::warn(words(silence), t!("see who listens: ss -xlp | grep docker.sock")).seen(evidence)
        }
    }
    .into()
}

/// Is an API version at least 1.44?
fn speaks_1_44(api: &str) -> Option<bool> {
    let (major, minor) = api.split_once('.')?;
    let version: (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
    Some(version >= (1, 44))
}

pub(super) fn new_enough(scene: &Scene<'_>) -> Vec<Outcome> {
    let info = match answered(scene) {
        Ok(info) => info,
        Err(outcome) => return outcome,
    };
    let actual = t!("Engine {version}, API {api}", version = info.version, api = info.api);
    let enough = match (speaks_1_44(&info.api), info.major()) {
        (Some(enough), _) => enough,
        (None, 0) => {
            return Outcome::could_not_tell(t!(
                "the version {version} is not a number",
                version = info.version
            ))
            .into();
        }
        (None, major) => major >= 25,
    };
    let outcome = if enough {
        Outcome::pass(actual)
    } else {
        Outcome::warn(
            actual,
            t!(
                "install a newer engine, for example Docker's own packages: https://docs.docker.com/engine/install/"
            ),
        )
    };
    outcome
        .expected(t!("Engine 25 or later, API 1.44 or later"))
        .seen(told("ServerVersion", &info.version))
        .seen(Evidence::file("Api-Version", &info.api))
        .into()
}

pub(super) fn loopback_is_kept(scene: &Scene<'_>) -> Vec<Outcome> {
    let info = match answered(scene) {
        Ok(info) => info,
        Err(outcome) => return outcome,
    };
    if info.security_options.iter().any(|option| option == "name=rootless") {
        return Outcome::not_applicable(t!("a rootless engine's networks are not the host's")).into();
    }
    let outcome = match info.major() {
        0 => {
            return Outcome::could_not_tell(t!(
                "the version {version} is not a number",
                version = info.version
            ))
            .into();
        }
        28.. => Outcome::pass(t!("Engine {version}", version = info.version)),
        _ => Outcome::warn(
            t!("Engine {version}", version = info.version),
            t!("install Engine 28 or later, or have a firewall drop packets from outside to 127.0.0.0/8"),
        ),
    };
    outcome.expected(t!("Engine 28 or later")).seen(told("ServerVersion", &info.version)).into()
}

pub(super) fn no_snap(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = absent(scene) {
        return outcome.into();
    }
    let signs = ["/var/snap/docker", "/snap/bin/docker"];
    match signs.into_iter().find(|path| scene.host().exists(path)) {
        Some(path) => Outcome::fail(
            t!("Docker's snap is installed"),
            t!("move the volumes, snap remove docker, and install the package docker.io or docker-ce"),
        )
        .seen(Evidence::path(path)),
        None => Outcome::pass(t!("there is no snap of Docker")),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_the_api() {
        assert_eq!(speaks_1_44("1.44"), Some(true));
        assert_eq!(speaks_1_44("2.0"), Some(true));
        assert_eq!(speaks_1_44("1.9"), Some(false));
        assert_eq!(speaks_1_44(""), None);
        assert_eq!(speaks_1_44("1.x"), None);
    }
}
