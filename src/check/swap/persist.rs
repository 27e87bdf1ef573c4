//! What brings swap back after a reboot.

use super::super::{Evidence, Outcome, Scene};
use super::{areas, line_of};
use crate::check::shared::APPLY;
use crate::facts::SwapArea;
use crate::facts::fstab::{self, Entry};
use crate::host::Host;
use crate::t;

const FSTAB: &str = "/etc/fstab";
const OWN: &str = "/etc/systemd/system";
/// Where units lie that somebody wants started.
const UNITS: [&str; 3] = [OWN, "/usr/lib/systemd/system", "/lib/systemd/system"];
/// Where the generators put theirs: they are made anew at each boot.
const GENERATED: [&str; 2] = ["/run/systemd/generator", "/run/systemd/generator.late"];

/// fstab's swap lines.
pub(super) fn fstab(scene: &Scene<'_>) -> Result<Vec<Entry>, Outcome> {
    match scene.host().read_text(FSTAB) {
        Ok(text) => {
            let entries = fstab::parse(&text.unwrap_or_default());
            Ok(entries.into_iter().filter(|entry| entry.fstype == "swap").collect())
        }
        Err(error) => Err(Outcome::could_not_tell(error.to_string())),
    }
}

/// The device or file that a name stands for: tags and links followed, as far as the host tells.
fn resolve(host: &Host, spec: &str) -> String {
    let mut path = match spec.split_once('=') {
        Some((tag, value)) => {
            let folder = match tag {
                "UUID" => "uuid",
                "LABEL" => "label",
                "PARTUUID" => "partuuid",
                "PARTLABEL" => "partlabel",
                _ => return spec.to_owned(),
            };
            format!("/dev/disk/by-{folder}/{}", value.trim_matches('"'))
        }
        None => spec.to_owned(),
    };
    for _ in 0..8 {
        let Some(target) = host.read_link(&path).filter(|_| path.starts_with("/dev/")) else { break };
        path = join(&path, &target);
    }
    path
}

/// Where a link at `path` leads.
fn join(path: &str, target: &str) -> String {
    let mut parts: Vec<&str> = if target.starts_with('/') { Vec::new() } else { path.split('/').collect() };
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("/"))
}

/// A swap unit, what it activates, and whether the boot starts it.
struct Unit {
    file: String,
    what: String,
    line: usize,
    enabled: bool,
}

fn units(host: &Host) -> Vec<Unit> {
    let wanted: Vec<String> = UNITS
        .iter()
        .flat_map(|folder| {
            let names = host.list(&format!("{folder}/swap.target.wants")).unwrap_or_default();
            let own = if *folder == OWN { host.list(OWN).unwrap_or_default() } else { Vec::new() };
            let others =
                own.into_iter().filter(|name| name.ends_with(".wants") || name.ends_with(".requires"));
            let others = others.flat_map(|name| host.list(&format!("{OWN}/{name}")).unwrap_or_default());
            names.into_iter().chain(others).collect::<Vec<_>>()
        })
        .collect();
    let mut found: Vec<Unit> = Vec::new();
    for folder in UNITS.iter().chain(&GENERATED) {
        for name in host.list(folder).unwrap_or_default().into_iter().filter(|name| name.ends_with(".swap")) {
            let file = format!("{folder}/{name}");
            let Some(text) = host.read_text(&file).ok().flatten() else { continue };
            let what = text
                .lines()
                .enumerate()
                .find_map(|(at, line)| Some((at + 1, line.trim().strip_prefix("What=")?.trim().to_owned())));
            let Some((line, what)) = what else { continue };
            let enabled = GENERATED.contains(folder) || wanted.contains(&name);
            found.push(Unit { file, what, line, enabled });
        }
    }
    found
}

/// Another program that makes or finds its swap at each boot, and the file that shows it.
fn other_owner(scene: &Scene<'_>) -> Option<String> {
    let known = ["dphys-swapfile", "swapspace", "cloud-init-swap"];
    let tuner = scene.facts().tuners.iter().find(|t| t.active && known.contains(&t.name.as_str()));
    let azure = "/etc/waagent.conf";
    let by_azure = || {
        let text = scene.host().value(azure)?;
        text.lines().any(|line| line.trim() == "ResourceDisk.EnableSwap=y").then(|| azure.to_owned())
    };
    tuner.map(|tuner| tuner.evidence.clone()).or_else(by_azure)
}

pub(super) fn back(scene: &Scene<'_>) -> Vec<Outcome> {
    let looked = || -> Result<Vec<Outcome>, Outcome> {
        let areas = areas(scene)?;
        let entries = fstab(scene)?;
        let units = units(scene.host());
        let other = other_owner(scene);
        Ok(areas.into_iter().map(|area| judge(scene, area, &entries, &units, other.as_deref())).collect())
    };
    looked().unwrap_or_else(Into::into)
}

