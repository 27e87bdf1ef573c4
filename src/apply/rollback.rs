//! Taking generations back: what civicum-tune changed, and nothing that others changed since.

use crate::t;
use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};

use serde::Serialize;

use super::Progress;
use super::acts::{self, Fate, Undone};
use super::generation::{Generation, Generations, State};
use super::journal::Event;
use crate::host::{Host, Result};
use crate::plan::{Act, Change};

/// How to treat what somebody changed since.
#[derive(Debug, Clone, Copy, Default)]
pub struct RollbackOptions {
    /// Restore the earlier state all the same; their version is put aside.
    pub force: bool,
    /// Accept their version, and close the generation.
    pub keep: bool,
}

/// How undoing a generation went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rollback {
    /// Which one.
    pub generation: u32,
    /// Changes undone, by id.
    pub restored: Vec<String>,
    /// Changes left as they are.
    pub kept: Vec<Kept>,
    /// Changes left as they are because `--keep` accepts that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<Kept>,
}

/// A change that was not undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Its id.
    pub id: String,
    /// Why.
    pub why: String,
}

impl Rollback {
    /// Is everything as it was?
    pub fn is_complete(&self) -> bool {
        self.kept.is_empty()
    }

    /// A sentence, and a line for each change that stays.
    pub fn in_words(&self) -> String {
        let (mut text, left) = if self.is_complete() && !self.accepted.is_empty() {
            (t!("taken back but for what was accepted as it is, and stays:"), &self.accepted)
        } else if self.is_complete() {
            return t!("everything that had been done was taken back; the host is as it was");
        } else {
            (t!("taken back but for:"), &self.kept)
        };
        for kept in left {
            text += &format!("\n  {}", kept.in_words());
        }
        text
    }
}

impl Kept {
    /// What was found nearly always names its place.
    fn in_words(&self) -> String {
        let target = self.id.split_once(':').map_or(self.id.as_str(), |(_, target)| target);
        if self.why.contains(target) { self.why.clone() } else { format!("{}: {}", self.id, self.why) }
    }
}

/// What taking these generations back, the newest first, would do to each of their changes, in the order in which it is
/// done. Those that are as before already, or were accepted as they are, are left out.
pub fn foresee<'a>(
    host: &Host,
    generations: &[&'a Generation],
    options: &RollbackOptions,
) -> Result<Vec<Vec<(&'a Change, Fate)>>> {
    // What a newer generation did to the same target is undone before an older one comes to look at it.
    let mut newer: HashMap<(Discriminant<Act>, &str), Fate> = HashMap::new();
    let mut all = Vec::new();
    for generation in generations {
        let events = generation.events(host)?;
        let retry = retry(&events);
        let rebooted = generation.rebooted_since(host) == Some(true);
        let mut found = Vec::new();
        for step in order(&generation.changes, &events, retry.as_deref()) {
            let change = &generation.changes[step];
            let thing = (discriminant(&change.act), change.act.target());
            let fate = if options.keep && retry.is_some() {
                match last_kept(&events, step) {
                    Some(why) => Fate::Kept(why.to_owned()),
                    None => continue,
                }
            } else if let Some(fate) = newer.get(&thing).filter(|_| !change.act.settles()) {
                if let Fate::Overwritten(_) = fate { Fate::Restored } else { fate.clone() }
            } else {
                match acts::foresee(host, &change.act, rebooted, options.force) {
                    Ok(Fate::Nothing) => continue,
                    Ok(Fate::Kept(_)) if !is_done(&events, step) => continue,
                    Ok(fate) => fate,
                    Err(error) => Fate::Unknown(error.to_string()),
                }
            };
            newer.insert(thing, fate.clone());
            found.push((change, fate));
        }
        all.push(found);
    }
    Ok(all)
}

/// Why a step was left as it is, the last time.
fn last_kept(events: &[Event], step: usize) -> Option<&str> {
    events.iter().rev().find_map(|event| match event {
        Event::Kept { step: kept, why } if *kept == step => Some(why.as_str()),
        _ => None,
    })
}

/// Takes back the generation `id` and all that came after it, the newest first; without `id` the newest alone.
pub fn rollback(
    host: &Host,
    id: Option<u32>,
    options: &RollbackOptions,
    progress: &mut dyn Progress,
) -> Result<Vec<Rollback>> {
    let generations = Generations::read(host)?;
    let targets = targets(&generations, id);
    let mut done = Vec::new();
    for (at, generation) in targets.iter().enumerate() {
        let left = made_later(host, &targets[at + 1..])?;
        let outcome = undo_steps(host, generation, "rollback", options, &left, progress)?;
        let stop = !outcome.is_complete();
        done.push(outcome);
        if stop {
            break;
        }
    }
    Ok(done)
}

/// The generations that a rollback to before `id` takes back, the newest first.
pub fn targets(generations: &Generations, id: Option<u32>) -> Vec<&Generation> {
    let open = generations.0.iter().rev().filter(|(_, state)| !matches!(state, State::RolledBack { .. }));
    let open = open.map(|(generation, _)| generation);
    match id {
        Some(id) => open.take_while(|generation| generation.id >= id).collect(),
        None => open.take(1).collect(),
    }
}

