//! Progress on a terminal as a bar that stays on its line, in a pipe as a line for each step.

use crate::t;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Out;
use crate::apply::Progress;
use crate::host::terminal;
use crate::plan::Change;
use crate::render::style::printable;
use crate::units::Bytes;

/// A line at the bottom of the terminal; none in a pipe.
pub(super) fn line_that_stays(out: &Out) -> Option<ProgressBar> {
    let animated = terminal::stderr_is_terminal() && !out.quiet;
    animated.then(|| {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{spinner} {prefix} {wide_msg} {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        bar
    })
}

/// Shows each step as it is done.
pub(super) struct Steps<'a> {
    out: &'a Out,
    bar: Option<ProgressBar>,
    place: String,
}

impl<'a> Steps<'a> {
    pub(super) fn new(out: &'a Out) -> Self {
        Self { out, bar: line_that_stays(out), place: String::new() }
    }

    fn print(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => self.out.say(text),
        }
    }
}

impl Progress for Steps<'_> {
    fn begin(&mut self, number: usize, total: usize, change: &Change) {
        let width = total.to_string().len();
        self.place = format!("[{number:>width$}/{total}]");
        if let Some(bar) = &self.bar {
            bar.set_prefix(self.place.clone());
            bar.set_message(printable(&format!("{} {}", change.summary, change.act.target())));
        } else if change.act.settles() {
            // Minutes may pass before this one is done.
            self.out.say(&format!("{} {} …", self.place, change.act.target()));
        }
    }

    fn bytes(&mut self, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_message(t!("allocating {done} of {total}", done = Bytes(done), total = Bytes(total)));
        }
    }

    fn line(&mut self, line: &str) {
        if self.out.verbose {
            self.print(&format!("      {}", printable(line)));
        } else if let Some(bar) = &self.bar {
            bar.set_message(printable(line));
        }
    }

    fn done(&mut self, change: &Change) {
        let style = self.out.err_style;
        self.print(&format!(
            "{} {} {}",
            style.green("✓"),
            style.dim(&self.place),
            printable(change.act.target())
        ));
    }

    fn say(&mut self, text: &str) {
        let text = printable(text);
        self.print(&format!("  {}", text.trim()));
    }
}

impl Drop for Steps<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
