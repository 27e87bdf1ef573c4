//! Paths that a profile names.

use std::borrow::Cow;

use super::mount::Volume;
use super::shape::{Objection, Shape, is_file, one_line, shortened};
use crate::lang::say;
use crate::t;

pub(super) fn swap_path(text: &str) -> Result<(), Objection> {
    const NOT_BELOW: [&str; 5] = ["/proc", "/sys", "/dev", "/run", "/tmp"];
    const OF_THE_SYSTEM: [&str; 7] = ["/etc", "/usr", "/boot", "/bin", "/sbin", "/lib", "/lib64"];
    one_line(text)?;
    let Some(inside) = text.strip_prefix('/') else {
        return Err((t!("the path is not absolute"), Some(say("for example /civicum.swap"))));
    };
    if text.chars().any(|c| c.is_whitespace() || super::finding::is_harmful(c)) {
        return Err((
            t!("the path contains a blank"),
            Some(say("fstab and unit files part words at blanks")),
        ));
    }
    if let Some(c) = text.chars().find(|c| "\"'`$\\;&|<>*?[]{}()!#~%".contains(*c)) {
        return Err((
            t!("the path contains `{c}`", c = c),
            Some(say("use letters, digits, `-`, `_` and `.`")),
        ));
    }
    if inside.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return Err((
            t!("the path has an empty, `.` or `..` part"),
            Some(say("write the shortest form, as in /var/swap/civicum.swap")),
        ));
    }
    if text.len() > 200 || inside.split('/').any(|part| part.len() > 100) {
        return Err((t!("the path is too long"), None));
    }
    let below = |folder: &&&str| text == **folder || text.starts_with(&format!("{folder}/"));
    if let Some(folder) = NOT_BELOW.iter().find(below) {
        return Err((
            t!("a swap file can't live below {folder}", folder = folder),
            Some(say("it must be on a disk's file system, as /civicum.swap is")),
        ));
    }
    if let Some(folder) = OF_THE_SYSTEM.iter().find(below) {
        return Err((
            t!("{folder} belongs to the system's packages and settings, not to swap", folder = folder),
            Some(say("for example /civicum.swap or /var/swap/civicum.swap")),
        ));
    }
    Ok(())
}

pub(super) fn extends(text: &str) -> Result<(), Objection> {
    if !is_file(text) {
        return Shape::ProfileName.check(text);
    }
    one_line(text)?;
    if !text.starts_with('/') && text.split('/').any(|part| part == "..") {
        return Err((
            t!("a profile can't extend a file outside its own folder by `..`"),
            Some(say("put the file beside or below this one, or write its absolute path")),
        ));
    }
    Ok(())
}

/// A file or a folder of the host that a container sees.
pub(super) fn mounted(text: &str, example: fn() -> Cow<'static, str>) -> Result<(), Objection> {
    let volume = Volume::parse(&format!("{text}:/mounted:ro")).map_err(|why| (why, Some(example())))?;
    if volume.is_named() {
        return Err((t!("`{text}` is no absolute path", text = shortened(text)), Some(example())));
    }
    Ok(())
}
