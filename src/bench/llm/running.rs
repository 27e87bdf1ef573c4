//! A server that runs already, and that others use, too: it is left as it was found.

use super::turns::{Asked, Model, Servers, Way, Work};
use super::{Standing, room};
use crate::bench::{Pace, Told, too_short};
use crate::host::Host;
use crate::llm::{self, Api, Resident, Served, Server};
use crate::t;

/// How long a model of ours stays where we can't have it leave any more, seconds.
const KEPT: i64 = 120;

pub(super) struct Running<'a> {
    host: &'a Host,
    server: Server,
    api: Api,
    /// What is asked for where a model was not in memory.
    context: Option<u32>,
    before: Vec<Resident>,
    /// The model that is in memory because of us.
    ours: Option<String>,
}

impl<'a> Running<'a> {
    /// The models that are measured, each with each of these numbers of threads where the server takes them with a question.
    pub(super) async fn new(
        host: &'a Host,
        standing: &Standing,
        counts: &[usize],
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
        let threads: Vec<Option<usize>> = match api {
            Api::Ollama => counts.iter().copied().map(Some).collect(),
            Api::OpenAi => {
                notes.push(t!(
                    "a llama.cpp server takes its threads when it starts: --server-program compares them"
                ));
                vec![standing.threads]
            }
        };
        let loaded: Vec<&str> = before.iter().map(|model| model.name.as_str()).collect();
        let models: Vec<Model> = wanted(&has, &standing.models, &loaded)?.into_iter().map(model).collect();
        let ways =
            (0..models.len()).flat_map(|model| threads.iter().map(move |threads| Way::new(model, *threads)));
        let ways = ways.collect();
        let running = Self { host, server, api, context: standing.context, before, ours: None };
        Ok((running, models, ways))
    }

    /// Has our last model leave, unless it is this one.
    async fn leave(&mut self, stays: Option<&str>) {
        if let Some(name) = self.ours.take_if(|name| Some(name.as_str()) != stays) {
            let mut server = self.server.clone();
            server.model = name;
            let _ = server.unload().await;
        }
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
    let names = has.iter().map(|model| model.name.as_str()).collect::<Vec<_>>().join(", ");
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
            self.leave(Some(&model.place)).await;
            if was.is_none() && self.ours.is_none() {
                if let Some(why) = room::lacks(model.need, room::available(self.host)) {
                    return Err(why);
                }
                self.ours = Some(model.place.clone());
            }
        }
        Asked { server: &server, api: self.api, threads, context, keep_alive }.both(work, pace).await
    }

    async fn end(mut self) {
        self.leave(None).await;
        if self.before.is_empty() {
            return;
        }
        // It may have put one of them out to have room for ours.
        let now = llm::resident(&self.server).await.unwrap_or_default();
        let gone = |was: &&Resident| now.iter().all(|model| model.name != was.name);
        for was in self.before.iter().filter(gone) {
            let _ = llm::load(&self.server, was).await;
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
