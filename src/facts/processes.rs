//! What runs, and how much memory of its own it holds. Cheap: one small file a process, two more for the large ones.

use crate::host::Host;

/// One process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its command name (15 characters at most).
    pub name: String,
    /// Memory of its own (not a file's, not shared) that is in RAM, bytes; 0 for small ones.
    pub own_bytes: u64,
    /// It runs in a container.
    pub in_container: bool,
}

/// More processes than this take too long.
const MOST: usize = 2000;
/// Who holds less, all its pages counted, is not looked at any closer.
const LARGE: u64 = 16 << 20;
/// In the name of a control group these mean a container.
const CONTAINERS: [&str; 9] = [
    "docker-",
    "/docker/",
    "libpod-",
    "kubepods",
    "cri-containerd",
    "crio-",
    "/lxc",
    "machine.slice",
    "nerdctl-",
];

/// Name and resident pages of `/proc/PID/stat` (`proc_pid_stat(5)`).
fn parse_stat(text: &str) -> Option<(&str, u64)> {
    // The name may have blanks and parentheses in it: the last one counts.
    let (head, rest) = text.rsplit_once(')')?;
    let name = head.split_once('(')?.1;
    // The third field comes first here, and the resident pages are the 24th.
    Some((name, rest.split_whitespace().nth(21)?.parse().ok()?))
}

/// Pages of its own in `/proc/PID/statm`: resident less shared.
fn parse_statm(text: &str) -> Option<u64> {
    let mut words = text.split_whitespace().map(|word| word.parse::<u64>().ok());
    let (resident, shared) = (words.nth(1)??, words.next()??);
    Some(resident.saturating_sub(shared))
}

/// All of them; `None` where there is no `/proc`, or too many to look at.
pub fn read(host: &Host, page_bytes: u64) -> Option<Vec<Process>> {
    let names = host.list("/proc").ok()?;
    let pids: Vec<u32> = names.iter().filter_map(|name| name.parse().ok()).collect();
    if pids.is_empty() || pids.len() > MOST {
        return None;
    }
    let one = |pid: u32| {
        // One that has ended meanwhile is none.
        let stat = host.value(&format!("/proc/{pid}/stat"))?;
        let (name, pages) = parse_stat(&stat)?;
        let mut process = Process { pid, name: name.to_owned(), ..Process::default() };
        if pages.saturating_mul(page_bytes) >= LARGE {
            let own = host.value(&format!("/proc/{pid}/statm")).and_then(|text| parse_statm(&text));
            process.own_bytes = own.unwrap_or(pages).saturating_mul(page_bytes);
            let group = host.value(&format!("/proc/{pid}/cgroup")).unwrap_or_default();
            process.in_container = CONTAINERS.iter().any(|part| group.contains(part));
        }
        Some(process)
    };
    Some(pids.into_iter().filter_map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_proc() {
        let stat =
            "812 (a) b (c) S 1 812 812 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 1 0 100 90000000 5000 184467 1";
        assert_eq!(parse_stat(stat), Some(("a) b (c", 5000)));
        assert_eq!(parse_stat("812 (a"), None);
        assert_eq!(parse_statm("20000 5000 1000 1 0 900 0"), Some(4000));
        assert_eq!(parse_statm("1"), None);
    }
}
