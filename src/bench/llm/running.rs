//! A server that runs already, and that others use, too: it is left as it was found.

use std::time::{Duration, Instant};

use super::Standing;
use super::turns::{Asked, Model, Servers, Threads, Way, Work};
use crate::bench::{Pace, Told, room, too_short};
use crate::host::{Host, terminal};
use crate::llm::{self, Api, Resident, Served, Server};
use crate::t;

/// How long a model of ours stays where we can't have it leave any more, seconds.
const KEPT: i64 = 120;
/// How long it may take in all to have our models leave and to ask which are there, whatever time is left.
const TIDYING: Duration = Duration::from_secs(10);
/// How long it may take to load again what was in memory before: Ollama gives a load up when whoever asked for it goes.
const RELOADING: Duration = Duration::from_secs(120);

pub(super) struct Running<'a> {
    host: &'a Host,
    server: Server,
    api: Api,
    /// What is asked for where a model was not in memory.
    context: Option<u32>,
    before: Vec<Resident>,
    /// The models that may be in memory because of us.
    ours: Vec<String>,
}

impl<'a> Running<'a> {
    /// The models that are measured, each with each of these numbers of threads where the server takes them with a question.
    pub(super) async fn new(
        host: &'a Host,
        standing: &Standing,
        counts: &[Threads],
        pace: &Pace<'_>,
        notes: &mut Vec<String>,
    ) -> Told<(Self, Vec<Model>, Vec<Way>)> {
        let mut server = standing.server.clone();
        let known = async {
            let api = server.probe().await?;
            let has = llm::served(&server, api).await?;
            let before = if api == Api::Ollama { llm::resident(&server).await? } else { Vec::new() };
            Ok::<_, llm::Error>((api, has, before))
        };
        let (api, has, before) =
            pace.bounded(known).await.ok_or_else(too_short)?.map_err(|error| error.to_string())?;
        server.api = Some(api);
        let threads: Vec<Threads> = match api {
            Api::Ollama => counts.to_vec(),
            Api::OpenAi => {
                notes.push(t!(
                    "a llama.cpp server takes its threads when it starts: --server-program compares them"
                ));
                vec![Threads { count: standing.threads, is_spare: false }]
            }
        };
        let loaded: Vec<&str> = before.iter().map(|model| model.name.as_str()).collect();
        let models: Vec<Model> = wanted(&has, &standing.models, &loaded)?.into_iter().map(model).collect();
        let ways = (0..models.len()).flat_map(|model| threads.iter().map(move |of| Way::new(model, *of)));
        let ways = ways.collect();
        let running = Self { host, server, api, context: standing.context, before, ours: Vec::new() };
        Ok((running, models, ways))
    }

    /// Has our models leave, all but this one. Those that do not are tried again at the end.
    async fn leave(&mut self, stays: Option<&str>) -> Result<(), llm::Error> {
        let mut told = Ok(());
        let going: Vec<String> =
            self.ours.iter().filter(|name| Some(name.as_str()) != stays).cloned().collect();
        for name in going {
            let mut server = self.server.clone();
            server.model.clone_from(&name);
            match server.unload().await {
                Ok(_) => self.ours.retain(|ours| *ours != name),
                Err(why) => told = Err(why),
            }
        }
        told
    }
}

