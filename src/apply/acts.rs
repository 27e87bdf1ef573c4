//! What each kind of act means: how to see whether it is done, how to do it, how to undo it.

use crate::t;
use std::path::Path;
use std::time::Duration;

use super::Progress;
use crate::host::swap::{Header, LABEL, parse_uuid};
use crate::host::{Host, HostError, Image, Result, sha256_hex};
use crate::plan::{Act, InitramfsTool};
use crate::units::{Bytes, MIB};

/// grub-mkconfig looks at every disk (os-prober), in seconds.
const GRUB_DEADLINE: Duration = Duration::from_secs(300);
/// An initramfs with all modules on a slow disk, in seconds.
const INITRAMFS_DEADLINE: Duration = Duration::from_secs(1800);
/// systemctl, in seconds.
const UNIT_DEADLINE: Duration = Duration::from_secs(120);
/// What stays available at least when swap goes back into RAM, in bytes.
const SPARE: u64 = 128 * MIB;

/// What the host looks like, seen from one act.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// As the plan found it.
    Before,
    /// As the act leaves it.
    After,
    /// Neither: somebody else was here. In words.
    Other(String),
    /// Can't be seen; doing it again does no harm.
    Unseen,
}

/// How undoing an act ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Undone {
    /// As before.
    Restored,
    /// Left as it is, and why.
    Kept(String),
}

/// Looks, as one who knows whether the host was booted since the plan was made: a kernel value that is neither the one
/// nor the other then is what the boot made it, and nobody's wish.
pub(super) fn look_after_boot(host: &Host, act: &Act, rebooted: bool) -> Result<Sight> {
    match (act, look(host, act)?) {
        (Act::Poke { .. }, Sight::Other(_)) if rebooted => Ok(Sight::Before),
        (_, sight) => Ok(sight),
    }
}

/// Looks.
fn look(host: &Host, act: &Act) -> Result<Sight> {
    Ok(match act {
        Act::MakeFolder { path } if host.exists(path) => Sight::After,
        Act::MakeFolder { .. } => Sight::Before,
        Act::PutFile { path, before, after, .. } => {
            let now = host.image(path)?;
            if now.is_as(after) {
                Sight::After
            } else if now.is_as(before) {
                Sight::Before
            } else {
                Sight::Other(what_changed(path, &now, after))
            }
        }
        Act::Poke { path, before, after, .. } => match kernel_value(host, path) {
            Some(now) if now == *after => Sight::After,
            Some(now) if now == *before => Sight::Before,
            Some(now) => Sight::Other(t!("{path} is `{now}` now", path = path, now = now)),
            None => Sight::Other(t!("{path} is not there any more", path = path)),
        },
        Act::MakeSwapFile { path, size, uuid, .. } => match host.swap_header(path) {
            Some(header) if is_the_file(&header, *size, uuid) => Sight::After,
            _ if host.exists(path) => Sight::Other(t!("{path} is another file now", path = path)),
            _ => Sight::Before,
        },
        Act::SwapOn { path, .. } if is_active(host, path) => Sight::After,
        Act::SwapOn { .. } => Sight::Before,
        Act::SwapOff { path, .. } if is_active(host, path) => Sight::Before,
        Act::SwapOff { .. } => Sight::After,
        Act::StopUnit { unit } => {
            if is_running(host, unit) {
                Sight::Before
            } else {
                Sight::After
            }
        }
        Act::ReloadSystemd | Act::MakeGrubConfig { .. } | Act::MakeInitramfs { .. } => Sight::Unseen,
    })
}

/// What undoing it would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Nothing: it is as before already.
    Nothing,
    /// It is made as before.
    Restored,
    /// Somebody changed it since, and it is overwritten.
    Overwritten(String),
    /// Somebody changed it since, and it stays.
    Kept(String),
    /// It can't be looked at.
    Unknown(String),
}

