//! The command line: one file a command, its arguments and its run.

mod api;
mod apply;
mod bench;
mod bench_profile;
mod completions;
mod database;
mod deploy;
mod detect;
mod doctor;
mod examples;
mod explain;
mod extract;
mod help;
mod history;
mod images;
mod man;
mod misuse;
mod ocr;
mod output;
mod plan;
mod profile;
mod progress;
mod queue;
mod render;
mod rollback;
mod session;
mod status;
mod supervise;
mod validate;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use output::Out;

use crate::host::terminal;
use crate::lang::{self, Language};
use crate::t;

/// Makes a small Linux server right for AI work, and keeps it right
///
/// Nothing is changed before you have seen the plan and said yes, and everything can be taken back.
#[derive(Debug, Parser)]
#[command(name = "civicum-tune", version, propagate_version = true, max_term_width = 100, after_help = STATUS)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const STATUS: &str = "Exit status: 0 done, nothing differs; 1 changes are pending (plan), a check failed (doctor), a file \
                      is invalid (validate), not all containers are healthy (status), a value is doubtful (extract); \
                      2 trouble, with its reason on standard error.";

/// What every command understands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Work on the tree below DIR instead of / (a mounted image, a chroot): files only, no command is run
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    /// A bundled profile or a file; default: /etc/civicum-tune/profile.toml, else the bundled one that fits the host
    #[arg(long, global = true, value_name = "NAME|FILE")]
    profile: Option<String>,
    /// How to print
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    color: Colour,
    /// Say more
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Say less: a line for each change or finding, and nothing of what is well; errors are told all the same
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say yes to what would ask
    #[arg(short, long, global = true)]
    yes: bool,
    /// The language of messages; default: the locale's, else English
    #[arg(long, global = true, value_enum)]
    lang: Option<Language>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One JSON document
    Json,
    /// One SARIF 2.1.0 document (validate, doctor)
    Sarif,
    /// One document of JUnit's XML (validate, doctor)
    Junit,
    /// Annotations for GitHub Actions (validate, doctor)
    Github,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Colour {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what this host is
    Detect(detect::Detect),
    /// Show every change that would be made, as a diff; exit 1 when there are any
    #[command(visible_alias = "diff")]
    Plan(plan::Plan),
    /// Show the plan, ask, carry it out under a journal, and verify
    Apply(apply::Apply),
    Doctor(doctor::Doctor),
    /// List what was applied and taken back
    History(history::History),
    /// Take back what was applied
    Rollback(rollback::RollbackCommand),
    /// List, show and make profiles
    Profile(profile::ProfileCommand),
    /// Check profiles without touching a host
    Validate(validate::Validate),
    /// Say all about a tunable, a check, a finding or a profile's key: what, why, at what risk, and how to undo it
    Explain(explain::Explain),
    Deploy(deploy::DeployCommand),
    Down(deploy::DownCommand),
    Images(images::ImagesCommand),
    Status(status::StatusCommand),
    Render(render::RenderCommand),
    Logs(status::LogsCommand),
    Supervise(supervise::SuperviseCommand),
    Queue(queue::QueueCommand),
    Worker(worker::WorkerCommand),
    Api(api::ApiCommand),
    Extract(extract::Extract),
    Ocr(ocr::OcrCommand),
    Bench(bench::Bench),
    /// Print the completions for a shell
    Completions(completions::Completions),
    /// Print a man page, or write them all to a folder
    Man(man::Man),
}

