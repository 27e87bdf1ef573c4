//! The containers, whoever made them: what they may, what they share with the host, and whether they are as the profile says.

mod age;
mod health;
mod limits;
mod outside;

use super::{Check, Evidence, Outcome, Remedy, Scene, Severity};
use crate::facts::containers::{Containers, Live};
use crate::t;

const DEPLOY: &str = "civicum-tune deploy";
const IN_THE_PROFILE: Remedy = Remedy::ByHand {
    cost: "A container that has to be made anew stops for it.",
    risk: "If the new one does not get healthy, the old one is started again.",
    undo: "Take the change out of the profile and deploy again.",
};
const ENGINE: &str = "Docker Engine API, GET /containers/ID/json";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CT-CONT-001",
        title: "the containers are as the profile says",
        severity: Severity::High,
        why: "What was changed by hand, or in the profile and never deployed, takes effect at a moment that nobody chose.",
        remedy: IN_THE_PROFILE,
        source: ENGINE,
        look: health::as_the_profile_says,
    },
    Check {
        id: "CT-CONT-002",
        title: "every service runs and is healthy",
        severity: Severity::High,
        why: "A document waits for the one service that does not answer.",
        remedy: Remedy::ByHand { cost: "None.", risk: "None.", undo: "Nothing was changed." },
        source: ENGINE,
        look: health::healthy,
    },
    Check {
        id: "CT-CONT-003",
        title: "every container has a memory limit",
        severity: Severity::High,
        why: "One without a limit grows until the whole host is out of memory, and the kernel chooses who dies.",
        remedy: IN_THE_PROFILE,
        source: "https://docs.docker.com/engine/containers/resource_constraints/",
        look: limits::limited,
    },
    Check {
        id: "CT-CONT-004",
        title: "all limits together fit the RAM",
        severity: Severity::High,
        why: "Limits that come to more than there is promise what the host can't keep: then the host's OOM killer decides, \
              and not the limit.",
        remedy: IN_THE_PROFILE,
        source: ENGINE,
        look: limits::fits,
    },
    Check {
        id: "CT-CONT-005",
        title: "the kernel has the limits that the engine tells",
        severity: Severity::High,
        why: "What counts is what stands in the container's control group; an engine that was restarted, or a tool that went \
              past it, may have left something else there.",
        remedy: IN_THE_PROFILE,
        source: "Documentation/admin-guide/cgroup-v2.rst: memory.max, memory.swap.max, pids.max",
        look: limits::held,
    },
    Check {
        id: "CT-CONT-006",
        title: "the kernel has the oom_score_adj that was asked for",
        severity: Severity::High,
        why: "When the whole host runs out of memory this number decides between the database and the worker.",
        remedy: IN_THE_PROFILE,
        source: "proc_pid_oom_score_adj(5)",
        look: limits::scores,
    },
    Check {
        id: "CT-CONT-007",
        title: "no port is open to the outside unless it is meant to be",
        severity: Severity::Critical,
        why: "The engine's rules come before the firewall's: a port that is published on 0.0.0.0 is open to everyone, whatever \
              UFW says.",
        remedy: IN_THE_PROFILE,
        source: "https://docs.docker.com/engine/network/packet-filtering-firewalls/#docker-and-ufw",
        look: outside::ports,
    },
    Check {
        id: "CT-CONT-008",
        title: "no container can rule the host",
        severity: Severity::Critical,
        why: "Whoever breaks into a container that is privileged, holds the engine's socket or sees the host's own files, is root on \
              the host.",
        remedy: IN_THE_PROFILE,
        source: "https://docs.docker.com/engine/security/",
        look: outside::powers,
    },
    Check {
        id: "CT-CONT-009",
        title: "the services are sealed off",
        severity: Severity::Critical,
        why: "A document's text leaves the host by the first network that has a way out.",
        remedy: IN_THE_PROFILE,
        source: "https://docs.docker.com/engine/network/drivers/bridge/",
        look: outside::sealed,
    },
    Check {
        id: "CT-CONT-010",
        title: "every image is pinned",
        severity: Severity::Medium,
        why: "A tag is whatever the registry says on the day: the next pull may bring another program.",
        remedy: IN_THE_PROFILE,
        source: "https://docs.docker.com/reference/cli/docker/image/pull/#pull-an-image-by-digest-immutable-identifier",
        look: outside::pinned,
    },
    Check {
        id: "CT-CONT-011",
        title: "no container is pointed at a hosted service",
        severity: Severity::Critical,
        why: "A database or a model that somebody else runs reads every document that is sent to it.",
        remedy: IN_THE_PROFILE,
        source: "the container's environment",
        look: outside::destinations,
    },
    Check {
        id: "CT-CONT-012",
        title: "Ollama asks nobody outside",
        severity: Severity::High,
        why: "Without OLLAMA_NO_CLOUD=1 Ollama asks its maker's site, and offers models that run there.",
        remedy: IN_THE_PROFILE,
        source: "https://docs.ollama.com/faq",
        look: outside::ollama,
    },
    Check {
        id: "CT-CONT-013",
        title: "every container comes back after a reboot",
        severity: Severity::Medium,
        why: "Without a restart policy a container stays down after a reboot or a crash.",
        remedy: IN_THE_PROFILE,
        source: "https://docs.docker.com/engine/containers/start-containers-automatically/",
        look: health::comes_back,
    },
    Check {
        id: "CT-CONT-014",
        title: "no container is killed or restarted again and again",
        severity: Severity::High,
        why: "A container that the kernel kills within its limit, or that ends by itself, does its work twice, or never.",
        remedy: Remedy::ByHand {
            cost: "A larger limit is memory that others don't have.",
            risk: "None.",
            undo: "Take the limit back.",
        },
        source: ENGINE,
        look: health::calm,
    },
    Check {
        id: "CT-CONT-015",
        title: "the database has the settings of the profile",
        severity: Severity::Medium,
        why: "ALTER SYSTEM, ALTER DATABASE or a variable that the image does not read leave the server with other settings than the \
              profile's, and nobody sees it.",
        remedy: IN_THE_PROFILE,
        source: "https://www.postgresql.org/docs/current/view-pg-settings.html",
        look: health::settled,
    },
    Check {
        id: "CT-CONT-016",
        title: "what is in the images is not older than 90 days",
        severity: Severity::Medium,
        why: "Security updates of the host don't reach into its images: what reads documents of strangers there stays as it was on the \
              day when the image was made.",
        remedy: Remedy::ByHand {
            cost: "Minutes of building; each container stops for a moment when it is made anew.",
            risk: "If a new container does not get healthy, the old one is started again.",
            undo: "Deploy with the image from before, which stays until it is pruned.",
        },
        source: "https://docs.docker.com/build/building/best-practices/#rebuild-your-images-often",
        look: age::young,
    },
];