fn judge(
    scene: &Scene<'_>,
    area: &SwapArea,
    entries: &[Entry],
    units: &[Unit],
    other: Option<&str>,
) -> Outcome {
    let host = scene.host();
    let is_it = |spec: &str| spec == area.path || resolve(host, spec) == area.path;
    if let Some(entry) = entries.iter().find(|entry| is_it(&entry.spec)) {
        let seen = Evidence::line(FSTAB, entry.line, &entry.text);
        return if entry.has("noauto") {
            let fix = t!("take noauto out of {file}:{line}", file = FSTAB, line = entry.line);
            Outcome::fail(t!("fstab names it with noauto"), fix)
        } else {
            Outcome::pass(t!("fstab brings it back"))
        }
        .seen(seen)
        .of(&area.path);
    }
    let mut of_it = units.iter().filter(|unit| is_it(&unit.what));
    let first = of_it.clone().next();
    if let Some(unit) = of_it.find(|unit| unit.enabled).or(first) {
        let name = unit.file.rsplit('/').next().unwrap_or_default();
        let seen = Evidence::line(&unit.file, unit.line, format!("What={}", unit.what));
        return if unit.enabled {
            Outcome::pass(t!("{unit} brings it back", unit = name))
        } else {
            Outcome::fail(t!("{unit} is not enabled", unit = name), format!("systemctl enable '{name}'"))
        }
        .seen(seen)
        .of(&area.path);
    }
    if let Some(file) = other {
        return Outcome::pass(t!("{file} may bring it back", file = file))
            .seen(Evidence::path(file))
            .of(&area.path);
    }
    // A tag of fstab that leads nowhere here may be this very device.
    let in_the_dark = |entry: &&Entry| entry.spec.contains('=') && !host.exists(&resolve(host, &entry.spec));
    if let Some(entry) = entries.iter().find(in_the_dark).filter(|_| area.path.starts_with("/dev/")) {
        return Outcome::could_not_tell(t!("nothing tells which device {spec} is", spec = entry.spec))
            .seen(Evidence::line(FSTAB, entry.line, &entry.text))
            .of(&area.path);
    }
    let ours = crate::tunable::swapfile::names(&scene.wish().swap.path).any(|path| path == area.path);
    let fix = if ours && scene.wish().swap.size.0 > 0 {
        APPLY.to_owned()
    } else {
        // The file's last line may lack its end, and what is added would become a part of it.
        format!("printf '\\n%s\\n' '{} none swap sw 0 0' >> {FSTAB}", area.path)
    };
    Outcome::fail(t!("neither fstab nor a swap unit names it"), fix)
        .seen(line_of(area))
        .seen(Evidence::path(FSTAB))
        .of(&area.path)
}

pub(super) fn named(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = super::out_of_place(scene).filter(|outcome| !outcome.is_untold()) {
        return outcome.into();
    }
    let entries = match fstab(scene) {
        Ok(entries) => entries,
        Err(outcome) => return outcome.into(),
    };
    let entries: Vec<_> = entries.into_iter().filter(|entry| !entry.has("noauto")).collect();
    if entries.is_empty() {
        return Outcome::not_applicable(t!("fstab names no swap")).into();
    }
    let host = scene.host();
    let judged = entries.into_iter().map(|entry| {
        let path = resolve(host, &entry.spec);
        let seen = Evidence::line(FSTAB, entry.line, &entry.text);
        let in_use = scene.facts().swap.iter().any(|area| area.path == path);
        let is_device = path.starts_with("/dev/") || entry.spec.contains('=');
        let outcome = if in_use || host.exists(&path) {
            Outcome::pass(t!("it is there"))
        } else if is_device && !(scene.is_live() && host.exists("/dev/disk")) {
            Outcome::could_not_tell(t!("no device is here to be looked for"))
        } else {
            let fix = t!("take {file}:{line} out, or make the swap again", file = FSTAB, line = entry.line);
            Outcome::fail(t!("there is no {path}", path = path), fix)
        };
        outcome.seen(seen).of(entry.spec)
    });
    judged.collect()
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn links_lead_on() {
        assert_eq!(join("/dev/disk/by-uuid/1", "../../vda2"), "/dev/vda2");
        assert_eq!(join("/dev/mapper/vg-swap", "../dm-1"), "/dev/dm-1");
        assert_eq!(join("/dev/x", "/dev/y"), "/dev/y");
        assert_eq!(join("/dev/x", "../../../../y"), "/y");
    }
}
