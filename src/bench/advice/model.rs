//! What the model's values could be, and what is said of threads and packings.

use super::{
    Advice, Claim, Kind, Section, Spread, Subject, Table, Verdict, against, missing, seconds, table,
    was_asked, with_enough,
};
use crate::container::role::Role;
use crate::profile::edit::New;
use crate::profile::settings::{Service, Settings};
use crate::t;

/// The model's service of the profile.
pub(super) fn service(settings: &Settings) -> Option<(&str, &Service)> {
    let is_it = |(name, service): &(&String, &Service)| Role::of(name, service.role.as_deref()).is_model();
    settings.services.iter().find(is_it).map(|(name, service)| (name.as_str(), service))
}

/// Its threads. A server that nobody tells takes as many as there are cores.
pub(super) fn now(service: &Service, cores: usize) -> usize {
    service.threads.and_then(|threads| usize::try_from(threads).ok()).unwrap_or(cores)
}

/// The most that make sense: with more than its limit it would be stopped again and again, which nothing was that was measured.
pub(super) fn most(service: &Service, cores: usize) -> usize {
    service.cpus.map_or(cores, whole).min(cores)
}

/// The models that were measured, each once.
fn names(models: &Table) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for (words, _) in &models.rows {
        if !names.contains(&words[0].as_str()) {
            names.push(&words[0]);
        }
    }
    names
}

/// The measured model that is the profile's, or why none is.
fn own<'m>(models: &'m Table, service: &Service) -> Result<&'m str, String> {
    let names = names(models);
    let file = service.model.as_deref().map(|path| path.rsplit('/').next().unwrap_or(path));
    match (file, names.as_slice()) {
        (Some(file), _) => names.iter().find(|name| **name == file).copied().ok_or_else(|| {
            t!(
                "the profile's model is {file}, and measured was {names}",
                file = file,
                names = names.join(", ")
            )
        }),
        (None, [one]) => Ok(one),
        (None, _) => Err(t!(
            "the profile names no model, and several were measured: {names}",
            names = names.join(", ")
        )),
    }
}

/// The threads of the model: the number with which a document takes least, beside a neighbour, since it always has one.
pub(super) fn threads(sections: &[Section], subject: &Subject<'_>) -> Option<Advice> {
    let (name, service) =
        service(subject.settings).filter(|_| subject.all || was_asked(sections, Kind::Llm))?;
    let key = ["services", name, "threads"];
    let now = now(service, subject.cores);
    let unknown = |why| Some(Advice::unknown(&key, &now.to_string(), why));
    let Some(models) = table(sections, Kind::Llm, "models") else {
        return unknown(missing(sections, Kind::Llm));
    };
    let model = match own(models, service) {
        Ok(model) => model,
        Err(why) => return unknown(why),
    };
    let found = by_threads(models, model, "busy");
    let Some((_, own)) = found.iter().find(|(threads, _)| *threads == now) else {
        return unknown(t!(
            "{model} was not measured with {threads} threads, which it has now",
            model = model,
            threads = now
        ));
    };
    let most = most(service, subject.cores);
    let can = |threads: usize| threads <= most || threads == now;
    let (best, least) = found
        .iter()
        .filter(|(threads, _)| can(*threads))
        .min_by(|one, other| one.1.median.total_cmp(&other.1.median))?;
    if !found.iter().any(|(threads, _)| can(*threads) && *threads != now) {
        let why = t!(
            "of the threads that services.{service}.cpus and this host allow, up to {most}, {model} was measured with {threads} alone",
            model = model,
            most = most,
            threads = now,
            service = name
        );
        return unknown(format!("{why}; {}", what_to_do(most, found.len() > 1, subject)));
    }
    let each: Vec<String> =
        found.iter().map(|(threads, cost)| format!("{threads}: {}", seconds(cost))).collect();
    let mut why = t!(
        "a document of {model} beside a neighbour, by threads: {each}",
        model = model,
        each = each.join(", ")
    );
    if let Some(cpus) = service.cpus.filter(|_| most < subject.cores) {
        why = t!(
            "{figures}; no more than {most}, since services.{service}.cpus is {cpus}",
            figures = why,
            most = most,
            service = name,
            cpus = cpus
        );
    }
    let verdict = against((&best.to_string(), least), (&now.to_string(), own), false);
    Some(Advice::judged(&key, &now.to_string(), written(*best, &key, subject), verdict, why))
}

/// How a number of threads gets another one to be compared with.
fn what_to_do(most: usize, were_several: bool, subject: &Subject<'_>) -> String {
    if most <= 1 {
        t!("there is no other number")
    } else if !were_several && !subject.compares_threads {
        t!("--server-program compares several")
    } else if subject.quick {
        t!("without --quick each number is measured")
    } else {
        t!("give it more with --time")
    }
}

/// The whole processors of a limit, at least one.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(cpus: f64) -> usize {
    cpus.floor().max(1.0) as usize
}

