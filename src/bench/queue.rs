//! The queue on this host's PostgreSQL: how long a claim takes, and how many jobs a second go through.
//!
//! In a database of its own, which is dropped at the end: jobs of others are never seen. One that a kill left behind is dropped
//! by the next measurement.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::{Column, Pace, Spread, Table, Told, quantile};
use crate::queue::{Database, Made, Queue, Session, Stored, migrate, register};
use crate::t;

/// What the names of its databases begin with.
pub const PREFIX: &str = "civicum_bench_";
/// Jobs that are filled in for each round.
const JOBS: u32 = 20_000;
/// How long a claim would hold.
const LONG: Duration = Duration::from_secs(600);
/// Workers that take turns on the server.
const WORKERS: usize = 8;

/// Measures on the server of this database.
pub fn measure(database: &Database, pace: &Pace<'_>) -> Told<(Vec<Table>, Vec<String>)> {
    super::run(async {
        let admin = pace.bounded(database.connect()).await.ok_or_else(super::too_short)?;
        let admin = admin.map_err(|error| error.to_string())?;
        let name = format!("{PREFIX}{}_{:08x}", std::process::id(), getrandom::u32().unwrap_or(0));
        drop_left_behind(&admin).await;
        run(&admin, &format!("create database {name}"))
            .await
            .map_err(|why| t!("no database of its own can be made there: {why}", why = why))?;
        let found = filled(&database.named(&name), pace).await;
        // Whatever came of it.
        let dropped = run(&admin, &format!("drop database {name} with (force)")).await;
        let mut found = found?;
        if let Err(why) = dropped {
            found.1.push(t!("the database {name} could not be dropped: {why}", name = name, why = why));
        }
        Ok(found)
    })
}

async fn run(session: &Session, sql: &str) -> Told<()> {
    session.client.batch_execute(sql).await.map_err(|error| {
        error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
    })
}

/// Those of measurements that were killed: nobody is connected to them.
async fn drop_left_behind(admin: &Session) {
    let sql = "select datname from pg_database d where starts_with(datname, $1) and pg_has_role(d.datdba, 'usage') \
               and not exists (select from pg_stat_activity a where a.datname = d.datname)";
    let left = admin.client.query(sql, &[&PREFIX]).await.unwrap_or_default();
    for name in left.iter().map(|row| row.get::<_, String>(0)) {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if plain {
            let _ = run(admin, &format!("drop database {name}")).await;
        }
    }
}

async fn filled(database: &Database, pace: &Pace<'_>) -> Told<(Vec<Table>, Vec<String>)> {
    let failed = |error: crate::queue::QueueError| error.to_string();
    pace.say(&t!("making the queue's tables"));
    let mut session = database.connect().await.map_err(failed)?;
    migrate(&mut session.client).await.map_err(failed)?;
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        let id = register(database, "bench").await.map_err(failed)?;
        workers.push(Queue::open(database, id).await.map_err(failed)?);
    }
    let rounds: u32 = if pace.quick { 3 } else { 5 };
    let (mut middle, mut slow, mut claims, mut pairs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        if pace.is_over() {
            break;
        }
        pace.say(&t!("claims, round {round} of {rounds}", round = round + 1, rounds = rounds));
        let part = pace.left() / (rounds - round);
        refill(&session).await?;
        let (mut times, took) =
            claim_each(&workers[0], part.mul_f64(0.3).min(Duration::from_secs(5)), pace).await?;
        if times.is_empty() {
            break;
        }
        times.sort_by(f64::total_cmp);
        middle.push(quantile(&times, 0.5));
        slow.push(quantile(&times, 0.99));
        #[allow(clippy::cast_precision_loss)]
        claims.push(times.len() as f64 / took);
        refill(&session).await?;
        let rate = claim_and_finish(&workers, part.mul_f64(0.3).min(Duration::from_secs(5)), pace).await?;
        // Where the time was up before it had begun, that is no rate.
        pairs.extend((rate > 0.0).then_some(rate));
    }
    if middle.is_empty() {
        return Err(super::too_short());
    }
    let word = |text: &str| vec![text.to_owned()];
    let table = Table {
        name: "claims",
        title: t!("The queue, with {jobs} jobs waiting", jobs = JOBS),
        labels: vec![("what", t!("what"))],
        columns: vec![
            Column::new("p50_ms", t!("median"), "ms", 3),
            Column::new("p99_ms", t!("p99"), "ms", 3),
            Column::new("per_second", t!("a second"), "", 0),
        ],
        chart: None,
        rows: vec![
            (word("claim"), vec![Spread::of(&middle), Spread::of(&slow), Spread::of(&claims)]),
            (word("claim+finish x8"), vec![None, None, Spread::of(&pairs)]),
        ],
    };
    let version = session.client.query_one("show server_version", &[]).await;
    let version = version.map_or_else(|_| "?".to_owned(), |row| row.get(0));
    let notes = vec![t!(
        "PostgreSQL {version}, a database of its own that is gone again; claims do not wait for the disk, finishing does",
        version = version
    )];
    Ok((vec![table], notes))
}

async fn refill(session: &Session) -> Told<()> {
    let sql = format!(
        "truncate civicum.job, civicum.job_archive, civicum.result, civicum.document restart identity cascade;
         insert into civicum.document (sha256, bytes, name) select repeat('0', 64), 1, 'bench' from generate_series(1, {JOBS});
         insert into civicum.job (queue, document_id) select 'ocr', id from civicum.document"
    );
    run(session, &sql).await?;
    // Neither may stand in a transaction with others.
    run(session, "vacuum analyze civicum.job").await
}

/// Each claim in ms, and how long all of them took, in seconds.
async fn claim_each(queue: &Queue, time: Duration, pace: &Pace<'_>) -> Told<(Vec<f64>, f64)> {
    let begun = Instant::now();
    let mut times = Vec::new();
    while begun.elapsed() < time && !pace.is_over() {
        let start = Instant::now();
        let claimed = queue.claim("ocr", 1, LONG).await.map_err(|error| error.to_string())?;
        if claimed.is_empty() {
            break;
        }
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    Ok((times, begun.elapsed().as_secs_f64()))
}

async fn claim_and_finish(workers: &[Queue], time: Duration, pace: &Pace<'_>) -> Told<f64> {
    let begun = Instant::now();
    let made = Made { file: Stored { sha256: "1".repeat(64), bytes: 1 }, findings: 0, next: None };
    let work = workers.iter().map(|queue| {
        let made = &made;
        async move {
            let mut done = 0u32;
            while begun.elapsed() < time && !pace.is_over() {
                let claims = queue.claim("ocr", 1, LONG).await.map_err(|error| error.to_string())?;
                let Some(claim) = claims.first() else { break };
                queue.finish(claim, made).await.map_err(|error| error.to_string())?;
                done += 1;
            }
            Ok::<u32, String>(done)
        }
    });
    let done: Told<Vec<u32>> = join_all(work).await.into_iter().collect();
    Ok(f64::from(done?.iter().sum::<u32>()) / begun.elapsed().as_secs_f64())
}
