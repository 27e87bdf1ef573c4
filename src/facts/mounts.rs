//! Mounted file systems: `/proc/self/mountinfo`.

use super::Mount;
use super::swap::unescape;
use crate::host::Host;

/// File systems that hold no files of anybody's.
const PSEUDO: [&str; 22] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "ramfs",
    "rpc_pipefs",
    "securityfs",
    "squashfs",
    "sysfs",
    "tracefs",
];

/// Reads the text of a mountinfo file (`proc_pid_mountinfo(5)`).
pub(super) fn parse(text: &str) -> Vec<Mount> {
    text.lines()
        .filter_map(|line| {
            let (head, tail) = line.split_once(" - ")?;
            let mut head = head.split(' ').skip(4);
            let target = unescape(head.next()?);
            let options = head.next()?;
            let mut tail = tail.split(' ');
            let (fstype, source) = (tail.next()?.to_owned(), unescape(tail.next()?));
            let super_options = tail.next().unwrap_or_default();
            let read_only =
                [options, super_options].iter().any(|list| list.split(',').any(|option| option == "ro"));
            let options = (options.to_owned(), super_options.to_owned());
            Some(Mount { target, fstype, source, read_only, options })
        })
        .filter(|mount| !PSEUDO.contains(&mount.fstype.as_str()))
        .collect()
}

/// The mount that holds (or will hold) `path`.
pub(super) fn holding<'a>(mounts: &'a [Mount], path: &str) -> Option<&'a Mount> {
    let below = |target: &str| {
        target == "/" || path == target || path.strip_prefix(target).is_some_and(|rest| rest.starts_with('/'))
    };
    // Of two mounts on one place the later one is on top.
    let candidates = mounts.iter().enumerate().filter(|(_, mount)| below(&mount.target));
    candidates.max_by_key(|(at, mount)| (mount.target.len(), *at)).map(|(_, mount)| mount)
}

pub(super) fn read(host: &Host) -> Vec<Mount> {
    host.value("/proc/self/mountinfo").map(|text| parse(&text)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_mountinfo() {
        let text = "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n23 22 0:20 / /proc rw - proc proc rw\n\
                    30 22 0:44 / /mnt/a\\040b ro,nosuid - btrfs /dev/vdb rw\nnonsense\n";
        let mounts = parse(text);
        assert_eq!(mounts.len(), 2);
        assert_eq!((mounts[0].fstype.as_str(), mounts[0].read_only), ("ext4", false));
        assert_eq!((mounts[1].target.as_str(), mounts[1].read_only), ("/mnt/a b", true));
        let fs = |path: &str| holding(&mounts, path).map(|mount| mount.fstype.as_str());
        assert_eq!(
            (fs("/mnt/a b/swap"), fs("/mnt/a bc"), fs("/x")),
            (Some("btrfs"), Some("ext4"), Some("ext4"))
        );
    }
}
