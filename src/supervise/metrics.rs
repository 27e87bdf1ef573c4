//! A moment as Prometheus reads it (text format 0.0.4), served on this host alone.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;

use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use tokio::net::TcpListener;
use tokio::task::LocalSet;

use super::ladder::Rung;
use super::snapshot::Snapshot;
use crate::container::mode::Mode;
use crate::http;

/// The moment that is served.
pub type Shared = Arc<Mutex<Snapshot>>;

/// Serves `/metrics` and `/state` at `address`, from a thread of its own.
pub fn serve(address: SocketAddr, shared: Shared) -> std::io::Result<()> {
    // Bound here, so that a port that is taken is told at once.
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let work = move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()
        else {
            return;
        };
        LocalSet::new().block_on(&runtime, async move {
            let Ok(listener) = TcpListener::from_std(listener) else { return };
            http::serve(listener, move |request: Request<Incoming>| {
                let moment = shared.lock().map(|moment| moment.clone()).unwrap_or_default();
                let answer = match request.uri().path() {
                    "/metrics" => http::text(StatusCode::OK, "text/plain; version=0.0.4", text(&moment)),
                    "/state" => {
                        let json = serde_json::to_string(&moment).unwrap_or_default();
                        http::text(StatusCode::OK, "application/json", json)
                    }
                    _ => http::text(StatusCode::NOT_FOUND, "text/plain", "/metrics and /state\n"),
                };
                async move { answer }
            })
            .await;
        });
    };
    thread::Builder::new().name("metrics".to_owned()).stack_size(512 << 10).spawn(work)?;
    Ok(())
}

/// The text.
pub fn text(moment: &Snapshot) -> String {
    let mut page = Page::default();
    let memory = moment.sample.memory;
    page.gauge("memory_total_bytes", "RAM of the host.", memory.total);
    page.gauge("memory_available_bytes", "What could be had without swapping.", memory.available);
    page.gauge("swap_total_bytes", "Swap of the host.", memory.swap_total);
    page.gauge("swap_free_bytes", "Swap that is free.", memory.swap_free);
    page.gauge("zswap_pool_bytes", "RAM that the pool of zswap takes.", memory.zswap);
    page.gauge("zswap_stored_bytes", "What is in the pool, before compression.", memory.zswapped);
    if let Some(stall) = moment.sample.host {
        page.head("pressure_microseconds_total", "counter", "Time that tasks of the host waited for memory.");
        page.line("pressure_microseconds_total", "{kind=\"some\"}", stall.some_us);
        page.line("pressure_microseconds_total", "{kind=\"full\"}", stall.full_us);
    }
    let rung = match moment.rung {
        Rung::Calm => 0,
        Rung::Hold => 1,
        Rung::GiveBack => 2,
        Rung::Kill => 3,
    };
    page.gauge("rung", "How far the ladder is climbed: 0 calm, 1 hold, 2 give back, 3 kill.", rung);
    page.gauge("hold", "1 while workers are told to claim nothing.", u64::from(moment.hold));
    if let Some(mode) = moment.mode {
        page.gauge(
            "reading_mode",
            "1 while the model sleeps and its memory goes to reading.",
            u64::from(mode == Mode::Reading),
        );
    }
    if let Some(up) = moment.engine_up {
        page.gauge("engine_up", "1 while the container engine answers.", u64::from(up));
    }
    page.gauge("changes_pending", "Changes that are left to deploy.", moment.pending);
    page.head("acts_total", "counter", "What the ladder decided since the supervisor began.");
    for act in ["hold", "give-back", "kill", "resume"] {
        let count = moment.acts.get(act).copied().unwrap_or(0);
        page.line("acts_total", &format!("{{act=\"{act}\"}}"), count);
    }
    page.counter(
        "host_oom_kills_total",
        "Tasks outside the containers that the kernel killed for want of memory.",
        moment.host_kills,
    );
    page.counter("mode_changes_total", "How often memory was shared out anew.", moment.switches);
    if let Some(waiting) = moment.waiting {
        page.head("queue_waiting", "gauge", "Jobs that wait and are due; 1000 is 1000 or more.");
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        page.line("queue_waiting", "{stage=\"ocr\"}", count(waiting.ocr));
        page.line("queue_waiting", "{stage=\"extract\"}", count(waiting.extract));
    }
    page.head("queue_in_work", "gauge", "Jobs in work.");
    for stage in ["ocr", "extract"] {
        let count = moment.in_work.get(stage).copied().unwrap_or(0);
        page.line("queue_in_work", &format!("{{stage=\"{stage}\"}}"), count);
    }
    services(&mut page, moment);
    page.0
}

fn services(page: &mut Page, moment: &Snapshot) {
    type Of = fn(&Snapshot, &str) -> Option<u64>;
    let all: [(&str, &str, &str, Of); 11] = [
        ("service_up", "gauge", "1 while its processes are there.", |m, n| {
            Some(u64::from(m.services.get(n)?.runs))
        }),
        ("service_healthy", "gauge", "1 while its health check says so.", |m, n| {
            m.services.get(n)?.healthy.map(u64::from)
        }),
        ("service_restarts_total", "counter", "Ends that were neither clean nor asked for.", |m, n| {
            Some(m.services.get(n)?.restarts)
        }),
        (
            "service_oom_kills_total",
            "counter",
            "Tasks in it that the kernel killed for want of memory.",
            |m, n| Some(m.services.get(n)?.kills),
        ),
        ("service_memory_bytes", "gauge", "Memory in use, file cache and all.", |m, n| {
            Some(m.sample.services.get(n)?.memory)
        }),
        ("service_memory_limit_bytes", "gauge", "Its memory limit.", |m, n| {
            Some(m.sample.services.get(n)?.limit).filter(|limit| *limit > 0)
        }),
        ("service_swap_bytes", "gauge", "Swap that it uses.", |m, n| Some(m.sample.services.get(n)?.swap)),
        ("service_cpu_microseconds_total", "counter", "CPU time that it used.", |m, n| {
            Some(m.sample.services.get(n)?.cpu_us)
        }),
        (
            "service_pressure_some_microseconds_total",
            "counter",
            "Time that some task of it waited for memory.",
            |m, n| Some(m.sample.services.get(n)?.stall?.some_us),
        ),
        (
            "service_pressure_full_microseconds_total",
            "counter",
            "Time that all tasks of it waited for memory.",
            |m, n| Some(m.sample.services.get(n)?.stall?.full_us),
        ),
        ("service_limit_hits_total", "counter", "How often it ran into its memory limit.", |m, n| {
            // Version 1 of control groups has no such counter.
            let service = m.sample.services.get(n)?;
            service.stall.map(|_| service.oom)
        }),
    ];
    for (name, kind, help, of) in all {
        page.head(name, kind, help);
        for service in moment.services.keys() {
            if let Some(value) = of(moment, service) {
                // A service's name has nothing in it that would have to be escaped.
                page.line(name, &format!("{{service=\"{service}\"}}"), value);
            }
        }
    }
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP civicum_{name} {help}\n# TYPE civicum_{name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: u64) {
        let _ = writeln!(self.0, "civicum_{name}{labels} {value}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "gauge", help);
        self.line(name, "", value);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "counter", help);
        self.line(name, "", value);
    }
}
