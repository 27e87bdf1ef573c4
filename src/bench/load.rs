//! Is the host busy with something else? Then what is measured is that.
//!
//! What counts is a sample of a few seconds: the mean over a minute still remembers the last measurement, and its bound would be
//! the host's processors where a container knows its own share of them.

use std::time::{Duration, Instant};

use crate::host::Host;
use crate::host::terminal;
use crate::t;

/// Time in which a task waited for a processor, in percent of the sample, from which on the host is busy.
const CPU_WAITS: f64 = 25.0;
/// The same for memory: reclaim and swap.
const MEMORY_WAITS: f64 = 5.0;
/// The same for disks, which counts where the disk is measured: by its figure a compressor is chosen.
const IO_WAITS: f64 = 10.0;
/// The same for the part of all processors' time that was used: three of four.
const USED: f64 = 75.0;
/// How long a sample is.
const SAMPLE: Duration = Duration::from_secs(3);
/// How long a busy host is given to come to rest.
const PATIENCE: Duration = Duration::from_secs(60);

/// How busy a host is. What the kernel does not tell is missing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    /// Mean of tasks that run or want to, over a minute.
    pub tasks: Option<f64>,
    /// Processors of the host that are online, whatever part of them a container has.
    pub processors: Option<u32>,
    /// Percent of all their time that was used in the sample, or taken by the machine below.
    pub used: Option<f64>,
    /// Percent of the sample in which some task waited for a processor.
    pub cpu_waits: Option<f64>,
    /// The same for memory.
    pub memory_waits: Option<f64>,
    /// The same for a disk.
    pub io_waits: Option<f64>,
}

/// What the kernel has counted since it started.
#[derive(Clone, Copy, Default)]
struct Counted {
    /// Ticks of all processors that were used, and all of them.
    ticks: Option<(u64, u64)>,
    /// Microseconds in which some task waited.
    cpu: Option<u64>,
    memory: Option<u64>,
    io: Option<u64>,
}

impl Counted {
    fn read(host: &Host) -> Self {
        let waited =
            |what: &str| host.value(&format!("/proc/pressure/{what}")).and_then(|text| waited(&text));
        let ticks = host.value("/proc/stat").and_then(|text| ticks(&text));
        Self { ticks, cpu: waited("cpu"), memory: waited("memory"), io: waited("io") }
    }
}

impl Load {
    /// Asks the kernel what happens within so much time. Without time it can tell the mean over a minute alone.
    pub fn sample(host: &Host, time: Duration) -> Self {
        let (before, begun) = (Counted::read(host), Instant::now());
        // In steps, so that a signal is heard.
        while begun.elapsed() < time && !terminal::interrupted() {
            std::thread::sleep((time.saturating_sub(begun.elapsed())).min(Duration::from_millis(100)));
        }
        let (after, took) = (Counted::read(host), begun.elapsed());
        let tasks = host.value("/proc/loadavg").and_then(|text| text.split(' ').next()?.parse().ok());
        let processors = host.value("/proc/stat").map(|text| processors(&text));
        Self { tasks, processors, ..Self::between(&before, &after, took) }
    }

    #[allow(clippy::cast_precision_loss)]
    fn between(before: &Counted, after: &Counted, took: Duration) -> Self {
        let us = took.as_micros();
        let waits = |before: Option<u64>, after: Option<u64>| {
            let waited = after?.saturating_sub(before?);
            (us >= 100_000).then(|| (waited as f64 * 100.0 / us as f64).min(100.0))
        };
        let used = || {
            let ((used_then, all_then), (used, all)) = (before.ticks?, after.ticks?);
            let all = all.saturating_sub(all_then);
            // The kernel lets the time that is waited for disks go down.
            (all > 0).then(|| (used.saturating_sub(used_then) as f64 * 100.0 / all as f64).min(100.0))
        };
        Self {
            tasks: None,
            processors: None,
            used: used(),
            cpu_waits: waits(before.cpu, after.cpu),
            memory_waits: waits(before.memory, after.memory),
            io_waits: waits(before.io, after.io),
        }
    }

    /// A host that is not busy, or why it still is after a minute of waiting. `disk`: its disks have to be quiet, too.
    pub fn of_a_quiet_host(
        host: &Host,
        disk: bool,
        most: Duration,
        say: &dyn Fn(&str),
    ) -> Result<Self, String> {
        let until = Instant::now() + PATIENCE.min(most);
        loop {
            let load = Self::sample(host, SAMPLE);
            let Some(why) = load.is_busy(disk) else { return Ok(load) };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(why);
            }
            say(&t!(
                "this host is busy: {why}; waiting up to {seconds} s for it to come to rest",
                why = why,
                seconds = left.as_secs()
            ));
        }
    }

    /// Why a measurement now would be one of something else, if it would.
    pub fn is_busy(&self, disk: bool) -> Option<String> {
        let percent = |value: f64| format!("{value:.0}");
        if let Some(waits) = self.memory_waits.filter(|waits| *waits >= MEMORY_WAITS) {
            return Some(t!(
                "tasks waited for memory in {percent} % of the last seconds",
                percent = percent(waits)
            ));
        }
        if let Some(waits) = self.cpu_waits.filter(|waits| *waits >= CPU_WAITS) {
            return Some(t!(
                "tasks waited for a processor in {percent} % of the last seconds",
                percent = percent(waits)
            ));
        }
        if let Some(waits) = self.io_waits.filter(|waits| disk && *waits >= IO_WAITS) {
            return Some(t!(
                "tasks waited for a disk in {percent} % of the last seconds",
                percent = percent(waits)
            ));
        }
        let used = self.used.filter(|used| *used >= USED)?;
        Some(t!("{percent} % of its processors' time was used in the last seconds", percent = percent(used)))
    }
}