/// Waits for what has to be done whatever time is left, but not longer than until then, and not when somebody asks us to stop
/// meanwhile. Whoever did so before wants it tidied up all the same.
async fn tidied<T>(
    work: impl Future<Output = Result<T, llm::Error>>,
    until: Instant,
    was_stopped: bool,
) -> Told<T> {
    let over = async {
        while Instant::now() < until && (was_stopped || !terminal::interrupted()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        biased;
        // First: where the time is up already, nobody is asked any more.
        () = over => Err(if was_stopped || !terminal::interrupted() {
            t!("the server did not answer in time")
        } else {
            t!("it was stopped before the server had answered")
        }),
        done = work => done.map_err(|error| error.to_string()),
    }
}

fn model(served: Served) -> Model {
    let bytes = served.bytes.unwrap_or(0);
    Model {
        place: served.name.clone(),
        name: served.name,
        packing: served.quantization,
        family: served.family,
        bytes,
        need: room::by_weights(bytes),
    }
}

/// Those that are named, else those that it works with, else the only one: a server may have many, and none of them is loaded for
/// nothing.
fn wanted(has: &[Served], named: &[String], loaded: &[&str]) -> Told<Vec<Served>> {
    let of = |wanted: &dyn Fn(&str) -> bool| -> Vec<Served> {
        has.iter().filter(|model| wanted(&model.name)).cloned().collect()
    };
    if !named.is_empty() {
        // Ollama's own word for what has no other.
        let is = |name: &str, wanted: &str| name == wanted || name.strip_suffix(":latest") == Some(wanted);
        let found = of(&|name| named.iter().any(|wanted| is(name, wanted)));
        let none = || t!("the server has none of these models: {models}", models = named.join(", "));
        return if found.is_empty() { Err(none()) } else { Ok(found) };
    }
    let loaded = of(&|name| loaded.contains(&name));
    let names = has.iter().take(20).map(|model| model.name.as_str()).collect::<Vec<_>>().join(", ");
    match (loaded.is_empty(), has) {
        (false, _) => Ok(loaded),
        (true, [one]) => Ok(vec![one.clone()]),
        (true, []) => Err(t!("the server has no model")),
        (true, _) => Err(t!(
            "the server has several models, and none in memory: name some with --llm-model: {names}",
            names = names
        )),
    }
}

impl Servers for Running<'_> {
    async fn turn(
        &mut self,
        model: &Model,
        threads: Option<usize>,
        work: &mut Work<'_>,
        pace: &Pace<'_>,
    ) -> Told<bool> {
        let mut server = self.server.clone();
        let was = self.before.iter().find(|was| was.name == model.place).cloned();
        let context = was.as_ref().and_then(|was| was.context).or(self.context);
        // One of ours must not leave between two questions, whatever the server does with others: we have it leave.
        let keep_alive =
            if was.as_ref().is_some_and(|was| was.stays) { Some(-1) } else { was.is_none().then_some(KEPT) };
        let threads = threads.filter(|_| self.api == Api::Ollama);
        if self.api == Api::Ollama {
            // A llama.cpp server has one model, whatever it is called.
            server.model.clone_from(&model.place);
            if pace.bounded(self.leave(Some(&model.place))).await.is_none() {
                return Ok(false);
            }
            if was.is_none() && !self.ours.contains(&model.place) {
                // It takes the memory of its server, whatever limit we have.
                if let Some(why) = room::lacks(model.need, room::on_host(self.host)) {
                    return Err(why);
                }
                self.ours.push(model.place.clone());
            }
        }
        Asked { server: &server, api: self.api, threads, context, keep_alive }.both(work, pace).await
    }

    async fn end(mut self, pace: &Pace<'_>, notes: &mut Vec<String>) {
        let (was_stopped, until) = (terminal::interrupted(), Instant::now() + TIDYING);
        if let Err(why) = tidied(self.leave(None), until, was_stopped).await {
            notes.extend(self.ours.iter().map(|name| {
                t!(
                    "{model}: the server was not told to drop it from memory: {why}. It goes by itself after {seconds} s",
                    model = name,
                    why = why,
                    seconds = KEPT
                )
            }));
        }
        if self.before.is_empty() {
            return;
        }
        // It may have put one of them out to have room for ours.
        let now = match tidied(llm::resident(&self.server), until, was_stopped).await {
            Ok(now) => now,
            Err(why) => {
                let names: Vec<&str> = self.before.iter().map(|was| was.name.as_str()).collect();
                notes.push(t!(
                    "{models}: in memory before; whether still, the server did not tell: {why}. Nothing was loaded",
                    models = names.join(", "),
                    why = why
                ));
                return;
            }
        };
        let gone = |was: &&Resident| now.iter().all(|model| model.name != was.name);
        for was in self.before.iter().filter(gone) {
            pace.say(&t!("loading {model} again, which was in memory before", model = was.name));
            // Whoever asked us to stop waits no longer for this than for the rest.
            let until = if was_stopped { until } else { Instant::now() + RELOADING };
            let load = llm::load(&self.server, was, until.saturating_duration_since(Instant::now()));
            if let Err(why) = tidied(load, until, was_stopped).await {
                notes.push(t!(
                    "{model}: in memory before, and could not be loaded again: {why}. The next question to it loads it",
                    model = was.name,
                    why = why
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_model_is_loaded_that_nobody_asked_for() {
        let served = |name: &str| Served {
            name: name.to_owned(),
            quantization: None,
            family: None,
            bytes: Some(8 << 30),
        };
        let has = ["a:latest", "b:7b", "c:1b"].map(served);
        let names = |named: &[&str], loaded: &[&str]| {
            let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
            wanted(&has, &named, loaded)
                .map(|found| found.into_iter().map(|model| model.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["a", "c:1b", "x"], &["b:7b"]).unwrap(), ["a:latest", "c:1b"]);
        assert_eq!(names(&[], &["b:7b"]).unwrap(), ["b:7b"]);
        let why = names(&[], &[]).unwrap_err();
        assert!(why.contains("--llm-model") && why.contains("b:7b"), "{why}");
        assert!(names(&["x"], &[]).unwrap_err().contains('x'));
        assert_eq!(wanted(&has[..1], &[], &[]).unwrap()[0].name, "a:latest");
        assert_eq!(model(has[0].clone()).need, 9 << 30);
    }
}