/// The whole program.
pub fn main() -> ExitCode {
    // A reader is started by /proc/self/exe, and who tells whom the kernel killed would tell of an `exe`.
    let _ = nix::sys::prctl::set_name(c"civicum-tune");
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misuse::told(error),
    };
    lang::speak(cli.global.lang.unwrap_or_else(locale));
    let out = Out::new(&cli.global, cli.command.name());
    if let Err(error) = cli.command.has(cli.global.format) {
        out.failure(&error);
        return ExitCode::from(2);
    }
    let result = match &cli.command {
        Command::Detect(command) => command.run(&cli.global, &out),
        Command::Plan(command) => command.run(&cli.global, &out),
        Command::Apply(command) => command.run(&cli.global, &out),
        Command::Doctor(command) => command.run(&cli.global, &out),
        Command::History(command) => command.run(&cli.global, &out),
        Command::Rollback(command) => command.run(&cli.global, &out),
        Command::Profile(command) => command.run(&cli.global, &out),
        Command::Validate(command) => command.run(&cli.global, &out),
        Command::Explain(command) => command.run(&out),
        Command::Deploy(command) => command.run(&cli.global, &out),
        Command::Images(command) => command.run(&cli.global, &out),
        Command::Down(command) => command.run(&cli.global, &out),
        Command::Render(command) => command.run(&cli.global, &out),
        Command::Status(command) => command.run(&cli.global, &out),
        Command::Logs(command) => command.run(&cli.global, &out),
        Command::Supervise(command) => command.run(&cli.global, &out),
        Command::Queue(command) => command.run(&cli.global, &out),
        Command::Worker(command) => command.run(),
        Command::Api(command) => command.run(),
        Command::Extract(command) => command.run(&cli.global, &out),
        Command::Ocr(command) => command.run(&cli.global, &out),
        Command::Bench(command) => command.run(&cli.global, &out),
        Command::Completions(command) => command.run(&out),
        Command::Man(command) => command.run(&cli.global, &out),
    };
    if let Some(why) = output::lost() {
        out.failure(&anyhow::anyhow!(output::incomplete(why)));
        return ExitCode::from(2);
    }
    match result {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::Differs) => ExitCode::from(1),
        Ok(Answer::Trouble) => ExitCode::from(2),
        Err(error) => {
            out.failure(&error);
            ExitCode::from(2)
        }
    }
}

impl Command {
    const fn name(&self) -> &'static str {
        match self {
            Self::Detect(_) => "detect",
            Self::Plan(_) => "plan",
            Self::Apply(_) => "apply",
            Self::Doctor(_) => "doctor",
            Self::History(_) => "history",
            Self::Rollback(_) => "rollback",
            Self::Profile(_) => "profile",
            Self::Validate(_) => "validate",
            Self::Explain(_) => "explain",
            Self::Deploy(_) => "deploy",
            Self::Down(_) => "down",
            Self::Images(_) => "images",
            Self::Status(_) => "status",
            Self::Render(_) => "render",
            Self::Logs(_) => "logs",
            Self::Supervise(_) => "supervise",
            Self::Queue(_) => "queue",
            Self::Worker(_) => "worker",
            Self::Api(_) => "api",
            Self::Extract(_) => "extract",
            Self::Ocr(_) => "ocr",
            Self::Bench(_) => "bench",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }

    /// The formats for findings are for the commands that have findings.
    fn has(&self, format: Format) -> anyhow::Result<()> {
        let any = matches!(format, Format::Human | Format::Json);
        if any || matches!(self, Self::Validate(_) | Self::Doctor(_)) {
            return Ok(());
        }
        anyhow::bail!(t!(
            "{command} has the formats human and json; sarif, junit and github are for validate and doctor",
            command = self.name()
        ))
    }
}

/// Would this command line be understood? No word of it is carried out.
fn understood(words: impl Iterator<Item = String>) -> anyhow::Result<()> {
    match Cli::try_parse_from(words) {
        Ok(_) => Ok(()),
        Err(error) => anyhow::bail!(misuse::brief(&error)),
    }
}

/// As gettext looks for it: the first of these that is set.
fn locale() -> Language {
    let set = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(terminal::environment);
    set.map_or(Language::En, |locale| Language::of_locale(&locale))
}

/// How a command ended, where it ended in an orderly way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Done; nothing differs; nothing found.
    Yes,
    /// Changes are pending; something is invalid.
    Differs,
    /// It is done in part, and it has said what is left.
    Trouble,
}

type Outcome = anyhow::Result<Answer>;

/// The whole command line as clap knows it: what completions, man pages and the tests of the documentation are made from.
pub fn command() -> clap::Command {
    Cli::command()
}

pub use help::sentences;