/// What the generations that are taken back next make anew out of files: an initramfs for each kernel takes minutes on a small
/// server, and only the last one is ever booted.
fn made_later(host: &Host, next: &[&Generation]) -> Result<Vec<Thing>> {
    let mut made = Vec::new();
    for generation in next {
        let events = generation.events(host)?;
        let order = order(&generation.changes, &events, retry(&events).as_deref());
        let acts = order.into_iter().map(|step| &generation.changes[step].act);
        made.extend(acts.filter(|act| act.settles()).map(thing));
    }
    Ok(made)
}

/// What an act is about.
type Thing = (Discriminant<Act>, String);

fn thing(act: &Act) -> Thing {
    (discriminant(act), act.target().to_owned())
}

/// Undoes the steps of one generation: backwards, and then what is made from files (grub.cfg, the initramfs) anew, but for what
/// is made later (`left`) anyway. A rollback that stops here makes all of it.
pub(super) fn undo_steps(
    host: &Host,
    generation: &Generation,
    why: &str,
    options: &RollbackOptions,
    left: &[Thing],
    progress: &mut dyn Progress,
) -> Result<Rollback> {
    let events = generation.events(host)?;
    let retry = retry(&events);
    let mut outcome = Rollback { generation: generation.id, ..Rollback::default() };
    if options.keep && retry.is_some() {
        generation.note(host, &Event::Closed)?;
        let kept = |step: &usize| {
            let why = last_kept(&events, *step)?.to_owned();
            Some(Kept { id: generation.changes.get(*step)?.id.clone(), why })
        };
        outcome.accepted.extend(retry.iter().flatten().filter_map(kept));
        return Ok(outcome);
    }
    generation.note(host, &Event::Undoing { why: why.to_owned() })?;
    let rebooted = generation.rebooted_since(host) == Some(true);
    let order = order(&generation.changes, &events, retry.as_deref());
    let is_left = |step: &usize| {
        let act = &generation.changes[*step].act;
        act.settles() && left.contains(&thing(act))
    };
    let (all, fewer) = (order.len(), order.iter().filter(|step| !is_left(step)).count());
    let mut number = 0;
    for step in order {
        let stops_here = !outcome.kept.is_empty();
        if is_left(&step) && !stops_here {
            continue;
        }
        let change = &generation.changes[step];
        number += 1;
        progress.begin(number, if stops_here { all } else { fewer }, change);
        let aside = options.force.then(|| generation.kept_path(step));
        // A step that can't be undone must not keep the others from it.
        let undone = match acts::undo(host, &change.act, rebooted, aside.as_deref(), progress) {
            // What was never done, and is not as we would have left it, is somebody else's.
            Ok(Undone::Kept(_)) if !is_done(&events, step) => Undone::Restored,
            Ok(undone) => undone,
            Err(error) => Undone::Kept(error.to_string()),
        };
        match undone {
            Undone::Restored => {
                generation.note(host, &Event::Undone { step })?;
                outcome.restored.push(change.id.clone());
                progress.done(change);
            }
            Undone::Kept(why) => {
                progress.say(&t!("left as it is: {why}", why = why));
                generation.note(host, &Event::Kept { step, why: why.clone() })?;
                let list = if options.keep { &mut outcome.accepted } else { &mut outcome.kept };
                list.push(Kept { id: change.id.clone(), why });
            }
        }
    }
    generation.note(host, if options.keep { &Event::Closed } else { &Event::RolledBack })?;
    Ok(outcome)
}

/// The steps that an earlier rollback left as they were.
fn retry(events: &[Event]) -> Option<Vec<usize>> {
    match super::generation::state(events) {
        State::PartlyRolledBack { kept } => Some(kept),
        _ => None,
    }
}

fn is_done(events: &[Event], step: usize) -> bool {
    events.iter().any(|event| matches!(event, Event::Done { step: s } if *s == step))
}

/// Which steps to undo, in which order. A command that never began has made nothing out of our files.
fn order(changes: &[Change], events: &[Event], retry: Option<&[usize]>) -> Vec<usize> {
    // A folder that was not empty the last time may be so now.
    let is_folder = |step: usize| matches!(changes[step].act, Act::MakeFolder { .. });
    let wanted = |step: &usize| retry.is_none_or(|kept| kept.contains(step) || is_folder(*step));
    let began = |step: &usize| {
        let step = *step;
        events.iter().any(|e| matches!(e, Event::Begun { step: s } | Event::Done { step: s } if *s == step))
    };
    // Steps are done in order: behind the first one that is not done, nothing was touched.
    let reached =
        (0..changes.len()).find(|step| !is_done(events, *step)).map_or(changes.len(), |first| first + 1);
    let all = 0..reached;
    let files = all.clone().rev().filter(|step| !changes[*step].act.settles());
    let settling = all.filter(|step| changes[*step].act.settles() && (retry.is_some() || began(step)));
    files.filter(wanted).chain(settling).collect()
}
