//! The files that `grub.cfg` is made from: who wins, what is lost, what is not in `grub.cfg` yet.

use super::super::{Evidence, Outcome, Scene};
use super::{chain, foreign, not_grub};
use crate::facts::grub::{self, Assignment};
use crate::t;
use crate::tunable::GRUB_DROP_IN;

/// Words that images come with, and that nobody misses.
const USUAL: [&str; 7] = ["quiet", "splash", "nosplash", "text", "maybe-ubiquity", "console=", "vt.handoff="];

fn files<'a>(scene: &'a Scene<'a>) -> Result<&'a grub::Files, Outcome> {
    if let Some(outcome) = foreign(scene).or_else(|| not_grub(scene)) {
        return Err(outcome);
    }
    scene.grub_files().map_err(Outcome::could_not_tell)
}

fn line_of(assignment: &Assignment) -> Evidence {
    Evidence::line(&assignment.file, assignment.line, &assignment.text)
}

pub(super) fn last(scene: &Scene<'_>) -> Vec<Outcome> {
    let files = match files(scene) {
        Ok(files) => files,
        Err(outcome) => return outcome.into(),
    };
    if !files.0.iter().any(|(file, _)| file == GRUB_DROP_IN) {
        return Outcome::not_applicable(t!("{path} is not there", path = GRUB_DROP_IN)).into();
    }
    let mut found: Vec<Outcome> = files
        .assignments(grub::DEFAULT)
        .iter()
        .filter(|assignment| assignment.file.as_str() > GRUB_DROP_IN && !assignment.keeps)
        .map(|assignment| {
            let wanted = format!("{0}=\"${{{0}}} …\"", grub::DEFAULT);
            let fix =
                t!("write {line} in {file}, and run update-grub", line = wanted, file = assignment.file);
            if assignment.unsure {
                return Outcome::could_not_tell(t!("only a shell could tell whether this line sets it anew"))
                    .of(&assignment.file)
                    .seen(line_of(assignment));
            }
            Outcome::fail(t!("it is read after {path} and sets the variable anew", path = GRUB_DROP_IN), fix)
                .of(&assignment.file)
                .expected(wanted)
                .seen(line_of(assignment))
        })
        .collect();
    if found.is_empty() {
        let outcome = Outcome::pass(t!("of {count} files ours has the last word", count = files.0.len()));
        found.push(outcome.seen(Evidence::path(GRUB_DROP_IN)));
    }
    found
}

pub(super) fn lost(scene: &Scene<'_>) -> Vec<Outcome> {
    let files = match files(scene) {
        Ok(files) => files,
        Err(outcome) => return outcome.into(),
    };
    let followed = [grub::ALWAYS, grub::DEFAULT].map(|name| {
        let assignments = files.assignments(name);
        (grub::effect(&assignments), assignments)
    });
    let arrives =
        |word: &str| followed.iter().any(|(effect, _)| effect.words.iter().any(|there| there.word == word));
    let mut found = Vec::new();
    for (effect, assignments) in &followed {
        for (word, by) in &effect.lost {
            let is_usual = USUAL
                .iter()
                .any(|usual| word.word == *usual || usual.ends_with('=') && word.word.starts_with(usual));
            if is_usual || arrives(&word.word) {
                continue;
            }
            let (own, winner) = (&assignments[word.from], &assignments[*by]);
            let actual = t!("{file}:{line} sets the variable anew", file = winner.file, line = winner.line);
            let line = format!("{0}=\"${0} {1}\"", own.name, word.word);
            let fix = t!(
                "put {line} in /etc/default/grub.d/zy-local.cfg and run update-grub, or take the word out of {file}",
                line = line,
                file = own.file
            );
            found.push(
                Outcome::warn(actual, fix)
                    .of(&word.word)
                    .expected(t!("on the boot line, as {file}:{line} asks", file = own.file, line = own.line))
                    .seen(line_of(own))
                    .seen(line_of(winner)),
            );
        }
    }
    if found.is_empty() {
        found.push(Outcome::pass(t!("nothing of weight is set anew in a later file")));
    }
    found
}

pub(super) fn current(scene: &Scene<'_>) -> Vec<Outcome> {
    let looked = || -> Result<Vec<Outcome>, Outcome> {
        let files = files(scene)?;
        let (path, text) = chain::text(scene)?;
        let lines = chain::normal_lines(text)?;
        let ours = scene.cx.kernel_args();
        let mut found = Vec::new();
        for name in [grub::ALWAYS, grub::DEFAULT] {
            let assignments = files.assignments(name);
            let effect = grub::effect(&assignments);
            // What is ours has a check of its own (link 2), and a word with an escape is written in another way.
            let told = effect.words.iter().filter(|word| {
                !assignments[word.from].unsure
                    && !ours.contains(&word.word)
                    && !word.word.contains(['\\', '"', '\'', '{'])
            });
            for word in told {
                let Some(line) = lines.iter().find(|line| !line.has(&word.word)) else { continue };
                let own = &assignments[word.from];
                found.push(
                    Outcome::warn(t!("{path} does not carry it", path = path), "update-grub")
                        .of(&word.word)
                        .expected(t!(
                            "on every normal entry, as {file}:{line} asks",
                            file = own.file,
                            line = own.line
                        ))
                        .seen(line_of(own))
                        .seen(Evidence::line(path, line.number, line.text)),
                );
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
        // Copies and checkouts have dates of their own; those of a running host mean something.
        let made = scene.host().mtime(path).filter(|_| scene.is_live());
        // grub.cfg is left alone where our file changes nothing in it: link 2 tells of ours.
        let newer =
            files.0.iter().filter(|(file, _)| file != GRUB_DROP_IN).find(|(file, _)| {
                made.zip(scene.host().mtime(file)).is_some_and(|(made, edited)| edited > made)
            });
        if let Some((file, _)) = newer {
            let actual = t!("{file} was changed after {path} was made", file = file, path = path);
            return Ok(Outcome::warn(actual, "update-grub").of(file).seen(Evidence::path(file)).into());
        }
        Ok(Outcome::pass(t!(
            "{path} carries every word of {count} files",
            path = path,
            count = files.0.len()
        ))
        .into())
    };
    looked().unwrap_or_else(Into::into)
}
