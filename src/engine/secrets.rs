//! Secrets: made once, kept where only root may look, and handed to each service as files of its own user.

use std::collections::BTreeMap;

use super::error::EngineError;
use crate::container::desired::Deployment;
use crate::host::{Host, Image, sha256_hex};
use crate::t;

/// Where the host keeps what a service finds in `/run/secrets`, in the hands of its own user. No secret and no service can
/// have that name.
pub(super) fn secrets_of(deployment: &str, service: &str, print: &str) -> String {
    // Each description has a folder of its own, so that an old container that comes back finds what it had.
    format!("{}/{}", mounts_of(deployment, service), print.rsplit(':').next().unwrap_or(print))
}

/// The folder of all of them.
pub(super) fn mounts_of(deployment: &str, service: &str) -> String {
    format!("{SECRETS}/{deployment}.mounts/{service}")
}

/// Where secrets are kept, and only root may look.
pub(super) const SECRETS: &str = "/var/lib/civicum-tune/secrets";

/// The digest of each secret that is there, in the version that is handed out. One that can't be read is an error: taken for
/// absent, it would be made anew.
pub(super) fn secrets(host: &Host, wish: &Deployment) -> Result<BTreeMap<String, String>, EngineError> {
    let mut found = BTreeMap::new();
    for name in &wish.secrets {
        let read = host.read(&format!("{SECRETS}/{}/{name}", wish.name));
        let bytes = read.map_err(|error| {
            EngineError::new(t!("the secret {name} can't be read", name = name), error.to_string())
        })?;
        if let Some(bytes) = bytes {
            found.insert(name.clone(), sha256_hex(&bytes));
        }
    }
    Ok(found)
}

/// Writes a secret below a folder that only root may look into.
pub(super) fn keep(host: &Host, folder: &str, name: &str, file: &Image) -> crate::host::Result<()> {
    host.make_state_folder()?;
    host.make_folder(SECRETS, 0o700)?;
    let mut path = SECRETS.to_owned();
    for part in folder.trim_start_matches(SECRETS).split('/').filter(|part| !part.is_empty()) {
        path = format!("{path}/{part}");
        host.make_folder(&path, 0o711)?;
    }
    host.replace(&format!("{folder}/{name}"), file)
}

/// Removes a folder of secrets: its files, the folders in it, and itself.
pub(super) fn forget(host: &Host, folder: &str) -> crate::host::Result<()> {
    for name in host.list(folder)? {
        let path = format!("{folder}/{name}");
        if matches!(host.image(&path)?, Image::Other { .. }) {
            forget(host, &path)?;
        } else {
            host.replace(&path, &Image::Absent)?;
        }
    }
    host.remove_empty_folder(folder).map(|_| ())
}