/// Foresees what [`undo`] does, but for what fails.
pub(super) fn foresee(host: &Host, act: &Act, rebooted: bool, force: bool) -> Result<Fate> {
    Ok(match (act, look_after_boot(host, act, rebooted)?) {
        (_, Sight::Before) => Fate::Nothing,
        (Act::MakeSwapFile { .. }, Sight::Other(found)) => Fate::Kept(found),
        (Act::PutFile { .. }, Sight::Other(_)) if ours_alone_matters(host, act)? => Fate::Restored,
        (Act::PutFile { .. } | Act::Poke { .. }, Sight::Other(found)) if force => Fate::Overwritten(found),
        (Act::PutFile { .. } | Act::Poke { .. }, Sight::Other(found)) => Fate::Kept(found),
        _ => Fate::Restored,
    })
}

/// Is it a file that we share with others, whose own lines are in it still, whatever became of the rest?
pub(super) fn ours_alone_matters(host: &Host, act: &Act) -> Result<bool> {
    let Act::PutFile { path, ours: Some(ours), .. } = act else { return Ok(false) };
    Ok(without(&host.image(path)?, ours).is_some())
}

/// Does it.
pub(super) fn carry_out(host: &Host, act: &Act, progress: &mut dyn Progress) -> Result<()> {
    match act {
        Act::MakeFolder { path } => host.make_folder(path, 0o755).map(drop),
        Act::PutFile { path, after, .. } => host.replace(path, after),
        Act::Poke { path, after, .. } => host.poke(path, after),
        Act::MakeSwapFile { path, size, uuid, .. } => {
            let header =
                Header { size: size.0, uuid: parse_uuid(uuid).unwrap_or_default(), label: LABEL.to_owned() };
            host.create_swap_file(path, &header, &mut |done| progress.bytes(done, size.0))
        }
        Act::SwapOn { path, priority } => host.swap_on(path, *priority),
        Act::SwapOff { path, .. } => swap_off(host, path),
        Act::StopUnit { unit } => run(host, "systemctl", &["stop", unit], UNIT_DEADLINE, progress),
        Act::ReloadSystemd => run(host, "systemctl", &["daemon-reload"], UNIT_DEADLINE, progress),
        Act::MakeGrubConfig { path, expect, .. } => make_grub_config(host, path, expect, progress),
        Act::MakeInitramfs { tool } => make_initramfs(host, *tool, progress),
    }
}

/// Undoes it, unless somebody changed the same thing since. With `overwrite` their change is put aside in that file.
pub(super) fn undo(
    host: &Host,
    act: &Act,
    rebooted: bool,
    overwrite: Option<&str>,
    progress: &mut dyn Progress,
) -> Result<Undone> {
    if let Act::PutFile { path, .. } | Act::MakeSwapFile { path, .. } = act {
        host.sweep(path)?;
    }
    match foresee(host, act, rebooted, overwrite.is_some())? {
        Fate::Nothing => return Ok(Undone::Restored),
        Fate::Kept(found) => return Ok(Undone::Kept(found)),
        Fate::Restored | Fate::Overwritten(_) | Fate::Unknown(_) => {}
    }
    match act {
        Act::MakeFolder { path } => {
            // Others may have put something there; then it is theirs.
            if !host.remove_empty_folder(path)? {
                progress.say(&t!("{path} stays: it is not empty", path = path));
            }
            Ok(Undone::Restored)
        }
        Act::PutFile { path, before, after, ours } => {
            let now = host.image(path)?;
            let changed_around = ours.as_deref().filter(|_| !now.is_as(after));
            if let Some(without) = changed_around.and_then(|ours| without(&now, ours)) {
                host.replace(path, &without)?;
                return Ok(Undone::Restored);
            }
            if let (Some(aside), Image::File { .. }, false) = (overwrite, &now, now.is_as(after)) {
                host.replace(aside, &now)?;
            }
            host.replace(path, before).map(|()| Undone::Restored)
        }
        Act::Poke { path, before, restore, .. } => {
            if restore.is_empty() {
                host.poke(path, before)?;
            }
            for setting in restore {
                host.poke(&setting.path, &setting.value)?;
            }
            Ok(Undone::Restored)
        }
        Act::MakeSwapFile { path, .. } if host.is_live() && is_active(host, path) => {
            Ok(Undone::Kept(t!("{path} is still in use as swap", path = path)))
        }
        Act::MakeSwapFile { path, .. } => host.replace(path, &Image::Absent).map(|()| Undone::Restored),
        Act::SwapOn { path, .. } => swap_off(host, path).map(|()| Undone::Restored),
        Act::SwapOff { path, priority, .. } => {
            // The device of a zram that was taken down is gone; starting its unit again brings it back.
            if host.exists(path) && host.swap_header(path).is_some() && !is_active(host, path) {
                host.swap_on(path, *priority)?;
            }
            Ok(Undone::Restored)
        }
        Act::StopUnit { unit } => {
            run(host, "systemctl", &["daemon-reload"], UNIT_DEADLINE, progress)?;
            run(host, "systemctl", &["start", unit], UNIT_DEADLINE, progress)?;
            Ok(Undone::Restored)
        }
        Act::MakeGrubConfig { path, before, .. } => {
            host.replace(&candidate(path), &Image::Absent)?;
            if host.image(path)?.bytes().is_some_and(|now| sha256_hex(now) == *before) {
                return Ok(Undone::Restored);
            }
            make_grub_config(host, path, &[], progress).map(|()| Undone::Restored)
        }
        Act::ReloadSystemd | Act::MakeInitramfs { .. } => {
            carry_out(host, act, progress).map(|()| Undone::Restored)
        }
    }
}

