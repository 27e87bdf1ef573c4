//! What the engine has of a deployment, in our words.

use std::collections::{BTreeMap, BTreeSet};

use super::desired::Limits;
use crate::profile::container::Publish;

/// Everything that carries a deployment's label, and what its services refer to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// Networks of this deployment, by name, with their fingerprints; `None` where the name is somebody else's.
    pub networks: BTreeMap<String, Option<String>>,
    /// Volumes that are there, by name; is it this deployment's, another one's, or nobody's that we know?
    pub volumes: BTreeMap<String, Owner>,
    /// The SHA-256 of each secret that is there.
    pub secrets: BTreeMap<String, String>,
    /// Containers of this deployment, by name.
    pub containers: BTreeMap<String, Container>,
    /// Containers that are not ours, and have a name that we need.
    pub strangers: BTreeSet<String>,
    /// Containers that are not ours, or have lost their name, and run and write to a volume that a service wants: who, and what.
    pub holders: Vec<(String, String)>,
    /// Folders of the host that services want: is something in them?
    pub folders: BTreeMap<String, bool>,
    /// Ports that containers have opened: which, the container's name, and whether it is this deployment's.
    pub published: Vec<(Publish, String, bool)>,
    /// Ports that services want, and that somebody else holds.
    pub taken: Vec<Taken>,
    /// The images that services refer to; one that is not there is left out.
    pub images: BTreeMap<String, Image>,
}

/// Whose something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// This deployment's.
    Us,
    /// Another deployment's.
    Others,
    /// It carries no label of ours.
    Unknown,
}

/// A port that somebody else holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// As a service wants it.
    pub publish: Publish,
    /// Who holds it; `None`: its address is none of this host's.
    pub who: Option<String>,
}

/// An image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// `sha256:…`
    pub id: String,
    /// Folders in which it keeps data, and for which the engine makes a volume without a name.
    pub volumes: Vec<String>,
}

/// A container.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// The deployment that it belongs to.
    pub deployment: String,
    /// Volumes of the engine that it may write to.
    pub writes: Vec<String>,
    /// Networks that it is on, by name.
    pub networks: Vec<String>,
    /// The service that it was made for.
    pub service: String,
    /// What it was made with, as its label says.
    pub description: serde_json::Value,
    /// Its fingerprint.
    pub fingerprint: String,
    /// `created`, `running`, `restarting`, `exited`, …
    pub state: String,
    /// `healthy`, `starting`, `unhealthy`; empty where it has no health check.
    pub health: String,
    /// The last words of its health check.
    pub health_words: String,
    /// How it ended; 0 while it runs.
    pub exit_code: i64,
    /// How often the engine restarted it.
    pub restarts: u64,
    /// RFC 3339; when it was started.
    pub started: String,
    /// Its limits.
    pub limits: Option<Limits>,
    /// The id of its image.
    pub image_id: String,
    /// The image as it was named.
    pub image: String,
    /// Why the engine could not start it; empty where it could.
    pub trouble: String,
    /// The kernel killed in it, as the engine remembers it.
    pub oom_killed: bool,
    /// Its first process; 0 where it does not run.
    pub pid: u32,
}

impl Container {
    /// Does it run?
    pub fn runs(&self) -> bool {
        self.state == "running"
    }

    /// Are its processes there, frozen or not?
    pub fn is_there(&self) -> bool {
        self.runs() || self.state == "paused"
    }

    /// Does its policy want it to run again after it ended with this status?
    pub fn comes_back(&self, status: i64) -> bool {
        match self.limits.as_ref().map(|limits| limits.restart.as_str()) {
            Some("always" | "unless-stopped") => true,
            Some("on-failure") => status != 0,
            _ => false,
        }
    }

    /// Does it run, and does its health check say so where it has one?
    pub fn is_well(&self) -> bool {
        self.runs() && (self.health.is_empty() || self.health == "healthy")
    }
}

/// The name under which an old container waits until the new one is well.
pub fn previous(container: &str) -> String {
    format!("{container}.previous")
}
