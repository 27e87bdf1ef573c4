//! The person at the other end: is there one, what did they press, what language do they speak.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction, signal};
use nix::time::{ClockId, clock_gettime};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// When the first one came, in ms of the monotonic clock.
static SINCE: AtomicI64 = AtomicI64::new(0);
/// Whoever stops a group of processes may reach us twice with it (`timeout` does): that is one signal. In ms.
const ONE: i64 = 500;

extern "C" fn remember(_: i32) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

extern "C" fn remember_first(number: i32) {
    let now =
        clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |at| at.tv_sec() * 1000 + at.tv_nsec() / 1_000_000);
    if !INTERRUPTED.swap(true, Ordering::Relaxed) {
        SINCE.store(now, Ordering::Relaxed);
    } else if now - SINCE.load(Ordering::Relaxed) > ONE {
        if let Ok(which) = Signal::try_from(number) {
            // SAFETY: no handler of ours is installed, the default one is; it and `raise` are async-signal-safe.
            #[allow(unsafe_code)]
            let _ = unsafe { signal(which, SigHandler::SigDfl) };
            let _ = raise(which);
        }
    }
}

/// From here on Ctrl-C, a hang-up and a polite kill are remembered instead of ending us in the middle of a step, however often
/// they come: for whoever changes the host.
pub fn remember_interrupts() {
    install(remember);
}

/// The same for the first of them, and the second ends us: for whoever changes nothing of the host, so that nothing that does
/// not answer holds anybody up.
pub fn remember_first_interrupt() {
    install(remember_first);
}

fn install(handler: extern "C" fn(i32)) {
    let action = SigAction::new(SigHandler::Handler(handler), SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the handlers touch atomics and make async-signal-safe calls alone.
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

/// The same of standard error.
pub fn error_columns() -> Option<u16> {
    terminal_size::terminal_size_of(std::io::stderr()).map(|(columns, _)| columns.0)
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
