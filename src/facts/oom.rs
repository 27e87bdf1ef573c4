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
    /// All memory that it held (anonymous, of files, shared), bytes.
    pub rss_bytes: u64,
    /// Its `oom_score_adj`.
    pub oom_score_adj: Option<i32>,
    /// Of which limit: a control group's, or `None` for the whole host.
    pub memcg: Option<String>,
    /// The control group that it ran in.
    pub task_memcg: Option<String>,
    /// The line itself.
    pub line: String,
}

/// What the line before the kill said.
struct Told {
    pid: u32,
    memcg: Option<String>,
    task_memcg: Option<String>,
}

/// `oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),…,oom_memcg=/a,task_memcg=/a/b,task=name,pid=1,uid=0`. A task
/// chooses its own name, commas and all, so what stands behind it is looked for from the end.
fn told(rest: &str) -> Told {
    let value = |part: &str, name: &str| Some(part.trim().strip_prefix(name)?.strip_prefix('=')?.to_owned());
    let first = |name: &str| rest.split(',').find_map(|part| value(part, name));
    let last = |name: &str| rest.rsplit(',').find_map(|part| value(part, name));
    let in_memcg = first("constraint").as_deref() == Some("CONSTRAINT_MEMCG");
    Told {
        pid: last("pid").and_then(|pid| pid.parse().ok()).unwrap_or(0),
        memcg: first("oom_memcg").filter(|_| in_memcg),
        task_memcg: first("task_memcg"),
    }
}

/// `1234 (name) total-vm:1kB, anon-rss:2kB, …`: number, name, sizes.
fn killed(rest: &str) -> Option<(u32, &str, &str)> {
    let (pid, rest) = rest.split_once(" (")?;
    // A task may have `)` in its name: the last one before the sizes counts. Linux before 5.3 has `, UID` or a comma.
    let (task, sizes) = rest
        .rsplit_once(") total-vm:")
        .or_else(|| rest.rsplit_once("), UID"))
        .or_else(|| rest.rsplit_once(')'))?;
    Some((pid.trim().parse().ok()?, task, sizes))
}

/// Reads `oom-kill:constraint=…` and the `Killed process` line that follows it (`mm/oom_kill.c`, Linux 4.19 to 7.x).
pub fn parse(lines: &[KernelLine]) -> Vec<OomKill> {
    let mut kills = Vec::new();
    let mut before: Option<Told> = None;
    // With memory.oom.group all tasks of a control group die, and only the first is announced.
    let mut group: Option<String> = None;
    for line in lines {
        if let Some((_, rest)) = line.text.split_once("oom-kill:constraint=") {
            before = Some(told(&format!("constraint={rest}")));
            group = None;
        } else if let Some(rest) = line.text.strip_prefix("Tasks in ") {
            let name = rest.strip_suffix(" are going to be killed due to memory.oom.group set");
            group = name.map(str::to_owned).or(group);
        } else if let Some((head, rest)) = line.text.split_once("Killed process ") {
            let Some((pid, task, sizes)) = killed(rest) else { continue };
            let number = |name: &str| -> Option<i64> {
                let (_, after) = sizes.split_once(name)?;
                let end = after.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(after.len());
                after[..end].parse().ok()
            };
            let bytes = |name: &str| {
                number(name).and_then(|kib| u64::try_from(kib).ok()).unwrap_or(0).saturating_mul(1024)
            };
            let in_memcg = head.contains("Memory cgroup out of memory");
            let (memcg, task_memcg) = match before.take().filter(|told| told.pid == pid) {
                Some(told) => (told.memcg, told.task_memcg),
                None => (group.clone().filter(|_| in_memcg), group.clone()),
            };
            let anon = bytes("anon-rss:");
            kills.push(OomKill {
                at_s: line.at_s,
                task: task.to_owned(),
                pid,
                anon_rss_bytes: anon,
                rss_bytes: anon.saturating_add(bytes("file-rss:")).saturating_add(bytes("shmem-rss:")),
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
    fn lines(text: &[&str]) -> Vec<KernelLine> {
        text.iter().map(|t| KernelLine { at_s: Some(1.0), text: (*t).to_owned() }).collect()
    }

    #[test]
    fn a_name_can_not_pass_for_the_fields_behind_it() {
        let kills = parse(&lines(&[
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a/b,task=x,pid=1,pid=77,uid=0",
            "Memory cgroup out of memory: Killed process 77 (x,pid=1) total-vm:8kB, anon-rss:2kB, file-rss:1kB, shmem-rss:1kB, UID:0 pgtables:4kB oom_score_adj:0",
        ]));
        assert_eq!((kills[0].pid, kills[0].task.as_str(), kills[0].rss_bytes), (77, "x,pid=1", 4096));
        assert_eq!((kills[0].memcg.as_deref(), kills[0].task_memcg.as_deref()), (Some("/a"), Some("/a/b")));
    }

    #[test]
    fn a_group_dies_together() {
        let kills = parse(&lines(&[
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/s/job.slice,task_memcg=/s/job.slice/one,task=a,pid=5,uid=0",
            "Memory cgroup out of memory: Killed process 5 (a) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0",
            "Tasks in /s/job.slice are going to be killed due to memory.oom.group set",
            "Memory cgroup out of memory: Killed process 5 (a) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0",
            "Memory cgroup out of memory: Killed process 6 (b) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0",
        ]));
        let groups: Vec<_> = kills.iter().map(|kill| kill.memcg.as_deref()).collect();
        assert_eq!(groups, [Some("/s/job.slice"); 3]);
    }

    /// The formats of Linux 4.19 (Debian 10), 5.0 and 5.3, and lines that only look alike.
    #[test]
    fn old_kernels_and_other_lines() {
        let kills = parse(&lines(&[
            "Out of memory: Kill process 41 (stress) score 987 or sacrifice child",
            "Killed process 41 (stress) total-vm:99kB, anon-rss:80kB, file-rss:4kB, shmem-rss:0kB",
            "Out of memory: Killed process 42 (a) total-vm:9) total-vm:99kB, anon-rss:80kB, file-rss:4kB, shmem-rss:0kB",
            "oom_reaper: reaped process 42 (a), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
            "Out of memory: Killed process x (a) total-vm:99kB",
            "Out of memory: Killed process ",
            "Out of memory and no killable processes...",
        ]));
        let told: Vec<_> = kills.iter().map(|k| (k.pid, k.task.as_str(), k.memcg.as_ref())).collect();
        assert_eq!(told, [(41, "stress", None), (42, "a) total-vm:9", None)]);
        assert_eq!((kills[0].oom_score_adj, kills[0].rss_bytes), (None, 84 << 10));
    }
}
