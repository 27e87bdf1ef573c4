//! `render`: the same deployment as files for other engines.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::deploy::deployment;
use super::output::Out;
use super::session::{Session, put_here};
use super::{Answer, Global, Outcome};
use crate::container::desired::Deployment;
use crate::container::{compose, kubernetes, quadlet, swarm};
use crate::render::style::printable;
use crate::render::yaml;
use crate::t;

/// Print the profile's deployment as a file for another engine
///
/// What the other engine has no words for is told, in the file and on standard error. A service without an image is, too, and
/// then the status is 2: no engine takes such a file.
#[derive(Debug, Args)]
pub(super) struct RenderCommand {
    #[command(subcommand)]
    engine: Engine,
}

#[derive(Debug, Subcommand)]
enum Engine {
    /// A Compose file, for `docker compose -f FILE up`
    Compose,
    /// A Swarm stack, for `docker stack deploy -c FILE NAME`
    Swarm,
    /// Kubernetes manifests, for `kubectl apply -f FILE`
    Kubernetes,
    /// Units of Podman's Quadlet, which systemd starts and limits
    Systemd {
        /// Write each unit into this folder, and print nothing
        #[arg(long, value_name = "DIR")]
        output: Option<PathBuf>,
    },
}

impl RenderCommand {
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        let session = Session::open(global, false)?;
        let wish = deployment(&session, &[])?;
        let lacks = without_image(&wish);
        let made = t!("# Made by civicum-tune from the profile {name}.\n", name = session.settings.name);
        let head = lacks.iter().fold(made, |head, line| format!("{head}# {line}\n"));
        let notes = match &self.engine {
            Engine::Compose => {
                let document = compose::document(&wish);
                print(out, &head, &[], &document, &yaml::text(&document));
                of_compose(&wish)
            }
            Engine::Swarm => {
                let (document, notes) = swarm::document(&wish);
                print(out, &head, &notes, &document, &yaml::text(&document));
                notes
            }
            Engine::Kubernetes => {
                let (documents, notes) = kubernetes::documents(&wish);
                let parts = documents.iter().map(|document| format!("---\n{}", yaml::text(document)));
                let text: String = parts.collect();
                let list = json!({ "apiVersion": "v1", "kind": "List", "items": documents });
                print(out, &head, &notes, &list, &text);
                notes
            }
            // Files that no engine takes are not put beside others.
            Engine::Systemd { output: Some(_) } if !lacks.is_empty() => Vec::new(),
            Engine::Systemd { output } => units(&wish, output.as_deref(), &head, out)?,
        };
        for note in &notes {
            out.say(&printable(note));
        }
        for line in &lacks {
            out.complain(line);
        }
        Ok(if lacks.is_empty() { Answer::Yes } else { Answer::Trouble })
    }
}

/// Why an engine would refuse the file.
fn without_image(wish: &Deployment) -> Vec<String> {
    let lacking = wish.services.iter().filter(|service| service.image.is_none());
    let line = |name: &str| {
        t!(
            "{service} has no image: write services.{service}.image with its digest, or another role",
            service = name
        )
    };
    lacking.map(|service| printable(&line(&service.name))).collect()
}

fn print(out: &Out, head: &str, notes: &[String], document: &Value, text: &str) {
    if out.json {
        out.document(document);
    } else {
        out.data(&format!("{head}{}{text}", remarks(notes)));
    }
}

/// Sentences as a file's remarks.
fn remarks(notes: &[String]) -> String {
    if notes.is_empty() {
        return String::new();
    }
    let lines: String = notes.iter().map(|note| format!("# - {}\n", printable(note))).collect();
    format!("#\n{}\n{lines}", t!("# What this format has no words for, and what it needs:"))
}

fn of_compose(wish: &Deployment) -> Vec<String> {
    if wish.secrets.is_empty() {
        return Vec::new();
    }
    let files: Vec<String> = wish.secrets.iter().map(|name| format!("{}/{name}", compose::SECRETS)).collect();
    vec![t!(
        "Compose reads each secret from a file in a folder beside its own: {files}",
        files = files.join(", ")
    )]
}

/// Quadlet's files: one after the other with their names above, or in a folder.
fn units(wish: &Deployment, folder: Option<&Path>, head: &str, out: &Out) -> anyhow::Result<Vec<String>> {
    let (units, notes) = quadlet::units(wish);
    if let Some(folder) = folder {
        for unit in &units {
            put_here(&folder.join(&unit.name), &format!("{head}{}", unit.text), 0o644)?;
            out.say(&t!("written: {path}", path = printable(&folder.join(&unit.name).display().to_string())));
        }
    }
    if out.json {
        let files: serde_json::Map<_, _> =
            units.iter().map(|unit| (unit.name.clone(), json!(unit.text))).collect();
        out.document(&json!({ "schema": "civicum-tune/render-systemd/1", "files": files, "notes": notes }));
    } else if folder.is_none() {
        let parts = units.iter().map(|unit| format!("\n# ===== {} =====\n{}", unit.name, unit.text));
        out.data(&format!("{head}{}{}", remarks(&notes), parts.collect::<String>()));
    }
    Ok(notes)
}