/// Where the profile has a rule, a rule that comes to the number here: it holds on other hosts, too.
fn written(best: usize, key: &[&str], subject: &Subject<'_>) -> New {
    match subject.cores.checked_sub(best) {
        Some(0) if (subject.is_rule)(key) => New::Text("cores".to_owned()),
        Some(1) if (subject.is_rule)(key) => New::Text("max(1, cores - 1)".to_owned()),
        _ => New::Number(i64::try_from(best).unwrap_or(1)),
    }
}

/// What a document takes, by the number of threads.
fn by_threads(models: &Table, model: &str, host: &str) -> Vec<(usize, Spread)> {
    let rows = models.rows.iter().filter(|(words, _)| words[0] == model && words[3] == host);
    rows.filter_map(|(words, _)| Some((words[2].parse().ok()?, document(models, words)?))).collect()
}

fn document(models: &Table, words: &[String]) -> Option<Spread> {
    models.figure(&words.iter().map(String::as_str).collect::<Vec<_>>(), "document_seconds")
}

pub(super) fn claims(sections: &[Section], subject: &Subject<'_>) -> Vec<Claim> {
    let Some(models) = table(sections, Kind::Llm, "models") else { return Vec::new() };
    let own = service(subject.settings).and_then(|(_, service)| own(models, service).ok());
    let Some(model) = own.or_else(|| names(models).first().copied()) else { return Vec::new() };
    let threads =
        ["busy", "quiet"].into_iter().filter_map(|host| one_core_less(models, model, host, subject.cores));
    threads.chain(packing(models, table(sections, Kind::Llm, "files"))).collect()
}

/// One core less than the host has, beside all of them; nothing where it has one, or where nobody knows the threads.
fn one_core_less(models: &Table, model: &str, host: &str, cores: usize) -> Option<Claim> {
    let each = by_threads(models, model, host);
    let fewer = cores.checked_sub(1).filter(|fewer| *fewer > 0 && !each.is_empty())?;
    let (id, claim) = match host {
        "busy" => ("one_core_less_busy", t!("beside a neighbour, one core less than all is faster")),
        _ => ("one_core_less_quiet", t!("on a quiet host, one core less than all is faster")),
    };
    let with = |wanted: usize| each.iter().find(|(threads, _)| *threads == wanted).map(|(_, cost)| cost);
    let (verdict, why) = match (with(fewer), with(cores)) {
        (Some(less), Some(all)) => {
            let why = t!(
                "a document of {model}: {less} with {fewer} threads, {all} with {cores}",
                model = model,
                less = seconds(less),
                fewer = fewer,
                all = seconds(all),
                cores = cores
            );
            (less.against(all, false), why)
        }
        (less, _) => {
            let missing = if less.is_none() { fewer } else { cores };
            let why = t!("{model} was not measured with {threads} threads", model = model, threads = missing);
            return Some(Claim { id, claim, verdict: Verdict::CouldNotTell, why });
        }
    };
    Some(Claim { id, claim, verdict, why: with_enough(verdict, why) })
}

/// `Q4_0` beside `Q4_K_M` of the same family, each with the threads that suit it best on a quiet host.
fn packing(models: &Table, files: Option<&Table>) -> Option<Claim> {
    let family = |words: &[String]| -> Option<&str> {
        let is_it = |file: &&Vec<String>| file[0] == words[0] && file[1] == words[1];
        let file = files?.rows.iter().map(|(file, _)| file).find(is_it)?;
        Some(file[2].as_str()).filter(|family| *family != "?")
    };
    // The model and what its document takes, for one packing of one family; of any family where none is named.
    let best = |packing: &str, of: Option<&str>| -> Option<(&str, Spread)> {
        let rows = models.rows.iter().map(|(words, _)| words);
        let rows = rows.filter(|words| words[1] == packing && words[3] == "quiet");
        let rows = rows.filter(|words| of.is_none() || family(words) == of);
        let costs = rows.filter_map(|words| Some((words[0].as_str(), document(models, words)?)));
        costs.min_by(|one, other| one.1.median.total_cmp(&other.1.median))
    };
    let claim = |verdict, why| {
        Some(Claim {
            id: "q4_0",
            claim: t!("Q4_0 is faster than Q4_K_M"),
            verdict,
            why: with_enough(verdict, why),
        })
    };
    let families = models.rows.iter().filter_map(|(words, _)| family(words));
    let pair = families.into_iter().find_map(|of| Some((best("Q4_0", Some(of))?, best("Q4_K_M", Some(of))?)));
    if let Some(((old_name, old), (new_name, new))) = pair {
        let why = t!(
            "a document: {old} with Q4_0 ({old_name}), {new} with Q4_K_M ({new_name})",
            old = seconds(&old),
            old_name = old_name,
            new = seconds(&new),
            new_name = new_name
        );
        return claim(old.against(&new, false), why);
    }
    let ((old, _), (new, _)) = (best("Q4_0", None)?, best("Q4_K_M", None)?);
    let why = t!(
        "{old} and {new} are different models: only one model in both packings can tell",
        old = old,
        new = new
    );
    Some(Claim { id: "q4_0", claim: t!("Q4_0 is faster than Q4_K_M"), verdict: Verdict::CouldNotTell, why })
}
