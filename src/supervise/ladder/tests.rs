use super::*;
use crate::supervise::sample::{Memory, Service, Stall};

const GIB: u64 = 1 << 30;

fn sample(at_ms: u64, some_ms: u64, full_ms: u64, available_percent: u64) -> Sample {
    let memory =
        Memory { total: 12 * GIB, available: 12 * GIB * available_percent / 100, ..Memory::default() };
    let host = Some(Stall { some_us: some_ms * 1000, full_us: full_ms * 1000 });
    Sample { at_ms, memory, host, ..Sample::default() }
}

fn acts(ladder: &mut Ladder, sample: &Sample) -> Vec<Act> {
    ladder.step(sample).into_iter().map(|decision| decision.act).collect()
}

fn ladder() -> Ladder {
    Ladder::new("worker", Rules::default())
}

fn at_its_limit(stall: Option<Stall>) -> Service {
    Service { memory: GIB, limit: GIB, stall, ..Service::default() }
}

#[test]
fn a_calm_host_is_left_alone() {
    let mut ladder = ladder();
    for at in 0..100 {
        // 5 ms in 2 s: what a busy host always has.
        assert_eq!(acts(&mut ladder, &sample(at * 2000, at * 5, at, 40)), []);
    }
    assert_eq!(ladder.rung(), Rung::Calm);
}

#[test]
fn up_at_once_and_down_slowly() {
    let mut ladder = ladder();
    assert_eq!(acts(&mut ladder, &sample(0, 0, 0, 40)), []);
    assert_eq!(acts(&mut ladder, &sample(1000, 160, 0, 40)), [Act::Hold]);
    assert_eq!(acts(&mut ladder, &sample(2000, 320, 110, 40)), [Act::GiveBack]);
    // It had no time to help yet.
    assert_eq!(acts(&mut ladder, &sample(3000, 500, 230, 40)), []);
    assert_eq!(acts(&mut ladder, &sample(4000, 900, 560, 40)), [Act::Kill]);
    for at in 5..14 {
        assert_eq!(acts(&mut ladder, &sample(at * 1000, 900, 560, 40)), [], "at {at} s");
        assert_eq!(ladder.rung(), Rung::Kill);
    }
    // Calm from the 5th second on.
    assert_eq!(acts(&mut ladder, &sample(15_000, 900, 560, 40)), [Act::Resume]);
    assert_eq!(acts(&mut ladder, &sample(16_000, 900, 560, 40)), []);
}

#[test]
fn nothing_is_killed_twice_within_the_cool_down() {
    let mut ladder = ladder();
    let mut kills = Vec::new();
    for at in 0..61_u64 {
        if acts(&mut ladder, &sample(at * 500, at * 400, at * 400, 3)).contains(&Act::Kill) {
            kills.push(at * 500);
        }
    }
    assert_eq!(kills, [0, 15_000, 30_000]);
}

#[test]
fn the_floor_works_without_psi() {
    let mut ladder = ladder();
    let mut one = sample(0, 0, 0, 9);
    one.host = None;
    assert_eq!(acts(&mut ladder, &one), [Act::Hold, Act::GiveBack]);
    one.at_ms = 1000;
    one.memory = sample(0, 0, 0, 4).memory;
    assert_eq!(acts(&mut ladder, &one), [Act::Kill]);
    // Just above the floor is not calm.
    one.memory = sample(0, 0, 0, 11).memory;
    for at in 2..60 {
        one.at_ms = at * 1000;
        assert_eq!(acts(&mut ladder, &one), []);
    }
    one.memory = sample(0, 0, 0, 13).memory;
    one.at_ms = 60_000;
    assert_eq!(acts(&mut ladder, &one), []);
    one.at_ms = 70_000;
    assert_eq!(acts(&mut ladder, &one), [Act::Resume]);
}

#[test]
fn what_the_kernel_tells_counts_though_the_second_is_not_over() {
    let mut ladder = ladder();
    assert_eq!(acts(&mut ladder, &sample(0, 0, 0, 40)), []);
    let mut one = sample(2000, 20, 0, 40);
    one.told = vec![Threshold::Some];
    let decisions = ladder.step(&one);
    assert_eq!(decisions, [Decision { act: Act::Hold, cause: Cause::Some { ms: 150 } }]);
}

