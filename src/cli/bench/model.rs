//! Which model is measured, and who serves it.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use crate::bench::llm::{Standing, Subject};
use crate::bench::{Kind, Told};
use crate::cli::session::{Session, near};
use crate::container::desired::Deployment;
use crate::container::role::Role;
use crate::host::sandbox::processors;
use crate::host::terminal::environment;
use crate::llm::{Api, Server};
use crate::profile::settings::Service;
use crate::t;

/// The variable that names the model's server to a worker.
const SERVER: &str = "CIVICUM_TUNE_LLM";

/// What nobody named may be the deployment's own, which is reached only from inside: then why it could not be measured says how it can.
pub(super) fn or_in_the_worker<T>(found: Told<T>, kind: Kind, quick: bool, session: &Session) -> Told<T> {
    found.map_err(|why| {
        let Ok(deployment) = Deployment::of(&session.settings) else { return why };
        let Some(worker) = deployment.services.iter().find(|service| service.role == Role::Worker) else {
            return why;
        };
        let quick = if quick { " --quick" } else { "" };
        t!(
            "{why}. A deployment's own is reached only from inside its network: docker exec {container} civicum-tune bench{quick} {section}",
            why = why,
            container = format!("{}-{}", deployment.name, worker.name),
            quick = quick,
            section = kind.word()
        )
    })
}

/// The model.
#[derive(Debug, Args)]
#[command(next_help_heading = "The model")]
pub(super) struct ModelOptions {
    #[arg(help = "The model's server that runs already, as in http://127.0.0.1:8080", long, value_name = "URL", env = SERVER)]
    llm: Option<String>,
    /// Its language [default: found out by asking]
    #[arg(long, value_enum)]
    api: Option<Api>,
    /// Only these of its models [default: those that it has in memory, or the only one]
    #[arg(long, value_name = "NAME", value_delimiter = ',', env = "CIVICUM_TUNE_MODEL")]
    llm_model: Vec<String>,
    /// A program that speaks as llama.cpp's server does: started here on loopback with each number of threads
    #[arg(long, value_name = "PROGRAM")]
    server_program: Option<String>,
    /// GGUF files, or folders of them, for --server-program and for zswap [default: the profile's model]
    #[arg(long, value_name = "FILE|DIR", value_delimiter = ',')]
    models: Vec<PathBuf>,
}

impl ModelOptions {
    /// What can't be both is told before anything is measured. A variable is nobody's choice for this run: the option is.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if self.server_program.is_some() && self.llm.is_some() && self.llm != environment(SERVER) {
            bail!(t!(
                "--llm names a server that runs, and --server-program one to be started: leave one of them out"
            ));
        }
        if let (Some(url), None) = (&self.llm, &self.server_program) {
            near(url)?;
        }
        Ok(())
    }

    /// Did somebody say who serves it?
    pub(super) const fn is_named(&self) -> bool {
        self.llm.is_some() || self.server_program.is_some()
    }

    /// Are servers started for each number of threads?
    pub(super) const fn starts_servers(&self) -> bool {
        self.server_program.is_some()
    }

    /// Who is asked, and the most threads that make sense there.
    pub(super) fn subject(&self, session: &Session, files: &[String]) -> Told<(Subject, usize)> {
        let host = &session.host;
        if let Some(program) = &self.server_program {
            let path = if program.contains('/') {
                std::path::absolute(program).map_err(|why| why.to_string())?.to_string_lossy().into_owned()
            } else {
                host.program(program).ok_or_else(|| t!("{program} is not installed", program = program))?
            };
            if files.is_empty() {
                return Err(t!(
                    "--server-program needs models: name GGUF files, or a folder of them, with --models"
                ));
            }
            return Ok((Subject::Program(path, files.to_vec()), processors()));
        }
        let Some(url) = &self.llm else {
            return Err(t!(
                "no model's server is named: --llm http://HOST:PORT for one that runs, or --server-program llama-server with \
                 --models to compare threads"
            ));
        };
        let server = Server::new(url, self.api, "").map_err(|error| error.to_string())?;
        let (context, threads) = self.told(session, server.host());
        let standing = Standing { server, models: self.llm_model.clone(), context, threads };
        // Its threads are not ours: it has a container of its own, or none.
        Ok((Subject::Running(standing), session.facts.cpu.threads.max(1)))
    }

    /// Context and threads of the server, by what a worker is told of it, else by the profile where it is the profile's.
    fn told(&self, session: &Session, host: &str) -> (Option<u32>, Option<usize>) {
        let is_the_workers = self.llm == environment(SERVER);
        let told = |name: &str| environment(name).filter(|_| is_the_workers);
        let is_it = |(name, service): &(&String, &Service)| {
            name.as_str() == host && Role::of(name, service.role.as_deref()).is_model()
        };
        let service = session.settings.services.iter().find(is_it).map(|(_, service)| service);
        let context = told("CIVICUM_TUNE_CONTEXT").and_then(|tokens| tokens.parse().ok());
        let threads = told("CIVICUM_TUNE_THREADS").and_then(|threads| threads.parse().ok());
        (
            context.or_else(|| u32::try_from(service?.context?).ok()),
            threads.or_else(|| usize::try_from(service?.threads?).ok()),
        )
    }

    /// The GGUF files that are named, those of the folders that are named, else the profile's own where it is there.
    pub(super) fn files(&self, session: &Session) -> anyhow::Result<Vec<String>> {
        let host = &session.host;
        let mut found = Vec::new();
        for named in &self.models {
            let path = std::path::absolute(named)?.to_string_lossy().into_owned();
            let names = host.list(&path).unwrap_or_default();
            let models = names.iter().filter(|name| name.ends_with(".gguf"));
            let before = found.len();
            found.extend(models.map(|name| format!("{}/{name}", path.trim_end_matches('/'))));
            if host.stat_of_target(&path).is_some_and(|stat| stat.is_file) {
                found.push(path);
            } else if found.len() == before {
                bail!(t!(
                    "{path} is neither a GGUF file nor a folder that holds any",
                    path = named.display()
                ));
            }
        }
        if self.models.is_empty() {
            let own = session.settings.services.values().filter_map(|service| service.model.clone());
            found.extend(own.filter(|path| host.exists(path)));
        }
        Ok(found)
    }
}