/// The containers, or why nothing can be said of them.
fn all<'s>(scene: &'s Scene<'_>) -> Result<&'s Containers, Vec<Outcome>> {
    super::docker::answered(scene)?;
    scene.containers().map_err(|why| Outcome::could_not_tell(why.clone()).into())
}

/// An answer about each running container that `look` has one for; a pass in `fine` where all are as they should be.
fn each(scene: &Scene<'_>, fine: &str, look: impl Fn(&Live) -> Option<Outcome>) -> Vec<Outcome> {
    each_of(scene, fine, Live::runs, look)
}

fn each_of(
    scene: &Scene<'_>,
    fine: &str,
    counts: impl Fn(&Live) -> bool,
    look: impl Fn(&Live) -> Option<Outcome>,
) -> Vec<Outcome> {
    let containers = match all(scene) {
        Ok(containers) => containers,
        Err(outcome) => return outcome,
    };
    let live: Vec<&Live> = containers.live.iter().filter(|container| counts(container)).collect();
    if live.is_empty() {
        return Outcome::not_applicable(t!("no container runs")).into();
    }
    let found: Vec<Outcome> =
        live.iter().filter_map(|container| Some(look(container)?.of(container.name.clone()))).collect();
    if !found.is_empty() {
        return found;
    }
    let words = match live.len() {
        1 => t!("1 container: {fine}", fine = fine),
        count => t!("{count} containers: {fine}", count = count, fine = fine),
    };
    Outcome::pass(words).into()
}

fn told(container: &Live, words: impl std::fmt::Display) -> Evidence {
    Evidence::file(format!("GET /containers/{}/json", container.name), words.to_string())
}

/// What to do about a container: through the profile where it is ours, by its own tool where not.
fn fix(container: &Live, ours: String, theirs: String) -> String {
    if container.deployment.is_some() { ours } else { theirs }
}
