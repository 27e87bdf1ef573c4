//! Modules that must be there before the root file system is.

use super::super::{Evidence, Outcome, Scene};
use super::{chain, foreign};
use crate::change::{Act, InitramfsTool};
use crate::check::shared::APPLY;
use crate::facts::{Initramfs, grub};
use crate::t;
use crate::tunable::initramfs;

const DRACUT: [&str; 2] = ["/etc/dracut.conf.d", "/usr/lib/dracut/dracut.conf.d"];

/// The modules that are wanted early, the file that lists them, and what makes the image.
type Wanted = (Vec<String>, &'static str, InitramfsTool);

fn wanted(scene: &Scene<'_>) -> Result<Wanted, Outcome> {
    if let Some(outcome) = foreign(scene) {
        return Err(outcome);
    }
    let modules = if scene.wish().boot.manage { initramfs::modules(&scene.cx) } else { Vec::new() };
    match initramfs::list(&scene.cx) {
        Some((path, tool)) if !modules.is_empty() => Ok((modules, path, tool)),
        _ => Err(Outcome::not_applicable(t!("no module is needed early"))),
    }
}

/// The files that may list modules, with their text.
fn lists(scene: &Scene<'_>, path: &str) -> Result<Vec<(String, String)>, Outcome> {
    let mut paths = vec![path.to_owned()];
    if scene.facts().boot.initramfs == Initramfs::Dracut {
        paths.insert(0, "/etc/dracut.conf".to_owned());
        for folder in DRACUT {
            let names = scene.host().list(folder).unwrap_or_default();
            paths.extend(names.iter().filter(|n| n.ends_with(".conf")).map(|n| format!("{folder}/{n}")));
        }
    }
    let mut found = Vec::new();
    for path in paths {
        match scene.host().read_text(&path) {
            Ok(text) => found.extend(text.map(|text| (path, text))),
            Err(error) => return Err(Outcome::could_not_tell(error.to_string())),
        }
    }
    Ok(found)
}

/// Does this line ask for the module?
fn asks(line: &str, module: &str, is_dracut: bool) -> bool {
    let line = line.split('#').next().unwrap_or_default();
    let same = |word: &str| word.replace('-', "_") == module.replace('-', "_");
    if !is_dracut {
        return line.split_whitespace().next().is_some_and(same);
    }
    let Some((key, value)) = line.split_once('=') else { return false };
    let adds = matches!(key.trim().trim_end_matches('+'), "add_drivers" | "force_drivers" | "drivers");
    adds && value.split(|c: char| c.is_whitespace() || c == '"' || c == '\'').any(same)
}

pub(super) fn listed(scene: &Scene<'_>) -> Vec<Outcome> {
    let looked = || -> Result<Outcome, Outcome> {
        let (modules, path, _) = wanted(scene)?;
        let lists = lists(scene, path)?;
        let is_dracut = scene.facts().boot.initramfs == Initramfs::Dracut;
        let (mut missing, mut evidence) = (Vec::new(), Vec::<Evidence>::new());
        for module in &modules {
            let place = lists.iter().find_map(|(file, text)| {
                let (at, line) = text.lines().enumerate().find(|(_, line)| asks(line, module, is_dracut))?;
                Some(Evidence::line(file, at + 1, line.trim()))
            });
            match place {
                Some(place) if !evidence.contains(&place) => evidence.push(place),
                Some(_) => {}
                None => missing.push(module.as_str()),
            }
        }
        let wanted = modules.join(" ");
        if missing.is_empty() {
            return Ok(Outcome::pass(wanted.clone()).expected(wanted).seen_all(evidence).target(path));
        }
        if let Some(outcome) = chain::before_zswap(scene).filter(|_| !scene.was_applied(path)) {
            return Err(outcome);
        }
        evidence.insert(0, Evidence::path(path));
        Ok(Outcome::fail(t!("not listed: {modules}", modules = missing.join(" ")), APPLY)
            .expected(wanted)
            .seen_all(evidence)
            .target(path))
    };
    looked().unwrap_or_else(|outcome| outcome).into()
}

pub(super) fn made(scene: &Scene<'_>) -> Vec<Outcome> {
    let looked = || -> Result<Outcome, Outcome> {
        let (_, path, tool) = wanted(scene)?;
        if !scene.is_live() {
            return Err(Outcome::not_applicable(t!("the dates of a copied tree tell nothing")));
        }
        let Some(list) = scene.host().mtime(path) else {
            return Err(Outcome::not_applicable(t!("{path} is not there", path = path)));
        };
        let Some(image) = initramfs::image(&scene.cx) else {
            let release = &scene.facts().kernel.release;
            return Err(Outcome::could_not_tell(t!(
                "no initramfs of kernel {release} in /boot",
                release = release
            )));
        };
        let seen = [Evidence::path(&image), Evidence::path(path)];
        let made = scene.host().mtime(&image).unwrap_or(0);
        let outcome = if made < list {
            let command = Act::MakeInitramfs { tool }.target().to_owned();
            Outcome::fail(t!("{image} is older than {list}", image = image, list = path), command)
        } else {
            Outcome::pass(t!("{image} is newer than {list}", image = image, list = path))
        };
        Ok(outcome.seen_all(seen))
    };
    looked().unwrap_or_else(|outcome| outcome).into()
}

pub(super) fn used(scene: &Scene<'_>) -> Vec<Outcome> {
    let looked = || -> Result<Outcome, Outcome> {
        let (modules, ..) = wanted(scene)?;
        let files = scene.grub_files().map_err(Outcome::could_not_tell)?;
        let set = files.assignments(grub::FORCE_PARTUUID);
        let Some(last) = set.last().filter(|last| !last.words.is_empty()) else {
            return Ok(Outcome::pass(t!("GRUB is not told to boot without one")));
        };
        let fix = t!(
            "echo {name}= > /etc/default/grub.d/90-initramfs.cfg; update-grub",
            name = grub::FORCE_PARTUUID
        );
        Ok(Outcome::warn(
            t!(
                "the first try is without one, so {modules} are not loaded early",
                modules = modules.join(" ")
            ),
            fix,
        )
        .seen(Evidence::line(&last.file, last.line, &last.text)))
    };
    looked().unwrap_or_else(|outcome| outcome).into()
}

#[cfg(test)]
mod tests {
    use super::asks;

    #[test]
    fn lines_that_ask_for_a_module() {
        assert!(asks("lz4", "lz4", false) && asks(" lzo-rle x=1 # c", "lzo_rle", false));
        assert!(!asks("# lz4", "lz4", false) && !asks("lz4_compress", "lz4", false));
        assert!(asks("add_drivers+=\" lz4 lz4_compress \"", "lz4", true));
        assert!(asks("force_drivers+=' lz4 '", "lz4", true));
        assert!(
            !asks("omit_drivers+=\" lz4 \"", "lz4", true) && !asks("#add_drivers+=\" lz4 \"", "lz4", true)
        );
    }
}