fn run(
    host: &Host,
    name: &str,
    args: &[&str],
    deadline: Duration,
    progress: &mut dyn Progress,
) -> Result<()> {
    host.run(name, args, deadline, &mut |line| progress.line(line)).map(drop)
}

/// A kernel file's value as the plan writes values: one blank between words.
fn kernel_value(host: &Host, path: &str) -> Option<String> {
    host.value(path).map(|value| crate::tunable::tidy(&value))
}

fn is_the_file(header: &Header, size: Bytes, uuid: &str) -> bool {
    header.label == LABEL && header.size == size.0 && Some(header.uuid) == parse_uuid(uuid)
}

fn is_active(host: &Host, path: &str) -> bool {
    let swaps = host.read_text("/proc/swaps").ok().flatten().unwrap_or_default();
    swaps.lines().any(|line| line.split_whitespace().next() == Some(path))
}

fn is_running(host: &Host, unit: &str) -> bool {
    host.run("systemctl", &["is-active", "--quiet", unit], UNIT_DEADLINE, &mut |_| {}).is_ok()
}

/// Our own lines taken out of a file that changed around them; `None` where they are not in it just once.
fn without(now: &Image, ours: &str) -> Option<Image> {
    let bytes = now.bytes()?;
    if ours.is_empty() {
        return None;
    }
    // Behind a `#` that somebody put there it is no line of ours any more.
    let is_line = |at: usize| at == 0 || bytes[at - 1] == b'\n';
    let found = bytes.windows(ours.len()).enumerate().filter(|(_, window)| *window == ours.as_bytes());
    let mut places = found.map(|(at, _)| at).filter(|at| is_line(*at));
    let at = places.next()?;
    if places.next().is_some() {
        return None;
    }
    Some(now.with_bytes([&bytes[..at], &bytes[at + ours.len()..]].concat()))
}

fn what_changed(path: &str, now: &Image, wanted: &Image) -> String {
    match (now, wanted) {
        (Image::Absent, _) => t!("{path} was removed", path = path),
        (Image::File { content: a, .. }, Image::File { content: b, .. }) if a == b => {
            t!("{path} has another mode, owner or attribute now", path = path)
        }
        (Image::File { .. }, _) => t!("{path} has another content now", path = path),
        (Image::Link { target }, _) => t!("{path} is a link to {target} now", path = path, target = target),
        (Image::Other { what }, _) => t!("{path} is {what} now", path = path, what = what),
    }
}

