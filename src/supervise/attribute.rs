//! Whose kill it was: the kernel's words, set beside the containers as they were before it.

use serde::{Deserialize, Serialize};

use crate::facts::oom::OomKill;

/// A container as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The service.
    pub service: String,
    /// The container's id.
    pub id: String,
    /// Its first process.
    pub pid: u32,
    /// Its memory limit, bytes; 0 is none.
    pub limit: u64,
}

/// One task that the kernel killed for want of memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Killed {
    /// The service in whose container it ran; none: it ran on the host.
    pub service: Option<String>,
    /// The task's name and number.
    pub task: String,
    /// Its number.
    pub pid: u32,
    /// It was the container's first process, and with it went the container.
    pub whole: bool,
    /// Whose memory was short.
    pub short: Short,
    /// What it held, bytes.
    pub held: u64,
    /// Its `oom_score_adj`.
    pub score: Option<i32>,
}

/// Whose memory was short.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "of")]
pub enum Short {
    /// The whole host's.
    #[default]
    Host,
    /// The container's own limit, bytes; 0 where it is not known.
    Container {
        /// Bytes.
        limit: u64,
    },
    /// Another control group's limit.
    Group {
        /// Its path.
        path: String,
    },
}

/// Says of a kill whose it was.
pub fn attribute(kill: &OomKill, known: &[Known]) -> Killed {
    // docker-ID.scope with systemd's driver, docker/ID with cgroupfs.
    let of = |path: &Option<String>| {
        let path = path.as_deref()?;
        known.iter().find(|known| known.id.len() >= 12 && path.contains(&known.id))
    };
    let inside = of(&kill.task_memcg);
    let short = match (&kill.memcg, of(&kill.memcg)) {
        (None, _) => Short::Host,
        (Some(_), Some(known)) => Short::Container { limit: known.limit },
        (Some(path), None) => Short::Group { path: path.clone() },
    };
    Killed {
        service: inside.map(|known| known.service.clone()),
        task: kill.task.clone(),
        pid: kill.pid,
        whole: inside.is_some_and(|known| known.pid == kill.pid),
        short,
        held: kill.rss_bytes,
        score: kill.oom_score_adj,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<Known> {
        let of = |service: &str, id: &str, pid| Known {
            service: service.to_owned(),
            id: id.repeat(64),
            pid,
            limit: 1750 << 20,
        };
        vec![of("worker", "a", 100), of("llm", "b", 200)]
    }

    fn kill(pid: u32, memcg: Option<&str>, task_memcg: &str) -> OomKill {
        OomKill {
            pid,
            task: "python3".to_owned(),
            memcg: memcg.map(str::to_owned),
            task_memcg: Some(task_memcg.to_owned()),
            rss_bytes: 77,
            ..OomKill::default()
        }
    }

    #[test]
    fn child_or_whole_container_limit_or_host() {
        let (worker, llm) = (
            format!("/system.slice/docker-{}.scope", "a".repeat(64)),
            "/docker/".to_owned() + &"b".repeat(64),
        );
        let found = attribute(&kill(101, Some(&worker), &worker), &known());
        assert_eq!((found.service.as_deref(), found.whole), (Some("worker"), false));
        assert_eq!(found.short, Short::Container { limit: 1750 << 20 });
        let found = attribute(&kill(200, None, &llm), &known());
        assert_eq!((found.service.as_deref(), found.whole, found.short), (Some("llm"), true, Short::Host));
        let found = attribute(&kill(9, Some("/user.slice"), "/user.slice/x.scope"), &known());
        assert_eq!((found.service, found.short), (None, Short::Group { path: "/user.slice".to_owned() }));
    }
}
