//! What happened, as it is kept and as it is told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::attribute::{Killed, Short};
use super::keeper::End;
use super::ladder::{Act, Cause};
use crate::container::mode::Mode;
use crate::t;
use crate::units::Bytes;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, RFC 3339, UTC.
    pub at: String,
    /// In which deployment; empty where an older supervisor did not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub deployment: String,
    /// Of which service, where it is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// What.
    pub what: What,
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Good to know.
    Info,
    /// Something gave way, as it should.
    Warning,
    /// Something is lost, or does not work.
    Error,
}

/// A document that was in work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InWork {
    /// Its number.
    pub document: i64,
    /// `ocr` or `extract`.
    pub stage: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum What {
    /// The supervisor began.
    Began {
        /// Its version.
        version: String,
        /// What it can't do here, in English words.
        #[serde(default)]
        without: Vec<String>,
    },
    /// The supervisor ended; the containers go on.
    Ended,
    /// It begins anew, since the profile has changed.
    Outdated,
    /// All containers are gone: somebody took them down.
    Gone,
    /// The ladder decided.
    Decided {
        /// What is done.
        act: Act,
        /// Why.
        cause: Cause,
    },
    /// What was decided could not be done.
    NotDone {
        /// Why, in the words of who refused.
        why: String,
    },
    /// Models that nobody asked were unloaded.
    Unloaded {
        /// Their names.
        models: Vec<String>,
    },
    /// A container was started.
    Started,
    /// A container ended.
    Stopped {
        /// How.
        how: End,
        /// Its exit status.
        status: i64,
    },
    /// A container will be started again.
    Again {
        /// After so many ms.
        after_ms: u64,
    },
    /// A container dies again and again, and is stopped for a while.
    Loop {
        /// For so many ms.
        pause_ms: u64,
    },
    /// The kernel killed for want of memory.
    Killed {
        /// Whom, and whose memory was short.
        killed: Killed,
        /// What was in work.
        #[serde(default)]
        documents: Vec<InWork>,
    },
    /// A health check turned.
    Health {
        /// `healthy` or `unhealthy`.
        to: String,
    },
    /// Memory is shared out in another way.
    Mode {
        /// How.
        to: Mode,
    },
    /// That was tried, and is not so.
    ModeKept {
        /// Why not.
        why: String,
    },
    /// The engine does not answer.
    EngineAway {
        /// Why.
        why: String,
        /// The services that went along with it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        along: Vec<String>,
    },
    /// It answers again.
    EngineBack,
    /// What was missing was brought back.
    Mended {
        /// What was done, as `deploy` calls it.
        changes: Vec<String>,
    },
    /// What `deploy` would do, and a supervisor does not do by itself.
    Pending {
        /// What that is.
        changes: Vec<String>,
    },
}

