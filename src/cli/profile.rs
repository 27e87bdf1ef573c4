//! `profile`: list, show and make profiles.

use crate::t;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::output::Out;
use super::session::{at_root, chosen, numbers, open_host, put_here, refused, shell_word};
use super::{Answer, Global, Outcome};
use crate::facts::Facts;
use crate::host::{Host, terminal};
use crate::lang::say;
use crate::profile::{self, BUNDLED, Profile, as_file};
use crate::render::style::wrap;

#[derive(Debug, Args)]
pub(super) struct ProfileCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the bundled profiles; a star marks the one that fits this host
    List,
    /// Show a resolved profile: every value, where it comes from, and what its rules come to on this host
    Show {
        /// A bundled name or a file; default: the profile that counts here
        name: Option<String>,
    },
    /// Make a profile sized for this host, to be edited
    Init {
        /// Write it to FILE (which must not be there yet) instead of printing it
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Print the JSON Schema of the format, for editors
    Schema,
}

impl ProfileCommand {
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        match &self.what {
            What::List => list(global, out),
            What::Show { name } => show(name.as_deref(), global, out),
            What::Init { file } => init(file.as_ref(), global, out),
            What::Schema => {
                out.document(&profile::schema());
                Ok(Answer::Yes)
            }
        }
    }
}

fn bundled(name: &str) -> anyhow::Result<Profile> {
    Profile::load(name, &profile::reader(&Host::live()?)).map_err(|findings| refused(&findings))
}

fn list(global: &Global, out: &Out) -> Outcome {
    let facts = Facts::read(&open_host(global)?)?;
    let fitting = profile::best_for(facts.memory.total_bytes);
    let mut entries = Vec::new();
    for entry in BUNDLED {
        let description = bundled(entry.name)?.description().to_owned();
        if out.json {
            entries.push(json!({ "name": entry.name, "description": description, "fits_this_host": entry.name == fitting }));
        } else {
            let star = if entry.name == fitting { out.style.green("*") } else { " ".to_owned() };
            for (at, line) in wrap(&say(&description), out.style.width - 17).iter().enumerate() {
                let (star, name) = if at == 0 { (star.as_str(), entry.name) } else { (" ", "") };
                out.data(&format!("{star} {name:<14} {line}\n"));
            }
        }
    }
    if out.json {
        out.document(&json!({ "schema": "civicum-tune/profiles/1", "profiles": entries }));
    }
    Ok(Answer::Yes)
}

fn show(name: Option<&str>, global: &Global, out: &Out) -> Outcome {
    let host = open_host(global)?;
    let facts = Facts::read(&host)?;
    let shown = match name {
        Some(name) => Profile::load(name, &profile::reader(&Host::live()?)).map_err(|f| refused(&f))?,
        None => chosen(global, &host, &facts)?.0,
    };
    let numbers = numbers(&shown, &host, &facts);
    if out.json {
        out.document(&json!(shown.shown(Some(&numbers))));
    } else {
        let lines = shown.show(Some(&numbers));
        let fitting =
            |line: &String| if terminal::columns().is_some() { fitting(line, out) } else { line.clone() };
        out.data(&(lines.iter().map(fitting).collect::<Vec<_>>().join("\n") + "\n"));
    }
    Ok(Answer::Yes)
}

/// A line of TOML as it fits a terminal: a comment that does not fit goes on a line of its own.
fn fitting(line: &str, out: &Out) -> String {
    match line.rsplit_once("  # from ").filter(|_| line.chars().count() > out.style.width) {
        Some((value, comment)) => format!("{}\n    # from {comment}", value.trim_end()),
        None => line.to_owned(),
    }
}

fn init(file: Option<&PathBuf>, global: &Global, out: &Out) -> Outcome {
    let text = profile::init(&Facts::read(&open_host(global)?)?);
    let document = json!({ "schema": "civicum-tune/profile-init/1", "file": file, "text": text });
    let Some(path) = file else {
        if out.json {
            out.document(&document);
        } else {
            out.data(&text);
        }
        return Ok(Answer::Yes);
    };
    if std::path::absolute(path)
        .is_ok_and(|path| Host::live().is_ok_and(|here| here.exists(&path.to_string_lossy())))
    {
        anyhow::bail!(t!(
            "{path} is there already; give another name, or move it away",
            path = path.display()
        ));
    }
    put_here(path, &text, 0o644)?;
    if out.json {
        out.document(&document);
    }
    // By a name without `.toml` a bundled profile would be meant.
    let word = shell_word(&as_file(&path.to_string_lossy()));
    out.say(&t!(
        "Wrote {path}. Next: edit it, then\n  {validate}\n  {plan}",
        path = path.display(),
        validate = format!("civicum-tune validate {word}"),
        plan = at_root(global.root.as_deref(), &format!("plan --profile {word}"))
    ));
    Ok(Answer::Yes)
}
