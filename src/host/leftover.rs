//! Scratch folders of processes that were killed: whoever makes one holds a lock on it, and the kernel lets go of that lock
//! however the process ends. A number in the name would not tell, since containers count their processes from 1.

use std::fs::File;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::fcntl::{Flock, FlockArg, OFlag};

/// What their names begin with; six letters or digits follow.
pub(super) const PREFIX: &str = "civicum-tune-";
/// One that is younger may be about to be locked.
pub(super) const YOUNG: Duration = Duration::from_secs(60);

/// Locks a folder for as long as the result lives; `None` where somebody else holds it or the file system has no locks.
pub(super) fn hold(folder: &Path) -> Option<Flock<File>> {
    let mut options = std::fs::OpenOptions::new();
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    #[allow(clippy::disallowed_methods)] // this is the door
    let opened = options.read(true).custom_flags(flags.bits()).open(folder).ok()?;
    Flock::lock(opened, FlockArg::LockExclusiveNonblock).ok()
}

/// Removes those of this user's that nobody holds.
#[allow(clippy::disallowed_methods)] // this is the door
pub(super) fn sweep(parent: &Path, young: Duration) {
    let own = nix::unistd::geteuid().as_raw();
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let rest = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).unwrap_or_default();
        if rest.len() != 6 || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            continue;
        }
        // Of the entry itself: a link is followed nowhere.
        let Ok(found) = entry.metadata() else { continue };
        let age = found.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        let is_ours = found.is_dir() && found.uid() == own && found.mode() & 0o777 == 0o700;
        if is_ours && age.is_some_and(|age| age >= young) && hold(&entry.path()).is_some() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods)] // the test's own folder
    fn only_what_nobody_holds() {
        let parent = tempfile::tempdir().unwrap();
        let at = |name: &str| parent.path().join(name);
        for (name, mode) in [
            ("civicum-tune-killed", 0o700),
            ("civicum-tune-inUse1", 0o700),
            ("civicum-tune-shared", 0o755),
            ("civicum-tune-of-mine", 0o700),
            ("civicum-tunes", 0o700),
        ] {
            std::fs::create_dir(at(name)).unwrap();
            std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        std::fs::write(at("civicum-tune-killed").join("page.png"), "x").unwrap();
        std::os::unix::fs::symlink(at("civicum-tunes"), at("civicum-tune-alink1")).unwrap();
        let held = hold(&at("civicum-tune-inUse1")).unwrap();
        sweep(parent.path(), YOUNG);
        assert!(at("civicum-tune-killed").exists());
        sweep(parent.path(), Duration::ZERO);
        assert!(!at("civicum-tune-killed").exists());
        for name in ["inUse1", "shared", "of-mine", "alink1"] {
            assert!(at(&format!("civicum-tune-{name}")).exists(), "{name}");
        }
        assert!(at("civicum-tunes").exists());
        drop(held);
        sweep(parent.path(), Duration::ZERO);
        assert!(!at("civicum-tune-inUse1").exists());
    }
}