impl What {
    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Self::Killed { killed, .. } if killed.whole || killed.short == Short::Host => Level::Error,
            Self::Loop { .. } | Self::NotDone { .. } | Self::EngineAway { .. } => Level::Error,
            Self::Decided { act: Act::Hold | Act::Resume, .. } => Level::Info,
            Self::Decided { .. } | Self::Killed { .. } | Self::Pending { .. } | Self::ModeKept { .. } => {
                Level::Warning
            }
            Self::Stopped { how: End::Clean | End::ByUs | End::ByHand, .. } => Level::Info,
            Self::Stopped { .. } => Level::Warning,
            Self::Health { to } if to != "healthy" => Level::Warning,
            _ => Level::Info,
        }
    }

    /// The kind, as the file has it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Began { .. } => "began",
            Self::Ended => "ended",
            Self::Outdated => "outdated",
            Self::Gone => "gone",
            Self::Decided { .. } => "decided",
            Self::NotDone { .. } => "not-done",
            Self::Unloaded { .. } => "unloaded",
            Self::Started => "started",
            Self::Stopped { .. } => "stopped",
            Self::Again { .. } => "again",
            Self::Loop { .. } => "loop",
            Self::Killed { .. } => "killed",
            Self::Health { .. } => "health",
            Self::Mode { .. } => "mode",
            Self::ModeKept { .. } => "mode-kept",
            Self::EngineAway { .. } => "engine-away",
            Self::EngineBack => "engine-back",
            Self::Mended { .. } => "mended",
            Self::Pending { .. } => "pending",
        }
    }

    /// In words, without its time and its service.
    pub fn words(&self) -> String {
        match self {
            Self::Began { version, without } if without.is_empty() => {
                t!("civicum-tune {version} supervises", version = version)
            }
            Self::Began { version, without } => t!(
                "civicum-tune {version} supervises, without: {what}",
                version = version,
                what = without.join("; ")
            ),
            Self::Ended => t!("the supervisor ended; the containers go on"),
            Self::Gone => t!("its containers are gone: somebody took them down"),
            Self::Outdated => t!("the profile asks for something else now: the supervisor begins anew"),
            Self::Decided { act, cause } => format!("{}: {}", act.words(), cause.words()),
            Self::NotDone { why } => t!("that could not be done: {why}", why = why),
            Self::Unloaded { models } => {
                t!("unloaded, since nobody asks it: {models}", models = models.join(", "))
            }
            Self::Started => t!("it runs"),
            Self::Stopped { how, status } => match how {
                End::Clean => t!("it ended by itself, with status 0"),
                End::Died => t!("it died, with status {status}", status = status),
                End::Oom => t!("it died for want of memory, with status {status}", status = status),
                End::ByUs => t!("it was stopped by the supervisor"),
                End::ByHand => t!("it was stopped or taken away through the engine"),
                End::NotStarted => t!("it could not be started"),
            },
            Self::Again { after_ms } => t!("it is started again in {time}", time = time(*after_ms)),
            Self::Loop { pause_ms } => t!(
                "it dies again and again: it is stopped, and started again in {time}",
                time = time(*pause_ms)
            ),
            Self::Killed { killed, documents } => kill(killed, documents),
            Self::Health { to } => t!("its health: {health}", health = to),
            Self::Mode { to: Mode::Reading } => {
                t!("nobody asks the model, and documents wait: its memory goes to reading")
            }
            Self::Mode { to: Mode::Answering } => t!("the model has its memory back"),
            Self::ModeKept { why } => t!("memory stays shared out as it is: {why}", why = why),
            Self::EngineAway { why, along } if along.is_empty() => {
                t!("the engine does not answer: {why}", why = why)
            }
            Self::EngineAway { why, along } => t!(
                "the engine does not answer: {why}; along with it went {services}",
                why = why,
                services = along.join(", ")
            ),
            Self::EngineBack => t!("the engine answers again"),
            Self::Mended { changes } => t!("brought back: {changes}", changes = changes.join(", ")),
            Self::Pending { changes } => {
                t!("left to `civicum-tune deploy`: {changes}", changes = changes.join(", "))
            }
        }
    }
}

impl Act {
    fn words(self) -> String {
        match self {
            Self::Hold => t!("no new document is taken"),
            Self::GiveBack => t!("documents in work go back to the queue"),
            Self::Kill => t!("the worker is killed"),
            Self::Resume => t!("documents are taken again"),
        }
    }
}

impl Cause {
    fn words(self) -> String {
        match self {
            Self::Some { ms } => t!("tasks waited {ms} ms of a second for memory", ms = ms),
            Self::Full { ms } => t!("all tasks waited {ms} ms of a second for memory", ms = ms),
            Self::Worker { ms } => t!("the worker waited {ms} ms of a second at its own limit", ms = ms),
            Self::Available { bytes } => {
                t!("{size} of memory are available", size = Bytes(bytes >> 20 << 20))
            }
            Self::Calm => t!("it has been calm"),
        }
    }
}

fn kill(killed: &Killed, documents: &[InWork]) -> String {
    let held = Bytes(killed.held >> 20 << 20);
    let (task, pid) = (&killed.task, killed.pid);
    let short = match &killed.short {
        Short::Host => t!("the whole host was short of memory"),
        Short::Container { limit: 0 } => t!("it was at its own limit"),
        Short::Container { limit } => t!("it was at its own limit of {limit}", limit = Bytes(*limit)),
        Short::Group { path } => t!("the control group {path} was at its limit", path = path),
    };
    let who = if killed.whole {
        t!(
            "the kernel killed {task} ({pid}), and with it the container; it held {held}; {short}",
            task = task,
            pid = pid,
            held = held,
            short = short
        )
    } else {
        t!(
            "the kernel killed {task} ({pid}), which held {held}; {short}",
            task = task,
            pid = pid,
            held = held,
            short = short
        )
    };
    if documents.is_empty() {
        return who;
    }
    let all: Vec<String> = documents.iter().map(|one| format!("{} ({})", one.document, one.stage)).collect();
    t!("{who}; in work: document {documents}", who = who, documents = all.join(", "))
}

fn time(ms: u64) -> String {
    humantime::format_duration(Duration::from_millis(ms)).to_string()
}
