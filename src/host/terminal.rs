//! The person at the other end: is there one, what did they press, what language do they speak.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn remember(_: i32) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// From here on Ctrl-C, a hang-up and a polite kill are remembered instead of ending us in the middle of a step.
pub fn remember_interrupts() {
    let action = SigAction::new(SigHandler::Handler(remember), SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the handler only stores to an atomic, which is async-signal-safe.
        #[allow(unsafe_code)]
        let _ = unsafe { sigaction(signal, &action) };
    }
}

/// From here on they end us again: there is no step that could be cut in its middle.
pub fn forget_interrupts() {
    let action = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: no handler of ours is installed, the default one is.
        #[allow(unsafe_code)]
        let _ = unsafe { sigaction(signal, &action) };
    }
}

/// Did somebody ask us to stop?
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Is standard output a terminal?
pub fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Is standard error a terminal?
pub fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// How many columns the terminal has that standard output goes to; `None` where it goes elsewhere.
pub fn columns() -> Option<u16> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(columns, _)| columns.0)
}

/// Can we ask, that is: do a person's keys reach us and our question them?
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal() && stderr_is_terminal()
}

/// Asks on standard error, a question that names its answers; only `y`, `yes`, `s`, `si` or `sí` is a yes.
pub fn ask(question: &str) -> bool {
    let mut err = std::io::stderr();
    let _ = write!(err, "{question} ").and_then(|()| err.flush());
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "s" | "si" | "sí")
}

/// An environment variable that is set and not empty.
#[allow(clippy::disallowed_methods)] // this is the door
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
