//! Somebody else who calculates on this host.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One thread that calculates all the time; ends when it is dropped.
pub(super) struct Neighbour {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<u64>>,
}

impl Neighbour {
    pub(super) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut state = 1u64;
            while !told.load(Ordering::Relaxed) {
                for _ in 0..10_000 {
                    state = std::hint::black_box(state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1));
                }
            }
            state
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_neighbour_takes_processor_time_and_ends() {
        let clock = || {
            let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).unwrap();
            usage.user_time().tv_sec() * 1_000_000 + usage.user_time().tv_usec()
        };
        let begun = clock();
        let neighbour = Neighbour::start();
        std::thread::sleep(Duration::from_millis(400));
        drop(neighbour);
        assert!(clock() - begun > 20_000, "{}", clock() - begun);
    }
}