impl std::fmt::Display for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let or = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1}"));
        f.write_str(&t!(
            "load {tasks}, processors {used} % used; tasks waited for a processor {cpu} % of the time, for memory {memory} %, for a disk {io} %",
            tasks = or(self.tasks),
            used = or(self.used),
            cpu = or(self.cpu_waits),
            memory = or(self.memory_waits),
            io = or(self.io_waits)
        ))
    }
}

/// The total of `some avg10=1.23 … total=12675540199` of a pressure file, in microseconds.
fn waited(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    line.split(' ').find_map(|word| word.strip_prefix("total="))?.parse().ok()
}

/// Used ticks and all of them, of `cpu  user nice system idle iowait irq softirq steal guest guest_nice`. What guests have is in
/// the first two already.
fn ticks(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let each: Vec<u64> = line.split_whitespace().take(8).map_while(|word| word.parse().ok()).collect();
    let all = each.iter().sum();
    let idle: u64 = each.get(3)? + each.get(4).copied().unwrap_or(0);
    Some((all - idle, all))
}

/// The lines of single processors: those that are online.
fn processors(text: &str) -> u32 {
    let own = |line: &&str| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    u32::try_from(text.lines().filter(own).count()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::float_cmp)] // Exact by how they were chosen.
    fn what_happened_between_two_looks() {
        let text = "some avg10=29.99 avg60=7.33 avg300=2.92 total=12675540199\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
        assert_eq!((waited(text), waited("")), (Some(12_675_540_199), None));
        let stat = "cpu  100 10 30 800 50 1 2 7 90 3\ncpu0 50 5 15 400 25 1 1 3 45 1\ncpu1 50 5 15 400 25 0 1 4 45 2\nintr 5\n";
        assert_eq!((ticks(stat), ticks("cpu 1 2\n"), processors(stat)), (Some((150, 1000)), None, 2));
        let (before, after) = (
            Counted { ticks: Some((150, 1000)), cpu: Some(1_000_000), memory: None, io: Some(0) },
            Counted { ticks: Some((300, 1200)), cpu: Some(1_500_000), memory: Some(7), io: Some(200_000) },
        );
        let load = Load::between(&before, &after, Duration::from_secs(2));
        assert_eq!((load.used, load.cpu_waits, load.memory_waits), (Some(75.0), Some(25.0), None));
        assert_eq!(load.io_waits, Some(10.0));
        // Without time there is nothing to tell.
        assert_eq!(Load::between(&before, &before, Duration::ZERO), Load::default());
    }

    #[test]
    fn what_is_busy() {
        let idle =
            Load { used: Some(30.0), cpu_waits: Some(0.4), memory_waits: Some(0.0), ..Load::default() };
        // What the minute before was like does not matter.
        assert_eq!(Load { tasks: Some(1e4), ..idle }.is_busy(true), None);
        assert_eq!(Load::default().is_busy(true), None);
        for busy in [
            Load { used: Some(75.0), ..idle },
            Load { cpu_waits: Some(25.0), ..idle },
            Load { memory_waits: Some(5.0), ..idle },
        ] {
            assert!(busy.is_busy(false).is_some(), "{busy:?}");
        }
        // A busy disk is in the way of what is measured of a disk.
        let busy = Load { io_waits: Some(10.0), ..idle };
        assert!(busy.is_busy(true).unwrap().contains("10 %") && busy.is_busy(false).is_none());
    }

    #[test]
    fn of_this_host() {
        let load = Load::sample(&Host::live().unwrap(), Duration::from_millis(300));
        assert!(load.used.is_some_and(|used| (0.0..=100.0).contains(&used)), "{load:?}");
        assert!(load.processors.is_some_and(|count| count > 0) && load.tasks.is_some(), "{load:?}");
        let tells = |what: &str| {
            Host::live()
                .unwrap()
                .value(&format!("/proc/pressure/{what}"))
                .is_some_and(|text| !text.is_empty())
        };
        assert_eq!(
            (load.cpu_waits.is_some(), load.io_waits.is_some()),
            (tells("cpu"), tells("io")),
            "{load:?}"
        );
    }
}
