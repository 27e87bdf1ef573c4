//! The model against the limit of its service: weights, context and calculation, out of the file's own header.

use super::Profile;
use super::account::ModelNeed;
use super::finding::{Code, Finding};
use super::settings::{Service, Settings};
use crate::facts::gguf::Gguf;
use crate::t;
use crate::units::Bytes;

/// Reads the header of the file at a path; `None` where there is none, an error in words where it is no model.
pub type ReadModel = fn(&str) -> Option<Result<Gguf, String>>;

/// Why a model that is at hand can't be served within the limit of one of these services, in words; nothing where all can.
pub fn unfit(settings: &Settings, names: &[&str], read: ReadModel) -> Vec<String> {
    let mut found = Vec::new();
    for (name, service) in settings.services.iter().filter(|(name, _)| names.contains(&name.as_str())) {
        let Some(path) = &service.model else { continue };
        match read(path) {
            // Whoever mounts it tells that it is not there.
            None => {}
            Some(Err(why)) => found.push(t!("{path} can't be used: {why}", path = path, why = why)),
            Some(Ok(model)) => found.extend(too_large(name, service, &model).map(|(message, _)| message)),
        }
    }
    found
}

/// What is said of a model that does not fit, and what to do.
fn too_large(name: &str, service: &Service, model: &Gguf) -> Option<(String, String)> {
    let need = model.need(service.tokens());
    let limit = service.memory.filter(|limit| limit.0 < need.sum())?;
    let message = t!(
        "this model at a context of {tokens} tokens needs up to {need}, and the limit of {service} is {limit}",
        tokens = service.tokens(),
        need = Bytes(need.sum()),
        service = name,
        limit = limit
    );
    let help = t!(
        "weights {weights}, context {context}, calculation and server {rest}: raise the limit, shorten the context, or take a smaller model",
        weights = Bytes(need.weights),
        context = Bytes(need.context),
        rest = Bytes(need.rest)
    );
    Some((message, help))
}

/// What each model that is at hand needs; findings where it does not fit.
pub(super) fn check(
    profile: &Profile,
    settings: &Settings,
    read: Option<ReadModel>,
    findings: &mut Vec<Finding>,
) -> Vec<ModelNeed> {
    let mut needs = Vec::new();
    for (name, service) in &settings.services {
        let (Some(path), Some(place)) = (&service.model, profile.place(&["services", name, "model"])) else {
            continue;
        };
        let model = match read.and_then(|read| read(path)) {
            // Profiles are checked where the model is not, too.
            None => continue,
            Some(Err(why)) => {
                let message = t!("{path} can't be used: {why}", path = path, why = why);
                findings.push(Finding::error(Code::Host, place, message));
                continue;
            }
            Some(Ok(model)) => model,
        };
        let (tokens, context) = (service.tokens(), service.context.unwrap_or(4096));
        if let Some(place) = profile
            .place(&["services", name, "context"])
            .filter(|_| model.context > 0 && context > model.context)
        {
            let message = t!(
                "a context of {tokens} tokens, and the model was made for {most}",
                tokens = context,
                most = model.context
            );
            findings.push(Finding::warning(Code::Host, place, message));
        }
        let need = model.need(tokens);
        if let Some((message, help)) = too_large(name, service, &model) {
            findings.push(Finding::error(Code::MemoryBudget, place, message).help(help));
        }
        needs.push(ModelNeed {
            service: name.clone(),
            model: path.clone(),
            tokens,
            need,
            limit_bytes: service.memory.map(|limit| limit.0),
        });
    }
    needs
}
