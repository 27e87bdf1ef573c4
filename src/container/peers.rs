//! Whom a worker and an API speak to.

use std::collections::BTreeMap;

use super::role::{DATABASE_USER, Role};
use crate::profile::settings::Service as Written;

/// Whom a worker speaks to, by their names on the network.
pub(super) struct Peers<'a> {
    database: Option<&'a str>,
    model: Option<(&'a str, Role, &'a Written)>,
}

impl<'a> Peers<'a> {
    pub(super) fn of(roles: &BTreeMap<&'a str, Role>, services: &'a BTreeMap<String, Written>) -> Self {
        let first = |wanted: &[Role]| roles.iter().find(|(_, role)| wanted.contains(role));
        let model = first(&[Role::Ollama, Role::LlamaServer]);
        Self {
            database: first(&[Role::Postgres]).map(|(name, _)| *name),
            model: model.map(|(name, role)| (*name, *role, &services[*name])),
        }
    }

    pub(super) fn environment(&self, role: Role) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if matches!(role, Role::Worker | Role::Api) {
            let database =
                self.database.map(|name| format!("postgresql://{DATABASE_USER}@{name}/{DATABASE_USER}"));
            found.extend(database.map(|url| ("CIVICUM_TUNE_DATABASE".to_owned(), url)));
        }
        if let (Role::Worker, Some((name, role, written))) = (role, self.model) {
            let port = role.port().unwrap_or(0);
            found.push(("CIVICUM_TUNE_LLM".to_owned(), format!("http://{name}:{port}")));
            // What the model's server keeps, no question may exceed.
            let context = written.context.unwrap_or(4096).max(256);
            found.push(("CIVICUM_TUNE_CONTEXT".to_owned(), context.to_string()));
            // Ollama takes it with each question.
            let threads = written.threads.map(|threads| threads.to_string());
            found.extend(threads.map(|threads| ("CIVICUM_TUNE_THREADS".to_owned(), threads)));
        }
        found
    }
}
