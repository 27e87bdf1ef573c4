//! `supervise`: the long-running supervisor.

use std::ffi::CString;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use sd_notify::NotifyState;

use super::deploy::deployment;
use super::output::Out;
use super::session::Session;
use super::{Answer, Global, Outcome};
use crate::host::{Host, terminal};
use crate::render::events as show;
use crate::supervise::event::Event;
use crate::supervise::{STATE_FOLDER, Supervisor, metrics, state_file};
use crate::t;

/// Keep the deployment up, and let the right one give way when memory runs short; until SIGTERM
///
/// It stays in the foreground, asks nothing, and ends with SIGTERM or Ctrl-C: systemd starts it, by the unit that `apply` installs.
/// By hand, in a terminal of its own, it shows what happens.
///
/// It brings back what is missing, starts again what died, and watches the kernel's pressure: when memory runs short the worker
/// takes no new document, then gives back what it has in work, and at last is killed as a whole. The database and the model
/// never are.
#[derive(Debug, Args)]
pub(super) struct SuperviseCommand {
    /// Where /metrics and /state are served; "none": nowhere
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9465")]
    listen: String,
    /// Write every look at the host into this file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    record: Option<String>,
}

impl SuperviseCommand {
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        if global.root.is_some() {
            bail!(t!(
                "{command} is for the running machine: --root has files, and no Docker engine",
                command = "supervise"
            ));
        }
        let session = Session::open(global, false)?;
        let wish = deployment(&session, &[])?;
        let host = &session.host;
        if !host.may_change() {
            bail!(t!(
                "only root may supervise; run: {command}",
                command = format!("sudo {}", session.again("supervise"))
            ));
        }
        let name = wish.name.clone();
        let _only = host.lock(&format!("/run/civicum-tune.{name}.supervise.lock")).map_err(|_| {
            anyhow::anyhow!(t!(
                "{deployment} is supervised already; civicum-tune status tells what its supervisor does",
                deployment = name
            ))
        })?;
        terminal::remember_interrupts();
        let shared = Arc::new(Mutex::new(crate::supervise::Snapshot::default()));
        if self.listen != "none" {
            let address: SocketAddr = self
                .listen
                .parse()
                .with_context(|| t!("{address} is no ADDRESS:PORT", address = self.listen))?;
            metrics::serve(address, Arc::clone(&shared))
                .with_context(|| t!("{address} can't be listened on", address = address))?;
        }
        let global_again = global.clone();
        let again = Box::new(move || {
            let session = Session::open(&global_again, false).ok()?;
            deployment(&session, &[]).ok()
        });
        let mut supervisor = Supervisor::begin(host, wish, again)?;
        // Two signs of life within the time after which systemd takes us for stuck.
        let watchdog = sd_notify::watchdog_enabled();
        let longest = watchdog.map_or(Duration::from_secs(60), |time| time / 3);
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        let mut known = None;
        let alive = || {
            if watchdog.is_some() {
                let _ = sd_notify::notify(&[NotifyState::Watchdog]);
            }
        };
        while !terminal::interrupted() {
            let events = supervisor.turn(longest);
            tell(&events, out);
            alive();
            if let Some(thread) = supervisor.broken() {
                bail!(t!("its thread {name} ended: nothing is done any more without it", name = thread));
            }
            if supervisor.is_outdated() {
                if supervisor.is_shared_out() {
                    tell(&supervisor.end(&alive), out);
                }
                // What happened is written before it is forgotten.
                drop(supervisor);
                return begin_anew();
            }
            let moment = supervisor.snapshot();
            if let Some(file) = &self.record {
                let line = serde_json::to_string(&moment.sample)? + "\n";
                host.append(file, line.as_bytes())?;
            }
            let now = (moment.rung, moment.mode, moment.hold);
            if known != Some(now) {
                known = Some(now);
                let status = show::now(moment.rung, moment.mode);
                let _ = sd_notify::notify(&[NotifyState::Status(&status)]);
                keep(host, &name, &moment);
            }
            if let Ok(mut served) = shared.lock() {
                *served = moment;
            }
        }
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        tell(&supervisor.end(&alive), out);
        let _ = host.replace(&state_file(&name), &crate::host::Image::Absent);
        Ok(Answer::Yes)
    }
}

/// The same command once more, in this process: what it does for the containers is found by the new one as it is.
fn begin_anew() -> Outcome {
    let args: Vec<CString> =
        std::env::args_os().map(|arg| CString::new(arg.as_bytes())).collect::<Result<_, _>>()?;
    let program = args.first().context("a program has a name")?;
    match nix::unistd::execvp(program, &args)? {}
}

/// Leaves word for `status` and `deploy`. It is for them alone, and gone after a reboot: a failure is none of ours.
fn keep(host: &Host, name: &str, moment: &crate::supervise::Snapshot) {
    let word = crate::supervise::Word {
        pid: std::process::id(),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        rung: moment.rung,
        mode: moment.mode,
    };
    let Ok(text) = serde_json::to_string(&word) else { return };
    let _ = host.make_folder(STATE_FOLDER, 0o755);
    let _ = host.replace(&state_file(name), &crate::host::Image::file(text, 0o644));
}

fn tell(events: &[Event], out: &Out) {
    for event in events {
        if out.json {
            if let Ok(line) = serde_json::to_string(event) {
                out.data(&format!("{line}\n"));
            }
        } else if !out.quiet || event.what.level() > crate::supervise::event::Level::Info {
            out.data(&show::line(event, out.style));
        }
    }
}