/// A model at its own limit reads its weights from the disk again and again; killing the worker gives it nothing.
#[test]
fn what_waits_at_another_limit_is_not_the_workers() {
    let mut ladder = ladder();
    let with = |at: u64, waited_ms: u64| {
        let mut one = sample(at * 1000, waited_ms, waited_ms, 40);
        let stall = Some(Stall { some_us: waited_ms * 990, full_us: waited_ms * 990 });
        one.services.insert("llm".to_owned(), at_its_limit(stall));
        one.told = vec![Threshold::Some, Threshold::Full, Threshold::FullLong];
        one
    };
    let mut first = with(0, 0);
    first.told.clear();
    assert_eq!(acts(&mut ladder, &first), []);
    for at in 1..20 {
        assert_eq!(acts(&mut ladder, &with(at, at * 600)), [], "at {at} s");
    }
    // Where the host itself runs short meanwhile, it is everybody's.
    let mut short = with(20, 12_000);
    short.memory = sample(0, 0, 0, 4).memory;
    short.services.insert("worker".to_owned(), Service { memory: GIB, ..Service::default() });
    assert_eq!(acts(&mut ladder, &short), [Act::Hold, Act::Kill]);
}

/// cgroup v1: the services' own waits are not known.
#[test]
fn with_half_of_the_memory_available_a_wait_is_somebodys_own() {
    let (mut roomy, mut short) = (ladder(), ladder());
    for at in 0..5 {
        let mut one = sample(at * 1000, at * 500, at * 500, 60);
        one.services.insert("worker".to_owned(), Service { memory: GIB, ..Service::default() });
        assert_eq!(acts(&mut roomy, &one), []);
        one.memory = sample(0, 0, 0, 30).memory;
        let found = acts(&mut short, &one);
        assert_eq!(found.contains(&Act::Kill), at == 1, "{found:?} at {at} s");
    }
}

#[test]
fn the_workers_own_limit_only_holds_it() {
    let mut ladder = ladder();
    let with = |at: u64, waited_ms: u64| {
        // The host's own counters see it too.
        let mut one = sample(at, waited_ms, waited_ms, 40);
        let stall = Some(Stall { some_us: waited_ms * 1000, full_us: waited_ms * 1000 });
        one.services.insert("worker".to_owned(), at_its_limit(stall));
        one
    };
    assert_eq!(acts(&mut ladder, &with(0, 100_000)), []);
    assert_eq!(acts(&mut ladder, &with(1000, 100_900)), [Act::Hold]);
    assert_eq!(acts(&mut ladder, &with(2000, 101_900)), []);
    // Made anew, its counter begins at nought: that is no wait.
    for at in 3..13 {
        assert_eq!(acts(&mut ladder, &with(at * 1000, 0)), []);
    }
    assert_eq!(acts(&mut ladder, &with(13_000, 0)), [Act::Resume]);
}

/// Killing a worker that idles frees nothing, however short memory is.
#[test]
fn a_worker_that_holds_nothing_is_not_killed() {
    let mut ladder = ladder();
    let with = |at: u64, held: u64| {
        let mut one = sample(at * 1000, 0, 0, 3);
        one.services.insert("worker".to_owned(), Service { memory: held, ..Service::default() });
        one
    };
    assert_eq!(acts(&mut ladder, &with(0, 16 << 20)), [Act::Hold, Act::GiveBack]);
    for at in 1..60 {
        assert_eq!(acts(&mut ladder, &with(at, 16 << 20)), [], "at {at} s");
    }
    // Nor is one that is just being started.
    let mut gone = with(59, 0);
    gone.services = [("postgres".to_owned(), Service::default())].into();
    assert_eq!(acts(&mut ladder, &gone), []);
    assert_eq!(acts(&mut ladder, &with(60, 300 << 20)), [Act::Kill]);
}

/// When the whole host is short, every group waits: that is nobody's own limit.
#[test]
fn who_waits_below_its_limit_waits_for_the_host() {
    let mut ladder = ladder();
    let with = |at: u64, waited_ms: u64| {
        let mut one = sample(at * 1000, waited_ms, waited_ms, 40);
        let stall = Some(Stall { some_us: waited_ms * 1000, full_us: waited_ms * 1000 });
        for name in ["llm", "worker"] {
            let service = Service { limit: 2 * GIB, ..at_its_limit(stall) };
            one.services.insert(name.to_owned(), service);
        }
        one
    };
    assert_eq!(acts(&mut ladder, &with(0, 0)), []);
    assert_eq!(acts(&mut ladder, &with(1, 120)), [Act::Hold, Act::GiveBack]);
    assert_eq!(acts(&mut ladder, &with(2, 520)), [Act::Kill]);
}
