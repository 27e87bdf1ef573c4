//! Is the host busy with something else? Then what is measured is that.

use crate::host::Host;
use crate::host::sandbox::processors;
use crate::t;

/// Time in which a task waited for a processor, in percent of the last ten seconds, from which on it is busy.
const CPU_WAITS: f64 = 25.0;
/// The same for memory: reclaim and swap.
const MEMORY_WAITS: f64 = 5.0;
/// Tasks that run or want to, over the last minute, for each processor.
const TASKS: f64 = 0.75;

/// How busy a host is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    /// Mean of tasks that run or want to, over a minute.
    pub tasks: Option<f64>,
    /// Percent of the last ten seconds in which some task waited for a processor.
    pub cpu_waits: Option<f64>,
    /// The same for memory.
    pub memory_waits: Option<f64>,
}

impl Load {
    /// Asks the kernel.
    pub fn read(host: &Host) -> Self {
        let some =
            |what: &str| host.value(&format!("/proc/pressure/{what}")).and_then(|text| some_avg10(&text));
        let tasks = host.value("/proc/loadavg").and_then(|text| text.split(' ').next()?.parse().ok());
        Self { tasks, cpu_waits: some("cpu"), memory_waits: some("memory") }
    }

    /// Why a measurement now would be one of something else, if it would.
    pub fn is_busy(&self) -> Option<String> {
        #[allow(clippy::cast_precision_loss)]
        let cores = processors() as f64;
        let memory = self.memory_waits.filter(|waits| *waits >= MEMORY_WAITS);
        let cpu = self.cpu_waits.filter(|waits| *waits >= CPU_WAITS);
        let tasks = self.tasks.filter(|tasks| *tasks >= TASKS * cores);
        if let Some(waits) = memory {
            Some(t!(
                "tasks waited for memory in {percent} % of the last ten seconds",
                percent = format!("{waits:.0}")
            ))
        } else if let Some(waits) = cpu {
            Some(t!(
                "tasks waited for a processor in {percent} % of the last ten seconds",
                percent = format!("{waits:.0}")
            ))
        } else {
            tasks.map(|tasks| {
                t!(
                    "{tasks} tasks wanted to run over the last minute, on {cores} processors",
                    tasks = format!("{tasks:.1}"),
                    cores = cores
                )
            })
        }
    }
}

impl std::fmt::Display for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let or = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1}"));
        f.write_str(&t!(
            "{tasks} tasks, waits for processors {cpu} %, for memory {memory} %",
            tasks = or(self.tasks),
            cpu = or(self.cpu_waits),
            memory = or(self.memory_waits)
        ))
    }
}

/// `some avg10=1.23 avg60=…` of a pressure file.
fn some_avg10(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    line.split(' ').find_map(|word| word.strip_prefix("avg10="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_busy() {
        let text = "some avg10=29.99 avg60=7.33 avg300=2.92 total=12675540199\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
        assert_eq!(some_avg10(text), Some(29.99));
        assert_eq!(some_avg10(""), None);
        let idle = Load { tasks: Some(0.1), cpu_waits: Some(0.4), memory_waits: Some(0.0) };
        assert_eq!(idle.is_busy(), None);
        assert_eq!(Load::default().is_busy(), None);
        for busy in [
            Load { tasks: Some(1e4), ..idle },
            Load { cpu_waits: Some(25.0), ..idle },
            Load { memory_waits: Some(5.0), ..idle },
        ] {
            assert!(busy.is_busy().is_some(), "{busy:?}");
        }
    }
}
