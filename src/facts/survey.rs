//! What only `detect` wants to know, because asking takes longer: room on disks, who holds memory, package versions.

use serde::Serialize;

use crate::host::Host;

/// The answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Survey {
    /// The Docker package's version.
    pub docker_version: Option<String>,
    /// Room on mounted file systems; only on the live host.
    pub file_systems: Vec<FileSystem>,
    /// The processes that hold most memory; only on the live host.
    pub largest_processes: Vec<Process>,
}

/// Room on one file system, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileSystem {
    /// Where it is mounted.
    pub target: String,
    /// Bytes in all.
    pub total_bytes: u64,
    /// Bytes free for programs.
    pub free_bytes: u64,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its command name.
    pub name: String,
    /// Resident memory, bytes.
    pub memory_bytes: u64,
}

/// How many processes are named.
const NAMED: usize = 3;

impl Survey {
    /// Asks.
    pub fn take(host: &Host) -> Self {
        let mut survey = Self { docker_version: docker_version(host), ..Self::default() };
        if !host.is_live() {
            return survey;
        }
        survey.file_systems = sysinfo::Disks::new_with_refreshed_list()
            .iter()
            .map(|disk| FileSystem {
                target: disk.mount_point().to_string_lossy().into_owned(),
                total_bytes: disk.total_space(),
                free_bytes: disk.available_space(),
            })
            .collect();
        let mut system = sysinfo::System::new();
        let what = sysinfo::ProcessRefreshKind::nothing().with_memory().without_tasks();
        system.refresh_processes_specifics(sysinfo::ProcessesToUpdate::All, true, what);
        let mut processes: Vec<Process> = system
            .processes()
            .iter()
            .map(|(pid, process)| Process {
                pid: pid.as_u32(),
                name: process.name().to_string_lossy().into_owned(),
                memory_bytes: process.memory(),
            })
            .collect();
        processes.sort_by_key(|process| std::cmp::Reverse((process.memory_bytes, process.pid)));
        processes.truncate(NAMED);
        survey.largest_processes = processes;
        survey
    }
}

/// The version of whichever package brings the engine, from dpkg's database.
fn docker_version(host: &Host) -> Option<String> {
    parse_dpkg(&host.read_text("/var/lib/dpkg/status").ok()??)
}

fn parse_dpkg(status: &str) -> Option<String> {
    ["docker-ce", "docker.io", "moby-engine"].iter().find_map(|package| {
        let head = format!("Package: {package}\n");
        let start = if status.starts_with(&head) { 0 } else { status.find(&format!("\n{head}"))? + 1 };
        let entry = status[start..].split("\n\n").next()?;
        let installed = entry.lines().any(|line| line == "Status: install ok installed");
        let version = entry.lines().find_map(|line| line.strip_prefix("Version: "))?;
        installed.then(|| version.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_installed_package_counts() {
        let status = "Package: docker.io\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: docker-ce\nStatus: install ok installed\nVersion: 5:28.2.2-1\n\n";
        assert_eq!(parse_dpkg(status).as_deref(), Some("5:28.2.2-1"));
        assert_eq!(parse_dpkg("Package: docker.io\nStatus: deinstall ok config-files\nVersion: 1\n"), None);
    }
}
