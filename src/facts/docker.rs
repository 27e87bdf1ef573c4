//! The Docker engine, as far as files tell.

use super::Docker;
use crate::host::Host;

pub(super) fn read(host: &Host) -> Docker {
    let any = |paths: &[&str]| paths.iter().any(|path| host.exists(path));
    let state = if any(&["/var/snap/docker", "/snap/bin/docker"]) {
        "snap"
    } else if any(&["/run/docker.sock", "/var/run/docker.sock"]) {
        "running"
    } else if any(&["/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd"]) {
        "installed"
    } else {
        "absent"
    };
    Docker { state: state.to_owned(), version: None, api: None }
}