/// swapoff needs room for all that is in the area: its task is the OOM killer's first victim.
fn swap_off(host: &Host, path: &str) -> Result<()> {
    let swaps = host.read_text("/proc/swaps")?.unwrap_or_default();
    let line = swaps.lines().find(|line| line.split_whitespace().next() == Some(path)).unwrap_or_default();
    let used = line.split_whitespace().nth(3).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024;
    let meminfo = host.read_text("/proc/meminfo")?.unwrap_or_default();
    let available = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .map(|kib| kib * 1024);
    if let Some(available) = available.filter(|available| used > 0 && *available < used + SPARE) {
        let why = t!(
            "it holds {used} and only {available} of memory are available; stop something large first and run this again",
            used = Bytes(used / MIB * MIB),
            available = Bytes(available / MIB * MIB)
        );
        return Err(HostError::because("swapoff", Path::new(path), why));
    }
    host.swap_off(path)
}

/// Where a new grub.cfg is read by grub-script-check before it takes its place.
fn candidate(path: &str) -> String {
    format!("{path}.civicum-tune-check")
}

/// Generates grub.cfg beside the old one, checks it, and replaces the old one in one step. (`update-grub` copies the new
/// one over the old one; a power cut in the middle of that leaves a host that does not boot.)
fn make_grub_config(host: &Host, path: &str, expect: &[String], progress: &mut dyn Progress) -> Result<()> {
    let refuse = |why: String| Err(HostError::because("generate", Path::new(path), why));
    let tool = ["grub-mkconfig", "grub2-mkconfig"].into_iter().find(|name| host.program(name).is_some());
    let output =
        host.run(tool.unwrap_or("grub-mkconfig"), &[], GRUB_DEADLINE, &mut |line| progress.line(line))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !crate::tunable::grub_boots_with(&text, expect) {
        return refuse(if expect.is_empty() {
            t!("the new one boots no kernel at all")
        } else {
            t!(
                "the new one boots no kernel with {args}; another file in /etc/default/grub.d may unset the variable",
                args = expect.join(" ")
            )
        });
    }
    let old = host.image(path)?;
    let new = match &old {
        Image::Absent => Image::file(output.stdout.clone(), 0o600),
        Image::File { .. } => old.with_bytes(output.stdout.clone()),
        Image::Link { .. } | Image::Other { .. } => return refuse(t!("it is no plain file")),
    };
    let checker =
        ["grub-script-check", "grub2-script-check"].into_iter().find(|name| host.program(name).is_some());
    if let Some(checker) = checker {
        let candidate = candidate(path);
        host.replace(&candidate, &new)?;
        let checked = host.run(checker, &[&candidate], GRUB_DEADLINE, &mut |line| progress.line(line));
        host.replace(&candidate, &Image::Absent)?;
        checked?;
    }
    if old != new {
        host.replace(path, &new)?;
        host.checkpoint(path);
    }
    if let Some(line) = crate::tunable::grub_kernel_lines(&text).next() {
        progress.say(&t!("the next boot: {line}", line = line));
    }
    Ok(())
}

fn make_initramfs(host: &Host, tool: InitramfsTool, progress: &mut dyn Progress) -> Result<()> {
    match tool {
        InitramfsTool::UpdateInitramfs => {
            run(host, "update-initramfs", &["-u", "-k", "all"], INITRAMFS_DEADLINE, progress)?;
        }
        InitramfsTool::Dracut => {
            run(host, "dracut", &["--regenerate-all", "--force"], INITRAMFS_DEADLINE, progress)?;
        }
    }
    host.checkpoint("/boot/initrd.img");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_lines_are_whole_lines_and_there_once() {
        let ours = "/swapfile none swap sw 0 0\n";
        let left =
            |text: &str| without(&Image::file(text, 0o644), ours).map(|image| image.text().into_owned());
        assert_eq!(left("a\n/swapfile none swap sw 0 0\nb\n").as_deref(), Some("a\nb\n"));
        assert_eq!(left(ours).as_deref(), Some(""));
        assert_eq!(left("a\n#/swapfile none swap sw 0 0\nb\n"), None, "somebody took it out of use");
        assert_eq!(left(&ours.repeat(2)), None);
        assert_eq!(left("a\n"), None);
        assert_eq!(without(&Image::file("a\n", 0o644), ""), None);
    }
}
