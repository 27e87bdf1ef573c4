//! OOM kills, as the kernel's log tells them.

use serde::Serialize;

use crate::host::KernelLine;

/// One process that the OOM killer took.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct OomKill {
    /// Seconds since the boot, where the log says.
    pub at_s: Option<f64>,
    /// Its command name (15 characters at most).
    pub task: String,
    /// Its number.
    pub pid: u32,
    /// Anonymous memory that it held, bytes.
    pub anon_rss_bytes: u64,
    /// Its `oom_score_adj`.
    pub oom_score_adj: Option<i32>,
    /// Of which limit: a control group's, or `None` for the whole host.
    pub memcg: Option<String>,
    /// The control group that it ran in.
    pub task_memcg: Option<String>,
    /// The line itself.
    pub line: String,
}

/// Reads `oom-kill:constraint=…` and the `Killed process` line that follows it.
pub fn parse(lines: &[KernelLine]) -> Vec<OomKill> {
    let mut kills = Vec::new();
    // What the first of the two lines said, by process number.
    let mut told: Option<(u32, Option<String>, Option<String>)> = None;
    for line in lines {
        if let Some((_, rest)) = line.text.split_once("oom-kill:") {
            let field = |name: &str| {
                rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
            };
            let memcg = field("oom_memcg").map(str::to_owned);
            let memcg = memcg.filter(|_| field("constraint") == Some("CONSTRAINT_MEMCG"));
            let pid = field("pid").and_then(|pid| pid.parse().ok()).unwrap_or(0);
            told = Some((pid, memcg, field("task_memcg").map(str::to_owned)));
        } else if let Some((head, rest)) = line.text.split_once("Killed process ") {
            let Some((pid, rest)) = rest.split_once(" (") else { continue };
            // A task may have `)` in its name: the last one before the sizes counts.
            let Some((task, sizes)) =
                rest.split_once(") total-vm:").or_else(|| rest.split_once("), UID")).or(rest.split_once(')'))
            else {
                continue;
            };
            let pid = pid.trim().parse().unwrap_or(0);
            let number = |name: &str| -> Option<i64> {
                let (_, after) = sizes.split_once(name)?;
                let end = after.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(after.len());
                after[..end].parse().ok()
            };
            let first = told.take().filter(|(told_pid, ..)| *told_pid == pid);
            let in_memcg = head.contains("Memory cgroup out of memory");
            let (memcg, task_memcg) = first.map_or((None, None), |(_, memcg, task)| (memcg, task));
            kills.push(OomKill {
                at_s: line.at_s,
                task: task.to_owned(),
                pid,
                anon_rss_bytes: number("anon-rss:")
                    .and_then(|kib| u64::try_from(kib).ok())
                    .unwrap_or(0)
                    .saturating_mul(1024),
                oom_score_adj: number("oom_score_adj:").and_then(|score| i32::try_from(score).ok()),
                memcg: memcg.or_else(|| in_memcg.then(String::new)),
                task_memcg,
                line: line.text.clone(),
            });
        }
    }
    kills
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_and_a_host() {
        let text = [
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=docker-a.scope,mems_allowed=0,oom_memcg=/system.slice/docker-a.scope,task_memcg=/system.slice/docker-a.scope,task=python3,pid=812,uid=0",
            "Memory cgroup out of memory: Killed process 812 (py) thon)) total-vm:90000kB, anon-rss:51200kB, file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:100kB oom_score_adj:500",
            "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/system.slice/x.service,task=postgres,pid=9,uid=0",
            "Out of memory: Killed process 9 (postgres) total-vm:1kB, anon-rss:2kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:-500",
        ];
        let lines: Vec<KernelLine> =
            text.iter().map(|t| KernelLine { at_s: Some(1.0), text: (*t).to_owned() }).collect();
        let kills = parse(&lines);
        assert_eq!(kills.len(), 2);
        assert_eq!(
            (kills[0].pid, kills[0].anon_rss_bytes, kills[0].oom_score_adj),
            (812, 50 << 20, Some(500))
        );
        assert_eq!(kills[0].memcg.as_deref(), Some("/system.slice/docker-a.scope"));
        assert_eq!((kills[1].task.as_str(), kills[1].memcg.as_ref()), ("postgres", None));
        assert_eq!(kills[1].oom_score_adj, Some(-500));
    }
}
