//! Are they as they should be, do they work, do they come back, are they calm?

use super::limits::kills;
use super::{DEPLOY, Evidence, Live, Outcome, Scene, all, each, each_of, fix, told};
use crate::container::plan::Detail;
use crate::t;
use crate::units::Bytes;

pub(super) fn as_the_profile_says(scene: &Scene<'_>) -> Vec<Outcome> {
    let containers = match all(scene) {
        Ok(containers) => containers,
        Err(outcome) => return outcome,
    };
    let plan = match &containers.pending {
        None => {
            let name = &scene.wish().deployment.name;
            return Outcome::not_applicable(t!(
                "nothing of the deployment {name} is on this host",
                name = name
            ))
            .into();
        }
        Some(Err(why)) => return Outcome::could_not_tell(why.clone()).into(),
        Some(Ok(plan)) => plan,
    };
    let mut found: Vec<Outcome> = plan
        .changes
        .iter()
        .map(|change| {
            let or_none = |text: &str| if text.is_empty() { t!("none") } else { text.to_owned() };
            let each = |value: fn(&Detail) -> &String| {
                let all = change.details.iter().map(|d| format!("{}: {}", d.what, or_none(value(d))));
                all.collect::<Vec<_>>().join("; ")
            };
            if change.details.is_empty() {
                return Outcome::fail(change.reason.clone(), DEPLOY).of(change.target.clone());
            }
            Outcome::fail(each(|d| &d.before), DEPLOY).expected(each(|d| &d.after)).of(change.target.clone())
        })
        .collect();
    found.extend(plan.blocked.iter().map(|why| Outcome::fail(why.clone(), format!("{DEPLOY} --dry-run"))));
    found.extend(plan.orphans.iter().map(|name| {
        let words = t!("no service of the profile asks for it");
        Outcome::warn(words, format!("{DEPLOY} --remove-orphans")).of(name.clone())
    }));
    if found.is_empty() {
        return Outcome::pass(t!("nothing differs")).into();
    }
    found
}

pub(super) fn healthy(scene: &Scene<'_>) -> Vec<Outcome> {
    let containers = match all(scene) {
        Ok(containers) => containers,
        Err(outcome) => return outcome,
    };
    let ours: Vec<&Live> = containers
        .live
        .iter()
        .filter(|c| (c.deployment.is_some() || !c.health.is_empty()) && !c.name.ends_with(".previous"))
        .collect();
    if ours.is_empty() {
        return Outcome::not_applicable(t!("no container has a health check")).into();
    }
    let look = |container: &&&Live| {
        if container.is_asleep {
            return None;
        }
        let words = match (container.state.as_str(), container.health.as_str()) {
            ("running", "" | "healthy") => return None,
            ("running", health) => health.to_owned(),
            (state, _) => state.to_owned(),
        };
        let see = format!("docker logs --tail 50 {}", container.name);
        let log = fix(
            container,
            format!("civicum-tune logs {} -n 50", container.service.clone().unwrap_or_default()),
            see,
        );
        let seen = told(container, format!("State.Status: {}", container.state));
        let outcome = if words == "starting" { Outcome::warn(words, log) } else { Outcome::fail(words, log) };
        Some(outcome.expected(t!("healthy")).seen(seen).of(container.name.clone()))
    };
    let found: Vec<Outcome> = ours.iter().filter_map(|container| look(&container)).collect();
    if found.is_empty() { Outcome::pass(t!("all that have a health check are well")).into() } else { found }
}

pub(super) fn settled(scene: &Scene<'_>) -> Vec<Outcome> {
    let containers = match all(scene) {
        Ok(containers) => containers,
        Err(outcome) => return outcome,
    };
    if containers.settings.is_empty() {
        return Outcome::not_applicable(t!("no database of the profile runs with settings of its own"))
            .into();
    }
    let mut found = Vec::new();
    for (name, answer) in &containers.settings {
        match answer {
            Err(why) => found.push(Outcome::could_not_tell(why.clone()).of(name.clone())),
            Ok(differences) => found.extend(differences.iter().map(|difference| {
                let value = difference.found.clone().unwrap_or_else(|| t!("unknown to the server"));
                let way = match difference.source.as_str() {
                    "database" | "user" | "database user" => {
                        t!(
                            "ALTER DATABASE or ALTER ROLE overrules the profile: RESET {name} there",
                            name = difference.name
                        )
                    }
                    _ => DEPLOY.to_owned(),
                };
                Outcome::fail(format!("{} = {value}", difference.name), way)
                    .expected(format!("{} = {}", difference.name, difference.wanted))
                    .seen(Evidence::file("pg_settings", format!("source: {}", difference.source)))
                    .of(name.clone())
            })),
        }
    }
    if found.is_empty() { Outcome::pass(t!("each setting is as the profile has it")).into() } else { found }
}

pub(super) fn comes_back(scene: &Scene<'_>) -> Vec<Outcome> {
    each(scene, &t!("each has a restart policy"), |container| {
        let policy = container.restart.as_str();
        let actual = match policy {
            "" | "no" => t!("it stays down after a reboot"),
            // After an orderly reboot it ended with 0.
            "on-failure" => t!("it stays down after a reboot, unless it failed before"),
            _ => return None,
        };
        let by_hand = format!("docker update --restart unless-stopped {}", container.name);
        let ours = t!("write restart = \"unless-stopped\" in the profile, and run: civicum-tune deploy");
        let seen = told(container, format!("HostConfig.RestartPolicy.Name: {policy}"));
        Some(Outcome::warn(actual, fix(container, ours, by_hand)).seen(seen))
    })
}

pub(super) fn calm(scene: &Scene<'_>) -> Vec<Outcome> {
    each_of(
        scene,
        &t!("none"),
        |container| container.runs() || container.state == "restarting",
        |container| {
            let see = t!("docker logs --tail 50 {name}", name = container.name);
            // The engine's own mark outlives the container's restart, and may miss a kill; the control group counts.
            let counted = kills(scene, container);
            let seen = match &counted {
                Some((0, _)) => None,
                Some((count, file)) => Some(Evidence::file(file.clone(), format!("oom_kill {count}"))),
                None => container.oom_killed.then(|| told(container, "State.OOMKilled: true")),
            };
            if let Some(seen) = seen {
                let limit = Bytes(container.memory);
                let actual = match counted {
                    Some((count, _)) => {
                        t!(
                            "the kernel killed in it {count} ×, at its limit of {limit}",
                            count = count,
                            limit = limit
                        )
                    }
                    None => t!("the kernel killed in it, at its limit of {limit}", limit = limit),
                };
                return Some(
                    Outcome::fail(actual, t!("raise its memory, or give it less to do at a time")).seen(seen),
                );
            }
            (container.restarts >= 3).then(|| {
                let actual = t!("restarted {count} times", count = container.restarts);
                Outcome::warn(actual, see)
                    .seen(told(container, format!("RestartCount: {}", container.restarts)))
            })
        },
    )
}
